//! The JSON Schema of stack files, by which editors complete and check them.
//!
//! It is wider than `validate`, which is the judge: every value may be an expression, and what an expression gives is not
//! known. So a property of a type `T` is `"type": [T, "string"]` with a pattern that only the string has to match. Draft 7
//! without references, since editors for TOML ignore what stands beside a reference.

use indexmap::IndexMap;
use serde_json::{Map as Json, Value as JsonValue, json};

use super::fields;
use super::load::Types;
use crate::schema::{Property, Shape, StringRules};

/// A text that is one whole expression, in place of a value that is no text.
const WHOLE: &str = r"^\$\{[\s\S]*\}$";
/// A text with an expression in it.
const PARTLY: &str = r"\$\{";
/// The name of a block, see `names::is_name`.
const NAME: &str = "^[a-z][a-z0-9_]*$";

/// The schema of a stack file with these types.
pub fn editor_schema(types: &dyn Types) -> JsonValue {
    let mut root: Json<String, JsonValue> =
        fields::sections().iter().map(|(name, section)| (name.clone(), headed(section))).collect();
    for type_name in types.names() {
        let (Some((service, kind)), Some(schema)) = (type_name.split_once('.'), types.schema(type_name)) else {
            continue;
        };
        let mut block = schema.properties.clone();
        for (name, key) in fields::reserved() {
            block.entry(name).or_insert(key);
        }
        let mut block = object(&block);
        block.insert("type".into(), "object".into());
        block.insert("description".into(), schema.doc.clone().into());
        let service = root
            .entry(service)
            .or_insert_with(|| json!({ "type": "object", "properties": {}, "additionalProperties": false }));
        let kinds = service.get_mut("properties").and_then(JsonValue::as_object_mut);
        let blocks = json!({
            "type": "object", "description": schema.doc, "propertyNames": { "pattern": NAME },
            "additionalProperties": block,
        });
        kinds.into_iter().for_each(|kinds| drop(kinds.insert(kind.to_owned(), blocks.clone())));
    }
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "s3stack",
        "description": "A stack of AWS resources. `s3stack explain` tells more.",
        "type": "object",
        "properties": root,
        "additionalProperties": false,
    })
}

/// What a `[header]` stands above: a table, and never an expression.
fn headed(table: &Property) -> JsonValue {
    let mut schema = property(table);
    schema["type"] = "object".into();
    if let Some(schema) = schema.as_object_mut() {
        schema.shift_remove("pattern");
    }
    match &table.shape {
        Shape::Object(fields) => {
            for (name, field) in fields.iter().filter(|(_, field)| matches!(field.shape, Shape::Object(_))) {
                schema["properties"][name] = headed(field);
            }
        }
        Shape::Map { value, .. } if matches!(value.shape, Shape::Object(_)) => {
            schema["additionalProperties"] = headed(value);
        }
        _ => {}
    }
    schema
}

pub(super) fn property(property: &Property) -> JsonValue {
    let mut parts = Parts::default();
    parts.add(&property.shape);
    let mut schema = parts.schema();
    if !property.doc.is_empty() {
        schema.insert("description".into(), property.doc.clone().into());
    }
    if let Some(Ok(default)) = property.default.as_ref().map(crate::value::Value::to_json) {
        schema.insert("default".into(), default);
    }
    schema.into()
}

/// What a property's alternatives come to. They are told apart by type, and so are nearly all keywords of JSON Schema: in
/// one schema each looks at the values of its type alone.
#[derive(Default)]
struct Parts {
    types: Vec<&'static str>,
    keywords: Json<String, JsonValue>,
    /// The pattern of a text; of its own, since an expression must match as well.
    pattern: Option<String>,
    /// The only words: `enum` looks at values of every type, and so must stand alone.
    words: Vec<String>,
    /// Whether it takes anything at all.
    any: bool,
}

