//! How few calls a plan takes, and what it does where a bulk answer does not tell enough.

use std::time::Duration;

use crate::stage::{Stage, counted};
use crate::support::emulator;
use crate::support::proxy::{Action, Proxy, Reply, Request};

/// Sets of a role with an inline policy, a policy and the attachment.
fn sets(count: usize, more: &str) -> String {
    let one = |number: usize| {
        format!(
            r#"
            [iam.policy.p{number}]
            statements.A = {{ actions = "s3:GetObject", resources = "arn:aws:s3:::b{number}/*" }}
            [iam.role.r{number}]
            trust = ["ec2.amazonaws.com"]
            policies = ["iam.policy.p{number}"]
            statements.A = {{ actions = "s3:ListBucket", resources = "arn:aws:s3:::b{number}" }}
            {more}
            "#
        )
    };
    (0..count).map(one).collect()
}

#[tokio::test]
async fn a_plan_of_many_takes_one_call() {
    let stage = Stage::new();
    stage.apply(&sets(5, "")).await;
    let (changes, calls) = stage.plan().await;
    assert_eq!((changes, calls), (vec![], vec!["GetAccountAuthorizationDetails".to_owned()]));
}

#[tokio::test]
async fn descriptions_of_many_take_one_more() {
    let stage = Stage::new();
    stage.apply(&sets(5, "description = 'd'\nmax_session_duration = 7200")).await;
    let calls = stage.plan().await.1;
    assert_eq!(counted(&calls), [("GetAccountAuthorizationDetails", 1), ("ListRoles", 1)].into());
    stage.apply(&sets(5, "")).await;
}

#[tokio::test]
async fn few_are_read_one_by_one() {
    let stage = Stage::new();
    stage.apply(&sets(1, "")).await;
    let calls = stage.plan().await.1;
    let expected =
        ["GetPolicy", "GetPolicyVersion", "GetRole", "GetRolePolicy", "ListAttachedRolePolicies", "ListRolePolicies"];
    assert_eq!(counted(&calls), expected.map(|call| (call, 1)).into());
}

#[tokio::test]
async fn creations_and_deletions_take_as_few_calls_as_can_be() {
    let stage = Stage::new();
    let text = sets(4, "").lines().filter(|line| !line.contains("s3:ListBucket")).collect::<Vec<_>>().join("\n");
    let run = stage.apply(&text).await;
    assert_eq!(counted(&run.calls), [("AttachRolePolicy", 4), ("CreatePolicy", 4), ("CreateRole", 4)].into());
    let run = stage.destroy().await;
    assert_eq!(counted(&run.calls), [("DeletePolicy", 4), ("DeleteRole", 4), ("DetachRolePolicy", 4)].into());
}

#[tokio::test]
async fn who_may_not_read_the_account_reads_each_by_itself() {
    let proxy = Proxy::start(emulator::address()).await;
    let stage = Stage::at(&proxy.url());
    let asks = |action: &'static str| {
        move |request: &Request| String::from_utf8_lossy(&request.body).starts_with(&format!("Action={action}&"))
    };
    proxy.always(asks("GetAccountAuthorizationDetails"), Action::Refuse(Reply::xml(403, "AccessDenied")));
    proxy.always(asks("ListRoles"), Action::Refuse(Reply::xml(403, "AccessDenied")));
    stage.apply(&sets(4, "description = 'd'")).await;
    let calls = stage.plan().await.1;
    assert_eq!(counted(&calls)["GetRole"], 4);
}

#[tokio::test]
async fn what_cannot_be_read_is_not_taken_for_missing() {
    let proxy = Proxy::start(emulator::address()).await;
    let stage = Stage::at(&proxy.url());
    stage.apply(&sets(1, "")).await;
    let reads = |request: &Request| String::from_utf8_lossy(&request.body).starts_with("Action=ListRolePolicies");
    proxy.always(reads, Action::Refuse(Reply::xml(403, "AccessDenied")));
    let run = stage.run(false, usize::MAX).await;
    assert_eq!(run.writes(), [""; 0]);
}

#[tokio::test]
async fn tags_of_policies_are_read_only_where_there_are_some() {
    let stage = Stage::new();
    let tagged = sets(4, "").replacen("statements", "tags = { a = 'b' }\nstatements", 1);
    stage.apply(&tagged).await;
    let calls = stage.plan().await.1;
    assert_eq!(counted(&calls), [("GetAccountAuthorizationDetails", 1), ("GetPolicy", 1)].into());
    stage.apply(&sets(4, "")).await;
}

#[tokio::test]
async fn a_role_that_iam_does_not_show_yet_is_not_planned_anew() {
    let proxy = Proxy::start(emulator::address()).await;
    let stage = Stage::at(&proxy.url());
    stage.apply(&sets(1, "")).await;
    let reads = |request: &Request| String::from_utf8_lossy(&request.body).starts_with("Action=GetRole&");
    proxy.times(3, reads, Action::Refuse(Reply::query(404, "NoSuchEntity")));
    let (changes, said) = stage.plan_patiently(Duration::from_secs(30)).await;
    assert_eq!(changes, [""; 0]);
    assert!(matches!(said.as_slice(), [said] if said.contains("iam.role.r0")), "{said:?}");
    // Where it need not be waited for, and where it stays away, it is gone.
    proxy.always(reads, Action::Refuse(Reply::query(404, "NoSuchEntity")));
    for settles_within in [Duration::ZERO, Duration::from_millis(700)] {
        assert_eq!(stage.plan_patiently(settles_within).await.0, ["create iam.role.r0"]);
    }
}
