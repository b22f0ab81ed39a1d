//! CORS: which web pages of other origins may read and write the bucket.

use async_trait::async_trait;
use aws_sdk_s3::types::{CorsConfiguration, CorsRule};
use s3stack_engine::fault::Fault;
use s3stack_engine::resource::{Resource, Surroundings};
use s3stack_engine::schema::validate::Problem;
use s3stack_engine::value::Value;

use super::setting::{Setting, Target, items, number, present, sorted, text, unbuildable, unless_absent};
use crate::aws::{Operation, rules};

const GET: Operation = Operation::read("s3", "GetBucketCors");
const PUT: Operation = Operation::idempotent("s3", "PutBucketCors").retrying(rules::BUCKET_SETTING);
const DELETE: Operation = Operation::idempotent("s3", "DeleteBucketCors").retrying(rules::BUCKET_SETTING);

/// The setting.
pub(super) struct Cors;

#[async_trait]
impl Setting for Cors {
    fn property(&self) -> &'static str {
        "cors"
    }

    fn managed(&self, resource: &Resource, _: &dyn Surroundings) -> Result<Option<Value>, Vec<Problem>> {
        Ok(match resource.property("cors") {
            Value::Null => None,
            Value::List(rules) if rules.is_empty() => Some(Value::Null),
            Value::List(rules) => Some(Value::List(rules.iter().map(normal).collect())),
            unknown => Some(unknown.clone()),
        })
    }

    async fn get(&self, bucket: &Target<'_>) -> Result<Value, Fault> {
        let send = || {
            let call = bucket.session.s3().get_bucket_cors().bucket(bucket.name);
            call.expected_bucket_owner(bucket.account_id).send()
        };
        let answer = unless_absent(bucket.session.call(GET, send).await, "NoSuchCORSConfiguration")?;
        let rules = answer.and_then(|answer| answer.cors_rules).unwrap_or_default();
        Ok(if rules.is_empty() { Value::Null } else { Value::List(rules.into_iter().map(from_aws).collect()) })
    }

    async fn put(&self, bucket: &Target<'_>, value: &Value) -> Result<(), Fault> {
        let s3 = bucket.session.s3();
        if items(value).is_empty() {
            let send = || s3.delete_bucket_cors().bucket(bucket.name).expected_bucket_owner(bucket.account_id).send();
            return bucket.session.call(DELETE, send).await.map(drop);
        }
        let rules = items(value).iter().map(to_aws).collect::<Result<Vec<_>, _>>()?;
        let configuration = CorsConfiguration::builder().set_cors_rules(Some(rules)).build();
        let configuration = configuration.map_err(|e| unbuildable(PUT.name, e))?;
        let send = || {
            let call = s3.put_bucket_cors().bucket(bucket.name).cors_configuration(configuration.clone());
            call.expected_bucket_owner(bucket.account_id).send()
        };
        bucket.session.call(PUT, send).await.map(drop)
    }
}

/// A rule with its lists sorted, since their order means nothing. That of the rules does: the first that fits counts.
fn normal(rule: &Value) -> Value {
    if !matches!(rule, Value::Map(_)) {
        return rule.clone();
    }
    present([
        ("id", rule.get("id").clone()),
        ("allowed_methods", sorted(rule.get("allowed_methods"))),
        ("allowed_origins", sorted(rule.get("allowed_origins"))),
        ("allowed_headers", sorted(rule.get("allowed_headers"))),
        ("expose_headers", sorted(rule.get("expose_headers"))),
        ("max_age_seconds", rule.get("max_age_seconds").clone()),
    ])
}

fn from_aws(rule: CorsRule) -> Value {
    normal(&Value::map([
        ("id", rule.id.into()),
        ("allowed_methods", rule.allowed_methods.into()),
        ("allowed_origins", rule.allowed_origins.into()),
        ("allowed_headers", rule.allowed_headers.into()),
        ("expose_headers", rule.expose_headers.into()),
        ("max_age_seconds", rule.max_age_seconds.map(i64::from).into()),
    ]))
}

fn to_aws(rule: &Value) -> Result<CorsRule, Fault> {
    let texts = |name: &str| Some(items(rule.get(name)).iter().filter_map(text).collect::<Vec<_>>());
    CorsRule::builder()
        .set_id(text(rule.get("id")))
        .set_allowed_methods(texts("allowed_methods"))
        .set_allowed_origins(texts("allowed_origins"))
        .set_allowed_headers(texts("allowed_headers"))
        .set_expose_headers(texts("expose_headers"))
        .set_max_age_seconds(number(rule.get("max_age_seconds")))
        .build()
        .map_err(|e| unbuildable(PUT.name, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_comes_back_as_it_was_managed() {
        let written = Value::map([
            ("allowed_methods", Value::strings(["PUT", "GET", "GET"])),
            ("allowed_origins", Value::strings(["https://b.example", "https://a.example"])),
            ("expose_headers", Value::strings(["ETag"])),
            ("max_age_seconds", Value::Integer(3000)),
        ]);
        let managed = normal(&written);
        assert_eq!(managed.get("allowed_methods"), &Value::strings(["GET", "PUT"]));
        assert_eq!(from_aws(to_aws(&managed).unwrap()), managed);
    }
}
