//! Looking up resources that somebody else made.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use s3stack_engine::address::Address;
use s3stack_engine::fault::{Fault, FaultKind};
use s3stack_engine::graph::{By, Looked, Query};
use s3stack_engine::plan::Observation;
use s3stack_engine::value::{Map, Value};

use crate::cloud::{Cloud, provider};
use crate::resources::{Context, Depth, Provider, Question};

impl Cloud {
    /// Looks up many resources; everything is in flight together.
    pub async fn look_up(&self, queries: Vec<Query>) -> BTreeMap<Address, Looked> {
        let answers = queries.into_iter().map(|query| async move {
            let looked = self.find(&query).await.unwrap_or_else(Looked::Unreadable);
            (query.address, looked)
        });
        join_all(answers).await.into_iter().collect()
    }

    async fn find(&self, query: &Query) -> Result<Looked, Fault> {
        let provider = provider(&query.type_name)?;
        let context = self.context(&query.account, &query.region).await?;
        match &query.by {
            By::Id(id) => read(provider, &context, query, id).await,
            By::Tags(tags) => match &*with_tags(provider, &context, query, tags).await? {
                [] => Ok(Looked::Missing),
                [id] => read(provider, &context, query, id).await,
                several => Ok(Looked::Several(several.to_vec())),
            },
        }
    }
}

/// A question for nothing but these properties.
fn question(query: &Query, id: &str, properties: BTreeSet<String>) -> Question {
    // A read completes what has a value that could differ; here any may.
    let managed = properties.iter().map(|name| (name.clone(), Value::from("?"))).collect();
    Question {
        address: query.address.clone(),
        physical_id: id.to_owned(),
        properties,
        managed,
        attributes: Map::new(),
        loss: false,
        before: Map::new(),
    }
}

async fn read(provider: &dyn Provider, context: &Context, query: &Query, id: &str) -> Result<Looked, Fault> {
    let question = question(query, id, query.properties.iter().cloned().collect());
    let answer = provider.read(context, &[question], Depth::Point).await.pop();
    Ok(match answer {
        Some(Observation::Found(live)) => {
            Looked::Found { physical_id: live.physical_id, managed: live.managed, attributes: live.attributes }
        }
        Some(Observation::Missing) => Looked::Missing,
        Some(Observation::Foreign(why)) => Looked::Elsewhere(why),
        Some(Observation::Unreadable(fault)) => return Err(fault),
        None => {
            return Err(Fault::local(
                FaultKind::Other,
                "read",
                "the provider gave no answer; this is a fault of s3stack",
            ));
        }
    })
}

/// The identifiers of the resources that have all of these tags, in order.
async fn with_tags(
    provider: &dyn Provider,
    context: &Context,
    query: &Query,
    tags: &BTreeMap<String, String>,
) -> Result<Vec<String>, Fault> {
    let Some(ids) = provider.list(context).await? else {
        let message = format!("{} cannot be found by tags: look for it by name or id", query.type_name);
        return Err(Fault::local(FaultKind::Invalid, "list", message));
    };
    let questions: Vec<Question> =
        ids.iter().map(|id| question(query, id, BTreeSet::from(["tags".to_owned()]))).collect();
    let mut found = BTreeSet::new();
    for answer in provider.read(context, &questions, Depth::Point).await {
        match answer {
            Observation::Found(live) => {
                let held = live.managed.get("tags").cloned().unwrap_or_default();
                if tags.iter().all(|(key, value)| held.get(key).as_str() == Some(value)) {
                    found.insert(live.physical_id);
                }
            }
            // It went in between, or is not to be seen from here.
            Observation::Missing | Observation::Foreign(_) => {}
            // It might be the one: to pass over it could make of two one.
            Observation::Unreadable(fault) => return Err(fault),
        }
    }
    Ok(found.into_iter().collect())
}
