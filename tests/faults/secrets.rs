//! A secret that is given in every way it can be, and must be found nowhere.

use std::collections::BTreeMap;

use base64::Engine as _;

use crate::support::stack::{Ran, Stack, files};

const CANARY: &str = "canary-f1d0-do-not-print-7e57";

const TEXT: &str = r#"
[stack]
name   = "secret"
region = "us-east-1"

[var.token]
type      = "string"
sensitive = true

[s3.bucket.data]
tags = { Token = "${var.token}", Part = "x-${substr(var.token, 0, 20)}-y" }

[s3.object.token]
bucket  = "s3.bucket.data"
key     = "token"
content = "token is ${var.token}"

[output.token]
value     = "${var.token}"
sensitive = true

[output]
plain = "${s3.bucket.data.name}"
"#;

/// The secret as it is, and in the codings in which it might slip through.
fn forms() -> Vec<String> {
    let hex = CANARY.bytes().map(|byte| format!("{byte:02x}")).collect();
    let base64 = base64::engine::general_purpose::STANDARD.encode(CANARY);
    // The whole, the part that a function made of it, and other spellings.
    vec![CANARY.to_owned(), CANARY[..20].to_owned(), base64[..20].to_owned(), hex]
}

fn holds(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    forms().iter().any(|form| text.contains(form.as_str()))
}

fn check(stack: &Stack, ran: &Ran, given_in: &[&str]) {
    assert!(!holds(ran.text().as_bytes()), "it is printed: {ran}");
    for file in files(&stack.folder) {
        let name = file.strip_prefix(&stack.folder).unwrap().display().to_string();
        if !given_in.contains(&name.as_str()) {
            assert!(!holds(&std::fs::read(&file).unwrap()), "it is in {name}: {ran}");
        }
    }
}

/// A name with a text, where there is one: an environment variable, or a file.
type Named = Option<(&'static str, String)>;

/// The ways to give a variable: arguments, environment, files that hold it.
fn ways() -> BTreeMap<&'static str, (Vec<String>, Named, Named)> {
    let assignment = format!("token = \"{CANARY}\"\n");
    [
        ("argument", (vec!["--var".to_owned(), format!("token={CANARY}")], None, None)),
        ("environment", (vec![], Some(("S3STACK_VAR_TOKEN", CANARY.to_owned())), None)),
        ("own file", (vec![], None, Some(("stack.vars.toml", assignment.clone())))),
        ("named file", (vec!["--var-file".to_owned(), "prod.toml".to_owned()], None, Some(("prod.toml", assignment)))),
    ]
    .into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sensitive_variable_is_found_nowhere() {
    for (way, (arguments, environment, file)) in ways() {
        let stack = Stack::new(TEXT).await;
        let mut given_in = Vec::new();
        if let Some((name, text)) = &file {
            stack.write(name, text);
            given_in.push(*name);
        }
        let run = async |words: &[&str]| {
            let words: Vec<&str> = words.iter().copied().chain(arguments.iter().map(String::as_str)).collect();
            let mut command = stack.command(&words);
            if let Some((name, value)) = &environment {
                command.env(name, value);
            }
            let ran = Stack::start_command(command).ends().await;
            check(&stack, &ran, &given_in);
            ran
        };
        run(&["validate", "-vvv"]).await.exits(0);
        run(&["plan", "-vvv", "--out", "saved.s3plan"]).await.exits(0);
        run(&["plan", "--json", "-vvv"]).await.exits(0);
        run(&["apply", "--plan", "saved.s3plan", "-vvv"]).await.exits(0);
        run(&["plan", "--detailed-exitcode", "-vvv"]).await.exits(0);
        run(&["output"]).await.exits(0).says(&["plain"]);
        run(&["output", "--json"]).await.exits(0);
        run(&["output", "--name", "token"]).await.exits(1);
        run(&["state", "pull"]).await.exits(0);
        run(&["state", "show", "s3.bucket.data"]).await.exits(0);
        run(&["state", "show", "s3.object.token", "--json"]).await.exits(0);
        // It got where it belongs.
        let body =
            stack.s3().await.get_object().bucket(format!("secret-data-{}", stack.account)).key("token").send().await;
        let body = body.unwrap().body.collect().await.unwrap().into_bytes();
        assert_eq!(body, format!("token is {CANARY}"), "{way}");
        // Drift shows both values of what changed, and this one is a secret.
        stack
            .s3()
            .await
            .put_object()
            .bucket(format!("secret-data-{}", stack.account))
            .key("token")
            .body(vec![1].into())
            .send()
            .await
            .unwrap();
        run(&["plan", "--detailed-exitcode", "-vvv"]).await.exits(2);
        run(&["apply", "--yes", "-vvv", "--json"]).await.exits(0);
        run(&["destroy", "--yes", "-vvv"]).await.exits(0);
    }
}

/// Mistakes in which the secret is the value that is wrong.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_about_a_secret_does_not_tell_it() {
    let head = "[stack]\nname = \"secret\"\nregion = \"us-east-1\"\n";
    let plain = "[var.token]\ntype = \"string\"\nsensitive = true\n";
    let wrong = [
        ("pattern", format!("{head}[var.token]\ntype = \"string\"\nsensitive = true\npattern = '^x$'\n")),
        ("allowed", format!("{head}[var.token]\ntype = \"string\"\nsensitive = true\nallowed = [\"x\"]\n")),
        ("type", format!("{head}[var.token]\ntype = \"number\"\nsensitive = true\n")),
        ("enum", format!("{head}{plain}[s3.bucket.data]\nownership = \"${{var.token}}\"\n")),
        ("kind", format!("{head}{plain}[s3.bucket.data]\nversioning = \"${{var.token}}\"\n")),
        ("name", format!("{head}{plain}[s3.bucket.data]\nname = \"${{var.token}}_UPPER\"\n")),
        ("function", format!("{head}{plain}[s3.bucket.data]\ntags = {{ A = \"${{tonumber(var.token)}}\" }}\n")),
        ("index", format!("{head}{plain}[s3.bucket.data]\ntags = {{ A = \"${{{{ a = 1 }}[var.token]}}\" }}\n")),
        ("operator", format!("{head}{plain}[s3.bucket.data]\ntags = {{ A = \"${{var.token + 1}}\" }}\n")),
        ("output", format!("{head}{plain}[output]\ntoken = \"${{var.token}}\"\n")),
        ("json", format!("{head}{plain}[s3.bucket.data]\ntags = {{ A = \"${{jsondecode(var.token)}}\" }}\n")),
        ("key", format!("{head}{plain}[s3.bucket.data.tags]\n\"${{var.token}}\" = \"x\"\n")),
        ("each", format!("{head}{plain}[s3.bucket.data]\nfor_each = [\"${{var.token}}\"]\n")),
        ("reference", format!("{head}{plain}[iam.role.a]\ntrust = [\"${{var.token}}\"]\n")),
        ("stack", format!("{head}{plain}tags = 1\n[backend.file]\npath = \"${{var.token}}\"\n")),
    ];
    for (what, text) in wrong {
        let stack = Stack::new(&text).await;
        for command in ["validate", "plan"] {
            let ran = stack.run(&[command, "-vvv", "--var", &format!("token={CANARY}")]).await;
            check(&stack, &ran, &[]);
            assert!(ran.code == Some(1) || what == "output", "{what}: {ran}");
        }
    }
}

