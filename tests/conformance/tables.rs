//! Everything that is not as every type should be, with the reason. A line that is no longer needed fails the suite.

use crate::ledger::Part;

/// Checks that the emulator (ministack 1.5.33) cannot run for a type: type, check, reason. A type of which every check
/// stands here is run by nothing, and fails the suite.
pub const EXCUSED: &[(&str, &str, &str)] = &[];

/// Optional properties of base fixtures that cannot be taken out alone: type, property, reason.
pub const NOT_RESET: &[(&str, &str, &str)] = &[
    ("iam.policy", "statements", "AWS takes no policy that says nothing"),
    ("s3.object", "content", "an object needs one of content, source and folder"),
];

/// Managed properties that `updated` need not change: type, property, reason.
pub const NOT_UPDATED: &[(&str, &str, &str)] = &[];

/// Managed properties that do not drift where somebody else applies `updated`: type, property, reason.
pub const NOT_DRIFTING: &[(&str, &str, &str)] =
    &[("iam.access_key", "env_file", "it is a file of the stack folder, and they have one of their own")];

/// Declared actions that only come into play when something else is there: type, verb, action, reason.
pub const CONDITIONAL: &[(&str, Part, &str, &str)] = &[
    ("iam.access_key", Part::Read, "iam:GetAccessKeyLastUsed", KEYS),
    ("iam.access_key", Part::Create, "iam:GetAccessKeyLastUsed", KEYS),
    ("iam.access_key", Part::Create, "iam:UpdateAccessKey", KEYS),
    ("iam.access_key", Part::Create, "iam:DeleteAccessKey", KEYS),
    ("iam.group", Part::Delete, "iam:ListAttachedGroupPolicies", ATTACHED),
    ("iam.group", Part::Delete, "iam:ListGroupPolicies", ATTACHED),
    ("iam.group", Part::Delete, "iam:RemoveUserFromGroup", ATTACHED),
    ("iam.instance_profile", Part::Create, "iam:PassRole", IMPLIED),
    ("iam.instance_profile", Part::Create, "iam:TagInstanceProfile", IMPLIED),
    ("iam.instance_profile", Part::Delete, "iam:GetInstanceProfile", ATTACHED),
    ("iam.instance_profile", Part::Update, "iam:PassRole", IMPLIED),
    ("iam.policy", Part::Create, "iam:TagPolicy", IMPLIED),
    ("iam.policy", Part::Delete, "iam:DeletePolicyVersion", MANY_VERSIONS),
    ("iam.policy", Part::Delete, "iam:DetachGroupPolicy", ATTACHED),
    ("iam.policy", Part::Delete, "iam:DetachRolePolicy", ATTACHED),
    ("iam.policy", Part::Delete, "iam:DetachUserPolicy", ATTACHED),
    ("iam.policy", Part::Delete, "iam:ListEntitiesForPolicy", ATTACHED),
    ("iam.policy", Part::Delete, "iam:ListPolicyVersions", MANY_VERSIONS),
    ("iam.policy", Part::Update, "iam:DeletePolicyVersion", MANY_VERSIONS),
    ("iam.policy", Part::Update, "iam:ListPolicyVersions", MANY_VERSIONS),
    ("iam.role", Part::Create, "iam:TagRole", IMPLIED),
    ("iam.role", Part::Delete, "iam:ListAttachedRolePolicies", ATTACHED),
    ("iam.role", Part::Delete, "iam:ListInstanceProfilesForRole", ATTACHED),
    ("iam.role", Part::Delete, "iam:ListRolePolicies", ATTACHED),
    ("iam.role", Part::Delete, "iam:RemoveRoleFromInstanceProfile", ATTACHED),
    ("logs.group", Part::Create, "logs:TagResource", IMPLIED),
    ("logs.group", Part::Update, "logs:AssociateKmsKey", NO_KEYS),
    ("logs.group", Part::Update, "logs:DisassociateKmsKey", NO_KEYS),
    ("iam.user", Part::Create, "iam:TagUser", IMPLIED),
    ("iam.user", Part::Create, "iam:PutUserPermissionsBoundary", IMPLIED),
    ("iam.user", Part::Delete, "iam:ListAttachedUserPolicies", ATTACHED),
    ("iam.user", Part::Delete, "iam:ListUserPolicies", ATTACHED),
    ("iam.user", Part::Delete, "iam:ListGroupsForUser", ATTACHED),
    ("iam.user", Part::Delete, "iam:DeleteAccessKey", CREDENTIALS),
    ("iam.user", Part::Delete, "iam:DeleteLoginProfile", CREDENTIALS),
    ("iam.user", Part::Delete, "iam:DeactivateMFADevice", CREDENTIALS),
    ("iam.user", Part::Delete, "iam:DeleteVirtualMFADevice", CREDENTIALS),
    ("iam.user", Part::Delete, "iam:ListSigningCertificates", CREDENTIALS),
    ("iam.user", Part::Delete, "iam:DeleteSigningCertificate", CREDENTIALS),
    ("iam.user", Part::Delete, "iam:ListSSHPublicKeys", CREDENTIALS),
    ("iam.user", Part::Delete, "iam:DeleteSSHPublicKey", CREDENTIALS),
    ("iam.user", Part::Delete, "iam:ListServiceSpecificCredentials", CREDENTIALS),
    ("iam.user", Part::Delete, "iam:DeleteServiceSpecificCredential", CREDENTIALS),
    ("s3.bucket", Part::Create, "s3:PutBucketOwnershipControls", IMPLIED),
    (
        "s3.bucket",
        Part::Create,
        "s3:PutBucketTagging",
        "only in regions apart, which take no tags in a creation; tests/s3 has that",
    ),
    ("s3.bucket", Part::Create, "s3:TagResource", IMPLIED),
    ("s3.bucket", Part::Delete, "s3:AbortMultipartUpload", FULL),
    ("s3.bucket", Part::Delete, "s3:DeleteObject", FULL),
    ("s3.bucket", Part::Delete, "s3:DeleteObjectVersion", FULL),
    ("s3.bucket", Part::Delete, "s3:ListBucketMultipartUploads", FULL),
    ("s3.bucket", Part::Delete, "s3:ListBucketVersions", FULL),
    (
        "s3.bucket",
        Part::Update,
        "s3:DeleteBucketPolicy",
        "only with tls_only = false and nothing else to say; tests/s3 has that",
    ),
    ("s3.object", Part::Create, "s3:AbortMultipartUpload", LARGE),
    ("s3.object", Part::Create, "s3:GetObject", "only where an object is there already; tests/s3 has that"),
    ("s3.object", Part::Create, "s3:PutObjectTagging", IMPLIED),
    (
        "s3.object",
        Part::Read,
        "s3:ListBucket",
        "AWS tells a missing object from a hidden one only to those who may list",
    ),
    ("s3.object", Part::Update, "s3:AbortMultipartUpload", LARGE),
    ("s3.object", Part::Update, "s3:DeleteObject", "only for files that went out of a folder; tests/s3 has that"),
    ("s3.object", Part::Update, "s3:GetObject", "only for files that came into a folder; tests/s3 has that"),
    ("s3.object", Part::Update, "s3:GetObjectTagging", "only for files of a folder; tests/s3 has that"),
];

