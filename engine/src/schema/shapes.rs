//! Rust types for property shapes that plain Rust types cannot say: references, one-or-many, scalar-or-table, sets.
//!
//! They exist so that a resource type's properties can be declared as a documented struct with schemars.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::json;

/// A list whose order and duplicates mean nothing.
pub struct Set<T>(PhantomData<T>);

impl<T: JsonSchema> JsonSchema for Set<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Set_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "items": generator.subschema_for::<T>(), "uniqueItems": true })
    }
}

/// One value or a list of them, which mean the same.
pub struct OneOrMany<T>(PhantomData<T>);

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({ "x-choice": [one, { "type": "array", "items": one, "uniqueItems": true }] })
    }
}

/// A scalar `S` in short, or a table `T` in full.
pub struct ScalarOr<S, T>(PhantomData<(S, T)>);

impl<S: JsonSchema, T: JsonSchema> JsonSchema for ScalarOr<S, T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("ScalarOr_{}_{}", S::schema_name(), T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let scalar = generator.subschema_for::<S>();
        let table = generator.subschema_for::<T>();
        json_schema!({ "x-choice": [scalar, table] })
    }
}

/// A document in AWS's own words.
pub struct Document;

impl JsonSchema for Document {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Document".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "x-document": true })
    }
}

/// A reference to a resource; say which with `#[schemars(extend("x-reference" = reference(&["s3.bucket"], "name", "^arn:")))]`.
pub struct Reference;

impl JsonSchema for Reference {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Reference".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "x-reference": {} })
    }
}

/// The `x-reference` extension: the types it may name (none = any), the attribute sent to AWS (empty = the resource
/// itself), and the pattern of texts taken literally (empty = none).
pub fn reference(types: &[&str], attribute: &str, literal: &str) -> serde_json::Value {
    json!({ "types": types, "attribute": attribute, "literal": literal })
}

/// Tags: keys and values of the user's choice, at most fifty, none beginning with `aws:`.
pub struct Tags;

impl JsonSchema for Tags {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Tags".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        // https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html: fifty tags, keys of 128 characters, `aws:`
        // reserved. Two of the fifty are this tool's own, by which it knows what is whose.
        let mut schema = generator.subschema_for::<BTreeMap<String, String>>();
        schema.insert("x-key-pattern".into(), json!("^.{1,128}$"));
        schema.insert("x-reserved".into(), json!(["aws:", "s3stack:"]));
        schema.insert("maxProperties".into(), json!(48));
        schema.insert("x-open".into(), json!(true));
        schema.insert("x-delaying".into(), json!(false));
        schema
    }
}
