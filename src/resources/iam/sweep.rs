//! IAM in bulk: one paged call tells of every user, group, role and policy of the account.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_iam::types::{
    AttachedPermissionsBoundary, AttachedPolicy, EntityType, GroupDetail, InstanceProfile as AwsInstanceProfile,
    ManagedPolicyDetail, PolicyDetail, RoleDetail, UserDetail,
};
use s3stack_engine::fault::{Fault, FaultKind};
use s3stack_engine::value::{Map, Value};

use super::documents;
use super::holder::PAGE;
use super::names::folded;
use super::tags::{self, Tags};
use crate::aws::Operation;
use crate::resources::{Context, Depth, Question};

const AUTHORIZATIONS: Operation = Operation::read("iam", "GetAccountAuthorizationDetails");
const LIST_ROLES: Operation = Operation::read("iam", "ListRoles");

/// Up to this many resources of a type are read one by one: a few calls side by side are sooner done than the pages of a
/// large account, which come one after another.
pub const FEW: usize = 3;

/// What the account's users, groups, roles and policies are. May lag some seconds behind.
#[derive(Debug, Default)]
pub struct Authorizations {
    /// By [`folded`] name.
    pub roles: BTreeMap<String, Role>,
    /// By [`folded`] name.
    pub users: BTreeMap<String, User>,
    /// By [`folded`] name.
    pub groups: BTreeMap<String, Group>,
    /// The account's own policies by ARN.
    pub policies: BTreeMap<String, Policy>,
    /// The instance profiles that have a role, by [`folded`] name. Those without one are not told.
    pub instance_profiles: BTreeMap<String, InstanceProfile>,
}

/// A role. Not told: description and longest session ([`role_details`]).
#[derive(Debug)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Its ARN.
    pub arn: String,
    /// Its trust policy.
    pub trust: Encoded,
    /// What it holds.
    pub policies: Policies,
    /// Its tags.
    pub tags: Tags,
}

/// A user. Not told: login profile and access keys.
#[derive(Debug)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Its ARN.
    pub arn: String,
    /// What it holds.
    pub policies: Policies,
    /// The names of the groups it is in.
    pub groups: BTreeSet<String>,
    /// Its tags.
    pub tags: Tags,
}

/// A group. It has neither tags nor a boundary.
#[derive(Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Its ARN.
    pub arn: String,
    /// What it holds.
    pub policies: Policies,
}

/// A policy of the account's own. Not told: tags and, as a rule, the description.
#[derive(Debug)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Its ARN.
    pub arn: String,
    /// The default version's document.
    pub document: Encoded,
}

/// An instance profile. Not told: tags.
#[derive(Debug)]
pub struct InstanceProfile {
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Its ARN.
    pub arn: String,
    /// The name of its role.
    pub role: String,
}

/// The policies of a user, group or role.
#[derive(Debug, Default)]
pub struct Policies {
    /// The inline ones by name.
    pub inline: BTreeMap<String, Encoded>,
    /// The ARNs of those attached.
    pub attached: BTreeSet<String>,
    /// The ARN of the permissions boundary.
    pub boundary: Option<String>,
}

/// A document as IAM encodes it. Decoded only where it is asked for: an account may have thousands.
#[derive(Debug, Default)]
pub struct Encoded(String);

impl Encoded {
    /// The document in AWS's shape.
    pub fn decoded(&self) -> Value {
        documents::from_aws(&self.0)
    }
}

impl Policies {
    /// The inline policies, decoded.
    pub fn inline_documents(&self) -> Map {
        self.inline.iter().map(|(name, document)| (name.clone(), document.decoded())).collect()
    }
}

