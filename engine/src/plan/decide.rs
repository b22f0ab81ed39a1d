//! Decides what is done to each resource.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::compare::{Comparison, Seal, compare};
use super::model::*;
use super::moves::{Moves, moved, moves, reinstated};
use super::questions::{Question, question, questions};
use crate::address::{Address, Path};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::graph::{Graph, Node};
use crate::resource::{Facts, NameScope, Registry, ResourceType};
use crate::state::{Instance, State};
use crate::value::{Map, Value};

/// Everything a plan is made from.
pub struct Inputs<'a> {
    /// What the stack comes to; absent for a destroy without a valid file.
    pub graph: Option<&'a Graph>,
    /// The state, after recovery.
    pub state: &'a State,
    /// What AWS answered, by the address a resource has after moves.
    pub observations: &'a BTreeMap<Address, Observation>,
    /// The types there are.
    pub registry: &'a dyn Registry,
    /// Where and as whom this runs.
    pub facts: &'a Facts,
    /// Whether everything is to be destroyed; the graph then only says what is protected and disposable.
    pub destroy: bool,
    /// Whether nothing is wrong with the files behind the graph. If something is, they and the state must both allow
    /// what a destroy takes away.
    pub is_sound: bool,
    /// Marks secrets.
    pub seal: Seal<'a>,
}

/// Makes the plan, or says why there can be none.
pub fn plan(inputs: &Inputs<'_>) -> Result<Plan, Diagnostics> {
    let (planner, diagnostics) = Planner::new(inputs);
    if diagnostics.has_errors() {
        return Err(diagnostics);
    }
    planner.plan(diagnostics)
}

/// The questions of the first round.
pub fn first_questions(inputs: &Inputs<'_>) -> Vec<Question> {
    let (planner, _) = Planner::new(inputs);
    questions(planner.graph, &planner.state, inputs.registry)
}

/// The resources whose AWS-made attributes will change with this plan: what was evaluated with their old values must be
/// evaluated again without.
pub fn remade(plan: &Plan) -> BTreeSet<Address> {
    plan.changes.values().filter(|change| makes(change)).map(|change| change.address.clone()).collect()
}

fn makes(change: &Change) -> bool {
    matches!(change.action, Action::Create | Action::Replace { .. })
}

/// Whether the new one would have the old one's name where two can't have it, though their identifiers differ: a policy's
/// path is part of its ARN, but its name alone must be unique.
fn has_same_name(kind: &dyn ResourceType, node: &Node, instance: &Instance) -> bool {
    let naming = kind.descriptor().naming.filter(|naming| !matches!(naming.scope, NameScope::Parent(_)));
    naming
        .is_some_and(|naming| instance.attributes.get(naming.property) == Some(node.resource.property(naming.property)))
}

pub(super) struct Planner<'a> {
    pub(super) inputs: &'a Inputs<'a>,
    pub(super) graph: Option<&'a Graph>,
    moves: Moves,
    /// With moves carried out: the one that was given, where there are none.
    pub(super) state: Cow<'a, State>,
}

impl<'a> Planner<'a> {
    pub(super) fn new(inputs: &'a Inputs<'a>) -> (Self, Diagnostics) {
        let graph = if inputs.destroy { None } else { inputs.graph };
        let (moves, diagnostics) = graph.map(|graph| moves(graph, inputs.state)).unwrap_or_default();
        let mut state = Cow::Borrowed(inputs.state);
        if !moves.is_empty() {
            state = Cow::Owned(moved(&state, &moves));
        }
        if let Some(graph) = graph {
            state = reinstated(state, graph);
        }
        (Self { inputs, graph, moves, state }, diagnostics)
    }

