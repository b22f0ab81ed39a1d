//! The refusals of AWS that pass by themselves, each with its exact code and phrase, and the sets that operations use.
//!
//! The source of each is AWS's documentation or the retry lists of its own tools. Delayed visibility takes 5 to 15 s as
//! a rule and up to 2 minutes; conflicts last as long as the other operation.

use std::time::Duration;

use super::operation::RetryRule;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const TWO_MINUTES: Duration = Duration::from_secs(120);

/// S3: another operation on the bucket is under way, or a bucket of this name was deleted a moment ago.
pub const S3_BUSY: RetryRule = RetryRule {
    awaits: "another operation on the bucket",
    codes: &["OperationAborted"],
    says: &[],
    every: SECOND,
    up_to: TWO_MINUTES,
};

/// S3: the bucket was made a moment ago and is not visible everywhere. Only where the bucket is known to exist.
pub const S3_NEW_BUCKET: RetryRule = RetryRule {
    awaits: "the new bucket to be visible",
    codes: &["NoSuchBucket"],
    says: &[],
    every: SECOND,
    up_to: TWO_MINUTES,
};

/// S3: a policy names a role or user that was made a moment ago.
pub const S3_NEW_PRINCIPAL: RetryRule = RetryRule {
    awaits: "the new principal to be visible",
    codes: &["MalformedPolicy"],
    says: &["Invalid principal in policy"],
    every: SECOND,
    up_to: TWO_MINUTES,
};

/// S3: the bucket's public access block was opened a moment ago; if it is the account's that refuses, this ends after a
/// minute.
pub const S3_JUST_OPENED: RetryRule = RetryRule {
    awaits: "the public access block to be open",
    codes: &["AccessDenied"],
    says: &["by the BlockPublicPolicy "],
    every: SECOND,
    up_to: MINUTE,
};

/// S3: the destination's permission for notifications was given a moment ago; if it is missing, this ends after a minute.
pub const S3_NEW_DESTINATION: RetryRule = RetryRule {
    awaits: "the destination to accept notifications",
    codes: &["InvalidArgument"],
    says: &["Unable to validate the following destination configurations"],
    every: SECOND,
    up_to: MINUTE,
};

/// S3: versioning was enabled a moment ago.
pub const S3_NEW_VERSIONING: RetryRule = RetryRule {
    awaits: "versioning to be enabled everywhere",
    codes: &["InvalidRequest"],
    says: &["Versioning must be 'Enabled' on the bucket"],
    every: SECOND,
    up_to: MINUTE,
};

/// S3: the last object versions were deleted a moment ago. Only after a listing has come back empty.
pub const S3_JUST_EMPTIED: RetryRule = RetryRule {
    awaits: "the bucket to be seen empty",
    codes: &["BucketNotEmpty"],
    says: &[],
    every: SECOND,
    up_to: MINUTE,
};

/// IAM: a trust policy names a role or user that was made a moment ago.
pub const IAM_NEW_PRINCIPAL: RetryRule = RetryRule {
    awaits: "the new principal to be visible",
    codes: &["MalformedPolicyDocument"],
    says: &["Invalid principal in policy"],
    every: SECOND,
    up_to: TWO_MINUTES,
};

/// IAM: two changes met, or the name was deleted a moment ago.
pub const IAM_BUSY: RetryRule = RetryRule {
    awaits: "another change of the same entity",
    codes: &["ConcurrentModification", "EntityTemporarilyUnmodifiable"],
    says: &[],
    every: SECOND,
    up_to: TWO_MINUTES,
};

/// IAM: the role, user, group, policy or profile was made a moment ago. Only where it is known to exist.
pub const IAM_NEW_ENTITY: RetryRule = RetryRule {
    awaits: "the new entity to be visible",
    codes: &["NoSuchEntity"],
    says: &[
        "The role with name",
        "The user with name",
        "The group with name",
        "Instance Profile",
        "does not exist or is not attachable",
        "Policy arn:",
    ],
    every: SECOND,
    up_to: MINUTE,
};

/// IAM: what stood in the way of a deletion was removed a moment ago. Only after it was.
pub const IAM_JUST_DETACHED: RetryRule = RetryRule {
    awaits: "what was detached to be gone",
    codes: &["DeleteConflict"],
    says: &[],
    every: SECOND,
    up_to: MINUTE,
};

/// CloudWatch Logs: another operation on the log group is under way.
pub const LOGS_BUSY: RetryRule = RetryRule {
    awaits: "another operation on the log group",
    codes: &["OperationAbortedException"],
    says: &[],
    every: SECOND,
    up_to: TWO_MINUTES,
};

