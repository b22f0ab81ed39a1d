//! The stack file's `statements`: `statements.SID = { actions, resources, effect, principals, condition, … }`, and
//! `statements.file` with a document in AWS's own words.

use std::collections::BTreeMap;

use super::document::{Document, Effect, PrincipalKind, Principals, Reader, Statement};
use super::principal;
use super::problem::{Problem, code};
use crate::address::{Path, Step};
use crate::value::{Map, Value};

/// The key under `statements` (and `trust`) that names a file. A statement's Sid may be `file` too: its value is a map.
const FILE: &str = "file";

/// A statement's words in the stack file, with AWS's for each.
const WORDS: [(&str, &str); 8] = [
    ("effect", "Effect"),
    ("principals", "Principal"),
    ("not_principals", "NotPrincipal"),
    ("actions", "Action"),
    ("not_actions", "NotAction"),
    ("resources", "Resource"),
    ("not_resources", "NotResource"),
    ("condition", "Condition"),
];

/// The file that `statements` or `trust` takes its document from, if any: what stands after `file =`.
pub fn file_of(words: &Value) -> Option<&Value> {
    match words.get(FILE) {
        Value::Null | Value::Map(_) => None,
        file => Some(file),
    }
}

/// The document that `statements` describes.
///
/// `words` is the property's value; `file` the content of the file that [`file_of`] tells, whose statements come first.
/// Fails with everything that is wrong; paths start at the property.
pub fn document(words: &Value, file: Option<&str>) -> Result<Document, Vec<Problem>> {
    let path = Path::default();
    let mut reader = Reader::default();
    let mut document = match (file_of(words), file) {
        (Some(_), Some(content)) => from_file(content, &mut reader.problems),
        _ => Document::new(Vec::new()),
    };
    if let Some(map) = reader.map(words, &path, "`statements`")
        && reader.countable(map.len(), &path)
    {
        let from_file = file_of(words).is_some();
        for (sid, words) in map.iter().filter(|(sid, words)| !(words.is_null() || (from_file && *sid == FILE))) {
            if document.statement(sid).is_some() {
                let message = format!("the file has a statement `{sid}` too");
                reader.problems.push(Problem::error(code::SID, path.key(sid), message));
            }
            document.statements.extend(statement(sid, words, &path.key(sid), &mut reader));
        }
    }
    if reader.problems.is_empty() { Ok(document) } else { Err(reader.problems) }
}

/// The document in a file that a property takes; problems stand at the property's `file`.
pub(super) fn from_file(content: &str, problems: &mut Vec<Problem>) -> Document {
    Document::from_json(content).unwrap_or_else(|found| {
        problems.extend(found.into_iter().map(|problem| {
            let inside = match problem.path.0.is_empty() {
                true => String::new(),
                false => format!("in the file, {}: ", problem.path),
            };
            let help =
                problem.help.clone().or_else(|| Some("the file must hold a policy document as AWS writes it".into()));
            Problem { path: Path::of(FILE), message: format!("{inside}{}", problem.message), help, ..problem }
        }));
        Document::default()
    })
}

/// Where a place in a document of AWS's shape stands in the stack file's words, for documents made by [`document`].
/// Statements without a Sid come from a file, and so do their places.
pub fn written_path(document: &Document, path: &Path) -> Path {
    let [Step::Key(statement), Step::Index(index), rest @ ..] = path.0.as_slice() else { return path.clone() };
    let sid = document.statements.get(*index).and_then(|statement| statement.sid.as_ref());
    let (Some(sid), "Statement") = (sid, statement.as_str()) else { return path.clone() };
    let mut written = Path::of(sid);
    for (at, step) in rest.iter().enumerate() {
        written.0.push(match step {
            Step::Key(key) if at == 0 => {
                let word = WORDS.iter().find(|(_, aws)| aws == key).map_or(key.as_str(), |(word, _)| word);
                Step::Key(word.to_owned())
            }
            step => step.clone(),
        });
    }
    written
}

