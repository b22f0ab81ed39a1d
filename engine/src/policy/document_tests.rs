use super::*;
use crate::address::Address;
use crate::value::{Secret, Unknown};
use proptest::prelude::*;

/// Any document that is one, for the properties of this and of other modules.
pub(crate) fn any_document() -> impl Strategy<Value = Document> {
    let version = prop::sample::select(vec![None, Some(Version::V2008), Some(Version::V2012)]);
    let id = prop::option::of("[a-z]{1,4}".prop_map(Value::from));
    (version, id, prop::collection::vec(any_statement(), 0..4)).prop_map(|(version, id, mut statements)| {
        let mut seen = BTreeSet::new();
        statements.retain(|statement| statement.sid.as_ref().is_none_or(|sid| seen.insert(sid.clone())));
        Document { version, id, statements }
    })
}

fn any_text(choices: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let unknown = |name: &str| {
        Value::from(Unknown::Attribute {
            address: Address::root("kms.key", name),
            name: "arn".into(),
            sensitive: false,
        })
    };
    prop_oneof![
        8 => prop::sample::select(choices).prop_map(Value::from),
        1 => prop::sample::select(vec!["a", "b"]).prop_map(unknown),
        1 => prop::sample::select(choices).prop_map(|text| Value::Secret(Secret::new(text.into()))),
    ]
}

fn any_statement() -> impl Strategy<Value = Statement> {
    let texts = |choices| prop::collection::vec(any_text(choices), 1..4);
    let actions = texts(&["s3:GetObject", "s3:PutObject", "sqs:SendMessage", "*"]);
    let resources = texts(&["*", "arn:aws:s3:::a", "arn:aws:s3:::a/${aws:username}/*", "arn:aws:sqs:us-east-1:1:q"]);
    let principals = prop_oneof![
        Just(Principals::Everyone),
        prop::collection::btree_map(
            prop::sample::select(PrincipalKind::ALL.to_vec()),
            texts(&["*", "123456789012", "arn:aws:iam::123456789012:root", "ec2.amazonaws.com"]),
            1..3
        )
        .prop_map(Principals::Listed),
    ];
    let value = prop_oneof![
        any_text(&["true", "5", "a*"]),
        any::<bool>().prop_map(Value::from),
        (0..9i64).prop_map(Value::from)
    ];
    let keys = prop::collection::btree_map(
        prop::sample::select(vec!["aws:SourceArn", "aws:PrincipalTag/Team", "s3:prefix"]).prop_map(String::from),
        prop::collection::vec(value, 0..3),
        0..3,
    );
    let operator = prop::sample::select(vec!["StringEquals", "Bool", "ForAnyValue:StringLike"]).prop_map(String::from);
    (
        prop::option::of("[A-C]".prop_map(String::from)),
        prop::sample::select(vec![Effect::Allow, Effect::Deny]),
        (prop::option::of(principals), any::<bool>()),
        (actions, any::<bool>()),
        (prop::option::of(resources), any::<bool>()),
        prop::collection::btree_map(operator, keys, 0..3),
    )
        .prop_map(
            |(
                sid,
                effect,
                (principals, not_principals),
                (actions, not_actions),
                (resources, not_resources),
                conditions,
            )| {
                fn split<T: Default>(value: T, negated: bool) -> (T, T) {
                    if negated { (T::default(), value) } else { (value, T::default()) }
                }
                let (principals, not_principals) = split(principals, not_principals);
                let (actions, not_actions) = split(actions, not_actions);
                let (resources, not_resources) = split(resources.unwrap_or_default(), not_resources);
                Statement {
                    sid,
                    effect,
                    principals,
                    not_principals,
                    actions,
                    not_actions,
                    resources,
                    not_resources,
                    conditions,
                }
            },
        )
}

/// The messages with their paths, one per line.
fn problems(json: &str) -> Vec<String> {
    Document::from_json(json)
        .unwrap_err()
        .iter()
        .map(|problem| format!("{}: {}", problem.path, problem.message))
        .collect()
}

#[test]
fn a_real_document_is_read() {
    let document = Document::from_json(
        r#"{"Version":"2012-10-17","Id":"p","Statement":{"Sid":"","Effect":"Deny","Principal":{"AWS":"123456789012","Service":["a.amazonaws.com"]},
            "NotAction":"iam:*","Resource":["*"],"Condition":{"Bool":{"aws:MultiFactorAuthPresent":false},"NumericLessThan":{"aws:MultiFactorAuthAge":[3600]}}}}"#,
    )
    .unwrap();
    let statement = &document.statements[0];
    assert_eq!((statement.sid.as_deref(), statement.effect), (None, Effect::Deny));
    assert_eq!(statement.not_actions, [Value::from("iam:*")]);
    assert_eq!(statement.conditions["NumericLessThan"]["aws:MultiFactorAuthAge"], [Value::Integer(3600)]);
    let Some(Principals::Listed(kinds)) = &statement.principals else { panic!("everyone") };
    assert_eq!(kinds[&PrincipalKind::Service], [Value::from("a.amazonaws.com")]);
}

