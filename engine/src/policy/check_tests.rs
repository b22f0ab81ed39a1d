use super::super::s3 as bucket;
use super::super::trust;
use super::*;
use crate::address::Address;
use crate::value::{Secret, Unknown};

fn problems(kind: Kind, statements: &str) -> Vec<String> {
    let json = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    let found = check(&Document::from_json(&json).unwrap(), kind, Limit::MANAGED);
    found.iter().map(|problem| format!("{} {}: {}", problem.code, problem.path, problem.message)).collect()
}

#[test]
fn good_documents_have_no_problems() {
    let identity = r#"{"Sid":"Read1","Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::b","arn:aws:s3:::b/${aws:username}/*"]},
        {"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"},
        {"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:us-east-1:123456789012:accesspoint/a/object/*"}"#;
    assert!(problems(Kind::Identity, identity).is_empty());
    let made = Document::new(vec![bucket::tls_only(&"arn:aws:s3:::b".into())]);
    assert!(check(&made, Kind::Bucket, Limit::BUCKET).is_empty());
    let made = trust::document(&Value::strings(["ec2.amazonaws.com", "123456789012"]), None).unwrap();
    assert!(check(&made, Kind::Trust, Limit::TRUST).is_empty());
}

#[test]
fn each_kind_wants_its_elements() {
    let bare = r#"{"Effect":"Allow","Action":"sts:AssumeRole"}"#;
    assert_eq!(
        problems(Kind::Identity, bare),
        ["S3S-I21 Statement[0]: this statement does not say which resources it is about"]
    );
    assert_eq!(problems(Kind::Trust, bare), ["S3S-I21 Statement[0]: this statement does not say to whom it applies"]);
    let full = r#"{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*","Principal":{"AWS":"123456789012"}}"#;
    assert_eq!(problems(Kind::Trust, full), ["S3S-I21 Statement[0].Resource: a trust policy has no resources"]);
    assert_eq!(
        problems(Kind::Identity, full),
        ["S3S-I21 Statement[0].Principal: a policy of a user, role or group has no principals"]
    );
    assert_eq!(problems(Kind::Trust, "")[0], "S3S-I21 : this document has no statement, and AWS takes none");
}

#[test]
fn sids_are_plain_for_iam_only() {
    let statement = r#"{"Sid":"read-it","Effect":"Deny","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*""#;
    assert_eq!(
        problems(Kind::Identity, &format!("{statement}}}")),
        ["S3S-I22 Statement[0].Sid: IAM takes letters and digits in a Sid, and not `read-it`"]
    );
    assert!(problems(Kind::Bucket, &format!("{statement},\"Principal\":\"*\"}}")).is_empty());
}

