//! What a block of `iam.policy` may say.

use s3stack_engine::schema::shapes::{Document, Tags};
use schemars::JsonSchema;

use crate::resources::iam::names;
use crate::resources::iam::properties::{Grants, Statements};

/// A policy that several roles, users and groups share: what those it is attached to may do.
///
/// A change makes a new version the default one. AWS keeps five; the oldest gives way.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
pub(super) struct Properties {
    /// The name: 1 to 128 letters, digits and `_+=,.@-`, unique in the account whatever the case and the path.
    #[schemars(
        length(min = 1, max = 128),
        regex(pattern = names::PATTERN),
        extend("x-create-only" = true, "x-delaying" = false, "x-aws-name" = "PolicyName")
    )]
    name: Option<String>,
    /// The path, a part of the ARN: `/service/`. It begins and ends with a slash.
    #[schemars(
        length(max = 512),
        regex(pattern = names::PATH_PATTERN),
        extend("x-create-only" = true, "x-delaying" = false, "default" = "/")
    )]
    path: Option<String>,
    /// What it is for, at most 1,000 characters. AWS never changes it: another one makes another policy. Taken out of the
    /// file, it stays as it is.
    #[schemars(length(max = 1000), extend("x-create-only" = true, "x-delaying" = false, "x-removal" = "keep"))]
    description: Option<String>,
    /// What it allows or denies, in AWS's words, by Sid; `file` takes a whole document. At most 6,144 characters with
    /// `grants`, white space not counted.
    statements: Option<Statements>,
    /// What it allows with resources of the stack: `{ to = "s3.bucket.data", access = "read", prefix = "reports/" }`.
    grants: Option<Grants>,
    /// Its tags, at most 48. Tags that others put there are left alone.
    tags: Option<Tags>,
    /// The default version's document as AWS holds it, made of `statements` and `grants`.
    #[schemars(extend("x-derived" = true, "x-aws-name" = "PolicyDocument"))]
    document: Option<Document>,
}
