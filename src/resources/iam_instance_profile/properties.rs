//! What a block of `iam.instance_profile` may say.

use s3stack_engine::schema::shapes::{Reference, Tags, reference};
use schemars::JsonSchema;

use crate::resources::iam::names;

/// An instance profile: EC2 takes a role by the name of one.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
pub(super) struct Properties {
    /// The name: 1 to 128 letters, digits and `_+=,.@-`, unique in the account whatever the case and the path.
    #[schemars(
        length(min = 1, max = 128),
        regex(pattern = names::PATTERN),
        extend("x-create-only" = true, "x-delaying" = false, "x-aws-name" = "InstanceProfileName")
    )]
    name: Option<String>,
    /// The path, a part of the ARN: `/service/`. It begins and ends with a slash.
    #[schemars(
        length(max = 512),
        regex(pattern = names::PATH_PATTERN),
        extend("x-create-only" = true, "x-delaying" = false, "default" = "/")
    )]
    path: Option<String>,
    /// Its role, by address; one outside the stack by name. AWS takes one at most.
    // The profile keeps the role itself and not its name: a role that is made anew has to be put in again.
    #[schemars(extend("x-reference" = reference(&["iam.role"], "name", names::PATTERN), "x-principal" = true, "x-aws-name" = "Roles"))]
    role: Option<Reference>,
    /// Its tags, at most 48. Tags that others put there are left alone.
    tags: Option<Tags>,
}
