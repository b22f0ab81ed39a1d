//! Which IAM action an operation needs.

/// The IAM action that a caller must be allowed for `operation` of `service`, `s3:PutLifecycleConfiguration`.
///
/// The names agree except in S3 (Service Authorization Reference, "Actions, resources, and condition keys for Amazon
/// S3"). `sts:GetCallerIdentity` is allowed to everyone but has its action like the others.
pub fn iam_action(service: &str, operation: &str) -> String {
    let action = if service == "s3" { s3_action(operation) } else { operation };
    format!("{service}:{action}")
}

fn s3_action(operation: &str) -> &str {
    match operation {
        "ListBuckets" => "ListAllMyBuckets",
        "HeadBucket" | "ListObjects" | "ListObjectsV2" => "ListBucket",
        "ListObjectVersions" => "ListBucketVersions",
        "ListMultipartUploads" => "ListBucketMultipartUploads",
        "ListParts" => "ListMultipartUploadParts",
        "HeadObject" => "GetObject",
        "CopyObject" | "CreateMultipartUpload" | "UploadPart" | "UploadPartCopy" | "CompleteMultipartUpload" => {
            "PutObject"
        }
        "DeleteObjects" => "DeleteObject",
        "GetBucketEncryption" => "GetEncryptionConfiguration",
        "PutBucketEncryption" | "DeleteBucketEncryption" => "PutEncryptionConfiguration",
        "GetPublicAccessBlock" => "GetBucketPublicAccessBlock",
        "PutPublicAccessBlock" | "DeletePublicAccessBlock" => "PutBucketPublicAccessBlock",
        "DeleteBucketOwnershipControls" => "PutBucketOwnershipControls",
        "GetBucketLifecycleConfiguration" => "GetLifecycleConfiguration",
        "PutBucketLifecycleConfiguration" | "DeleteBucketLifecycle" => "PutLifecycleConfiguration",
        "GetBucketCors" => "GetBucketCORS",
        "PutBucketCors" | "DeleteBucketCors" => "PutBucketCORS",
        "GetBucketNotificationConfiguration" => "GetBucketNotification",
        "PutBucketNotificationConfiguration" => "PutBucketNotification",
        "GetBucketInventoryConfiguration" | "ListBucketInventoryConfigurations" => "GetInventoryConfiguration",
        "PutBucketInventoryConfiguration" | "DeleteBucketInventoryConfiguration" => "PutInventoryConfiguration",
        "GetBucketAnalyticsConfiguration" | "ListBucketAnalyticsConfigurations" => "GetAnalyticsConfiguration",
        "PutBucketAnalyticsConfiguration" | "DeleteBucketAnalyticsConfiguration" => "PutAnalyticsConfiguration",
        "GetBucketMetricsConfiguration" | "ListBucketMetricsConfigurations" => "GetMetricsConfiguration",
        "PutBucketMetricsConfiguration" | "DeleteBucketMetricsConfiguration" => "PutMetricsConfiguration",
        "GetBucketIntelligentTieringConfiguration" | "ListBucketIntelligentTieringConfigurations" => {
            "GetIntelligentTieringConfiguration"
        }
        "PutBucketIntelligentTieringConfiguration" | "DeleteBucketIntelligentTieringConfiguration" => {
            "PutIntelligentTieringConfiguration"
        }
        "GetBucketReplication" => "GetReplicationConfiguration",
        "PutBucketReplication" | "DeleteBucketReplication" => "PutReplicationConfiguration",
        "GetObjectLockConfiguration" => "GetBucketObjectLockConfiguration",
        "PutObjectLockConfiguration" => "PutBucketObjectLockConfiguration",
        "GetBucketAccelerateConfiguration" => "GetAccelerateConfiguration",
        "PutBucketAccelerateConfiguration" => "PutAccelerateConfiguration",
        "DeleteBucketTagging" => "PutBucketTagging",
        same => same,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_actions_differ_from_operations_where_aws_says_so() {
        for (operation, action) in [
            ("HeadBucket", "s3:ListBucket"),
            ("PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration"),
            ("DeleteBucketLifecycle", "s3:PutLifecycleConfiguration"),
            ("DeleteBucketReplication", "s3:PutReplicationConfiguration"),
            ("GetObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration"),
            ("PutBucketVersioning", "s3:PutBucketVersioning"),
            ("DeleteBucketWebsite", "s3:DeleteBucketWebsite"),
            ("DeleteBucketPolicy", "s3:DeleteBucketPolicy"),
        ] {
            assert_eq!(iam_action("s3", operation), action);
        }
    }

    #[test]
    fn other_services_name_actions_like_operations() {
        assert_eq!(iam_action("iam", "CreateRole"), "iam:CreateRole");
        assert_eq!(iam_action("logs", "DescribeLogGroups"), "logs:DescribeLogGroups");
    }
}
