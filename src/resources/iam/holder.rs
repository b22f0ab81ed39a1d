//! A user, group or role as a holder of policies: the calls that are the same for all three but for their names.

use std::collections::BTreeSet;

use s3stack_engine::fault::{Fault, FaultKind};
use s3stack_engine::value::Value;

use super::documents;
use crate::aws::{Operation, Session, rules};
use crate::resources::members::gone_is_done;

/// The kinds of holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A role.
    Role,
    /// A user.
    User,
    /// A group.
    Group,
}

impl Kind {
    /// The resource type.
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Role => "iam.role",
            Self::User => "iam.user",
            Self::Group => "iam.group",
        }
    }

    /// The kind of a resource type.
    pub fn of_type(name: &str) -> Option<Self> {
        [Self::Role, Self::User, Self::Group].into_iter().find(|kind| kind.type_name() == name)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::User => "user",
            Self::Group => "group",
        }
    }

    /// The operations, in the order role, user, group.
    fn pick(self, of: [&'static str; 3]) -> &'static str {
        let [role, user, group] = of;
        match self {
            Self::Role => role,
            Self::User => user,
            Self::Group => group,
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

const LIST_ATTACHED: [&str; 3] = ["ListAttachedRolePolicies", "ListAttachedUserPolicies", "ListAttachedGroupPolicies"];
const ATTACH: [&str; 3] = ["AttachRolePolicy", "AttachUserPolicy", "AttachGroupPolicy"];
const DETACH: [&str; 3] = ["DetachRolePolicy", "DetachUserPolicy", "DetachGroupPolicy"];
const LIST_INLINE: [&str; 3] = ["ListRolePolicies", "ListUserPolicies", "ListGroupPolicies"];
const GET_INLINE: [&str; 3] = ["GetRolePolicy", "GetUserPolicy", "GetGroupPolicy"];
const PUT_INLINE: [&str; 3] = ["PutRolePolicy", "PutUserPolicy", "PutGroupPolicy"];
const DELETE_INLINE: [&str; 3] = ["DeleteRolePolicy", "DeleteUserPolicy", "DeleteGroupPolicy"];

/// The most that one page of a listing holds.
pub const PAGE: i32 = 1_000;

/// The fault of a call that names a policy: that this one is missing must not be taken for its holder being gone.
pub fn about_the_policy(fault: Fault) -> Fault {
    match fault.kind {
        FaultKind::NotFound if fault.says("is not attachable") => Fault { kind: FaultKind::Dependency, ..fault },
        _ => fault,
    }
}

/// A user, group or role that calls are about.
#[derive(Clone, Copy)]
pub struct Holder<'a> {
    /// The way to AWS.
    pub session: &'a Session,
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: &'a str,
}

/// Makes one call for whichever kind the holder is of. The three builders have nothing in common but their methods.
macro_rules! for_kind {
    ($holder:expr, $operation:expr, $role:ident $role_name:ident, $user:ident $user_name:ident,
     $group:ident $group_name:ident, |$call:ident| $with:expr, |$answer:ident| $take:expr) => {{
        let (iam, name) = ($holder.session.iam(), $holder.name);
        match $holder.kind {
            Kind::Role => {
                let send = || {
                    let $call = iam.$role().$role_name(name);
                    $with.send()
                };
                $holder.session.call($operation, send).await.map(|$answer| $take)
            }
            Kind::User => {
                let send = || {
                    let $call = iam.$user().$user_name(name);
                    $with.send()
                };
                $holder.session.call($operation, send).await.map(|$answer| $take)
            }
            Kind::Group => {
                let send = || {
                    let $call = iam.$group().$group_name(name);
                    $with.send()
                };
                $holder.session.call($operation, send).await.map(|$answer| $take)
            }
        }
    }};
}

impl Holder<'_> {
    /// The ARNs of the managed policies attached to it.
    ///
    /// # Errors
    /// [`s3stack_engine::fault::FaultKind::NotFound`] if there is no such holder.
    pub async fn attached(&self) -> Result<BTreeSet<String>, Fault> {
        let operation = Operation::read("iam", self.kind.pick(LIST_ATTACHED));
        let (mut found, mut marker) = (BTreeSet::new(), None);
        loop {
            let (policies, next) = for_kind!(
                self,
                operation,
                list_attached_role_policies role_name,
                list_attached_user_policies user_name,
                list_attached_group_policies group_name,
                |call| call.max_items(PAGE).set_marker(marker.clone()),
                |answer| (answer.attached_policies, answer.marker.filter(|_| answer.is_truncated))
            )?;
            found.extend(policies.unwrap_or_default().into_iter().filter_map(|policy| policy.policy_arn));
            marker = next;
            if marker.is_none() {
                return Ok(found);
            }
        }
    }

    /// Attaches a managed policy; one that is attached stays so.
    pub async fn attach(&self, arn: &str) -> Result<(), Fault> {
        let operation = Operation::idempotent("iam", self.kind.pick(ATTACH)).retrying(rules::IAM_CHANGE);
        for_kind!(
            self,
            operation,
            attach_role_policy role_name,
            attach_user_policy user_name,
            attach_group_policy group_name,
            |call| call.policy_arn(arn),
            |_answer| ()
        )
        .map_err(about_the_policy)
    }

    /// Detaches a managed policy; one that is not attached, or a holder that is gone, is success.
    pub async fn detach(&self, arn: &str) -> Result<(), Fault> {
        let operation = Operation::idempotent("iam", self.kind.pick(DETACH)).retrying(rules::IAM_DETACH);
        gone_is_done(for_kind!(
            self,
            operation,
            detach_role_policy role_name,
            detach_user_policy user_name,
            detach_group_policy group_name,
            |call| call.policy_arn(arn),
            |_answer| ()
        ))
    }

    /// The names of its inline policies.
    ///
    /// # Errors
    /// [`s3stack_engine::fault::FaultKind::NotFound`] if there is no such holder.
    pub async fn inline_names(&self) -> Result<Vec<String>, Fault> {
        let operation = Operation::read("iam", self.kind.pick(LIST_INLINE));
        let (mut found, mut marker) = (Vec::new(), None);
        loop {
            let (names, next) = for_kind!(
                self,
                operation,
                list_role_policies role_name,
                list_user_policies user_name,
                list_group_policies group_name,
                |call| call.max_items(PAGE).set_marker(marker.clone()),
                |answer| (answer.policy_names, answer.marker.filter(|_| answer.is_truncated))
            )?;
            found.extend(names);
            marker = next;
            if marker.is_none() {
                return Ok(found);
            }
        }
    }

    /// One inline policy's document.
    ///
    /// # Errors
    /// [`s3stack_engine::fault::FaultKind::NotFound`] if there is none of that name.
    pub async fn inline(&self, policy: &str) -> Result<Value, Fault> {
        let operation = Operation::read("iam", self.kind.pick(GET_INLINE));
        let text = for_kind!(
            self,
            operation,
            get_role_policy role_name,
            get_user_policy user_name,
            get_group_policy group_name,
            |call| call.policy_name(policy),
            |answer| answer.policy_document
        )?;
        Ok(documents::from_aws(&text))
    }

    /// Writes an inline policy.
    pub async fn put_inline(&self, policy: &str, document: &Value) -> Result<(), Fault> {
        let operation = Operation::idempotent("iam", self.kind.pick(PUT_INLINE)).retrying(rules::IAM_CHANGE);
        let text = documents::to_aws(document, operation.name)?;
        for_kind!(
            self,
            operation,
            put_role_policy role_name,
            put_user_policy user_name,
            put_group_policy group_name,
            |call| call.policy_name(policy).policy_document(text.as_str()),
            |_answer| ()
        )
    }

    /// Deletes an inline policy; a missing one, or a holder that is gone, is success.
    pub async fn delete_inline(&self, policy: &str) -> Result<(), Fault> {
        let operation = Operation::idempotent("iam", self.kind.pick(DELETE_INLINE)).retrying(rules::IAM_DETACH);
        gone_is_done(for_kind!(
            self,
            operation,
            delete_role_policy role_name,
            delete_user_policy user_name,
            delete_group_policy group_name,
            |call| call.policy_name(policy),
            |_answer| ()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_policy_is_not_a_missing_holder() {
        let kind =
            |message: &str| about_the_policy(Fault::local(FaultKind::NotFound, "AttachRolePolicy", message)).kind;
        let policy = "Policy arn:aws:iam::aws:policy/Typo does not exist or is not attachable.";
        assert_eq!(kind(policy), FaultKind::Dependency);
        assert_eq!(kind("The role with name it cannot be found."), FaultKind::NotFound);
    }
}
