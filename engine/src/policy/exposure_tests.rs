use super::super::trust;
use super::*;
use crate::diagnostic::Severity;
use crate::value::Value;

fn found(kind: Kind, statement: &str) -> Vec<(&'static str, Severity)> {
    let document = Document::from_json(&format!(r#"{{"Version":"2012-10-17","Statement":{{{statement}}}}}"#)).unwrap();
    find(&document, kind).into_iter().map(|problem| (problem.code, problem.severity)).collect()
}

fn public(inside: &str) -> bool {
    let json = format!(
        r#"{{"Statement":{{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*",{inside}}}}}"#
    );
    is_public(&Document::from_json(&json).unwrap().statements[0])
}

#[test]
fn public_is_what_aws_says_it_is() {
    for inside in [
        r#""Principal":"*""#,
        r#""Principal":{"AWS":["123456789012","*"]}"#,
        r#""NotPrincipal":{"AWS":"123456789012"}"#,
        r#""Principal":"*","Condition":{"StringLike":{"aws:SourceVpc":"vpc-*"}}"#,
        r#""Principal":"*","Condition":{"StringEquals":{"aws:SourceVpc":"${aws:x}"}}"#,
        r#""Principal":"*","Condition":{"StringNotEquals":{"aws:SourceVpc":"vpc-1"}}"#,
        r#""Principal":"*","Condition":{"StringEqualsIfExists":{"aws:SourceVpc":"vpc-1"}}"#,
        r#""Principal":"*","Condition":{"ForAllValues:StringEquals":{"aws:SourceVpc":"vpc-1"}}"#,
        r#""Principal":"*","Condition":{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}"#,
        r#""Principal":"*","Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","::/0"]}}"#,
        r#""Principal":"*","Condition":{"StringLike":{"aws:Referer":"https://x/"}}"#,
        r#""Principal":"*","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:s3:::*"}}"#,
        r#""Principal":"*","Condition":{"StringEquals":{"aws:SourceVpc":[]}}"#,
    ] {
        assert!(public(inside), "{inside}");
    }
    for inside in [
        r#""Principal":{"AWS":"123456789012"}"#,
        r#""Principal":{"Service":"s3.amazonaws.com"}"#,
        r#""Principal":"*","Condition":{"StringEquals":{"AWS:sourcevpc":["vpc-1","vpc-2"]}}"#,
        r#""Principal":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}"#,
        r#""Principal":"*","Condition":{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}"#,
        r#""Principal":"*","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:sns:*:123456789012:*"}}"#,
        r#""Principal":"*","Condition":{"StringLike":{"aws:userid":"AROAJQABLZS4A3QDU576Q:*"}}"#,
    ] {
        assert!(!public(inside), "{inside}");
    }
}

#[test]
fn too_much_is_told() {
    let of = |inside: &str| found(Kind::Identity, &format!(r#""Effect":"Allow",{inside}"#)).len();
    assert_eq!(of(r#""Action":"*","Resource":"*""#), 1);
    assert_eq!(of(r#""Action":"s3:*","Resource":"*""#), 1);
    assert_eq!(of(r#""Action":"s3:*","Resource":"arn:aws:s3:::b""#), 0);
    assert_eq!(of(r#""NotAction":"iam:*","Resource":"*""#), 1);
    assert_eq!(of(r#""Action":"iam:PassRole","Resource":"*""#), 1);
    assert_eq!(of(r#""Action":"iam:Pass*","Resource":"arn:aws:iam::123456789012:role/*""#), 1);
    assert_eq!(
        of(
            r#""Action":"iam:PassRole","Resource":"*","Condition":{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}"#
        ),
        0
    );
    assert_eq!(of(r#""Action":"iam:PassRole","Resource":"arn:aws:iam::123456789012:role/x""#), 0);
    assert!(found(Kind::Identity, r#""Effect":"Deny","Action":"*","Resource":"*""#).is_empty());
}

#[test]
fn trust_in_everybody_or_in_a_whole_provider_is_told() {
    let open = r#""Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"*"}"#;
    assert_eq!(found(Kind::Trust, open), [("S3S-I2", Severity::Error)]);
    let bound = r#""Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"*"},"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}"#;
    assert!(found(Kind::Trust, bound).is_empty());

    let of = |host: &str, claims: &[(&str, &str)]| {
        let provider = format!("arn:aws:iam::123456789012:oidc-provider/{host}");
        let claims = claims.iter().map(|(key, value)| (*key, Value::from(*value)));
        let entry = Value::map([("provider", Value::from(provider))].into_iter().chain(claims));
        find(&trust::document(&entry, None).unwrap(), Kind::Trust)
            .into_iter()
            .map(|problem| problem.severity)
            .collect::<Vec<_>>()
    };
    let github = "token.actions.githubusercontent.com";
    assert_eq!(of(github, &[("audience", "sts.amazonaws.com")]), [Severity::Error]);
    assert!(of(github, &[("subjects", "repo:acme/app:*")]).is_empty());
    assert_eq!(of("id.example.com/a", &[("audience", "x")]), [Severity::Warning]);
    assert!(of("id.example.com/a", &[("subjects", "x")]).is_empty());
}

#[test]
fn locking_out_the_owner_is_told() {
    let of = |inside: &str| found(Kind::Bucket, &format!(r#""Effect":"Deny","Principal":"*",{inside}"#)).len();
    assert_eq!(of(r#""Action":"s3:*","Resource":["arn:aws:s3:::b","arn:aws:s3:::b/*"]"#), 1);
    assert_eq!(of(r#""NotAction":"s3:GetObject","Resource":"arn:aws:s3:::b""#), 1);
    assert_eq!(of(r#""Action":"s3:*","Resource":"arn:aws:s3:::b/*""#), 0);
    assert_eq!(of(r#""Action":"s3:DeleteObject*","Resource":"*""#), 0);
    assert_eq!(of(r#""Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}"#), 0);
}
