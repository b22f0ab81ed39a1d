//! Server access logging: a record of every request, written into a bucket.

use async_trait::async_trait;
use aws_sdk_s3::types::{BucketLoggingStatus, LoggingEnabled};
use s3stack_engine::address::Address;
use s3stack_engine::fault::Fault;
use s3stack_engine::policy::merge::Derived;
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
    let statement = log_delivery(&arn(facts, target_name).into(), &source);
    let because = format!("the access log of {}", resource.address);
    vec![Derived::new(because, statement).into_contribution(resource.address.clone(), to.clone(), "policy")]
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Around, bucket, problems};
    use super::*;

    /// The bucket `it`, which logs into another of the stack.
    fn logging(into: &str) -> Resource {
        let mut resource = bucket(&format!("logging = {{ bucket = '{into}', prefix = 'it/' }}"));
        let address = format!("s3.bucket.{into}").parse().unwrap();
        resource.references.insert(at("logging").key("bucket"), address);
        resource
    }

    #[test]
    fn the_target_learns_who_logs_into_it() {
        let found = contributions(&logging("logs"), &Around::default());
        assert_eq!((found.len(), found[0].to.to_string(), found[0].document), (1, "s3.bucket.logs".into(), "policy"));
        let text = found[0].value.to_json().unwrap().to_string();
        assert!(text.contains("arn:aws:s3:::logs/it/*") && text.contains("arn:aws:s3:::it-bucket"), "{text}");
    }

    #[test]
    fn a_bucket_may_log_into_itself() {
        let found = contributions(&logging("it"), &Around::default());
        assert_eq!(found[0].from, found[0].to);
    }

    #[test]
    fn an_arn_is_its_bucket_and_no_prefix_an_empty_one() {
        let resource = bucket("logging.bucket = 'arn:aws:s3:::elsewhere'");
        let managed = Logging.managed(&resource, &Around::default()).unwrap().unwrap();
        assert_eq!(managed, Value::map([("bucket", Value::from("elsewhere")), ("prefix", "".into())]));
        assert!(contributions(&resource, &Around::default()).is_empty());
    }

    #[test]
    fn a_target_that_encrypts_with_kms_gets_no_logs() {
        let around = |text: &str| Around { others: vec![("s3.bucket.logs", bucket(text))], ..Around::default() };
        let check = |around: &Around| {
            let mut found = Vec::new();
            Logging.check(&logging("logs"), around, &mut found);
            found.len()
        };
        assert_eq!(check(&around("encryption = 'aws:kms'")), 1);
        assert_eq!(check(&around("encryption = 'AES256'")), 0);
        assert_eq!(check(&around("")), 0);
        assert_eq!(problems(&Logging, "", &Around::default()), [""; 0]);
    }
}
