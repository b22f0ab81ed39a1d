//! Server access logging: a record of every request, written into a bucket.

use async_trait::async_trait;
use aws_sdk_s3::types::{BucketLoggingStatus, LoggingEnabled};
use s3stack_engine::address::Address;
use s3stack_engine::fault::Fault;
use s3stack_engine::policy::s3::{LogSource, log_delivery};
use s3stack_engine::resource::{Contribution, Resource, Surroundings};
use s3stack_engine::schema::validate::Problem;
use s3stack_engine::value::Value;

use super::bucket::arn;
use super::encryption;
use super::setting::{Setting, Target, at, text, unbuildable};
use crate::aws::{Operation, rules};

const GET: Operation = Operation::read("s3", "GetBucketLogging");
const PUT: Operation = Operation::idempotent("s3", "PutBucketLogging").retrying(rules::BUCKET_SETTING);

/// The setting.
pub(super) struct Logging;

#[async_trait]
impl Setting for Logging {
    fn property(&self) -> &'static str {
        "logging"
    }

    fn managed(&self, resource: &Resource, _: &dyn Surroundings) -> Result<Option<Value>, Vec<Problem>> {
        let written = resource.property("logging");
        Ok(if written.is_null() { None } else { Some(normal(written)) })
    }

    fn check(&self, resource: &Resource, around: &dyn Surroundings, problems: &mut Vec<Problem>) {
        let path = at("logging").key("bucket");
        let Some(target) = target(resource) else { return };
        let Some((target, _)) = around.resource(target) else { return };
        let held = target.property("encryption");
        let algorithm = encryption::normal(held).get("algorithm").as_str().unwrap_or("AES256").to_owned();
        if !held.is_null() && algorithm != "AES256" {
            let message =
                format!("{} encrypts with {algorithm} by default, and S3 delivers no logs there", target.address);
            let problem = Problem::new("S3S-B4", &path, message);
            problems.push(problem.help("log into a bucket with `encryption = \"AES256\"`, or without the line"));
        }
    }

    async fn get(&self, bucket: &Target<'_>) -> Result<Value, Fault> {
        Ok(enabled(bucket).await?.map_or(Value::Null, |enabled| {
            Value::map([("bucket", Value::from(enabled.target_bucket)), ("prefix", enabled.target_prefix.into())])
        }))
    }

    async fn put(&self, bucket: &Target<'_>, value: &Value) -> Result<(), Fault> {
        let wanted = match text(value.get("bucket")) {
            None => None,
            Some(target) => {
                // The call replaces the whole setting. How the log's keys are made is not ours.
                let held = if bucket.new { None } else { enabled(bucket).await? };
                let enabled = LoggingEnabled::builder()
                    .target_bucket(target)
                    .target_prefix(text(value.get("prefix")).unwrap_or_default())
                    .set_target_object_key_format(held.and_then(|held| held.target_object_key_format))
                    .build()
                    .map_err(|e| unbuildable(PUT.name, e))?;
                Some(enabled)
            }
        };
        let status = BucketLoggingStatus::builder().set_logging_enabled(wanted).build();
        let send = || {
            let call = bucket.session.s3().put_bucket_logging().bucket(bucket.name);
            call.expected_bucket_owner(bucket.account_id).bucket_logging_status(status.clone()).send()
        };
        bucket.session.call(PUT, send).await.map(drop)
    }
}

async fn enabled(bucket: &Target<'_>) -> Result<Option<LoggingEnabled>, Fault> {
    let send = || {
        let call = bucket.session.s3().get_bucket_logging().bucket(bucket.name);
        call.expected_bucket_owner(bucket.account_id).send()
    };
    Ok(bucket.session.call(GET, send).await?.logging_enabled)
}

/// The target by name and the prefix.
fn normal(written: &Value) -> Value {
    let bucket = match written.get("bucket") {
        Value::String(text) => text.rsplit(":::").next().unwrap_or(text).into(),
        other => other.clone(),
    };
    let prefix = match written.get("prefix") {
        Value::Null => "".into(),
        prefix => prefix.clone(),
    };
    Value::map([("bucket", bucket), ("prefix", prefix)])
}

/// The bucket of the stack that the log goes to.
fn target(resource: &Resource) -> Option<&Address> {
    resource.references.get(&at("logging").key("bucket"))
}

/// What the target's policy needs so that S3 may deliver the log.
pub(super) fn contributions(resource: &Resource, around: &dyn Surroundings) -> Vec<Contribution> {
    let (Some(to), Some(logging)) = (target(resource), Logging.managed(resource, around).ok().flatten()) else {
        return Vec::new();
    };
    let (Some(name), Some(target_name)) = (resource.property("name").as_str(), logging.get("bucket").as_str()) else {
        return Vec::new();
    };
    let facts = around.facts();
    let source = LogSource {
        address: resource.address.clone(),
        arn: arn(facts, name).into(),
        account: facts.account_id.as_str().into(),
        prefix: logging.get("prefix").clone(),
    };
    log_delivery(&arn(facts, target_name).into(), &[source])
        .into_iter()
        .map(|statement| Contribution {
            from: resource.address.clone(),
            to: to.clone(),
            document: "policy",
            key: statement.sid.clone().unwrap_or_default(),
            value: statement.to_value(),
        })
        .collect()
}