fn statement(sid: &str, words: &Value, path: &Path, reader: &mut Reader) -> Option<Statement> {
    let map = reader.map(words, path, "a statement")?;
    let known = WORDS.map(|(word, _)| word);
    let (foreign, ours): (Map, Map) =
        map.clone().into_iter().partition(|(key, _)| WORDS.iter().any(|(_, aws)| aws == key));
    for key in foreign.keys() {
        let word = WORDS.iter().find(|(_, aws)| aws == key).map_or("", |(word, _)| word);
        let problem = Problem::error(code::SHAPE, path.key(key), format!("a statement has no `{key}`"));
        reader.problems.push(problem.help(format!("here it is `{word}`; AWS's own words go into a file")));
    }
    reader.keys(&ours, path, &known, "a statement");
    let texts = |reader: &mut Reader, key: &str, what| reader.texts(words.get(key), &path.key(key), what);
    let statement = Statement {
        sid: Some(sid.to_owned()),
        effect: reader.effect(words.get("effect"), &path.key("effect"), "effect", Some(Effect::Allow))?,
        principals: principals(words.get("principals"), &path.key("principals"), reader),
        not_principals: principals(words.get("not_principals"), &path.key("not_principals"), reader),
        actions: texts(reader, "actions", "an action"),
        not_actions: texts(reader, "not_actions", "an action"),
        resources: texts(reader, "resources", "a resource"),
        not_resources: texts(reader, "not_resources", "a resource"),
        conditions: reader.conditions(words.get("condition"), &path.key("condition")),
    };
    let pairs = [("principals", "not_principals"), ("actions", "not_actions"), ("resources", "not_resources")];
    reader.pairs(map, path, pairs);
    if foreign.is_empty() {
        reader.has_actions(map, path, ["actions", "not_actions"]);
    }
    Some(statement)
}

/// Principals as AWS's map, as `"*"`, or as words the way `trust` has them.
fn principals(value: &Value, path: &Path, reader: &mut Reader) -> Option<Principals> {
    let words: Vec<(Path, &Value)> = match value {
        Value::List(list) => list.iter().enumerate().map(|(index, word)| (path.index(index), word)).collect(),
        Value::String(text) if text != "*" => vec![(path.clone(), value)],
        Value::Unknown(_) | Value::Secret(_) => vec![(path.clone(), value)],
        value => return reader.principals(value, path),
    };
    if words.is_empty() {
        reader.problems.push(Problem::error(code::SHAPE, path.clone(), "this names no principal"));
    }
    let mut kinds: BTreeMap<PrincipalKind, Vec<Value>> = BTreeMap::new();
    for (path, word) in words {
        match kind_of(word, &path) {
            Ok(kind) => kinds.entry(kind).or_default().push(word.clone()),
            Err(problem) => reader.problems.push(problem),
        }
    }
    Some(Principals::Listed(kinds))
}

