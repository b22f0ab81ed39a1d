//! The side of `iam.instance_profile` that calls AWS.

use async_trait::async_trait;
use aws_sdk_iam::types::InstanceProfile as AwsInstanceProfile;
use futures_util::future::join_all;
use s3stack_engine::fault::Fault;
use s3stack_engine::plan::{Live, Observation};
use s3stack_engine::value::{Map, Value};

use super::profile::InstanceProfile;
use crate::aws::{Operation, Session, rules};
use crate::resources::iam::sweep::everything;
use crate::resources::members::{gone_is_done, text, unless_missing, value};
use crate::resources::iam::names::{self, folded};
use crate::resources::iam::sweep::{self, Authorizations};
use crate::resources::iam::tags;
use crate::resources::{Context, Create, Delete, Depth, Progress, Provider, Question, Reply, Update};

const GET: Operation = Operation::read("iam", "GetInstanceProfile");
const CREATE: Operation = Operation::once("iam", "CreateInstanceProfile").retrying(rules::IAM_CREATE);
/// A second call is refused, because the role is there: the one role that a profile may have.
const ADD_ROLE: Operation = Operation::once("iam", "AddRoleToInstanceProfile").retrying(rules::IAM_CHANGE);
const REMOVE_ROLE: Operation =
    Operation::idempotent("iam", "RemoveRoleFromInstanceProfile").retrying(rules::IAM_DETACH);
const TAG: Operation = Operation::idempotent("iam", "TagInstanceProfile").retrying(rules::IAM_CHANGE);
const UNTAG: Operation = Operation::idempotent("iam", "UntagInstanceProfile").retrying(rules::IAM_CHANGE);
/// Without waiting for the role to be gone: it may be there still.
const DELETE: Operation = Operation::idempotent("iam", "DeleteInstanceProfile").retrying(rules::IAM_DETACH);
const DELETE_EMPTIED: Operation =
    Operation::idempotent("iam", "DeleteInstanceProfile").retrying(rules::IAM_DELETE);

#[async_trait]
impl Provider for InstanceProfile {
    async fn read(&self, context: &Context, questions: &[Question], depth: Depth) -> Vec<Observation> {
        match sweep::authorizations(context, questions, depth).await {
            Ok(Some(all)) => join_all(questions.iter().map(|question| swept(context, &all, question))).await,
            Ok(None) => join_all(questions.iter().map(|question| point(context, question))).await,
            Err(fault) => questions.iter().map(|_| Observation::Unreadable(fault.clone())).collect(),
        }
    }

    async fn list(&self, context: &Context) -> Result<Option<Vec<String>>, Fault> {
        Ok(Some(everything(context).await?.instance_profiles.values().map(|one| one.name.clone()).collect()))
    }

    async fn create(&self, context: &Context, create: &Create, _: &dyn Progress) -> Result<Reply, Fault> {
        let (session, name, desired) = (&context.session, create.physical_id.as_str(), &create.desired);
        let iam = session.iam();
        let tags = tags::of_create(value(desired, "tags"), &context.owner_tags())?;
        let path = text(desired, "path");
        let send = || {
            let call = iam.create_instance_profile().instance_profile_name(name);
            call.set_path(path.clone()).set_tags(Some(tags.clone())).send()
        };
        let made = session.call(CREATE, send).await?;
        if let Some(role) = text(desired, "role") {
            add_role(session, name, &role).await?;
        }
        let arn = made.instance_profile.map(|profile| profile.arn).unwrap_or_else(|| {
            names::arn(&context.facts, "instance-profile", path.as_deref().unwrap_or("/"), name)
        });
        Ok(reply(name, arn.into()))
    }

    async fn update(&self, context: &Context, update: &Update, _: &dyn Progress) -> Result<Reply, Fault> {
        let (session, name) = (&context.session, update.physical_id.as_str());
        if update.touches("role") {
            // Read again, since the role may have been made anew in this run. One of the right name goes as well: it may
            // be the old one, of which the profile only seems to know the name.
            let held = get(session, name).await?.and_then(|profile| role(&profile));
            let known = text(&update.live, "role").filter(|known| held.as_ref() != Some(known));
            for role in held.iter().chain(&known) {
                remove_role(session, name, role).await?;
            }
            if let Some(role) = text(&update.desired, "role") {
                add_role(session, name, &role).await?;
            }
        }
        if update.touches("tags") || update.adopts {
            write_tags(context, update).await?;
        }
        Ok(reply(name, update.attributes.get("arn").cloned().unwrap_or_default()))
    }

