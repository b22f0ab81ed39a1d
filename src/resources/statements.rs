//! The properties that every policy of the stack file has: statements by Sid.

use std::borrow::Cow;
use std::collections::BTreeMap;

use s3stack_engine::schema::shapes::{Document, OneOrMany, ScalarOr};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// Policy statements by Sid, `statements.Upload = { actions = ["s3:PutObject"], resources = ["…"] }`; `file = "x.json"`
/// takes a whole document in AWS's own words, whose statements come first.
pub struct Statements;

impl JsonSchema for Statements {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Statements".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = generator.subschema_for::<BTreeMap<String, ScalarOr<String, Statement>>>();
        // AWS takes letters and digits in a Sid, and nothing else where the policy is IAM's.
        schema.insert("x-key-pattern".into(), "^[A-Za-z0-9]+$".into());
        schema
    }
}

/// One statement of a policy.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
pub struct Statement {
    /// Whether it allows (the default) or denies; a denial wins over everything.
    effect: Option<Effect>,
    /// To whom it applies: `"*"` for everybody, a list of accounts, ARNs of users and roles, and services, or AWS's own
    /// map. Only in policies of resources.
    #[schemars(extend("x-principal" = true))]
    principals: Option<Principals>,
    /// To whom it does not apply, as opposed to everybody else.
    #[schemars(extend("x-principal" = true))]
    not_principals: Option<Principals>,
    /// The actions, such as `s3:GetObject`; `*` and `?` are wildcards.
    actions: Option<OneOrMany<String>>,
    /// The actions it is not about, as opposed to all others.
    not_actions: Option<OneOrMany<String>>,
    /// The ARNs it is about; `*` and `?` are wildcards. AWS doesn't check that they exist.
    #[schemars(extend("x-delaying" = false))]
    resources: Option<OneOrMany<String>>,
    /// The ARNs it is not about, as opposed to all others.
    #[schemars(extend("x-delaying" = false))]
    not_resources: Option<OneOrMany<String>>,
    /// When it applies: operator, key and value, `{ StringLike = { "s3:prefix" = "home/*" } }`.
    #[schemars(extend("x-delaying" = false))]
    condition: Option<BTreeMap<String, BTreeMap<String, Document>>>,
}

/// What a statement does.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
enum Effect {
    Allow,
    Deny,
}

/// Principals: a word, a list of words, or AWS's map of kinds.
struct Principals;

impl JsonSchema for Principals {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Principals".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let word = generator.subschema_for::<String>();
        let kinds = generator.subschema_for::<BTreeMap<String, OneOrMany<String>>>();
        json_schema!({ "x-choice": [word, { "type": "array", "items": word, "uniqueItems": true }, kinds] })
    }
}
