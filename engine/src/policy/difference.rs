//! What differs between two policy documents, in the terms a plan shows.

use std::collections::BTreeMap;

use super::document::{Document, PrincipalKind, Principals, Statement, Version};
use super::equal::{canonical_account, operator_ignores_case, same_statement, scalar_text};
use crate::value::Value;

/// What turns one document into another.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Difference {
    /// The version before and after, where it changes a meaning.
    pub version: Option<(Version, Version)>,
    /// Statements that come.
    pub added: Vec<Statement>,
    /// Statements that go.
    pub removed: Vec<Statement>,
    /// Statements of one Sid that change.
    pub changed: Vec<StatementChange>,
}

/// A statement that changes.
#[derive(Debug, Clone, PartialEq)]
pub struct StatementChange {
    /// Its Sid.
    pub sid: String,
    /// What changes in it, never empty.
    pub elements: Vec<ElementChange>,
}

/// A part of a statement that changes.
#[derive(Debug, Clone, PartialEq)]
pub struct ElementChange {
    /// Which: `Effect`, `Action`, `NotResource`, `Principal AWS`, `Condition StringEquals aws:SourceArn`.
    pub element: String,
    /// Values that come. Nothing comes and goes where a condition without values does.
    pub added: Vec<Value>,
    /// Values that go.
    pub removed: Vec<Value>,
}

impl Difference {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What differs in meaning from `before` to `after`; absent documents are as empty ones.
///
/// Statements are matched by Sid. Those without one are the same or they come and go.
pub fn difference(before: Option<&Document>, after: Option<&Document>) -> Difference {
    let statements = |document: Option<&Document>| document.map(|d| d.statements.clone()).unwrap_or_default();
    let (before_statements, after_statements) = (statements(before), statements(after));
    let mut found = Difference { version: version_change(before, after), ..Difference::default() };
    for statement in &after_statements {
        let counterpart = match &statement.sid {
            Some(sid) => before_statements.iter().find(|other| other.sid.as_ref() == Some(sid)),
            None => before_statements.iter().find(|other| same_statement(other, statement)),
        };
        match (counterpart, &statement.sid) {
            (None, _) => found.added.push(statement.clone()),
            (Some(old), Some(sid)) if !same_statement(old, statement) => {
                found.changed.push(StatementChange { sid: sid.clone(), elements: elements(old, statement) });
            }
            (Some(_), _) => {}
        }
    }
    for statement in before_statements {
        let stays = after_statements.iter().any(|other| match &statement.sid {
            Some(sid) => other.sid.as_ref() == Some(sid),
            None => same_statement(other, &statement),
        });
        if !stays {
            found.removed.push(statement);
        }
    }
    found
}

fn version_change(before: Option<&Document>, after: Option<&Document>) -> Option<(Version, Version)> {
    let (before, after) = (before?, after?);
    let [old, new] = [before, after].map(|document| document.version.unwrap_or(Version::V2008));
    (old != new && (before.may_have_variables() || after.may_have_variables())).then_some((old, new))
}

/// The parts of a statement by name, each value with the text that tells it from others.
type Parts = BTreeMap<(u8, String), Vec<(Option<String>, Value)>>;

fn elements(before: &Statement, after: &Statement) -> Vec<ElementChange> {
    let (old, new) = (parts(before), parts(after));
    let mut names: Vec<_> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    let change = |name: &(u8, String)| {
        let side = |parts: &Parts| parts.get(name).cloned().unwrap_or_default();
        let (old, new) = (side(&old), side(&new));
        let only = |these: &[(Option<String>, Value)], those: &[(Option<String>, Value)]| -> Vec<Value> {
            let absent = |item: &&(Option<String>, Value)| !those.iter().any(|other| same_value(item, other));
            these.iter().filter(absent).map(|(_, value)| value.clone()).collect()
        };
        ElementChange { element: name.1.clone(), added: only(&new, &old), removed: only(&old, &new) }
    };
    let one_sided = |name: &(u8, String)| old.contains_key(name) != new.contains_key(name);
    let changes = names.into_iter().map(|name| (one_sided(name), change(name)));
    changes
        .filter(|(one_sided, c)| *one_sided || !(c.added.is_empty() && c.removed.is_empty()))
        .map(|(_, c)| c)
        .collect()
}

fn same_value(a: &(Option<String>, Value), b: &(Option<String>, Value)) -> bool {
    match (&a.0, &b.0) {
        (Some(a), Some(b)) => a == b,
        (None, None) => a.1 == b.1,
        _ => false,
    }
}

fn parts(statement: &Statement) -> Parts {
    let mut parts = Parts::new();
    let mut put = |order: u8, name: String, values: &[Value], canonical: &dyn Fn(&str) -> String| {
        let told = values.iter().map(|value| (scalar_text(value).map(|text| canonical(&text)), value.clone()));
        parts.entry((order, name)).or_default().extend(told);
    };
    let exact = |text: &str| text.to_owned();
    put(0, "Effect".into(), &[statement.effect.as_str().into()], &exact);
    let everyone = [Value::from("*")];
    for (order, name, principals) in
        [(1, "Principal", &statement.principals), (2, "NotPrincipal", &statement.not_principals)]
    {
        match principals {
            None => {}
            Some(Principals::Everyone) => put(order, format!("{name} AWS"), &everyone, &exact),
            Some(Principals::Listed(kinds)) => {
                for (kind, values) in kinds {
                    let canonical: &dyn Fn(&str) -> String = match kind {
                        PrincipalKind::Aws => &canonical_account,
                        _ => &exact,
                    };
                    put(order, format!("{name} {kind}"), values, canonical);
                }
            }
        }
    }
    put(3, "Action".into(), &statement.actions, &str::to_ascii_lowercase);
    put(4, "NotAction".into(), &statement.not_actions, &str::to_ascii_lowercase);
    put(5, "Resource".into(), &statement.resources, &exact);
    put(6, "NotResource".into(), &statement.not_resources, &exact);
    for (operator, keys) in &statement.conditions {
        let canonical: &dyn Fn(&str) -> String =
            if operator_ignores_case(operator) { &str::to_lowercase } else { &exact };
        for (key, values) in keys {
            put(7, format!("Condition {operator} {}", key.to_ascii_lowercase()), values, canonical);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::super::document::tests::any_document;
    use super::super::equal::same;
    use super::*;
    use proptest::prelude::*;

    fn read(json: &str) -> Document {
        Document::from_json(json).unwrap()
    }

    #[test]
    fn statements_come_go_and_change_by_sid() {
        let before = read(
            r#"{"Version":"2012-10-17","Statement":[
                {"Sid":"Read","Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],"Resource":"a"},
                {"Sid":"Old","Effect":"Allow","Action":"*","Resource":"*"},
                {"Effect":"Deny","Action":"*","Resource":"*"}]}"#,
        );
        let after = read(
            r#"{"Version":"2012-10-17","Statement":[
                {"Effect":"Deny","Action":["*"],"Resource":"*"},
                {"Sid":"New","Effect":"Allow","Action":"*","Resource":"*"},
                {"Sid":"Read","Effect":"Allow","Action":["S3:GetObject","s3:PutObject"],"Resource":"a","Condition":{"Bool":{"aws:SecureTransport":true}}}]}"#,
        );
        let found = difference(Some(&before), Some(&after));
        let sids = |statements: &[Statement]| statements.iter().map(|s| s.sid.clone().unwrap()).collect::<Vec<_>>();
        assert_eq!((sids(&found.added), sids(&found.removed)), (vec!["New".to_owned()], vec!["Old".to_owned()]));
        let change = |element: &str, added: &[Value], removed: &[Value]| ElementChange {
            element: element.into(),
            added: added.to_vec(),
            removed: removed.to_vec(),
        };
        assert_eq!(
            found.changed,
            [StatementChange {
                sid: "Read".into(),
                elements: vec![
                    change("Action", &["s3:PutObject".into()], &["s3:ListBucket".into()]),
                    change("Condition Bool aws:securetransport", &[true.into()], &[]),
                ]
            }]
        );
    }

