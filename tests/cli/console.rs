//! `s3stack console`: lines from a program, and from somebody at a terminal.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use tokio::io::AsyncWriteExt as _;

use crate::support::stack::Stack;
use crate::support::terminal::Terminal;

const STACK: &str = r#"
[stack]
name = "asked"
region = "eu-west-1"

[var]
owner = "me"

[var.token]
default = "hunter22"
sensitive = true

[s3.bucket.data]

[s3.bucket.logs]
for_each = ["a", "b"]

[iam.user.app]

[iam.access_key.app]
user = "iam.user.app"
env_file = { path = ".env", set = { ID = "${self.id}", SECRET = "${self.secret}" } }

[module.core]
source = "core"

[lookup.s3.bucket.other]
id = "other"

[remote.network]
path = "../network"

[output]
key = "${iam.user.app.arn}"
"#;

const MODULE: &str = "[var]\nname = \"core\"\n[output]\nout = \"${upper(var.name)}\"\n";

fn stack(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("core")).unwrap();
    std::fs::write(folder.path().join("core/module.toml"), MODULE).unwrap();
    std::fs::write(folder.path().join("stack.toml"), text).unwrap();
    folder
}

/// What is answered to lines that a program writes: the exit code, standard output and standard error.
fn asked(folder: &Path, arguments: &[&str], lines: &str) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_s3stack"));
    command.arg("console").args(arguments).current_dir(folder).env("NO_COLOR", "1");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn each_line_is_answered_by_one() {
    let folder = stack(STACK);
    let lines = r#"
upper(stack.name)
"${env}-${var.owner}"
${var.owner}
# A comment, and an expression in three lines.
[
  for n in [1, 2] : n * 2
]
s3.bucket.data
s3.bucket.logs["b"].arn
s3.bucket.logs
module.core.out
{ secret = var.token, open = 1 }
var.token
null
iam.access_key.app.id
lookup.s3.bucket.other.arn
"${remote.network.vpc}-x"
"#;
    let (code, answers, talk) = asked(folder.path(), &[], lines);
    insta::assert_snapshot!(answers, @r#"
    "ASKED"
    "default-me"
    "me"
    [2, 4]
    s3.bucket.data
    "arn:aws:s3:::asked-logs-b-000000000000"
    { a = s3.bucket.logs["a"], b = s3.bucket.logs["b"] }
    "CORE"
    { open = 1, secret = (secret) }
    (sensitive)
    null
    (made by AWS: iam.access_key.app.id)
    "arn:aws:s3:::other"
    (not asked: ${remote.network.vpc}-x)
    "#);
    insta::assert_snapshot!(talk, @"
    000000000000 stands for the account, which the files do not say
    the rest is known once AWS was asked: `s3stack plan` shows it
    ");
    assert_eq!(code, Some(0));
}

#[test]
fn what_is_wrong_is_told_at_its_place_and_the_next_line_is_answered() {
    let folder = stack(STACK);
    let (code, answers, talk) =
        asked(folder.path(), &[], "1 +\n\n1/0\nvar.owne\nupper(\n  s3.bucket.nope)\n1\nexit\n2\n");
    assert_eq!((code, answers.as_str()), (Some(1), "1\n"));
    insta::assert_snapshot!(talk, @"
    error[S3S-E01]: the expression is not complete
     --> stdin:1:4
      |
    1 | 1 +
      |    ^
      |
      = help: write the rest of it

    error[S3S-E04]: division by zero
     --> stdin:3:1
      |
    3 | 1/0
      | ^^^
      |
      = help: divide only where the divisor is not 0: `b == 0 ? 0 : a / b`

    error[S3S-R2]: there is no variable `owne`
     --> stdin:4:1
      |
    4 | var.owne
      | ^^^^^^^^
      |
      = help: did you mean `var.owner`?

    error[S3S-R3]: there is no s3.bucket.nope in this stack
     --> stdin:6:3
      |
    6 |   s3.bucket.nope)
      |   ^^^^^^^^^^^^^^
      |
      = help: add [s3.bucket.nope], or name another
    ");
}

#[test]
fn a_stack_of_which_something_is_wrong_answers_what_is_not() {
    let folder = stack(&format!("{STACK}wrong = \"${{1 / 0}}\"\n[s3.bucket.bad]\nname = \"${{1 / 0}}\"\n"));
    let (code, answers, talk) = asked(folder.path(), &[], "var.owner\ns3.bucket.bad.arn\n");
    assert_eq!((code, answers.as_str()), (Some(1), "\"me\"\n"));
    // Twice: of the stack, and where it is asked for.
    assert_eq!(talk.matches("stack.toml:37:11").count(), 2, "{talk}");
}

#[test]
fn a_program_gets_events() {
    let folder = stack(STACK);
    let (code, events, talk) = asked(folder.path(), &["--json"], "{ token = var.token }\nvar.nope\n");
    assert_eq!((code, talk.as_str()), (Some(1), ""));
    insta::assert_snapshot!(events, @r#"
    {"v":1,"type":"value","expression":"{ token = var.token }","value":{"token":{"$s3stack":"secret"}}}
    {"v":1,"type":"diagnostic","code":"S3S-R2","severity":"error","message":"there is no variable `nope`","file":"stdin","line":2,"column":1,"end_line":2,"end_column":9,"address":null,"path":null,"labels":[],"notes":[],"help":"declare it: nope = … under [var]"}
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_a_terminal_names_are_completed_and_secrets_stay_out_of_the_history() {
    let folder = stack(STACK);
    let cache = tempfile::tempdir().unwrap();
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_s3stack"));
    command.arg("console").current_dir(folder.path()).env("S3STACK_CACHE_DIR", cache.path()).env("NO_COLOR", "1");
    let mut terminal = Terminal::run(command);
    terminal.until_it_shows("asked> ").await;
    for (typed, answer) in [
        ("var.ow\t\r", "\"me\""),
        ("module.core.\t\r", "\"CORE\""),
        ("[1,\r2]\r", "[1, 2]"),
        ("var.token\r", "(sensitive)"),
    ] {
        terminal.types(typed);
        // The next line is read once it is asked for: until then the terminal itself would take Ctrl-D.
        terminal.until(|shown| shown.rsplit_once(answer).is_some_and(|(_, then)| then.contains("asked> "))).await;
    }
    terminal.types("\u{4}");
    let (code, shown) = terminal.ends().await;
    assert_eq!(code, Some(0), "{shown}");
    let history = cache.path().join("console/history");
    let kept = std::fs::read_to_string(&history).unwrap();
    assert!(kept.contains("var.owner") && kept.contains("module.core.out") && !kept.contains("token"), "{kept}");
    assert_eq!(std::fs::metadata(&history).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_aws_made_is_known_from_a_state_on_this_machine() {
    let resources = STACK.split("[module.core]").next().unwrap();
    let stack = Stack::new(resources).await;
    stack.apply().await;
    let before = stack.proxy.requests().len();
    let mut command = stack.command(&["console"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"length(iam.access_key.app.id)\n").await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    let known = String::from_utf8(output.stdout).unwrap().trim().parse::<u32>();
    assert!(known.is_ok_and(|length| length >= 16));
    assert_eq!(stack.proxy.requests().len(), before);
}
