//! Lifecycle rules: what happens to objects as they age.

use async_trait::async_trait;
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, ExpirationStatus, LifecycleExpiration, LifecycleRule,
    LifecycleRuleAndOperator, LifecycleRuleFilter, NoncurrentVersionExpiration, NoncurrentVersionTransition, Tag,
    Transition, TransitionDefaultMinimumObjectSize, TransitionStorageClass,
};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use s3stack_engine::fault::Fault;
use s3stack_engine::resource::{Resource, Surroundings};
use s3stack_engine::schema::validate::Problem;
use s3stack_engine::value::Value;

use super::lifecycle_check;
use super::setting::{Setting, Target, items, members, number, present, text, unbuildable, unless_absent};
use crate::aws::{Operation, rules};

const GET: Operation = Operation::read("s3", "GetBucketLifecycleConfiguration");
const PUT: Operation = Operation::idempotent("s3", "PutBucketLifecycleConfiguration").retrying(rules::BUCKET_SETTING);
const DELETE: Operation = Operation::idempotent("s3", "DeleteBucketLifecycle").retrying(rules::BUCKET_SETTING);

/// The setting.
pub(super) struct Lifecycle;

#[async_trait]
impl Setting for Lifecycle {
    fn property(&self) -> &'static str {
        "lifecycle"
    }

    fn managed(&self, resource: &Resource, _: &dyn Surroundings) -> Result<Option<Value>, Vec<Problem>> {
        Ok(match resource.property("lifecycle") {
            Value::Null => None,
            Value::Map(rules) => {
                let rules = rules.iter().filter(|(_, rule)| !rule.is_null());
                let rules: Vec<_> = rules.map(|(id, rule)| (id.clone(), normal(rule))).collect();
                Some(if rules.is_empty() { Value::Null } else { Value::map(rules) })
            }
            unknown => Some(unknown.clone()),
        })
    }

    fn check(&self, resource: &Resource, _: &dyn Surroundings, problems: &mut Vec<Problem>) {
        for (id, rule) in members(resource.property("lifecycle")).filter(|(_, rule)| !rule.is_null()) {
            lifecycle_check::rule(id, &normal(rule), problems);
        }
    }

    async fn get(&self, bucket: &Target<'_>) -> Result<Value, Fault> {
        let (rules, _) = held(bucket).await?;
        Ok(if rules.is_empty() { Value::Null } else { Value::map(rules.iter().map(from_aws)) })
    }

    async fn put(&self, bucket: &Target<'_>, value: &Value) -> Result<(), Fault> {
        let s3 = bucket.session.s3();
        let rules = members(value).filter(|(_, rule)| !rule.is_null());
        let rules = rules.map(|(id, rule)| to_aws(id, rule)).collect::<Result<Vec<_>, _>>()?;
        if rules.is_empty() {
            let send =
                || s3.delete_bucket_lifecycle().bucket(bucket.name).expected_bucket_owner(bucket.account_id).send();
            return bucket.session.call(DELETE, send).await.map(drop);
        }
        // The call sets this for the whole bucket, and leaving it out puts the default back.
        let smallest = if bucket.new { None } else { held(bucket).await?.1 };
        let configuration = BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build();
        let configuration = configuration.map_err(|e| unbuildable(PUT.name, e))?;
        let send = || {
            let call = s3.put_bucket_lifecycle_configuration().bucket(bucket.name);
            let call = call.lifecycle_configuration(configuration.clone());
            let call = call.set_transition_default_minimum_object_size(smallest.clone());
            call.expected_bucket_owner(bucket.account_id).send()
        };
        bucket.session.call(PUT, send).await.map(drop)
    }
}

type Held = (Vec<LifecycleRule>, Option<TransitionDefaultMinimumObjectSize>);

async fn held(bucket: &Target<'_>) -> Result<Held, Fault> {
    let send = || {
        let call = bucket.session.s3().get_bucket_lifecycle_configuration().bucket(bucket.name);
        call.expected_bucket_owner(bucket.account_id).send()
    };
    let answer = unless_absent(bucket.session.call(GET, send).await, "NoSuchLifecycleConfiguration")?;
    Ok(answer.map_or_else(Held::default, |answer| {
        (answer.rules.unwrap_or_default(), answer.transition_default_minimum_object_size)
    }))
}

