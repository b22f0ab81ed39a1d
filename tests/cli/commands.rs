//! The smaller commands.

use std::os::unix::fs::PermissionsExt as _;

use super::stacks::TEXT;
use crate::support::stack::{Stack, writes};

#[tokio::test(flavor = "multi_thread")]
async fn init_makes_a_stack_that_can_be_applied_and_overwrites_none() {
    let stack = Stack::new("").await;
    std::fs::remove_file(stack.path("stack.toml")).unwrap();
    stack.write(".gitignore", "target/\n");
    stack.ok(&["init"]).await.says(&["stack.toml", "--local"]);
    let ignored = stack.read(".gitignore");
    for line in ["target/", ".s3stack/", ".env", "stack.vars.toml", "*.s3plan"] {
        assert!(ignored.lines().any(|one| one == line), "{ignored}");
    }
    let starter = stack.read("stack.toml");
    stack.ok(&["validate"]).await;
    stack.apply().await;
    stack.settled().await;
    stack.destroy().await;
    stack.refused(&["init"]).await.says(&["exists already"]);
    assert_eq!(stack.read("stack.toml"), starter);
    stack.ok(&["init", "nested/other"]).await;
    stack.ok(&["validate", "nested/other"]).await;
    stack.ok(&["plan", "nested/other/stack.toml"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn validate_makes_no_call() {
    let stack = Stack::new(TEXT).await;
    stack.ok(&["validate"]).await;
    assert_eq!(stack.proxy.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_are_shown_singly_as_json_and_in_files() {
    let stack = Stack::new(TEXT).await;
    stack.apply().await;
    let name = format!("shown-data-{}", stack.account);
    stack.ok(&["output"]).await.says(&["bucket", &name, "versioned"]);
    assert_eq!(stack.ok(&["output", "--name", "bucket"]).await.stdout, format!("{name}\n"));
    let all: serde_json::Value = serde_json::from_str(&stack.ok(&["output", "--json"]).await.stdout).unwrap();
    assert!(all.to_string().contains(&name), "{all}");
    stack.refused(&["output", "--name", "bukket"]).await.says(&["bukket"]);
    stack.write("app.env", "# mine\nOTHER=1\nBUCKET=old\n");
    stack.ok(&["output", "--env-file", "app.env"]).await.says(&["app.env"]);
    let file = stack.read("app.env");
    assert!(file.starts_with("# mine\nOTHER=1\n"), "{file}");
    assert!(file.contains(&format!("BUCKET={name}\n")) && file.contains("VERSIONED=true\n"), "{file}");
    assert!(!file.contains("old"), "{file}");
    let mode = std::fs::metadata(stack.path("app.env")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    stack.refused(&["output", "--env-file", "nowhere/app.env"]).await.says(&["nowhere/app.env"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn state_is_looked_at_corrected_and_put_back() {
    let stack = Stack::new(TEXT).await;
    stack.apply().await;
    let name = format!("shown-data-{}", stack.account);
    stack.proxy.reset();
    stack.ok(&["state", "list"]).await.says(&["s3.bucket.data", &name]);
    stack.ok(&["state", "show", "s3.bucket.data"]).await.says(&[&name, "versioning"]);
    stack.refused(&["state", "show", "s3.bucket.dta"]).await.says(&["s3.bucket.dta", "did you mean s3.bucket.data"]);
    let pulled: serde_json::Value = serde_json::from_str(&stack.ok(&["state", "pull"]).await.stdout).unwrap();
    assert_eq!(pulled, stack.state());
    let serial = pulled["serial"].as_u64().unwrap();

    stack.ok(&["state", "mv", "s3.bucket.data", "s3.bucket.moved"]).await;
    stack.refused(&["state", "mv", "s3.bucket.data", "s3.bucket.other"]).await.says(&["s3.bucket.data"]);
    stack.refused(&["state", "mv", "s3.bucket.moved", "iam.role.other"]).await.says(&["types differ"]);
    stack.ok(&["state", "rm", "s3.bucket.moved"]).await.says(&["AWS still has it"]);
    assert_eq!(stack.state()["instances"], serde_json::json!({}));
    assert_eq!(stack.proxy.count(writes), 0, "nothing in AWS is touched");
    assert!(stack.sweep().await.contains(&format!("s3.bucket {name}")));

    stack.ok(&["state", "history"]).await.says(&[&serial.to_string()]);
    stack.refused(&["state", "restore", "999"]).await.says(&["999", "state history"]);
    stack.ok(&["state", "restore", &serial.to_string()]).await;
    assert!(stack.state()["serial"].as_u64().unwrap() > serial, "serials only grow");
    stack.settled().await;
    stack.run(&["state", "show", "nonsense"]).await.exits(64);
}

#[tokio::test(flavor = "multi_thread")]
async fn unlock_removes_what_nobody_holds_and_nothing_else() {
    let stack = Stack::new(TEXT).await;
    stack.ok(&["unlock"]).await.says(&["nobody holds"]);
    let (open, gate) = tokio::sync::watch::channel(false);
    stack.proxy.once(writes, crate::support::proxy::Action::Hold(gate));
    let running = stack.start(&["apply", "--yes"]);
    stack.until("it is at work", |requests| requests.iter().any(writes)).await;
    stack.refused(&["unlock"]).await.says(&["ada@", "s3stack apply"]);
    open.send(true).unwrap();
    running.ends().await.exits(0);
    stack.ok(&["unlock"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn completions_and_help_name_the_commands() {
    let stack = Stack::new("").await;
    for shell in ["bash", "zsh", "fish"] {
        let script = stack.ok(&["completions", shell]).await.stdout;
        for command in ["init", "plan", "apply", "destroy", "unlock"] {
            assert!(script.contains(command), "{shell} {command}");
        }
    }
    let help = stack.ok(&["--help"]).await.stdout;
    assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
    stack.ok(&["--version"]).await.says(&["s3stack 0.1.0"]);
    stack.run(&[]).await.exits(64);
    stack.run(&["completions", "cobol"]).await.exits(64);
}

/// Standard output is data, standard error is talk.
#[tokio::test(flavor = "multi_thread")]
async fn what_pipes_read_is_data_and_nothing_else() {
    let stack = Stack::new(TEXT).await;
    let ran = stack.ok(&["apply", "--yes", "--json"]).await;
    for line in ran.stdout.lines() {
        let event: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{ran}"));
        assert!(event.is_object(), "{line}");
    }
    for line in stack.ok(&["plan", "--json"]).await.stdout.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    assert_eq!(stack.ok(&["plan", "-q"]).await.stderr, "");
    // Who approved beforehand and wants only results has no use for the plan of a destroy.
    assert!(!stack.ok(&["plan", "--destroy", "-q"]).await.stdout.is_empty());
    let quiet = stack.ok(&["destroy", "--yes", "-q"]).await;
    assert_eq!(quiet.text(), "");
    stack.ok(&["apply", "--yes", "-q"]).await.does_not_say(&["to create"]);
    let mut command = stack.command(&["plan", "--color", "always"]);
    command.env_remove("NO_COLOR");
    let coloured = Stack::start_command(command).ends().await.exits(0);
    assert!(coloured.stdout.contains('\u{1b}'), "{coloured}");
    assert!(!stack.ok(&["plan"]).await.text().contains('\u{1b}'));
    stack.refused(&["state", "rm", "s3.bucket.none", "--json"]).await;
}