#[test]
fn principals_are_those_of_their_kind() {
    let of = |principal: &str| {
        problems(Kind::Resource, &format!(r#"{{"Effect":"Deny","Action":"s3:*","Principal":{principal}}}"#))
    };
    assert!(of(r#"{"AWS":["123456789012","*"],"Service":"s3.amazonaws.com","CanonicalUser":"79a5"}"#).is_empty());
    assert_eq!(
        of(r#"{"Service":"123456789012"}"#),
        ["S3S-I2 Statement[0].Principal.Service: `123456789012` stands under `Service`"]
    );
    assert_eq!(
        of(r#"{"AWS":["*","deployer"]}"#),
        ["S3S-I2 Statement[0].Principal.AWS[1]: `deployer` names no principal"]
    );
    assert!(of(r#"{"AWS":"AROAJQABLZS4A3QDU576Q"}"#)[0].contains("unique id"));
    let not = r#"{"Effect":"Allow","Action":"sqs:*","NotPrincipal":{"AWS":"123456789012"}}"#;
    assert!(problems(Kind::Resource, not)[0].contains("allows everybody else"));
}

#[test]
fn actions_and_resources_are_such() {
    let of = |action: &str, resource: &str| {
        problems(Kind::Identity, &format!(r#"{{"Effect":"Allow","Action":"{action}","Resource":"{resource}"}}"#))
    };
    assert_eq!(of("s3.GetObject", "*"), ["S3S-I6 Statement[0].Action: `s3.GetObject` is not an action"]);
    assert_eq!(of("s3:GetObject", "my-bucket"), ["S3S-I21 Statement[0].Resource: `my-bucket` is not an ARN"]);
    let trust = r#"{"Effect":"Allow","Action":"s3:GetObject","Principal":{"AWS":"123456789012"}}"#;
    assert_eq!(
        problems(Kind::Trust, trust),
        ["S3S-I6 Statement[0].Action: `s3:GetObject` has no place in a trust policy"]
    );
    let bucket = r#"{"Effect":"Deny","Action":"sqs:SendMessage","Principal":"*","Resource":"arn:aws:s3:::b"}"#;
    assert_eq!(
        problems(Kind::Bucket, bucket),
        ["S3S-I6 Statement[0].Action: `sqs:SendMessage` has no place in a bucket policy"]
    );
}

#[test]
fn actions_and_resources_fit_each_other() {
    let of = |kind, action: &str, resource: &str| {
        problems(kind, &format!(r#"{{"Effect":"Deny","Principal":"*","Action":{action},"Resource":{resource}}}"#))
            .into_iter()
            .filter(|problem| problem.starts_with("S3S-I5"))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of(Kind::Bucket, r#"["s3:ListBucket","s3:GetObject"]"#, r#""arn:aws:s3:::b""#),
        [
            "S3S-I5 Statement[0].Action[1]: `s3:GetObject` works on objects, and the resources of this statement are buckets"
        ]
    );
    assert_eq!(
        of(Kind::Bucket, r#""s3:ListBucket""#, r#"["arn:aws:s3:::b/*","arn:aws:s3:::c/*"]"#),
        [
            "S3S-I5 Statement[0].Action: `s3:ListBucket` works on a bucket, and the resources of this statement are objects"
        ]
    );
    for (action, resource) in [
        (r#""s3:GetObject""#, r#""*""#),
        (r#""s3:GetObject""#, r#""arn:aws:s3:::b*""#),
        (r#""s3:*""#, r#""arn:aws:s3:::b""#),
        (r#""s3:ListBucket""#, r#""arn:aws:s3:::${aws:PrincipalTag/bucket}""#),
        (r#""s3:GetObject""#, r#"["arn:aws:s3:::b","arn:aws:s3:::b/*"]"#),
        (r#""s3:GetObject""#, r#""arn:aws:s3:us-east-1:123456789012:accesspoint/a""#),
    ] {
        assert!(of(Kind::Bucket, action, resource).is_empty(), "{action} {resource}");
    }
    let severity = |kind| {
        let json =
            r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b"}}"#;
        let found = check(&Document::from_json(json).unwrap(), kind, Limit::BUCKET);
        found.into_iter().find(|problem| problem.code == code::MISMATCH).unwrap().severity
    };
    assert!(severity(Kind::Bucket) < severity(Kind::Identity), "an error sorts before a warning");
}

#[test]
fn sizes_are_those_that_aws_counts() {
    let statement = |length: usize| Statement {
        actions: vec!["s3:GetObject".into()],
        resources: vec![format!("arn:aws:s3:::{}", "x".repeat(length)).into()],
        ..Statement::default()
    };
    let of = |length| Document::new(vec![statement(length)]);
    let bare = of(0).size();
    assert_eq!(fits(&[&of(6_144 - bare)], Limit::MANAGED), None);
    let found = fits(&[&of(6_145 - bare)], Limit::MANAGED).unwrap();
    assert_eq!(
        (found.code, found.message.as_str()),
        ("S3S-N7", "a managed policy has at most 6144 characters, and this has 6145")
    );
    assert_eq!(fits(&[&of(5_000), &of(5_000)], Limit::ROLE), None);
    assert!(fits(&[&of(5_000), &of(5_200)], Limit::ROLE).is_some());
    assert_eq!(fits(&[&of(3_000)], Limit::TRUST).unwrap().code, "S3S-N8");
}

#[test]
fn iam_takes_latin_only() {
    let of = |resource: &str| {
        problems(
            Kind::Identity,
            &format!(r#"{{"Effect":"Deny","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/{resource}/*"}}"#),
        )
    };
    assert!(of("müller").is_empty());
    assert_eq!(of("日"), ["S3S-I21 Statement[0].Resource: IAM takes no `\\u{65e5}` in a policy"]);
}

#[test]
fn variables_in_the_old_language_are_text() {
    let json =
        r#"{"Statement":{"Effect":"Deny","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${aws:username}/*"}}"#;
    let found = check(&Document::from_json(json).unwrap(), Kind::Identity, Limit::MANAGED);
    assert_eq!(found.iter().map(|problem| problem.code).collect::<Vec<_>>(), ["S3S-I24"]);
}

#[test]
fn what_is_not_known_is_taken_to_be_right_and_secrets_are_not_told() {
    let unknown = Value::from(Unknown::Attribute {
        address: Address::root("kms.key", "k"),
        name: "arn".into(),
        sensitive: false,
    });
    let statement =
        Statement { actions: vec!["s3:GetObject".into()], resources: vec![unknown], ..Statement::default() };
    assert!(check(&Document::new(vec![statement.clone()]), Kind::Identity, Limit::MANAGED).is_empty());
    let secret = Statement { resources: vec![Value::Secret(Secret::new("canary".into()))], ..statement };
    assert!(check(&Document::new(vec![secret]), Kind::Identity, Limit::MANAGED).is_empty());
}
