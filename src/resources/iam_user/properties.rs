//! What a block of `iam.user` may say.

use std::collections::BTreeMap;

use s3stack_engine::schema::shapes::{Document, Reference, Tags, reference};
use schemars::JsonSchema;

use super::groups::Groups;
use crate::resources::iam::names;
use crate::resources::iam::properties::{Grants, POLICY_ARN, Policies, Statements};

/// A user, for programs and people outside AWS. What runs inside AWS takes a role, which needs no keys.
///
/// What it may do stands in `grants` (least-privilege statements made from the resources they name), in `statements`, in
/// `policies` that it shares with others, and in `groups`. These are all it may do: policies and groups that somebody adds
/// by hand are shown as drift and taken away.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
pub(super) struct Properties {
    /// The name: 1 to 64 letters, digits and `_+=,.@-`, unique in the account whatever the case and the path.
    #[schemars(
        length(min = 1, max = 64),
        regex(pattern = names::PATTERN),
        extend("x-create-only" = true, "x-delaying" = false, "x-aws-name" = "UserName")
    )]
    name: Option<String>,
    /// The path, a part of the ARN that policies can refer to: `/apps/`. It begins and ends with a slash.
    #[schemars(
        length(max = 512),
        regex(pattern = names::PATH_PATTERN),
        extend("x-create-only" = true, "x-delaying" = false, "default" = "/")
    )]
    path: Option<String>,
    /// What it may do, in AWS's words, by Sid; `file` takes a whole document. It becomes one inline policy with `grants`, of
    /// at most 2,048 characters.
    statements: Option<Statements>,
    /// What it may do with resources of the stack: `{ to = "s3.bucket.data", access = "read", prefix = "reports/" }`.
    grants: Option<Grants>,
    /// Managed policies that it has as well, at most ten: `iam.policy` by address, AWS's own by ARN.
    policies: Option<Policies>,
    /// The groups it is in, at most ten: `iam.group` by address, others by name.
    groups: Option<Groups>,
    /// The policy beyond which it may do nothing, whatever its other policies allow.
    #[schemars(extend("x-reference" = reference(&["iam.policy"], "arn", POLICY_ARN), "x-principal" = true, "x-aws-name" = "PermissionsBoundary"))]
    boundary: Option<Reference>,
    /// Its tags, at most 48. Tags that others put there are left alone.
    tags: Option<Tags>,
    /// Whether deleting the user deletes what was given to it by hand: access keys, a password, MFA devices, certificates,
    /// SSH keys. Without it a user that has any of these stays.
    #[schemars(extend("x-memory" = true))]
    force_destroy: Option<bool>,
    /// The inline policies as AWS holds them, by name: one, `s3stack`, made of `statements` and `grants`.
    #[schemars(extend("x-derived" = true))]
    inline_policies: Option<BTreeMap<String, Document>>,
}
