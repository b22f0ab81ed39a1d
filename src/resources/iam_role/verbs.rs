//! The side of `iam.role` that calls AWS.

use async_trait::async_trait;
use futures_util::future::try_join;
use s3stack_engine::fault::{Fault, FaultKind};
use s3stack_engine::plan::Observation;
use s3stack_engine::value::{Map, Value};

use super::role::Role;
use crate::aws::{Operation, Session, rules};
use crate::resources::iam::sweep::everything;
use crate::resources::members::{gone_is_done, text, value};
use crate::resources::iam::holder::{Holder, Kind, PAGE, about_the_policy};
use crate::resources::iam::{attachments, documents, inline, names, tags};
use crate::resources::{Context, Create, Delete, Depth, Progress, Provider, Question, Reply, Update};

const CREATE: Operation = Operation::once("iam", "CreateRole").retrying(rules::IAM_CREATE);
const UPDATE_TRUST: Operation =
    Operation::idempotent("iam", "UpdateAssumeRolePolicy").retrying(rules::IAM_CHANGE);
const PUT_BOUNDARY: Operation =
    Operation::idempotent("iam", "PutRolePermissionsBoundary").retrying(rules::IAM_CHANGE);
const DELETE_BOUNDARY: Operation =
    Operation::idempotent("iam", "DeleteRolePermissionsBoundary").retrying(rules::IAM_DETACH);
const UPDATE: Operation = Operation::idempotent("iam", "UpdateRole").retrying(rules::IAM_CHANGE);
const UPDATE_DESCRIPTION: Operation =
    Operation::idempotent("iam", "UpdateRoleDescription").retrying(rules::IAM_CHANGE);
const TAG: Operation = Operation::idempotent("iam", "TagRole").retrying(rules::IAM_CHANGE);
const UNTAG: Operation = Operation::idempotent("iam", "UntagRole").retrying(rules::IAM_CHANGE);
const LIST_PROFILES: Operation = Operation::read("iam", "ListInstanceProfilesForRole");
const LEAVE_PROFILE: Operation =
    Operation::idempotent("iam", "RemoveRoleFromInstanceProfile").retrying(rules::IAM_DETACH);
/// Without waiting for what was detached to be gone: something may stand in the way that nobody has detached yet.
const DELETE: Operation = Operation::idempotent("iam", "DeleteRole").retrying(rules::IAM_DETACH);
const DELETE_EMPTIED: Operation = Operation::idempotent("iam", "DeleteRole").retrying(rules::IAM_DELETE);

#[async_trait]
impl Provider for Role {
    async fn read(&self, context: &Context, questions: &[Question], depth: Depth) -> Vec<Observation> {
        super::read::read(context, questions, depth).await
    }

    async fn list(&self, context: &Context) -> Result<Option<Vec<String>>, Fault> {
        Ok(Some(everything(context).await?.roles.values().map(|one| one.name.clone()).collect()))
    }

    async fn create(&self, context: &Context, create: &Create, _: &dyn Progress) -> Result<Reply, Fault> {
        let (name, desired) = (create.physical_id.as_str(), &create.desired);
        let iam = context.session.iam();
        let trust = documents::to_aws(value(desired, "trust_policy"), CREATE.name)?;
        let tags = tags::of_create(value(desired, "tags"), &context.owner_tags())?;
        let send = || {
            let call = iam.create_role().role_name(name).assume_role_policy_document(trust.as_str());
            call.set_path(text(desired, "path"))
                .set_description(text(desired, "description"))
                .set_max_session_duration(seconds(desired))
                .set_permissions_boundary(text(desired, "boundary"))
                .set_tags(Some(tags.clone()))
                .send()
        };
        let made = context.session.call(CREATE, send).await?;
        let holder = Holder { session: &context.session, kind: Kind::Role, name };
        attachments::sync(&holder, value(desired, "policies"), &Value::Null).await?;
        inline::sync(&holder, value(desired, "inline_policies"), &Value::Null).await?;
        let arn = made.role.map(|role| role.arn);
        let arn = arn.unwrap_or_else(|| {
            names::arn(&context.facts, "role", text(desired, "path").as_deref().unwrap_or("/"), name)
        });
        Ok(reply(name, arn.into()))
    }

    async fn update(&self, context: &Context, update: &Update, _: &dyn Progress) -> Result<Reply, Fault> {
        let (name, desired, live) = (update.physical_id.as_str(), &update.desired, &update.live);
        let (session, iam) = (&context.session, context.session.iam());
        let holder = Holder { session, kind: Kind::Role, name };
        if update.touches("trust_policy") {
            let trust = documents::to_aws(value(desired, "trust_policy"), UPDATE_TRUST.name)?;
            let send = || iam.update_assume_role_policy().role_name(name).policy_document(trust.as_str()).send();
            session.call(UPDATE_TRUST, send).await?;
        }
        let boundary = if update.touches("boundary") { Some(text(desired, "boundary")) } else { None };
        // A new boundary binds what is allowed next; one that goes is in force until the rest is as it shall be.
        if let Some(Some(arn)) = &boundary {
            let send = || iam.put_role_permissions_boundary().role_name(name).permissions_boundary(arn).send();
            session.call(PUT_BOUNDARY, send).await.map_err(about_the_policy)?;
        }
        if update.touches("policies") {
            attachments::sync(&holder, value(desired, "policies"), value(live, "policies")).await?;
        }
        if update.touches("inline_policies") {
            inline::sync(&holder, value(desired, "inline_policies"), value(live, "inline_policies")).await?;
        }
        if boundary == Some(None) {
            let send = || iam.delete_role_permissions_boundary().role_name(name).send();
            gone_is_done(session.call(DELETE_BOUNDARY, send).await.map(drop))?;
        }
        if update.touches("max_session_duration") {
            // What the call leaves out AWS may reset, so it carries the description that is there.
            let description = text(desired, "description").or_else(|| text(live, "description"));
            let send = || {
                let call = iam.update_role().role_name(name).set_description(description.clone());
                call.max_session_duration(seconds(desired).unwrap_or(DEFAULT_SESSION)).send()
            };
            session.call(UPDATE, send).await?;
        }
        if update.touches("description") {
            let description = text(desired, "description").unwrap_or_default();
            let send = || iam.update_role_description().role_name(name).description(description.as_str()).send();
            session.call(UPDATE_DESCRIPTION, send).await?;
        }
        if update.touches("tags") || update.adopts {
            write_tags(context, update).await?;
        }
        Ok(reply(name, update.attributes.get("arn").cloned().unwrap_or_default()))
    }

