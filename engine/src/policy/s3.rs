//! What S3's part in policies is: access levels of buckets, the shapes of S3's actions, statements of bucket policies.
//!
//! Actions and their resources:
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>.

use super::action;
use super::document::{Conditions, Effect, PrincipalKind, Principals, Statement};
use super::grant::{Access, AccessLevel, ActionShapes, KeyAccess, KeyRule, Shape};
use super::{sid, text};
use crate::address::Address;
use crate::value::Value;

const BUCKET: Shape = Shape { label: "Bucket", resource: "{arn}", prefix_key: None };
const LISTING: Shape = Shape { label: "Listing", resource: "{arn}", prefix_key: Some("s3:prefix") };
const OBJECTS: Shape = Shape { label: "Objects", resource: "{arn}/{prefix}*", prefix_key: None };

/// What may be granted on a bucket.
///
/// `write` has what a multipart upload takes; replacing an object is writing, so the loss of an unversioned object's
/// former content is in it. `delete` has no deletion of versions: that is never needed by accident.
pub static BUCKET_ACCESS: Access = Access {
    levels: &[
        AccessLevel {
            name: "list",
            doc: "List the objects.",
            includes: &[],
            actions: &["s3:ListBucket", "s3:GetBucketLocation"],
        },
        AccessLevel {
            name: "read",
            doc: "List and read objects, former versions too.",
            includes: &["list"],
            actions: &["s3:GetObject", "s3:GetObjectVersion"],
        },
        AccessLevel {
            name: "write",
            doc: "Write objects, in parts too.",
            includes: &[],
            actions: &["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
        },
        AccessLevel {
            name: "delete",
            doc: "Delete objects; in a versioned bucket their versions stay.",
            includes: &[],
            actions: &["s3:DeleteObject"],
        },
    ],
    shapes: &[
        ActionShapes { actions: &["s3:ListBucket", "s3:ListBucketVersions"], shapes: &[LISTING] },
        ActionShapes { actions: BUCKET_ACTIONS, shapes: &[BUCKET] },
        ActionShapes { actions: OBJECT_ACTIONS, shapes: &[OBJECTS] },
    ],
    otherwise: &[BUCKET, OBJECTS],
    key: Some(KeyAccess {
        via: "s3",
        rules: &[
            KeyRule { actions: &["s3:GetObject", "s3:GetObjectVersion"], needs: &["kms:Decrypt"] },
            // S3 decrypts the parts of a multipart upload to put them together.
            KeyRule { actions: &["s3:PutObject"], needs: &["kms:Decrypt", "kms:GenerateDataKey"] },
        ],
    }),
};

/// Actions on buckets, by pattern. Before those on objects, since some speak of objects (`GetBucketObjectLockConfiguration`).
const BUCKET_ACTIONS: &[&str] = &[
    "s3:CreateBucket*",
    "s3:DeleteBucket*",
    "s3:GetBucket*",
    "s3:ListBucket*",
    "s3:PutBucket*",
    "s3:GetAccelerateConfiguration",
    "s3:GetAnalyticsConfiguration",
    "s3:GetEncryptionConfiguration",
    "s3:GetIntelligentTieringConfiguration",
    "s3:GetInventoryConfiguration",
    "s3:GetLifecycleConfiguration",
    "s3:GetMetricsConfiguration",
    "s3:GetReplicationConfiguration",
    "s3:PutAccelerateConfiguration",
    "s3:PutAnalyticsConfiguration",
    "s3:PutEncryptionConfiguration",
    "s3:PutIntelligentTieringConfiguration",
    "s3:PutInventoryConfiguration",
    "s3:PutLifecycleConfiguration",
    "s3:PutMetricsConfiguration",
    "s3:PutReplicationConfiguration",
];

/// Actions on objects, by pattern.
const OBJECT_ACTIONS: &[&str] = &[
    "s3:AbortMultipartUpload",
    "s3:BypassGovernanceRetention",
    "s3:DeleteObject*",
    "s3:GetObject*",
    "s3:InitiateReplication",
    "s3:ListMultipartUploadParts",
    "s3:ObjectOwnerOverrideToBucketOwner",
    "s3:PutObject*",
    "s3:ReplicateDelete",
    "s3:ReplicateObject",
    "s3:ReplicateTags",
    "s3:RestoreObject",
    "s3:UpdateObjectEncryption",
];

/// What an action of S3 works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorksOn {
    /// A bucket.
    Bucket,
    /// An object.
    Object,
}

/// What an action of S3 works on; none for actions of other services, on both, on neither, and unknown ones.
pub fn works_on(action: &str) -> Option<WorksOn> {
    let any = |patterns: &[&str]| patterns.iter().any(|pattern| action::covers(pattern, action));
    match (any(BUCKET_ACTIONS), any(OBJECT_ACTIONS)) {
        (true, _) => Some(WorksOn::Bucket),
        (_, true) => Some(WorksOn::Object),
        _ => None,
    }
}

