//! What a block of `s3.bucket` may say.

use std::collections::BTreeMap;

use s3stack_engine::schema::shapes::{Reference, ScalarOr, Set, Tags, reference};
use schemars::JsonSchema;

use crate::resources::statements::Statements;

/// A bucket: private, encrypted and TLS-only unless told otherwise.
///
/// Everything AWS keeps in settings of their own (policy, lifecycle, CORS, logging and so on) stands in this one block.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
pub(super) struct Properties {
    /// The name: 3 to 63 lower-case letters, digits, hyphens and dots. It is unique among all accounts of AWS, so the
    /// default ends in the account id. Dots break TLS for virtual-hosted addresses: better use hyphens.
    #[schemars(
        length(min = 3, max = 63),
        regex(pattern = r"^[a-z0-9][a-z0-9.-]*[a-z0-9]$"),
        extend("x-create-only" = true, "x-delaying" = false, "x-aws-name" = "BucketName")
    )]
    name: Option<String>,
    /// Whether overwritten and deleted objects are kept as versions. Once on it can only be suspended: versions stay.
    #[schemars(extend("x-removal" = { "reset": false }))]
    versioning: Option<bool>,
    /// How objects are encrypted by default: a word, which takes AWS's key for S3 where it is one of KMS, or a table with a
    /// key of your own. If nothing is said AWS encrypts with `"AES256"`.
    #[schemars(extend("x-removal" = { "reset": { "algorithm": "AES256", "bucket_key": false } }))]
    encryption: Option<ScalarOr<Algorithm, Encryption>>,
    /// The four switches against opening the bucket to the world, all on by default: a bool for all, or a table.
    #[schemars(extend("default" = true))]
    public_access_block: Option<ScalarOr<bool, PublicAccessBlock>>,
    /// Whose the objects are. AWS's default is `BucketOwnerEnforced`; if nothing is said it is left alone.
    #[schemars(extend("x-removal" = { "reset": "BucketOwnerEnforced" }))]
    ownership: Option<Ownership>,
    /// Whether requests that don't come over TLS are refused, by a statement `DenyInsecureTransport` in the policy.
    #[schemars(extend("default" = true))]
    tls_only: Option<bool>,
    /// Statements of the bucket policy by Sid; `file` takes a whole document. What `tls_only` and other resources need
    /// is merged in. The policy has at most 20 KB.
    statements: Option<Statements>,
    /// What happens to objects as they age: lifecycle rules by ID, at most 1,000. A rule is about the objects that all its
    /// filters fit, `prefix`, `tags` and the sizes; without a filter about all.
    #[schemars(extend("maxProperties" = 1000, "x-key-pattern" = "^.{1,255}$"))]
    lifecycle: Option<BTreeMap<String, LifecycleRule>>,
    /// Which web pages of other origins may use the bucket, at most 100 rules; the first that fits counts.
    #[schemars(length(max = 100))]
    cors: Option<Vec<CorsRule>>,
    /// Where S3 writes a record of every request: a bucket, whose policy gets the statement that lets S3 do so.
    logging: Option<Logging>,
    /// Whether EventBridge is told what happens in the bucket. A rule that listens to it turns this on by itself.
    #[schemars(extend("x-removal" = { "reset": false }))]
    eventbridge: Option<bool>,
    /// The bucket's tags, at most 48. Tags that others put there are left alone.
    tags: Option<Tags>,
    /// Whether deleting the bucket deletes what is in it, versions too. Without it a bucket with objects stays.
    #[schemars(extend("x-memory" = true))]
    force_destroy: Option<bool>,
    /// The bucket policy as AWS holds it: statements, TLS-only and what other resources need, merged.
    #[schemars(extend("x-derived" = true, "x-principal" = true))]
    policy: Option<s3stack_engine::schema::shapes::Document>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
