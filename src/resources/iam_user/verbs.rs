//! The side of `iam.user` that calls AWS.

use async_trait::async_trait;
use s3stack_engine::fault::Fault;
use s3stack_engine::plan::Observation;
use s3stack_engine::value::{Map, Value};

use super::user::User;
use super::{deletion, groups};
use crate::aws::{Operation, rules};
use crate::resources::iam::sweep::everything;
use crate::resources::iam::holder::{Holder, Kind, about_the_policy};
use crate::resources::iam::{attachments, inline, names, tags};
use crate::resources::members::{gone_is_done, text, value};
use crate::resources::{Context, Create, Delete, Depth, Progress, Provider, Question, Reply, Update};

const CREATE: Operation = Operation::once("iam", "CreateUser").retrying(rules::IAM_CREATE);
const PUT_BOUNDARY: Operation = Operation::idempotent("iam", "PutUserPermissionsBoundary").retrying(rules::IAM_CHANGE);
const DELETE_BOUNDARY: Operation =
    Operation::idempotent("iam", "DeleteUserPermissionsBoundary").retrying(rules::IAM_DETACH);
const TAG: Operation = Operation::idempotent("iam", "TagUser").retrying(rules::IAM_CHANGE);
const UNTAG: Operation = Operation::idempotent("iam", "UntagUser").retrying(rules::IAM_CHANGE);

#[async_trait]
impl Provider for User {
    async fn read(&self, context: &Context, questions: &[Question], depth: Depth) -> Vec<Observation> {
        super::read::read(context, questions, depth).await
    }

    async fn list(&self, context: &Context) -> Result<Option<Vec<String>>, Fault> {
        Ok(Some(everything(context).await?.users.values().map(|one| one.name.clone()).collect()))
    }

    async fn create(&self, context: &Context, create: &Create, _: &dyn Progress) -> Result<Reply, Fault> {
        let (session, name, desired) = (&context.session, create.physical_id.as_str(), &create.desired);
        let iam = session.iam();
        let tags = tags::of_create(value(desired, "tags"), &context.owner_tags())?;
        let path = text(desired, "path");
        let send = || {
            let call = iam.create_user().user_name(name).set_path(path.clone());
            call.set_permissions_boundary(text(desired, "boundary")).set_tags(Some(tags.clone())).send()
        };
        let made = session.call(CREATE, send).await?;
        let holder = Holder { session, kind: Kind::User, name };
        attachments::sync(&holder, value(desired, "policies"), &Value::Null).await?;
        inline::sync(&holder, value(desired, "inline_policies"), &Value::Null).await?;
        groups::sync(session, name, value(desired, "groups"), &Value::Null).await?;
        let predicted = || names::arn(&context.facts, "user", path.as_deref().unwrap_or("/"), name);
        let arn = made.user.map_or_else(predicted, |user| user.arn);
        Ok(reply(name, arn.into()))
    }

    async fn update(&self, context: &Context, update: &Update, _: &dyn Progress) -> Result<Reply, Fault> {
        let (name, desired, live) = (update.physical_id.as_str(), &update.desired, &update.live);
        let (session, iam) = (&context.session, context.session.iam());
        let holder = Holder { session, kind: Kind::User, name };
        let boundary = if update.touches("boundary") { Some(text(desired, "boundary")) } else { None };
        // A new boundary binds what is allowed next; one that goes is in force until the rest is as it shall be.
        if let Some(Some(arn)) = &boundary {
            let send = || iam.put_user_permissions_boundary().user_name(name).permissions_boundary(arn).send();
            session.call(PUT_BOUNDARY, send).await.map_err(about_the_policy)?;
        }
        if update.touches("policies") {
            attachments::sync(&holder, value(desired, "policies"), value(live, "policies")).await?;
        }
        if update.touches("inline_policies") {
            inline::sync(&holder, value(desired, "inline_policies"), value(live, "inline_policies")).await?;
        }
        if update.touches("groups") {
            groups::sync(session, name, value(desired, "groups"), value(live, "groups")).await?;
        }
        if boundary == Some(None) {
            let send = || iam.delete_user_permissions_boundary().user_name(name).send();
            gone_is_done(session.call(DELETE_BOUNDARY, send).await.map(drop))?;
        }
        if update.touches("tags") || update.adopts {
            write_tags(context, update).await?;
        }
        Ok(reply(name, update.attributes.get("arn").cloned().unwrap_or_default()))
    }

    async fn delete(&self, context: &Context, delete: &Delete) -> Result<(), Fault> {
        deletion::delete(&context.session, delete).await
    }
}

async fn write_tags(context: &Context, update: &Update) -> Result<(), Fault> {
    let (name, iam) = (update.physical_id.as_str(), context.session.iam());
    let (desired, live) = (value(&update.desired, "tags"), value(&update.live, "tags"));
    let changes = tags::changes(desired, live, &context.owner_tags())?;
    if !changes.remove.is_empty() {
        let send = || iam.untag_user().user_name(name).set_tag_keys(Some(changes.remove.clone())).send();
        context.session.call(UNTAG, send).await?;
    }
    let send = || iam.tag_user().user_name(name).set_tags(Some(changes.set.clone())).send();
    context.session.call(TAG, send).await.map(drop)
}

fn reply(name: &str, arn: Value) -> Reply {
    let attributes = Map::from([("arn".to_owned(), arn), ("name".to_owned(), name.into())]);
    Reply { physical_id: name.to_owned(), attributes }
}
