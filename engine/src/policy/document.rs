//! A policy document as AWS defines it, and its way from and to AWS's shape.
//!
//! AWS's grammar: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value as Json;

use super::problem::{Problem, code};
use super::{strict_json, text};
use crate::address::Path;
use crate::diagnostic::did_you_mean;
use crate::value::{Map, NotJson, Value};

/// A policy document.
///
/// Equality is that of the text; [`super::equal`] compares by meaning.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Document {
    /// The language version; absent is as [`Version::V2008`].
    pub version: Option<Version>,
    /// The document's own id, which some services use.
    pub id: Option<Value>,
    /// The statements; none is a document that AWS refuses, and that an owner deletes instead.
    pub statements: Vec<Statement>,
}

/// The version of the policy language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// `2008-10-17`: knows no policy variables, `${…}` is text.
    V2008,
    /// `2012-10-17`.
    V2012,
}

impl Version {
    /// As written in a document.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2008 => "2008-10-17",
            Self::V2012 => "2012-10-17",
        }
    }
}

/// One statement.
///
/// In lists each element is a text, an unknown or a secret text. A list of one is written without brackets.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Statement {
    /// The id, unique in its document; AWS's empty Sid is none.
    pub sid: Option<String>,
    /// Allow or deny.
    pub effect: Effect,
    /// To whom it applies; absent in identity policies.
    pub principals: Option<Principals>,
    /// To whom it does not apply, as opposed to everybody else.
    pub not_principals: Option<Principals>,
    /// The actions it is about.
    pub actions: Vec<Value>,
    /// The actions it is not about, as opposed to all others.
    pub not_actions: Vec<Value>,
    /// The resources it is about; none in trust policies.
    pub resources: Vec<Value>,
    /// The resources it is not about, as opposed to all others.
    pub not_resources: Vec<Value>,
    /// When it applies.
    pub conditions: Conditions,
}

/// Conditions: operator, key, values. Values are texts, bools, numbers, unknowns or secrets.
pub type Conditions = BTreeMap<String, BTreeMap<String, Vec<Value>>>;

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Effect {
    /// Allows.
    #[default]
    Allow,
    /// Denies, whatever else allows.
    Deny,
}

impl Effect {
    /// As written in a document.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "Allow",
            Self::Deny => "Deny",
        }
    }

    /// From a document; case matters to AWS.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Allow, Self::Deny].into_iter().find(|effect| effect.as_str() == text)
    }
}

/// Principals of a statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Principals {
    /// `"*"`.
    Everyone,
    /// By kind; no list is empty.
    Listed(BTreeMap<PrincipalKind, Vec<Value>>),
}

/// The kinds of principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrincipalKind {
    /// Accounts, users, roles and sessions.
    Aws,
    /// Canonical user ids of S3.
    CanonicalUser,
    /// Identity providers.
    Federated,
    /// AWS services.
    Service,
}

impl PrincipalKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Aws, Self::CanonicalUser, Self::Federated, Self::Service];

    /// As written in a document; case matters to AWS.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "AWS",
            Self::CanonicalUser => "CanonicalUser",
            Self::Federated => "Federated",
            Self::Service => "Service",
        }
    }
}

impl fmt::Display for PrincipalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The keys of a document, in the order people write them.
const DOCUMENT_KEYS: [&str; 3] = ["Version", "Id", "Statement"];

/// The keys of a statement, in the order people write them.
const STATEMENT_KEYS: [&str; 9] =
    ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];

/// More statements than AWS's largest limit of size has room for; what compares statements in pairs relies on it.
const MOST_STATEMENTS: usize = 2_000;

impl Document {
    /// A document of the current version.
    pub fn new(statements: Vec<Statement>) -> Self {
        Self { version: Some(Version::V2012), id: None, statements }
    }

