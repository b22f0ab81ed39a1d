//! Files that nobody wrote: odd ones never panic, and right ones load.

use proptest::prelude::*;

use super::super::load;
use super::super::variables::{Given, resolve};
use super::{NoModules, file, lines, types};
use crate::testing::files::InMemory;

/// Words of the language in no order at all.
fn soup() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "[",
        "]",
        "{",
        "}",
        "=",
        ".",
        ",",
        "\n",
        "\"",
        "'",
        "\"\"\"",
        "#",
        " ",
        "${",
        "}",
        "var",
        "env",
        "stack",
        "s3",
        "bucket",
        "iam",
        "role",
        "name",
        "versioning",
        "trust",
        "lifecycle",
        "x",
        "1",
        "true",
        "[var]\n",
        "[s3.bucket.a]\n",
        "[stack]\nname = \"x\"\n",
        "[output]\n",
        "a = 1\n",
        "\"s3.bucket.a\"",
        "depends_on = ",
        "default = ",
        "type = ",
        "\"${var.a}\"",
        "\\",
        "\u{feff}",
        "é",
        "\r",
        "[[s3.bucket.b]]\n",
        "ignore_changes = [\"a[0]\"]\n",
        "2026-11-23",
    ]);
    prop::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

/// One bucket with a random choice of what it may say.
fn bucket(at: usize) -> impl Strategy<Value = String> {
    let line = prop::sample::select(vec![
        "versioning = true",
        "name = \"${var.prefix}-logs\"",
        "encryption = \"aws:kms\"",
        "encryption = { key = \"${var.prefix}\" }",
        "logging = { bucket = \"s3.bucket.b0\" }",
        "logging.bucket = \"var.target\"",
        "tags.\"${env}\" = \"1\"",
        "tags = { A = \"${self.arn}\" }",
        "lifecycle.x.expiration.days = 3",
        "protect = \"${var.flag}\"",
        "depends_on = [\"iam.role.r\"]",
        "ignore_changes = [\"tags.A\"]",
        "moved_from = \"s3.bucket.gone\"",
    ]);
    prop::sample::subsequence((0..13).collect::<Vec<usize>>(), 0..5).prop_flat_map(move |_| {
        prop::collection::vec(line.clone(), 0..5).prop_map(move |mut lines| {
            lines.sort_by_key(|line| line.split(['.', ' ']).next());
            lines.dedup_by_key(|line| line.split(['.', ' ']).next());
            format!("[s3.bucket.b{at}]\n{}\n", lines.join("\n")).replace("gone", &format!("gone{at}"))
        })
    })
}

fn stack() -> impl Strategy<Value = String> {
    (1usize..6).prop_flat_map(|count| (0..count).map(bucket).collect::<Vec<_>>()).prop_map(|buckets| {
        format!(
            "[stack]\nname = \"x\"\n[var]\nprefix = \"p\"\nflag = true\n[var.target]\ntype = \"ref(s3.bucket)\"\ndefault = \"s3.bucket.b0\"\n{}[iam.role.r]\ntrust = \"ec2.amazonaws.com\"\n[output]\na = \"${{s3.bucket.b0.arn}}\"\n",
            buckets.concat()
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_soup_of_words_is_too_odd(text in soup(), other in soup()) {
        let files = [file("stack.toml", &text), file("b.stack.toml", &other)];
        let (stack, diagnostics) = load(&files, &types(), &NoModules);
        prop_assert!(stack.is_some() || diagnostics.has_errors());
        for diagnostic in &diagnostics.0 {
            // What does not fit a schema, or is no expression, says what was expected in its message.
            let is_told = ["S3S-W", "S3S-E"].iter().any(|group| diagnostic.code.starts_with(group));
            prop_assert!(!diagnostic.message.is_empty() && (diagnostic.help.is_some() || is_told), "{diagnostic}");
        }
        if let Some(stack) = stack {
            let given = Given { own_file: Some(file("stack.vars.toml", &other)), ..Given::default() };
            let _ = resolve(&stack, &given, &InMemory::default());
        }
    }

    #[test]
    fn no_bytes_are_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = load(&[file("stack.toml", &text)], &types(), &NoModules);
    }
}

proptest! {
    #[test]
    fn right_stacks_load(text in stack()) {
        let (stack, diagnostics) = load(&[file("stack.toml", &text)], &types(), &NoModules);
        prop_assert_eq!(lines(&diagnostics), "");
        let given = Given { chosen_environment: "default".into(), ..Given::default() };
        let (_, diagnostics) = resolve(&stack.unwrap(), &given, &InMemory::default());
        prop_assert_eq!(lines(&diagnostics), "");
    }
}
