//! Policy documents in words.

use s3stack_engine::policy::difference::{Difference, difference};
use s3stack_engine::policy::principal::is_unique_id;
use s3stack_engine::policy::{Document, Principals, Statement};
use s3stack_engine::value::Value;

use super::text::{Layout, Role, plain, width};
use super::values::{Lines, inline, quoted};

/// The document, if the value is one: AWS's shape as a table, or its JSON as a text.
pub(super) fn document(value: &Value) -> Option<Document> {
    match value {
        Value::Map(map) if map.contains_key("Statement") => Document::parse(value).ok(),
        Value::String(text) if text.trim_start().starts_with('{') && text.contains("\"Statement\"") => {
            Document::from_json(text).ok()
        }
        _ => None,
    }
}

/// What differs between two values that are policy documents, or null on one side; `None` where they are not.
pub(super) fn changes(from: &Value, to: &Value) -> Option<Difference> {
    let (before, after) = (document(from), document(to));
    let readable = (before.is_some() || from.is_null()) && (after.is_some() || to.is_null());
    (readable && (before.is_some() || after.is_some())).then(|| difference(before.as_ref(), after.as_ref()))
}

/// Statement by statement: what comes, what changes, what goes.
pub(super) fn lines(difference: &Difference, layout: &Layout) -> Lines {
    let mut lines = Lines::default();
    if let Some((old, new)) = difference.version {
        lines.append(Lines::one(format!("Version {} → {}", old.as_str(), new.as_str())), 0);
    }
    for statement in &difference.added {
        sentence("+", Role::Create, statement, layout, &mut lines);
    }
    for change in &difference.changed {
        lines.lines.push(format!("{} {}:", layout.paint(Role::Change, "~"), plain(&change.sid)));
        for element in &change.elements {
            let name = plain(&element.element);
            let is_principal = ["Principal ", "NotPrincipal "].iter().any(|start| name.starts_with(start));
            let word = if is_principal { principal } else { word };
            let added = element.added.iter().map(|value| layout.paint(Role::Create, &format!("+ {}", word(value))));
            let removed = element.removed.iter().map(|value| layout.paint(Role::Delete, &format!("- {}", word(value))));
            let values: Vec<String> = added.chain(removed).collect();
            let uncoloured: usize =
                element.added.iter().chain(&element.removed).map(|value| width(&word(value)) + 4).sum();
            if values.is_empty() {
                lines.append(Lines::one(format!("{name} without values")), 4);
            } else if width(&name) + uncoloured + 4 <= layout.width {
                lines.append(Lines::one(format!("{name} {}", values.join("  "))), 4);
            } else {
                lines.append(Lines::one(name), 4);
                values.into_iter().for_each(|value| lines.append(Lines::one(value), 6));
            }
        }
    }
    for statement in &difference.removed {
        sentence("-", Role::Delete, statement, layout, &mut lines);
    }
    lines
}

/// `+ Sid: allow ACTIONS to PRINCIPALS on RESOURCES if CONDITIONS`, on one line or one line for each part.
fn sentence(sign: &str, role: Role, statement: &Statement, layout: &Layout, lines: &mut Lines) {
    let name = statement.sid.as_deref().map(|sid| format!("{}: ", plain(sid))).unwrap_or_default();
    let effect = statement.effect.as_str().to_lowercase();
    let mut parts = vec![match statement.not_actions.is_empty() {
        true => (format!("{name}{effect}"), words(&statement.actions)),
        false => (format!("{name}{effect} all but"), words(&statement.not_actions)),
    }];
    for (start, principals) in [("to", &statement.principals), ("to all but", &statement.not_principals)] {
        parts.extend(principals.as_ref().map(|principals| (start.to_owned(), whom(principals))));
    }
    for (start, resources) in [("on", &statement.resources), ("on all but", &statement.not_resources)] {
        if !resources.is_empty() {
            parts.push((start.to_owned(), words(resources)));
        }
    }
    for (operator, keys) in &statement.conditions {
        for (key, values) in keys {
            parts.push((format!("if {} {}", plain(key), comparison(operator)), words(values)));
        }
    }
    let whole: Vec<String> = parts.iter().map(|(start, words)| format!("{start} {}", words.join(", "))).collect();
    let sign = layout.paint(role, sign);
    let line = whole.join(" ");
    if width(&line) + 2 <= layout.width {
        lines.lines.push(format!("{sign} {line}"));
        return;
    }
    for (at, ((start, words), whole)) in parts.into_iter().zip(whole).enumerate() {
        let (indent, room) = if at == 0 { (format!("{sign} "), 2) } else { ("    ".to_owned(), 4) };
        if width(&whole) + room <= layout.width {
            lines.lines.push(format!("{indent}{whole}"));
        } else {
            lines.lines.push(format!("{indent}{start}"));
            lines.lines.extend(words.into_iter().map(|word| format!("      {word}")));
        }
    }
}

