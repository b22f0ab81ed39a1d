//! What a block of `s3.object` may say.

use std::collections::BTreeMap;

use s3stack_engine::schema::shapes::{Reference, Tags, reference};
use schemars::JsonSchema;

/// An object in a bucket: a text, a file, or every file of a folder.
///
/// It is written again when its content changes, and put back when somebody changes it in AWS. Encryption is the bucket's.
/// Deleting it from a versioned bucket leaves its versions.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
pub(super) struct Properties {
    /// The bucket.
    #[schemars(extend(
        "x-create-only" = true,
        "x-reference" = reference(&["s3.bucket"], "name", "^arn:aws[a-z-]*:s3:::")
    ))]
    bucket: Reference,
    /// The key, at most 1,024 bytes. With `folder` what the keys of all files begin with: empty, or ending in `/`.
    #[schemars(length(max = 1024), extend("x-create-only" = true, "x-delaying" = false))]
    key: String,
    /// The text itself. It is kept in state; a secret is not, only whether it changed.
    #[schemars(extend("x-write-only" = true))]
    content: Option<String>,
    /// A file of the stack folder, or in a module of the module's.
    #[schemars(extend("x-memory" = true, "x-file" = true))]
    source: Option<String>,
    /// A folder of the stack folder: each of its files becomes an object, and goes when the file does. Other objects
    /// under the same prefix are left alone.
    #[schemars(extend("x-memory" = true, "x-file" = true))]
    folder: Option<String>,
    /// The media type; guessed by the ending of key or file if nothing is said. Not with `folder`.
    #[schemars(length(min = 1), extend("x-removal" = "keep"))]
    content_type: Option<String>,
    /// How long browsers and CDNs may keep it, `max-age=3600`.
    cache_control: Option<String>,
    /// Metadata of one's own: lower-case keys, values of ASCII, 2 KB in all.
    #[schemars(extend("x-key-pattern" = "^[a-z0-9._-]+$", "x-reserved" = ["s3stack-"]))]
    metadata: Option<BTreeMap<String, String>>,
    /// The storage class. If nothing is said it is left alone, so that lifecycle rules may move the object.
    #[schemars(extend("x-removal" = { "reset": "STANDARD" }))]
    storage_class: Option<StorageClass>,
    /// The object's tags, at most 10, those of the stack included. Tags that others put there are left alone.
    tags: Option<Tags>,
    /// The SHA-256 of the content, in hex.
    #[schemars(extend("x-derived" = true))]
    checksum: Option<String>,
    /// The files of `folder` by path.
    #[schemars(extend("x-derived" = true))]
    files: Option<BTreeMap<String, File>>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
struct File {
    /// The SHA-256 of the content, in hex.
    checksum: String,
    /// The media type.
    content_type: String,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
enum StorageClass {
    /// Often read.
    #[serde(rename = "STANDARD")]
    Standard,
    /// Seldom read: cheaper to keep and dearer to read. Charged for 30 days at least.
    #[serde(rename = "STANDARD_IA")]
    StandardIa,
    /// S3 moves each object between tiers by how often it is read.
    #[serde(rename = "INTELLIGENT_TIERING")]
    IntelligentTiering,
    /// As `STANDARD_IA`, in one availability zone, with which it can be lost.
    #[serde(rename = "ONEZONE_IA")]
    OnezoneIa,
    /// An archive that is read at once. Charged for 90 days at least.
    #[serde(rename = "GLACIER_IR")]
    GlacierIr,
    /// An archive that is restored within minutes to hours. Charged for 90 days at least.
    #[serde(rename = "GLACIER")]
    Glacier,
    /// An archive that is restored within half a day to two days. Charged for 180 days at least.
    #[serde(rename = "DEEP_ARCHIVE")]
    DeepArchive,
}
