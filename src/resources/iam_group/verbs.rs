//! The side of `iam.group` that calls AWS.

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_iam::types::Group as AwsGroup;
use futures_util::future::{join, join_all, try_join};
use s3stack_engine::fault::Fault;
use s3stack_engine::plan::{Live, Observation};
use s3stack_engine::value::{Map, Value};

use super::group::Group;
use crate::aws::{Operation, Session, rules};
use crate::resources::iam::holder::{Holder, Kind, PAGE};
use crate::resources::iam::names::{self, folded, is_dependent};
use crate::resources::iam::{attachments, inline, sweep};
use crate::resources::members::{gone_is_done, text, unless_missing, value};
use crate::resources::{Context, Create, Delete, Depth, Progress, Provider, Question, Reply, Update};

const GET: Operation = Operation::read("iam", "GetGroup");
const CREATE: Operation = Operation::once("iam", "CreateGroup").retrying(rules::IAM_CREATE);
const LEAVE: Operation = Operation::idempotent("iam", "RemoveUserFromGroup").retrying(rules::IAM_DETACH);
/// Without waiting for what was detached to be gone: something may stand in the way that nobody has removed yet.
const DELETE: Operation = Operation::idempotent("iam", "DeleteGroup").retrying(rules::IAM_DETACH);
const DELETE_EMPTIED: Operation = Operation::idempotent("iam", "DeleteGroup").retrying(rules::IAM_DELETE);

#[async_trait]
impl Provider for Group {
    async fn read(&self, context: &Context, questions: &[Question], depth: Depth) -> Vec<Observation> {
        match sweep::authorizations(context, questions, depth).await {
            Ok(Some(all)) => questions.iter().map(|question| swept(&all, question)).collect(),
            Ok(None) => join_all(questions.iter().map(|question| point(context, question))).await,
            Err(fault) => questions.iter().map(|_| Observation::Unreadable(fault.clone())).collect(),
        }
    }

    async fn create(&self, context: &Context, create: &Create, _: &dyn Progress) -> Result<Reply, Fault> {
        let (session, name, desired) = (&context.session, create.physical_id.as_str(), &create.desired);
        let (iam, path) = (session.iam(), text(desired, "path"));
        let made = session.call(CREATE, || iam.create_group().group_name(name).set_path(path.clone()).send()).await?;
        let holder = Holder { session, kind: Kind::Group, name };
        attachments::sync(&holder, value(desired, "policies"), &Value::Null).await?;
        inline::sync(&holder, value(desired, "inline_policies"), &Value::Null).await?;
        let predicted = || names::arn(&context.facts, "group", path.as_deref().unwrap_or("/"), name);
        let arn = made.group.map_or_else(predicted, |group| group.arn);
        Ok(reply(name, arn.into()))
    }

    async fn update(&self, context: &Context, update: &Update, _: &dyn Progress) -> Result<Reply, Fault> {
        let (name, desired, live) = (update.physical_id.as_str(), &update.desired, &update.live);
        let holder = Holder { session: &context.session, kind: Kind::Group, name };
        if update.touches("policies") {
            attachments::sync(&holder, value(desired, "policies"), value(live, "policies")).await?;
        }
        if update.touches("inline_policies") {
            inline::sync(&holder, value(desired, "inline_policies"), value(live, "inline_policies")).await?;
        }
        Ok(reply(name, update.attributes.get("arn").cloned().unwrap_or_default()))
    }

    async fn delete(&self, context: &Context, delete: &Delete) -> Result<(), Fault> {
        let (session, name) = (&context.session, delete.physical_id.as_str());
        let holder = Holder { session, kind: Kind::Group, name };
        // Before anything is taken away: those who are not the stack's must not lose the group unasked, nor what it allows.
        let Some((_, members)) = unless_missing(group(session, name).await)? else { return Ok(()) };
        let is_ours = |user: &str| is_dependent(&delete.dependents, "iam.user", user);
        let strangers: Vec<&str> = members.iter().map(String::as_str).filter(|user| !is_ours(user)).collect();
        if !strangers.is_empty() {
            let message = format!(
                "group {name} has members that are none of this stack's users: {}; take them out (aws iam \
                 remove-user-from-group --group-name {name} --user-name NAME) and apply again",
                strangers.join(", ")
            );
            let kind = s3stack_engine::fault::FaultKind::Dependency;
            return Err(Fault::local(kind, "DeleteGroup", message));
        }
        for arn in attachments::arns(value(&delete.managed, "policies")) {
            holder.detach(&arn).await?;
        }
        for policy in value(&delete.managed, "inline_policies").as_map().into_iter().flat_map(|map| map.keys()) {
            holder.delete_inline(policy).await?;
        }
        for user in &members {
            let iam = session.iam();
            let send = || iam.remove_user_from_group().group_name(name).user_name(user).send();
            gone_is_done(session.call(LEAVE, send).await.map(drop))?;
        }
        let send = || session.iam().delete_group().group_name(name).send();
        match gone_is_done(session.call(DELETE, send).await.map(drop)) {
            Err(fault) if fault.is_code(&["DeleteConflict"]) => {
                if unless_missing(empty(&holder).await)?.is_none() {
                    return Ok(());
                }
                gone_is_done(session.call(DELETE_EMPTIED, send).await.map(drop))
            }
            answer => answer,
        }
    }
}

