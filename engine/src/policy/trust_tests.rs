use super::*;
use crate::address::Address;
use crate::value::{Secret, Unknown};
use proptest::prelude::*;

fn toml(entries: &str) -> Value {
    let table: serde_json::Value = toml::from_str(&format!("trust = {entries}")).unwrap();
    Value::from_json(table).get("trust").clone()
}

fn json(entries: &str) -> String {
    document(&toml(entries), None).unwrap().to_json().unwrap()
}

fn problems(entries: &str) -> Vec<String> {
    let found = document(&toml(entries), None).unwrap_err();
    found.iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
}

#[test]
fn the_services_of_a_batch_job_are_one_statement() {
    assert_eq!(
        json(r#"["ec2.amazonaws.com", "batch.amazonaws.com", "ecs-tasks.amazonaws.com"]"#),
        r#"{"Version":"2012-10-17","Statement":[{"Sid":"TrustServices","Effect":"Allow","Principal":{"Service":["batch.amazonaws.com","ec2.amazonaws.com","ecs-tasks.amazonaws.com"]},"Action":"sts:AssumeRole"}]}"#
    );
}

#[test]
fn accounts_users_and_roles_are_another() {
    let document = document(
        &toml(r#"["ec2.amazonaws.com", "123456789012", "arn:aws:iam::123456789012:user/u", "123456789012"]"#),
        None,
    )
    .unwrap();
    let sids: Vec<_> = document.statements.iter().map(|statement| statement.sid.as_deref().unwrap()).collect();
    assert_eq!(sids, ["TrustPrincipals", "TrustServices"]);
    let Some(Principals::Listed(kinds)) = &document.statements[0].principals else { panic!() };
    assert_eq!(kinds[&PrincipalKind::Aws], ["123456789012".into(), Value::from("arn:aws:iam::123456789012:user/u")]);
}

#[test]
fn a_provider_with_audience_and_subjects_is_bound_to_them() {
    assert_eq!(
        json(
            r#"[{ provider = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com", audience = "sts.amazonaws.com", subjects = ["repo:acme/app:ref:refs/heads/main"] }]"#
        ),
        concat!(
            r#"{"Version":"2012-10-17","Statement":[{"Sid":"TrustTokenActionsGithubusercontentCom","Effect":"Allow","#,
            r#""Principal":{"Federated":"arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"},"#,
            r#""Action":"sts:AssumeRoleWithWebIdentity","Condition":{"#,
            r#""StringEquals":{"token.actions.githubusercontent.com:aud":"sts.amazonaws.com"},"#,
            r#""StringLike":{"token.actions.githubusercontent.com:sub":"repo:acme/app:ref:refs/heads/main"}}}]}"#
        )
    );
}

#[test]
fn saml_is_for_the_sign_in_page_of_its_partition() {
    let made = json(r#"["arn:aws-cn:iam::123456789012:saml-provider/Okta"]"#);
    assert!(made.contains(r#""Action":"sts:AssumeRoleWithSAML","Condition":{"StringEquals":{"SAML:aud":"https://signin.amazonaws.cn/saml"}}"#), "{made}");
}

#[test]
fn conditions_and_external_ids_bind_their_own_principals() {
    let made = document(
        &toml(r#"["123456789012", { principal = "210987654321", external_id = "x", condition = { Bool = { "aws:MultiFactorAuthPresent" = true } } }]"#),
        None,
    )
    .unwrap();
    assert_eq!(made.statements[0].conditions, Conditions::new());
    assert_eq!(made.statements[1].sid.as_deref(), Some("TrustPrincipalsIf"));
    assert_eq!(made.statements[1].conditions["StringEquals"]["sts:ExternalId"], ["x".into()]);
    assert_eq!(made.statements[1].conditions["Bool"]["aws:MultiFactorAuthPresent"], [true.into()]);
}

#[test]
fn services_that_tag_sessions_may() {
    let made = json(r#"["pods.eks.amazonaws.com", "ec2.amazonaws.com"]"#);
    assert!(made.contains(r#""Sid":"TrustPodsEks","Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]"#), "{made}");
}

#[test]
fn what_nobody_should_trust_is_refused() {
    assert_eq!(problems(r#"["*"]"#), ["[0]: `*` would let everybody with an AWS account assume the role"]);
    assert_eq!(problems("[]"), [": `trust` names nobody"]);
    assert_eq!(problems(r#"["deployer"]"#), ["[0]: `deployer` names no principal"]);
    assert_eq!(
        problems(r#"[{ external_id = "x" }]"#),
        ["[0]: an entry of `trust` has `principal` or `provider`, and this has neither"]
    );
    assert_eq!(problems(r#"[{ provider = "ec2.amazonaws.com" }]"#), ["[0].provider: this is no identity provider"]);
    assert_eq!(
        problems(r#"[{ principal = ["x", "*"] }]"#)[1],
        "[0].principal[1]: `*` would let everybody with an AWS account assume the role"
    );
    assert_eq!(
        problems(
            r#"[{ principal = "123456789012", external_id = "x", condition = { StringEquals = { "sts:externalid" = "y" } } }]"#
        ),
        ["[0].external_id: `condition` compares `sts:ExternalId` too"]
    );
}

#[test]
fn a_file_is_taken_as_it_is() {
    let words = toml(r#"{ file = "trust.json" }"#);
    let content =
        r#"{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"ec2.amazonaws.com"}}}"#;
    assert_eq!(document(&words, Some(content)), Document::from_json(content));
}

#[test]
fn a_user_that_does_not_exist_yet_is_trusted_and_a_provider_must_be_known() {
    let unknown = Value::from(Unknown::Attribute {
        address: Address::root("iam.user", "u"),
        name: "arn".into(),
        sensitive: false,
    });
    let made = document(&Value::List(vec![unknown.clone()]), None).unwrap();
    assert_eq!(made.statements[0].sid.as_deref(), Some("TrustPrincipals"));
    assert!(shape_is_known(&Value::List(vec![unknown.clone()])));
    assert!(!shape_is_known(&Value::List(vec![Value::map([("provider", unknown.clone())])])));
    assert!(!shape_is_known(&unknown));
}

#[test]
fn entries_that_differ_in_a_secret_alone_have_two_sids() {
    let entry = |id: &str| {
        Value::map([("principal", "123456789012".into()), ("external_id", Value::Secret(Secret::new(id.into())))])
    };
    let made = document(&Value::List(vec![entry("a"), entry("b")]), None).unwrap();
    assert_eq!(made.statements.len(), 2);
    assert!(Document::parse(&made.to_value()).is_ok());
}

#[test]
fn secrets_are_read_and_stay_secret() {
    let entry = Value::map([
        ("principal", "123456789012".into()),
        ("external_id", Value::Secret(Secret::new("canary".into()))),
    ]);
    let made = document(&entry, None).unwrap();
    assert!(made.to_json().is_err());
    assert!(!format!("{made:?}").contains("canary"));
}

proptest! {
    #[test]
    fn the_order_of_entries_means_nothing(entries in Just(vec![
        toml("\"ec2.amazonaws.com\""), toml("\"batch.amazonaws.com\""), toml("\"123456789012\""),
        toml("{ principal = \"123456789012\", external_id = \"a\" }"), toml("{ principal = \"123456789012\", external_id = \"b\" }"),
        toml("{ provider = \"arn:aws:iam::123456789012:oidc-provider/x.com\", subjects = [\"b\", \"a\"] }"),
        toml("{ provider = \"arn:aws:iam::210987654321:oidc-provider/x.com\", subjects = [\"b\", \"a\"] }"),
    ]).prop_shuffle()) {
        let mut turned = entries.clone();
        turned.sort_by_key(|entry| format!("{entry:?}"));
        prop_assert_eq!(document(&Value::List(entries), None), document(&Value::List(turned), None));
    }
}

#[test]
fn no_problem_and_no_sid_tells_a_secret() {
    let secret = |text: &str| Value::Secret(Secret::new(text.into()));
    for (key, text) in [
        ("principal", "canary"),
        ("provider", "canary"),
        ("provider", "arn:aws:iam::123456789012:oidc-provider/canary"),
        ("principal", "arn:aws:iam::123456789012:oidc-provider/canary"),
        ("external_id", "canary"),
    ] {
        let found = document(&Value::map([(key, secret(text))]), None);
        assert!(found.is_err() && !format!("{found:?}").contains("canary"), "{found:?}");
        let bare = document(&Value::List(vec![secret(text)]), None);
        assert!(!format!("{bare:?}").to_lowercase().contains("canary"), "{bare:?}");
    }
}
