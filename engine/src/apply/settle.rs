//! Puts what is known by now in the place of what was unknown.

use crate::address::Address;
use crate::value::{Map, Secret, Unknown, Value};

/// What an attribute of a resource came to; `None` while it is not known.
pub(super) type Lookup<'a> = dyn Fn(&Address, &str) -> Option<Value> + 'a;

/// The value with every unknown attribute that `lookup` knows replaced by it.
pub(super) fn settle(value: &Value, lookup: &Lookup<'_>) -> Value {
    match value {
        Value::Unknown(Unknown::Attribute { address, name, sensitive }) => match lookup(address, name) {
            Some(known) if *sensitive => Value::Secret(Secret::new(known)),
            Some(known) => known,
            None => value.clone(),
        },
        Value::List(list) => Value::List(list.iter().map(|item| settle(item, lookup)).collect()),
        Value::Map(map) => Value::Map(settle_map(map, lookup)),
        Value::Secret(secret) => Value::Secret(Secret::new(settle(secret.expose(), lookup))),
        value => value.clone(),
    }
}

/// [`settle`] for each value of a map.
pub(super) fn settle_map(map: &Map, lookup: &Lookup<'_>) -> Map {
    map.iter().map(|(key, value)| (key.clone(), settle(value, lookup))).collect()
}