    fn plan(self, mut diagnostics: Diagnostics) -> Result<Plan, Diagnostics> {
        let changes = self.decide_all(&mut diagnostics);
        let (changes, unplanned) = self.leave_out_unreadable(changes);
        for change in changes.values() {
            self.check_protection(change, &mut diagnostics);
        }
        if diagnostics.has_errors() {
            return Err(diagnostics);
        }
        let made_by_aws =
            changes.values().filter(|change| makes(change)).filter_map(|change| self.made_by_aws(change)).collect();
        Ok(Plan {
            lineage: self.state.lineage.clone(),
            serial: self.state.serial,
            stack: self.state.stack.clone(),
            environment: self.state.environment.clone(),
            account_id: self.inputs.facts.account_id.clone(),
            region: self.inputs.facts.region.clone(),
            destroy: self.inputs.destroy,
            changes,
            deposed: self.state.deposed.clone(),
            unplanned,
            outputs: self.graph.map(|graph| graph.outputs.clone()).unwrap_or_default(),
            made_by_aws,
        })
    }

    /// Decides for each resource, again and again until what is made anew no longer grows: a resource that is made
    /// anew may mean the same for its children and a rewrite for those bound to it.
    pub(super) fn decide_all(&self, diagnostics: &mut Diagnostics) -> BTreeMap<Address, Change> {
        let mut made = BTreeSet::new();
        loop {
            let mut found = Diagnostics::default();
            let changes = self.decide_once(&made, &mut found);
            let now: BTreeSet<Address> =
                changes.values().filter(|change| makes(change)).map(|c| c.address.clone()).collect();
            if now == made {
                diagnostics.extend(found);
                return changes;
            }
            // A set that shrank would mean oscillation; taking the union makes this end.
            made = made.union(&now).cloned().collect();
            if made != now {
                let mut last = Diagnostics::default();
                let changes = self.decide_once(&made, &mut last);
                diagnostics.extend(last);
                return changes;
            }
        }
    }

    fn decide_once(&self, made: &BTreeSet<Address>, diagnostics: &mut Diagnostics) -> BTreeMap<Address, Change> {
        let mut changes = BTreeMap::new();
        if let Some(graph) = self.graph {
            for (address, node) in &graph.nodes {
                let Some(kind) = self.inputs.registry.get(address.type_name.as_str()) else { continue };
                match self.decide(kind, address, node, made) {
                    Ok(change) => {
                        changes.insert(address.clone(), change);
                    }
                    Err(diagnostic) => diagnostics.push(*diagnostic),
                }
            }
        }
        for (address, instance) in &self.state.instances {
            if self.graph.is_some_and(|graph| graph.nodes.contains_key(address)) {
                continue;
            }
            changes.insert(address.clone(), self.decide_gone(address, instance));
        }
        changes
    }

    fn decide(
        &self,
        kind: &dyn ResourceType,
        address: &Address,
        node: &Node,
        made: &BTreeSet<Address>,
    ) -> Result<Change, Box<Diagnostic>> {
        let before = self.state.instances.get(address);
        let mut change = Change {
            address: address.clone(),
            action: Action::NoOp,
            moved_from: self.moves.get(address).cloned(),
            before: before.cloned(),
            after: Some(self.after(kind, node)),
            desired: node.managed.clone(),
            differences: Vec::new(),
            accepted: Vec::new(),
            reason: String::new(),
            loss: Vec::new(),
            waits_for: node.waits_for.keys().cloned().collect(),
            seen_missing: false,
            live_digest: String::new(),
        };
        let observation = self.inputs.observations.get(address);
        if let Some(observation) = observation {
            change.live_digest = digest(observation);
        }
        match (before, observation) {
            (_, Some(Observation::Unreadable(_))) => {}
            (_, Some(Observation::Foreign(how))) => return Err(Box::new(foreign(address, node, how))),
            // Nothing to read: AWS makes the identifier.
            (None, None | Some(Observation::Missing)) => {
                if let Some(id) = &node.import {
                    return Err(Box::new(
                        Diagnostic::error("S3S-O2", format!("there is no {} {id} to import", address.type_name))
                            .at(node.span.clone())
                            .on(address)
                            .help("correct the identifier, or take the `import` line out to have it made"),
                    ));
                }
                change.action = Action::Create;
                change.seen_missing = observation.is_some();
            }
            // Another resource of this stack has the name and gives it up: taking it over would take what is deleted.
            (None, Some(Observation::Found(live))) if self.is_held_elsewhere(address, node, live) => {
                change.action = Action::Create;
            }
            (None, Some(Observation::Found(live))) => {
                let ours = live.owner.as_deref() == Some(&self.state.lineage);
                if !ours && node.import.is_none() && !self.belongs_to_parent(kind, node) {
                    let how = match &live.owner {
                        Some(other) => format!("its s3stack:id tag names another state, {other}"),
                        None => "it carries no s3stack:id tag".into(),
                    };
                    return Err(Box::new(foreign(address, node, &how)));
                }
                self.adopt(kind, node, live, made, &mut change);
            }
            (Some(_), None | Some(Observation::Missing)) => {
                change.action = Action::Create;
                change.seen_missing = true;
                change.reason = "it is gone from AWS".into();
                change.before = None;
            }
            (Some(instance), Some(Observation::Found(live))) => {
                self.update(kind, node, instance, live, made, &mut change)
            }
        }
        Ok(change)
    }