    /// Reads a document in AWS's shape. Fails with everything that is wrong; paths start at the value.
    pub fn parse(value: &Value) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::default();
        let document = reader.document(value);
        match reader.problems.is_empty() {
            true => Ok(document),
            false => Err(reader.problems),
        }
    }

    /// Reads a document from JSON. An object with a key twice is an error, because of two conditions one would be lost.
    pub fn from_json(json: &str) -> Result<Self, Vec<Problem>> {
        match strict_json::parse(json) {
            Ok(value) => Self::parse(&value),
            Err(error) => Err(vec![Problem::error(code::SHAPE, Path::default(), format!("this is no JSON: {error}"))]),
        }
    }

    /// The document in AWS's shape, as [`Document::parse`] reads it back.
    pub fn to_value(&self) -> Value {
        let statements = self.statements.iter().map(Statement::to_value).collect();
        Value::Map(present([
            ("Version", self.version.map_or(Value::Null, |version| version.as_str().into())),
            ("Id", self.id.clone().unwrap_or_default()),
            ("Statement", Value::List(statements)),
        ]))
    }

    /// The document as compact JSON, keys in the usual order. Fails on unknowns and secrets.
    pub fn to_json(&self) -> Result<String, NotJson> {
        Ok(in_usual_order(self.to_value().to_json()?).to_string())
    }

    /// The document as compact JSON with its secrets in clear, for the call that hands it to AWS. Fails on unknowns.
    /// Every caller of this is a place a secret could leak from.
    pub fn to_json_exposed(&self) -> Result<String, NotJson> {
        let clear = reveal(self.to_value(), &|value| value);
        Ok(in_usual_order(clear.to_json()?).to_string())
    }

    /// The number of characters that IAM counts: all but white space between elements. What is not known yet counts as
    /// nothing, so this is a lower bound for a document with unknowns.
    pub fn size(&self) -> usize {
        let known = reveal(self.to_value(), &|value| match value {
            Value::Unknown(_) | Value::Reference(_) => Value::from(""),
            value => value,
        });
        known.to_json().map(|json| json.to_string().chars().count()).unwrap_or_default()
    }

    /// Whether policy variables (`${aws:username}`) occur, or may in what is not known yet.
    pub fn may_have_variables(&self) -> bool {
        self.statements.iter().any(Statement::may_have_variables)
    }

    /// The statement of an id.
    pub fn statement(&self, sid: &str) -> Option<&Statement> {
        self.statements.iter().find(|statement| statement.sid.as_deref() == Some(sid))
    }
}

impl Statement {
    /// Reads a statement in AWS's shape. Fails with everything that is wrong; paths start at the value.
    pub fn parse(value: &Value) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::default();
        match reader.statement(value, &Path::default()) {
            Some(statement) if reader.problems.is_empty() => Ok(statement),
            _ => Err(reader.problems),
        }
    }

    /// The statement in AWS's shape.
    pub fn to_value(&self) -> Value {
        let conditions = self.conditions.iter().map(|(operator, keys)| {
            (operator.clone(), Value::map(keys.iter().map(|(key, values)| (key.clone(), one_or_list(values)))))
        });
        Value::Map(present([
            ("Sid", self.sid.clone().into()),
            ("Effect", self.effect.as_str().into()),
            ("Principal", principals_value(&self.principals)),
            ("NotPrincipal", principals_value(&self.not_principals)),
            ("Action", list_if_any(&self.actions)),
            ("NotAction", list_if_any(&self.not_actions)),
            ("Resource", list_if_any(&self.resources)),
            ("NotResource", list_if_any(&self.not_resources)),
            ("Condition", if self.conditions.is_empty() { Value::Null } else { Value::map(conditions) }),
        ]))
    }

    /// Whether policy variables occur, or may in what is not known yet.
    pub fn may_have_variables(&self) -> bool {
        let values = self.conditions.values().flat_map(BTreeMap::values).flatten();
        self.resources.iter().chain(&self.not_resources).chain(values).any(|value| match text::exposed(value) {
            Some(text) => text.contains("${"),
            None => !value.is_known(),
        })
    }
}

fn present<const N: usize>(pairs: [(&str, Value); N]) -> Map {
    pairs.into_iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key.to_owned(), value)).collect()
}

