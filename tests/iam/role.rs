//! Roles: what somebody changes by hand, what of others stays, and each property alone.

use s3stack_engine::fault::FaultKind;

use crate::stage::Stage;
use crate::support::emulator;
use crate::support::proxy::{Action, Proxy, Reply, Request};

const BASE: &str = "[iam.role.it]\nname = \"it\"\ntrust = [\"ec2.amazonaws.com\"]\n";

#[tokio::test]
async fn each_property_is_written_by_its_own_call_and_taken_away_again() {
    for (property, text, second, calls, back) in [
        (
            "description",
            "description = 'a'",
            "description = 'b'",
            &["UpdateRoleDescription"][..],
            &["UpdateRoleDescription"][..],
        ),
        (
            "max_session_duration",
            "max_session_duration = 7200",
            "max_session_duration = 3601",
            &["UpdateRole"],
            &["UpdateRole"],
        ),
        (
            "inline_policies",
            "statements.A = { actions = 's3:ListBucket', resources = '*' }",
            "statements.A = { actions = 's3:GetObject', resources = '*' }",
            &["PutRolePolicy"],
            &["DeleteRolePolicy"],
        ),
        (
            "policies",
            "policies = ['arn:aws:iam::aws:policy/ReadOnlyAccess']",
            "policies = ['arn:aws:iam::aws:policy/SecurityAudit']",
            &["AttachRolePolicy", "DetachRolePolicy"],
            &["DetachRolePolicy"],
        ),
        (
            "boundary",
            "boundary = 'arn:aws:iam::aws:policy/ReadOnlyAccess'",
            "boundary = 'arn:aws:iam::aws:policy/SecurityAudit'",
            &["PutRolePermissionsBoundary"],
            &["DeleteRolePermissionsBoundary"],
        ),
        ("tags.a", "tags = { a = '1' }", "tags = { a = '2' }", &["TagRole"], &["UntagRole", "TagRole"]),
    ] {
        let stage = Stage::new();
        stage.apply(BASE).await;
        stage.apply(&format!("{BASE}{text}")).await;
        stage.write(&format!("{BASE}{second}"));
        let plan = stage.plan().await.0;
        assert!(plan[0].starts_with("update iam.role.it: ") && plan[0].contains(property), "{plan:?}");
        assert_eq!(stage.apply(&format!("{BASE}{second}")).await.writes(), calls, "{property}");
        assert_eq!(stage.apply(BASE).await.writes(), back, "{property}");
    }
}

#[tokio::test]
async fn a_new_trust_is_one_call() {
    let stage = Stage::new();
    stage.apply(BASE).await;
    let run = stage.apply(&BASE.replace("ec2", "lambda")).await;
    assert_eq!(run.writes(), ["UpdateAssumeRolePolicy"]);
}

#[tokio::test]
async fn a_longer_session_leaves_a_description_that_is_not_ours() {
    let stage = Stage::new();
    stage.apply(BASE).await;
    let iam = stage.iam().await;
    iam.update_role_description().role_name("it").description("by hand").send().await.unwrap();
    stage.apply(&format!("{BASE}max_session_duration = 7200")).await;
    let role = iam.get_role().role_name("it").send().await.unwrap().role.unwrap();
    assert_eq!((role.description(), role.max_session_duration()), (Some("by hand"), Some(7200)));
}

#[tokio::test]
async fn what_is_added_by_hand_is_drift_and_goes_and_tags_of_others_stay() {
    let stage = Stage::new();
    let text =
        format!("{BASE}statements.A = {{ actions = \"s3:ListBucket\", resources = \"*\" }}\ntags = {{ a = \"1\" }}\n");
    stage.apply(&text).await;
    let iam = stage.iam().await;
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    iam.attach_role_policy().role_name("it").policy_arn(admin).send().await.unwrap();
    iam.put_role_policy().role_name("it").policy_name("mine").policy_document(document).send().await.unwrap();
    iam.put_role_policy().role_name("it").policy_name("s3stack").policy_document(document).send().await.unwrap();
    iam.update_assume_role_policy().role_name("it").policy_document(document).send().await.unwrap();
    let tag = |key: &str, value: &str| aws_sdk_iam::types::Tag::builder().key(key).value(value).build().unwrap();
    iam.tag_role().role_name("it").tags(tag("a", "2")).tags(tag("theirs", "x")).send().await.unwrap();
    assert_eq!(
        stage.plan().await.0,
        ["update iam.role.it: inline_policies.s3stack inline_policies.mine policies tags.a trust_policy"]
    );
    let run = stage.apply(&text).await;
    assert_eq!(
        run.writes(),
        ["UpdateAssumeRolePolicy", "DetachRolePolicy", "PutRolePolicy", "DeleteRolePolicy", "TagRole"]
    );
    let tags = iam.list_role_tags().role_name("it").send().await.unwrap().tags;
    assert!(tags.iter().any(|tag| tag.key == "theirs"));
}