    fn after(&self, kind: &dyn ResourceType, node: &Node) -> Instance {
        let mut attributes = node.resource.attributes.clone();
        if let Some(naming) = kind.descriptor().naming {
            attributes.insert(naming.property.to_owned(), node.resource.property(naming.property).clone());
        }
        Instance {
            type_name: node.resource.address.type_name.to_string(),
            physical_id: node.physical_id.as_str().unwrap_or_default().to_owned(),
            account: node.account.clone(),
            region: node.region.clone(),
            managed: node
                .managed
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect(),
            attributes,
            waits_for: node.waits_for.keys().cloned().collect(),
            protect: node.protect,
            retain: node.retain,
            named: node.named,
            memory: node.memory.clone(),
            written_at: 0,
        }
    }

    fn adopt(&self, kind: &dyn ResourceType, node: &Node, live: &Live, made: &BTreeSet<Address>, change: &mut Change) {
        let compared = compare(kind, node, None, live, self.inputs.seal, &|address| made.contains(address));
        change.action = Action::Adopt;
        change.reason =
            if node.import.is_some() { "it is imported".into() } else { "it is ours and state did not know it".into() };
        change.before = Some(self.as_found(node, live));
        self.settle_identity(change, live, node);
        self.take(compared, change);
        if change.differences.iter().any(|difference| difference.replaces) {
            change.action = Action::Replace { delete_first: self.keeps_name(node, &live.physical_id) };
            change.loss = live.loss.clone();
        }
    }

    /// What was found, as an instance: nothing in it was applied by us.
    fn as_found(&self, node: &Node, live: &Live) -> Instance {
        Instance {
            type_name: node.resource.address.type_name.to_string(),
            physical_id: live.physical_id.clone(),
            account: node.account.clone(),
            region: node.region.clone(),
            managed: Map::new(),
            attributes: live.attributes.clone(),
            waits_for: BTreeSet::new(),
            protect: false,
            retain: false,
            named: node.named,
            memory: node.memory.clone(),
            written_at: 0,
        }
    }

