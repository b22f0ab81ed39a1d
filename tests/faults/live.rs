//! What becomes of a stack whose resources change behind its back, and of blocks that get other names.

use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use serde_json::json;

use super::stacks::{BUCKET, TEN};
use crate::support::stack::{Stack, described, writes};

/// The writing requests of `work`.
macro_rules! written {
    ($stack:expr, $work:expr) => {{
        $stack.proxy.reset();
        let ran = $work;
        let written: Vec<String> = $stack.proxy.requests().iter().filter(|one| writes(one)).map(described).collect();
        (ran, written)
    }};
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_plan_is_empty_and_destroy_leaves_nothing_but_history() {
    let stack = Stack::new(TEN).await;
    stack.run(&["plan", "--detailed-exitcode"]).await.exits(2);
    stack.run(&["plan"]).await.exits(0);
    stack.apply().await;
    stack.settled().await;
    let (_, written) = written!(stack, stack.apply().await);
    assert_eq!(written, Vec::<String>::new(), "a second apply has nothing to do");
    assert_eq!(stack.sweep().await, Stack::stated(&stack.state()));
    stack.destroy().await;
    assert_eq!(stack.sweep().await.len(), 0);
    let state = stack.state();
    for (part, empty) in
        [("instances", json!({})), ("run", json!(null)), ("pending", json!([])), ("outputs", json!({}))]
    {
        assert_eq!(state[part], empty, "{part}");
    }
    assert!(stack.ok(&["state", "history"]).await.stdout.lines().count() >= 2);
    stack.ok(&["destroy", "--yes"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_tell_changes_from_errors_and_from_wrong_usage() {
    let stack = Stack::new(BUCKET).await;
    stack.run(&["plan", "--detailed-exitcode"]).await.exits(2);
    stack.run(&["plan", "--detailed-exitcode", "--destroy"]).await.exits(0);
    for wrong in [
        vec!["plan", "--no-such-flag"],
        vec!["frobnicate"],
        vec!["plan", "--var", "novalue"],
        vec!["apply", "--lock-timeout", "soon"],
    ] {
        stack.run(&wrong).await.exits(64);
    }
    stack.write("stack.toml", "[stack]\nname = 7\n");
    stack.run(&["plan", "--detailed-exitcode"]).await.exits(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_changed_by_hand_is_shown_with_both_values_and_put_back() {
    let stack = Stack::new(BUCKET).await;
    stack.apply().await;
    let s3 = stack.s3().await;
    let name = format!("live-data-{}", stack.account);
    let suspended = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended).build();
    s3.put_bucket_versioning().bucket(&name).versioning_configuration(suspended).send().await.unwrap();
    let ran = stack.run(&["plan", "--detailed-exitcode"]).await.exits(2);
    ran.says(&["s3.bucket.data", "drift versioning is false, the file says true; apply puts it back", "1 to put back"]);
    let (_, written) = written!(stack, stack.apply().await);
    assert_eq!(written.len(), 1, "one setting, one call: {written:?}");
    let now = s3.get_bucket_versioning().bucket(&name).send().await.unwrap();
    assert_eq!(now.status, Some(BucketVersioningStatus::Enabled));
    stack.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_deleted_by_hand_is_made_again() {
    let stack = Stack::new(BUCKET).await;
    stack.apply().await;
    stack.s3().await.delete_bucket().bucket(format!("live-data-{}", stack.account)).send().await.unwrap();
    stack.run(&["plan", "--detailed-exitcode"]).await.exits(2).says(&["s3.bucket.data", "1 to create"]);
    stack.apply().await;
    stack.settled().await;
    assert_eq!(stack.sweep().await, Stack::stated(&stack.state()));
    // Gone again, and not wanted any more: destroy has nothing to do, and says nothing went wrong.
    stack.s3().await.delete_bucket().bucket(format!("live-data-{}", stack.account)).send().await.unwrap();
    stack.destroy().await;
    assert_eq!(stack.state()["instances"], json!({}));
}

/// AWS keeps the id of a deleted role in the policies that named it, so they must be written again even though their
/// text is equal.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_deleted_by_hand_is_healed_with_all_that_named_it_in_one_apply() {
    let stack = Stack::new(TEN).await;
    stack.apply().await;
    let iam = stack.iam().await;
    iam.remove_role_from_instance_profile()
        .instance_profile_name("ten-reader")
        .role_name("ten-reader")
        .send()
        .await
        .unwrap();
    let attached = iam.list_attached_role_policies().role_name("ten-reader").send().await.unwrap();
    for policy in attached.attached_policies() {
        iam.detach_role_policy().role_name("ten-reader").policy_arn(policy.policy_arn().unwrap()).send().await.unwrap();
    }
    for policy in iam.list_role_policies().role_name("ten-reader").send().await.unwrap().policy_names() {
        iam.delete_role_policy().role_name("ten-reader").policy_name(policy).send().await.unwrap();
    }
    iam.delete_role().role_name("ten-reader").send().await.unwrap();
    let (ran, written) = written!(stack, stack.apply().await);
    let at = |words: &str| {
        written.iter().position(|one| one.contains(words)).unwrap_or_else(|| panic!("no {words}: {written:#?}\n{ran}"))
    };
    let made = at("CreateRole");
    assert!(at("?policy") > made, "the bucket's policy names the new role: {written:#?}");
    assert!(at("UpdateAssumeRolePolicy") > made, "so does the writer's trust: {written:#?}");
    assert!(at("AddRoleToInstanceProfile") > made, "{written:#?}");
    stack.settled().await;
    assert_eq!(stack.sweep().await, Stack::stated(&stack.state()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_block_that_is_renamed_moves_without_a_call() {
    let named = BUCKET.replace("versioning = true", "name = \"NAME\"\nversioning = true");
    let stack = Stack::new("").await;
    let named = named.replace("NAME", &format!("named-{}", stack.account));
    stack.write("stack.toml", &named);
    stack.apply().await;
    stack.write("stack.toml", &named.replace("s3.bucket.data", "s3.bucket.renamed"));
    let ran = stack.run(&["plan"]).await.exits(0);
    ran.says(&["s3.bucket.renamed", "moved from s3.bucket.data"]).does_not_say(&[
        "1 to create",
        "1 to delete",
        "to replace",
    ]);
    let (_, written) = written!(stack, stack.apply().await);
    assert_eq!(written, Vec::<String>::new());
    let state = stack.state();
    assert_eq!(state["instances"].as_object().unwrap().keys().collect::<Vec<_>>(), ["s3.bucket.renamed"]);
    stack.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unnamed_block_that_is_renamed_is_refused_with_the_line_to_write() {
    let stack = Stack::new(BUCKET).await;
    stack.apply().await;
    let renamed = BUCKET.replace("s3.bucket.data", "s3.bucket.renamed");
    stack.write("stack.toml", &renamed);
    let line = "moved_from = \"s3.bucket.data\"";
    stack.refused(&["plan"]).await.says(&[line, "s3.bucket.renamed"]);
    stack.refused(&["apply", "--yes"]).await.says(&[line]);
    // The very line, as it was given.
    stack.write("stack.toml", &renamed.replace("[s3.bucket.renamed]", &format!("[s3.bucket.renamed]\n{line}")));
    let (_, written) = written!(stack, stack.apply().await);
    assert_eq!(written, Vec::<String>::new());
    stack.settled().await;
    assert_eq!(stack.sweep().await, [format!("s3.bucket live-data-{}", stack.account)].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_leaves_a_role_and_goes_in_one_apply() {
    let stack = Stack::new(TEN).await;
    stack.apply().await;
    let start = TEN.find("[iam.policy.upload.statements.Upload]").unwrap();
    let end = TEN.find("[iam.role.reader]").unwrap();
    let without = format!("{}{}", &TEN[..start], &TEN[end..]).replace(", \"iam.policy.upload\"", "");
    stack.write("stack.toml", &without);
    stack.apply().await;
    stack.settled().await;
    let found = stack.sweep().await;
    assert_eq!(found, Stack::stated(&stack.state()));
    assert_eq!(found.len(), 9);
}
