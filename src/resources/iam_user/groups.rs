//! The groups that a user is in.

use std::borrow::Cow;
use std::collections::BTreeSet;

use s3stack_engine::address::Path;
use s3stack_engine::fault::Fault;
use s3stack_engine::schema::shapes::{Reference, reference};
use s3stack_engine::schema::validate::Problem;
use s3stack_engine::value::Value;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::aws::{Operation, Session, rules};
use crate::resources::iam::holder::PAGE;
use crate::resources::iam::names;
use crate::resources::members::gone_is_done;

const LIST: Operation = Operation::read("iam", "ListGroupsForUser");
const JOIN: Operation = Operation::idempotent("iam", "AddUserToGroup").retrying(rules::IAM_CHANGE);
const LEAVE: Operation = Operation::idempotent("iam", "RemoveUserFromGroup").retrying(rules::IAM_DETACH);

/// How many groups a user may be in.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
const MOST: usize = 10;

/// The property in the schema.
pub(super) struct Groups;

impl JsonSchema for Groups {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Groups".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut item = generator.subschema_for::<Reference>();
        item.insert("x-reference".into(), reference(&["iam.group"], "name", names::PATTERN));
        // A group that is made anew has no members, under whatever name: its users have to join it again.
        json_schema!({ "type": "array", "items": item, "uniqueItems": true, "x-principal": true })
    }
}

/// The managed property: always there, since a user is in these groups and no others.
pub(super) fn managed(groups: &Value) -> Value {
    let Value::List(list) = groups else { return Value::List(Vec::new()) };
    let (mut known, others): (Vec<Value>, Vec<Value>) =
        list.iter().cloned().partition(|value| value.as_str().is_some());
    known.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    known.dedup();
    known.extend(others);
    Value::List(known)
}

/// What AWS holds, as the managed property.
pub(super) fn shown(groups: &BTreeSet<String>) -> Value {
    Value::strings(groups.iter().cloned())
}

/// The names in a managed property.
pub(super) fn names(value: &Value) -> BTreeSet<String> {
    value.as_list().unwrap_or_default().iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// What is wrong with `groups`.
pub(super) fn check(groups: &Value, problems: &mut Vec<Problem>) {
    let count = groups.as_list().map_or(0, <[Value]>::len);
    if count > MOST {
        let message = format!("the user is in {count} groups, and AWS allows {MOST}");
        problems.push(Problem::new("S3S-N6", &Path::of("groups"), message).help("merge some groups"));
    }
}

/// The groups that a user is in.
///
/// # Errors
/// [`s3stack_engine::fault::FaultKind::NotFound`] if there is no such user.
pub(super) async fn list(session: &Session, user: &str) -> Result<BTreeSet<String>, Fault> {
    let (mut found, mut marker) = (BTreeSet::new(), None::<String>);
    loop {
        let iam = session.iam();
        let send = || iam.list_groups_for_user().user_name(user).max_items(PAGE).set_marker(marker.clone()).send();
        let page = session.call(LIST, send).await?;
        found.extend(page.groups.into_iter().map(|group| group.group_name));
        marker = page.marker.filter(|_| page.is_truncated);
        if marker.is_none() {
            return Ok(found);
        }
    }
}

/// Brings a user into the groups that shall be and out of the others. It joins also those that `live` shows: a group may
/// have been made anew in this run, and a listing may still show the members of the old one. Joining twice is nothing to
/// AWS. Where the groups are as many as AWS allows, it leaves before it joins.
pub(super) async fn sync(session: &Session, user: &str, desired: &Value, live: &Value) -> Result<(), Fault> {
    let (desired, live) = (names(desired), names(live));
    let is_full = desired.union(&live).count() > MOST;
    let leave_all = async || {
        for group in live.difference(&desired) {
            leave(session, user, group).await?;
        }
        Ok::<(), Fault>(())
    };
    if is_full {
        leave_all().await?;
    }
    for group in &desired {
        let iam = session.iam();
        session.call(JOIN, || iam.add_user_to_group().user_name(user).group_name(group).send()).await?;
    }
    if !is_full {
        leave_all().await?;
    }
    Ok(())
}

/// Takes a user out of a group; one that is not in it, or is gone, is success.
pub(super) async fn leave(session: &Session, user: &str, group: &str) -> Result<(), Fault> {
    let iam = session.iam();
    let send = || iam.remove_user_from_group().user_name(user).group_name(group).send();
    gone_is_done(session.call(LEAVE, send).await.map(drop))
}
