//! Comparing policy documents by meaning, since AWS gives them back in other words.
//!
//! Equal are: a scalar and a list of one; lists and statements in any order and with repetitions; actions in any case;
//! `"Principal": "*"` and `{"AWS": "*"}`; an account id and the ARN of its root; condition keys in any case; `true` and
//! `"true"`, `5` and `"5"` in conditions; an absent, empty or keyless `Condition`; an absent and an empty `Sid`.
//!
//! Different are: Sids and ids (they are the stack's text); condition operators in another case (AWS documents keys as
//! case-insensitive, not operators, and a superfluous write is cheaper than a missed one); `Version`s, if a policy
//! variable occurs or may (`${…}` is plain text in 2008-10-17, which is also what an absent `Version` means); a principal's
//! ARN and the unique id AWS shows once the principal is deleted.

use std::collections::{BTreeMap, BTreeSet};

use super::document::{Document, Effect, PrincipalKind, Principals, Statement, Version};
use super::principal;
use crate::value::Value;

/// Whether two documents in AWS's shape mean the same. Either may be a string of JSON, as AWS's APIs give it.
///
/// An unknown equals only the same unknown; a secret equals its text, so that what AWS has is not a difference. Values that
/// are no documents are equal if they are the same.
pub fn equivalent(a: &Value, b: &Value) -> bool {
    match (read(a), read(b)) {
        (Some(a), Some(b)) => same(&a, &b),
        (None, None) => a == b,
        _ => false,
    }
}

/// Whether two documents mean the same.
pub fn same(a: &Document, b: &Document) -> bool {
    let [version_a, version_b] = [a, b].map(|document| document.version.unwrap_or(Version::V2008));
    let same_language = version_a == version_b || !(a.may_have_variables() || b.may_have_variables());
    let [id_a, id_b] = [a, b].map(|document| Set::of(document.id.iter(), str::to_owned));
    let [statements_a, statements_b] =
        [a, b].map(|document| document.statements.iter().map(Canonical::of).collect::<Vec<_>>());
    same_language && id_a == id_b && same_members(&statements_a, &statements_b)
}

/// Whether two statements mean the same in documents of one version.
pub fn same_statement(a: &Statement, b: &Statement) -> bool {
    Canonical::of(a) == Canonical::of(b)
}

/// The document in a value of AWS's shape or a JSON string.
fn read(value: &Value) -> Option<Document> {
    match value {
        Value::String(json) => Document::from_json(json).ok(),
        value => Document::parse(value).ok(),
    }
}

/// A set of values; known ones by their canonical text, others by being the same.
#[derive(PartialEq)]
struct Set<'a> {
    known: BTreeSet<String>,
    unknown: Unordered<'a>,
}

struct Unordered<'a>(Vec<&'a Value>);

impl PartialEq for Unordered<'_> {
    fn eq(&self, other: &Self) -> bool {
        same_members(&self.0, &other.0)
    }
}

fn same_members<T: PartialEq>(a: &[T], b: &[T]) -> bool {
    a.iter().all(|item| b.contains(item)) && b.iter().all(|item| a.contains(item))
}

impl<'a> Set<'a> {
    fn of(values: impl Iterator<Item = &'a Value>, canonical: impl Fn(&str) -> String) -> Self {
        let (mut known, mut unknown) = (BTreeSet::new(), Vec::new());
        for value in values {
            match scalar_text(value) {
                Some(text) => _ = known.insert(canonical(&text)),
                None => unknown.push(value),
            }
        }
        Self { known, unknown: Unordered(unknown) }
    }
}

/// The text AWS makes of a scalar; none of what is not known.
pub(super) fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Integer(value) => Some(value.to_string()),
        // Whole floats print without a fraction: 5.0 and 5 are one number in JSON.
        Value::Float(value) => Some(value.to_string()),
        Value::Secret(secret) => scalar_text(secret.expose()),
        _ => None,
    }
}