    fn update(
        &self,
        kind: &dyn ResourceType,
        node: &Node,
        instance: &Instance,
        live: &Live,
        made: &BTreeSet<Address>,
        change: &mut Change,
    ) {
        let compared = compare(kind, node, Some(instance), live, self.inputs.seal, &|address| made.contains(address));
        self.take(compared, change);
        self.settle_identity(change, live, node);
        self.rewrite_what_is_bound(kind, node, made, live, change);
        remember(node, instance, change);
        self.mark(kind, live, change);
        let renamed = matches!(&node.physical_id, Value::String(id) if *id != instance.physical_id);
        if renamed && !change.differences.iter().any(|difference| difference.replaces) {
            let property = kind.descriptor().naming.map_or(kind.descriptor().physical_id, |naming| naming.property);
            change.differences.push(Difference {
                path: Path::of(property),
                from: instance.physical_id.clone().into(),
                to: node.physical_id.clone(),
                cause: Cause::File,
                replaces: true,
            });
        }
        let moved = [("account", &instance.account, &node.account), ("region", &instance.region, &node.region)];
        let moved: Vec<_> = moved.into_iter().filter(|(_, from, to)| from != to && !to.is_empty()).collect();
        change.differences.extend(moved.iter().map(|(name, from, to)| Difference {
            path: Path::of(*name),
            from: from.as_str().into(),
            to: to.as_str().into(),
            cause: Cause::File,
            replaces: true,
        }));
        let parent = self.parent(kind, node).filter(|parent| self.goes_first(parent, made));
        let replaces = change.differences.iter().any(|difference| difference.replaces);
        if replaces || parent.is_some() {
            let one_name = self.keeps_name(node, &instance.physical_id) || has_same_name(kind, node, instance);
            // Elsewhere the name is free, unless it is one of a kind in the whole partition.
            let is_shared = kind.descriptor().naming.is_some_and(|naming| naming.scope == NameScope::Partition);
            let delete_first = parent.is_some() || one_name && (moved.is_empty() || is_shared);
            change.action = Action::Replace { delete_first };
            change.loss = live.loss.clone();
            change.reason = match (parent, replaces) {
                (Some(parent), false) => format!("{parent}, which it is part of, is replaced"),
                _ => change
                    .differences
                    .iter()
                    .filter(|difference| difference.replaces)
                    .map(|difference| format!("{} cannot be changed in place", difference.path))
                    .collect::<Vec<_>>()
                    .join("; "),
            };
            if let Some(after) = &mut change.after {
                // What AWS makes, it will make again.
                after.physical_id = node.physical_id.as_str().unwrap_or_default().to_owned();
                after.attributes.clone_from(&node.resource.attributes);
                if let Some(naming) = kind.descriptor().naming {
                    after
                        .attributes
                        .insert(naming.property.to_owned(), node.resource.property(naming.property).clone());
                }
            }
        } else if !change.differences.is_empty() {
            change.action = Action::Update;
        }
    }

    /// Adds the owner's mark where a resource of ours lacks it: a create was cut short before it was put on, or somebody
    /// took it off. A bulk answer may not tell tags, so only a point read counts.
    fn mark(&self, kind: &dyn ResourceType, live: &Live, change: &mut Change) {
        if kind.descriptor().taggable && !live.hint && live.owner.is_none() {
            change.differences.push(Difference {
                path: Path::of("tags").key("s3stack:id"),
                from: Value::Null,
                to: self.state.lineage.clone().into(),
                cause: Cause::Drift,
                replaces: false,
            });
        }
    }

    /// What state will know of a resource that exists: its identifier, and the attributes AWS told.
    fn settle_identity(&self, change: &mut Change, live: &Live, node: &Node) {
        if let Some(after) = &mut change.after {
            after.physical_id.clone_from(&live.physical_id);
            for (name, value) in &node.resource.attributes {
                let told = live
                    .attributes
                    .get(name)
                    .or_else(|| change.before.as_ref().and_then(|before| before.attributes.get(name)));
                if let (Value::Unknown(_), Some(told)) = (value, told) {
                    after.attributes.insert(name.clone(), told.clone());
                }
            }
        }
    }

    fn take(&self, compared: Comparison, change: &mut Change) {
        change.desired = compared.desired;
        change.differences = compared.differences;
        change.accepted = compared.accepted;
    }

    /// Adds a rewrite of whatever binds a resource that is made anew.
    fn rewrite_what_is_bound(
        &self,
        kind: &dyn ResourceType,
        node: &Node,
        made: &BTreeSet<Address>,
        live: &Live,
        change: &mut Change,
    ) {
        let anew = node.binds.iter().any(|other| made.contains(other) && self.state.instances.contains_key(other));
        if !anew {
            return;
        }
        for (name, property) in &kind.schema().properties {
            let (true, Some(desired)) = (property.principal, change.desired.get(name)) else { continue };
            if desired.is_null() || change.differences.iter().any(|difference| difference.path.head() == Some(name)) {
                continue;
            }
            change.differences.push(Difference {
                path: Path::of(name.clone()),
                from: live.managed.get(name).cloned().unwrap_or_default(),
                to: desired.clone(),
                cause: Cause::Principal,
                replaces: false,
            });
        }
    }

