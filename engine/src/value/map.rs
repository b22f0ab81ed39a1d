//! Maps of values.

use std::fmt;
use std::ops::{Deref, DerefMut, Index};

use litemap::LiteMap;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Value;

/// A map of values; sorted, so that the same content always reads and hashes the same.
///
/// It is one sorted vector: nearly every map of a stack has a handful of entries, and a B-tree reserves room for eleven at
/// once. Whoever makes a large one collects it, which sorts once; single insertions in no order move what stands behind.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Map(LiteMap<String, Value>);

impl Map {
    /// A map with nothing in it.
    pub const fn new() -> Self {
        Self(LiteMap::new_vec())
    }

    /// The keys alone.
    pub fn into_keys(self) -> impl Iterator<Item = String> {
        self.0.into_iter().map(|(key, _)| key)
    }

    /// The values alone.
    pub fn into_values(self) -> impl Iterator<Item = Value> {
        self.0.into_iter().map(|(_, value)| value)
    }

    /// The values alone, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        self.0.iter_mut().map(|(_, value)| value)
    }
}

impl Deref for Map {
    type Target = LiteMap<String, Value>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Map {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl Index<&str> for Map {
    type Output = Value;

    /// The value of a key that is there.
    ///
    /// # Panics
    /// Where it is not.
    fn index(&self, key: &str) -> &Value {
        self.0.get(key).unwrap_or_else(|| panic!("the map has no key `{key}`"))
    }
}

impl FromIterator<(String, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl Extend<(String, Value)> for Map {
    fn extend<I: IntoIterator<Item = (String, Value)>>(&mut self, pairs: I) {
        self.0.extend(pairs);
    }
}

impl<const N: usize> From<[(String, Value); N]> for Map {
    fn from(pairs: [(String, Value); N]) -> Self {
        pairs.into_iter().collect()
    }
}

impl IntoIterator for Map {
    type Item = (String, Value);
    type IntoIter = std::vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_tuple_vec().into_iter()
    }
}

impl<'a> IntoIterator for &'a Map {
    type Item = (&'a String, &'a Value);
    type IntoIter = <&'a LiteMap<String, Value> as IntoIterator>::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        (&self.0).into_iter()
    }
}

impl<'a> IntoIterator for &'a mut Map {
    type Item = (&'a String, &'a mut Value);
    type IntoIter = <&'a mut LiteMap<String, Value> as IntoIterator>::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        (&mut self.0).into_iter()
    }
}

// The library's own form of a map without entries is an empty list; in state it is an empty object.
impl Serialize for Map {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

impl<'de> Deserialize<'de> for Map {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Map;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Map, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = from.next_entry()? {
                    entries.push(entry);
                }
                Ok(entries.into_iter().collect())
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(keys: &[&str]) -> Map {
        keys.iter().enumerate().map(|(at, key)| ((*key).to_owned(), Value::Integer(at as i64))).collect()
    }

    #[test]
    fn keys_are_sorted_and_the_last_value_of_one_stays() {
        let map = of(&["b", "a", "c", "a"]);
        assert_eq!(map.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(map["a"], Value::Integer(3));
        let read: Map = serde_json::from_str(r#"{"b":0,"a":1,"c":2,"a":3}"#).expect("it is a map");
        assert_eq!(read, map);
    }

    #[test]
    fn a_map_without_entries_is_an_object() {
        assert_eq!(serde_json::to_string(&Map::new()).expect("it is JSON"), "{}");
        assert_eq!(serde_json::from_str::<Map>("{}").expect("it is a map"), Map::new());
        assert!(serde_json::from_str::<Map>("[]").is_err());
    }

    #[test]
    fn what_is_extended_stays_sorted() {
        let mut map = of(&["m", "z"]);
        map.extend(of(&["a", "m", "zz"]));
        assert_eq!(map.keys().collect::<Vec<_>>(), ["a", "m", "z", "zz"]);
        assert_eq!(map["m"], Value::Integer(1));
    }

    #[test]
    fn a_value_is_small() {
        assert!(size_of::<Value>() <= 32, "{} bytes", size_of::<Value>());
        assert!(size_of::<Map>() <= 24, "{} bytes", size_of::<Map>());
    }
}
