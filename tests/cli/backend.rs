//! State in a bucket: `init --backend`, and everything else through it.

use super::stacks::TEXT;
use crate::support::stack::Stack;

fn with_backend(stack: &Stack) -> String {
    format!("{TEXT}\n[backend.s3]\nbucket = \"backend-{}\"\n", stack.account)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_lives_in_a_bucket_from_init_to_destroy() {
    let stack = Stack::new("").await;
    let bucket = format!("backend-{}", stack.account);
    stack.write("stack.toml", &with_backend(&stack));
    stack.refused(&["plan"]).await.says(&[&bucket, "init --backend"]);
    stack.ok(&["init", "--backend"]).await.says(&[&bucket, "id"]);
    assert!(stack.read("stack.toml").contains("\nid = \""), "{}", stack.read("stack.toml"));
    // Again is nothing new.
    let before = stack.read("stack.toml");
    stack.ok(&["init", "--backend"]).await;
    assert_eq!(stack.read("stack.toml"), before);
    let s3 = stack.s3().await;
    let versioning = s3.get_bucket_versioning().bucket(&bucket).send().await.unwrap();
    assert_eq!(versioning.status.unwrap().as_str(), "Enabled");
    assert!(s3.get_public_access_block().bucket(&bucket).send().await.is_ok());
    assert!(
        s3.get_bucket_policy().bucket(&bucket).send().await.unwrap().policy.unwrap().contains("aws:SecureTransport")
    );

    stack.apply().await;
    stack.settled().await;
    assert!(!stack.path(".s3stack/state").exists(), "only where the state is, is kept here");
    stack.ok(&["output", "--name", "bucket"]).await.says(&[&format!("shown-data-{}", stack.account)]);
    stack.ok(&["state", "list"]).await.says(&["s3.bucket.data"]);
    assert!(stack.ok(&["state", "history"]).await.stdout.lines().count() >= 1);
    // Another checkout of the same repository goes on where this one stopped.
    let other = Stack::of(stack.account.clone(), &stack.read("stack.toml")).await;
    other.settled().await;
    other.destroy().await;
    stack.run(&["plan", "--detailed-exitcode"]).await.exits(2).says(&["1 to create"]);
    // No lease is left, so the next one waits for nobody.
    let left = s3.list_objects_v2().bucket(&bucket).prefix("lease/").send().await.unwrap();
    assert_eq!(left.contents().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn init_of_a_backend_needs_one_in_the_file() {
    let stack = Stack::new(TEXT).await;
    stack.refused(&["init", "--backend"]).await.says(&["backend.s3", "bucket"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn environments_have_states_of_their_own() {
    let stack = Stack::new("").await;
    stack.write("stack.toml", &format!("{}\n[env.dev]\n[env.prod]\n", with_backend(&stack)));
    stack.ok(&["init", "--backend"]).await;
    stack.ok(&["apply", "--yes", "--env", "dev"]).await;
    stack.ok(&["apply", "--yes", "--env", "prod"]).await;
    stack.ok(&["destroy", "--yes", "--env", "dev"]).await;
    stack.run(&["plan", "--detailed-exitcode", "--env", "prod"]).await.exits(0);
    let left = stack.sweep().await;
    assert!(left.contains(&format!("s3.bucket shown-prod-data-{}", stack.account)), "{left:?}");
    assert_eq!(left.len(), 2);
}
