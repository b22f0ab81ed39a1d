//! Deletes a policy, and before that takes it away from the stack's own roles, users and groups; never from anybody else's.

use std::time::Duration;

use aws_sdk_iam::types::PolicyUsageType;
use s3stack_engine::fault::{Fault, FaultKind};

use super::verbs::{delete_version, versions};
use crate::aws::{Operation, RetryRule, Session, fault, rules};
use crate::resources::iam::holder::{Holder, Kind, PAGE};
use crate::resources::iam::names::is_dependent;
use crate::resources::members::gone_is_done;

/// Without waiting for what was detached to be gone: something may stand in the way that nobody has detached yet.
const DELETE: Operation = Operation::idempotent("iam", "DeletePolicy").retrying(rules::IAM_DETACH);
const DELETE_DETACHED: Operation = Operation::idempotent("iam", "DeletePolicy").retrying(rules::IAM_DELETE);
const LIST_ENTITIES: Operation =
    Operation::read("iam", "ListEntitiesForPolicy").retrying(&[JUST_DETACHED]);

/// A listing still shows what was detached or deleted a moment ago, so strangers are believed only after a while.
const JUST_DETACHED: RetryRule = RetryRule {
    awaits: "what was detached to be gone",
    codes: &["DeleteConflict"],
    says: &["none of this stack"],
    every: Duration::from_secs(1),
    up_to: Duration::from_secs(10),
};

/// Deletes the policy; a missing one is success.
///
/// # Errors
/// AWS's `DeleteConflict`, with the names of those that hold the policy and are none of `dependents`, or that have it for
/// their permissions boundary: a boundary is never taken away from anybody, not even for the time of a replacement.
pub(super) async fn delete(session: &Session, arn: &str, dependents: &[(String, String)]) -> Result<(), Fault> {
    let send = || session.iam().delete_policy().policy_arn(arn).send();
    let refused = match gone_is_done(session.call(DELETE, send).await.map(drop)) {
        Err(fault) if fault.is_code(&["DeleteConflict"]) => fault,
        answer => return answer,
    };
    let list = || detachable(session, arn, dependents, &refused);
    let ours = match session.call(LIST_ENTITIES, list).await {
        Err(fault) if fault.kind == FaultKind::NotFound => return Ok(()),
        ours => ours?,
    };
    for (kind, name) in &ours {
        Holder { session, kind: *kind, name }.detach(arn).await?;
    }
    let spare = match versions(session, arn).await {
        Err(fault) if fault.kind == FaultKind::NotFound => return Ok(()),
        versions => versions?.into_iter().filter(|version| !version.is_default_version),
    };
    for id in spare.filter_map(|version| version.version_id) {
        delete_version(session, arn, &id).await?;
    }
    gone_is_done(session.call(DELETE_DETACHED, send).await.map(drop))
}

/// Those of the stack that hold the policy. Fails with `refused`, AWS's own refusal, and the names of all others.
async fn detachable(
    session: &Session,
    arn: &str,
    dependents: &[(String, String)],
    refused: &Fault,
) -> Result<Vec<(Kind, String)>, Fault> {
    let holders = entities(session, arn, PolicyUsageType::PermissionsPolicy).await?;
    let bound = entities(session, arn, PolicyUsageType::PermissionsBoundary).await?;
    let is_ours = |(kind, name): &(Kind, String)| is_dependent(dependents, kind.type_name(), name);
    let (ours, strangers): (Vec<_>, Vec<_>) = holders.into_iter().partition(is_ours);
    let message = match (strangers.as_slice(), bound.as_slice()) {
        ([], []) => return Ok(ours),
        ([], bound) => format!(
            "{arn} is the permissions boundary of {}, and none of this stack's runs takes a boundary away: give them \
             another one first, or this policy another name",
            listed(bound)
        ),
        (strangers, _) => format!(
            "{arn} is attached to {}, none of this stack: detach it there, or write `retain = true` to leave it in AWS",
            listed(strangers)
        ),
    };
    Err(Fault { message: format!("{}; {message}", refused.message), ..refused.clone() })
}

fn listed(holders: &[(Kind, String)]) -> String {
    holders.iter().map(|(kind, name)| format!("{kind} {name}")).collect::<Vec<_>>().join(", ")
}

/// Who holds the policy, or is bound by it.
async fn entities(session: &Session, arn: &str, usage: PolicyUsageType) -> Result<Vec<(Kind, String)>, Fault> {
    let (mut found, mut marker) = (Vec::new(), None::<String>);
    loop {
        let call = session.iam().list_entities_for_policy().policy_arn(arn).policy_usage_filter(usage.clone());
        let page = call.max_items(PAGE).set_marker(marker).send().await;
        let page = page.map_err(|error| fault(LIST_ENTITIES.service, LIST_ENTITIES.name, error))?;
        let roles = page.policy_roles.unwrap_or_default().into_iter().map(|one| (Kind::Role, one.role_name));
        let users = page.policy_users.unwrap_or_default().into_iter().map(|one| (Kind::User, one.user_name));
        let groups = page.policy_groups.unwrap_or_default().into_iter().map(|one| (Kind::Group, one.group_name));
        let named = roles.chain(users).chain(groups).filter_map(|(kind, name)| Some((kind, name?)));
        found.extend(named);
        marker = page.marker.filter(|_| page.is_truncated);
        if marker.is_none() {
            return Ok(found);
        }
    }
}
