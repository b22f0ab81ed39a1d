//! Default encryption: how objects are encrypted whose writer says nothing.

use async_trait::async_trait;
use aws_sdk_s3::types::{
    ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
};
use s3stack_engine::fault::Fault;
use s3stack_engine::resource::{Resource, Surroundings};
use s3stack_engine::schema::validate::Problem;
use s3stack_engine::value::Value;

use super::setting::{Setting, Target, at, present, text, unbuildable, unless_absent};
use crate::aws::{Operation, rules};

const GET: Operation = Operation::read("s3", "GetBucketEncryption");
/// The same before a write. The bucket may be a new one, of which not every read knows at once.
const GET_TO_WRITE: Operation = GET.retrying(rules::BUCKET_SETTING);
const PUT: Operation = Operation::idempotent("s3", "PutBucketEncryption").retrying(rules::BUCKET_SETTING);

/// What S3 encrypts with since January 2023 where nothing else is set; it cannot be turned off.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-encryption-faq.html>
const DEFAULT: &str = "AES256";

/// The setting.
pub(super) struct Encryption;

#[async_trait]
impl Setting for Encryption {
    fn property(&self) -> &'static str {
        "encryption"
    }

    fn managed(&self, resource: &Resource, _: &dyn Surroundings) -> Result<Option<Value>, Vec<Problem>> {
        let written = resource.property("encryption");
        Ok(if written.is_null() { None } else { Some(normal(written)) })
    }

    fn check(&self, resource: &Resource, _: &dyn Surroundings, problems: &mut Vec<Problem>) {
        let written = resource.property("encryption");
        let Some(algorithm) = written.get("algorithm").as_str() else { return };
        let path = at("encryption");
        if algorithm == DEFAULT && !written.get("key").is_null() {
            let problem = Problem::new("S3S-B16", &path.key("key"), "AES256 uses keys of S3's own, and takes none");
            problems.push(problem.help("write `algorithm = \"aws:kms\"`, or take `key` out"));
        }
        if algorithm != "aws:kms" && written.get("bucket_key").as_bool() == Some(true) {
            let message = format!("bucket keys are for aws:kms; {algorithm} has none");
            problems.push(Problem::new("S3S-B16", &path.key("bucket_key"), message).help("take `bucket_key` out"));
        }
    }

    fn of_new_bucket(&self) -> Option<Value> {
        Some(normal(&DEFAULT.into()))
    }

    async fn get(&self, bucket: &Target<'_>) -> Result<Value, Fault> {
        Ok(from_aws(rule(bucket, GET).await?.as_ref()))
    }

    async fn put(&self, bucket: &Target<'_>, value: &Value) -> Result<(), Fault> {
        let value = if value.is_null() { normal(&DEFAULT.into()) } else { value.clone() };
        let by_default = ServerSideEncryptionByDefault::builder()
            .sse_algorithm(ServerSideEncryption::from(value.get("algorithm").as_str().unwrap_or(DEFAULT)))
            .set_kms_master_key_id(text(value.get("key")))
            .build()
            .map_err(|e| unbuildable(PUT.name, e))?;
        // The call replaces the whole rule. Which kinds of encryption are refused (SSE-C, on new buckets) is not ours.
        let blocked = rule(bucket, GET_TO_WRITE).await?.and_then(|rule| rule.blocked_encryption_types);
        let rule = ServerSideEncryptionRule::builder()
            .apply_server_side_encryption_by_default(by_default)
            .bucket_key_enabled(value.get("bucket_key").as_bool().unwrap_or(false))
            .set_blocked_encryption_types(blocked)
            .build();
        let configuration = ServerSideEncryptionConfiguration::builder().rules(rule).build();
        let configuration = configuration.map_err(|e| unbuildable(PUT.name, e))?;
        let send = || {
            let call = bucket.session.s3().put_bucket_encryption().bucket(bucket.name);
            let call = call.server_side_encryption_configuration(configuration.clone());
            call.expected_bucket_owner(bucket.account_id).send()
        };
        bucket.session.call(PUT, send).await.map(drop)
    }
}

async fn rule(bucket: &Target<'_>, operation: Operation) -> Result<Option<ServerSideEncryptionRule>, Fault> {
    let send = || {
        let call = bucket.session.s3().get_bucket_encryption().bucket(bucket.name);
        call.expected_bucket_owner(bucket.account_id).send()
    };
    let answer =
        unless_absent(bucket.session.call(operation, send).await, "ServerSideEncryptionConfigurationNotFoundError")?;
    let configuration = answer.and_then(|answer| answer.server_side_encryption_configuration);
    Ok(configuration.and_then(|configuration| configuration.rules.into_iter().next()))
}

/// Algorithm, key and bucket key, from the short form or a table.
pub(super) fn normal(written: &Value) -> Value {
    let (algorithm, key, bucket_key) = match written {
        Value::Map(_) => (written.get("algorithm"), written.get("key"), written.get("bucket_key")),
        short => (short, &Value::Null, &Value::Null),
    };
    let bucket_key = if bucket_key.is_null() { Value::Bool(false) } else { bucket_key.clone() };
    present([("algorithm", algorithm.clone()), ("key", key.clone()), ("bucket_key", bucket_key)])
}

fn from_aws(rule: Option<&ServerSideEncryptionRule>) -> Value {
    let by_default = rule.and_then(|rule| rule.apply_server_side_encryption_by_default.as_ref());
    let algorithm = by_default.map_or(DEFAULT, |by_default| by_default.sse_algorithm.as_str());
    // AWS may say "on" for AES256 too, where it means nothing.
    let bucket_key = algorithm == "aws:kms" && rule.and_then(|rule| rule.bucket_key_enabled).unwrap_or(false);
    present([
        ("algorithm", algorithm.into()),
        ("key", by_default.and_then(|by_default| by_default.kms_master_key_id.clone()).into()),
        ("bucket_key", bucket_key.into()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_form_and_the_table_are_one() {
        let table = Value::map([("algorithm", Value::from("aws:kms"))]);
        assert_eq!(normal(&"aws:kms".into()), normal(&table));
        assert_eq!(from_aws(None), normal(&"AES256".into()));
    }

    #[test]
    fn what_aws_holds_reads_as_what_was_written() {
        let by_default = ServerSideEncryptionByDefault::builder()
            .sse_algorithm(ServerSideEncryption::AwsKms)
            .kms_master_key_id("arn:aws:kms:eu-west-1:123456789012:key/k")
            .build()
            .unwrap();
        let rule = ServerSideEncryptionRule::builder()
            .apply_server_side_encryption_by_default(by_default)
            .bucket_key_enabled(true)
            .build();
        let written = Value::map([
            ("algorithm", Value::from("aws:kms")),
            ("key", "arn:aws:kms:eu-west-1:123456789012:key/k".into()),
            ("bucket_key", true.into()),
        ]);
        assert_eq!(from_aws(Some(&rule)), normal(&written));
    }
}