    async fn delete(&self, context: &Context, delete: &Delete) -> Result<(), Fault> {
        let (session, name) = (&context.session, delete.physical_id.as_str());
        let holder = Holder { session, kind: Kind::Role, name };
        for arn in attachments::arns(value(&delete.managed, "policies")) {
            holder.detach(&arn).await?;
        }
        for policy in value(&delete.managed, "inline_policies").as_map().into_iter().flat_map(|map| map.keys()) {
            holder.delete_inline(policy).await?;
        }
        let send = || session.iam().delete_role().role_name(name).send();
        match gone_is_done(session.call(DELETE, send).await.map(drop)) {
            Err(fault) if fault.is_code(&["DeleteConflict"]) => {
                empty(&holder, &delete.dependents, &fault).await?;
                gone_is_done(session.call(DELETE_EMPTIED, send).await.map(drop))
            }
            answer => answer,
        }
    }
}

/// AWS's longest session where nothing is said, in seconds.
const DEFAULT_SESSION: i32 = 3_600;

async fn write_tags(context: &Context, update: &Update) -> Result<(), Fault> {
    let (name, iam) = (update.physical_id.as_str(), context.session.iam());
    let changes =
        tags::changes(value(&update.desired, "tags"), value(&update.live, "tags"), &context.owner_tags())?;
    if !changes.remove.is_empty() {
        let send = || iam.untag_role().role_name(name).set_tag_keys(Some(changes.remove.clone())).send();
        context.session.call(UNTAG, send).await?;
    }
    let send = || iam.tag_role().role_name(name).set_tags(Some(changes.set.clone())).send();
    context.session.call(TAG, send).await.map(drop)
}

/// Takes everything away that keeps a role from being deleted: policies, whoever put them there, for they are the role's;
/// and the role out of instance profiles of the stack. Fails with `refused`, AWS's own refusal, and the names of profiles
/// that are none of `dependents`.
async fn empty(holder: &Holder<'_>, dependents: &[(String, String)], refused: &Fault) -> Result<(), Fault> {
    let found = try_join(try_join(holder.attached(), holder.inline_names()), profiles(holder.session, holder.name));
    let ((attached, inline), profiles) = match found.await {
        Err(fault) if fault.kind == FaultKind::NotFound => return Ok(()),
        found => found?,
    };
    let is_ours = |profile: &&String| names::is_dependent(dependents, "iam.instance_profile", profile);
    let strangers: Vec<&str> = profiles.iter().filter(|profile| !is_ours(profile)).map(String::as_str).collect();
    if !strangers.is_empty() {
        let message = format!(
            "{}; role {} is in the instance profile {}, none of this stack's: take it out (aws iam \
             remove-role-from-instance-profile --instance-profile-name NAME --role-name {}) and apply again",
            refused.message,
            holder.name,
            strangers.join(", "),
            holder.name,
        );
        return Err(Fault { message, ..refused.clone() });
    }
    for arn in attached {
        holder.detach(&arn).await?;
    }
    for policy in inline {
        holder.delete_inline(&policy).await?;
    }
    for profile in profiles {
        let iam = holder.session.iam();
        let send = || {
            let call = iam.remove_role_from_instance_profile();
            call.instance_profile_name(profile.as_str()).role_name(holder.name).send()
        };
        gone_is_done(holder.session.call(LEAVE_PROFILE, send).await.map(drop))?;
    }
    Ok(())
}

/// The instance profiles that a role is in.
async fn profiles(session: &Session, role: &str) -> Result<Vec<String>, Fault> {
    let (mut found, mut marker) = (Vec::new(), None::<String>);
    loop {
        let iam = session.iam();
        let send = || {
            let call = iam.list_instance_profiles_for_role().role_name(role);
            call.max_items(PAGE).set_marker(marker.clone()).send()
        };
        let page = session.call(LIST_PROFILES, send).await?;
        found.extend(page.instance_profiles.into_iter().map(|profile| profile.instance_profile_name));
        marker = page.marker.filter(|_| page.is_truncated);
        if marker.is_none() {
            return Ok(found);
        }
    }
}

fn seconds(map: &Map) -> Option<i32> {
    value(map, "max_session_duration").as_integer().and_then(|number| i32::try_from(number).ok())
}

fn reply(name: &str, arn: Value) -> Reply {
    let attributes = Map::from([("arn".to_owned(), arn), ("name".to_owned(), name.into())]);
    Reply { physical_id: name.to_owned(), attributes }
}