#[tokio::test]
async fn what_was_added_by_hand_is_in_nobodys_way_when_the_role_goes() {
    let stage = Stage::new();
    stage.apply(BASE).await;
    let iam = stage.iam().await;
    let document = r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    iam.attach_role_policy().role_name("it").policy_arn("arn:aws:iam::aws:policy/SecurityAudit").send().await.unwrap();
    iam.put_role_policy().role_name("it").policy_name("mine").policy_document(document).send().await.unwrap();
    stage.destroy().await;
    assert_eq!(stage.everything().await, [""; 0]);
}

#[tokio::test]
async fn a_role_is_not_taken_out_of_somebody_elses_instance_profile() {
    let stage = Stage::new();
    stage.apply(BASE).await;
    let iam = stage.iam().await;
    iam.create_instance_profile().instance_profile_name("theirs").send().await.unwrap();
    iam.add_role_to_instance_profile().instance_profile_name("theirs").role_name("it").send().await.unwrap();
    let run = stage.run(true, usize::MAX).await;
    let fault = &run.summary.failed[0].fault;
    assert_eq!((fault.kind, fault.code.as_deref()), (FaultKind::Conflict, Some("DeleteConflict")));
    assert!(fault.message.contains("theirs") && fault.message.contains("remove-role-from-instance-profile"), "{fault}");
    assert!(!run.calls.contains(&"RemoveRoleFromInstanceProfile".to_owned()), "{:?}", run.calls);
    let leave = iam.remove_role_from_instance_profile().instance_profile_name("theirs").role_name("it");
    leave.send().await.unwrap();
    stage.destroy().await;
    assert_eq!(stage.everything().await, [format!("arn:aws:iam::{}:instance-profile/theirs", stage.account)]);
}

#[tokio::test]
async fn a_policy_that_finds_no_room_beside_one_that_goes_is_written_after_it() {
    let proxy = Proxy::start(emulator::address()).await;
    let stage = Stage::at(&proxy.url());
    stage.apply(BASE).await;
    let iam = stage.iam().await;
    let document = r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    iam.put_role_policy().role_name("it").policy_name("mine").policy_document(document).send().await.unwrap();
    let puts = |request: &Request| String::from_utf8_lossy(&request.body).contains("Action=PutRolePolicy");
    proxy.once(puts, Action::Refuse(Reply::query(409, "LimitExceeded")));
    let run = stage.apply(&format!("{BASE}statements.A = {{ actions = 's3:ListBucket', resources = '*' }}")).await;
    assert_eq!(run.writes(), ["PutRolePolicy", "DeleteRolePolicy", "PutRolePolicy"]);
}

#[tokio::test]
async fn the_policy_of_a_hand_is_left_alone_where_the_stack_says_so() {
    let stage = Stage::new();
    let text = format!("{BASE}ignore_changes = [\"policies\"]\n");
    stage.apply(&text).await;
    let iam = stage.iam().await;
    iam.attach_role_policy().role_name("it").policy_arn("arn:aws:iam::aws:policy/SecurityAudit").send().await.unwrap();
    assert_eq!(stage.plan().await.0, [""; 0]);
}

#[tokio::test]
async fn a_role_made_anew_is_trusted_and_profiled_again() {
    let stage = Stage::new();
    let text = |path: &str| {
        format!(
            "[iam.role.it]\nname = \"it\"\npath = \"{path}\"\ntrust = [\"ec2.amazonaws.com\"]\n\
             [iam.role.truster]\ntrust = [\"iam.role.it\"]\n\
             [iam.instance_profile.web]\nrole = \"iam.role.it\"\n"
        )
    };
    stage.apply(&text("/a/")).await;
    let run = stage.apply(&text("/b/")).await;
    let expected = ["UpdateAssumeRolePolicy", "AddRoleToInstanceProfile"];
    assert!(expected.iter().all(|call| run.writes().contains(call)), "{:?}", run.calls);
    stage.destroy().await;
}
