//! The stack that most commands are shown with.

pub const TEXT: &str = r#"
[stack]
name   = "shown"
region = "us-east-1"

[var]
purpose = "test"

[s3.bucket.data]
versioning = true
tags       = { Purpose = "${var.purpose}" }

[output]
bucket    = "${s3.bucket.data.name}"
arn       = "${s3.bucket.data.arn}"
list      = ["a", "b"]
versioned = true
"#;
