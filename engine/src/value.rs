//! Values of the stack language: what an expression yields, what a property holds, what state keeps.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::address::{Address, Path, Step};

mod map;

pub use map::Map;

/// A value.
///
/// `Unknown` and `Secret` may stand anywhere inside a list or map, so that what is known about a document stays known.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// Absent. A property set to null is as if it were not written.
    #[default]
    Null,
    /// true or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction; always finite.
    Float(f64),
    /// A text.
    String(String),
    /// A list.
    List(Vec<Value>),
    /// A map or object.
    Map(Map),
    /// A resource as a whole: in reference properties, grants, and outputs that are resources.
    Reference(Address),
    /// A value that AWS will make.
    Unknown(Box<Unknown>),
    /// A value nobody may see.
    Secret(Secret),
}

/// A value that is not known before something was created.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    /// An attribute that AWS makes, as its type declares.
    Attribute {
        /// The resource that will have it.
        address: Address,
        /// The attribute's name.
        name: String,
        /// Whether the attribute will be a secret.
        sensitive: bool,
    },
    /// An expression with an unknown in it, closed over everything it names: known once those are known.
    Expression {
        /// The expression's source text.
        source: String,
        /// What it names, as far as that is known now.
        scope: Map,
    },
}

/// A value that is never shown: it has no `Display`, its `Debug` hides it, and it cannot be serialized.
#[derive(Clone, PartialEq)]
pub struct Secret(Box<Value>);

impl Secret {
    /// Wraps a value; wrapping twice is wrapping once.
    pub fn new(value: Value) -> Self {
        match value {
            Value::Secret(secret) => secret,
            value => Self(Box::new(value)),
        }
    }

    /// The value itself. Every caller of this is a place a secret could leak from.
    pub fn expose(&self) -> &Value {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Value {
    /// A list of texts.
    pub fn strings<I: IntoIterator<Item = S>, S: Into<String>>(items: I) -> Self {
        Self::List(items.into_iter().map(|item| Self::String(item.into())).collect())
    }

    /// A map from pairs.
    pub fn map<I: IntoIterator<Item = (S, Value)>, S: Into<String>>(pairs: I) -> Self {
        Self::Map(pairs.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    /// What kind of value this is, in the words of messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a bool",
            Self::Integer(_) | Self::Float(_) => "a number",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
            Self::Reference(_) => "a resource",
            Self::Unknown(_) => "a value that AWS makes",
            Self::Secret(secret) => secret.expose().kind(),
        }
    }

    /// Whether this is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text, if this is a text; looks into no secret.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The bool, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The whole number, if this is one.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// The map, if this is one.
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The list, if this is one.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }

    /// A member of a map; null when there is none.
    pub fn get(&self, key: &str) -> &Value {
        const NULL: &Value = &Value::Null;
        self.as_map().and_then(|map| map.get(key)).unwrap_or(NULL)
    }

    /// The value at a path; `None` when the path leads nowhere.
    pub fn at(&self, path: &Path) -> Option<&Value> {
        path.0.iter().try_fold(self, |value, step| match (step, value) {
            (Step::Key(key), Self::Map(map)) => map.get(key),
            (Step::Index(index), Self::List(list)) => list.get(*index),
            _ => None,
        })
    }

    /// Whether nothing in this value is unknown.
    pub fn is_known(&self) -> bool {
        !self.any(&|value| matches!(value, Self::Unknown(_)))
    }

    /// Whether something in this value is secret, now or once it is known.
    pub fn is_sensitive(&self) -> bool {
        self.any(&|value| match value {
            Self::Secret(_) => true,
            Self::Unknown(unknown) => unknown.is_sensitive(),
            _ => false,
        })
    }

    fn any(&self, test: &dyn Fn(&Value) -> bool) -> bool {
        test(self)
            || match self {
                Self::List(list) => list.iter().any(|value| value.any(test)),
                Self::Map(map) => map.values().any(|value| value.any(test)),
                Self::Secret(secret) => secret.expose().any(test),
                _ => false,
            }
    }

    /// Calls `visit` for this value and everything in it, with the path from here; looks into no secret.
    pub fn walk<'a>(&'a self, path: &Path, visit: &mut dyn FnMut(&Path, &'a Value)) {
        visit(path, self);
        match self {
            Self::List(list) => list.iter().enumerate().for_each(|(at, value)| value.walk(&path.index(at), visit)),
            Self::Map(map) => map.iter().for_each(|(key, value)| value.walk(&path.key(key), visit)),
            _ => {}
        }
    }

    /// Rebuilds the value bottom up with every part passed through `change`; looks into no secret.
    pub fn rebuild(self, change: &mut dyn FnMut(Value) -> Value) -> Value {
        let value = match self {
            Self::List(list) => Self::List(list.into_iter().map(|value| value.rebuild(change)).collect()),
            Self::Map(map) => Self::Map(map.into_iter().map(|(key, value)| (key, value.rebuild(change))).collect()),
            value => value,
        };
        change(value)
    }

    /// The value as JSON. Fails on what JSON must not or cannot hold: secrets, unknowns, references.
    pub fn to_json(&self) -> Result<serde_json::Value, NotJson> {
        use serde_json::Value as Json;
        Ok(match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Integer(value) => Json::from(*value),
            Self::Float(value) => Json::from(*value),
            Self::String(text) => Json::String(text.clone()),
            Self::List(list) => Json::Array(list.iter().map(Value::to_json).collect::<Result<_, _>>()?),
            Self::Map(map) => Json::Object(
                map.iter().map(|(key, value)| Ok((key.clone(), value.to_json()?))).collect::<Result<_, _>>()?,
            ),
            Self::Reference(_) => return Err(NotJson("a resource")),
            Self::Unknown(_) => return Err(NotJson("a value that AWS makes")),
            Self::Secret(_) => return Err(NotJson("a secret")),
        })
    }