/// The kind of a principal's word. One that AWS has yet to make is an ARN, and all those of which a provider is no part
/// are `AWS`; the document is made anew once the word is known.
pub(super) fn kind_of(word: &Value, path: &Path) -> Result<PrincipalKind, Problem> {
    match principal::classify_value(word, path) {
        Some(found) => found.map(|word| word.kind()),
        None if super::text::is_text(word) => Ok(PrincipalKind::Aws),
        None => {
            Err(Problem::error(code::SHAPE, path.clone(), format!("a principal is a string, found {}", word.kind())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toml(text: &str) -> Value {
        let table: serde_json::Value = toml::from_str(text).unwrap();
        Value::from_json(table)
    }

    fn problems(text: &str, file: Option<&str>) -> Vec<String> {
        let found = document(&toml(text), file).unwrap_err();
        found.iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
    }

    #[test]
    fn a_condition_whose_value_is_null_is_not_left_out() {
        let statement = |condition: &str| {
            let text = format!("[A]\nactions = ['s3:GetObject']\nresources = '*'\ncondition = {condition}\n");
            let mut words = toml(&text);
            nulls(&mut words);
            document(&words, None)
                .map_err(|found| found.iter().map(|one| format!("{}: {}", one.path, one.message)).collect::<Vec<_>>())
        };
        // TOML has no null; an expression has: `${var.vpc == "" ? null : var.vpc}`.
        fn nulls(value: &mut Value) {
            match value {
                Value::Map(map) => map.values_mut().for_each(nulls),
                Value::String(text) if text == "NULL" => *value = Value::Null,
                _ => {}
            }
        }
        assert!(statement("'NULL'").is_ok_and(|document| document.statements[0].conditions.is_empty()));
        for (condition, at) in [
            ("{ StringEquals = 'NULL' }", "A.condition.StringEquals"),
            ("{ StringEquals = { 'aws:SourceVpc' = 'NULL' } }", "A.condition.StringEquals.aws:SourceVpc"),
        ] {
            let found = statement(condition).unwrap_err();
            assert_eq!(found, [format!("{at}: this condition is null, and would be left out")]);
        }
    }

    #[test]
    fn the_words_of_the_stack_become_awss_document() {
        let words = toml(
            r#"
            [Upload]
            actions = ["s3:PutObject", "s3:GetObject"]
            resources = ["arn:aws:s3:::logs/app/*"]
            [ListBucket]
            actions = ["s3:ListBucket"]
            resources = "arn:aws:s3:::logs"
            condition = { StringLike = { "s3:prefix" = "app/*" } }
            [Refuse]
            effect = "Deny"
            principals = "*"
            not_actions = ["s3:GetObject"]
            not_resources = ["x"]
            "#,
        );
        assert_eq!(
            document(&words, None).unwrap().to_json().unwrap(),
            concat!(
                r#"{"Version":"2012-10-17","Statement":["#,
                r#"{"Sid":"ListBucket","Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::logs","Condition":{"StringLike":{"s3:prefix":"app/*"}}},"#,
                r#"{"Sid":"Refuse","Effect":"Deny","Principal":"*","NotAction":"s3:GetObject","NotResource":"x"},"#,
                r#"{"Sid":"Upload","Effect":"Allow","Action":["s3:PutObject","s3:GetObject"],"Resource":"arn:aws:s3:::logs/app/*"}]}"#
            )
        );
    }

    #[test]
    fn principals_may_be_a_map_or_words() {
        let words = toml(
            r#"
            [A]
            actions = "*"
            principals = { Service = "s3.amazonaws.com" }
            [B]
            actions = "*"
            principals = ["s3.amazonaws.com", "123456789012", "arn:aws:iam::123456789012:role/x"]
            "#,
        );
        let made = document(&words, None).unwrap().to_value();
        let principals = |index| {
            made.at(&Path::of("Statement").index(index).key("Principal")).unwrap().to_json().unwrap().to_string()
        };
        assert_eq!(principals(0), r#"{"Service":"s3.amazonaws.com"}"#);
        assert_eq!(
            principals(1),
            r#"{"AWS":["123456789012","arn:aws:iam::123456789012:role/x"],"Service":"s3.amazonaws.com"}"#
        );
    }

    #[test]
    fn a_file_gives_its_document_and_the_stack_may_add_to_it() {
        let words = toml("file = \"x.json\"\nMore = { actions = \"*\" }");
        assert_eq!(file_of(&words), Some(&Value::from("x.json")));
        let made = document(
            &words,
            Some(r#"{"Version":"2012-10-17","Id":"i","Statement":{"Effect":"Allow","Action":"a:B"}}"#),
        )
        .unwrap();
        assert_eq!((made.statements.len(), made.id.clone()), (2, Some("i".into())));
        assert_eq!(made.statements[1].sid.as_deref(), Some("More"));
        let clash = problems(
            "file = \"x.json\"\nMore = { actions = \"*\" }",
            Some(r#"{"Statement":{"Sid":"More","Effect":"Allow","Action":"*"}}"#),
        );
        assert_eq!(clash, ["More: the file has a statement `More` too"]);
        let inside = problems("file = \"x.json\"", Some(r#"{"Statement":{"Effect":"Allow","Action":7}}"#));
        assert_eq!(inside, ["file: in the file, Statement.Action: an action is a string, found a number"]);
        assert_eq!(file_of(&toml("file = { actions = \"*\" }")), None);
    }

    #[test]
    fn wrong_words_are_told_with_their_places() {
        let found = problems(
            "A = { action = \"*\", Resource = \"*\" }\nB = { actions = [] }\nC = 1\nD = { actions = \"*\", not_actions = \"*\", principals = [\"me\"] }",
            None,
        );
        assert_eq!(
            found,
            [
                "A.Resource: a statement has no `Resource`",
                "A.action: a statement has no `action`",
                "B.actions: expected an action at least, found an empty list",
                "C: a statement is a map, found a number",
                "D.principals[0]: `me` names no principal",
                "D: a statement has `actions` or `not_actions`, not both",
            ]
        );
        let hints: Vec<_> = document(&toml("A = { action = \"*\", Resource = \"*\" }"), None)
            .unwrap_err()
            .into_iter()
            .map(|p| p.help.unwrap())
            .collect();
        assert_eq!(hints, ["here it is `resources`; AWS's own words go into a file", "did you mean `actions`?"]);
    }

    #[test]
    fn places_in_the_document_lead_back_to_the_stack_file() {
        let made = document(&toml("[A]\nactions = \"*\"\n[B]\nactions = [\"x\"]"), None).unwrap();
        let path = Path::of("Statement").index(1).key("Action").index(0);
        assert_eq!(written_path(&made, &path).to_string(), "B.actions[0]");
        assert_eq!(written_path(&made, &Path::of("Version")).to_string(), "Version");
    }
}
