//! Tags of IAM's resources, the owner's mark among them.

use std::collections::BTreeMap;

use aws_sdk_iam::types::Tag;
use s3stack_engine::address::Path;
use s3stack_engine::fault::{Fault, FaultKind};
use s3stack_engine::schema::validate::Problem;
use s3stack_engine::value::{Map, Value};

use crate::resources::OWNER_TAG;

/// All tags of a resource.
pub type Tags = BTreeMap<String, String>;

/// The beginnings of keys that are not the stack file's: AWS's own, and the marks of the owner.
const NOT_SHOWN: [&str; 2] = ["aws:", "s3stack:"];

/// The tags in an answer.
pub fn from_aws(tags: Option<&[Tag]>) -> Tags {
    tags.unwrap_or_default().iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect()
}

/// The lineage in the owner's mark.
pub fn owner(tags: &Tags) -> Option<String> {
    tags.get(OWNER_TAG).cloned()
}

/// The tags that a stack file may speak of, as the managed property.
pub fn shown(tags: &Tags) -> Value {
    let hidden = |key: &str| NOT_SHOWN.iter().any(|prefix| key.starts_with(prefix));
    Value::map(tags.iter().filter(|(key, _)| !hidden(key)).map(|(key, value)| (key.clone(), value.as_str().into())))
}

/// The managed property: always there, so that a tag that is taken out of the file is taken away.
pub fn managed(tags: &Value) -> Value {
    if tags.is_null() { Value::Map(Map::new()) } else { tags.clone() }
}

/// Whether two values of the property mean the same: no tags and an empty table do.
pub fn same(a: &Value, b: &Value) -> bool {
    let none = |value: &Value| value.is_null() || value.as_map().is_some_and(Map::is_empty);
    a == b || none(a) && none(b)
}

/// The wanted tags and the owner's, for the call that makes a resource.
pub fn of_create(desired: &Value, owner: &[(String, String)]) -> Result<Vec<Tag>, Fault> {
    let none = Map::new();
    let wanted =
        desired.as_map().unwrap_or(&none).iter().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)));
    let owner = owner.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    wanted.chain(owner).map(|(key, value)| tag(key, value)).collect()
}

/// What turns the tags that are there into those that shall be.
#[derive(Debug, PartialEq)]
pub struct Changes {
    /// Keys to take away, before anything is set: AWS takes keys that differ in case alone for one.
    pub remove: Vec<String>,
    /// Tags to set, the owner's among them.
    pub set: Vec<Tag>,
}

/// What to write so that `desired` holds; a null in it takes a tag away, and what it does not speak of stays. The owner's
/// mark is always set: it costs no call of its own, and an adopted resource has none yet.
pub fn changes(desired: &Value, live: &Value, owner: &[(String, String)]) -> Result<Changes, Fault> {
    let none = Map::new();
    let (wanted, held) = (desired.as_map().unwrap_or(&none), live.as_map().unwrap_or(&none));
    let remove = wanted.iter().filter(|(key, value)| value.is_null() && held.contains_key(*key));
    let set = wanted.iter().filter(|(key, value)| held.get(*key) != Some(value));
    let set = Value::Map(set.map(|(key, value)| (key.clone(), value.clone())).collect());
    Ok(Changes { remove: remove.map(|(key, _)| key.clone()).collect(), set: of_create(&set, owner)? })
}

fn tag(key: &str, value: &str) -> Result<Tag, Fault> {
    let invalid = |error| Fault::local(FaultKind::Invalid, "Tag", format!("the tag `{key}`: {error}"));
    Tag::builder().key(key).value(value).build().map_err(invalid)
}

/// What AWS would refuse in `tags`: characters that IAM's tags cannot have, and keys that it takes for one.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html#id_tags_rules>
pub fn check(tags: &Value, problems: &mut Vec<Problem>) {
    let none = Map::new();
    let tags = tags.as_map().unwrap_or(&none);
    for (key, value) in tags {
        let path = Path::of("tags").key(key);
        let foreign = key.chars().chain(value.as_str().unwrap_or_default().chars()).find(|c| !is_allowed(*c));
        if let Some(c) = foreign {
            let message = format!("IAM takes no `{}` in a tag", c.escape_default());
            let help = "it takes letters, digits, spaces and _ . : / = + - @";
            problems.push(Problem::new("S3S-V8", &path, message).help(help));
        }
        if value.as_str().is_some_and(|text| text.chars().count() > 256) {
            problems.push(Problem::new("S3S-V9", &path, "a tag's value has at most 256 characters"));
        }
        let twin = tags.keys().find(|other| *other < key && other.to_lowercase() == key.to_lowercase());
        if let Some(twin) = twin {
            let message = format!("IAM takes `{key}` and `{twin}` for one tag");
            problems.push(Problem::new("S3S-N2", &path, message).help("take one of them out"));
        }
    }
}

fn is_allowed(c: char) -> bool {
    // IAM's pattern is [\p{L}\p{Z}\p{N}_.:/=+\-@]; numeric characters stand in for \p{N}, white space for \p{Z}.
    c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> [(String, String); 1] {
        [(OWNER_TAG.to_owned(), "l".to_owned())]
    }

    #[test]
    fn only_what_differs_is_set_and_only_what_is_there_is_removed() {
        let desired = Value::map([("a", "1".into()), ("b", "2".into()), ("gone", Value::Null), ("never", Value::Null)]);
        let live =
            Value::map([("a", "1"), ("b", "0"), ("gone", "x"), ("theirs", "y")].map(|(k, v)| (k, Value::from(v))));
        let changes = changes(&desired, &live, &owner()).unwrap();
        assert_eq!(changes.remove, ["gone"]);
        let set: Vec<_> = changes.set.iter().map(|tag| (tag.key(), tag.value())).collect();
        assert_eq!(set, [("b", "2"), (OWNER_TAG, "l")]);
    }

    #[test]
    fn marks_are_not_shown_and_tell_the_owner() {
        let tags = from_aws(Some(&of_create(&Value::map([("a", Value::from("1"))]), &owner()).unwrap()));
        assert_eq!(shown(&tags), Value::map([("a", Value::from("1"))]));
        assert_eq!(owner_of(&tags), Some("l".to_owned()));
    }

    fn owner_of(tags: &Tags) -> Option<String> {
        super::owner(tags)
    }

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
        assert_eq!(told, [("S3S-V8", "tags.Team".to_owned()), ("S3S-N2", "tags.team".to_owned())]);
    }
}