    /// A value from JSON. Numbers beyond 64 bits become floats.
    pub fn from_json(json: serde_json::Value) -> Self {
        use serde_json::Value as Json;
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(value),
            Json::Number(number) => match number.as_i64() {
                Some(value) => Self::Integer(value),
                None => Self::Float(number.as_f64().unwrap_or_default()),
            },
            Json::String(text) => Self::String(text),
            Json::Array(list) => Self::List(list.into_iter().map(Self::from_json).collect()),
            Json::Object(map) => Self::Map(map.into_iter().map(|(key, value)| (key, Self::from_json(value))).collect()),
        }
    }
}

/// What kept a value from becoming JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} cannot be written as JSON")]
pub struct NotJson(pub &'static str);

impl Unknown {
    /// Whether the value will be secret once it is known.
    pub fn is_sensitive(&self) -> bool {
        match self {
            Self::Attribute { sensitive, .. } => *sensitive,
            Self::Expression { scope, .. } => scope.values().any(Value::is_sensitive),
        }
    }

    /// The attributes this value waits for.
    pub fn waits_for(&self) -> Vec<(&Address, &str)> {
        fn of<'a>(value: &'a Value, found: &mut Vec<(&'a Address, &'a str)>) {
            match value {
                Value::Unknown(unknown) => found.extend(unknown.waits_for()),
                Value::List(list) => list.iter().for_each(|value| of(value, found)),
                Value::Map(map) => map.values().for_each(|value| of(value, found)),
                Value::Secret(secret) => of(secret.expose(), found),
                _ => {}
            }
        }
        match self {
            Self::Attribute { address, name, .. } => vec![(address, name)],
            Self::Expression { scope, .. } => {
                let mut found = Vec::new();
                scope.values().for_each(|value| of(value, &mut found));
                found
            }
        }
    }
}

