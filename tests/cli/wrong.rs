//! Stack files that are wrong, each in one way. Every one is refused with its place and a next step, by `validate` and by
//! `plan`, before AWS is changed.
//!
//! Those in `wrong/` are there to be read: `wrong/page.snap` shows each with what is said of it, as a user sees it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::stack::Stack;

const HEAD: &str = "[stack]\nname = \"wrong\"\nregion = \"us-east-1\"\n";

/// What follows the head, which has three lines; the line that is wrong; what must be said.
struct Wrong(&'static str, usize, &'static [&'static str]);

const FILES: &[Wrong] = &[
    // TOML itself.
    Wrong("[s3.bucket.a\n", 4, &["unclosed table", "]"]),
    Wrong("[s3.bucket.a]\nversioning = tru\n", 5, &["true"]),
    Wrong("[s3.bucket.a]\n[s3.bucket.a]\n", 5, &["s3.bucket.a"]),
    Wrong("[s3.bucket.a]\nversioning = true\nversioning = true\n", 6, &["versioning"]),
    Wrong("[s3.bucket.a]\ntags = { A = 1979-05-27 }\n", 5, &["date"]),
    Wrong("[s3.bucket.a.lifecycle.x]\nexpiration = { days = nan }\n", 5, &["nan"]),
    Wrong("[s3.bucket.a]\nname = null\n", 5, &["`null` is no value", "leave the line out"]),
    Wrong("[s3.bucket.a]\nversioning: true\n", 5, &["`:`", "key = value"]),
    // Words that there are not.
    Wrong("[s3.bukket.a]\n", 4, &["s3.bukket", "did you mean", "s3.bucket"]),
    Wrong("[s3.bucket.a]\nversionning = true\n", 5, &["versionning", "did you mean `versioning`"]),
    Wrong("[s3.bucket.a.lifecycle.x]\nexpiraton = { days = 1 }\n", 5, &["expiraton", "did you mean `expiration`"]),
    Wrong("[s3.bucket.a]\ntags = { A = \"${uper(\"x\")}\" }\n", 5, &[]),
    Wrong("[s3.bucket.a]\ntags = { A = \"${uper('x')}\" }\n", 5, &["double quotes"]),
    Wrong("[s3.bucket.a]\ntags = { A = '${uper(\"x\")}' }\n", 5, &["uper", "did you mean", "upper"]),
    Wrong("[s3.bucket.a]\n[output]\nx = \"${s3.bucket.a.arm}\"\n", 6, &["arm", "did you mean", "arn"]),
    Wrong("[output]\nx = \"${s3.bucket.a.arn}\"\n", 5, &["s3.bucket.a"]),
    Wrong("[output]\nx = \"${var.nope}\"\n", 5, &["nope"]),
    Wrong("[resource.aws_s3_bucket.a]\n", 4, &["resource"]),
    Wrong("[stak]\nname = 1\n", 4, &["stak"]),
    // A key under the wrong header.
    Wrong(
        "[s3.bucket.a.lifecycle.x]\nexpiration = { days = 1 }\nversioning = true\n",
        6,
        &["versioning", "belongs to", "s3.bucket.a", "line 4"],
    ),
    // Wrong types and values.
    Wrong("[s3.bucket.a]\nversioning = \"true\"\n", 5, &["expected true or false", "take the quotes away"]),
    Wrong("[s3.bucket.a]\ntags = \"x\"\n", 5, &["expected", "string"]),
    Wrong("[s3.bucket.a]\nownership = \"BucketOwnerEnforce\"\n", 5, &["did you mean \"BucketOwnerEnforced\""]),
    Wrong("[s3.bucket.a.lifecycle.x]\nexpiration = { days = -1 }\n", 5, &["-1", "out of range"]),
    Wrong("[s3.bucket]\nname = \"x\"\n", 5, &["s3.bucket"]),
    Wrong(
        "[iam.role.r]\ntrust = [\"ec2.amazonaws.com\"]\npolicies = [\"s3.bucket.a\"]\n[s3.bucket.a]\n",
        6,
        &["s3.bucket.a"],
    ),
    // Expressions.
    Wrong("[s3.bucket.a]\ntags = { A = \"${1/0}\" }\n", 5, &["zero"]),
    Wrong("[s3.bucket.a]\ntags = { A = \"${var.x\" }\n", 5, &["}"]),
    Wrong("[s3.bucket.a]\ntags = { A = \"${}\" }\n", 5, &["expression"]),
    Wrong("[s3.bucket.a]\ntags = { A = \"${tonumber('x')}\" }\n", 5, &["number"]),
    Wrong("[s3.bucket.a]\ntags = { A = \"${[1, 2][7]}\" }\n", 5, &["7"]),
    // Cycles.
    Wrong(
        "[s3.bucket.a]\ndepends_on = [\"s3.bucket.b\"]\n[s3.bucket.b]\ndepends_on = [\"s3.bucket.a\"]\n",
        4,
        &["s3.bucket.a", "s3.bucket.b"],
    ),
    Wrong("[var]\na = \"${var.a}\"\n", 5, &["var.a"]),
    Wrong(
        "[s3.bucket.a]\nname = \"${s3.bucket.b.name}\"\n[s3.bucket.b]\nname = \"${s3.bucket.a.name}\"\n",
        5,
        &["s3.bucket.a", "s3.bucket.b"],
    ),
    // Names.
    Wrong(
        "[s3.bucket.a]\nname = \"one-name\"\n[s3.bucket.b]\nname = \"one-name\"\n",
        7,
        &["one-name", "s3.bucket.a", "s3.bucket.b"],
    ),
    Wrong("[s3.bucket.a]\nname = \"Has_Upper\"\n", 5, &["Has_Upper"]),
    Wrong(
        "[s3.bucket.b]\n[s3.object.o]\nbucket = \"s3.bucket.b\"\nkey = \"k\"\ncontent = \"\"\n[s3.object.p]\nbucket = \"s3.bucket.b\"\nkey = \"k\"\ncontent = \"\"\n",
        9,
        &["one thing in AWS", "s3.object.o", "s3.object.p"],
    ),
    Wrong("[s3.bucket.a]\nname = \"ab\"\n", 5, &["3"]),
    Wrong("[s3.bucket.a]\nname = \"192.168.0.1\"\n", 5, &["192.168.0.1"]),
    Wrong("[s3.bucket.a]\nname = \"xn--bucket\"\n", 5, &["xn--"]),
    Wrong("[s3.bucket.Upper]\n", 4, &["Upper"]),
    Wrong("[iam.role.r]\nname = \"has blank\"\ntrust = [\"ec2.amazonaws.com\"]\n", 5, &["has blank"]),
    Wrong("[s3.bucket.a]\ntags = { \"aws:x\" = \"y\" }\n", 5, &["aws:"]),
    // Policies that are none.
    Wrong(
        "[iam.policy.p.statements.A]\nactions = [\"s3:GetObject\"]\neffect = \"Alow\"\nresources = \"*\"\n",
        6,
        &["Alow", "did you mean", "Allow"],
    ),
    Wrong("[iam.policy.p.statements.A]\nactions = [\"GetObject\"]\nresources = \"*\"\n", 5, &["GetObject"]),
    Wrong("[iam.policy.p]\nstatements = { file = \"none.json\" }\n", 5, &["none.json"]),
    Wrong("[iam.policy.p]\nstatements = { file = \"text.json\" }\n", 5, &["text.json"]),
    Wrong("[iam.policy.p]\nstatements = { file = \"nopolicy.json\" }\n", 5, &["nopolicy.json"]),
    Wrong("[iam.role.r]\ntrust = [\"nobody\"]\n", 5, &["nobody"]),
    // Blocks that move or are taken over.
    Wrong("[s3.bucket.a]\nmoved_from = \"iam.role.r\"\n", 5, &["iam.role.r", "another type"]),
    Wrong("[s3.bucket.a]\nimport = \"\"\n", 5, &["import"]),
    // Paths.
    Wrong("[iam.policy.p]\nstatements = { file = \"../outside.json\" }\n", 5, &["../outside.json", "folder"]),
    Wrong("[iam.policy.p]\nstatements = { file = \"/etc/hostname\" }\n", 5, &["/etc/hostname"]),
    Wrong("[iam.policy.p]\nstatements = { file = \"link.json\" }\n", 5, &["link.json"]),
    // Variables.
    Wrong("[var.x]\ntype = \"string\"\n", 4, &["x", "--var"]),
    Wrong("[var.x]\ndefault = 1\nmin = 5\n", 5, &["5"]),
    Wrong("[var.x]\ntype = \"sting\"\n", 5, &["sting"]),
    Wrong("[env.prod]\nvar.nope = 1\n", 5, &["nope"]),
    // The head.
    Wrong("[backend.s4]\nbucket = \"x\"\n", 4, &["s4"]),
    Wrong("[backend.s3]\nbukket = \"x\"\n", 5, &["bukket", "bucket"]),
];

async fn folder(text: &str) -> Stack {
    let stack = Stack::new(text).await;
    stack.write("text.json", "not json");
    stack.write("nopolicy.json", "{\"Hello\": 1}");
    stack.write("../outside.json", "{\"Version\":\"2012-10-17\",\"Statement\":[]}");
    std::os::unix::fs::symlink("../outside.json", stack.path("link.json")).unwrap();
    stack
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_is_refused_with_its_place_and_a_next_step() {
    let mut failures = Vec::new();
    for Wrong(body, line, words) in FILES {
        let stack = folder(&format!("{HEAD}{body}")).await;
        for command in ["validate", "plan"] {
            let ran = stack.refused(&[command]).await;
            let text = ran.text().split_whitespace().collect::<Vec<_>>().join(" ");
            let place = format!("stack.toml:{line}:");
            let missing: Vec<&str> =
                [place.as_str()].into_iter().chain(words.iter().copied()).filter(|word| !text.contains(word)).collect();
            let wordy = !ran.stderr.contains("help:") && !ran.stderr.contains("did you mean");
            if !missing.is_empty() || wordy {
                failures.push(format!(
                    "=== {body}missing {missing:?}{}\n{}",
                    if wordy { ", no next step" } else { "" },
                    ran.stderr
                ));
                break;
            }
        }
        assert_eq!(stack.proxy.count(crate::support::stack::writes), 0);
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), FILES.len(), failures.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nesting_without_end_is_refused_in_no_time() {
    for body in [
        format!("[output]\nx = {}1{}\n", "[".repeat(10_000), "]".repeat(10_000)),
        format!("[output]\nx = \"${{{}1{}}}\"\n", "(".repeat(10_000), ")".repeat(10_000)),
        format!("[output]\nx = \"${{{}1{}}}\"\n", "[".repeat(10_000), "]".repeat(10_000)),
        format!("[output]\nx = {}1{}\n", "{ a = ".repeat(10_000), " }".repeat(10_000)),
        format!("[output]\n{}x = 1\n", "a.".repeat(10_000)),
        format!("[output]\nx = \"${{{}1}}\"\n", "-".repeat(100_000)),
        format!("[output]\nx = \"${{{}1}}\"\n", "1 + ".repeat(100_000)),
    ] {
        let stack = Stack::new(&format!("{HEAD}{body}")).await;
        let began = std::time::Instant::now();
        let ran = stack.refused(&["validate"]).await;
        assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
        assert!(ran.stderr.len() < 10_000, "the message repeats the nonsense: {} bytes", ran.stderr.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_mistakes_come_at_once() {
    let stack =
        Stack::new(&format!("{HEAD}[s3.bucket.a]\nversionning = true\n[s3.bucket.b]\nname = 7\n[s3.bukket.c]\n")).await;
    let ran = stack.refused(&["validate"]).await;
    ran.says(&["stack.toml:5:", "stack.toml:7:", "stack.toml:8:", "3 errors"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_without_a_stack_and_a_path_that_is_not_there() {
    let stack = Stack::new("").await;
    std::fs::remove_file(stack.path("stack.toml")).unwrap();
    stack.refused(&["plan"]).await.says(&["no stack", "s3stack init"]);
    stack.refused(&["plan", "nowhere"]).await.says(&["nowhere"]);
    stack.write("stack.toml", "");
    stack.refused(&["plan"]).await.says(&["[stack]", "name"]);
    std::fs::write(stack.path("stack.toml"), [0xff, 0xfe, 0x00]).unwrap();
    stack.refused(&["plan"]).await.says(&["stack.toml", "UTF-8"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_tool_is_asked_for() {
    let stack = Stack::new(&format!("{HEAD}requires = \">=99.0\"\n")).await;
    stack.refused(&["plan"]).await.says(&["99.0", "stack.toml:4:"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_and_not_declared_is_told() {
    let stack = Stack::new(&format!("{HEAD}[var]\nname = \"x\"\n[env.prod]\n")).await;
    stack.refused(&["plan", "--var", "nmae=y"]).await.says(&["nmae", "did you mean", "name"]);
    stack.refused(&["plan", "--var-file", "nowhere.toml"]).await.says(&["nowhere.toml"]);
    stack.refused(&["plan", "--env", "prd"]).await.says(&["prd", "did you mean", "--env prod"]);
}

/// What `validate --json` prints, which needs no AWS.
fn events(text: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("stack.toml"), text).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_s3stack"));
    let output = command.args(["validate", "--json"]).current_dir(folder.path()).output().unwrap();
    assert!(output.stderr.is_empty());
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn what_validate_finds_is_told_to_programs_whole() {
    let (code, found) = events(&format!(
        "{HEAD}[s3.bucket.ä]\n[s3.bucket.a]\nname = \"one\"\nversionning = true\n[s3.bucket.b]\nname = \"one\"\n"
    ));
    insta::assert_snapshot!(found, @r#"
    {"v":1,"type":"diagnostic","code":"S3S-P1","severity":"error","message":"invalid unquoted key","file":"stack.toml","line":4,"column":12,"end_line":4,"end_column":13,"address":null,"path":null,"labels":[],"notes":[],"help":"put quotes round the key; without them it may have letters, digits, `_` and `-`"}
    {"v":1,"type":"diagnostic.end","errors":1,"warnings":0}
    {"v":1,"type":"validate.end","valid":false,"stack":null,"resources":null,"errors":1,"warnings":0}
    "#);
    assert_eq!(code, Some(1));
    let (code, found) = events(&format!("{HEAD}[s3.bucket.a]\nname = \"one\"\n[s3.bucket.b]\nname = \"one\"\n"));
    insta::assert_snapshot!(found, @r#"
    {"v":1,"type":"diagnostic","code":"S3S-N1","severity":"error","message":"two s3.bucket have one name, \"one\"","file":"stack.toml","line":7,"column":8,"end_line":7,"end_column":13,"address":"s3.bucket.b","path":"name","labels":[{"at":{"file":"stack.toml","line":5,"column":8,"end_line":5,"end_column":13},"text":"s3.bucket.a has it too"}],"notes":["In us-east-1 AWS would accept both, and each block would overwrite the other's settings."],"help":"give one of them another name"}
    {"v":1,"type":"diagnostic.end","errors":1,"warnings":0}
    {"v":1,"type":"validate.end","valid":false,"stack":"wrong","resources":null,"errors":1,"warnings":0}
    "#);
    assert_eq!(code, Some(1));
    let (code, found) = events(&format!("{HEAD}[var]\nunused = 1\n[s3.bucket.a]\n"));
    insta::assert_snapshot!(found, @r#"{"v":1,"type":"validate.end","valid":true,"stack":"wrong","resources":1,"errors":0,"warnings":0}"#);
    assert_eq!(code, Some(0));
    let (code, found) = events("[stack");
    insta::assert_snapshot!(found, @r#"
    {"v":1,"type":"diagnostic","code":"S3S-P1","severity":"error","message":"unclosed table","file":"stack.toml","line":1,"column":7,"end_line":1,"end_column":7,"address":null,"path":null,"labels":[{"at":{"file":"stack.toml","line":1,"column":1,"end_line":1,"end_column":7},"text":""}],"notes":[],"help":"end the header with `]`"}
    {"v":1,"type":"diagnostic.end","errors":1,"warnings":0}
    {"v":1,"type":"validate.end","valid":false,"stack":null,"resources":null,"errors":1,"warnings":0}
    "#);
    assert_eq!(code, Some(1));
}

/// The files in a folder and below, with their paths from there, in order.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(folder.join(&inner)).unwrap() {
            let entry = entry.unwrap();
            let path = inner.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else {
                found.push((path.display().to_string(), fs::read_to_string(entry.path()).unwrap()));
            }
        }
    }
    // That of the stack comes first.
    found.sort_by_key(|(path, _)| (path.contains('/'), path.clone()));
    found
}

/// A file says in its first line what else is given than `validate`.
fn given(text: &str) -> Vec<&str> {
    let first = text.lines().next().unwrap_or_default();
    first.strip_prefix("# $ s3stack ").unwrap_or("validate").split(' ').collect()
}

#[test]
fn what_is_said_of_wrong_files_can_be_read_on_one_page() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/wrong");
    let mut names: Vec<String> = fs::read_dir(&cases)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    names.sort();
    let (mut page, mut failures) = (String::new(), Vec::new());
    for name in names {
        let path = cases.join(&name);
        let files = match path.is_dir() {
            true => files(&path),
            false => vec![("stack.toml".to_owned(), fs::read_to_string(&path).unwrap())],
        };
        let folder = tempfile::tempdir().unwrap();
        page.push_str(&format!("======== {}\n", name.trim_end_matches(".toml").replace('_', " ")));
        for (path, text) in &files {
            let full = folder.path().join(path);
            fs::create_dir_all(full.parent().unwrap()).unwrap();
            fs::write(&full, text).unwrap();
            let name = if files.len() > 1 { format!("-------- {path}\n") } else { String::new() };
            page.push_str(&format!("{name}{text}"));
        }
        let arguments = given(&files[0].1);
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_s3stack"));
        let output = command.args(&arguments).current_dir(folder.path()).env("NO_COLOR", "1").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        page.push_str(&format!("-------- s3stack {}\n{said}\n", arguments.join(" ")));
        let steps = said.matches("= help:").count();
        let told = said.matches("error[S3S-").count() + said.matches("warning[S3S-").count();
        if told == 0 || steps < told || !output.stdout.is_empty() {
            failures.push(name);
        }
    }
    assert!(failures.is_empty(), "nothing is said of these, or no next step: {failures:?}");
    insta::with_settings!({ snapshot_path => "wrong", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("page", page);
    });
}
