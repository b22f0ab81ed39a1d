//! Policies: versions, and whom a policy may be taken away from.

use s3stack_engine::fault::FaultKind;

use crate::stage::Stage;

fn policy(action: &str) -> String {
    format!("[iam.policy.it]\nname = \"it\"\nstatements.A = {{ actions = \"{action}\", resources = \"*\" }}\n")
}

fn arn(stage: &Stage) -> String {
    format!("arn:aws:iam::{}:policy/it", stage.account)
}

#[tokio::test]
async fn each_change_is_a_version_and_the_oldest_gives_way() {
    let stage = Stage::new();
    for number in 0..7 {
        let run = stage.apply(&policy(&format!("s3:List{number}"))).await;
        let expected: &[&str] = match number {
            0 => &["CreatePolicy"],
            1..=4 => &["CreatePolicyVersion"],
            // AWS refuses the sixth, and then the oldest is looked for.
            _ => &["CreatePolicyVersion", "DeletePolicyVersion", "CreatePolicyVersion"],
        };
        assert_eq!(run.writes(), expected);
    }
    let iam = stage.iam().await;
    let versions = iam.list_policy_versions().policy_arn(arn(&stage)).send().await.unwrap().versions.unwrap();
    let mut ids: Vec<_> = versions.iter().map(|version| version.version_id().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["v3", "v4", "v5", "v6", "v7"]);
    stage.destroy().await;
}

#[tokio::test]
async fn a_default_version_made_by_hand_is_put_right() {
    let stage = Stage::new();
    stage.apply(&policy("s3:GetObject")).await;
    let iam = stage.iam().await;
    let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let version = iam.create_policy_version().policy_arn(arn(&stage)).policy_document(document);
    version.set_as_default(true).send().await.unwrap();
    assert_eq!(stage.plan().await.0, ["update iam.policy.it: document"]);
    stage.apply(&policy("s3:GetObject")).await;
}

#[tokio::test]
async fn a_policy_made_anew_under_its_name_is_attached_again_to_those_of_the_stack() {
    let stage = Stage::new();
    let text = |description: &str| {
        let policy = policy("s3:ListBucket");
        let role = "[iam.role.one]\ntrust = [\"ec2.amazonaws.com\"]\npolicies = [\"iam.policy.it\"]\n";
        format!("{policy}description = \"{description}\"\n{role}")
    };
    stage.apply(&text("one")).await;
    stage.write(&text("two"));
    let plan = stage.plan().await.0;
    assert_eq!(plan[0], "replace iam.policy.it: description");
    assert!(plan[1].starts_with("update iam.role.one: policies"), "{plan:?}");
    let run = stage.apply(&text("two")).await;
    assert!(run.writes().starts_with(&["DeletePolicy", "DetachRolePolicy", "DeletePolicy", "CreatePolicy"]));
    assert_eq!(run.writes().last(), Some(&"AttachRolePolicy"));
    let iam = stage.iam().await;
    let attached = iam.list_attached_role_policies().role_name("t-one").send().await.unwrap();
    assert_eq!(attached.attached_policies()[0].policy_arn(), Some(arn(&stage).as_str()));
    stage.destroy().await;
}

#[tokio::test]
async fn a_policy_that_somebody_else_holds_is_not_taken_away_and_they_are_named() {
    let stage = Stage::new();
    stage.apply(&policy("s3:ListBucket")).await;
    let iam = stage.iam().await;
    iam.create_user().user_name("stranger").send().await.unwrap();
    iam.attach_user_policy().user_name("stranger").policy_arn(arn(&stage)).send().await.unwrap();
    let run = stage.run(true, usize::MAX).await;
    let fault = &run.summary.failed[0].fault;
    assert_eq!((fault.kind, fault.code.as_deref()), (FaultKind::Conflict, Some("DeleteConflict")));
    assert!(fault.message.contains("user stranger") && fault.request_id.is_some(), "{fault}");
    assert!(!run.calls.iter().any(|call| call.starts_with("Detach")), "{:?}", run.calls);
    iam.detach_user_policy().user_name("stranger").policy_arn(arn(&stage)).send().await.unwrap();
    stage.destroy().await;
}

#[tokio::test]
async fn versions_in_the_way_of_a_deletion_are_deleted_first() {
    let stage = Stage::new();
    let iam = stage.iam();
    stage.write(&policy("s3:ListBucket"));
    stage.apply(&policy("s3:ListBucket")).await;
    let iam = iam.await;
    // The emulator deletes a policy with versions, which AWS refuses: one that holds it makes it refuse as well.
    iam.create_role().role_name("t-holder").assume_role_policy_document("{}").send().await.unwrap();
    stage.apply(&policy("s3:GetObject")).await;
    let holder =
        "[iam.role.holder]\nimport = \"t-holder\"\ntrust = [\"ec2.amazonaws.com\"]\npolicies = [\"iam.policy.it\"]\n";
    stage.apply(&format!("{}{holder}", policy("s3:GetObject"))).await;
    let replaced =
        format!("{}{holder}", policy("s3:GetObject").replace("statements", "description = \"new\"\nstatements"));
    let run = stage.apply(&replaced).await;
    assert!(
        run.writes().starts_with(&["DeletePolicy", "DetachRolePolicy", "DeletePolicyVersion", "DeletePolicy"]),
        "{:?}",
        run.calls
    );
}

#[tokio::test]
async fn a_policy_of_another_path_keeps_its_name_and_so_the_old_one_goes_first() {
    let stage = Stage::new();
    let role = "[iam.role.one]\ntrust = [\"ec2.amazonaws.com\"]\npolicies = [\"iam.policy.it\"]\n";
    stage.apply(&format!("{}path = \"/a/\"\n{role}", policy("s3:ListBucket"))).await;
    let run = stage.apply(&format!("{}path = \"/b/\"\n{role}", policy("s3:ListBucket"))).await;
    let writes = run.writes();
    let at = |call: &str| writes.iter().rposition(|one| *one == call).unwrap();
    assert!(at("DeletePolicy") < at("CreatePolicy") && at("CreatePolicy") < at("AttachRolePolicy"), "{writes:?}");
    stage.destroy().await;
    assert_eq!(stage.everything().await, [""; 0]);
}