/// The account in bulk, where that is the way to answer `questions`; absent where each is to be read by itself: few are
/// asked, a point read is wanted, or the caller may not read the account as a whole.
///
/// # Errors
/// The bulk call failed in a way that point reads would too.
pub async fn authorizations(
    context: &Context,
    questions: &[Question],
    depth: Depth,
) -> Result<Option<Arc<Authorizations>>, Fault> {
    if depth == Depth::Point || questions.len() <= FEW {
        return Ok(None);
    }
    match context.sweeps.get(|| ask(context)).await {
        Ok(found) => Ok(Some(found)),
        // Many who may read their own roles may not list everybody's.
        Err(fault) if fault.kind == FaultKind::Denied => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// The account in bulk, whatever is asked for.
///
/// # Errors
/// As IAM answers; the right to list an account is given to few.
pub async fn everything(context: &Context) -> Result<Arc<Authorizations>, Fault> {
    context.sweeps.get(|| ask(context)).await
}

async fn ask(context: &Context) -> Result<Authorizations, Fault> {
    let (mut found, mut marker) = (Authorizations::default(), None::<String>);
    let kinds = [EntityType::User, EntityType::Role, EntityType::Group, EntityType::LocalManagedPolicy];
    loop {
        let iam = context.session.iam();
        let send = || {
            let call = iam.get_account_authorization_details().set_filter(Some(kinds.to_vec()));
            call.max_items(PAGE).set_marker(marker.clone()).send()
        };
        let page = context.session.call(AUTHORIZATIONS, send).await?;
        for role in page.role_detail_list.unwrap_or_default() {
            found.role(role);
        }
        for user in page.user_detail_list.unwrap_or_default() {
            found.user(user);
        }
        for group in page.group_detail_list.unwrap_or_default() {
            found.group(group);
        }
        for policy in page.policies.unwrap_or_default() {
            found.policy(policy);
        }
        marker = page.marker.filter(|_| page.is_truncated);
        if marker.is_none() {
            return Ok(found);
        }
    }
}

impl Authorizations {
    fn role(&mut self, role: RoleDetail) {
        let name = role.role_name.unwrap_or_default();
        for profile in role.instance_profile_list.unwrap_or_default() {
            self.instance_profile(profile, &name);
        }
        let role = Role {
            path: role.path.unwrap_or_default(),
            arn: role.arn.unwrap_or_default(),
            trust: Encoded(role.assume_role_policy_document.unwrap_or_default()),
            policies: policies(role.role_policy_list, role.attached_managed_policies, role.permissions_boundary),
            tags: tags::from_aws(role.tags.as_deref()),
            name,
        };
        self.roles.insert(folded(&role.name), role);
    }

    fn instance_profile(&mut self, profile: AwsInstanceProfile, role: &str) {
        let profile = InstanceProfile {
            name: profile.instance_profile_name,
            path: profile.path,
            arn: profile.arn,
            role: role.to_owned(),
        };
        self.instance_profiles.insert(folded(&profile.name), profile);
    }

    fn user(&mut self, user: UserDetail) {
        let user = User {
            name: user.user_name.unwrap_or_default(),
            path: user.path.unwrap_or_default(),
            arn: user.arn.unwrap_or_default(),
            policies: policies(user.user_policy_list, user.attached_managed_policies, user.permissions_boundary),
            groups: user.group_list.unwrap_or_default().into_iter().collect(),
            tags: tags::from_aws(user.tags.as_deref()),
        };
        self.users.insert(folded(&user.name), user);
    }

    fn group(&mut self, group: GroupDetail) {
        let group = Group {
            name: group.group_name.unwrap_or_default(),
            path: group.path.unwrap_or_default(),
            arn: group.arn.unwrap_or_default(),
            policies: policies(group.group_policy_list, group.attached_managed_policies, None),
        };
        self.groups.insert(folded(&group.name), group);
    }

    fn policy(&mut self, policy: ManagedPolicyDetail) {
        let versions = policy.policy_version_list.unwrap_or_default();
        let default = versions.into_iter().find(|version| version.is_default_version);
        let policy = Policy {
            name: policy.policy_name.unwrap_or_default(),
            path: policy.path.unwrap_or_default(),
            arn: policy.arn.unwrap_or_default(),
            document: Encoded(default.and_then(|version| version.document).unwrap_or_default()),
        };
        self.policies.insert(policy.arn.clone(), policy);
    }
}

fn policies(
    inline: Option<Vec<PolicyDetail>>,
    attached: Option<Vec<AttachedPolicy>>,
    boundary: Option<AttachedPermissionsBoundary>,
) -> Policies {
    let inline = inline.unwrap_or_default().into_iter();
    Policies {
        inline: inline
            .map(|one| (one.policy_name.unwrap_or_default(), Encoded(one.policy_document.unwrap_or_default())))
            .collect(),
        attached: attached.unwrap_or_default().into_iter().filter_map(|policy| policy.policy_arn).collect(),
        boundary: boundary.and_then(|boundary| boundary.permissions_boundary_arn),
    }
}

/// What [`Authorizations`] does not tell of roles, by [`folded`] name.
#[derive(Debug)]
pub struct RoleDetails(pub BTreeMap<String, Details>);

/// What the bulk answer does not tell of a role.
#[derive(Debug, Clone)]
pub struct Details {
    /// Its description; absent for none.
    pub description: Option<String>,
    /// Its longest session in seconds.
    pub max_session_duration: Option<i64>,
}

/// The descriptions and longest sessions of all roles.
pub async fn role_details(context: &Context) -> Result<Arc<RoleDetails>, Fault> {
    context.sweeps.get(|| list_roles(context)).await
}

async fn list_roles(context: &Context) -> Result<RoleDetails, Fault> {
    let (mut found, mut marker) = (BTreeMap::new(), None::<String>);
    loop {
        let iam = context.session.iam();
        let send = || iam.list_roles().max_items(PAGE).set_marker(marker.clone()).send();
        let page = context.session.call(LIST_ROLES, send).await?;
        for role in page.roles {
            let detail = Details {
                description: role.description.filter(|text| !text.is_empty()),
                max_session_duration: role.max_session_duration.map(i64::from),
            };
            found.insert(folded(&role.role_name), detail);
        }
        marker = page.marker.filter(|_| page.is_truncated);
        if marker.is_none() {
            return Ok(RoleDetails(found));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_iam::types::{PolicyVersion, Tag};
    use s3stack_engine::value::Map;

    fn version(id: &str, document: &str, default: bool) -> PolicyVersion {
        PolicyVersion::builder().version_id(id).document(document).is_default_version(default).build()
    }

    #[test]
    fn the_default_version_is_the_policys_document() {
        let mut found = Authorizations::default();
        let detail = ManagedPolicyDetail::builder()
            .policy_name("p")
            .arn("arn:aws:iam::123456789012:policy/p")
            .policy_version_list(version("v3", "%7B%22Id%22%3A%22three%22%7D", false))
            .policy_version_list(version("v2", "%7B%22Id%22%3A%22two%22%7D", true));
        found.policy(detail.build());
        let document = found.policies["arn:aws:iam::123456789012:policy/p"].document.decoded();
        assert_eq!(document, Value::map([("Id", Value::from("two"))]));
    }

    #[test]
    fn roles_are_found_whatever_the_case_and_bring_their_profiles() {
        let mut found = Authorizations::default();
        let profile = AwsInstanceProfile::builder()
            .path("/")
            .instance_profile_name("Web")
            .instance_profile_id("AIPA")
            .arn("arn:aws:iam::123456789012:instance-profile/Web")
            .create_date(aws_smithy_types::DateTime::from_secs(0))
            .set_roles(Some(Vec::new()));
        let tag = Tag::builder().key("s3stack:id").value("l").build().unwrap();
        let detail = RoleDetail::builder()
            .role_name("Reader")
            .tags(tag)
            .role_policy_list(PolicyDetail::builder().policy_name("i").policy_document("%7B%7D").build())
            .attached_managed_policies(AttachedPolicy::builder().policy_arn("arn:x").build())
            .instance_profile_list(profile.build().unwrap());
        found.role(detail.build());
        let role = &found.roles["reader"];
        assert_eq!((role.name.as_str(), tags::owner(&role.tags)), ("Reader", Some("l".into())));
        assert_eq!(role.policies.inline_documents(), Map::from([("i".to_owned(), Value::Map(Map::new()))]));
        assert_eq!(role.policies.attached, BTreeSet::from(["arn:x".to_owned()]));
        assert_eq!(found.instance_profiles["web"].role, "Reader");
    }
}