/// A service that repeats what it was sent in its error.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_repeats_a_secret_does_not_tell_it() {
    use crate::support::proxy::{Action, Reply};
    let stack = Stack::new(TEXT).await;
    let mut echo = Reply::xml(400, "InvalidTag");
    echo.body =
        echo.body.replace("made up by the proxy", &format!("The TagValue {CANARY} you have provided is invalid"));
    stack.proxy.always(|request| request.method == "PUT", Action::Refuse(echo));
    let ran = stack.run(&["apply", "--yes", "-vvv", "--var", &format!("token={CANARY}")]).await.exits(1);
    let ran = ran.says(&["InvalidTag"]);
    check(&stack, &ran, &[]);
}

/// The secret of a key that AWS makes: it is in `.env` and nowhere else, whatever is asked for.
#[tokio::test(flavor = "multi_thread")]
async fn the_secret_of_an_access_key_is_in_its_file_and_nowhere_else() {
    let stack = Stack::new(super::stacks::TEN).await;
    let mut said = String::new();
    for words in [
        &["plan", "-vvv", "--out", "saved.s3plan"][..],
        &["apply", "--plan", "saved.s3plan", "-vvv"],
        &["plan", "-vvv"],
        &["plan", "--json", "-vvv"],
        &["output", "--json"],
        &["state", "pull"],
        &["state", "show", "iam.access_key.app", "-vvv"],
        &["plan", "--destroy", "-vvv", "--out", "gone.s3plan"],
    ] {
        said.push_str(&stack.ok(words).await.text());
    }
    let secrets = stack.secrets();
    assert_eq!(secrets.len(), 1);
    let (id, secret) = secrets.first_key_value().unwrap();
    assert_eq!(stack.env_value(".env", "AWS_ACCESS_KEY_ID").as_ref(), Some(id));
    assert_eq!(stack.env_value(".env", "AWS_SECRET_ACCESS_KEY").as_ref(), Some(secret));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(stack.path(".env")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert!(!said.contains(secret.as_str()), "{said}");
    for file in files(&stack.folder).into_iter().filter(|file| !file.ends_with(".env")) {
        let text = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
        assert!(!text.contains(secret.as_str()), "{}", file.display());
    }
    stack.destroy().await;
    assert_eq!(stack.env_value(".env", "AWS_SECRET_ACCESS_KEY"), None);
}
