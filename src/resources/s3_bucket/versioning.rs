//! Versioning: whether overwritten and deleted objects are kept.

use async_trait::async_trait;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use s3stack_engine::fault::Fault;
use s3stack_engine::resource::{Resource, Surroundings};
use s3stack_engine::schema::validate::Problem;
use s3stack_engine::value::Value;

use super::setting::{Setting, Target};
use crate::aws::{Operation, rules};

const GET: Operation = Operation::read("s3", "GetBucketVersioning");
const PUT: Operation = Operation::idempotent("s3", "PutBucketVersioning").retrying(rules::BUCKET_SETTING);

/// The setting.
pub(super) struct Versioning;

#[async_trait]
impl Setting for Versioning {
    fn property(&self) -> &'static str {
        "versioning"
    }

    fn managed(&self, resource: &Resource, _: &dyn Surroundings) -> Result<Option<Value>, Vec<Problem>> {
        Ok(Some(resource.property("versioning").clone()).filter(|value| !value.is_null()))
    }

    fn of_new_bucket(&self) -> Option<Value> {
        Some(Value::Bool(false))
    }

    async fn get(&self, bucket: &Target<'_>) -> Result<Value, Fault> {
        let send = || {
            let call = bucket.session.s3().get_bucket_versioning().bucket(bucket.name);
            call.expected_bucket_owner(bucket.account_id).send()
        };
        // Never enabled and suspended are one: in both, a new object replaces the one that was there.
        let answer = bucket.session.call(GET, send).await?;
        Ok(Value::Bool(answer.status == Some(BucketVersioningStatus::Enabled)))
    }

    async fn put(&self, bucket: &Target<'_>, value: &Value) -> Result<(), Fault> {
        let status = match value.as_bool() {
            Some(true) => BucketVersioningStatus::Enabled,
            _ => BucketVersioningStatus::Suspended,
        };
        let configuration = VersioningConfiguration::builder().status(status).build();
        let send = || {
            let call = bucket.session.s3().put_bucket_versioning().bucket(bucket.name);
            call.expected_bucket_owner(bucket.account_id).versioning_configuration(configuration.clone()).send()
        };
        bucket.session.call(PUT, send).await.map(drop)
    }
}
