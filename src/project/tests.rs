//! What is said of stacks on the disk.

use std::fs;

use s3stack_engine::diagnostic::Span;

use super::*;

/// What is said of a stack file, one line each: code, place and message.
fn said(text: impl AsRef<[u8]>) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("stack.toml"), text).unwrap();
    let found = match open(&Choices { path: folder.path().to_owned(), ..Choices::default() }) {
        Ok(project) => project.rehearse().1,
        Err(error) => error.into_diagnostics(),
    };
    assert!(found.0.iter().all(|one| one.help.is_some()), "a next step is missing: {found:?}");
    let mut lines: Vec<String> = found
        .0
        .iter()
        .map(|one| {
            let place = one.span.as_ref().map(Span::line_column);
            let (line, column) = place.unwrap_or_default();
            format!("{} {line}:{column} {}", one.code, one.message)
        })
        .collect();
    lines.sort();
    lines
}

const HEAD: &str = "[stack]\nname = \"x\"\nregion = \"us-east-1\"\n";

#[test]
fn values_keys_names_and_expressions_are_told_at_once() {
    let text = format!(
        "{HEAD}[s3.bucket.a]\nversioning = yes\ntags = {{ A = nan, B = \"${{1/0}}\" }}\nversionin = true\n\
         [s3.bucket.b]\ntags.A = \"${{1/0}}\"\n[s3.bucket.c]\nname = \"a..b\"\n[s3.bucket.d]\nname = \"${{var.x}}\"\n"
    );
    assert_eq!(
        said(text),
        [
            "S3S-E04 6:26 division by zero",
            "S3S-E04 9:13 division by zero",
            "S3S-N4 11:8 the bucket name a..b has two dots side by side",
            "S3S-P1 5:14 `yes` is no value",
            "S3S-P4 6:14 NaN, infinity and numbers beyond 64-bit floats are refused",
            "S3S-R2 13:11 there is no variable `x`",
            "S3S-W1 7:1 there is no property `versionin` here",
        ]
    );
}

#[test]
fn what_follows_from_a_mistake_is_not_told() {
    let missing = ["S3S-W11 5:1 the variable `x` has no value"];
    for block in [
        "[s3.bucket.a]\nname = \"${var.x}\"\n",
        "[s3.bucket.a]\nwhen = \"${var.x == 1}\"\nprotect = \"${var.x}\"\n",
        "[iam.role.r]\ntrust = \"ec2.amazonaws.com\"\ngrants = [{ to = \"${var.x}\", access = \"read\" }]\n",
        "[iam.policy.p]\nstatements.A = { actions = \"${var.x}\", resources = \"*\" }\n",
        "[output]\na = \"${var.x}\"\n",
    ] {
        assert_eq!(said(format!("{HEAD}[var]\nx = {{ type = \"any\" }}\n{block}")), missing, "{block}");
    }
    // A wrong type is not looked at any further.
    let text = format!("{HEAD}[s3.bucket.a]\nname = \"${{1}}\"\n");
    assert_eq!(said(text), ["S3S-W2 5:8 expected a string, found a number"]);
    let text = format!("{HEAD}[s3.bucket.a]\nwhen = \"${{1/0}}\"\n");
    assert_eq!(said(text), ["S3S-E04 5:11 division by zero"]);
}

#[test]
fn a_setting_that_is_wrong_is_told_once() {
    let text =
        "[stack]\nname = 1\nregion = \"${aws.region}\"\nrequires = \"banana\"\ntags = 3\n[backend.s3]\nbucket = 1\n";
    assert_eq!(
        said(text),
        [
            "S3S-R5 3:13 `aws` cannot be named in [stack]",
            "S3S-W2 2:8 expected a string, found a number",
            "S3S-W2 5:8 expected a table of strings, found a number",
            "S3S-W2 7:10 expected a string, found a number",
            "S3S-W8 4:12 \"banana\" does not match ^[<>=^~*0-9]",
        ]
    );
}

#[test]
fn a_byte_that_is_no_character_has_a_place() {
    let text = b"[stack]\nname = \"wr\xe9ng\" # \xff\n";
    let places = said(text);
    assert_eq!(places.len(), 1, "{places:?}");
    assert!(places[0].starts_with("S3S-P1 2:11 ") && places[0].ends_with("this byte is no character"), "{places:?}");
    assert_eq!(
        super::sources::not_unicode("x".into(), &[0xff, 0xfe, b'[', 0]).help.unwrap(),
        "it seems to be UTF-16: save it as UTF-8"
    );
}

#[test]
fn a_pipe_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stack.vars.toml");
    fs::write(folder.path().join("stack.toml"), HEAD).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert!(open(&Choices { path: folder.path().to_owned(), ..Choices::default() }).is_err());
    assert!(Folder::new(folder.path()).resolve("stack.vars.toml").is_ok());
    let content = s3stack_engine::file::Files::content(&Folder::new(folder.path()), "stack.vars.toml");
    assert_eq!(content.unwrap_err(), "`stack.vars.toml` is neither a file nor a folder");
    let content = s3stack_engine::file::Files::content(&Folder::new(folder.path()), ".");
    assert!(content.unwrap_err().contains("neither a file nor a folder"));
}

#[test]
fn files_of_the_folder_are_read_in_variables_settings_and_blocks() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("team.txt", "ops\n"),
        ("tags.yaml", "team: ${team}\nbucket: ${bucket.name}\n"),
        ("wrong.yaml", "team: ops\nx: ${bucket.nam}\n"),
        (
            "stack.toml",
            r#"
[stack]
name = "x"
tags = { owner = '${chomp(file("team.txt"))}' }

[var]
team = '${chomp(file("team.txt"))}'

[s3.bucket.a]
name = "a-${var.team}-bucket"
tags = '${yamldecode(templatefile("tags.yaml", { team = var.team, bucket = s3.bucket.a }))}'

[s3.bucket.b]
tags = '${yamldecode(templatefile("wrong.yaml", { bucket = s3.bucket.a }))}'

[output]
pages = '${glob("*.yaml")}'
"#,
        ),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let project = open(&Choices { path: folder.path().to_owned(), ..Choices::default() }).unwrap();
    assert_eq!(project.settings.tags["owner"], Value::from("ops"));
    assert_eq!(project.variables.value("team"), Some(&Value::from("ops")));
    let (graph, found) = project.rehearse();
    let told: Vec<String> = found.0.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        ["error[S3S-R1]: s3.bucket has no attribute `nam` at wrong.yaml:2:12 in s3.bucket.b; did you mean `name`?"]
    );
    assert_eq!(found.0[0].labels[0].span.line_column(), (14, 22));
    let tags = graph.nodes.values().next().unwrap().resource.property("tags");
    assert_eq!(tags.get("bucket"), &Value::from("a-ops-bucket"));
    assert_eq!(graph.outputs["pages"], Value::strings(["tags.yaml", "wrong.yaml"]));
}
