//! The stacks that several tests use.

/// Ten resources of every kind of identity: buckets that log into and name each other, roles with policies, attachments
/// and grants, what waits for them, a bucket policy that names a role, and a key whose secret is told once.
pub const TEN: &str = r#"
[stack]
name   = "ten"
region = "us-east-1"
tags   = { Team = "faults" }

[s3.bucket.data]
versioning = true
logging    = { bucket = "s3.bucket.logs", prefix = "data/" }

[s3.bucket.data.lifecycle.old]
prefix     = "old/"
expiration = { days = 30 }

[s3.bucket.logs]

[s3.bucket.shared.statements.Reader]
principals = ["${iam.role.reader.arn}"]
actions    = ["s3:GetObject"]
resources  = ["${self.arn}/*"]

[iam.policy.list.statements.List]
actions   = ["s3:ListBucket"]
resources = ["${s3.bucket.data.arn}"]

[iam.policy.upload.statements.Upload]
actions   = ["s3:PutObject"]
resources = ["${s3.bucket.data.arn}/*"]

[iam.role.reader]
trust    = ["ec2.amazonaws.com"]
policies = ["iam.policy.list"]
grants   = [{ to = "s3.bucket.data", access = "read" }]

[iam.role.writer]
trust    = ["lambda.amazonaws.com", "iam.role.reader"]
policies = ["iam.policy.list", "iam.policy.upload"]

[iam.instance_profile.reader]
role = "iam.role.reader"

[iam.user.app]
policies = ["iam.policy.list"]

[iam.access_key.app]
user = "iam.user.app"

[iam.access_key.app.env_file]
path                      = ".env"
set.AWS_ACCESS_KEY_ID     = "${self.id}"
set.AWS_SECRET_ACCESS_KEY = "${self.secret}"
set.BUCKET                = "${s3.bucket.data.name}"

[output]
data = "${s3.bucket.data.arn}"
"#;

/// One bucket without a name of its own.
pub const BUCKET: &str = r#"
[stack]
name   = "live"
region = "us-east-1"

[s3.bucket.data]
versioning = true

[s3.bucket.data.tags]
Purpose = "test"
"#;
