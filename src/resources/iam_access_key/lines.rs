//! The lines that a key wants in its `.env` file.
//!
//! A line without the secret has a text. One with it has a recipe, which says in plan and state how the text is made and
//! not what it is: `{ secret = "postgres://${self.id}:${self.secret}@db" }`. A table cannot be mistaken for a text that
//! just looks like an expression.

use s3stack_engine::address::Address;
use s3stack_engine::expression::settle;
use s3stack_engine::fault::{Fault, FaultKind};
use s3stack_engine::value::{Map, Secret, Unknown, Value};
use sha2::{Digest as _, Sha256};

/// The expression of a recipe.
const RECIPE: &str = "secret";
/// What a recipe's expression names besides the key itself.
const SCOPE: &str = "scope";
/// The ways other than `self.…` in which a recipe's expression names the key's attributes.
const OWN: &str = "own";

/// Stands for the secret where only its place in a text matters. No text of a stack file has control characters.
const PLACEHOLDER: &str = "\u{1}secret\u{1}";

/// What AWS made.
#[derive(Clone, Copy)]
pub(super) struct Made<'a> {
    /// The key's address, by which its own attributes are known.
    pub own: &'a Address,
    /// The key's id.
    pub id: &'a str,
    /// Its secret; absent where it is not to be had.
    pub secret: Option<&'a str>,
}

/// The managed form of a line's value. `id` is the key's, where it is known.
pub(super) fn managed(value: &Value, own: &Address, id: Option<&str>) -> Value {
    let unknown = match value {
        Value::Unknown(unknown) => unknown.as_ref(),
        Value::Secret(secret) => match secret.expose() {
            Value::Unknown(unknown) => unknown.as_ref(),
            _ => return value.clone(),
        },
        value => return value.clone(),
    };
    let has_secret = unknown.waits_for().into_iter().any(|(address, name)| address == own && name == "secret");
    match unknown {
        _ if !has_secret => value.clone(),
        Unknown::Attribute { .. } => Value::map([(RECIPE, Value::from("${self.secret}"))]),
        Unknown::Expression { source, scope } => {
            // Once the id is known it stands in the text; the recipe stays what it was before.
            let source = id.map_or_else(|| source.clone(), |id| source.replace(id, "${self.id}"));
            let mut recipe = Map::from([(RECIPE.to_owned(), source.into())]);
            let (mut others, mut named) = (Map::new(), Map::new());
            for (key, value) in scope {
                match own_attribute(key, value, own, id) {
                    Some(name) if *key == format!("self.{name}") => {}
                    Some(name) => drop(named.insert(key.clone(), name.into())),
                    None => drop(others.insert(key.clone(), value.clone())),
                }
            }
            for (key, part) in [(SCOPE, others), (OWN, named)] {
                if !part.is_empty() {
                    recipe.insert(key.to_owned(), Value::Map(part));
                }
            }
            Value::Map(recipe)
        }
    }
}

/// Which of the key's own attributes an entry of a scope is.
fn own_attribute(key: &str, value: &Value, own: &Address, id: Option<&str>) -> Option<&'static str> {
    match value {
        Value::Unknown(unknown) => match unknown.as_ref() {
            Unknown::Attribute { address, name, .. } if address == own => {
                ["id", "secret"].into_iter().find(|own| own == name)
            }
            _ => None,
        },
        Value::String(text) if Some(text.as_str()) == id && key.ends_with(".id") => Some("id"),
        _ => None,
    }
}

/// Whether the line holds the secret.
pub(super) fn is_recipe(line: &Value) -> bool {
    matches!(line.get(RECIPE), Value::String(_))
}

/// Whether a line has the key's id in it, as far as can be told: it waits for it, or has it.
pub(super) fn has_id(line: &Value, own: &Address, id: Option<&str>) -> bool {
    match line {
        Value::Unknown(unknown) => unknown.waits_for().contains(&(own, "id")),
        Value::String(text) => id.is_some_and(|id| text.contains(id)),
        _ => false,
    }
}