/// A rule in the one form that the file and AWS are both brought into: nothing null, days for short forms, dates
/// without time, transitions in the order of time.
fn normal(rule: &Value) -> Value {
    if !matches!(rule, Value::Map(_)) {
        return rule.clone();
    }
    let abort = match rule.get("abort_incomplete_multipart_upload") {
        table @ Value::Map(_) => table.get("days").clone(),
        days => days.clone(),
    };
    let enabled = match rule.get("enabled") {
        Value::Null => Value::Bool(true),
        enabled => enabled.clone(),
    };
    let marker = match rule.get("expiration").get("expired_object_delete_marker") {
        Value::Bool(false) => Value::Null,
        marker => marker.clone(),
    };
    let expiration = table(
        rule.get("expiration"),
        [
            ("days", rule.get("expiration").get("days").clone()),
            ("date", date(rule.get("expiration").get("date"))),
            ("expired_object_delete_marker", marker),
        ],
    );
    let noncurrent = rule.get("noncurrent_expiration");
    let noncurrent = table(
        noncurrent,
        [("days", noncurrent.get("days").clone()), ("newer_versions", noncurrent.get("newer_versions").clone())],
    );
    present([
        ("enabled", enabled),
        ("prefix", non_empty(rule.get("prefix"))),
        ("tags", non_empty(rule.get("tags"))),
        ("object_size_greater_than", rule.get("object_size_greater_than").clone()),
        ("object_size_less_than", rule.get("object_size_less_than").clone()),
        ("transitions", transitions(rule.get("transitions"))),
        ("expiration", expiration),
        ("noncurrent_transitions", transitions(rule.get("noncurrent_transitions"))),
        ("noncurrent_expiration", noncurrent),
        ("abort_incomplete_multipart_upload", abort),
    ])
}

/// A table's members, unless there is no table; what is not known stays as it is.
fn table<const N: usize>(written: &Value, members: [(&str, Value); N]) -> Value {
    match written {
        Value::Map(_) => present(members),
        other => other.clone(),
    }
}

fn non_empty(value: &Value) -> Value {
    match value {
        Value::String(text) if text.is_empty() => Value::Null,
        Value::Map(map) if map.is_empty() => Value::Null,
        value => value.clone(),
    }
}

fn transitions(list: &Value) -> Value {
    let Value::List(list) = list else { return list.clone() };
    let mut list: Vec<Value> = list
        .iter()
        .map(|one| {
            let members = ["days", "storage_class", "newer_versions"].map(|name| (name, one.get(name).clone()));
            let [days, class, newer] = members;
            table(one, [days, ("date", date(one.get("date"))), class, newer])
        })
        .collect();
    let when = |one: &Value| {
        (one.get("days").as_integer(), text(one.get("date")), text(one.get("storage_class")).unwrap_or_default())
    };
    list.sort_by_key(when);
    list.dedup();
    if list.is_empty() { Value::Null } else { Value::List(list) }
}

/// The day of a date: S3 takes midnight UTC only.
fn date(value: &Value) -> Value {
    match value {
        Value::String(text) => text.split('T').next().unwrap_or(text).into(),
        value => value.clone(),
    }
}

/// A day as the SDK takes it; absent for what is no day, which the checks told of.
pub(super) fn day(text: &str) -> Option<DateTime> {
    DateTime::from_str(&format!("{text}T00:00:00Z"), Format::DateTime).ok()
}

