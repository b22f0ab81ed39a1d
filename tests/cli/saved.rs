//! Plans that are saved, and carried out only if everything is still as it was.

use std::os::unix::fs::PermissionsExt as _;

use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};

use super::stacks::TEXT;
use crate::support::stack::Stack;

const APPLY: &[&str] = &["apply", "--plan", "saved.s3plan"];

async fn saved(text: &str) -> Stack {
    let stack = Stack::new(text).await;
    stack.ok(&["plan", "--out", "saved.s3plan"]).await.says(&["apply --plan saved.s3plan"]);
    stack
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_is_carried_out_without_a_question_and_once() {
    let stack = saved(TEXT).await;
    let mode = std::fs::metadata(stack.path("saved.s3plan")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    stack.ok(APPLY).await;
    stack.settled().await;
    stack.refused(APPLY).await.says(&["S3S-J5", "serial"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_destruction_is_carried_out() {
    let stack = Stack::new(TEXT).await;
    stack.apply().await;
    stack.ok(&["plan", "--destroy", "--out", "saved.s3plan"]).await;
    stack.ok(APPLY).await;
    assert_eq!(stack.sweep().await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_does_not_hold_when_the_file_changed() {
    let stack = saved(TEXT).await;
    stack.write("stack.toml", &TEXT.replace("versioning = true", "versioning = false"));
    stack.refused(APPLY).await.says(&["S3S-J5", "s3.bucket.data is not as it was"]);
    stack.write("stack.toml", TEXT);
    stack.refused(&["apply", "--plan", "saved.s3plan", "--var", "purpose=other"]).await.says(&["s3.bucket.data"]);
    stack.ok(APPLY).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_does_not_hold_when_state_changed() {
    let stack = Stack::new(TEXT).await;
    stack.apply().await;
    stack.write("stack.toml", &TEXT.replace("versioning = true", "versioning = false"));
    stack.ok(&["plan", "--out", "saved.s3plan"]).await;
    stack.ok(&["state", "mv", "s3.bucket.data", "s3.bucket.other"]).await;
    stack.ok(&["state", "mv", "s3.bucket.other", "s3.bucket.data"]).await;
    stack.refused(APPLY).await.says(&["S3S-J5", "serial"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_does_not_hold_when_live_changed() {
    let stack = Stack::new(TEXT).await;
    stack.apply().await;
    stack.write("stack.toml", &TEXT.replace("\"test\"", "\"other\""));
    stack.ok(&["plan", "--out", "saved.s3plan"]).await;
    let suspended = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended).build();
    let name = format!("shown-data-{}", stack.account);
    stack.s3().await.put_bucket_versioning().bucket(&name).versioning_configuration(suspended).send().await.unwrap();
    stack.refused(APPLY).await.says(&["S3S-J5", "s3.bucket.data is not as it was"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_plan_is_refused() {
    let stack = saved(TEXT).await;
    let good = stack.read("saved.s3plan");
    let other_tool = good.replacen("\"tool\": \"", "\"tool\": \"9.", 1).replacen("\"tool\":\"", "\"tool\":\"9.", 1);
    assert_ne!(other_tool, good);
    for wrong in
        [other_tool, String::new(), "{}".into(), "[1]".into(), good[..good.len() / 2].into(), "[".repeat(200_000)]
    {
        stack.write("saved.s3plan", &wrong);
        stack.refused(APPLY).await.says(&["saved.s3plan"]);
    }
    stack.refused(&["apply", "--plan", "nowhere.s3plan"]).await.says(&["nowhere.s3plan"]);
}

/// What is approved is what the digest says, not what the file shows.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_was_edited_does_not_do_what_it_says() {
    let stack = saved(TEXT).await;
    let edited = stack.read("saved.s3plan").replace("shown-data-", "edited-data-");
    stack.write("saved.s3plan", &edited);
    stack.run(APPLY).await;
    assert!(!stack.sweep().await.iter().any(|name| name.contains("edited-data-")));
}