/// AWS reads a scalar as a list of one, and people write it so.
fn one_or_list(values: &[Value]) -> Value {
    match values {
        [value] => value.clone(),
        values => Value::List(values.to_vec()),
    }
}

fn list_if_any(values: &[Value]) -> Value {
    if values.is_empty() { Value::Null } else { one_or_list(values) }
}

fn principals_value(principals: &Option<Principals>) -> Value {
    match principals {
        None => Value::Null,
        Some(Principals::Everyone) => "*".into(),
        Some(Principals::Listed(kinds)) => {
            Value::map(kinds.iter().map(|(kind, values)| (kind.as_str(), one_or_list(values))))
        }
    }
}

/// The value with secrets in clear and every part passed through `change`.
fn reveal(value: Value, change: &dyn Fn(Value) -> Value) -> Value {
    value.rebuild(&mut |value| match value {
        Value::Secret(secret) => reveal(secret.expose().clone(), change),
        value => change(value),
    })
}

fn in_usual_order(document: Json) -> Json {
    fn ordered(json: Json, keys: &[&str]) -> Json {
        match json {
            Json::Object(mut map) => Json::Object(
                keys.iter().filter_map(|key| map.remove(*key).map(|value| ((*key).to_owned(), value))).collect(),
            ),
            other => other,
        }
    }
    let mut document = ordered(document, &DOCUMENT_KEYS);
    if let Some(Json::Array(statements)) = document.get_mut("Statement") {
        for statement in statements {
            *statement = ordered(statement.take(), &STATEMENT_KEYS);
        }
    }
    document
}

/// Reads values of AWS's shape and collects what is wrong with them. The stack file's words share it.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) problems: Vec<Problem>,
}

impl Reader {
    fn wrong(&mut self, path: &Path, message: impl Into<String>) {
        self.problems.push(Problem::error(code::SHAPE, path.clone(), message));
    }

