//! Checks a value against the schema model, and says all that is wrong with it at once.

use std::cell::RefCell;
use std::collections::HashMap;

use indexmap::IndexMap;
use regex_lite::Regex;

use super::model::*;
use crate::address::Path;
use crate::diagnostic::{Severity, did_you_mean};
use crate::value::Value;

/// One thing wrong with a value, at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The rule's code, `S3S-W1`.
    pub code: &'static str,
    /// Whether AWS would refuse it or it would never do what it says (error), or it is a risk (warning).
    pub severity: Severity,
    /// Where in the properties.
    pub path: Path,
    /// What is wrong.
    pub message: String,
    /// The next step, where there is a better one than the message.
    pub help: Option<String>,
}

impl Problem {
    /// An error without help.
    pub fn new(code: &'static str, path: &Path, message: impl Into<String>) -> Self {
        Self { code, severity: Severity::Error, path: path.clone(), message: message.into(), help: None }
    }

    /// A warning without help.
    pub fn warning(code: &'static str, path: &Path, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::new(code, path, message) }
    }

    /// The same of a value that an expression gives: it is not quotes that it lacks, or has too many.
    pub fn of_expression(self) -> Self {
        let help = match self.help.as_deref() {
            Some(QUOTE) => "make a string of it: ${tostring(…)}",
            Some(UNQUOTE_BOOL) => "make a bool of it: ${tobool(…)}",
            Some(UNQUOTE_NUMBER) => "make a number of it: ${tonumber(…)}",
            Some(BRACKET) => "make a list of it: ${[…]}",
            Some(NUMBER) => "the expression gives a text: make it a number where it comes from",
            _ => return self,
        };
        self.help(help)
    }

    /// The same, with the next step.
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

const QUOTE: &str = "put quotes round it";
const UNQUOTE_BOOL: &str = "take the quotes away";
const UNQUOTE_NUMBER: &str = "take the quotes away: it is a number";
const NUMBER: &str = "write a number, without quotes";
const BRACKET: &str = "put brackets round it: […]";

/// Everything wrong with a block's properties. Unknown values are taken to fit; they are checked again once known.
pub fn validate(schema: &Schema, properties: &Value) -> Vec<Problem> {
    validate_fields(&schema.properties, properties)
}

/// Everything wrong with a table of known keys that is no resource's.
pub fn validate_fields(fields: &IndexMap<String, Property>, value: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    object(fields, value, &Path::default(), &mut problems);
    problems
}

fn object(fields: &IndexMap<String, Property>, value: &Value, path: &Path, problems: &mut Vec<Problem>) {
    let Value::Map(map) = value else {
        problems.push(Problem::new("S3S-W2", path, format!("expected a table, found {}", found(value))));
        return;
    };
    // What is spelled wrong is not missing too.
    let mut meant = Vec::new();
    for (key, value) in map {
        let at = path.key(key);
        match fields.get(key) {
            Some(property) if property.derived => problems.push(
                Problem::new("S3S-W1", &at, format!("`{key}` is computed from other properties"))
                    .help("take this line out; the plan shows what it will be"),
            ),
            Some(property) if !value.is_null() => {
                let before = problems.len();
                check(&property.shape, value, &at, problems);
                // Where nothing better can be said, what the property is for helps to choose another value.
                for problem in problems.iter_mut().skip(before).filter(|problem| problem.help.is_none()) {
                    let table = table(&property.shape).filter(|_| problem.code == "S3S-W2" && problem.path == at);
                    problem.help = match (table, property.purpose()) {
                        (Some(table), Some(doc)) => Some(format!("write `{key} = {table}`: {doc}")),
                        (Some(table), None) => Some(format!("write `{key} = {table}`")),
                        (None, doc) => doc.map(|doc| format!("`{key}`: {doc}")),
                    };
                }
            }
            Some(_) => {}
            None => {
                let known = fields.iter().filter(|(_, property)| !property.derived).map(|(name, _)| name.as_str());
                let near = did_you_mean(key, known.clone());
                meant.extend(near);
                let help = match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("it takes {}", known.collect::<Vec<_>>().join(", ")),
                };
                problems.push(
                    Problem::new("S3S-W1", &at, format!("there is no property `{}` here", short(key))).help(help),
                );
            }
        }
    }
    for (name, property) in fields {
        if property.required && map.get(name).is_none_or(Value::is_null) && !meant.contains(&name.as_str()) {
            let what = property.purpose().unwrap_or_else(|| property.shape.describe());
            problems.push(
                Problem::new("S3S-W3", path, format!("`{name}` is missing")).help(format!("add `{name} = …`: {what}")),
            );
        }
    }
}