/// A statement reduced to its meaning.
#[derive(PartialEq)]
struct Canonical<'a> {
    sid: Option<&'a str>,
    effect: Effect,
    actions: [Set<'a>; 2],
    resources: [Set<'a>; 2],
    principals: [BTreeMap<PrincipalKind, Set<'a>>; 2],
    conditions: BTreeMap<(&'a str, String), Set<'a>>,
}

impl<'a> Canonical<'a> {
    fn of(statement: &'a Statement) -> Self {
        let lower = |values: &'a [Value]| Set::of(values.iter(), str::to_ascii_lowercase);
        let exact = |values: &'a [Value]| Set::of(values.iter(), str::to_owned);
        let conditions = statement.conditions.iter().flat_map(|(operator, keys)| {
            let ignores_case = operator_ignores_case(operator);
            keys.iter().map(move |(key, values)| {
                let canonical = |text: &str| if ignores_case { text.to_lowercase() } else { text.to_owned() };
                ((operator.as_str(), key.to_ascii_lowercase()), Set::of(values.iter(), canonical))
            })
        });
        Self {
            sid: statement.sid.as_deref(),
            effect: statement.effect,
            actions: [lower(&statement.actions), lower(&statement.not_actions)],
            resources: [exact(&statement.resources), exact(&statement.not_resources)],
            principals: [canonical_principals(&statement.principals), canonical_principals(&statement.not_principals)],
            conditions: conditions.collect(),
        }
    }
}

/// Operators that compare their values without regard to case.
pub(super) fn operator_ignores_case(operator: &str) -> bool {
    let bare = operator.rsplit(':').next().unwrap_or_default();
    let bare = bare.strip_suffix("IfExists").unwrap_or(bare);
    matches!(bare, "Bool" | "Null" | "StringEqualsIgnoreCase" | "StringNotEqualsIgnoreCase")
}

fn canonical_principals(principals: &Option<Principals>) -> BTreeMap<PrincipalKind, Set<'_>> {
    match principals {
        None => BTreeMap::new(),
        Some(Principals::Everyone) => {
            let everyone = Set { known: ["*".to_owned()].into(), unknown: Unordered(Vec::new()) };
            [(PrincipalKind::Aws, everyone)].into()
        }
        Some(Principals::Listed(kinds)) => kinds
            .iter()
            .map(|(kind, values)| {
                let canonical = |text: &str| match kind {
                    PrincipalKind::Aws => canonical_account(text),
                    _ => text.to_owned(),
                };
                (*kind, Set::of(values.iter(), canonical))
            })
            .collect(),
    }
}

/// AWS writes an account id as the ARN of the account's root.
pub(super) fn canonical_account(text: &str) -> String {
    principal::root_account(text).unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::document::tests::any_document;
    use super::*;
    use crate::address::Address;
    use crate::value::{Secret, Unknown};
    use proptest::prelude::*;

    fn json(text: &str) -> Value {
        Value::from(text)
    }

    /// A document with one statement, its inside given.
    fn with(inside: &str) -> Value {
        json(&format!(r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow",{inside}}}]}}"#))
    }

    #[test]
    fn other_words_for_the_same_are_equal() {
        for (a, b) in [
            (
                r#""Action":"s3:GetObject","Resource":"*""#,
                r#""Resource":["*"],"Action":["S3:getobject","s3:GetObject"]"#,
            ),
            (r#""Action":["a:B","c:D"]"#, r#""Action":["c:D","a:B"]"#),
            (r#""Action":"*","Principal":"*""#, r#""Action":"*","Principal":{"AWS":["*"]}"#),
            (
                r#""Action":"*","Principal":{"AWS":"123456789012"}"#,
                r#""Action":"*","Principal":{"AWS":"arn:aws:iam::123456789012:root"}"#,
            ),
            (
                r#""Action":"*","Condition":{"Bool":{"aws:SecureTransport":false}}"#,
                r#""Action":"*","Condition":{"Bool":{"AWS:securetransport":["False"]}}"#,
            ),
            (
                r#""Action":"*","Condition":{"NumericLessThan":{"a:b":5}}"#,
                r#""Action":"*","Condition":{"NumericLessThan":{"a:b":["5"]}}"#,
            ),
            (r#""Action":"*","Condition":{"StringLike":{}},"Sid":"""#, r#""Action":"*""#),
        ] {
            assert!(equivalent(&with(a), &with(b)), "{a} {b}");
        }
    }

    #[test]
    fn other_meanings_are_different() {
        for (a, b) in [
            (r#""Action":"*","Resource":"A""#, r#""Action":"*","Resource":"a""#),
            (r#""Action":"*","Sid":"A""#, r#""Action":"*","Sid":"B""#),
            (r#""Action":"*","Sid":"A""#, r#""Action":"*""#),
            (r#""Action":"*""#, r#""NotAction":"*""#),
            (r#""Action":"*","Principal":{"Service":"*"}"#, r#""Action":"*","Principal":"*""#),
            (r#""Action":"*","Principal":"*""#, r#""Action":"*","NotPrincipal":"*""#),
            (
                r#""Action":"*","Condition":{"StringEquals":{"a:b":"X"}}"#,
                r#""Action":"*","Condition":{"StringEquals":{"a:b":"x"}}"#,
            ),
            (
                r#""Action":"*","Condition":{"StringEquals":{"a:b":"x"}}"#,
                r#""Action":"*","Condition":{"stringequals":{"a:b":"x"}}"#,
            ),
            (r#""Action":"*","Condition":{"StringEquals":{"a:b":[]}}"#, r#""Action":"*""#),
            (r#""Action":["a:B","c:D"]"#, r#""Action":["a:B"]"#),
        ] {
            assert!(!equivalent(&with(a), &with(b)), "{a} {b}");
        }
    }

    #[test]
    fn versions_differ_only_where_variables_may_occur() {
        let document = |version: &str, resource: &str| {
            json(&format!(r#"{{{version}"Statement":{{"Effect":"Allow","Action":"*","Resource":"{resource}"}}}}"#))
        };
        let (old, new) = (r#""Version":"2008-10-17","#, r#""Version":"2012-10-17","#);
        assert!(equivalent(&document("", "${aws:username}"), &document(old, "${aws:username}")));
        assert!(equivalent(&document("", "x"), &document(new, "x")));
        assert!(!equivalent(&document("", "${aws:username}"), &document(new, "${aws:username}")));
    }

    #[test]
    fn an_unknown_equals_itself_and_a_secret_its_text() {
        let unknown = |name: &str| {
            Value::from(Unknown::Attribute {
                address: Address::root("kms.key", name),
                name: "arn".into(),
                sensitive: false,
            })
        };
        let of = |resource: Value| {
            Document::new(vec![Statement {
                actions: vec!["*".into()],
                resources: vec![resource],
                ..Statement::default()
            }])
            .to_value()
        };
        assert!(equivalent(&of(unknown("a")), &of(unknown("a"))));
        assert!(!equivalent(&of(unknown("a")), &of(unknown("b"))));
        assert!(!equivalent(&of(unknown("a")), &of("*".into())));
        assert!(equivalent(&of(Value::Secret(Secret::new("x".into()))), &of("x".into())));
    }

    #[test]
    fn what_is_no_document_equals_itself() {
        assert!(equivalent(&json("x"), &json("x")));
        assert!(equivalent(&Value::Null, &Value::Null));
        assert!(!equivalent(&Value::Null, &with(r#""Action":"*""#)));
    }

    /// The same document in other words: everything that is a list turned round, repeated and its scalars wrapped.
    fn reworded(value: Value) -> Value {
        let document = Document::parse(&value).unwrap();
        let turn = |values: &[Value]| -> Vec<Value> { values.iter().rev().chain(values).cloned().collect() };
        let principals = |principals: Option<Principals>| match principals {
            Some(Principals::Everyone) => Some(Principals::Listed([(PrincipalKind::Aws, vec!["*".into()])].into())),
            Some(Principals::Listed(kinds)) => {
                Some(Principals::Listed(kinds.into_iter().map(|(kind, values)| (kind, turn(&values))).collect()))
            }
            None => None,
        };
        let statements = document.statements.into_iter().rev().map(|statement| Statement {
            principals: principals(statement.principals),
            not_principals: principals(statement.not_principals),
            actions: turn(&statement.actions),
            not_actions: turn(&statement.not_actions),
            resources: turn(&statement.resources),
            not_resources: turn(&statement.not_resources),
            conditions: statement
                .conditions
                .into_iter()
                .map(|(operator, keys)| {
                    (operator, keys.into_iter().map(|(key, values)| (key.to_uppercase(), turn(&values))).collect())
                })
                .collect(),
            ..statement
        });
        Document { statements: statements.collect(), ..document }.to_value()
    }

    proptest! {
        #[test]
        fn rewording_keeps_the_meaning(document in any_document()) {
            let value = document.to_value();
            prop_assert!(equivalent(&value, &value));
            prop_assert!(equivalent(&value, &reworded(value.clone())));
        }

        #[test]
        fn order_of_the_sides_does_not_matter(a in any_document(), b in any_document()) {
            let (a, b) = (a.to_value(), b.to_value());
            prop_assert_eq!(equivalent(&a, &b), equivalent(&b, &a));
        }

        #[test]
        fn a_statement_less_is_a_difference(document in any_document()) {
            let mut less = document.clone();
            // A repetition of another statement means nothing; any other statement does.
            if let Some(last) = less.statements.pop()
                && !less.statements.iter().any(|statement| same_statement(statement, &last))
            {
                prop_assert!(!same(&document, &less));
            }
        }
    }
}