/// Takes policies away that somebody added by hand.
async fn empty(holder: &Holder<'_>) -> Result<(), Fault> {
    for arn in holder.attached().await? {
        holder.detach(&arn).await?;
    }
    for policy in holder.inline_names().await? {
        holder.delete_inline(&policy).await?;
    }
    Ok(())
}

/// A group with the names of its members.
///
/// # Errors
/// [`s3stack_engine::fault::FaultKind::NotFound`] if there is no such group.
async fn group(session: &Session, name: &str) -> Result<(Option<AwsGroup>, Vec<String>), Fault> {
    let (mut members, mut marker) = (Vec::new(), None::<String>);
    loop {
        let iam = session.iam();
        let send = || iam.get_group().group_name(name).max_items(PAGE).set_marker(marker.clone()).send();
        let page = session.call(GET, send).await?;
        members.extend(page.users.into_iter().map(|user| user.user_name));
        marker = page.marker.filter(|_| page.is_truncated);
        if marker.is_none() {
            return Ok((page.group, members));
        }
    }
}

/// Reads one group. Its policies are asked for beside it, and only if they matter; its members never.
async fn point(context: &Context, question: &Question) -> Observation {
    let name = question.physical_id.as_str();
    let holder = Holder { session: &context.session, kind: Kind::Group, name };
    let matters = |property| question.properties.contains(property);
    let attached = async { if matters("policies") { holder.attached().await.map(Some) } else { Ok(None) } };
    let inline = async { if matters("inline_policies") { inline::read(&holder).await.map(Some) } else { Ok(None) } };
    let get = async {
        let iam = context.session.iam();
        let send = || iam.get_group().group_name(name).max_items(1).send();
        Ok(unless_missing(context.session.call(GET, send).await)?.and_then(|answer| answer.group))
    };
    let (group, policies) = join(get, try_join(attached, inline)).await;
    match (group, policies) {
        (Err(fault), _) => Observation::Unreadable(fault),
        (Ok(None), _) => Observation::Missing,
        (Ok(Some(_)), Err(fault)) => Observation::Unreadable(fault),
        (Ok(Some(group)), Ok((attached, inline))) => {
            Observation::Found(live(&group.group_name, &group.path, &group.arn, attached, inline, false))
        }
    }
}

fn swept(all: &sweep::Authorizations, question: &Question) -> Observation {
    let Some(group) = all.groups.get(&folded(&question.physical_id)) else { return Observation::Missing };
    let policies = &group.policies;
    let (attached, inline) = (Some(policies.attached.clone()), Some(policies.inline_documents()));
    Observation::Found(live(&group.name, &group.path, &group.arn, attached, inline, true))
}

fn live(
    name: &str,
    path: &str,
    arn: &str,
    attached: Option<BTreeSet<String>>,
    inline: Option<Map>,
    hint: bool,
) -> Live {
    let mut managed = Map::from([("name".to_owned(), name.into()), ("path".to_owned(), path.into())]);
    if let Some(inline) = &inline {
        managed.insert("inline_policies".to_owned(), inline::shown(inline));
    }
    if let Some(attached) = &attached {
        managed.insert("policies".to_owned(), attachments::shown(attached));
    }
    let Reply { physical_id, attributes } = reply(name, arn.into());
    Live { physical_id, managed, attributes, owner: None, loss: Vec::new(), hint }
}

fn reply(name: &str, arn: Value) -> Reply {
    let attributes = Map::from([("arn".to_owned(), arn), ("name".to_owned(), name.into())]);
    Reply { physical_id: name.to_owned(), attributes }
}
