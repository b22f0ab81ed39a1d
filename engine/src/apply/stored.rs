//! What of a value may be stored, and how what was applied and what was tried come together.

use super::model::Seal;
use crate::resource::ResourceType;
use crate::value::{Map, Unknown, Value};

/// The managed properties as state may hold them: secrets sealed, and for what is unknown whatever `old` has there (an
/// attribute of a resource that stays as it is was settled when that was made).
pub(super) fn storable(map: &Map, seal: &Seal, old: &Map) -> Map {
    map.iter()
        .filter_map(|(key, value)| Some((key.clone(), storable_value(value, seal, old.get(key))?)))
        .filter(|(_, value)| !value.is_null())
        .collect()
}

fn storable_value(value: &Value, seal: &Seal, old: Option<&Value>) -> Option<Value> {
    Some(match value {
        Value::Secret(_) if value.is_known() => seal(value),
        Value::Secret(_) | Value::Unknown(_) => {
            return old.filter(|old| !old.is_sensitive() && old.is_known()).cloned();
        }
        Value::Map(map) => Value::Map(
            map.iter()
                .filter_map(|(key, value)| {
                    let old = old.and_then(Value::as_map).and_then(|old| old.get(key));
                    Some((key.clone(), storable_value(value, seal, old)?))
                })
                .collect(),
        ),
        // A list is whole: with a part of it missing it would be another list.
        Value::List(list) => {
            let parts: Option<Vec<Value>> = list.iter().map(|item| storable_value(item, seal, None)).collect();
            match parts {
                Some(parts) => Value::List(parts),
                None => return old.cloned(),
            }
        }
        value => value.clone(),
    })
}

/// The managed properties of an operation that has not begun: as [`storable`], but what is unknown stays marked as such,
/// because which paths were tried must be known even where their values are not.
pub(super) fn intended(map: &Map, seal: &Seal) -> Map {
    map.iter().map(|(key, value)| (key.clone(), intended_value(value, seal))).collect()
}

fn intended_value(value: &Value, seal: &Seal) -> Value {
    match value {
        Value::Secret(secret) => match first_unknown(secret.expose()) {
            Some(unknown) => unknown,
            None => seal(value),
        },
        Value::Unknown(_) => first_unknown(value).unwrap_or_default(),
        Value::Map(map) => Value::Map(intended(map, seal)),
        Value::List(list) => Value::List(list.iter().map(|item| intended_value(item, seal)).collect()),
        value => value.clone(),
    }
}

/// The first attribute that a value waits for: what remains of an expression whose scope may hold secrets.
fn first_unknown(value: &Value) -> Option<Value> {
    match value {
        Value::Unknown(unknown) => unknown.waits_for().first().map(|(address, name)| {
            let (address, name) = ((*address).clone(), (*name).to_owned());
            Value::from(Unknown::Attribute { address, name, sensitive: unknown.is_sensitive() })
        }),
        Value::Map(map) => map.values().find_map(first_unknown),
        Value::List(list) => list.iter().find_map(first_unknown),
        Value::Secret(secret) => first_unknown(secret.expose()),
        _ => None,
    }
}