impl From<Unknown> for Value {
    fn from(unknown: Unknown) -> Self {
        Self::Unknown(Box::new(unknown))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(list: Vec<T>) -> Self {
        Self::List(list.into_iter().map(Into::into).collect())
    }
}

/// Marks the one-key objects in which references and unknowns are stored; such a key in a plain map is escaped.
const MARK: &str = "$s3stack";

impl Serialize for Value {
    /// Plain JSON for plain values, `{"$s3stack": {…}}` for references and unknowns. A secret is an error: whoever
    /// stores a document removes the secrets first, on purpose.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::{Error, SerializeMap};
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::String(text) => serializer.serialize_str(text),
            Self::List(list) => serializer.collect_seq(list),
            Self::Map(map) if map.contains_key(MARK) => {
                let mut outer = serializer.serialize_map(Some(1))?;
                outer.serialize_entry(MARK, &Marked::Map(map.clone().into_iter().collect()))?;
                outer.end()
            }
            Self::Map(map) => serializer.collect_map(map),
            Self::Reference(address) => {
                let mut outer = serializer.serialize_map(Some(1))?;
                outer.serialize_entry(MARK, &Marked::Reference(address.clone()))?;
                outer.end()
            }
            Self::Unknown(unknown) => {
                let mut outer = serializer.serialize_map(Some(1))?;
                outer.serialize_entry(MARK, &Marked::Unknown(unknown.clone()))?;
                outer.end()
            }
            Self::Secret(_) => Err(S::Error::custom("a secret must not be stored")),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Marked {
    Reference(Address),
    Unknown(Box<Unknown>),
    Map(Vec<(String, Value)>),
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        fn unmark(value: Value) -> Result<Value, serde_json::Error> {
            Ok(match value {
                Value::Map(mut map) if map.len() == 1 && map.contains_key(MARK) => {
                    let inner = map.remove(MARK).unwrap_or_default();
                    let json = inner.to_json().map_err(serde_json::Error::custom)?;
                    match serde_json::from_value(json)? {
                        Marked::Reference(address) => Value::Reference(address),
                        Marked::Unknown(unknown) => Value::Unknown(unknown),
                        Marked::Map(pairs) => Value::Map(pairs.into_iter().collect()),
                    }
                }
                Value::Map(map) => Value::Map(
                    map.into_iter()
                        .map(|(key, value)| Ok((key, unmark(value)?)))
                        .collect::<Result<_, serde_json::Error>>()?,
                ),
                Value::List(list) => Value::List(list.into_iter().map(unmark).collect::<Result<_, _>>()?),
                value => value,
            })
        }
        let json = serde_json::Value::deserialize(deserializer)?;
        unmark(Value::from_json(json)).map_err(D::Error::custom)
    }
}

/// What stands for a value that could not be had, which was told.
pub fn broken() -> Value {
    Value::from(Unknown::Expression { source: String::new(), scope: Map::new() })
}

/// Whether a value is [`broken`], or could not be had because something that it is made from is.
pub fn is_broken(value: &Value) -> bool {
    match value {
        Value::Unknown(unknown) => match unknown.as_ref() {
            Unknown::Expression { source, scope } => source.is_empty() || scope.values().any(is_broken),
            Unknown::Attribute { .. } => false,
        },
        Value::List(list) => list.iter().any(is_broken),
        Value::Map(map) => map.values().any(is_broken),
        Value::Secret(secret) => is_broken(secret.expose()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> Value {
        Value::from(Unknown::Attribute {
            address: Address::root("iam.access_key", "app"),
            name: "id".into(),
            sensitive: false,
        })
    }

    #[test]
    fn references_unknowns_and_marked_maps_survive_storage() {
        let value = Value::map([
            ("reference", Value::Reference(Address::root("s3.bucket", "data"))),
            ("unknown", id()),
            ("marked", Value::map([(MARK, Value::from("mine"))])),
            ("plain", Value::strings(["a", "b"])),
        ]);
        let text = serde_json::to_string(&value).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn a_secret_is_neither_stored_nor_shown() {
        let secret = Value::map([("key", Value::Secret(Secret::new("canary".into())))]);
        assert!(serde_json::to_string(&secret).is_err());
        assert!(secret.to_json().is_err());
        assert!(!format!("{secret:?}").contains("canary"));
    }

    #[test]
    fn what_an_expression_waits_for_is_found_inside_its_scope() {
        let unknown =
            Unknown::Expression { source: "f(x)".into(), scope: [("x".to_owned(), Value::List(vec![id()]))].into() };
        assert_eq!(unknown.waits_for(), [(&Address::root("iam.access_key", "app"), "id")]);
    }
}
