//! Live changes behind the back of the stack, and blocks that move.

use crate::support::stack::{Stack, writes};

const BUCKET: &str = r#"
[stack]
name   = "live"
region = "us-east-1"

[s3.bucket.data]
versioning = true

[s3.bucket.data.tags]
Purpose = "test"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_second_plan_is_empty_and_destroy_leaves_nothing_but_history() {
    let stack = Stack::new(BUCKET).await;
    stack.run(&["plan", "--detailed-exitcode"]).await.exits(2);
    stack.run(&["plan"]).await.exits(0);
    println!("{}", stack.apply().await);
    println!("{}", stack.ok(&["plan", "--detailed-exitcode"]).await);
    println!("{}", stack.destroy().await);
    let state = stack.state();
    assert_eq!(state["instances"], serde_json::json!({}));
    assert_eq!(state["run"], serde_json::Value::Null);
    assert_eq!(state["pending"], serde_json::json!([]));
    let buckets = stack.s3().await.list_buckets().send().await.unwrap();
    assert_eq!(buckets.buckets().len(), 0);
    println!("{}", stack.ok(&["state", "history"]).await);
    let _ = writes;
}
