//! What a block of `iam.access_key` may say.

use std::collections::BTreeMap;

use s3stack_engine::schema::shapes::{Reference, reference};
use schemars::JsonSchema;

/// A long-lived key of a user for programs outside AWS, its secret kept in a `.env` file and nowhere else.
///
/// Inside AWS give programs a role instead: its credentials need no keeping. AWS tells the secret of a key once. It goes
/// into the file, readable by its owner alone, and neither into state nor into any output. If the file loses it, the
/// key is replaced.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
pub(super) struct Properties {
    /// The user whose key it is.
    #[schemars(extend("x-reference" = reference(&["iam.user"], "name", ""), "x-create-only" = true, "x-aws-name" = "UserName"))]
    user: Reference,
    /// Any text. Another text makes a new key: it is made and written, then the old one is deleted. Programs that still
    /// hold the old one stop working, so let them read the file again.
    #[schemars(extend("x-create-only" = true, "x-removal" = "keep", "x-delaying" = false))]
    rotate: Option<String>,
    /// Whether the key works.
    #[schemars(extend("default" = true, "x-removal" = { "reset": true }))]
    active: Option<bool>,
    /// Where the key goes.
    env_file: EnvFile,
    /// Whether the secret is still where it was put: `present`, or what became of it. It cannot be had again, so a key
    /// whose secret is lost is replaced.
    #[schemars(extend("x-derived" = true, "x-create-only" = true))]
    secret_copy: Option<String>,
}

/// A file of `NAME=value` lines. Its other lines are kept, byte for byte.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
struct EnvFile {
    /// The file, relative to the stack's folder and inside it. It is made if need be, 0600 in any case. Keep it out of
    /// version control.
    #[schemars(length(min = 1), extend("x-delaying" = false))]
    path: String,
    /// The lines by name. `${self.id}` must be a line, alone or inside other text, and so must `${self.secret}`; others
    /// may say what the program needs to know besides.
    #[schemars(extend("x-key-pattern" = "^[A-Za-z_][A-Za-z0-9_]*$", "x-delaying" = false))]
    set: BTreeMap<String, String>,
}
