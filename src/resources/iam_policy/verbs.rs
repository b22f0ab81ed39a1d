//! The side of `iam.policy` that calls AWS.

use async_trait::async_trait;
use aws_sdk_iam::types::PolicyVersion;
use s3stack_engine::fault::{Fault, FaultKind};
use s3stack_engine::plan::Observation;
use s3stack_engine::value::{Map, Value};

use super::policy::Policy;
use crate::aws::{Operation, Session, rules};
use crate::resources::iam::sweep::everything;
use crate::resources::iam::holder::PAGE;
use crate::resources::members::{gone_is_done, text, value};
use crate::resources::iam::{documents, names, tags};
use crate::resources::{Context, Create, Delete, Depth, Progress, Provider, Question, Reply, Update};

const CREATE: Operation = Operation::once("iam", "CreatePolicy").retrying(rules::IAM_CREATE);
const CREATE_VERSION: Operation = Operation::once("iam", "CreatePolicyVersion").retrying(rules::IAM_CHANGE);
const LIST_VERSIONS: Operation = Operation::read("iam", "ListPolicyVersions");
const DELETE_VERSION: Operation = Operation::idempotent("iam", "DeletePolicyVersion").retrying(rules::IAM_DETACH);
const TAG: Operation = Operation::idempotent("iam", "TagPolicy").retrying(rules::IAM_CHANGE);
const UNTAG: Operation = Operation::idempotent("iam", "UntagPolicy").retrying(rules::IAM_CHANGE);

/// How many versions AWS keeps of a policy.
const MOST_VERSIONS: usize = 5;

#[async_trait]
impl Provider for Policy {
    async fn read(&self, context: &Context, questions: &[Question], depth: Depth) -> Vec<Observation> {
        super::read::read(context, questions, depth).await
    }

    async fn list(&self, context: &Context) -> Result<Option<Vec<String>>, Fault> {
        Ok(Some(everything(context).await?.policies.keys().cloned().collect()))
    }

    async fn create(&self, context: &Context, create: &Create, _: &dyn Progress) -> Result<Reply, Fault> {
        let (arn, desired) = (create.physical_id.as_str(), &create.desired);
        let iam = context.session.iam();
        let Some((path, name)) = names::path_and_name(arn) else {
            let message = format!("`{arn}` is not the ARN of a policy");
            return Err(Fault::local(FaultKind::Invalid, CREATE.name, message));
        };
        let document = documents::to_aws(value(desired, "document"), CREATE.name)?;
        let tags = tags::of_create(value(desired, "tags"), &context.owner_tags())?;
        let send = || {
            let call = iam.create_policy().policy_name(name).path(path).policy_document(document.as_str());
            call.set_description(text(desired, "description")).set_tags(Some(tags.clone())).send()
        };
        let made = context.session.call(CREATE, send).await?;
        let arn = made.policy.and_then(|policy| policy.arn).unwrap_or_else(|| arn.to_owned());
        Ok(reply(&arn))
    }

    async fn update(&self, context: &Context, update: &Update, _: &dyn Progress) -> Result<Reply, Fault> {
        let arn = update.physical_id.as_str();
        if update.touches("document") {
            let document = documents::to_aws(value(&update.desired, "document"), CREATE_VERSION.name)?;
            new_version(&context.session, arn, &document).await?;
        }
        if update.touches("tags") || update.adopts {
            write_tags(context, update).await?;
        }
        Ok(reply(arn))
    }

    async fn delete(&self, context: &Context, delete: &Delete) -> Result<(), Fault> {
        super::deletion::delete(&context.session, &delete.physical_id, &delete.dependents).await
    }
}

/// Makes the document the default version. Where there are five versions already (also where a run was ended between the
/// two calls), the oldest that is not the default one gives way.
async fn new_version(session: &Session, arn: &str, document: &str) -> Result<(), Fault> {
    let iam = session.iam();
    let send = || iam.create_policy_version().policy_arn(arn).policy_document(document).set_as_default(true).send();
    match session.call(CREATE_VERSION, send).await {
        Err(fault) if fault.is_code(&["LimitExceeded"]) => {
            let versions = versions(session, arn).await?;
            // AWS has one code for too many versions and for too long a document.
            if versions.len() < MOST_VERSIONS {
                return Err(fault);
            }
            if let Some(oldest) = oldest_spare(&versions) {
                delete_version(session, arn, &oldest).await?;
            }
            session.call(CREATE_VERSION, send).await.map(drop)
        }
        answer => answer.map(drop),
    }
}

/// The id of the oldest version that is not in force. Ids are counted up and never given twice: v2, v10.
fn oldest_spare(versions: &[PolicyVersion]) -> Option<String> {
    let spare = versions.iter().filter(|version| !version.is_default_version);
    spare.filter_map(|version| version.version_id.clone()).min_by_key(|id| number(id))
}

fn number(version_id: &str) -> u64 {
    version_id.trim_start_matches('v').parse().unwrap_or(u64::MAX)
}

/// All versions of a policy.
pub(super) async fn versions(session: &Session, arn: &str) -> Result<Vec<PolicyVersion>, Fault> {
    let (mut found, mut marker) = (Vec::new(), None::<String>);
    loop {
        let iam = session.iam();
        let send = || {
            let call = iam.list_policy_versions().policy_arn(arn);
            call.max_items(PAGE).set_marker(marker.clone()).send()
        };
        let page = session.call(LIST_VERSIONS, send).await?;
        found.extend(page.versions.unwrap_or_default());
        marker = page.marker.filter(|_| page.is_truncated);
        if marker.is_none() {
            return Ok(found);
        }
    }
}

/// Deletes a version that is not the default one; a missing one is success.
pub(super) async fn delete_version(session: &Session, arn: &str, id: &str) -> Result<(), Fault> {
    let send = || session.iam().delete_policy_version().policy_arn(arn).version_id(id).send();
    gone_is_done(session.call(DELETE_VERSION, send).await.map(drop))
}

async fn write_tags(context: &Context, update: &Update) -> Result<(), Fault> {
    let (arn, iam) = (update.physical_id.as_str(), context.session.iam());
    let changes =
        tags::changes(value(&update.desired, "tags"), value(&update.live, "tags"), &context.owner_tags())?;
    if !changes.remove.is_empty() {
        let send = || iam.untag_policy().policy_arn(arn).set_tag_keys(Some(changes.remove.clone())).send();
        context.session.call(UNTAG, send).await?;
    }
    let send = || iam.tag_policy().policy_arn(arn).set_tags(Some(changes.set.clone())).send();
    context.session.call(TAG, send).await.map(drop)
}

fn reply(arn: &str) -> Reply {
    let name = names::path_and_name(arn).map(|(_, name)| Value::from(name)).unwrap_or_default();
    let attributes = Map::from([("arn".to_owned(), arn.into()), ("name".to_owned(), name)]);
    Reply { physical_id: arn.to_owned(), attributes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_version_is_told_by_number_and_is_never_the_one_in_force() {
        let version =
            |id: &str, default| PolicyVersion::builder().version_id(id).is_default_version(default).build();
        let all = [version("v11", false), version("v2", true), version("v9", false), version("v10", false)];
        assert_eq!(oldest_spare(&all).as_deref(), Some("v9"));
        assert_eq!(oldest_spare(&all[1..2]), None);
    }
}