/// The Sid of [`tls_only`].
pub const TLS_ONLY: &str = "DenyInsecureTransport";

/// Refuses every request to the bucket and its objects that does not come over TLS. It locks nobody out who uses HTTPS.
pub fn tls_only(bucket_arn: &Value) -> Statement {
    Statement {
        sid: Some(TLS_ONLY.to_owned()),
        effect: Effect::Deny,
        principals: Some(Principals::Everyone),
        actions: vec!["s3:*".into()],
        resources: vec![bucket_arn.clone(), text::fill("{arn}/*", &[("arn", bucket_arn)])],
        conditions: [("Bool".to_owned(), [("aws:SecureTransport".to_owned(), vec!["false".into()])].into())].into(),
        ..Statement::default()
    }
}

/// A bucket that writes its access log into another.
#[derive(Debug, Clone)]
pub struct LogSource {
    /// The bucket that logs.
    pub address: Address,
    /// Its ARN.
    pub arn: Value,
    /// The account it is in.
    pub account: Value,
    /// What the log objects' keys begin with; null for nothing.
    pub prefix: Value,
}

/// Lets S3 deliver the access log of a bucket into another.
///
/// The Sid is readable and may be that of another source too, one of the same name in another module:
/// [`super::merge::merge`] tells them apart.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html>
pub fn log_delivery(target_arn: &Value, source: &LogSource) -> Statement {
    let key = source.address.key.as_deref().map(sid::camel).unwrap_or_default();
    let sid = format!("S3ServerAccessLogs{}{key}", sid::camel(&source.address.name));
    let holes = [("arn", target_arn), ("prefix", &source.prefix)];
    let mut conditions = Conditions::new();
    let mut bind = |operator: &str, key: &str, value: &Value| {
        conditions.entry(operator.to_owned()).or_default().insert(key.to_owned(), vec![value.clone()]);
    };
    bind("ArnLike", "aws:SourceArn", &source.arn);
    bind("StringEquals", "aws:SourceAccount", &source.account);
    Statement {
        sid: Some(sid),
        effect: Effect::Allow,
        principals: Some(Principals::Listed(
            [(PrincipalKind::Service, vec!["logging.s3.amazonaws.com".into()])].into(),
        )),
        actions: vec!["s3:PutObject".into()],
        resources: vec![text::fill("{arn}/{prefix}*", &holes)],
        conditions,
        ..Statement::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::Document;
    use super::*;

    #[test]
    fn actions_work_on_buckets_or_objects() {
        for (action, expected) in [
            ("s3:GetObject", Some(WorksOn::Object)),
            ("s3:getobjectversiontagging", Some(WorksOn::Object)),
            ("s3:GetObject*", Some(WorksOn::Object)),
            ("s3:GetBucketObjectLockConfiguration", Some(WorksOn::Bucket)),
            ("s3:ListBucketMultipartUploads", Some(WorksOn::Bucket)),
            ("s3:PutLifecycleConfiguration", Some(WorksOn::Bucket)),
            ("s3:Get*", None),
            ("s3:*", None),
            ("s3:ListAllMyBuckets", None),
            ("sqs:SendMessage", None),
        ] {
            assert_eq!(works_on(action), expected, "{action}");
        }
    }

    #[test]
    fn plain_http_is_refused_on_the_bucket_and_its_objects() {
        assert_eq!(
            Document::new(vec![tls_only(&"arn:aws:s3:::data".into())]).to_json().unwrap(),
            r#"{"Version":"2012-10-17","Statement":[{"Sid":"DenyInsecureTransport","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::data","arn:aws:s3:::data/*"],"Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}"#
        );
    }

    #[test]
    fn each_source_of_logs_has_its_statement() {
        let source = |address: &str, prefix: Value| LogSource {
            address: address.parse().unwrap(),
            arn: "arn:aws:s3:::data".into(),
            account: "123456789012".into(),
            prefix,
        };
        let made = |address: &str, prefix: Value| log_delivery(&"arn:aws:s3:::logs".into(), &source(address, prefix));
        assert_eq!(
            Document::new(vec![made("s3.bucket.data", "data/".into())]).to_json().unwrap(),
            r#"{"Version":"2012-10-17","Statement":[{"Sid":"S3ServerAccessLogsData","Effect":"Allow","Principal":{"Service":"logging.s3.amazonaws.com"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::logs/data/*","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:s3:::data"},"StringEquals":{"aws:SourceAccount":"123456789012"}}}]}"#
        );
        let keyed = made("s3.bucket.raw[\"eu-1\"]", Value::Null);
        assert_eq!(
            (keyed.sid.as_deref(), keyed.resources),
            (Some("S3ServerAccessLogsRawEu1"), vec!["arn:aws:s3:::logs/*".into()])
        );
    }
}