    #[test]
    fn principals_and_effects_are_told() {
        let before = read(r#"{"Statement":{"Sid":"A","Effect":"Allow","Action":"*","Principal":"*"}}"#);
        let after = read(
            r#"{"Statement":{"Sid":"A","Effect":"Deny","Action":"*","Principal":{"AWS":"*","Service":"s3.amazonaws.com"}}}"#,
        );
        let found = difference(Some(&before), Some(&after));
        let elements: Vec<_> = found.changed[0].elements.iter().map(|change| change.element.as_str()).collect();
        assert_eq!(elements, ["Effect", "Principal Service"]);
    }

    #[test]
    fn what_is_the_same_in_another_case_is_not_told_beside_what_differs() {
        let with = |action: &str, secure: &str| {
            let condition = format!(r#"{{"Bool":{{"aws:SecureTransport":"{secure}"}}}}"#);
            read(&format!(
                r#"{{"Statement":{{"Sid":"A","Effect":"Deny","Action":"{action}","Resource":"*","Condition":{condition}}}}}"#
            ))
        };
        let found = difference(Some(&with("a:B", "False")), Some(&with("a:C", "false")));
        let elements: Vec<_> = found.changed[0].elements.iter().map(|change| change.element.as_str()).collect();
        assert_eq!(elements, ["Action"]);
    }

    #[test]
    fn an_absent_document_is_an_empty_one() {
        let document = read(r#"{"Statement":{"Effect":"Allow","Action":"*"}}"#);
        assert_eq!(difference(None, Some(&document)).added, document.statements);
        assert_eq!(difference(Some(&document), None).removed, document.statements);
    }

    proptest! {
        #[test]
        fn nothing_differs_exactly_when_the_meaning_is_the_same(a in any_document(), b in any_document()) {
            let a = Document { id: None, ..a };
            let b = Document { id: None, ..b };
            prop_assert!(difference(Some(&a), Some(&a)).is_empty());
            prop_assert_eq!(difference(Some(&a), Some(&b)).is_empty(), same(&a, &b));
        }
    }
}
