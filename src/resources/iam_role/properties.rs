//! What a block of `iam.role` may say.

use std::borrow::Cow;

use s3stack_engine::schema::shapes::{Document, OneOrMany, Reference, Tags, reference};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::resources::iam::names;
use crate::resources::iam::properties::{Grants, POLICY_ARN, Policies, Statements};

/// A role: what AWS services, users and other accounts become for as long as they need to do something.
///
/// What it may do stands in `grants` (least-privilege statements made from the resources they name), in `statements`, and in
/// `policies` that it shares with others. These are all it may do: policies that somebody adds by hand are shown as drift
/// and taken away.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
pub(super) struct Properties {
    /// The name: 1 to 64 letters, digits and `_+=,.@-`, unique in the account whatever the case and the path.
    #[schemars(
        length(min = 1, max = 64),
        regex(pattern = names::PATTERN),
        extend("x-create-only" = true, "x-delaying" = false, "x-aws-name" = "RoleName")
    )]
    name: Option<String>,
    /// The path, a part of the ARN that policies can refer to: `/service/`. It begins and ends with a slash.
    #[schemars(
        length(max = 512),
        regex(pattern = names::PATH_PATTERN),
        extend("x-create-only" = true, "x-delaying" = false, "default" = "/")
    )]
    path: Option<String>,
    /// What it is for, at most 1,000 characters of Latin-1.
    #[schemars(length(max = 1000), regex(pattern = r"^[\t\n\r -~¡-ÿ]*$"), extend("x-delaying" = false))]
    description: Option<String>,
    /// Who may assume it: services (`"lambda.amazonaws.com"`), account ids, users and roles of the stack by address, others
    /// by ARN, identity providers by ARN. A table narrows that: `{ principal, external_id, condition }`, and
    /// `{ provider, audience, subjects, condition }` for an identity provider. Or `{ file = "trust.json" }`.
    trust: Trust,
    /// What it may do, in AWS's words, by Sid; `file` takes a whole document. It becomes one inline policy with `grants`.
    statements: Option<Statements>,
    /// What it may do with resources of the stack: `{ to = "s3.bucket.data", access = "read", prefix = "reports/" }`.
    grants: Option<Grants>,
    /// Managed policies that it has as well, at most ten: `iam.policy` by address, AWS's own by ARN.
    policies: Option<Policies>,
    /// The policy beyond which it may do nothing, whatever its other policies allow.
    #[schemars(extend("x-reference" = reference(&["iam.policy"], "arn", POLICY_ARN), "x-principal" = true, "x-aws-name" = "PermissionsBoundary"))]
    boundary: Option<Reference>,
    /// How long a session may last at most, in seconds: one hour, which is AWS's default, to twelve.
    #[schemars(range(min = 3600, max = 43200), extend("x-removal" = { "reset": 3600 }))]
    max_session_duration: Option<u32>,
    /// Its tags, at most 48. Tags that others put there are left alone.
    tags: Option<Tags>,
    /// The trust policy as AWS holds it, made of `trust`.
    #[schemars(extend("x-derived" = true, "x-principal" = true, "x-aws-name" = "AssumeRolePolicyDocument"))]
    trust_policy: Option<Document>,
    /// The inline policies as AWS holds them, by name: one, `s3stack`, made of `statements` and `grants`.
    #[schemars(extend("x-derived" = true))]
    inline_policies: Option<std::collections::BTreeMap<String, Document>>,
}

/// Who may assume a role.
struct Trust;

impl JsonSchema for Trust {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Trust".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut word = generator.subschema_for::<Reference>();
        word.insert("x-reference".into(), principals());
        let entry = generator.subschema_for::<TrustEntry>();
        let file = generator.subschema_for::<TrustFile>();
        let list = json_schema!({ "type": "array", "items": { "x-choice": [word, entry] }, "minItems": 1 });
        // AWS keeps the unique id of a user or role here: made anew under the same name, it is another one.
        json_schema!({ "x-choice": [word, list, file], "x-principal": true })
    }
}

/// What a principal may be; what kind of text is none is told where the words are read.
fn principals() -> serde_json::Value {
    reference(&["iam.role", "iam.user"], "arn", "^.+$")
}

/// Principals under a condition.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
struct TrustEntry {
    /// The principals: services, account ids, users and roles.
    principal: Option<OneOrMany<Principal>>,
    /// The secret word of a third party that acts for several customers, so that nobody else can make it use this role.
    external_id: Option<OneOrMany<String>>,
    /// The ARN of an identity provider, in place of `principal`.
    #[schemars(extend("x-reference" = reference(&[], "arn", "^.+$")))]
    provider: Option<Reference>,
    /// For whom the provider's token must be made.
    audience: Option<OneOrMany<String>>,
    /// Whom the provider's token must name, with `*` and `?` as wildcards: `repo:acme/site:ref:refs/heads/main`.
    subjects: Option<OneOrMany<String>>,
    /// When it applies, in AWS's own words: operator, key, values.
    condition: Option<Document>,
}

/// A principal by address or text.
struct Principal;

impl JsonSchema for Principal {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Principal".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = generator.subschema_for::<Reference>();
        schema.insert("x-reference".into(), principals());
        schema
    }
}

/// A trust policy in AWS's own words.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
struct TrustFile {
    /// The path of the JSON document, relative to the stack's folder.
    file: String,
}