/// The attributes that may be stored: known ones that are no secret, neither by value nor by declaration.
pub(super) fn attributes(map: &Map, kind: Option<&dyn ResourceType>) -> Map {
    let is_secret =
        |name: &str| kind.and_then(|kind| kind.schema().attributes.get(name)).is_some_and(|found| found.sensitive);
    map.iter()
        .filter(|(name, value)| {
            !is_secret(name) && value.is_known() && !value.is_sensitive() && !matches!(value, Value::Null)
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// What was applied, and over it what was tried: a property stays until its reset was confirmed.
pub(super) fn union(applied: &Map, tried: &Map) -> Map {
    let mut both = applied.clone();
    for (key, tried) in tried {
        match (both.get_mut(key), tried) {
            (Some(Value::Map(old)), Value::Map(new)) => *old = union(old, new),
            (Some(_), Value::Null) => {}
            (_, tried) => {
                both.insert(key.clone(), tried.clone());
            }
        }
    }
    both
}

/// [`union`] for an operation of unknown effect. What AWS never tells is marked where the operation tried to change it: with
/// the old or the new value in its place, the next plan would take that for applied.
pub(super) fn attempted(applied: &Map, tried: &Map, kind: Option<&dyn ResourceType>) -> Map {
    let mut both = union(applied, tried);
    let Some(kind) = kind else { return both };
    for (name, value) in &mut both {
        let is_write_only = kind.schema().properties.get(name).is_some_and(|property| property.write_only);
        if is_write_only && applied.get(name) != tried.get(name) {
            *value = mark();
        }
    }
    both
}

/// What was tried, as far as it is known now: what is unknown is taken from what AWS has, or marked where that is a secret or
/// nothing.
pub(super) fn tried(map: &Map, live: &Map) -> Map {
    let nothing = Map::new();
    map.iter()
        .map(|(key, value)| {
            let live = live.get(key).filter(|live| !live.is_sensitive() && live.is_known());
            let value = match (value, live) {
                (Value::Map(inner), live) => Value::Map(tried(inner, live.and_then(Value::as_map).unwrap_or(&nothing))),
                (value, _) if value.is_known() => value.clone(),
                (_, Some(live)) => live.clone(),
                (_, None) => mark(),
            };
            (key.clone(), value)
        })
        .collect()
}

/// What stands for a value that was tried and that nobody knows: unlike any value, so that the next plan writes or resets
/// the property.
fn mark() -> Value {
    Value::map([("$unconfirmed", Value::from(true))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::value::Secret;

    fn unknown(sensitive: bool) -> Value {
        Value::from(Unknown::Attribute { address: Address::root("fake.key", "k"), name: "id".into(), sensitive })
    }

    fn map<const N: usize>(pairs: [(&str, Value); N]) -> Map {
        pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    fn seal(_: &Value) -> Value {
        "sealed".into()
    }

    #[test]
    fn what_is_stored_has_neither_secrets_nor_unknowns() {
        let secret = Value::Secret(Secret::new("canary".into()));
        let nested = Value::map([("a", secret.clone()), ("b", unknown(false)), ("c", Value::from(true))]);
        let stored = storable(
            &map([("nested", nested), ("list", Value::List(vec![unknown(false)])), ("gone", Value::Null)]),
            &seal,
            &map([("list", Value::strings(["old"]))]),
        );
        let expected = map([
            ("nested", Value::map([("a", Value::from("sealed")), ("c", Value::from(true))])),
            ("list", Value::strings(["old"])),
        ]);
        assert_eq!(stored, expected);
    }

    #[test]
    fn an_intended_expression_keeps_the_path_but_not_the_secrets_of_its_scope() {
        let scope = [("k".to_owned(), unknown(false)), ("s".to_owned(), Value::Secret(Secret::new("canary".into())))];
        let expression = Value::from(Unknown::Expression { source: "f(k, s)".into(), scope: scope.into() });
        let kept = intended(&map([("p", expression)]), &seal);
        assert_eq!(kept["p"], unknown(true));
        assert!(serde_json::to_string(&kept).is_ok());
    }

    #[test]
    fn a_property_stays_in_the_union_until_its_reset_is_confirmed() {
        let applied = map([("a", Value::from(true)), ("t", Value::map([("x", Value::from("1"))]))]);
        let tried = map([("a", Value::Null), ("t", Value::map([("y", Value::from("2"))]))]);
        let both = union(&applied, &tried);
        assert_eq!(both["a"], Value::from(true));
        assert_eq!(both["t"], Value::map([("x", Value::from("1")), ("y", Value::from("2"))]));
    }

    #[test]
    fn sensitive_attributes_are_not_stored() {
        let secret = Value::Secret(Secret::new("canary".into()));
        assert_eq!(
            attributes(&map([("secret", secret), ("id", "i".into()), ("u", unknown(false))]), None),
            map([("id", "i".into())])
        );
    }
}