fn from_aws(rule: &LifecycleRule) -> (String, Value) {
    let tag = |tag: &Tag| (tag.key.clone(), Value::from(tag.value.as_str()));
    let mut prefix = rule.prefix_of_old();
    let (mut tags, mut greater, mut less) = (Vec::new(), None, None);
    if let Some(filter) = &rule.filter {
        prefix = filter.prefix.clone().or(prefix);
        tags.extend(filter.tag.iter().map(tag));
        (greater, less) = (filter.object_size_greater_than, filter.object_size_less_than);
        if let Some(and) = &filter.and {
            prefix = and.prefix.clone().or(prefix);
            tags.extend(and.tags().iter().map(tag));
            (greater, less) = (and.object_size_greater_than.or(greater), and.object_size_less_than.or(less));
        }
    }
    let shown = |date: Option<&DateTime>| Value::from(date.and_then(|date| date.fmt(Format::DateTime).ok()));
    let days = |days: Option<i32>| Value::from(days.map(i64::from));
    let class = |class: Option<&TransitionStorageClass>| Value::from(class.map(|class| class.as_str().to_owned()));
    let transitions = rule.transitions().iter().map(|one| {
        Value::map([
            ("days", days(one.days)),
            ("date", shown(one.date.as_ref())),
            ("storage_class", class(one.storage_class.as_ref())),
        ])
    });
    let noncurrent = rule.noncurrent_version_transitions().iter().map(|one| {
        Value::map([
            ("days", days(one.noncurrent_days)),
            ("newer_versions", days(one.newer_noncurrent_versions)),
            ("storage_class", class(one.storage_class.as_ref())),
        ])
    });
    let expiration = rule.expiration.as_ref().map_or(Value::Null, |one| {
        Value::map([
            ("days", days(one.days)),
            ("date", shown(one.date.as_ref())),
            ("expired_object_delete_marker", one.expired_object_delete_marker.into()),
        ])
    });
    let noncurrent_expiration = rule.noncurrent_version_expiration.as_ref().map_or(Value::Null, |one| {
        Value::map([("days", days(one.noncurrent_days)), ("newer_versions", days(one.newer_noncurrent_versions))])
    });
    let abort = rule.abort_incomplete_multipart_upload.as_ref().and_then(|one| one.days_after_initiation);
    let value = normal(&Value::map([
        ("enabled", Value::Bool(rule.status == ExpirationStatus::Enabled)),
        ("prefix", prefix.into()),
        ("tags", Value::map(tags)),
        ("object_size_greater_than", greater.into()),
        ("object_size_less_than", less.into()),
        ("transitions", Value::List(transitions.collect())),
        ("expiration", expiration),
        ("noncurrent_transitions", Value::List(noncurrent.collect())),
        ("noncurrent_expiration", noncurrent_expiration),
        ("abort_incomplete_multipart_upload", days(abort)),
    ]));
    (rule.id.clone().unwrap_or_default(), value)
}

/// The prefix where rules had it before there were filters.
trait Old {
    fn prefix_of_old(&self) -> Option<String>;
}

impl Old for LifecycleRule {
    #[expect(deprecated, reason = "rules that other tools wrote long ago still have it")]
    fn prefix_of_old(&self) -> Option<String> {
        self.prefix.clone()
    }
}

fn to_aws(id: &str, rule: &Value) -> Result<LifecycleRule, Fault> {
    let moment = |value: &Value| value.as_str().and_then(day);
    let class = |value: &Value| value.as_str().map(TransitionStorageClass::from);
    let transitions = items(rule.get("transitions")).iter().map(|one| {
        Transition::builder()
            .set_days(number(one.get("days")))
            .set_date(moment(one.get("date")))
            .set_storage_class(class(one.get("storage_class")))
            .build()
    });
    let noncurrent = items(rule.get("noncurrent_transitions")).iter().map(|one| {
        NoncurrentVersionTransition::builder()
            .set_noncurrent_days(number(one.get("days")))
            .set_newer_noncurrent_versions(number(one.get("newer_versions")))
            .set_storage_class(class(one.get("storage_class")))
            .build()
    });
    let expiration = rule.get("expiration");
    let expiration = (!expiration.is_null()).then(|| {
        LifecycleExpiration::builder()
            .set_days(number(expiration.get("days")))
            .set_date(moment(expiration.get("date")))
            .set_expired_object_delete_marker(expiration.get("expired_object_delete_marker").as_bool())
            .build()
    });
    let gone = rule.get("noncurrent_expiration");
    let gone = (!gone.is_null()).then(|| {
        NoncurrentVersionExpiration::builder()
            .set_noncurrent_days(number(gone.get("days")))
            .set_newer_noncurrent_versions(number(gone.get("newer_versions")))
            .build()
    });
    let abort = number(rule.get("abort_incomplete_multipart_upload"))
        .map(|days| AbortIncompleteMultipartUpload::builder().days_after_initiation(days).build());
    let some = |list: Vec<_>| if list.is_empty() { None } else { Some(list) };
    let noncurrent: Vec<_> = noncurrent.collect();
    LifecycleRule::builder()
        .id(id)
        .status(match rule.get("enabled").as_bool() {
            Some(false) => ExpirationStatus::Disabled,
            _ => ExpirationStatus::Enabled,
        })
        .filter(filter(rule)?)
        .set_transitions(some(transitions.collect()))
        .set_expiration(expiration)
        .set_noncurrent_version_transitions(if noncurrent.is_empty() { None } else { Some(noncurrent) })
        .set_noncurrent_version_expiration(gone)
        .set_abort_incomplete_multipart_upload(abort)
        .build()
        .map_err(|e| unbuildable(PUT.name, e))
}

