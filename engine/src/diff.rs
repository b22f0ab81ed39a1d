//! Compares what shall be with what is, property by property.

use crate::address::Path;
use crate::resource::ResourceType;
use crate::schema::{Property, Schema, Shape};
use crate::value::{Map, Value};

/// Whether two values of the property at `path` mean the same: equal, but for the order of sets, and with null, empty
/// maps' absent members and absence taken as one. Where others may write too (tags), nothing and an empty map are one.
pub fn same(schema: &Schema, path: &Path, desired: &Value, live: &Value) -> bool {
    let property = schema.nearest(path);
    let is_nothing = |value: &Value| value.is_null() || value.as_map().is_some_and(|map| map.is_empty());
    if property.is_some_and(|property| property.open) && is_nothing(desired) && is_nothing(live) {
        return true;
    }
    same_shape(property.map(|property| &property.shape), desired, live)
}

fn same_shape(shape: Option<&Shape>, desired: &Value, live: &Value) -> bool {
    match (shape, desired, live) {
        (Some(Shape::Choice(shapes)), Value::List(_), Value::List(_)) => {
            let list = shapes.iter().find(|shape| matches!(shape, Shape::List(_) | Shape::Set(_)));
            same_shape(list.or(shape.filter(|shape| !matches!(shape, Shape::Choice(_)))), desired, live)
        }
        (Some(Shape::Choice(shapes)), Value::Map(_), Value::Map(_)) => {
            let table = shapes.iter().find(|shape| matches!(shape, Shape::Object(_) | Shape::Map { .. }));
            same_shape(table, desired, live)
        }
        (Some(Shape::Set(items)), Value::List(a), Value::List(b)) => {
            let inside =
                |one: &Value, list: &[Value]| list.iter().any(|other| same_shape(Some(&items.item.shape), one, other));
            a.iter().all(|one| inside(one, b)) && b.iter().all(|one| inside(one, a))
        }
        (shape, Value::List(a), Value::List(b)) => {
            let item = match shape {
                Some(Shape::List(items)) => Some(&items.item.shape),
                _ => None,
            };
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_shape(item, a, b))
        }
        (shape, Value::Map(a), Value::Map(b)) => {
            let member = |key: &str| -> Option<&Property> {
                match shape {
                    Some(Shape::Object(fields)) => fields.get(key),
                    Some(Shape::Map { value, .. }) => Some(value),
                    _ => None,
                }
            };
            a.keys().chain(b.keys()).all(|key| {
                let (a, b) = (a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null));
                same_shape(member(key).map(|property| &property.shape), a, b)
            })
        }
        (_, Value::Integer(a), Value::Float(b)) | (_, Value::Float(b), Value::Integer(a)) => *a as f64 == *b,
        (_, a, b) => a == b,
    }
}

/// One property that is not as it shall be.
#[derive(Debug, Clone, PartialEq)]
pub struct Mismatch {
    /// Where.
    pub path: Path,
    /// What AWS has; null for nothing.
    pub live: Value,
    /// What it shall have; null for nothing.
    pub desired: Value,
}

/// Everything in `desired` that `live` does not have. What only `live` has is not managed and not looked at, except
/// inside maps that are free documents or whose keys are the user's, where the type's `read` and `managed` agree on
/// what belongs.
pub fn mismatches(kind: &dyn ResourceType, desired: &Map, live: &Map) -> Vec<Mismatch> {
    let mut found = Vec::new();
    for (name, value) in desired {
        let held = live.get(name).unwrap_or(&Value::Null);
        descend(kind, &Path::of(name.clone()), value, held, &mut found);
    }
    found
}

fn descend(kind: &dyn ResourceType, path: &Path, desired: &Value, live: &Value, found: &mut Vec<Mismatch>) {
    if kind.equal(path, desired, live) {
        return;
    }
    let shape = kind.schema().nearest(path).map(|property| &property.shape);
    let table = matches!(shape, Some(Shape::Object(_) | Shape::Map { .. } | Shape::Choice(_)));
    if let (true, Value::Map(a), Value::Map(b)) = (table, desired, live) {
        let before = found.len();
        for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
            let (a, b) = (a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null));
            descend(kind, &path.key(key.clone()), a, b, found);
        }
        // A type may say that two maps differ though each member compares equal; then the whole is the difference.
        if found.len() > before {
            return;
        }
    }
    found.push(Mismatch { path: path.clone(), live: live.clone(), desired: desired.clone() });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_and_an_empty_map_are_one_where_others_write_too() {
        let labels = Shape::Map {
            value: Box::new(Property::new(Shape::string())),
            key_pattern: None,
            reserved: Vec::new(),
            max: None,
        };
        let properties = [
            ("tags".to_owned(), Property { open: true, ..Property::new(labels.clone()) }),
            ("labels".to_owned(), Property::new(labels)),
        ];
        let schema = Schema { doc: String::new(), properties: properties.into(), attributes: [].into() };
        let empty = Value::Map(Map::new());
        assert!(same(&schema, &Path::of("tags"), &empty, &Value::Null));
        assert!(same(&schema, &Path::of("tags"), &Value::Null, &empty));
        assert!(!same(&schema, &Path::of("labels"), &empty, &Value::Null));
        assert!(!same(&schema, &Path::of("tags"), &Value::map([("a", Value::from("1"))]), &empty));
    }
}
