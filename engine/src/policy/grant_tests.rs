use super::super::document::Document;
use super::super::s3::BUCKET_ACCESS;
use super::*;
use crate::value::Unknown;
use proptest::prelude::*;

fn bucket(address: &str, name: &str) -> Target<'static> {
    Target {
        name: TargetName::Address(address.parse().unwrap()),
        type_name: "s3.bucket",
        arn: format!("arn:aws:s3:::{name}").into(),
        account: "123456789012".into(),
        access: &BUCKET_ACCESS,
        key: None,
    }
}

fn grant<'a>(target: Target<'a>, access: &[&str], prefix: Value) -> Grant<'a> {
    Grant { target, access: access.iter().map(|word| (*word).to_owned()).collect(), prefix }
}

/// Sid, actions, resource and conditions of each statement.
fn told(grants: &[Grant<'_>]) -> Vec<String> {
    let told = |statement: Statement| {
        let value = statement.to_value();
        let json = |key: &str| value.get(key).to_json().unwrap().to_string().replace('"', "");
        format!("{} {} {} {}", json("Sid"), json("Action"), json("Resource"), json("Condition"))
    };
    expand(grants).unwrap().into_iter().map(told).collect()
}

fn problems(grants: &[Grant<'_>]) -> Vec<String> {
    let found = expand(grants).unwrap_err();
    found.iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
}

const HOME: &str = "{StringEquals:{aws:ResourceAccount:123456789012}}";

#[test]
fn reading_one_bucket_and_writing_another_is_that_and_nothing_else() {
    let grants = [
        grant(bucket("s3.bucket.data", "pulse-data"), &["read"], Value::Null),
        grant(bucket("s3.bucket.results", "pulse-results"), &["read", "write"], Value::Null),
    ];
    assert_eq!(
        told(&grants),
        [
            format!("DataBucket [s3:GetBucketLocation,s3:ListBucket] arn:aws:s3:::pulse-data {HOME}"),
            format!("DataObjects [s3:GetObject,s3:GetObjectVersion] arn:aws:s3:::pulse-data/* {HOME}"),
            format!("ResultsBucket [s3:GetBucketLocation,s3:ListBucket] arn:aws:s3:::pulse-results {HOME}"),
            format!(
                "ResultsObjects [s3:AbortMultipartUpload,s3:GetObject,s3:GetObjectVersion,s3:ListMultipartUploadParts,s3:PutObject] arn:aws:s3:::pulse-results/* {HOME}"
            ),
        ]
    );
}

#[test]
fn a_prefix_limits_objects_and_listing_but_not_where_the_bucket_is() {
    let grants = [grant(bucket("s3.bucket.model_artifacts", "m"), &["read"], "scripts/".into())];
    assert_eq!(
        told(&grants),
        [
            format!("ModelArtifactsBucket s3:GetBucketLocation arn:aws:s3:::m {HOME}"),
            "ModelArtifactsScriptsListing s3:ListBucket arn:aws:s3:::m {StringEquals:{aws:ResourceAccount:123456789012},StringLike:{s3:prefix:scripts/*}}".to_owned(),
            format!("ModelArtifactsScriptsObjects [s3:GetObject,s3:GetObjectVersion] arn:aws:s3:::m/scripts/* {HOME}"),
        ]
    );
}

#[test]
fn actions_get_the_shape_they_work_on() {
    let grants = [grant(
        bucket("s3.bucket.b", "b"),
        &["s3:PutObjectTagging", "s3:GetBucketTagging", "s3:NewThing"],
        Value::Null,
    )];
    assert_eq!(
        told(&grants),
        [
            format!("BBucket [s3:GetBucketTagging,s3:NewThing] arn:aws:s3:::b {HOME}"),
            format!("BObjects [s3:NewThing,s3:PutObjectTagging] arn:aws:s3:::b/* {HOME}"),
        ]
    );
}

#[test]
fn a_customers_key_comes_with_what_the_data_takes() {
    let key = || Key {
        arn: "arn:aws:kms:us-east-1:123456789012:key/k".into(),
        account: "123456789012".into(),
        region: "us-east-1".into(),
    };
    let made = |access: &[&str]| {
        let target = Target { key: Some(key()), ..bucket("s3.bucket.b", "b") };
        told(&[grant(target, access, Value::Null)]).into_iter().filter(|told| told.contains("kms")).collect::<Vec<_>>()
    };
    let bound = "arn:aws:kms:us-east-1:123456789012:key/k {StringEquals:{aws:ResourceAccount:123456789012,kms:ViaService:s3.us-east-1.amazonaws.com}}";
    assert_eq!(made(&["read"]), [format!("BKey kms:Decrypt {bound}")]);
    assert_eq!(made(&["write"]), [format!("BKey [kms:Decrypt,kms:GenerateDataKey] {bound}")]);
    assert_eq!(made(&["s3:*"]), [format!("BKey [kms:Decrypt,kms:GenerateDataKey] {bound}")]);
    assert!(made(&["list", "delete"]).is_empty());
    let target = Target { key: Some(Key { region: "cn-north-1".into(), ..key() }), ..bucket("s3.bucket.b", "b") };
    assert!(told(&[grant(target, &["read"], Value::Null)])[1].contains("s3.cn-north-1.amazonaws.com.cn"));
}

#[test]
fn a_key_by_alias_would_give_nothing() {
    let key = Key {
        arn: "arn:aws:kms:us-east-1:123456789012:alias/k".into(),
        account: Value::Null,
        region: "us-east-1".into(),
    };
    let target = Target { key: Some(key), ..bucket("s3.bucket.b", "b") };
    assert_eq!(
        problems(&[grant(target, &["read", "write"], Value::Null)]),
        ["[0].to: the key of s3.bucket.b is not named by the key's ARN, and nothing else works in a policy"]
    );
}

#[test]
fn a_key_or_bucket_that_is_not_made_yet_is_granted() {
    let unknown = |name: &str| {
        Value::from(Unknown::Attribute {
            address: Address::root("kms.key", name),
            name: "arn".into(),
            sensitive: false,
        })
    };
    let key = Key { arn: unknown("k"), account: "123456789012".into(), region: "us-east-1".into() };
    let target = Target { key: Some(key), arn: unknown("b"), ..bucket("s3.bucket.b", "b") };
    let made = expand(&[grant(target, &["read"], Value::Null)]).unwrap();
    assert_eq!(made.iter().map(|s| s.sid.as_deref().unwrap()).collect::<Vec<_>>(), ["BBucket", "BKey", "BObjects"]);
    assert_eq!((&made[0].resources, &made[1].resources), (&vec![unknown("b")], &vec![unknown("k")]));
    assert!(!made[2].resources[0].is_known());
}

#[test]
fn one_name_in_two_modules_gets_two_sids() {
    let grants = [
        grant(bucket("module.a.s3.bucket.data", "a"), &["write"], Value::Null),
        grant(bucket("module.b.s3.bucket.data", "b"), &["write"], Value::Null),
        grant(bucket("s3.bucket.logs[\"eu-1\"]", "c"), &["write"], Value::Null),
    ];
    let made = expand(&grants).unwrap();
    let sids: Vec<_> = made.iter().map(|statement| statement.sid.as_deref().unwrap()).collect();
    assert!(sids[0] != sids[1] && sids[0].starts_with("DataObjects") && sids[1].starts_with("DataObjects"), "{sids:?}");
    assert_eq!(sids[2], "LogsEu1Objects");
}

#[test]
fn a_bucket_elsewhere_is_granted_by_its_arn() {
    let target = Target {
        name: TargetName::Arn("arn:aws:s3:::other-bucket".into()),
        account: Value::Null,
        ..bucket("s3.bucket.x", "other-bucket")
    };
    assert_eq!(
        told(&[grant(target, &["delete"], Value::Null)]),
        ["OtherBucketObjects s3:DeleteObject arn:aws:s3:::other-bucket/* null"]
    );
}

#[test]
fn what_cannot_be_granted_is_told() {
    let make = |access: &[&str], prefix: Value| problems(&[grant(bucket("s3.bucket.b", "b"), access, prefix)]);
    assert_eq!(make(&["raed"], Value::Null), ["[0].access[0]: s3.bucket has no access level `raed`"]);
    assert_eq!(
        make(&["read", "sqs:SendMessage"], Value::Null),
        ["[0].access[1]: `sqs:SendMessage` does nothing on s3.bucket"]
    );
    assert_eq!(make(&["s3:Get Object"], Value::Null), ["[0].access[0]: `s3:Get Object` is not an action"]);
    assert_eq!(make(&[], Value::Null), ["[0].access: this grants nothing"]);
    assert_eq!(
        make(&["read"], "a/*".into()),
        ["[0].prefix: a prefix has no wildcards: everything that begins with it is granted"]
    );
    assert_eq!(make(&["s3:Get*"], "a/".into()), ["[0].access: `s3:Get*` covers actions that no prefix limits"]);
    let listing = make(&["s3:ListBucket*"], "a/".into());
    assert_eq!(listing, ["[0].access: `s3:ListBucket*` covers actions that no prefix limits"]);
    assert!(expand(&[grant(bucket("s3.bucket.b", "b"), &["read"], "home/${aws:username}/".into())]).is_ok());
}

#[test]
fn words_are_read_with_their_places() {
    let table: serde_json::Value = toml::from_str(
        r#"grants = [{ to = "s3.bucket.a", access = "read", prefix = "x/" }, { to = "s3.bucket.b", acess = "read" }, { access = [1] }]"#,
    )
    .unwrap();
    let value = Value::from_json(table);
    let found = read(value.get("grants")).unwrap_err();
    let told: Vec<_> = found.iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect();
    assert_eq!(
        told,
        [
            "[1].acess: a grant has no `acess`",
            "[1]: a grant has `access`, and this has none",
            "[2].access[0]: an access level or action is a string, found a number",
            "[2]: a grant has `to`, and this has none",
        ]
    );
    let words = read(&Value::List(vec![value.get("grants").as_list().unwrap()[0].clone()])).unwrap();
    assert_eq!(words, [Words { to: "s3.bucket.a".into(), access: vec!["read".into()], prefix: "x/".into() }]);
}

/// Whether any statement allows an action on a resource.
fn allows(statements: &[Statement], action: &str, resource: &str) -> bool {
    let covers = |value: &Value| value.as_str().is_some_and(|pattern| action::covers(pattern, resource));
    statements.iter().any(|s| s.actions.contains(&action.into()) && s.resources.iter().any(covers))
}

fn any_grant() -> impl Strategy<Value = Grant<'static>> {
    let words =
        prop::sample::select(vec!["list", "read", "write", "delete", "s3:GetObjectTagging", "s3:PutBucketTagging"]);
    let prefix = prop::sample::select(vec![Value::Null, "a/".into(), "b/".into()]);
    let target = prop::sample::select(vec![("s3.bucket.a", "a"), ("s3.bucket.b", "b"), ("module.m.s3.bucket.a", "ma")]);
    let key = any::<bool>();
    (target, prop::collection::vec(words, 1..4), prefix, key).prop_map(|((address, name), access, prefix, key)| {
        let key = key.then(|| Key {
            arn: "arn:aws:kms:us-east-1:1:key/k".into(),
            account: Value::Null,
            region: "us-east-1".into(),
        });
        grant(Target { key, ..bucket(address, name) }, &access, prefix)
    })
}

proptest! {
    #[test]
    fn the_order_of_grants_means_nothing(grants in prop::collection::vec(any_grant(), 0..6)) {
        let turned: Vec<_> = grants.iter().rev().cloned().collect();
        prop_assert_eq!(expand(&grants), expand(&turned));
    }

    #[test]
    fn the_document_is_one_that_can_be_read_and_only_deletes_when_told(grants in prop::collection::vec(any_grant(), 1..6)) {
        let statements = expand(&grants).unwrap();
        let document = Document::new(statements.clone());
        prop_assert_eq!(&Document::parse(&document.to_value()).unwrap(), &document);
        prop_assert!(statements.iter().all(|s| s.sid.as_ref().unwrap().chars().all(|c| c.is_ascii_alphanumeric())));
        for name in ["a", "b", "ma"] {
            let arn = Value::from(format!("arn:aws:s3:::{name}"));
            let told = grants.iter().any(|g| g.target.arn == arn && g.access.contains(&"delete".to_owned()) && g.prefix != "b/".into());
            prop_assert_eq!(allows(&statements, "s3:DeleteObject", &format!("arn:aws:s3:::{name}/a/x")), told);
        }
    }
}
