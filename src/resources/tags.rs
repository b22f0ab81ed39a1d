//! Tags, the owner's mark among them, whatever the service.

use std::collections::BTreeMap;

use s3stack_engine::address::Path;
use s3stack_engine::schema::validate::Problem;
use s3stack_engine::value::{Map, Value};

use super::OWNER_TAG;

/// All tags of a resource.
pub type Tags = BTreeMap<String, String>;

/// The beginnings of keys that are not the stack file's: AWS's own, and the marks of the owner.
const NOT_SHOWN: [&str; 2] = ["aws:", "s3stack:"];

/// The lineage in the owner's mark.
pub fn owner(tags: &Tags) -> Option<String> {
    tags.get(OWNER_TAG).cloned()
}

/// The tags that a stack file may speak of, as the managed property.
pub fn shown(tags: &Tags) -> Value {
    let hidden = |key: &str| NOT_SHOWN.iter().any(|prefix| key.starts_with(prefix));
    Value::map(tags.iter().filter(|(key, _)| !hidden(key)).map(|(key, value)| (key.clone(), value.as_str().into())))
}

/// The wanted tags and the owner's, for the call that makes a resource.
pub fn of_create(desired: &Value, owner: &[(String, String)]) -> Tags {
    let none = Map::new();
    let wanted = desired.as_map().unwrap_or(&none).iter();
    let wanted = wanted.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
    wanted.chain(owner.iter().cloned()).collect()
}

/// What turns the tags that are there into those that shall be.
#[derive(Debug, PartialEq, Eq)]
pub struct Changes {
    /// Keys to take away, before anything is set: some services take keys that differ in case alone for one.
    pub remove: Vec<String>,
    /// Tags to set, the owner's among them.
    pub set: Tags,
}

/// What to write so that `desired` holds; a null in it takes a tag away, and what it does not speak of stays. The owner's
/// mark is always set: it costs no call of its own, and an adopted resource has none yet.
pub fn changes(desired: &Value, live: &Value, owner: &[(String, String)]) -> Changes {
    let none = Map::new();
    let (wanted, held) = (desired.as_map().unwrap_or(&none), live.as_map().unwrap_or(&none));
    let remove = wanted.iter().filter(|(key, value)| value.is_null() && held.contains_key(*key));
    let set = wanted.iter().filter(|(key, value)| held.get(*key) != Some(value));
    let set = Value::Map(set.map(|(key, value)| (key.clone(), value.clone())).collect());
    Changes { remove: remove.map(|(key, _)| key.clone()).collect(), set: of_create(&set, owner) }
}

/// What a `service` that keeps to the usual rules would refuse in `tags`.
///
/// <https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html#id_tags_naming_best_practices>
pub fn check(service: &str, tags: &Value, problems: &mut Vec<Problem>) {
    let none = Map::new();
    for (key, value) in tags.as_map().unwrap_or(&none) {
        let path = Path::of("tags").key(key);
        let foreign = key.chars().chain(value.as_str().unwrap_or_default().chars()).find(|c| !is_allowed(*c));
        if let Some(c) = foreign {
            let message = format!("{service} takes no `{}` in a tag", c.escape_default());
            let help = "it takes letters, digits, spaces and _ . : / = + - @";
            problems.push(Problem::new("S3S-W8", &path, message).help(help));
        }
        if value.as_str().is_some_and(|text| text.chars().count() > 256) {
            problems.push(Problem::new("S3S-W9", &path, "a tag's value has at most 256 characters"));
        }
    }
}

fn is_allowed(c: char) -> bool {
    // The pattern is [\p{L}\p{Z}\p{N}_.:/=+\-@]; numeric characters stand in for \p{N}, white space for \p{Z}.
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
        let changes = changes(&desired, &live, &owner());
        assert_eq!(changes.remove, ["gone"]);
        let set: Vec<_> = changes.set.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(set, [("b", "2"), (OWNER_TAG, "l")]);
    }

    #[test]
    fn marks_and_system_tags_are_not_shown_and_the_mark_tells_the_owner() {
        let mut tags = of_create(&Value::map([("awsome", Value::from("1"))]), &owner());
        tags.insert("aws:cloudformation:stack".into(), "x".into());
        assert_eq!(shown(&tags), Value::map([("awsome", Value::from("1"))]));
        assert_eq!(super::owner(&tags), Some("l".to_owned()));
    }

    #[test]
    fn foreign_characters_are_told() {
        let mut problems = Vec::new();
        check("IAM", &Value::map([("Team", "a&b"), ("x", "é 1")].map(|(k, v)| (k, Value::from(v)))), &mut problems);
        let told: Vec<_> = problems.iter().map(|problem| (problem.code, problem.message.as_str())).collect();
        assert_eq!(told, [("S3S-W8", "IAM takes no `&` in a tag")]);
    }
}
