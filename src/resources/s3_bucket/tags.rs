//! The bucket's tags, the owner's mark among them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_s3::types::{Tag, Tagging};
use s3stack_engine::fault::Fault;
use s3stack_engine::resource::{Resource, Surroundings};
use s3stack_engine::schema::validate::Problem;
use s3stack_engine::value::{Map, Value};

use super::setting::{Setting, Target, members, unbuildable, unless_absent};
use crate::aws::{Operation, rules};
pub(super) use crate::resources::tags::shown;

const GET: Operation = Operation::read("s3", "GetBucketTagging");
const PUT: Operation = Operation::idempotent("s3", "PutBucketTagging").retrying(rules::BUCKET_SETTING);

/// The setting.
pub(super) struct Tags;

#[async_trait]
impl Setting for Tags {
    fn property(&self) -> &'static str {
        "tags"
    }

    fn managed(&self, resource: &Resource, _: &dyn Surroundings) -> Result<Option<Value>, Vec<Problem>> {
        // Without tags of its own a bucket still has the owner's, so there is always something to keep.
        Ok(Some(match resource.property("tags") {
            Value::Null => Value::Map(Map::new()),
            tags => tags.clone(),
        }))
    }

    async fn get(&self, bucket: &Target<'_>) -> Result<Value, Fault> {
        Ok(shown(&all(bucket).await?))
    }

    async fn put(&self, bucket: &Target<'_>, value: &Value) -> Result<(), Fault> {
        // The call replaces the whole set, so what AWS and others have put there is read and written again.
        let held = if bucket.new { BTreeMap::new() } else { all(bucket).await? };
        let tags = to_aws(merged(held, value, &bucket.owner_tags))?;
        let tagging = Tagging::builder().set_tag_set(Some(tags)).build().map_err(|e| unbuildable(PUT.name, e))?;
        let send = || {
            let call = bucket.session.s3().put_bucket_tagging().bucket(bucket.name);
            call.expected_bucket_owner(bucket.account_id).tagging(tagging.clone()).send()
        };
        bucket.session.call(PUT, send).await.map(drop)
    }
}

/// All tags, AWS's own and the owner's included.
pub(super) async fn all(bucket: &Target<'_>) -> Result<BTreeMap<String, String>, Fault> {
    let send = || {
        let call = bucket.session.s3().get_bucket_tagging().bucket(bucket.name);
        call.expected_bucket_owner(bucket.account_id).send()
    };
    let answer = unless_absent(bucket.session.call(GET, send).await, "NoSuchTagSet")?;
    Ok(answer.into_iter().flat_map(|answer| answer.tag_set).map(|tag| (tag.key, tag.value)).collect())
}

/// What is held with the wanted tags in it: a null takes a tag away, and what nobody speaks of stays.
fn merged(
    mut held: BTreeMap<String, String>,
    wanted: &Value,
    owner: &[(String, String)],
) -> BTreeMap<String, String> {
    for (key, value) in members(wanted) {
        match value.as_str() {
            Some(text) => held.insert(key.clone(), text.to_owned()),
            None => held.remove(key),
        };
    }
    held.extend(owner.iter().cloned());
    held
}

/// Wanted tags and the owner's, for the call that makes the bucket.
pub(super) fn of_create(wanted: &Value, owner: &[(String, String)]) -> Result<Vec<Tag>, Fault> {
    to_aws(merged(BTreeMap::new(), wanted, owner))
}

fn to_aws(tags: BTreeMap<String, String>) -> Result<Vec<Tag>, Fault> {
    tags.into_iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build().map_err(|e| unbuildable(PUT.name, e)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_others_put_there_stays_and_what_was_ours_goes() {
        let held = tags(&[("aws:cloudformation:stack", "x"), ("Team", "a"), ("Old", "b"), ("Cost", "c")]);
        let wanted = Value::map([("Team", Value::from("z")), ("Old", Value::Null)]);
        let owner = [("s3stack:id".to_owned(), "l".to_owned())];
        assert_eq!(
            merged(held, &wanted, &owner),
            tags(&[("aws:cloudformation:stack", "x"), ("Team", "z"), ("Cost", "c"), ("s3stack:id", "l")])
        );
    }
}
