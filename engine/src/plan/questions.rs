//! What has to be read before a plan can be made.

use std::collections::BTreeSet;

use super::model::Observation;
use crate::address::Address;
use crate::graph::Graph;
use crate::resource::{NameScope, Registry};
use crate::state::{Instance, State};
use crate::value::{Map, Value};

/// One resource that AWS is asked about.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// Its address.
    pub address: Address,
    /// Its type.
    pub type_name: String,
    /// AWS's identifier.
    pub physical_id: String,
    /// The account, twelve digits.
    pub account: String,
    /// The region; empty for global types.
    pub region: String,
    /// The managed properties that matter.
    pub properties: BTreeSet<String>,
    /// Managed properties, as state has them or as they are to be.
    pub managed: Map,
    /// Attributes, likewise.
    pub attributes: Map,
    /// Whether to count what a deletion would lose.
    pub loss: bool,
    /// What was noted before a create that was cut short.
    pub before: Map,
}

/// Everything to ask: each resource in state under the identifier it has, and each block that state does not know under
/// the identifier it will have. `state` has its moves carried out. Without a graph all is to be destroyed.
pub fn questions(graph: Option<&Graph>, state: &State, registry: &dyn Registry) -> Vec<Question> {
    let mut asked = Vec::new();
    for (address, instance) in &state.instances {
        let node = graph.and_then(|graph| graph.nodes.get(address));
        let mut properties: BTreeSet<String> = match node {
            Some(node) => instance.managed.keys().chain(node.managed.keys()).cloned().collect(),
            // What goes away is read only for whether it is there and what it holds.
            None => BTreeSet::new(),
        };
        properties.extend(node.is_some().then(|| "tags".to_owned()).filter(|_| instance.managed.contains_key("tags")));
        asked.push(question(address, instance, properties, node.is_none() && is_stateful(registry, address)));
    }
    for (address, node) in graph.into_iter().flat_map(|graph| &graph.nodes) {
        if state.instances.contains_key(address) {
            continue;
        }
        let physical_id = match (&node.import, &node.physical_id) {
            (Some(id), _) => id.clone(),
            (None, Value::String(id)) => id.clone(),
            // AWS makes the identifier: there is nothing that could be there already.
            _ => continue,
        };
        asked.push(Question {
            address: address.clone(),
            type_name: address.type_name.to_string(),
            physical_id,
            account: node.account.clone(),
            region: node.region.clone(),
            properties: node.managed.keys().cloned().collect(),
            managed: node.managed.clone(),
            attributes: node.resource.attributes.clone(),
            loss: false,
            before: Map::new(),
        });
    }
    asked
}

/// The question about an instance.
pub fn question(address: &Address, instance: &Instance, properties: BTreeSet<String>, loss: bool) -> Question {
    Question {
        address: address.clone(),
        type_name: instance.type_name.clone(),
        physical_id: instance.physical_id.clone(),
        account: instance.account.clone(),
        region: instance.region.clone(),
        properties,
        managed: instance.managed.clone(),
        attributes: instance.attributes.clone(),
        loss,
        before: Map::new(),
    }
}

fn is_stateful(registry: &dyn Registry, address: &Address) -> bool {
    registry.get(address.type_name.as_str()).is_some_and(|kind| kind.descriptor().stateful)
}

/// Whether an observation from a bulk answer may enter a plan as it is. A bulk answer may lag: what is missing or
/// differs must be confirmed by a point read. A block that state does not know and that a bulk answer does not show is
/// confirmed where strangers compete for the name, and where nothing but its absence could prove later that a
/// half-made one is ours.
pub fn needs_confirmation(
    known: Option<&Instance>,
    observation: &Observation,
    differs: bool,
    kind: &dyn crate::resource::ResourceType,
) -> bool {
    let descriptor = kind.descriptor();
    match (known, observation) {
        (_, Observation::Foreign(_) | Observation::Unreadable(_)) => false,
        (Some(_), Observation::Missing) => true,
        (None, Observation::Missing) => {
            !descriptor.taggable || descriptor.naming.is_some_and(|naming| naming.scope == NameScope::Partition)
        }
        (_, Observation::Found(live)) => live.hint && (differs || known.is_none()),
    }
}