#[test]
fn everything_that_is_wrong_is_told_with_its_place() {
    let found = problems(
        r#"{"Version":"2012-10-18","Statements":[],"Statement":[
            {"Effect":"allow","actions":"s3:*","Action":[1],"Resource":[]},
            {"Sid":"A","Effect":"Allow","NotAction":"*","Action":"*","Resource":"*","Principal":{"Aws":"*"}},
            {"Sid":"A","Effect":"Allow","Resource":"*","Condition":{"Bool":{"aws:x":{},"AWS:X":1}}}, "x"]}"#,
    );
    assert_eq!(
        found,
        [
            "Statements: a policy document has no `Statements`",
            "Version: `Version` is \"2012-10-17\" or \"2008-10-17\", a date of the language and not of the text",
            "Statement[0].actions: a statement has no `actions`",
            "Statement[0].Effect: `Effect` is \"Allow\" or \"Deny\", found \"allow\"",
            "Statement[0].Action[0]: an action is a string, found a number",
            "Statement[0].Resource: expected a resource at least, found an empty list",
            "Statement[1].Principal.Aws: a principal has no `Aws`",
            "Statement[1].Principal: this names no principal",
            "Statement[1]: a statement has `Action` or `NotAction`, not both",
            "Statement[2].Condition.Bool.aws:x: `AWS:X` and `aws:x` are one condition key to AWS",
            "Statement[2].Condition.Bool.aws:x: a condition's value is a string, bool or number, found a map",
            "Statement[2]: a statement has `Action` or `NotAction`, and this has neither",
            "Statement[3]: a statement is a map, found a string",
            "Statement[2].Sid: two statements have the Sid `A`",
        ]
    );
}

#[test]
fn near_keys_are_offered() {
    let found = Document::from_json(r#"{"Statement":{"Effect":"Allow","Actions":"*"}}"#).unwrap_err();
    assert_eq!(found[0].help.as_deref(), Some("did you mean `Action`?"));
}

#[test]
fn what_is_no_document_at_all_is_an_error() {
    assert_eq!(problems("[]"), [": a policy document is a map, found a list"]);
    assert_eq!(problems("{}"), [": a policy document has `Statement`, and this has none"]);
    assert!(problems("{")[0].starts_with(": this is no JSON: EOF"), "{:?}", problems("{"));
    assert!(problems(r#"{"Statement":[],"Statement":[]}"#)[0].contains("`Statement` occurs twice"));
}

#[test]
fn a_document_that_fits_nowhere_is_not_read() {
    let json = format!(r#"{{"Statement":[{}1]}}"#, "1,".repeat(2_000));
    assert_eq!(problems(&json), ["Statement: 2001 are more than fit into any policy of AWS"]);
}

#[test]
fn json_is_compact_in_the_usual_order_and_without_brackets_round_one() {
    let statement = Statement {
        sid: Some("Read".into()),
        actions: vec!["s3:GetObject".into()],
        resources: vec!["a".into(), "b".into()],
        ..Statement::default()
    };
    let json = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Read","Effect":"Allow","Action":"s3:GetObject","Resource":["a","b"]}]}"#;
    let document = Document::new(vec![statement]);
    assert_eq!(document.to_json().unwrap(), json);
    assert_eq!(document.size(), json.len());
}

#[test]
fn a_secret_is_written_only_when_asked_for_and_is_counted() {
    let mut document =
        Document::new(vec![Statement { actions: vec!["sts:AssumeRole".into()], ..Statement::default() }]);
    let bare = document.size();
    let external = [("sts:ExternalId".to_owned(), vec![Value::Secret(Secret::new("canary".into()))])];
    document.statements[0].conditions.insert("StringEquals".into(), external.into());
    assert!(document.to_json().is_err());
    assert!(document.to_json_exposed().unwrap().contains("canary"));
    assert!(document.size() > bare + "canary".len());
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(document in any_document()) {
        prop_assert_eq!(Document::parse(&document.to_value()).unwrap(), document);
    }

    #[test]
    fn json_is_read_back(document in any_document()) {
        if let Ok(json) = document.to_json() {
            prop_assert_eq!(json.chars().count(), document.size());
            prop_assert_eq!(Document::from_json(&json).unwrap(), document);
        }
    }

    #[test]
    fn no_json_makes_it_panic(json in "[\\[{\"a:,}\\]S1]{0,30}") {
        let _ = Document::from_json(&json);
    }
}
