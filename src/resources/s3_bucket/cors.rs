//! CORS: which web pages of other origins may read and write the bucket.

use async_trait::async_trait;
use aws_sdk_s3::types::{CorsConfiguration, CorsRule};
use s3stack_engine::fault::Fault;
use s3stack_engine::resource::{Resource, Surroundings};
use s3stack_engine::schema::validate::Problem;
use s3stack_engine::value::Value;

use super::setting::{Setting, Target, at, items, number, present, sorted, text, unbuildable, unless_absent};
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

    fn check(&self, resource: &Resource, _: &dyn Surroundings, problems: &mut Vec<Problem>) {
        for (index, rule) in items(resource.property("cors")).iter().enumerate() {
            let path = at("cors").index(index);
            let mut wrong = |name: &str, message: String| {
                problems.push(Problem::new("S3S-W17", &path.key(name), message));
            };
            for name in ["allowed_methods", "allowed_origins"] {
                if rule.get(name).as_list().is_some_and(<[Value]>::is_empty) {
                    wrong(name, format!("S3 wants at least one of `{name}` in a rule"));
                }
            }
            for name in ["allowed_origins", "allowed_headers"] {
                for one in items(rule.get(name)).iter().filter_map(Value::as_str) {
                    if one.matches('*').count() > 1 {
                        wrong(name, format!("`{one}` has more than one wildcard, and S3 takes one"));
                    }
                }
            }
            for one in items(rule.get("expose_headers")).iter().filter_map(Value::as_str) {
                if one.contains('*') {
                    wrong("expose_headers", format!("`{one}` has a wildcard, and S3 takes none here"));
                }
            }
        }
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
    use super::super::testing::{Around, problems};
    use super::*;

    #[test]
    fn what_s3_refuses_of_a_rule_is_told() {
        let found = |rule: &str| problems(&Cors, &format!("cors = [{{ {rule} }}]"), &Around::default());
        let fine = "allowed_methods = ['GET'], allowed_origins = ['https://*.example'], allowed_headers = ['x-*']";
        assert_eq!(found(&format!("{fine}, expose_headers = ['ETag']")), [""; 0]);
        assert_eq!(
            found("allowed_methods = [], allowed_origins = ['https://*.*']"),
            [
                "error S3S-W17 cors[0].allowed_methods: S3 wants at least one of `allowed_methods` in a rule",
                "error S3S-W17 cors[0].allowed_origins: `https://*.*` has more than one wildcard, and S3 takes one"
            ]
        );
        assert_eq!(
            found(&format!("{fine}, expose_headers = ['x-amz-*']")),
            ["error S3S-W17 cors[0].expose_headers: `x-amz-*` has a wildcard, and S3 takes none here"]
        );
    }

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