    async fn delete(&self, context: &Context, delete: &Delete) -> Result<(), Fault> {
        let (session, name) = (&context.session, delete.physical_id.as_str());
        if let Some(role) = text(&delete.managed, "role") {
            remove_role(session, name, &role).await?;
        }
        let send = || session.iam().delete_instance_profile().instance_profile_name(name).send();
        match gone_is_done(session.call(DELETE, send).await.map(drop)) {
            Err(fault) if fault.is_code(&["DeleteConflict"]) => {
                if let Some(role) = get(session, name).await?.and_then(|profile| role(&profile)) {
                    remove_role(session, name, &role).await?;
                }
                gone_is_done(session.call(DELETE_EMPTIED, send).await.map(drop))
            }
            answer => answer,
        }
    }
}

async fn get(session: &Session, name: &str) -> Result<Option<AwsInstanceProfile>, Fault> {
    let send = || session.iam().get_instance_profile().instance_profile_name(name).send();
    Ok(unless_missing(session.call(GET, send).await)?.and_then(|answer| answer.instance_profile))
}

/// The name of a profile's role.
fn role(profile: &AwsInstanceProfile) -> Option<String> {
    profile.roles.first().map(|role| role.role_name.clone())
}

async fn add_role(session: &Session, profile: &str, role: &str) -> Result<(), Fault> {
    let send = || session.iam().add_role_to_instance_profile().instance_profile_name(profile).role_name(role).send();
    session.call(ADD_ROLE, send).await.map(drop)
}

/// Takes a role out; one that is not in is success.
async fn remove_role(session: &Session, profile: &str, role: &str) -> Result<(), Fault> {
    let send =
        || session.iam().remove_role_from_instance_profile().instance_profile_name(profile).role_name(role).send();
    gone_is_done(session.call(REMOVE_ROLE, send).await.map(drop))
}

async fn write_tags(context: &Context, update: &Update) -> Result<(), Fault> {
    let (name, iam) = (update.physical_id.as_str(), context.session.iam());
    let changes =
        tags::changes(value(&update.desired, "tags"), value(&update.live, "tags"), &context.owner_tags())?;
    if !changes.remove.is_empty() {
        let send = || {
            let call = iam.untag_instance_profile().instance_profile_name(name);
            call.set_tag_keys(Some(changes.remove.clone())).send()
        };
        context.session.call(UNTAG, send).await?;
    }
    let send = || iam.tag_instance_profile().instance_profile_name(name).set_tags(Some(changes.set.clone())).send();
    context.session.call(TAG, send).await.map(drop)
}

async fn point(context: &Context, question: &Question) -> Observation {
    match get(&context.session, &question.physical_id).await {
        Ok(Some(profile)) => Observation::Found(told(&profile)),
        Ok(None) => Observation::Missing,
        Err(fault) => Observation::Unreadable(fault),
    }
}

fn told(profile: &AwsInstanceProfile) -> Live {
    let tags = tags::from_aws(profile.tags.as_deref());
    let mut live = live(&profile.instance_profile_name, &profile.path, &profile.arn, role(profile));
    live.managed.insert("tags".to_owned(), tags::shown(&tags));
    Live { owner: tags::owner(&tags), hint: false, ..live }
}

/// Answers from the account in bulk, which knows the profiles that have a role. Tags, which that does not tell, take a call
/// that tells everything.
async fn swept(context: &Context, all: &Authorizations, question: &Question) -> Observation {
    match all.instance_profiles.get(&folded(&question.physical_id)) {
        Some(profile) if !question.asks_for("tags") => {
            Observation::Found(live(&profile.name, &profile.path, &profile.arn, Some(profile.role.clone())))
        }
        _ => point(context, question).await,
    }
}

fn live(name: &str, path: &str, arn: &str, role: Option<String>) -> Live {
    Live {
        physical_id: name.to_owned(),
        managed: Map::from([
            ("name".to_owned(), name.into()),
            ("path".to_owned(), path.into()),
            ("role".to_owned(), role.into()),
        ]),
        attributes: Map::from([("arn".to_owned(), arn.into()), ("name".to_owned(), name.into())]),
        owner: None,
        loss: Vec::new(),
        hint: true,
    }
}

fn reply(name: &str, arn: Value) -> Reply {
    let attributes = Map::from([("arn".to_owned(), arn), ("name".to_owned(), name.into())]);
    Reply { physical_id: name.to_owned(), attributes }
}
