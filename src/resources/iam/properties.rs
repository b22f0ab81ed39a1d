//! Properties that several types of IAM have in common, as documented structs for the schema.

use std::borrow::Cow;
use std::collections::BTreeMap;

use s3stack_engine::schema::shapes::{Document, OneOrMany, Reference, ScalarOr, reference};
use schemars::{JsonSchema, Schema, SchemaGenerator};

/// What ARNs of managed policies look like.
pub const POLICY_ARN: &str = r"^arn:[a-z-]+:iam::(aws|[0-9]{12}):policy/.+$";

/// Statements by Sid, and under `file` the path of a JSON document that comes first.
pub struct Statements;

impl JsonSchema for Statements {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "IdentityStatements".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = generator.subschema_for::<BTreeMap<String, ScalarOr<String, Statement>>>();
        // IAM does not look whether what an identity policy speaks of exists.
        schema.insert("x-delaying".into(), false.into());
        schema
    }
}

/// A statement of what its user, group or role may do.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
pub struct Statement {
    /// `Allow`, which is the default, or `Deny`, which no other statement can undo.
    effect: Option<Effect>,
    /// The actions it is about: `s3:GetObject`, with `*` and `?` as wildcards.
    actions: Option<OneOrMany<String>>,
    /// The actions it is not about, as opposed to all others.
    not_actions: Option<OneOrMany<String>>,
    /// The resources it is about, as ARNs, with `*` and `?` as wildcards.
    resources: Option<OneOrMany<String>>,
    /// The resources it is not about, as opposed to all others.
    not_resources: Option<OneOrMany<String>>,
    /// When it applies, in AWS's own words: operator, key, values.
    condition: Option<Document>,
}

/// What a statement does.
#[derive(JsonSchema)]
pub enum Effect {
    /// Lets its holder do it.
    Allow,
    /// Forbids it, whatever other statements allow.
    Deny,
}

/// Grants: least-privilege statements made of what a resource's type knows of itself.
pub struct Grants;

impl JsonSchema for Grants {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Grants".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = generator.subschema_for::<Vec<Grant>>();
        schema.insert("x-delaying".into(), false.into());
        schema
    }
}

/// Access to one resource.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
pub struct Grant {
    /// The resource, by address; or the ARN of a bucket or role outside the stack.
    #[schemars(extend("x-reference" = reference(&[], "", "^arn:")))]
    to: Reference,
    /// A level of the resource's type (`read`, `write`; `s3stack explain TYPE` lists them), an action (`s3:GetObjectTagging`),
    /// or a list of both.
    access: OneOrMany<String>,
    /// Only what begins with this: `reports/`. May hold policy variables, `home/${aws:username}/`.
    prefix: Option<String>,
}

/// Managed policies: those of the stack by address, others by ARN.
pub struct Policies;

impl JsonSchema for Policies {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Policies".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut item = generator.subschema_for::<Reference>();
        item.insert("x-reference".into(), reference(&["iam.policy"], "arn", POLICY_ARN));
        let mut schema = schemars::json_schema!({ "type": "array", "items": item, "uniqueItems": true });
        // A policy that is made anew is attached to nothing, under whatever name: it has to be attached again.
        schema.insert("x-principal".into(), true.into());
        schema
    }
}
