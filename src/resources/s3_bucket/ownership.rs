//! Object ownership: whose the objects are, and whether access control lists count.

use async_trait::async_trait;
use aws_sdk_s3::types::{ObjectOwnership, OwnershipControls, OwnershipControlsRule};
use s3stack_engine::fault::Fault;
use s3stack_engine::resource::{Resource, Surroundings};
use s3stack_engine::schema::validate::Problem;
use s3stack_engine::value::Value;

use super::setting::{Setting, Target, unbuildable, unless_absent};
use crate::aws::{Operation, rules};

const GET: Operation = Operation::read("s3", "GetBucketOwnershipControls");
const PUT: Operation = Operation::idempotent("s3", "PutBucketOwnershipControls").retrying(rules::BUCKET_SETTING);

/// What S3 gives new buckets since April 2023: access control lists are off.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html>
const DEFAULT: &str = "BucketOwnerEnforced";

/// The setting.
pub(super) struct Ownership;

#[async_trait]
impl Setting for Ownership {
    fn property(&self) -> &'static str {
        "ownership"
    }

    fn managed(&self, resource: &Resource, _: &dyn Surroundings) -> Result<Option<Value>, Vec<Problem>> {
        Ok(Some(resource.property("ownership").clone()).filter(|value| !value.is_null()))
    }

    async fn get(&self, bucket: &Target<'_>) -> Result<Value, Fault> {
        let send = || {
            let call = bucket.session.s3().get_bucket_ownership_controls().bucket(bucket.name);
            call.expected_bucket_owner(bucket.account_id).send()
        };
        let answer = unless_absent(bucket.session.call(GET, send).await, "OwnershipControlsNotFoundError")?;
        let controls = answer.and_then(|answer| answer.ownership_controls);
        let rule = controls.and_then(|controls| controls.rules.into_iter().next());
        // A bucket without controls is one from before they existed: objects belong to whoever writes them.
        Ok(rule.map_or("ObjectWriter".into(), |rule| rule.object_ownership.as_str().into()))
    }

    async fn put(&self, bucket: &Target<'_>, value: &Value) -> Result<(), Fault> {
        let rule = OwnershipControlsRule::builder().object_ownership(of(value)).build();
        let rule = rule.map_err(|e| unbuildable(PUT.name, e))?;
        let controls = OwnershipControls::builder().rules(rule).build().map_err(|e| unbuildable(PUT.name, e))?;
        let send = || {
            let call = bucket.session.s3().put_bucket_ownership_controls().bucket(bucket.name);
            call.expected_bucket_owner(bucket.account_id).ownership_controls(controls.clone()).send()
        };
        bucket.session.call(PUT, send).await.map(drop)
    }
}

/// The SDK's word for a value.
pub(super) fn of(value: &Value) -> ObjectOwnership {
    ObjectOwnership::from(value.as_str().unwrap_or(DEFAULT))
}
