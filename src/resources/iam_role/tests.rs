use s3stack_engine::address::{Address, Path};
use s3stack_engine::resource::ResourceType as _;
use s3stack_engine::value::{Map, Value};

use super::{Role, TYPE};
use crate::resources::testing::{graph, json, managed, problems};

const TRUST: &str = "trust = ['ec2.amazonaws.com']\n";

fn role(text: &str) -> Map {
    managed("iam.role", &format!("[iam.role.it]\n{TRUST}{text}"))
}

#[test]
fn a_role_that_says_nothing_more_holds_no_policy_and_says_so() {
    let managed = role("");
    assert_eq!(managed["name"], "t-it".into());
    assert_eq!(managed["path"], "/".into());
    assert_eq!(managed["policies"], Value::List(vec![]));
    assert_eq!(managed["inline_policies"], Value::Map(Map::new()));
    assert_eq!(managed["tags"], Value::Map(Map::new()));
    assert!(!managed.contains_key("boundary") && !managed.contains_key("description"));
}

#[test]
fn statements_and_grants_become_one_inline_policy() {
    let text = r#"
        [iam.role.other]
        trust = ["ec2.amazonaws.com"]

        [iam.role.it]
        trust = ["lambda.amazonaws.com", "iam.role.other", "iam.user.app"]
        grants = [
          { to = "iam.role.other", access = "assume" },
          { to = "arn:aws:s3:::logs", access = "write", prefix = "app/" },
        ]
        [iam.role.it.statements.List]
        actions = "s3:ListAllMyBuckets"
        resources = "*"
    "#;
    let managed = managed("iam.role", &text.replace(", \"iam.user.app\"", ""));
    let names: Vec<_> = managed["inline_policies"].as_map().unwrap().keys().cloned().collect();
    assert_eq!(names, ["s3stack"]);
    assert_eq!(
        json(managed["inline_policies"].get("s3stack")),
        concat!(
            r#"{"Statement":[{"Action":"s3:ListAllMyBuckets","Effect":"Allow","Resource":"*","Sid":"List"},"#,
            r#"{"Action":["s3:AbortMultipartUpload","s3:ListMultipartUploadParts","s3:PutObject"],"Effect":"Allow","#,
            r#""Resource":"arn:aws:s3:::logs/app/*","Sid":"LogsAppObjects"},"#,
            r#"{"Action":"sts:AssumeRole","Effect":"Allow","Resource":"arn:aws:iam::123456789012:role/t-other","Sid":"OtherRole"}],"#,
            r#""Version":"2012-10-17"}"#
        )
    );
    let trust = json(&managed["trust_policy"]);
    assert!(trust.contains(r#""AWS":"arn:aws:iam::123456789012:role/t-other""#), "{trust}");
}

#[test]
fn a_trusted_role_delays_and_binds_and_a_granted_one_does_neither() {
    let text = r#"
        [iam.role.trusted]
        trust = ["ec2.amazonaws.com"]
        [iam.role.granted]
        trust = ["ec2.amazonaws.com"]
        [iam.policy.attached]
        statements.A = { actions = "s3:*", resources = "*" }
        [iam.role.it]
        trust = [{ principal = ["iam.role.trusted"], external_id = "x" }]
        grants = [{ to = "iam.role.granted", access = "assume" }]
        policies = ["iam.policy.attached"]
        statements.A = { actions = "sts:AssumeRole", resources = "${iam.role.granted.arn}" }
    "#;
    let (graph, diagnostics) = graph(text, "");
    assert!(!diagnostics.has_errors(), "{diagnostics:#?}");
    let node = &graph.nodes[&Address::root("iam.role", "it")];
    let expected = [Address::root("iam.policy", "attached"), Address::root("iam.role", "trusted")];
    assert_eq!(node.waits_for.keys().cloned().collect::<Vec<_>>(), expected);
    assert_eq!(node.names.keys().cloned().collect::<Vec<_>>(), [Address::root("iam.role", "granted")]);
    assert_eq!(node.binds.iter().cloned().collect::<Vec<_>>(), expected);
}

#[test]
fn two_roles_may_trust_and_be_granted_to_each_other_by_arn() {
    let text = r#"
        [iam.role.it]
        trust = ["iam.role.other"]
        [iam.role.other]
        trust = ["ec2.amazonaws.com"]
        grants = [{ to = "iam.role.it", access = "assume" }]
    "#;
    assert_eq!(problems(text, ""), [""; 0]);
}

#[test]
fn a_trust_policy_may_be_a_file() {
    let file = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
    let text = "[iam.role.it]\ntrust = { file = 'x.json' }";
    let (graph, diagnostics) = graph(text, file);
    assert!(!diagnostics.has_errors(), "{diagnostics:#?}");
    let managed = &graph.nodes[&Address::root("iam.role", "it")].managed;
    assert!(TYPE.equal(&Path::of("trust_policy"), &managed["trust_policy"], &Value::from(file)));
    let wrong = problems(text, &file.replace("sts:AssumeRole", "s3:GetObject"));
    assert_eq!(wrong, ["error S3S-I6 trust.file: `s3:GetObject` has no place in a trust policy"]);
    assert_eq!(problems("[iam.role.it]\ntrust = { file = 'y.json' }", file), ["error S3S-I21 trust.file: there is no y.json"]);
}

#[test]
fn what_aws_would_refuse_is_told_at_its_place_and_once() {
    let one = |text: &str| problems(&format!("[iam.role.it]\n{text}"), "");
    assert_eq!(one("trust = ['me']"), ["error S3S-I2 trust[0]: `me` names no principal"]);
    assert_eq!(
        one("trust = ['*']"),
        ["error S3S-I2 trust[0]: `*` would let everybody with an AWS account assume the role"]
    );
    let in_role = |text: &str| one(&format!("{TRUST}{text}"));
    assert_eq!(
        in_role("statements.a-b = { actions = 's3:List*', resources = '*' }"),
        ["error S3S-I22 statements.a-b: IAM takes letters and digits in a Sid, and not `a-b`"]
    );
    assert_eq!(
        in_role("statements.A = { actions = 's3:GetObject', resources = 'logs' }"),
        ["error S3S-I21 statements.A.resources: `logs` is not an ARN"]
    );
    let policies: Vec<String> =
        (0..11).map(|number| format!("'arn:aws:iam::123456789012:policy/p{number}'")).collect();
    assert_eq!(
        in_role(&format!("policies = [{}]", policies.join(", "))),
        ["error S3S-N6 policies: 11 policies are attached, and AWS attaches 10 at most"]
    );
    let long: Vec<String> = (0..300).map(|number| format!("'arn:aws:s3:::a-bucket-with-a-long-name-{number}'")).collect();
    assert_eq!(
        in_role(&format!("statements.A = {{ actions = 's3:ListBucket', resources = [{}] }}", long.join(", "))),
        ["error S3S-N7 statements: all inline policies of a role has at most 10240 characters, and this has 13495"]
    );
    assert_eq!(
        in_role("grants = [{ to = 'arn:aws:sqs:eu-west-1:123456789012:q', access = 'write' }]"),
        ["error S3S-I23 grants[0].to: `arn:aws:sqs:eu-west-1:123456789012:q` is the ARN of neither one bucket nor one role"]
    );
    for many in ["arn:aws:s3:::*", "arn:aws:iam::123456789012:role/*"] {
        assert_eq!(
            in_role(&format!("grants = [{{ to = '{many}', access = 'sts:AssumeRole' }}]")),
            [format!("error S3S-I23 grants[0].to: `{many}` is the ARN of neither one bucket nor one role")]
        );
    }
    assert!(in_role("max_session_duration = 60")[0].contains("3600"));
    assert!(in_role("path = 'x'")[0].starts_with("error S3S-W8 path"), "{:?}", in_role("path = 'x'"));
}

#[test]
fn a_broad_allowance_is_a_warning() {
    let found = problems(&format!("[iam.role.it]\n{TRUST}statements.A = {{ actions = '*', resources = '*' }}"), "");
    assert_eq!(found, ["warning S3S-I15 statements.A.actions: this allows every action of AWS"]);
}

#[test]
fn documents_are_compared_by_meaning_at_every_depth() {
    let managed = role("statements.A = { actions = ['s3:GetObject'], resources = '*' }");
    let held = Value::map([("s3stack", json(managed["inline_policies"].get("s3stack")).replace("s3:G", "S3:g").into())]);
    assert!(Role.equal(&Path::of("inline_policies"), &managed["inline_policies"], &held));
    let inside = Path::of("inline_policies").key("s3stack");
    assert!(Role.equal(&inside, managed["inline_policies"].get("s3stack"), held.get("s3stack")));
    assert!(!Role.equal(&inside, managed["inline_policies"].get("s3stack"), &Value::Null));
    // AWS shows the unique id of a principal that is gone.
    let trusted = |who: &str| {
        let principal = Value::map([("AWS", Value::from(who))]);
        let statement =
            Value::map([("Effect", "Allow".into()), ("Principal", principal), ("Action", "sts:AssumeRole".into())]);
        Value::map([("Version", "2012-10-17".into()), ("Statement", statement)])
    };
    let equal = |a: &str, b: &str| Role.equal(&Path::of("trust_policy"), &trusted(a), &trusted(b));
    assert!(equal("123456789012", "arn:aws:iam::123456789012:root"));
    assert!(!equal("arn:aws:iam::123456789012:role/r", "AROAEXAMPLEEXAMPLE123"));
}
