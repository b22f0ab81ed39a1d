//! Reads roles, in bulk or one by one.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_iam::types::Role as AwsRole;
use futures_util::future::{join, join_all};
use s3stack_engine::fault::{Fault, FaultKind};
use s3stack_engine::plan::{Live, Observation};
use s3stack_engine::value::{Map, Value};

use crate::aws::Operation;
use crate::resources::iam::holder::{Holder, Kind};
use crate::resources::members::unless_missing;
use crate::resources::iam::names::folded;
use crate::resources::iam::sweep::{self, Authorizations, Details, FEW, RoleDetails};
use crate::resources::iam::tags::{self, Tags};
use crate::resources::iam::{attachments, documents, inline};
use crate::resources::{Context, Depth, Question};

const GET: Operation = Operation::read("iam", "GetRole");

/// Answers questions about roles.
pub(super) async fn read(context: &Context, questions: &[Question], depth: Depth) -> Vec<Observation> {
    match sweep::authorizations(context, questions, depth).await {
        Ok(Some(all)) => swept(context, &all, questions).await,
        Ok(None) => join_all(questions.iter().map(|question| point(context, question))).await,
        Err(fault) => questions.iter().map(|_| Observation::Unreadable(fault.clone())).collect(),
    }
}

/// What AWS tells of a role; absent where it was not asked.
struct Told {
    name: String,
    path: String,
    arn: String,
    trust: Value,
    inline: Option<Map>,
    attached: Option<BTreeSet<String>>,
    boundary: Option<String>,
    details: Option<Details>,
    tags: Tags,
}

impl Told {
    fn live(self, hint: bool) -> Live {
        let mut managed = Map::from([
            ("name".to_owned(), self.name.as_str().into()),
            ("path".to_owned(), self.path.into()),
            ("trust_policy".to_owned(), self.trust),
            ("tags".to_owned(), tags::shown(&self.tags)),
        ]);
        // Emulators' bulk answers know no boundaries; without one, whether there is one is for a point read to say.
        if !hint || self.boundary.is_some() {
            managed.insert("boundary".to_owned(), self.boundary.into());
        }
        if let Some(inline) = &self.inline {
            managed.insert("inline_policies".to_owned(), inline::shown(inline));
        }
        if let Some(attached) = &self.attached {
            managed.insert("policies".to_owned(), attachments::shown(attached));
        }
        if let Some(details) = self.details {
            managed.insert("description".to_owned(), details.description.into());
            managed.insert("max_session_duration".to_owned(), details.max_session_duration.into());
        }
        Live {
            physical_id: self.name.clone(),
            managed,
            attributes: Map::from([("arn".to_owned(), self.arn.into()), ("name".to_owned(), self.name.into())]),
            owner: tags::owner(&self.tags),
            loss: Vec::new(),
            hint,
        }
    }
}

fn details(role: &AwsRole) -> Details {
    Details {
        description: role.description.clone().filter(|text| !text.is_empty()),
        max_session_duration: role.max_session_duration.map(i64::from),
    }
}

async fn get(context: &Context, name: &str) -> Result<Option<AwsRole>, Fault> {
    let iam = context.session.iam();
    let answer = unless_missing(context.session.call(GET, || iam.get_role().role_name(name).send()).await)?;
    Ok(answer.and_then(|answer| answer.role))
}

/// Reads one role. Its policies are asked for beside it, and only if they matter.
async fn point(context: &Context, question: &Question) -> Observation {
    let name = question.physical_id.as_str();
    let holder = Holder { session: &context.session, kind: Kind::Role, name };
    let attached = async {
        match question.properties.contains("policies") {
            true => holder.attached().await.map(Some),
            false => Ok(None),
        }
    };
    let inline = async {
        match question.properties.contains("inline_policies") {
            true => inline::read(&holder).await.map(Some),
            false => Ok(None),
        }
    };
    let (role, (attached, inline)) = join(get(context, name), join(attached, inline)).await;
    let role = match role {
        Ok(Some(role)) => role,
        Ok(None) => return Observation::Missing,
        Err(fault) => return Observation::Unreadable(fault),
    };
    let (attached, inline) = match (attached, inline) {
        (Ok(attached), Ok(inline)) => (attached, inline),
        (Err(fault), _) | (_, Err(fault)) => return Observation::Unreadable(fault),
    };
    let told = Told {
        trust: documents::from_aws(role.assume_role_policy_document.as_deref().unwrap_or_default()),
        inline,
        attached,
        boundary: role.permissions_boundary.as_ref().and_then(|one| one.permissions_boundary_arn.clone()),
        details: Some(details(&role)),
        tags: tags::from_aws(role.tags.as_deref()),
        path: role.path,
        arn: role.arn,
        name: role.role_name,
    };
    Observation::Found(told.live(false))
}

/// Answers from the account in bulk. Descriptions and longest sessions, which that does not tell, take one more bulk call
/// or, if few have them, one call each.
async fn swept(context: &Context, all: &Authorizations, questions: &[Question]) -> Vec<Observation> {
    let asked = questions.iter().filter(|question| is_detailed(question)).count();
    let listed = if asked > FEW { Some(sweep::role_details(context).await) } else { None };
    join_all(questions.iter().map(|question| swept_one(context, all, listed.as_ref(), question))).await
}

fn is_detailed(question: &Question) -> bool {
    question.asks_for("description") || question.asks_for("max_session_duration")
}

async fn swept_one(
    context: &Context,
    all: &Authorizations,
    listed: Option<&Result<Arc<RoleDetails>, Fault>>,
    question: &Question,
) -> Observation {
    let Some(role) = all.roles.get(&folded(&question.physical_id)) else { return Observation::Missing };
    let details = match listed {
        _ if !is_detailed(question) => None,
        Some(Ok(listed)) => listed.0.get(&folded(&role.name)).cloned(),
        Some(Err(fault)) if fault.kind != FaultKind::Denied => return Observation::Unreadable(fault.clone()),
        _ => match get(context, &role.name).await {
            Ok(role) => role.as_ref().map(details),
            Err(fault) => return Observation::Unreadable(fault),
        },
    };
    let told = Told {
        name: role.name.clone(),
        path: role.path.clone(),
        arn: role.arn.clone(),
        trust: role.trust.decoded(),
        inline: Some(role.policies.inline_documents()),
        attached: Some(role.policies.attached.clone()),
        boundary: role.policies.boundary.clone(),
        details,
        tags: role.tags.clone(),
    };
    Observation::Found(told.live(true))
}
