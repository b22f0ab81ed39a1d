//! The private AWS of a folder, and other emulators.

use super::stacks::TEXT;
use crate::support::stack::{Running, Stack};

/// The real home, because the emulator's Python environment is there, and no account at all.
async fn run(stack: &Stack, arguments: &[&str]) -> crate::support::stack::Ran {
    let mut command = stack.command(arguments);
    for name in ["AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        command.env_remove(name);
    }
    for name in ["HOME", "XDG_CACHE_HOME", "S3STACK_CACHE_DIR", "PATH"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    let child = command.spawn().unwrap();
    Running::new(arguments.join(" "), child).ends().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_is_tried_without_an_account() {
    let stack = Stack::new(TEXT).await;
    run(&stack, &["local", "status"]).await.exits(0).says(&["stopped"]);
    run(&stack, &["apply", "--local", "--yes"]).await.exits(0);
    run(&stack, &["local", "status"]).await.exits(0).says(&["running at http://127.0.0.1:"]);
    run(&stack, &["plan", "--local", "--detailed-exitcode"]).await.exits(0);
    let variables = run(&stack, &["local", "env"]).await.exits(0).stdout;
    assert!(variables.contains("export AWS_ENDPOINT_URL='http://127.0.0.1:"), "{variables}");
    assert!(variables.lines().all(|line| line.starts_with("export ")), "{variables}");
    let started = run(&stack, &["local", "start"]).await.exits(0).stdout;
    assert!(variables.contains(started.trim()), "it runs already: {started}");
    run(&stack, &["local", "stop"]).await.exits(0).says(&["stopped"]);
    // It kept what it held, and the stack its state.
    run(&stack, &["plan", "--local", "--detailed-exitcode"]).await.exits(0);
    run(&stack, &["destroy", "--local", "--yes"]).await.exits(0);
    run(&stack, &["local", "stop"]).await.exits(0);
    run(&stack, &["local", "stop"]).await.exits(0).says(&["not running"]);
    run(&stack, &["local", "reset"]).await.exits(0);
    assert_eq!(stack.proxy.requests().len(), 0, "nothing went anywhere else");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_emulator_stands_for_backend_account_and_guards() {
    let text = TEXT.replace("region = \"us-east-1\"", "region = \"us-east-1\"\naccount_id = \"999988887777\"");
    let stack = Stack::new(&format!("{text}\n[backend.s3]\nbucket = \"nowhere\"\n")).await;
    let url = stack.proxy.url();
    let ran = stack.ok(&["apply", "--yes", "--local-endpoint", &url]).await;
    assert!(stack.path(".s3stack/local/state/default/state.json").exists(), "{ran}");
    // The account is the twelve digits that stand for one.
    assert!(stack.sweep().await.contains(&format!("s3.bucket shown-data-{}", stack.account)), "{ran}");
    stack.run(&["plan", "--detailed-exitcode", "--local-endpoint", &url]).await.exits(0);
    stack.ok(&["destroy", "--yes", "--local-endpoint", &url]).await;
    stack.run(&["plan", "--local", "--local-endpoint", &url]).await.exits(64);
    stack.refused(&["plan", "--local-endpoint", "nonsense"]).await.says(&["nonsense"]);
}
