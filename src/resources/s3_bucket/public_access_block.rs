//! The public access block: four switches against opening the bucket to the world by mistake.

use async_trait::async_trait;
use aws_sdk_s3::types::PublicAccessBlockConfiguration;
use s3stack_engine::fault::Fault;
use s3stack_engine::resource::{Resource, Surroundings};
use s3stack_engine::schema::validate::Problem;
use s3stack_engine::value::Value;

use super::setting::{Setting, Target, unless_absent};
use crate::aws::{Operation, rules};

const GET: Operation = Operation::read("s3", "GetPublicAccessBlock");
const PUT: Operation = Operation::idempotent("s3", "PutPublicAccessBlock").retrying(rules::BUCKET_SETTING);

/// The switches.
pub(super) const SWITCHES: [&str; 4] =
    ["block_public_acls", "ignore_public_acls", "block_public_policy", "restrict_public_buckets"];

/// The setting.
///
/// New buckets have all four on, but it is written all the same: an organization's policy can say otherwise, and S3's
/// imitations don't know that rule.
pub(super) struct PublicAccessBlock;

#[async_trait]
impl Setting for PublicAccessBlock {
    fn property(&self) -> &'static str {
        "public_access_block"
    }

    fn managed(&self, resource: &Resource, _: &dyn Surroundings) -> Result<Option<Value>, Vec<Problem>> {
        let written = resource.property("public_access_block");
        Ok(if written.is_null() { None } else { Some(switches(written)) })
    }

    async fn get(&self, bucket: &Target<'_>) -> Result<Value, Fault> {
        let send = || {
            let call = bucket.session.s3().get_public_access_block().bucket(bucket.name);
            call.expected_bucket_owner(bucket.account_id).send()
        };
        let answer = unless_absent(bucket.session.call(GET, send).await, "NoSuchPublicAccessBlockConfiguration")?;
        let held = answer.and_then(|answer| answer.public_access_block_configuration);
        let on = |switch: fn(&PublicAccessBlockConfiguration) -> Option<bool>| {
            Value::Bool(held.as_ref().and_then(switch).unwrap_or(false))
        };
        Ok(Value::map([
            ("block_public_acls", on(PublicAccessBlockConfiguration::block_public_acls)),
            ("ignore_public_acls", on(PublicAccessBlockConfiguration::ignore_public_acls)),
            ("block_public_policy", on(PublicAccessBlockConfiguration::block_public_policy)),
            ("restrict_public_buckets", on(PublicAccessBlockConfiguration::restrict_public_buckets)),
        ]))
    }

    async fn put(&self, bucket: &Target<'_>, value: &Value) -> Result<(), Fault> {
        let on = |name: &str| value.get(name).as_bool().unwrap_or(true);
        let configuration = PublicAccessBlockConfiguration::builder()
            .block_public_acls(on("block_public_acls"))
            .ignore_public_acls(on("ignore_public_acls"))
            .block_public_policy(on("block_public_policy"))
            .restrict_public_buckets(on("restrict_public_buckets"))
            .build();
        let send = || {
            let call = bucket.session.s3().put_public_access_block().bucket(bucket.name);
            let call = call.public_access_block_configuration(configuration.clone());
            call.expected_bucket_owner(bucket.account_id).send()
        };
        bucket.session.call(PUT, send).await.map(drop)
    }
}

/// All four switches, from the short form or from a table in which what is left out is on.
pub(super) fn switches(written: &Value) -> Value {
    let on = |name: &str| match written {
        Value::Bool(on) => Value::Bool(*on),
        // What AWS has yet to make stays unknown.
        Value::Map(_) if !written.get(name).is_null() => written.get(name).clone(),
        Value::Map(_) | Value::Null => Value::Bool(true),
        other => other.clone(),
    };
    Value::map(SWITCHES.map(|name| (name, on(name))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_leaves_on_what_it_does_not_name() {
        let written = Value::map([("block_public_policy", Value::Bool(false))]);
        assert_eq!(
            switches(&written),
            Value::map([
                ("block_public_acls", true.into()),
                ("ignore_public_acls", true.into()),
                ("block_public_policy", false.into()),
                ("restrict_public_buckets", true.into()),
            ])
        );
        assert!(SWITCHES.iter().all(|name| switches(&Value::Bool(false)).get(name) == &Value::Bool(false)));
    }
}