const IMPLIED: &str = "AWS asks for it with another call: what is made, tagged or passed in one";
const ATTACHED: &str =
    "only where AWS refuses, because something that state does not know is attached; tests/iam has that";
const KEYS: &str = "only where a creation was cut short, the user has two keys or the key shall not work; tests/access_key.rs has that";
const CREDENTIALS: &str = "only where somebody gave the user something to log in with; tests/access_key.rs has access keys, \
                           the emulator lacks certificates, SSH keys and credentials of services";
const MANY_VERSIONS: &str = "only where a policy has several versions; tests/iam has that";
const FULL: &str = "only for a bucket that is not empty; tests/s3 has that";
const NO_KEYS: &str = "the emulator gives no log group another key; the type's own tests have that";
const LARGE: &str = "only for files that are uploaded in parts; tests/s3 has that";

/// Types of which an account cannot list the resources: type, reason.
pub const NOT_LISTED: &[(&str, &str)] = &[];

/// Why a check of a type is not run.
pub fn excuse(type_name: &str, check: &str) -> Option<&'static str> {
    EXCUSED.iter().find(|(of, name, _)| *of == type_name && *name == check).map(|(.., reason)| *reason)
}

/// Why a property's reset is not looked at.
pub fn not_reset(type_name: &str, property: &str) -> Option<&'static str> {
    NOT_RESET.iter().find(|(of, name, _)| *of == type_name && *name == property).map(|(.., reason)| *reason)
}

/// Why a property stays as it is in `updated`.
pub fn not_updated(type_name: &str, property: &str) -> Option<&'static str> {
    NOT_UPDATED.iter().find(|(of, name, _)| *of == type_name && *name == property).map(|(.., reason)| *reason)
}

/// Why a property does not drift with somebody else's apply.
pub fn not_drifting(type_name: &str, property: &str) -> Option<&'static str> {
    NOT_DRIFTING.iter().find(|(of, name, _)| *of == type_name && *name == property).map(|(.., reason)| *reason)
}

/// When a declared action is needed.
pub fn conditional(type_name: &str, part: Part, action: &str) -> Option<&'static str> {
    CONDITIONAL
        .iter()
        .find(|(of, of_part, name, _)| *of == type_name && *of_part == part && *name == action)
        .map(|(.., reason)| *reason)
}

/// Every type that a table names.
pub fn types() -> impl Iterator<Item = &'static str> {
    let properties = [EXCUSED, NOT_RESET, NOT_UPDATED, NOT_DRIFTING].into_iter().flatten().map(|(of, ..)| *of);
    properties.chain(CONDITIONAL.iter().map(|(of, ..)| *of)).chain(NOT_LISTED.iter().map(|(of, _)| *of))
}
