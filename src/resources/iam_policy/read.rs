//! Reads policies, in bulk or one by one.

use aws_sdk_iam::types::Policy as AwsPolicy;
use futures_util::future::join_all;
use s3stack_engine::fault::Fault;
use s3stack_engine::plan::{Live, Observation};
use s3stack_engine::value::{Map, Value};

use crate::aws::Operation;
use crate::resources::members::unless_missing;
use crate::resources::iam::sweep::{self, Authorizations};
use crate::resources::iam::tags::{self, Tags};
use crate::resources::iam::documents;
use crate::resources::{Context, Depth, Question};

const GET: Operation = Operation::read("iam", "GetPolicy");
const GET_VERSION: Operation = Operation::read("iam", "GetPolicyVersion");

/// Answers questions about policies.
pub(super) async fn read(context: &Context, questions: &[Question], depth: Depth) -> Vec<Observation> {
    match sweep::authorizations(context, questions, depth).await {
        Ok(Some(all)) => join_all(questions.iter().map(|question| swept(context, &all, question))).await,
        Ok(None) => join_all(questions.iter().map(|question| point(context, question))).await,
        Err(fault) => questions.iter().map(|_| Observation::Unreadable(fault.clone())).collect(),
    }
}

/// What AWS tells of a policy; absent where it was not asked.
struct Told {
    name: String,
    path: String,
    arn: String,
    document: Option<Value>,
    details: Option<Details>,
}

/// What the account in bulk does not tell.
struct Details {
    description: Option<String>,
    tags: Tags,
}

impl Told {
    fn live(self, hint: bool) -> Live {
        let mut managed =
            Map::from([("name".to_owned(), self.name.as_str().into()), ("path".to_owned(), self.path.into())]);
        if let Some(document) = self.document {
            managed.insert("document".to_owned(), document);
        }
        let mut owner = None;
        if let Some(details) = self.details {
            managed.insert("description".to_owned(), details.description.into());
            managed.insert("tags".to_owned(), tags::shown(&details.tags));
            owner = tags::owner(&details.tags);
        }
        Live {
            physical_id: self.arn.clone(),
            managed,
            attributes: Map::from([("arn".to_owned(), self.arn.into()), ("name".to_owned(), self.name.into())]),
            owner,
            loss: Vec::new(),
            hint,
        }
    }
}

fn details(policy: &AwsPolicy) -> Details {
    let description = policy.description.clone().filter(|text| !text.is_empty());
    Details { description, tags: tags::from_aws(policy.tags.as_deref()) }
}

async fn get(context: &Context, arn: &str) -> Result<Option<AwsPolicy>, Fault> {
    let iam = context.session.iam();
    let answer = unless_missing(context.session.call(GET, || iam.get_policy().policy_arn(arn).send()).await)?;
    Ok(answer.and_then(|answer| answer.policy))
}

async fn point(context: &Context, question: &Question) -> Observation {
    let arn = question.physical_id.as_str();
    let policy = match get(context, arn).await {
        Ok(Some(policy)) => policy,
        Ok(None) => return Observation::Missing,
        Err(fault) => return Observation::Unreadable(fault),
    };
    let mut document = None;
    if question.properties.contains("document") {
        let (iam, version) = (context.session.iam(), policy.default_version_id.clone().unwrap_or_default());
        let send = || iam.get_policy_version().policy_arn(arn).version_id(version.as_str()).send();
        match context.session.call(GET_VERSION, send).await {
            Ok(answer) => {
                let text = answer.policy_version.and_then(|version| version.document).unwrap_or_default();
                document = Some(documents::from_aws(&text));
            }
            // Missing a moment after the policy named it: the default version is changing, and nobody knows to what.
            Err(fault) => return Observation::Unreadable(fault),
        }
    }
    let details = Some(details(&policy));
    let told = Told {
        name: policy.policy_name.unwrap_or_default(),
        path: policy.path.unwrap_or_default(),
        arn: policy.arn.unwrap_or_default(),
        document,
        details,
    };
    Observation::Found(told.live(false))
}

/// Answers from the account in bulk. Tags and descriptions, which that does not tell, take a call of their own.
async fn swept(context: &Context, all: &Authorizations, question: &Question) -> Observation {
    let Some(policy) = all.policies.get(&question.physical_id) else { return Observation::Missing };
    let details = match question.asks_for("tags") || question.asks_for("description") {
        false => None,
        true => match get(context, &policy.arn).await {
            Ok(policy) => policy.as_ref().map(details),
            Err(fault) => return Observation::Unreadable(fault),
        },
    };
    let told = Told {
        name: policy.name.clone(),
        path: policy.path.clone(),
        arn: policy.arn.clone(),
        document: Some(policy.document.decoded()),
        details,
    };
    Observation::Found(told.live(true))
}
