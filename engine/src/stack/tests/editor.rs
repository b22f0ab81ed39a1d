//! The schema for editors.

use serde_json::json;

use crate::schema::{Items, Property, Shape, StringRules};
use crate::stack::editor::property;

fn schema(shape: Shape) -> serde_json::Value {
    property(&Property::new(shape))
}

fn words() -> Shape {
    Shape::String(StringRules { allowed: vec!["A".into(), "B".into()], ..StringRules::default() })
}

#[test]
fn each_value_may_be_an_expression() {
    assert_eq!(schema(Shape::Bool), json!({ "type": ["boolean", "string"], "pattern": r"^\$\{[\s\S]*\}$" }));
    assert_eq!(schema(Shape::string()), json!({ "type": "string" }));
    let named = StringRules { pattern: Some("^[a-z]+$".into()), max: Some(3), ..StringRules::default() };
    assert_eq!(schema(Shape::String(named)), json!({ "type": "string", "pattern": r"^[a-z]+$|\$\{" }));
    let short = StringRules { min: Some(3), ..StringRules::default() };
    assert_eq!(schema(Shape::String(short)), json!({ "type": "string", "pattern": r"^[\s\S]{3,}$|\$\{" }));
    let days = Shape::Number { integer: true, min: Some(1.0), max: None };
    assert_eq!(schema(days), json!({ "type": ["integer", "string"], "pattern": r"^\$\{[\s\S]*\}$", "minimum": 1 }));
}

#[test]
fn alternatives_are_one_schema_and_words_are_not() {
    let list = Shape::List(Items { item: Box::new(Property::new(Shape::string())), min: None, max: Some(2) });
    assert_eq!(
        schema(Shape::Choice(vec![Shape::string(), list.clone()])),
        json!({ "type": ["string", "array"], "items": { "type": "string" }, "maxItems": 2 })
    );
    assert_eq!(
        schema(Shape::Choice(vec![words(), list])),
        json!({ "anyOf": [
            { "enum": ["A", "B"] },
            { "type": ["string", "array"], "pattern": r"\$\{", "items": { "type": "string" }, "maxItems": 2 },
        ] })
    );
    assert_eq!(schema(words()), json!({ "anyOf": [{ "enum": ["A", "B"] }, { "type": "string", "pattern": r"\$\{" }] }));
}

#[test]
fn tables_of_anything_let_other_values_in() {
    let fields = [("value".to_owned(), Property { required: true, ..Property::new(Shape::Document) })].into();
    assert_eq!(
        schema(Shape::Choice(vec![Shape::Object(fields), Shape::Document])),
        json!({ "properties": { "value": { "additionalProperties": true } }, "required": ["value"], "additionalProperties": false })
    );
}
