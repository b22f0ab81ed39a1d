//! Reads the schema model from a documented Rust struct, by way of the JSON Schema that schemars derives from it.
//!
//! What JSON Schema cannot say stands in extensions on the field: `x-create-only`, `x-removal` (`"keep"`, `"replace"` or
//! `{ "reset": value }`), `x-delaying`, `x-principal`, `x-sensitive`, `x-write-only`, `x-derived`, `x-open`, `x-memory`, `x-aws-name`,
//! `x-reference`, `x-key-pattern`.

use indexmap::IndexMap;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value as Json;

use super::model::*;
use crate::value::Value;

/// What a struct said that the model has no word for. A fault of this program, found by the registry's tests.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {what}")]
pub struct DeriveError {
    /// Where in the struct.
    pub at: String,
    /// What is wrong with it.
    pub what: String,
}

/// The schema of a properties struct, with the attributes a type exposes.
pub fn schema<T: JsonSchema>(attributes: &[(&str, Attribute)]) -> Result<Schema, DeriveError> {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let root = settings.into_generator().into_root_schema_for::<T>().to_value();
    let Shape::Object(properties) = shape(&root, "")? else {
        return Err(DeriveError { at: String::new(), what: "properties must be a struct".into() });
    };
    Ok(Schema {
        doc: text(&root, "description").unwrap_or_default(),
        properties,
        attributes: attributes.iter().map(|(name, attribute)| ((*name).to_owned(), attribute.clone())).collect(),
    })
}

fn text(schema: &Json, key: &str) -> Option<String> {
    schema.get(key).and_then(Json::as_str).map(str::to_owned)
}

fn flag(schema: &Json, key: &str) -> Option<bool> {
    schema.get(key).and_then(Json::as_bool)
}

fn size(schema: &Json, key: &str) -> Option<usize> {
    schema.get(key).and_then(Json::as_u64).and_then(|number| usize::try_from(number).ok())
}

fn words(list: Option<&Json>) -> Vec<String> {
    list.and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect()
}

/// The words of a documented enum with what they mean.
fn constants(schema: &Json) -> Option<StringRules> {
    let choices = schema.get("oneOf")?.as_array()?;
    let mut rules = StringRules::default();
    for choice in choices {
        match choice.get("enum") {
            Some(list) => rules.allowed.extend(words(Some(list))),
            None => rules.allowed.push(text(choice, "const")?),
        }
        rules.meanings.resize(rules.allowed.len() - 1, String::new());
        rules.meanings.push(text(choice, "description").unwrap_or_default());
    }
    Some(rules)
}

fn property(schema: &Json, required: bool, at: &str) -> Result<Property, DeriveError> {
    let removal = match schema.get("x-removal") {
        None => Removal::Reset(Value::Null),
        Some(Json::String(word)) if word == "keep" => Removal::Keep,
        Some(Json::String(word)) if word == "replace" => Removal::Replace,
        Some(Json::Object(map)) if map.contains_key("reset") => {
            Removal::Reset(Value::from_json(map.get("reset").cloned().unwrap_or_default()))
        }
        Some(other) => return Err(DeriveError { at: at.into(), what: format!("x-removal is {other}") }),
    };
    Ok(Property {
        shape: shape(schema, at)?,
        doc: text(schema, "description").unwrap_or_default(),
        required,
        default: schema.get("default").filter(|value| !value.is_null()).cloned().map(Value::from_json),
        create_only: flag(schema, "x-create-only").unwrap_or(false),
        removal,
        delaying: flag(schema, "x-delaying").unwrap_or(true),
        principal: flag(schema, "x-principal").unwrap_or(false),
        sensitive: flag(schema, "x-sensitive").unwrap_or(false),
        write_only: flag(schema, "x-write-only").unwrap_or(false),
        derived: flag(schema, "x-derived").unwrap_or(false),
        open: flag(schema, "x-open").unwrap_or(false),
        memory: flag(schema, "x-memory").unwrap_or(false),
        file: flag(schema, "x-file").unwrap_or(false),
        aws_name: text(schema, "x-aws-name"),
    })
}