/// Whether a recipe has anything in it that is a secret of somebody else.
pub(super) fn has_other_secret(line: &Value) -> bool {
    line.get(SCOPE).is_sensitive()
}

/// The text of a line.
///
/// # Errors
/// If the expression cannot be computed, or something in it is not known; the message tells nothing secret.
pub(super) fn text(line: &Value, made: Made<'_>) -> Result<String, Fault> {
    let attribute = |name: &str, sensitive| {
        Value::from(Unknown::Attribute { address: made.own.clone(), name: name.to_owned(), sensitive })
    };
    let value = match line.get(RECIPE) {
        Value::String(source) => {
            let mut scope = line.get(SCOPE).as_map().cloned().unwrap_or_default();
            scope.insert("self.id".into(), attribute("id", false));
            scope.insert("self.secret".into(), attribute("secret", true));
            for (key, name) in line.get(OWN).as_map().into_iter().flatten() {
                let name = name.as_str().unwrap_or_default();
                scope.insert(key.clone(), attribute(name, name == "secret"));
            }
            Value::from(Unknown::Expression { source: source.clone(), scope })
        }
        _ => line.clone(),
    };
    let known = |address: &Address, name: &str| match name {
        "id" if address == made.own => Some(Value::from(made.id)),
        "secret" if address == made.own => made.secret.map(Value::from),
        _ => None,
    };
    let invalid = |message: String| Fault::local(FaultKind::Invalid, "env_file", message);
    let value = settle(value, &known).map_err(|found| {
        let messages: Vec<_> = found.0.into_iter().map(|diagnostic| diagnostic.message).collect();
        invalid(format!("a line of `env_file` cannot be computed: {}", messages.join("; ")))
    })?;
    match plain(&value) {
        Some(text) => Ok(text),
        None => Err(invalid(format!("a line of `env_file` comes to {}, not to a text", value.kind()))),
    }
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Secret(secret) => plain(secret.expose()),
        Value::Bool(_) | Value::Integer(_) | Value::Float(_) => Some(value.to_json().ok()?.to_string()),
        _ => None,
    }
}

/// The secret in the text of a recipe's line, where it stands there as it is and not as an argument of some function.
pub(super) fn secret_in(line: &Value, own: &Address, id: &str, actual: &str) -> Option<String> {
    let pattern = text(line, Made { own, id, secret: Some(PLACEHOLDER) }).ok()?;
    let (before, after) = pattern.split_once(PLACEHOLDER).filter(|(_, after)| !after.contains(PLACEHOLDER))?;
    let secret = actual.strip_prefix(before)?.strip_suffix(after)?;
    (!secret.is_empty()).then(|| secret.to_owned())
}

/// Whether the secret can be taken from such a line again, [`secret_in`]. Told by the expression alone, since what else it
/// names may not be known yet.
pub(super) fn gives_secret_back(line: &Value) -> bool {
    let Value::String(source) = line.get(RECIPE) else { return false };
    let own = line.get(OWN).as_map().into_iter().flatten().filter(|(_, name)| name.as_str() == Some("secret"));
    let names = own.map(|(key, _)| key.trim_start_matches('@').to_owned()).chain(["self.secret".to_owned()]);
    names.map(|name| source.matches(&format!("${{{name}}}")).count()).sum::<usize>() == 1
        && source.matches("secret").count() == 1
}

/// Names a secret without telling it: SHA-256 of the key's id and secret, in lower-case hex.
pub(super) fn digest(id: &str, secret: &str) -> String {
    let bytes = Sha256::digest(format!("s3stack access key\n{id}\n{secret}").as_bytes());
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A secret as a value.
pub(super) fn hidden(text: impl Into<Value>) -> Value {
    Value::Secret(Secret::new(text.into()))
}
