//! Functions of maps and sets.

use std::collections::BTreeMap;

use super::lists::in_set;
use super::types::{set, sets};
use super::{Function, Refusal};
use crate::expression::text;
use crate::value::{Map, Value};

pub(super) const KEYS: Function = Function::through(
    "keys(map)",
    "The keys of the map, in order.",
    "keys({ b = 1, a = 2 })",
    r#"["a", "b"]"#,
    |arguments| Ok(Value::strings(arguments.map(0)?.into_keys())),
);

pub(super) const VALUES: Function = Function::through(
    "values(map)",
    "The values of the map, in the order of the keys.",
    "values({ b = 1, a = 2 })",
    "[2, 1]",
    |arguments| Ok(Value::List(arguments.map(0)?.into_values().collect())),
);

pub(super) const LOOKUP: Function = Function::through(
    "lookup(map, key, [default])",
    "The value of the key, or the default if there is none.",
    r#"lookup({ a = 1 }, "b", 0)"#,
    "0",
    |arguments| {
        let (mut map, key) = (arguments.map(0)?, arguments.text(1)?);
        match map.remove(&key) {
            Some(value) => Ok(value),
            None if arguments.has(2) => Ok(arguments.value(2)),
            None => Err(Refusal::new(format!("there is no `{key}` and no default")).about(1)),
        }
    },
);

pub(super) const MERGE: Function = Function::through(
    "merge(maps...)",
    "The entries of all maps in one; later maps win, and null counts as an empty map.",
    "merge({ a = 1, b = 1 }, { b = 2 })",
    "{ a = 1, b = 2 }",
    |arguments| {
        let mut merged = Map::new();
        for (at, value) in arguments.all().into_iter().enumerate() {
            match value {
                Value::Null => {}
                Value::Map(map) => merged.extend(map),
                value => return Err(arguments.wrong(at, "maps", &value)),
            }
        }
        Ok(Value::Map(merged))
    },
);

pub(super) const ZIPMAP: Function = Function::whole(
    "zipmap(keys, values)",
    "The map of the keys to the values at the same place.",
    r#"zipmap(["a", "b"], [1, 2])"#,
    "{ a = 1, b = 2 }",
    |arguments| {
        let (keys, values) = (arguments.texts(0)?, arguments.list(1)?);
        if keys.len() != values.len() {
            return Err(Refusal::new(format!("there are {} keys and {} values", keys.len(), values.len())));
        }
        Ok(Value::Map(keys.into_iter().zip(values).collect()))
    },
);

pub(super) const TRANSPOSE: Function = Function::whole(
    "transpose(map)",
    "The map of lists turned round: each element to the keys whose lists have it.",
    r#"transpose({ a = ["x", "y"], b = ["x"] })"#,
    r#"{ x = ["a", "b"], y = ["a"] }"#,
    |arguments| {
        let mut turned: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for (key, value) in arguments.map(0)? {
            let Value::List(list) = value else { return Err(arguments.wrong(0, "a map of lists", &value)) };
            arguments.room_for_text(key.len().saturating_mul(list.len()))?;
            for value in list {
                let Some(text) = text::of(&value) else {
                    return Err(arguments.wrong(0, "a map of lists of strings", &value));
                };
                turned.entry(text).or_default().push(Value::from(key.as_str()));
            }
        }
        Ok(Value::map(turned.into_iter().map(|(key, list)| (key, Value::List(list)))))
    },
);

pub(super) const MATCHKEYS: Function = Function::whole(
    "matchkeys(values, keys, wanted)",
    "The values whose key at the same place is one of those wanted.",
    r#"matchkeys([1, 2, 3], ["a", "b", "a"], ["a"])"#,
    "[1, 3]",
    |arguments| {
        let (values, keys, wanted) = (arguments.list(0)?, arguments.list(1)?, set(arguments.list(2)?));
        if keys.len() != values.len() {
            return Err(Refusal::new(format!("there are {} values and {} keys", values.len(), keys.len())));
        }
        let pairs = values.into_iter().zip(keys);
        Ok(Value::List(pairs.filter(|(_, key)| in_set(&wanted, key)).map(|(value, _)| value).collect()))
    },
);

pub(super) const SETUNION: Function = Function::whole(
    "setunion(lists...)",
    "The elements of any of the lists, in order, each once.",
    r#"setunion(["b"], ["a", "b"])"#,
    r#"["a", "b"]"#,
    |arguments| Ok(Value::List(set(sets(arguments)?.concat()))),
);

pub(super) const SETINTERSECTION: Function = Function::whole(
    "setintersection(list, others...)",
    "The elements that all of the lists have, in order, each once.",
    r#"setintersection(["a", "b"], ["b", "c"])"#,
    r#"["b"]"#,
    |arguments| {
        let mut sets = sets(arguments)?.into_iter();
        let mut common = sets.next().unwrap_or_default();
        for set in sets {
            common.retain(|value| in_set(&set, value));
        }
        Ok(Value::List(common))
    },
);

pub(super) const SETSUBTRACT: Function = Function::whole(
    "setsubtract(list, without)",
    "The elements of the first list that the second has not, in order, each once.",
    r#"setsubtract(["c", "a", "b"], ["b"])"#,
    r#"["a", "c"]"#,
    |arguments| {
        let (mut rest, without) = (set(arguments.list(0)?), set(arguments.list(1)?));
        rest.retain(|value| !in_set(&without, value));
        Ok(Value::List(rest))
    },
);

pub(super) const SETPRODUCT: Function = Function::whole(
    "setproduct(lists...)",
    "All lists that take one element of each list.",
    r#"setproduct(["a", "b"], [1, 2])"#,
    r#"[["a", 1], ["a", 2], ["b", 1], ["b", 2]]"#,
    |arguments| {
        let count = arguments.count();
        let lists = (0..count).map(|at| arguments.list(at)).collect::<Result<Vec<_>, _>>()?;
        let products = lists.iter().fold(1_usize, |product, list| product.saturating_mul(list.len()));
        arguments.room_for_values(products.saturating_mul(count + 1))?;
        for value in lists.iter().flatten() {
            arguments.room_for_copies(value, products)?;
        }
        let mut product = vec![Vec::new()];
        for list in lists {
            product = product
                .into_iter()
                .flat_map(|head: Vec<Value>| {
                    list.iter().map(move |value| [head.as_slice(), std::slice::from_ref(value)].concat())
                })
                .collect();
        }
        Ok(Value::List(product.into_iter().map(Value::List).collect()))
    },
);
