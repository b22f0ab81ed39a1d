//! JSON whose objects may not name a key twice, nor give it `null`.
//!
//! `serde_json` keeps the last of two equal keys without a word, and a null is as no value. In a policy either would drop
//! a condition, and with it the limit that somebody wrote.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::value::{Map, Value};

/// The value of a JSON text. Fails on text that is not JSON, on an object with a key twice and on a null; the message has
/// line and column.
pub fn parse(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str::<Strict>(text).map(|strict| strict.0)
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Err(E::custom("`null` has no place in a policy"))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        i64::try_from(value).map(Value::Integer).map_err(|_| E::custom(format!("the number {value} is too large")))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format!("the key `{key}` occurs twice")));
            }
            let Strict(value) = entries.next_value()?;
            map.insert(key, value);
        }
        Ok(Value::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_json_is_read_as_the_value_it_is() {
        let text = r#"{"a":[1,-2,1.5,true,"x"],"b":{}}"#;
        assert_eq!(parse(text).unwrap(), Value::from_json(serde_json::from_str(text).unwrap()));
    }

    #[test]
    fn a_key_twice_is_an_error_with_its_place_at_any_depth() {
        let error = parse("{\"Condition\":{\n \"Bool\": {},\n \"Bool\": {}}}").unwrap_err();
        assert!(error.to_string().contains("`Bool` occurs twice"), "{error}");
        assert_eq!(error.line(), 3);
    }

    #[test]
    fn a_null_is_an_error_for_it_would_take_a_limit_away() {
        let error = parse("{\"Condition\":{\"StringEquals\":{\n\"aws:SourceVpce\": null}}}").unwrap_err();
        assert!(error.to_string().contains("`null` has no place in a policy"), "{error}");
        assert_eq!(error.line(), 2);
    }
}
