//! Tags of IAM's resources: its tags in AWS's shape, and its rules.

use aws_sdk_iam::types::Tag;
use s3stack_engine::address::Path;
use s3stack_engine::fault::{Fault, FaultKind};
use s3stack_engine::schema::validate::Problem;
use s3stack_engine::value::{Map, Value};

use crate::resources::tags;
pub use crate::resources::tags::{Tags, owner, shown};

/// The tags in an answer.
pub fn from_aws(tags: Option<&[Tag]>) -> Tags {
    tags.unwrap_or_default().iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect()
}

/// The managed property: always there, so that a tag that is taken out of the file is taken away.
pub fn managed(tags: &Value) -> Value {
    if tags.is_null() { Value::Map(Map::new()) } else { tags.clone() }
}

/// Whether two values of the property mean the same: no tags and an empty table do.
pub fn same(a: &Value, b: &Value) -> bool {
    let none = |value: &Value| value.is_null() || value.as_map().is_some_and(|map| map.is_empty());
    a == b || none(a) && none(b)
}

/// The wanted tags and the owner's, for the call that makes a resource.
pub fn of_create(desired: &Value, owner: &[(String, String)]) -> Result<Vec<Tag>, Fault> {
    to_aws(tags::of_create(desired, owner))
}

/// What turns the tags that are there into those that shall be; see [`tags::Changes`].
#[derive(Debug, PartialEq)]
pub struct Changes {
    /// Keys to take away, before anything is set: IAM takes keys that differ in case alone for one.
    pub remove: Vec<String>,
    /// Tags to set, the owner's among them.
    pub set: Vec<Tag>,
}

/// What to write so that `desired` holds; see [`tags::changes`].
pub fn changes(desired: &Value, live: &Value, owner: &[(String, String)]) -> Result<Changes, Fault> {
    let changes = tags::changes(desired, live, owner);
    Ok(Changes { remove: changes.remove, set: to_aws(changes.set)? })
}

fn to_aws(tags: Tags) -> Result<Vec<Tag>, Fault> {
    tags.into_iter().map(|(key, value)| tag(&key, &value)).collect()
}

fn tag(key: &str, value: &str) -> Result<Tag, Fault> {
    let invalid = |error| Fault::local(FaultKind::Invalid, "Tag", format!("the tag `{key}`: {error}"));
    Tag::builder().key(key).value(value).build().map_err(invalid)
}

/// What AWS would refuse in `tags`: characters that IAM's tags cannot have, and keys that it takes for one.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html#id_tags_rules>
pub fn check(tags: &Value, problems: &mut Vec<Problem>) {
    tags::check("IAM", tags, problems);
    let none = Map::new();
    let tags = tags.as_map().unwrap_or(&none);
    for key in tags.keys() {
        let twin = tags.keys().find(|other| *other < key && other.to_lowercase() == key.to_lowercase());
        if let Some(twin) = twin {
            let message = format!("IAM takes `{key}` and `{twin}` for one tag");
            let path = Path::of("tags").key(key);
            problems.push(Problem::new("S3S-C8", &path, message).help("take one of them out"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_tags_and_an_empty_table_are_the_same() {
        assert!(same(&Value::Null, &Value::Map(Map::new())));
        assert!(!same(&Value::Null, &Value::map([("a", Value::from("1"))])));
    }

    #[test]
    fn what_iam_refuses_is_told() {
        let mut problems = Vec::new();
        let tags = Value::map([("Team", "a&b"), ("team", "é 1"), ("x", "ok")].map(|(k, v)| (k, Value::from(v))));
        check(&tags, &mut problems);
        let told: Vec<_> = problems.iter().map(|problem| (problem.code, problem.path.to_string())).collect();
        assert_eq!(told, [("S3S-W8", "tags.Team".to_owned()), ("S3S-C8", "tags.team".to_owned())]);
    }
}