impl Parts {
    fn add(&mut self, shape: &Shape) {
        match shape {
            Shape::Choice(shapes) => shapes.iter().for_each(|shape| self.add(shape)),
            Shape::Document => self.any = true,
            Shape::String(rules) => {
                self.types.push("string");
                self.words.clone_from(&rules.allowed);
                self.pattern = pattern(rules);
            }
            Shape::Reference(_) => self.types.push("string"),
            Shape::Bool => self.types.push("boolean"),
            Shape::Number { integer, min, max } => {
                self.types.push(if *integer { "integer" } else { "number" });
                self.bound("minimum", min.map(number));
                self.bound("maximum", max.map(number));
            }
            Shape::List(items) | Shape::Set(items) => {
                self.types.push("array");
                self.keywords.insert("items".into(), property(&items.item));
                self.bound("minItems", items.min.map(Into::into));
                self.bound("maxItems", items.max.map(Into::into));
            }
            Shape::Map { value, key_pattern, max, .. } => {
                self.types.push("object");
                self.keywords.insert("additionalProperties".into(), property(value));
                let names = key_pattern.as_ref().map(|pattern| json!({ "pattern": format!("{pattern}|{PARTLY}") }));
                self.bound("propertyNames", names);
                self.bound("maxProperties", max.map(Into::into));
            }
            Shape::Object(fields) => {
                self.types.push("object");
                self.keywords.extend(object(fields));
            }
        }
    }

    fn bound(&mut self, keyword: &str, value: Option<JsonValue>) {
        if let Some(value) = value {
            self.keywords.insert(keyword.into(), value);
        }
    }

    fn schema(mut self) -> Json<String, JsonValue> {
        if self.any {
            // Some editors take a table of which nothing is said for one without keys.
            self.keywords.entry("additionalProperties").or_insert(true.into());
            return self.keywords;
        }
        if !self.words.is_empty() {
            let words = std::mem::take(&mut self.words);
            self.pattern = Some(PARTLY.into());
            return Json::from_iter([("anyOf".to_owned(), json!([{ "enum": words }, self.schema()]))]);
        }
        let pattern = match self.types.contains(&"string") {
            true => self.pattern,
            false => Some(WHOLE.to_owned()),
        };
        if !self.types.contains(&"string") {
            self.types.push("string");
        }
        let kinds = match self.types.as_slice() {
            [kind] => json!(kind),
            kinds => json!(kinds),
        };
        let mut schema = Json::from_iter([("type".to_owned(), kinds)]);
        schema.extend(pattern.map(|pattern| ("pattern".to_owned(), pattern.into())));
        schema.extend(self.keywords);
        schema
    }
}

/// A table with known keys: the keywords besides its type.
fn object(fields: &IndexMap<String, Property>) -> Json<String, JsonValue> {
    let written = || fields.iter().filter(|(_, property)| !property.derived);
    let properties: Json<String, JsonValue> = written().map(|(name, one)| (name.clone(), property(one))).collect();
    let required: Vec<&String> = written().filter(|(_, one)| one.required).map(|(name, _)| name).collect();
    let mut keywords = Json::from_iter([("properties".to_owned(), properties.into())]);
    if !required.is_empty() {
        keywords.insert("required".into(), json!(required));
    }
    keywords.insert("additionalProperties".into(), false.into());
    keywords
}

/// The pattern of a text, which one with an expression need not match; its length only where there is no pattern, for
/// the two cannot be asked for together of the one and not of the other.
fn pattern(rules: &StringRules) -> Option<String> {
    let own = match (&rules.pattern, rules.min, rules.max) {
        (Some(pattern), ..) => pattern.clone(),
        (None, None, None) => return None,
        (None, min, max) => {
            format!(r"^[\s\S]{{{},{}}}$", min.unwrap_or_default(), max.map(|max| max.to_string()).unwrap_or_default())
        }
    };
    Some(format!("{own}|{PARTLY}"))
}

/// A bound, without a fraction where it has none.
fn number(bound: f64) -> JsonValue {
    #[expect(clippy::cast_possible_truncation, reason = "bounds are far from where whole numbers end")]
    let whole = bound as i64;
    #[expect(clippy::cast_precision_loss, reason = "as above")]
    if whole as f64 == bound { whole.into() } else { bound.into() }
}