fn shape(schema: &Json, at: &str) -> Result<Shape, DeriveError> {
    let wrong = |what: String| DeriveError { at: at.to_owned(), what };
    if flag(schema, "x-document") == Some(true) {
        return Ok(Shape::Document);
    }
    if let Some(choices) = schema.get("x-choice").and_then(Json::as_array) {
        return Ok(Shape::Choice(choices.iter().map(|choice| shape(choice, at)).collect::<Result<_, _>>()?));
    }
    if let Some(rules) = schema.get("x-reference") {
        let filled = |key: &str| text(rules, key).filter(|text| !text.is_empty());
        return Ok(Shape::Reference(ReferenceRules {
            types: words(rules.get("types")),
            attribute: filled("attribute"),
            literal: filled("literal"),
        }));
    }
    // An enum whose words are documented is a choice of constants.
    if let Some(rules) = constants(schema) {
        return Ok(Shape::String(rules));
    }
    // An optional field of an enum or struct is `anyOf [it, null]`; the model says "optional" by `required`.
    if let Some(any) = schema.get("anyOf").and_then(Json::as_array) {
        let real: Vec<&Json> =
            any.iter().filter(|one| one.get("type").and_then(Json::as_str) != Some("null")).collect();
        return match real.as_slice() {
            [one] => shape(one, at),
            _ => Err(wrong("a choice must be OneOrMany or ScalarOr".into())),
        };
    }
    let kind = match schema.get("type") {
        Some(Json::String(kind)) => Some(kind.as_str()),
        Some(Json::Array(kinds)) => kinds.iter().filter_map(Json::as_str).find(|kind| *kind != "null"),
        _ => None,
    };
    match kind {
        Some("string") => Ok(Shape::String(StringRules {
            allowed: words(schema.get("enum")),
            meanings: Vec::new(),
            pattern: text(schema, "pattern"),
            min: size(schema, "minLength"),
            max: size(schema, "maxLength"),
        })),
        Some("boolean") => Ok(Shape::Bool),
        Some(kind @ ("integer" | "number")) => Ok(Shape::Number {
            integer: kind == "integer",
            min: schema.get("minimum").and_then(Json::as_f64),
            max: schema.get("maximum").and_then(Json::as_f64),
        }),
        Some("array") => {
            let item = schema.get("items").ok_or_else(|| wrong("a list without items".into()))?;
            let items = Items {
                item: Box::new(property(item, true, &format!("{at}[]"))?),
                min: size(schema, "minItems"),
                max: size(schema, "maxItems"),
            };
            Ok(if flag(schema, "uniqueItems") == Some(true) { Shape::Set(items) } else { Shape::List(items) })
        }
        Some("object") => match schema.get("additionalProperties") {
            Some(value @ Json::Object(_)) => Ok(Shape::Map {
                value: Box::new(property(value, true, &format!("{at}.*"))?),
                key_pattern: text(schema, "x-key-pattern"),
                reserved: words(schema.get("x-reserved")),
                max: size(schema, "maxProperties"),
            }),
            _ => {
                let required = words(schema.get("required"));
                let fields = schema.get("properties").and_then(Json::as_object).cloned().unwrap_or_default();
                let mut properties = IndexMap::new();
                for (name, field) in &fields {
                    let required = required.contains(name);
                    properties.insert(name.clone(), property(field, required, &format!("{at}.{name}"))?);
                }
                Ok(Shape::Object(properties))
            }
        },
        other => Err(wrong(format!("no shape for type {other:?} in {schema}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::shapes::{OneOrMany, Reference, ScalarOr, Set, Tags, reference};
    use super::*;
    use schemars::JsonSchema;

    /// A thing.
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "read by schemars alone")]
    struct Thing {
        /// Its name.
        #[schemars(length(min = 3, max = 63), extend("x-create-only" = true, "x-delaying" = false))]
        name: Option<String>,
        #[schemars(extend("x-removal" = { "reset": false }))]
        versioning: Option<bool>,
        #[schemars(extend("x-reference" = reference(&["s3.bucket"], "name", "")))]
        bucket: Reference,
        mode: Option<ScalarOr<Mode, Full>>,
        words: Option<OneOrMany<String>>,
        set: Option<Set<String>>,
        tags: Option<Tags>,
        full: Option<Full>,
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "read by schemars alone")]
    enum Mode {
        #[serde(rename = "AES256")]
        Sse,
        /// With a key.
        #[serde(rename = "aws:kms")]
        Kms,
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "read by schemars alone")]
    struct Full {
        days: u32,
    }

    #[test]
    fn a_documented_struct_gives_the_whole_model() {
        let schema = schema::<Thing>(&[]).unwrap();
        let name = &schema.properties["name"];
        assert!(name.create_only && !name.delaying && !name.required);
        assert_eq!(name.doc, "Its name.");
        assert_eq!(name.shape, Shape::String(StringRules { min: Some(3), max: Some(63), ..Default::default() }));
        assert_eq!(schema.properties["versioning"].removal, Removal::Reset(Value::Bool(false)));
        assert!(schema.properties["bucket"].required);
        assert!(
            matches!(&schema.properties["bucket"].shape, Shape::Reference(rules) if rules.types == ["s3.bucket"] && rules.attribute.as_deref() == Some("name") && rules.literal.is_none())
        );
        assert!(
            matches!(&schema.properties["mode"].shape, Shape::Choice(shapes) if matches!(&shapes[..], [Shape::String(rules), Shape::Object(_)] if rules.allowed == ["AES256", "aws:kms"] && rules.meanings == ["", "With a key."]))
        );
        assert!(
            matches!(&schema.properties["words"].shape, Shape::Choice(shapes) if matches!(&shapes[..], [Shape::String(_), Shape::Set(_)]))
        );
        assert!(matches!(&schema.properties["set"].shape, Shape::Set(_)));
        assert!(matches!(&schema.properties["tags"].shape, Shape::Map { max: Some(48), .. }));
        assert!(matches!(&schema.properties["full"].shape, Shape::Object(fields) if fields["days"].required));
    }
}