/// CloudWatch Logs: the key's policy was changed a moment ago.
pub const LOGS_NEW_KEY: RetryRule = RetryRule {
    awaits: "the key to accept the log group",
    codes: &["AccessDeniedException"],
    says: &["The specified KMS key does not exist or is not allowed to be used with Arn"],
    every: SECOND,
    up_to: MINUTE,
};

/// For CreateBucket and DeleteBucket.
pub const BUCKET: &[RetryRule] = &[S3_BUSY];
/// For writes of one setting of a bucket that exists.
pub const BUCKET_SETTING: &[RetryRule] = &[S3_BUSY, S3_NEW_BUCKET];
/// For PutBucketPolicy.
pub const BUCKET_POLICY: &[RetryRule] = &[S3_BUSY, S3_NEW_BUCKET, S3_NEW_PRINCIPAL, S3_JUST_OPENED];
/// For PutBucketNotificationConfiguration.
pub const BUCKET_NOTIFICATION: &[RetryRule] = &[S3_BUSY, S3_NEW_BUCKET, S3_NEW_DESTINATION];
/// For PutBucketReplication.
pub const BUCKET_REPLICATION: &[RetryRule] = &[S3_BUSY, S3_NEW_BUCKET, S3_NEW_VERSIONING];
/// For DeleteBucket after it was emptied.
pub const BUCKET_EMPTIED: &[RetryRule] = &[S3_BUSY, S3_JUST_EMPTIED];
/// For creations of IAM entities. What a role or user made with a boundary does not find is the boundary's policy.
pub const IAM_CREATE: &[RetryRule] = &[IAM_BUSY, IAM_NEW_PRINCIPAL, IAM_NEW_ENTITY];
/// For changes of an IAM entity that exists: Put…Policy, Attach…, Tag…, UpdateAssumeRolePolicy.
pub const IAM_CHANGE: &[RetryRule] = &[IAM_BUSY, IAM_NEW_PRINCIPAL, IAM_NEW_ENTITY];
/// For detaching and deleting parts of IAM entities.
pub const IAM_DETACH: &[RetryRule] = &[IAM_BUSY];
/// For the deletion of an IAM entity whose parts were removed before.
pub const IAM_DELETE: &[RetryRule] = &[IAM_BUSY, IAM_JUST_DETACHED];
/// For writes of log groups.
pub const LOG_GROUP: &[RetryRule] = &[LOGS_BUSY, LOGS_NEW_KEY];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_asks_for_the_code_before_the_phrase() {
        let text = "Invalid principal in policy: \"AWS\":\"arn:aws:iam::123456789012:role/r\"";
        assert!(IAM_NEW_PRINCIPAL.matches(Some("MalformedPolicyDocument"), text));
        assert!(!IAM_NEW_PRINCIPAL.matches(Some("EntityAlreadyExists"), text));
        assert!(!IAM_NEW_PRINCIPAL.matches(None, text));
    }

    #[test]
    fn a_malformed_policy_for_another_reason_is_not_waited_out() {
        assert!(!IAM_NEW_PRINCIPAL.matches(Some("MalformedPolicyDocument"), "Syntax errors in policy."));
        assert!(!S3_NEW_DESTINATION.matches(Some("InvalidArgument"), "Configurations overlap."));
    }

    #[test]
    fn a_public_access_block_that_was_just_opened_is_waited_for_and_no_other_denial() {
        let waited = |text: &str| BUCKET_POLICY.iter().any(|rule| rule.matches(Some("AccessDenied"), text));
        let denied = "User: arn:aws:iam::123456789012:user/me is not authorized to perform: s3:PutBucketPolicy on resource: \"arn:aws:s3:::site\" because";
        for why in [
            "prevented by the BlockPublicPolicy setting in S3 Block Public Access",
            "blocked by the BlockPublicPolicy block public access setting",
        ] {
            assert!(waited(&format!("{denied} public policies are {why}.")));
        }
        assert!(!waited(&format!("{denied} no identity-based policy allows the s3:PutBucketPolicy action")));
        assert!(!waited("Access Denied"));
    }

    #[test]
    fn a_missing_inline_policy_is_not_taken_for_a_new_role() {
        let text = "The role policy with name admin cannot be found.";
        assert!(!IAM_NEW_ENTITY.matches(Some("NoSuchEntity"), text));
        assert!(IAM_NEW_ENTITY.matches(Some("NoSuchEntity"), "The role with name r cannot be found."));
    }

    #[test]
    fn a_role_waits_for_the_policy_that_is_its_boundary() {
        let text = "Scope ARN: arn:aws:iam::123456789012:policy/b does not exist or is not attachable.";
        assert!(IAM_CREATE.iter().any(|rule| rule.matches(Some("NoSuchEntity"), text)));
    }
}
