//! What a block of `iam.group` may say.

use std::collections::BTreeMap;

use s3stack_engine::schema::shapes::Document;
use schemars::JsonSchema;

use crate::resources::iam::names;
use crate::resources::iam::properties::{Grants, Policies, Statements};

/// A group: what several users may do. Who is in it stands at the users, in `groups`.
///
/// AWS gives groups no tags, so nothing at a group says whose it is: one that exists already is taken over with `import`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
pub(super) struct Properties {
    /// The name: 1 to 128 letters, digits and `_+=,.@-`, unique in the account whatever the case and the path.
    #[schemars(
        length(min = 1, max = 128),
        regex(pattern = names::PATTERN),
        extend("x-create-only" = true, "x-delaying" = false, "x-aws-name" = "GroupName")
    )]
    name: Option<String>,
    /// The path, a part of the ARN that policies can refer to: `/teams/`. It begins and ends with a slash.
    #[schemars(
        length(max = 512),
        regex(pattern = names::PATH_PATTERN),
        extend("x-create-only" = true, "x-delaying" = false, "default" = "/")
    )]
    path: Option<String>,
    /// What its users may do, in AWS's words, by Sid; `file` takes a whole document. It becomes one inline policy with
    /// `grants`, of at most 5,120 characters.
    statements: Option<Statements>,
    /// What its users may do with resources of the stack: `{ to = "s3.bucket.data", access = "read" }`.
    grants: Option<Grants>,
    /// Managed policies that it has as well, at most ten: `iam.policy` by address, AWS's own by ARN.
    policies: Option<Policies>,
    /// The inline policies as AWS holds them, by name: one, `s3stack`, made of `statements` and `grants`.
    #[schemars(extend("x-derived" = true))]
    inline_policies: Option<BTreeMap<String, Document>>,
}