    /// The map at a path; a value whose shape is not known is a problem, since a policy's shape must be.
    pub(super) fn map<'a>(&mut self, value: &'a Value, path: &Path, what: &str) -> Option<&'a Map> {
        match value {
            Value::Map(map) => Some(map),
            other => {
                let message = format!("{what} is a map, found {}", other.kind());
                let mut problem = Problem::error(code::SHAPE, path.clone(), message);
                if !other.is_known() {
                    problem = problem.help("only the texts inside a policy may be values that AWS makes");
                }
                self.problems.push(problem);
                None
            }
        }
    }

    /// Reports keys that are none of `known`.
    pub(super) fn keys(&mut self, map: &Map, path: &Path, known: &[&str], what: &str) {
        for (key, value) in map {
            if known.contains(&key.as_str()) || value.is_null() {
                continue;
            }
            let problem = Problem::error(code::SHAPE, path.key(key), format!("{what} has no `{key}`"));
            self.problems.push(match did_you_mean(key, known.iter().copied()) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem.help(format!("it has {}", known.join(", "))),
            });
        }
    }

    fn document(&mut self, value: &Value) -> Document {
        let path = Path::default();
        let Some(map) = self.map(value, &path, "a policy document") else { return Document::default() };
        self.keys(map, &path, &DOCUMENT_KEYS, "a policy document");
        let version = match value.get("Version") {
            Value::Null => None,
            written => {
                let known = [Version::V2008, Version::V2012];
                let found = known.into_iter().find(|version| Some(version.as_str()) == written.as_str());
                if found.is_none() {
                    let message =
                        "`Version` is \"2012-10-17\" or \"2008-10-17\", a date of the language and not of the text";
                    self.wrong(&path.key("Version"), message);
                }
                found
            }
        };
        let id = match value.get("Id") {
            Value::Null => None,
            id => self.text(id, &path.key("Id"), "`Id`"),
        };
        let at = path.key("Statement");
        let statements: Vec<Statement> = match value.get("Statement") {
            Value::Null => {
                self.wrong(&path, "a policy document has `Statement`, and this has none");
                Vec::new()
            }
            Value::List(list) if self.countable(list.len(), &at) => {
                list.iter().enumerate().filter_map(|(index, item)| self.statement(item, &at.index(index))).collect()
            }
            Value::List(_) => Vec::new(),
            single => self.statement(single, &at).into_iter().collect(),
        };
        self.unique_sids(&statements, &at);
        Document { version, id, statements }
    }

    /// Whether so many statements, grants or entries are worth reading.
    pub(super) fn countable(&mut self, count: usize, path: &Path) -> bool {
        if count > MOST_STATEMENTS {
            self.wrong(path, format!("{count} are more than fit into any policy of AWS"));
        }
        count <= MOST_STATEMENTS
    }

    fn unique_sids(&mut self, statements: &[Statement], path: &Path) {
        let mut seen = BTreeSet::new();
        for (index, statement) in statements.iter().enumerate() {
            if let Some(sid) = &statement.sid
                && !seen.insert(sid)
            {
                let message = format!("two statements have the Sid `{sid}`");
                self.problems.push(Problem::error(code::SID, path.index(index).key("Sid"), message));
            }
        }
    }

    fn statement(&mut self, value: &Value, path: &Path) -> Option<Statement> {
        let map = self.map(value, path, "a statement")?;
        self.keys(map, path, &STATEMENT_KEYS, "a statement");
        let sid = match value.get("Sid") {
            Value::Null => None,
            Value::String(sid) => Some(sid.clone()).filter(|sid| !sid.is_empty()),
            other => {
                self.wrong(&path.key("Sid"), format!("`Sid` is a string, found {}", other.kind()));
                None
            }
        };
        let effect = self.effect(value.get("Effect"), &path.key("Effect"), "Effect", None);
        let statement = Statement {
            sid,
            effect: effect.unwrap_or_default(),
            principals: self.principals(value.get("Principal"), &path.key("Principal")),
            not_principals: self.principals(value.get("NotPrincipal"), &path.key("NotPrincipal")),
            actions: self.texts(value.get("Action"), &path.key("Action"), "an action"),
            not_actions: self.texts(value.get("NotAction"), &path.key("NotAction"), "an action"),
            resources: self.texts(value.get("Resource"), &path.key("Resource"), "a resource"),
            not_resources: self.texts(value.get("NotResource"), &path.key("NotResource"), "a resource"),
            conditions: self.conditions(value.get("Condition"), &path.key("Condition")),
        };
        self.pairs(map, path, [("Principal", "NotPrincipal"), ("Action", "NotAction"), ("Resource", "NotResource")]);
        self.has_actions(map, path, ["Action", "NotAction"]);
        Some(statement)
    }

    /// Reports pairs of keys of which a statement may have one.
    pub(super) fn pairs<const N: usize>(&mut self, map: &Map, path: &Path, pairs: [(&str, &str); N]) {
        let written = |key: &str| map.get(key).is_some_and(|value| !value.is_null());
        for (one, other) in pairs {
            if written(one) && written(other) {
                self.wrong(path, format!("a statement has `{one}` or `{other}`, not both"));
            }
        }
    }

    /// Reports a statement about no action.
    pub(super) fn has_actions(&mut self, map: &Map, path: &Path, [actions, not_actions]: [&str; 2]) {
        if [actions, not_actions].iter().all(|key| map.get(*key).is_none_or(Value::is_null)) {
            self.wrong(path, format!("a statement has `{actions}` or `{not_actions}`, and this has neither"));
        }
    }

    /// Reads an effect; `default` is that of an absent one.
    pub(super) fn effect(&mut self, value: &Value, path: &Path, key: &str, default: Option<Effect>) -> Option<Effect> {
        if let (Value::Null, Some(effect)) = (value, default) {
            return Some(effect);
        }
        let effect = value.as_str().and_then(Effect::parse);
        if effect.is_none() {
            let found = match value {
                Value::Null => "nothing".to_owned(),
                Value::String(text) => format!("\"{text}\""),
                other => other.kind().to_owned(),
            };
            self.wrong(path, format!("`{key}` is \"Allow\" or \"Deny\", found {found}"));
        }
        effect
    }

    fn text(&mut self, value: &Value, path: &Path, what: &str) -> Option<Value> {
        if !text::is_text(value) {
            self.wrong(path, format!("{what} is a string, found {}", value.kind()));
            return None;
        }
        Some(value.clone())
    }

    /// A text or a list of texts; null is none, an empty list is a problem.
    pub(super) fn texts(&mut self, value: &Value, path: &Path, what: &str) -> Vec<Value> {
        match value {
            Value::Null => Vec::new(),
            Value::List(list) => {
                if list.is_empty() {
                    self.wrong(path, format!("expected {what} at least, found an empty list"));
                }
                let items = list.iter().enumerate();
                items.filter_map(|(index, item)| self.text(item, &path.index(index), what)).collect()
            }
            single => self.text(single, path, what).into_iter().collect(),
        }
    }

    /// Principals in AWS's shape.
    pub(super) fn principals(&mut self, value: &Value, path: &Path) -> Option<Principals> {
        match value {
            Value::Null => return None,
            Value::String(text) if text == "*" => return Some(Principals::Everyone),
            _ => {}
        }
        let known = PrincipalKind::ALL.map(PrincipalKind::as_str);
        let map = self.map(value, path, "principals other than \"*\"")?;
        self.keys(map, path, &known, "a principal");
        let mut listed = BTreeMap::new();
        for kind in PrincipalKind::ALL {
            let values = self.texts(value.get(kind.as_str()), &path.key(kind.as_str()), "a principal");
            if !values.is_empty() {
                listed.insert(kind, values);
            }
        }
        if listed.is_empty() {
            self.wrong(path, "this names no principal");
        }
        Some(Principals::Listed(listed))
    }

    /// Conditions in AWS's shape, which is the stack file's too.
    pub(super) fn conditions(&mut self, value: &Value, path: &Path) -> Conditions {
        let mut conditions = Conditions::new();
        if value.is_null() {
            return conditions;
        }
        let Some(operators) = self.map(value, path, "a condition") else { return conditions };
        for (operator, keys) in operators {
            let path = path.key(operator);
            if keys.is_null() {
                self.null_condition(&path);
                continue;
            }
            let Some(keys) = self.map(keys, &path, &format!("what `{operator}` compares")) else { continue };
            let mut read: BTreeMap<String, Vec<Value>> = BTreeMap::new();
            let mut seen: BTreeMap<String, &str> = BTreeMap::new();
            for (key, values) in keys {
                if values.is_null() {
                    self.null_condition(&path.key(key));
                    continue;
                }
                // AWS ignores the case of keys, so these two would be one.
                if let Some(same) = seen.insert(key.to_ascii_lowercase(), key) {
                    let message = format!("`{same}` and `{key}` are one condition key to AWS");
                    self.wrong(&path.key(key), message);
                }
                let values = self.condition_values(values, &path.key(key));
                read.insert(key.clone(), values);
            }
            conditions.insert(operator.clone(), read);
        }
        conditions
    }

    /// Elsewhere null is as if nothing were written. Here that would quietly open what the condition was to close.
    fn null_condition(&mut self, path: &Path) {
        let problem = Problem::error(code::SHAPE, path.clone(), "this condition is null, and would be left out");
        self.problems.push(problem.help("give it a value; a statement without it is another statement"));
    }

    fn condition_values(&mut self, value: &Value, path: &Path) -> Vec<Value> {
        let single = |value: &Value| {
            text::is_text(value) || matches!(value, Value::Bool(_) | Value::Integer(_) | Value::Float(_))
        };
        let places: Vec<(Path, &Value)> = match value {
            Value::List(list) => list.iter().enumerate().map(|(index, item)| (path.index(index), item)).collect(),
            value => vec![(path.clone(), value)],
        };
        for (path, value) in &places {
            if !single(value) {
                self.wrong(path, format!("a condition's value is a string, bool or number, found {}", value.kind()));
            }
        }
        places.into_iter().map(|(_, value)| value.clone()).collect()
    }
}

#[cfg(test)]
#[path = "document_tests.rs"]
pub(crate) mod tests;
