//! Reads users, in bulk or one by one.

use std::collections::BTreeSet;

use aws_sdk_iam::types::User as AwsUser;
use futures_util::future::{join, join_all, try_join};
use s3stack_engine::fault::Fault;
use s3stack_engine::plan::{Live, Observation};
use s3stack_engine::value::Map;

use super::groups;
use crate::aws::Operation;
use crate::resources::iam::holder::{Holder, Kind};
use crate::resources::iam::names::folded;
use crate::resources::iam::sweep::{self, Authorizations};
use crate::resources::iam::tags::{self, Tags};
use crate::resources::iam::{attachments, inline};
use crate::resources::members::unless_missing;
use crate::resources::{Context, Depth, Question};

const GET: Operation = Operation::read("iam", "GetUser");

/// Answers questions about users.
pub(super) async fn read(context: &Context, questions: &[Question], depth: Depth) -> Vec<Observation> {
    match sweep::authorizations(context, questions, depth).await {
        Ok(Some(all)) => questions.iter().map(|question| swept(&all, question)).collect(),
        Ok(None) => join_all(questions.iter().map(|question| point(context, question))).await,
        Err(fault) => questions.iter().map(|_| Observation::Unreadable(fault.clone())).collect(),
    }
}

/// What AWS tells of a user; absent where it was not asked.
struct Told {
    name: String,
    path: String,
    arn: String,
    inline: Option<Map>,
    attached: Option<BTreeSet<String>>,
    groups: Option<BTreeSet<String>>,
    boundary: Option<String>,
    tags: Tags,
}

impl Told {
    fn live(self, hint: bool) -> Live {
        let mut managed = Map::from([
            ("name".to_owned(), self.name.as_str().into()),
            ("path".to_owned(), self.path.into()),
            ("tags".to_owned(), tags::shown(&self.tags)),
        ]);
        // Emulators' bulk answers know no boundaries; without one, whether there is one is for a point read to say.
        if !hint || self.boundary.is_some() {
            managed.insert("boundary".to_owned(), self.boundary.into());
        }
        let lists = [
            ("inline_policies", self.inline.as_ref().map(inline::shown)),
            ("policies", self.attached.as_ref().map(attachments::shown)),
            ("groups", self.groups.as_ref().map(groups::shown)),
        ];
        for (name, list) in lists {
            if let Some(list) = list {
                managed.insert(name.to_owned(), list);
            }
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

async fn get(context: &Context, name: &str) -> Result<Option<AwsUser>, Fault> {
    let iam = context.session.iam();
    let answer = unless_missing(context.session.call(GET, || iam.get_user().user_name(name).send()).await)?;
    Ok(answer.and_then(|answer| answer.user))
}

/// Reads one user. Its policies and groups are asked for beside it, and only if they matter.
async fn point(context: &Context, question: &Question) -> Observation {
    let name = question.physical_id.as_str();
    let holder = Holder { session: &context.session, kind: Kind::User, name };
    let matters = |property| question.properties.contains(property);
    let attached = async { if matters("policies") { holder.attached().await.map(Some) } else { Ok(None) } };
    let inline = async { if matters("inline_policies") { inline::read(&holder).await.map(Some) } else { Ok(None) } };
    let groups =
        async { if matters("groups") { groups::list(&context.session, name).await.map(Some) } else { Ok(None) } };
    let (user, rest) = join(get(context, name), try_join(try_join(attached, inline), groups)).await;
    let user = match user {
        Ok(Some(user)) => user,
        Ok(None) => return Observation::Missing,
        Err(fault) => return Observation::Unreadable(fault),
    };
    let ((attached, inline), groups) = match rest {
        Ok(rest) => rest,
        Err(fault) => return Observation::Unreadable(fault),
    };
    let told = Told {
        inline,
        attached,
        groups,
        boundary: user.permissions_boundary.as_ref().and_then(|one| one.permissions_boundary_arn.clone()),
        tags: tags::from_aws(user.tags.as_deref()),
        path: user.path,
        arn: user.arn,
        name: user.user_name,
    };
    Observation::Found(told.live(false))
}

fn swept(all: &Authorizations, question: &Question) -> Observation {
    let Some(user) = all.users.get(&folded(&question.physical_id)) else { return Observation::Missing };
    let told = Told {
        name: user.name.clone(),
        path: user.path.clone(),
        arn: user.arn.clone(),
        inline: Some(user.policies.inline_documents()),
        attached: Some(user.policies.attached.clone()),
        groups: Some(user.groups.clone()),
        boundary: user.policies.boundary.clone(),
        tags: user.tags.clone(),
    };
    Observation::Found(told.live(true))
}