/// The two operators that nearly every policy uses have a word; the others stand as they are.
fn comparison(operator: &str) -> std::borrow::Cow<'_, str> {
    match operator {
        "Bool" | "StringEquals" => "=".into(),
        "StringLike" => "like".into(),
        operator => plain(operator),
    }
}

fn whom(principals: &Principals) -> Vec<String> {
    match principals {
        Principals::Everyone => vec!["everyone".into()],
        Principals::Listed(kinds) => kinds
            .iter()
            .flat_map(|(kind, values)| {
                values.iter().map(move |value| format!("{} {}", kind.as_str(), principal(value)))
            })
            .collect(),
    }
}

fn words(values: &[Value]) -> Vec<String> {
    values.iter().map(word).collect()
}

/// A principal. Where one was deleted AWS shows its unique id, which says nothing to people.
fn principal(value: &Value) -> String {
    let deleted = if value.as_str().is_some_and(is_unique_id) { " (deleted)" } else { "" };
    word(value) + deleted
}

/// Actions, ARNs and the like need no quotes; what has blanks or controls in it does.
fn word(value: &Value) -> String {
    match value {
        Value::String(text)
            if text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control() || c == ',') =>
        {
            quoted(text)
        }
        Value::String(text) => plain(text).into_owned(),
        value => inline(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = r#"{"Version":"2012-10-17","Statement":[
        {"Sid":"Read","Effect":"Allow","Action":["s3:GetObject"],"Resource":"arn:aws:s3:::in/*"},
        {"Sid":"Old","Effect":"Allow","NotAction":"iam:*","Resource":"*"}]}"#;
    const AFTER: &str = r#"{"Version":"2012-10-17","Statement":[
        {"Sid":"Read","Effect":"Allow","Action":["s3:GetObject","s3:GetObjectVersion"],"Resource":"arn:aws:s3:::in/*",
         "Condition":{"StringEquals":{"aws:SourceAccount":"123456789012"}}},
        {"Sid":"TlsOnly","Effect":"Deny","Principal":"*","Action":"s3:*",
         "Resource":["arn:aws:s3:::in","arn:aws:s3:::in/*"],"Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}"#;

    #[test]
    fn statements_are_told_as_sentences() {
        let found = changes(&BEFORE.into(), &AFTER.into()).unwrap();
        insta::assert_snapshot!(lines(&found, &Layout { width: 70, ..Layout::default() }).lines.join("\n"), @"
        + TlsOnly: deny s3:*
            to everyone
            on arn:aws:s3:::in, arn:aws:s3:::in/*
            if aws:SecureTransport = false
        ~ Read:
            Action + s3:GetObjectVersion
            Condition StringEquals aws:sourceaccount + 123456789012
        - Old: allow all but iam:* on *
        ");
    }

    #[test]
    fn the_unique_id_of_a_deleted_principal_is_told_as_that() {
        let trust = |who: &str| {
            format!(
                r#"{{"Version":"2012-10-17","Statement":[
                {{"Sid":"Trust","Effect":"Allow","Principal":{{"AWS":"{who}"}},"Action":"sts:AssumeRole"}}]}}"#
            )
        };
        let (live, wanted) = (trust("AROAJQABLZS4A3QDU576Q"), trust("arn:aws:iam::123456789012:role/r"));
        let told = |from: Value, to: Value| lines(&changes(&from, &to).unwrap(), &Layout::default()).lines.join(" ");
        let changed = told(live.as_str().into(), wanted.into());
        assert!(changed.contains("- AROAJQABLZS4A3QDU576Q (deleted)"), "{changed}");
        let gone = told(live.into(), Value::Null);
        assert!(gone.contains("to AWS AROAJQABLZS4A3QDU576Q (deleted)"), "{gone}");
    }

    #[test]
    fn only_policy_documents_are_read_as_such() {
        assert!(changes(&"{\"StartAt\": 1}".into(), &Value::Null).is_none());
        assert!(changes(&Value::Null, &Value::Null).is_none());
        assert!(changes(&BEFORE.into(), &"no document".into()).is_none());
        assert_eq!(changes(&BEFORE.into(), &Value::Null).unwrap().removed.len(), 2);
    }
}
