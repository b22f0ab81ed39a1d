//! Destroying a stack whose files no longer say what it was.

use super::stacks::{BUCKET, TEN};
use super::together::with_bucket;
use crate::support::stack::{Stack, writes};

const DESTROY: [&str; 3] = ["destroy", "--yes", "--no-input"];

async fn is_destroyed(stack: &Stack, says: &[&str]) {
    stack.ok(&["plan", "--destroy"]).await.says(says);
    stack.ok(&DESTROY).await.says(says);
}

/// Nothing is left, but for the state's own bucket.
async fn is_empty(stack: &Stack) {
    let mut found = stack.sweep().await;
    found.remove(&format!("s3.bucket state-{}", stack.account));
    assert_eq!(found, [].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_errors_in_blocks() {
    let stack = Stack::new(TEN).await;
    stack.apply().await;
    let broken = TEN
        .replace("versioning = true", "versionning = true\nforce_destroy = \"${var.nowhere}\"")
        .replace("[iam.user.app]", "[iam.usr.app]");
    stack.write("stack.toml", &broken);
    stack.refused(&["apply", "--yes"]).await.says(&["versionning"]);
    is_destroyed(&stack, &["S3S-J6", "versionning", "iam.usr", "nowhere"]).await;
    is_empty(&stack).await;
    assert!(stack.env_value(".env", "AWS_ACCESS_KEY_ID").is_none(), "the lines of the key are gone too");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_errors_that_only_evaluation_finds() {
    let stack = Stack::new(BUCKET).await;
    stack.apply().await;
    stack.write(
        "stack.toml",
        &format!("{BUCKET}\n[s3.object.page]\nbucket = \"s3.bucket.data\"\nfile = \"gone.html\"\n"),
    );
    is_destroyed(&stack, &["S3S-J6", "gone.html"]).await;
    is_empty(&stack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_value_for_a_variable() {
    let text = format!(
        "{BUCKET}\n[var.owner]\ntype = \"string\"\n[s3.bucket.other]\ntags = {{ Owner = \"${{var.owner}}\" }}\n"
    );
    let stack = Stack::new(&text).await;
    stack.ok(&["apply", "--yes", "--var", "owner=me"]).await;
    is_destroyed(&stack, &["S3S-J6", "owner"]).await;
    is_empty(&stack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_no_toml_and_with_no_file() {
    for is_file in [true, false] {
        let stack = with_bucket(BUCKET).await;
        stack.apply().await;
        stack.write("stack.toml", "[s3.bucket\n");
        if !is_file {
            std::fs::remove_file(stack.path("stack.toml")).unwrap();
        }
        stack.refused(&["apply", "--yes"]).await;
        is_destroyed(&stack, &["S3S-J6"]).await;
        is_empty(&stack).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_says_where_the_state_is() {
    let stack = Stack::new(BUCKET).await;
    stack.apply().await;
    std::fs::remove_dir_all(stack.path(".s3stack/last")).unwrap();
    for text in ["[s3.bucket\n", &BUCKET.replace("region = ", "regoin = ")] {
        stack.write("stack.toml", text);
        stack.proxy.reset();
        stack.refused(&DESTROY).await.says(&["where the state is"]);
        assert_eq!(stack.proxy.count(writes), 0);
    }
    // With errors elsewhere it is found, but a place without state may be the wrong one.
    std::fs::rename(stack.path(".s3stack"), stack.path("elsewhere")).unwrap();
    stack.write("stack.toml", &BUCKET.replace("[s3.bucket.data]", "[s3.bucket.data]\nversionning = true"));
    stack.refused(&DESTROY).await.says(&["S3S-J6", "there is no state at"]);
    assert_eq!(stack.proxy.count(writes), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_protection_in_state_or_in_what_is_left_of_the_file() {
    let protected = BUCKET.replace("[s3.bucket.data]", "[s3.bucket.data]\nprotect = true");
    for (applied, left) in [(protected.as_str(), BUCKET), (BUCKET, protected.as_str())] {
        let stack = Stack::new(applied).await;
        stack.apply().await;
        stack.write("stack.toml", &left.replace("[s3.bucket.data]", "[s3.bucket.data]\nversionning = true"));
        stack.proxy.reset();
        stack.refused(&DESTROY).await.says(&["s3.bucket.data", "protected"]);
        assert_eq!(stack.proxy.count(writes), 0);
    }
}