/// Checks one value against one shape.
pub fn check(shape: &Shape, value: &Value, path: &Path, problems: &mut Vec<Problem>) {
    if let Value::Secret(secret) = value {
        let mut found = Vec::new();
        check(shape, secret.expose(), path, &mut found);
        // What is wrong may be told, but not with what: messages and paths hold parts of the value.
        problems.extend(found.first().map(|problem| {
            Problem::new(problem.code, path, format!("the secret value here is not {}", shape.describe()))
        }));
        return;
    }
    if matches!(value, Value::Unknown(_)) {
        return;
    }
    let mismatch = || Problem {
        help: quotes(shape, value).map(str::to_owned),
        ..Problem::new("S3S-W2", path, format!("expected {}, found {}", shape.describe(), found(value)))
    };
    match (shape, value) {
        (Shape::String(rules), Value::String(text)) => string(rules, text, path, problems),
        (Shape::Bool, Value::Bool(_)) | (Shape::Document, Value::Map(_) | Value::List(_)) => {}
        (Shape::Document, Value::String(_) | Value::Bool(_) | Value::Integer(_) | Value::Float(_)) => {}
        (Shape::Number { integer: true, .. }, Value::Float(_)) => problems.push(mismatch()),
        (Shape::Number { min, max, .. }, Value::Integer(_) | Value::Float(_)) => {
            let number = match value {
                Value::Integer(number) => *number as f64,
                Value::Float(number) => *number,
                _ => return,
            };
            if min.is_some_and(|min| number < min) || max.is_some_and(|max| number > max) {
                let range = match (min, max) {
                    (Some(min), Some(max)) => format!("from {min} to {max}"),
                    (Some(min), None) => format!("{min} or more"),
                    (None, Some(max)) => format!("{max} or less"),
                    (None, None) => String::new(),
                };
                let shown = match value {
                    Value::Integer(number) => number.to_string(),
                    _ => number.to_string(),
                };
                problems.push(Problem::new("S3S-W4", path, format!("{shown} is out of range: it must be {range}")));
            }
        }
        (Shape::List(items) | Shape::Set(items), Value::List(list)) => {
            for (at, item) in list.iter().enumerate() {
                check(&items.item.shape, item, &path.index(at), problems);
            }
            count(list.len(), items.min, items.max, "item", path, problems);
        }
        (Shape::Map { value: inner, key_pattern, reserved, max }, Value::Map(map)) => {
            for (key, item) in map {
                let at = path.key(key);
                if key_pattern.as_deref().is_some_and(|pattern| !matches(pattern, key)) {
                    let pattern = key_pattern.as_deref().unwrap_or_default();
                    let message = format!("`{}` is not allowed as a key here: it does not match {pattern}", short(key));
                    problems.push(Problem::new("S3S-W5", &at, message).help("choose another key"));
                }
                if let Some(prefix) = reserved.iter().find(|prefix| starts_with(key, prefix)) {
                    problems.push(
                        Problem::new("S3S-W5", &at, format!("keys that begin with `{prefix}` are reserved"))
                            .help("choose another key"),
                    );
                }
                if !item.is_null() {
                    check(&inner.shape, item, &at, problems);
                }
            }
            count(map.len(), None, *max, "entry", path, problems);
        }
        (Shape::Object(fields), value @ Value::Map(_)) => object(fields, value, path, problems),
        (Shape::Choice(shapes), value) => match shapes.iter().find(|shape| takes(shape, value)) {
            Some(shape) => check(shape, value, path, problems),
            None => problems.push(mismatch()),
        },
        (Shape::Reference(rules), Value::Reference(address)) => {
            if !rules.types.is_empty() && !rules.types.iter().any(|name| name == address.type_name.as_str()) {
                let message = format!("expected {}, found {address}, which is {}", shape.describe(), address.type_name);
                problems.push(Problem::new("S3S-W6", path, message).help(reference_help(rules)));
            }
        }
        (Shape::Reference(rules), Value::String(text)) => match &rules.literal {
            Some(pattern) if matches(pattern, text) => {}
            _ => problems.push(
                Problem::new("S3S-W6", path, format!("expected {}, found \"{}\"", shape.describe(), short(text)))
                    .help(reference_help(rules)),
            ),
        },
        _ => problems.push(mismatch()),
    }
}

