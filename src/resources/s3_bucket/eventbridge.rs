//! EventBridge: whether the bucket tells the account's default bus what happens in it.

use async_trait::async_trait;
use aws_sdk_s3::operation::get_bucket_notification_configuration::GetBucketNotificationConfigurationOutput;
use aws_sdk_s3::types::{EventBridgeConfiguration, NotificationConfiguration};
use s3stack_engine::fault::Fault;
use s3stack_engine::resource::{Resource, Surroundings};
use s3stack_engine::schema::validate::Problem;
use s3stack_engine::value::Value;

use super::setting::{Setting, Target, at};
use crate::aws::{Operation, rules};

const GET: Operation = Operation::read("s3", "GetBucketNotificationConfiguration");
const PUT: Operation =
    Operation::idempotent("s3", "PutBucketNotificationConfiguration").retrying(rules::BUCKET_NOTIFICATION);

/// The setting. It is a switch in the bucket's one notification document, the rest of which is left as it is.
pub(super) struct EventBridge;

#[async_trait]
impl Setting for EventBridge {
    fn property(&self) -> &'static str {
        "eventbridge"
    }

    fn managed(&self, resource: &Resource, around: &dyn Surroundings) -> Result<Option<Value>, Vec<Problem>> {
        let written = resource.property("eventbridge");
        Ok(match wanted_by(resource, around) {
            Some(_) => Some(Value::Bool(true)),
            None => Some(written.clone()).filter(|value| !value.is_null()),
        })
    }

    fn check(&self, resource: &Resource, around: &dyn Surroundings, problems: &mut Vec<Problem>) {
        if let (Some(false), Some(from)) = (resource.property("eventbridge").as_bool(), wanted_by(resource, around)) {
            let message = format!("{from} needs this bucket's events, and they are turned off here");
            problems.push(Problem::new("S3S-T1", &at("eventbridge"), message).help("take this line out"));
        }
    }

    fn of_new_bucket(&self) -> Option<Value> {
        Some(Value::Bool(false))
    }

    async fn get(&self, bucket: &Target<'_>) -> Result<Value, Fault> {
        Ok(Value::Bool(configuration(bucket).await?.event_bridge_configuration.is_some()))
    }

    async fn put(&self, bucket: &Target<'_>, value: &Value) -> Result<(), Fault> {
        let held = if bucket.new { None } else { Some(configuration(bucket).await?) };
        let on = (value.as_bool() == Some(true)).then(|| EventBridgeConfiguration::builder().build());
        let wanted = NotificationConfiguration::builder()
            .set_event_bridge_configuration(on)
            .set_topic_configurations(held.as_ref().and_then(|held| held.topic_configurations.clone()))
            .set_queue_configurations(held.as_ref().and_then(|held| held.queue_configurations.clone()))
            .set_lambda_function_configurations(
                held.as_ref().and_then(|held| held.lambda_function_configurations.clone()),
            )
            .build();
        let send = || {
            let call = bucket.session.s3().put_bucket_notification_configuration().bucket(bucket.name);
            // Other destinations are written again as they were; one that is broken now is not this write's business.
            let call = call.notification_configuration(wanted.clone()).skip_destination_validation(true);
            call.expected_bucket_owner(bucket.account_id).send()
        };
        bucket.session.call(PUT, send).await.map(drop)
    }
}

async fn configuration(bucket: &Target<'_>) -> Result<GetBucketNotificationConfigurationOutput, Fault> {
    let send = || {
        let call = bucket.session.s3().get_bucket_notification_configuration().bucket(bucket.name);
        call.expected_bucket_owner(bucket.account_id).send()
    };
    bucket.session.call(GET, send).await
}

/// The resource, if any, that cannot do without the switch.
fn wanted_by(resource: &Resource, around: &dyn Surroundings) -> Option<String> {
    let contributions = around.contributions(&resource.address);
    let wants = contributions.iter().find(|one| one.document == "eventbridge" && one.value.as_bool() == Some(true));
    wants.map(|one| one.from.to_string())
}