    fn parent<'n>(&self, kind: &dyn ResourceType, node: &'n Node) -> Option<&'n Address> {
        kind.descriptor().parent.and_then(|property| node.resource.references.get(&Path::of(property)))
    }

    /// Whether a parent that is made anew takes its children with it: it was there and its name stays.
    fn goes_first(&self, parent: &Address, made: &BTreeSet<Address>) -> bool {
        made.contains(parent)
            && matches!(self.inputs.observations.get(parent), Some(Observation::Found(_)))
            && self
                .state
                .instances
                .get(parent)
                .zip(self.graph.and_then(|graph| graph.nodes.get(parent)))
                .is_some_and(|(instance, node)| self.keeps_name(node, &instance.physical_id))
    }

    /// Whether state has what was found under another address.
    fn is_held_elsewhere(&self, address: &Address, node: &Node, live: &Live) -> bool {
        let holder = |instance: &Instance| {
            instance.type_name == address.type_name.as_str()
                && instance.physical_id == live.physical_id
                && instance.account == node.account
                && (node.region.is_empty() || instance.region == node.region)
        };
        let deposed = self.state.deposed.iter().map(|deposed| &deposed.instance);
        self.state.instances.values().chain(deposed).any(holder)
    }

    fn belongs_to_parent(&self, kind: &dyn ResourceType, node: &Node) -> bool {
        !kind.descriptor().taggable
            && self.parent(kind, node).is_some_and(|parent| self.state.instances.contains_key(parent))
    }

    fn keeps_name(&self, node: &Node, physical_id: &str) -> bool {
        matches!(&node.physical_id, Value::String(id) if id == physical_id)
    }

    fn made_by_aws(&self, change: &Change) -> Option<(Address, Vec<String>)> {
        let kind = self.inputs.registry.get(change.address.type_name.as_str())?;
        let names: Vec<String> = kind
            .schema()
            .attributes
            .iter()
            .filter(|(_, attribute)| attribute.made_by_aws && !attribute.note)
            .map(|(name, _)| name.clone())
            .collect();
        (!names.is_empty()).then(|| (change.address.clone(), names))
    }
}

/// Adds what only the tool remembers: it must reach state, for the day the block is gone.
fn remember(node: &Node, instance: &Instance, change: &mut Change) {
    let mut note = |name: &str, from: Value, to: Value| {
        if from != to {
            change.differences.push(Difference { path: Path::of(name), from, to, cause: Cause::File, replaces: false });
        }
    };
    for name in node.memory.keys().chain(instance.memory.keys().filter(|name| !node.memory.contains_key(*name))) {
        let of = |map: &Map| map.get(name).cloned().unwrap_or_default();
        note(name, of(&instance.memory), of(&node.memory));
    }
    note("protect", instance.protect.into(), node.protect.into());
    note("retain", instance.retain.into(), node.retain.into());
}

fn foreign(address: &Address, node: &Node, how: &str) -> Diagnostic {
    let id = node.physical_id.as_str().unwrap_or_default();
    Diagnostic::error("S3S-O1", format!("{} {id} exists and is not this stack's", address.type_name))
        .at(node.span.clone())
        .on(address)
        .note(how.to_owned())
        .help(format!("give {address} another name; or, if it shall belong to this stack, write `import = \"{id}\"` into the block"))
}

/// A digest of what was observed, for saved plans.
pub(super) fn digest(observation: &Observation) -> String {
    let json = match observation {
        Observation::Found(live) => serde_json::json!({
            "id": live.physical_id,
            "managed": live.managed.iter().map(|(k, v)| (k.clone(), serde_json::to_value(v).unwrap_or_default())).collect::<BTreeMap<_, _>>(),
            "owner": live.owner,
            "loss": live.loss,
        }),
        Observation::Missing => "missing".into(),
        Observation::Foreign(how) => format!("foreign: {how}").into(),
        Observation::Unreadable(_) => "unreadable".into(),
    };
    let bytes = Sha256::digest(json.to_string().as_bytes());
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The question about one instance, all its managed properties included.
pub fn ask(address: &Address, instance: &Instance) -> Question {
    question(address, instance, instance.managed.keys().cloned().collect(), false)
}