/// What a value is, in the words of the file.
fn found(value: &Value) -> &'static str {
    match value {
        Value::Map(_) => "a table",
        Value::Float(_) => "a fraction",
        other => other.kind(),
    }
}

/// What to do about quotes, where they are all that is wrong.
fn quotes(shape: &Shape, value: &Value) -> Option<&'static str> {
    match (shape, value) {
        (Shape::String(rules), Value::Integer(_) | Value::Float(_) | Value::Bool(_)) if rules.allowed.is_empty() => {
            Some(QUOTE)
        }
        (Shape::Bool, Value::String(text)) if matches!(text.as_str(), "true" | "false") => Some(UNQUOTE_BOOL),
        (Shape::Bool, Value::String(_) | Value::Integer(_)) => Some("write true or false, without quotes"),
        (Shape::Number { .. }, Value::String(text)) if text.parse::<f64>().is_ok() => Some(UNQUOTE_NUMBER),
        (Shape::List(_) | Shape::Set(_), Value::String(_) | Value::Map(_)) => Some(BRACKET),
        (Shape::Number { .. }, Value::String(_)) => Some(NUMBER),
        (Shape::String(_), Value::List(_) | Value::Map(_)) => Some("write one text, in quotes"),
        (Shape::Choice(shapes), value) => shapes.iter().find_map(|shape| quotes(shape, value)),
        _ => None,
    }
}

/// How a table of this shape is written; none where it is no table.
fn table(shape: &Shape) -> Option<String> {
    match shape {
        Shape::Map { .. } => Some("{ KEY = … }".into()),
        Shape::Object(fields) => {
            let mut names: Vec<&String> =
                fields.iter().filter(|(_, one)| one.required && !one.derived).map(|(name, _)| name).collect();
            names.extend(fields.keys().next().filter(|_| names.is_empty()));
            let pairs: Vec<String> = names.iter().map(|name| format!("{name} = …")).collect();
            Some(format!("{{ {} }}", pairs.join(", ")))
        }
        Shape::Choice(shapes) => shapes.iter().find_map(table),
        _ => None,
    }
}

/// Whether a shape is the one a value's TOML type chooses.
fn takes(shape: &Shape, value: &Value) -> bool {
    match shape {
        Shape::String(_) => matches!(value, Value::String(_)),
        Shape::Bool => matches!(value, Value::Bool(_)),
        Shape::Number { .. } => matches!(value, Value::Integer(_) | Value::Float(_)),
        Shape::List(_) | Shape::Set(_) => matches!(value, Value::List(_)),
        Shape::Map { .. } | Shape::Object(_) => matches!(value, Value::Map(_)),
        Shape::Reference(_) => matches!(value, Value::Reference(_) | Value::String(_)),
        Shape::Choice(shapes) => shapes.iter().any(|shape| takes(shape, value)),
        Shape::Document => true,
    }
}

fn string(rules: &StringRules, text: &str, path: &Path, problems: &mut Vec<Problem>) {
    if !rules.allowed.is_empty() && !rules.allowed.iter().any(|word| word == text) {
        let near = did_you_mean(text, rules.allowed.iter().map(String::as_str));
        let mut problem = Problem::new(
            "S3S-W7",
            path,
            format!("\"{}\" is not {}", short(text), Shape::String(rules.clone()).describe()),
        );
        problem.help = near.map(|near| format!("did you mean \"{near}\"?"));
        problems.push(problem);
        return;
    }
    let before = problems.len();
    count(text.chars().count(), rules.min, rules.max, "character", path, problems);
    if let Some(pattern) = &rules.pattern
        && problems.len() == before
        && !matches(pattern, text)
    {
        let what =
            if text.is_empty() { "it is empty, and must".into() } else { format!("\"{}\" does not", short(text)) };
        problems.push(Problem::new("S3S-W8", path, format!("{what} match {pattern}")));
    }
}