/// The filter: an empty prefix for every object, one criterion as it is, several under `And`, as S3 wants it.
fn filter(rule: &Value) -> Result<LifecycleRuleFilter, Fault> {
    let prefix = text(rule.get("prefix"));
    let tags = members(rule.get("tags"))
        .filter_map(|(key, value)| Some((key, value.as_str()?)))
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| unbuildable(PUT.name, e))?;
    let greater = rule.get("object_size_greater_than").as_integer();
    let less = rule.get("object_size_less_than").as_integer();
    let criteria =
        usize::from(prefix.is_some()) + tags.len() + usize::from(greater.is_some()) + usize::from(less.is_some());
    let filter = LifecycleRuleFilter::builder();
    Ok(match criteria {
        0 => filter.prefix("").build(),
        1 => filter
            .set_prefix(prefix)
            .set_tag(tags.into_iter().next())
            .set_object_size_greater_than(greater)
            .set_object_size_less_than(less)
            .build(),
        _ => filter
            .and(
                LifecycleRuleAndOperator::builder()
                    .set_prefix(prefix)
                    .set_tags(if tags.is_empty() { None } else { Some(tags) })
                    .set_object_size_greater_than(greater)
                    .set_object_size_less_than(less)
                    .build(),
            )
            .build(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toml(text: &str) -> Value {
        Value::from_json(toml::from_str(text).unwrap())
    }

    #[test]
    fn every_kind_of_rule_comes_back_as_it_was_managed() {
        for text in [
            "expiration = { days = 90 }",
            "prefix = 'a/'\nexpiration = { date = '2027-01-31' }",
            "tags = { k = 'v' }\nnoncurrent_expiration = { days = 30, newer_versions = 3 }",
            "tags = { k = 'v', l = 'w' }\nenabled = false\nexpiration = { expired_object_delete_marker = true }",
            "prefix = 'a/'\nobject_size_greater_than = 0\nobject_size_less_than = 9\ntransitions = [{ days = 90, storage_class = 'GLACIER' }, { days = 30, storage_class = 'STANDARD_IA' }]",
            "object_size_less_than = 9\nnoncurrent_transitions = [{ days = 30, storage_class = 'GLACIER_IR', newer_versions = 2 }]",
            "abort_incomplete_multipart_upload = 7",
        ] {
            let managed = normal(&toml(text));
            assert_eq!(from_aws(&to_aws("r", &managed).unwrap()), ("r".to_owned(), managed), "{text}");
        }
    }

    #[test]
    fn different_words_for_one_rule_are_one() {
        let one = "prefix = ''\ntags = {}\nabort_incomplete_multipart_upload = { days = 7 }\nexpiration = { date = '2027-01-01T00:00:00Z', expired_object_delete_marker = false }";
        let other = "abort_incomplete_multipart_upload = 7\nenabled = true\nexpiration = { date = '2027-01-01' }";
        assert_eq!(normal(&toml(one)), normal(&toml(other)));
    }

    #[test]
    fn a_rule_for_everything_has_an_empty_prefix_and_several_criteria_stand_under_and() {
        let all = filter(&toml("enabled = true")).unwrap();
        assert_eq!((all.prefix(), all.and()), (Some(""), None));
        let both = filter(&toml("prefix = 'a'\nobject_size_less_than = 1")).unwrap();
        assert_eq!((both.prefix(), both.and().unwrap().prefix()), (None, Some("a")));
    }

    #[test]
    #[expect(deprecated, reason = "as other tools wrote it long ago")]
    fn a_prefix_from_before_filters_is_a_prefix() {
        let rule = LifecycleRule::builder().id("r").prefix("a/").status(ExpirationStatus::Enabled).build().unwrap();
        assert_eq!(from_aws(&rule).1.get("prefix"), &Value::from("a/"));
    }
}