enum Algorithm {
    /// A key of S3's own.
    #[serde(rename = "AES256")]
    S3,
    /// A key of KMS.
    #[serde(rename = "aws:kms")]
    Kms,
    /// A key of KMS, in two layers.
    #[serde(rename = "aws:kms:dsse")]
    Dsse,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
struct Encryption {
    /// Whose key it is.
    algorithm: Algorithm,
    /// The key for `aws:kms` and `aws:kms:dsse`: a KMS key or its ARN. Without it AWS's own key for S3.
    #[schemars(extend("x-reference" = reference(&["kms.key"], "arn", "^arn:aws[a-z-]*:kms:")))]
    key: Option<Reference>,
    /// Whether S3 asks KMS once per bucket instead of once per object, which costs less. Only for `aws:kms`.
    bucket_key: Option<bool>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
struct PublicAccessBlock {
    /// Refuse access control lists that are public. On unless told otherwise.
    block_public_acls: Option<bool>,
    /// Take no notice of public access control lists. On unless told otherwise.
    ignore_public_acls: Option<bool>,
    /// Refuse bucket policies that are public. On unless told otherwise.
    block_public_policy: Option<bool>,
    /// Let only the own account and AWS's services in where the policy is public. On unless told otherwise.
    restrict_public_buckets: Option<bool>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
enum Ownership {
    /// The bucket owner's. Access control lists are off.
    BucketOwnerEnforced,
    /// The bucket owner's where they are written with the access control list `bucket-owner-full-control`.
    BucketOwnerPreferred,
    /// Whoever wrote them.
    ObjectWriter,
}

/// A lifecycle rule.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
struct LifecycleRule {
    /// Whether the rule acts.
    #[schemars(extend("default" = true))]
    enabled: Option<bool>,
    /// What the keys of the objects begin with; without it all.
    prefix: Option<String>,
    /// Tags that the objects have, all of them.
    #[schemars(extend("maxProperties" = 10))]
    tags: Option<BTreeMap<String, String>>,
    /// Only objects larger than this many bytes.
    #[schemars(range(min = 0))]
    object_size_greater_than: Option<i64>,
    /// Only objects smaller than this many bytes.
    #[schemars(range(min = 1))]
    object_size_less_than: Option<i64>,
    /// Moves to colder storage, each once the object is old enough. Objects under 128 KB stay where they are unless the rule
    /// filters by size.
    transitions: Option<Set<Transition>>,
    /// When objects go. In a versioned bucket this hides them behind a delete marker; `noncurrent_expiration` is what
    /// deletes.
    expiration: Option<Expiration>,
    /// Moves of former versions to colder storage.
    noncurrent_transitions: Option<Set<NoncurrentTransition>>,
    /// When former versions go for good. In a versioned bucket this is what deletes.
    noncurrent_expiration: Option<NoncurrentExpiration>,
    /// After how many days uploads in parts that were never finished are thrown away: a number, or a table. They cost
    /// like objects, and no list of objects shows them.
    abort_incomplete_multipart_upload: Option<ScalarOr<Days, AbortIncompleteMultipartUpload>>,
}

/// Days.
struct Days;

impl JsonSchema for Days {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Days".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer", "minimum": 1, "maximum": i32::MAX })
    }
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
struct Transition {
    /// Days after the object was made. Infrequent access takes 30 at least.
    #[schemars(range(min = 0, max = 2147483647))]
    days: Option<i32>,
    /// A day, `2027-01-31`, at midnight UTC, instead of `days`.
    #[schemars(regex(pattern = r"^\d{4}-\d{2}-\d{2}(T00:00:00(\.0+)?Z)?$"))]
    date: Option<String>,
    /// Where it goes.
    storage_class: ColderClass,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
enum ColderClass {
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

#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
struct Expiration {
    /// Days after the object was made.
    #[schemars(range(min = 1, max = 2147483647))]
    days: Option<i32>,
    /// A day, `2027-01-31`, at midnight UTC, instead of `days`.
    #[schemars(regex(pattern = r"^\d{4}-\d{2}-\d{2}(T00:00:00(\.0+)?Z)?$"))]
    date: Option<String>,
    /// Whether a delete marker goes once no version is left behind it; stands alone.
    expired_object_delete_marker: Option<bool>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
struct NoncurrentTransition {
    /// Days after the version was replaced.
    #[schemars(range(min = 0, max = 2147483647))]
    days: Option<i32>,
    /// How many former versions stay where they are, 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    newer_versions: Option<i32>,
    /// Where it goes.
    storage_class: ColderClass,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
struct NoncurrentExpiration {
    /// Days after the version was replaced.
    #[schemars(range(min = 1, max = 2147483647))]
    days: Option<i32>,
    /// How many former versions are kept beyond that, 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    newer_versions: Option<i32>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
struct AbortIncompleteMultipartUpload {
    /// Days after the upload was begun.
    #[schemars(range(min = 1, max = 2147483647))]
    days: i32,
}

/// A CORS rule.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
struct CorsRule {
    /// A name for people.
    #[schemars(length(max = 255))]
    id: Option<String>,
    /// The methods.
    allowed_methods: Set<Method>,
    /// The origins, `https://app.example.com`; one `*` is a wildcard.
    allowed_origins: Set<String>,
    /// Headers that a preflight request may ask for; one `*` is a wildcard.
    allowed_headers: Option<Set<String>>,
    /// Headers of the answer that the page may read.
    expose_headers: Option<Set<String>>,
    /// How long a browser may keep the preflight's answer, in seconds.
    #[schemars(range(min = 0, max = 2147483647))]
    max_age_seconds: Option<i32>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
enum Method {
    #[serde(rename = "GET")]
    Get,
    #[serde(rename = "PUT")]
    Put,
    #[serde(rename = "HEAD")]
    Head,
    #[serde(rename = "POST")]
    Post,
    #[serde(rename = "DELETE")]
    Delete,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
struct Logging {
    /// The bucket that takes the log, in the same region and account; without default encryption by KMS.
    #[schemars(extend("x-reference" = reference(&["s3.bucket"], "name", "^arn:aws[a-z-]*:s3:::")))]
    bucket: Reference,
    /// What the keys of the log's objects begin with, `data/`.
    prefix: Option<String>,
}