fn count(length: usize, min: Option<usize>, max: Option<usize>, what: &str, path: &Path, problems: &mut Vec<Problem>) {
    let plural = |count: usize| match (what, count) {
        ("entry", 1) | (_, 1) => what.to_owned(),
        ("entry", _) => "entries".to_owned(),
        _ => format!("{what}s"),
    };
    if let Some(min) = min.filter(|min| length < *min) {
        problems.push(Problem::new(
            "S3S-W9",
            path,
            format!("it has {length} {}, and needs at least {min}", plural(length)),
        ));
    }
    if let Some(max) = max.filter(|max| length > *max) {
        problems.push(Problem::new(
            "S3S-W9",
            path,
            format!("it has {length} {}, and may have at most {max}", plural(length)),
        ));
    }
}

/// The beginning of a text that a message quotes.
fn short(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// How a reference is written.
fn reference_help(rules: &ReferenceRules) -> String {
    let example = format!("{}.NAME", rules.types.first().map_or("s3.bucket", String::as_str));
    match &rules.literal {
        None => format!("write the bare address of a block, \"{example}\", without ${{}}"),
        Some(pattern) => {
            let other =
                if pattern.starts_with("^arn") { "an ARN".into() } else { format!("a text that matches {pattern}") };
            format!("write the bare address of a block, \"{example}\", or {other}")
        }
    }
}

fn starts_with(key: &str, prefix: &str) -> bool {
    key.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

thread_local! {
    /// The patterns in use: compiling one takes a hundred times as long as matching a name with it.
    static PATTERNS: RefCell<HashMap<String, Option<Regex>>> = RefCell::default();
}

/// More patterns than any stack has: those of the types it uses and of its variables.
const MAX_PATTERNS: usize = 1000;

/// A pattern that does not compile matches nothing; the registry's tests compile every pattern.
pub fn matches(pattern: &str, text: &str) -> bool {
    PATTERNS.with_borrow_mut(|patterns| {
        if patterns.len() >= MAX_PATTERNS {
            patterns.clear();
        }
        if !patterns.contains_key(pattern) {
            patterns.insert(pattern.to_owned(), Regex::new(pattern).ok());
        }
        patterns.get(pattern).and_then(Option::as_ref).is_some_and(|regex| regex.is_match(text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Schema {
        let mut name = Property::new(Shape::String(StringRules { min: Some(3), ..Default::default() }));
        name.required = true;
        let mut policy = Property::new(Shape::Document);
        policy.derived = true;
        Schema {
            doc: String::new(),
            properties: [
                ("name".to_owned(), name),
                ("versioning".to_owned(), Property::new(Shape::Bool)),
                ("policy".to_owned(), policy),
            ]
            .into(),
            attributes: IndexMap::new(),
        }
    }

    #[test]
    fn all_problems_come_at_once_with_their_paths() {
        let value = Value::map([
            ("versionning", Value::Bool(true)),
            ("versioning", Value::from("on")),
            ("policy", Value::map([("Version", Value::from("2012-10-17"))])),
        ]);
        let problems = validate(&schema(), &value);
        let said: Vec<String> = problems.iter().map(|p| format!("{} {}: {}", p.code, p.path, p.message)).collect();
        assert_eq!(
            said,
            [
                "S3S-W1 policy: `policy` is computed from other properties",
                "S3S-W2 versioning: expected true or false, found a string",
                "S3S-W1 versionning: there is no property `versionning` here",
                "S3S-W3 : `name` is missing",
            ]
        );
        assert_eq!(problems[2].help.as_deref(), Some("did you mean `versioning`?"));
    }

    #[test]
    fn a_secret_that_does_not_fit_is_not_told() {
        let secret = |value: Value| Value::Secret(crate::value::Secret::new(value));
        for wrong in [Value::from("canary"), Value::map([("canary", Value::from("canary"))])] {
            let problems =
                validate(&schema(), &Value::map([("name", Value::from("abc")), ("versioning", secret(wrong))]));
            assert_eq!(problems.len(), 1);
            assert!(!format!("{problems:?}").contains("canary"), "{problems:?}");
        }
    }

    #[test]
    fn reserved_tag_keys_are_refused_in_any_case_and_their_neighbours_are_not() {
        assert!(starts_with("AWS:x", "aws:"));
        assert!(!starts_with("awsome", "aws:"));
        assert!(!starts_with("é", "aws:"));
    }
}
