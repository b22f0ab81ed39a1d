//! Which operations a plan comes to, and what each waits for.
//!
//! - Making a resource waits for making what it names.
//! - Deleting a resource waits for deleting whatever pointed to it in state, and for updating what pointed to it and stays.
//! - A replacement makes the new one first and deletes the old one last, or the other way round where both would have one
//!   name, or where something it must make way for says so.
//!
//! - Creations that can only be told apart by their parent's list go one after another.
//!
//! Where these contradict each other, first a replacement in the circle becomes delete-first (always possible, at the
//! price of a gap), then what comes back under its name stops waiting for the deletion of what pointed to it and is no child
//! of it, then deletions stop waiting for updates, and last for deletions (AWS may refuse one; the next apply does it). What
//! is still a circle after that is an error.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::model::ApplyError;
use crate::address::Address;
use crate::plan::{Action, Change, Plan};
use crate::resource::{Identity, Registry};
use crate::state::{Instance, State, Verb};
use crate::value::Value;

/// One operation on one resource.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    /// The resource.
    pub address: Address,
    /// What is done to it.
    pub verb: Verb,
    /// For a delete: what is deleted.
    pub old: Option<Instance>,
    /// For a delete: whether something else is then made under its name. That waits until state says that the old one is
    /// gone: otherwise recovery could not tell the new one from it.
    pub frees_name: bool,
    /// For a create: the physical id of what it replaces and what is deleted afterwards.
    pub supersedes: Option<String>,
    /// The operations that come before this one.
    pub waits_for: Vec<usize>,
    /// The operations that wait for this one.
    pub releases: Vec<usize>,
    /// The number of operations on the longest path from here to an end: the longest path starts first.
    pub height: usize,
}

/// Whether a change needs a call that makes or changes the resource.
pub(super) fn makes(change: &Change, registry: &dyn Registry) -> bool {
    match change.action {
        Action::Create | Action::Replace { .. } | Action::Adopt => true,
        Action::Update => change.differences.iter().any(|difference| is_managed(change, &difference.path, registry)),
        Action::NoOp | Action::Delete | Action::Forget => false,
    }
}

/// Whether a difference is AWS's to know of, not the tool's memory alone.
pub(super) fn is_managed(change: &Change, path: &crate::address::Path, registry: &dyn Registry) -> bool {
    let Some(head) = path.head() else { return true };
    let property = registry
        .get(change.address.type_name.as_str())
        .and_then(|kind| kind.schema().properties.get(head).map(|property| !property.memory));
    property.unwrap_or(change.desired.contains_key(head) || !matches!(head, "protect" | "retain"))
}

/// How much an operation needs another to come first; the weakest bonds in a circle are given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Bond {
    /// What is deleted and comes back under its name waits for the deletion of something that pointed to it.
    Weak,
    /// A deletion waits for an update, a creation for its sibling's.
    Loose,
    /// A deletion waits for the deletion of what pointed to it. After an update of unknown effect, state has the old and
    /// the new edges, and they may form a circle.
    Pointed,
    /// Always holds.
    Firm,
}

struct Builder<'a> {
    plan: &'a Plan,
    state: &'a State,
    registry: &'a dyn Registry,
    /// Who points to whom, by state.
    pointers: BTreeMap<&'a Address, Vec<&'a Address>>,
    /// Replacements that delete first.
    first: BTreeSet<&'a Address>,
    /// Circles' loose edges, given up.
    dropped: BTreeSet<(usize, usize)>,
}

/// The operations of `plan` on `state`, whose moves are carried out.
pub(super) fn build(plan: &Plan, state: &State, registry: &dyn Registry) -> Result<Vec<Operation>, ApplyError> {
    let mut pointers: BTreeMap<&Address, Vec<&Address>> = BTreeMap::new();
    for (address, instance) in &state.instances {
        for other in instance.waits_for.iter().filter(|other| *other != address) {
            pointers.entry(other).or_default().push(address);
        }
    }
    let first = plan.changes.values().filter(|change| change.action == Action::Replace { delete_first: true });
    let first = first.map(|change| &change.address).collect();
    let mut builder = Builder { plan, state, registry, pointers, first, dropped: BTreeSet::new() };
    builder.make_way();
    loop {
        let (operations, bonds) = builder.lay()?;
        match circle(&operations) {
            None => return Ok(finish(operations)),
            Some(members) => builder.break_open(&operations, &bonds, &members)?,
        }
    }
}

/// What binds operations: the first comes before the second.
type Bonds = BTreeMap<(usize, usize), Bond>;

/// What makes a thing one thing in AWS: type, account, region, physical id.
type PhysicalKey<'a> = (&'a str, &'a str, &'a str, &'a str);

impl<'a> Builder<'a> {
    /// A replacement whose old name another resource takes over deletes first.
    fn make_way(&mut self) {
        let wanted: BTreeSet<(&str, &str, &str, &str)> = self.wanted().map(|(_, identity)| identity).collect();
        for change in self.plan.changes.values() {
            if let (Action::Replace { .. }, Some(old)) = (change.action, self.known(change))
                && wanted.contains(&identity(old))
            {
                self.first.insert(&change.address);
            }
        }
    }

    /// The identities that creations need to be free.
    fn wanted(&self) -> impl Iterator<Item = (&'a Address, (&'a str, &'a str, &'a str, &'a str))> + use<'a> {
        self.plan.changes.values().filter(|change| creates(change)).filter_map(|change| {
            let after = change.after.as_ref()?;
            (!after.physical_id.is_empty()).then(|| (&change.address, identity(after)))
        })
    }

    /// What a change deletes, as state has it.
    fn known(&self, change: &'a Change) -> Option<&'a Instance> {
        match change.action {
            Action::Delete | Action::Replace { .. } => {
                self.state.instances.get(&change.address).or(change.before.as_ref())
            }
            _ => None,
        }
    }

    /// What a change deletes, with what the tool must know to delete it: the file has the last word on that.
    fn old(&self, change: &'a Change) -> Option<Instance> {
        let mut old = self.known(change)?.clone();
        let said = change.after.as_ref().or(change.before.as_ref()).map(|instance| &instance.memory);
        for (name, value) in said.into_iter().flatten() {
            if value.is_known() && !value.is_sensitive() {
                old.memory.insert(name.clone(), value.clone());
            }
        }
        Some(old)
    }

    /// Whether a resource is a child of another, by state.
    fn is_child(&self, child: &Address, parent: &Address) -> bool {
        let (Some(child), Some(parent)) = (self.state.instances.get(child), self.state.instances.get(parent)) else {
            return false;
        };
        let property = self.registry.get(&child.type_name).and_then(|kind| kind.descriptor().parent);
        let Some(named) = property.and_then(|property| child.managed.get(property)) else { return false };
        named.as_str() == Some(&parent.physical_id) || parent.attributes.values().any(|value| value == named)
    }

    fn lay(&self) -> Result<(Vec<Operation>, Bonds), ApplyError> {
        let mut operations = Vec::new();
        let mut makes_of: BTreeMap<&Address, usize> = BTreeMap::new();
        let mut deletes_of: BTreeMap<&Address, usize> = BTreeMap::new();
        for change in self.plan.changes.values() {
            if makes(change, self.registry) {
                if change.after.is_none() {
                    return Err(ApplyError::Inconsistent(format!("{} is made and has no goal", change.address)));
                }
                makes_of.insert(&change.address, operations.len());
                let verb = if creates(change) { Verb::Create } else { Verb::Update };
                operations.push(Operation::new(&change.address, verb, None));
            }
            if let Some(old) = self.old(change) {
                deletes_of.insert(&change.address, operations.len());
                operations.push(Operation::new(&change.address, Verb::Delete, Some(old)));
            } else if matches!(change.action, Action::Delete | Action::Replace { .. }) {
                return Err(ApplyError::Inconsistent(format!("{} is deleted and not known", change.address)));
            }
        }
        let deposed: Vec<(usize, &Address, &Instance)> = self
            .state
            .deposed
            .iter()
            .map(|deposed| {
                operations.push(Operation::new(&deposed.address, Verb::Delete, Some(deposed.instance.clone())));
                (operations.len() - 1, &deposed.address, &deposed.instance)
            })
            .collect();

        let mut freeing = BTreeSet::new();
        let mut bonds = BTreeMap::new();
        let mut tie = |after: usize, before: usize, bond: Bond| {
            if after != before && !self.dropped.contains(&(after, before)) {
                let known = bonds.entry((after, before)).or_insert(bond);
                *known = bond.max(*known);
            }
        };
        for (address, make) in &makes_of {
            let Some(change) = self.plan.changes.get(*address) else { continue };
            for other in change.waits_for.iter().chain(&unknowns(change)) {
                if let Some(before) = makes_of.get(other) {
                    tie(*make, *before, Bond::Firm);
                }
            }
            if let Some(delete) = deletes_of.get(*address) {
                match self.first.contains(*address) {
                    true => {
                        freeing.insert(*delete);
                        tie(*make, *delete, Bond::Firm);
                    }
                    false => tie(*delete, *make, Bond::Firm),
                }
            }
        }
        let mut siblings: BTreeMap<(&str, String), usize> = BTreeMap::new();
        for (address, make) in &makes_of {
            let Some(change) = self.plan.changes.get(*address).filter(|change| creates(change)) else { continue };
            let Some(kind) = self.registry.get(address.type_name.as_str()) else { continue };
            let descriptor = kind.descriptor();
            if descriptor.identity == Identity::ParentList {
                let parent = descriptor.parent.and_then(|property| change.desired.get(property));
                let family = (descriptor.name, format!("{parent:?}"));
                if let Some(elder) = siblings.insert(family, *make) {
                    tie(*make, elder, Bond::Loose);
                }
            }
        }
        // A parent has room for few of them, and one that is left over may take it.
        for (delete, address, _) in &deposed {
            let kind = self.registry.get(address.type_name.as_str());
            if let (Some(make), true) =
                (makes_of.get(address), kind.is_some_and(|kind| kind.descriptor().identity == Identity::ParentList))
            {
                tie(*make, *delete, Bond::Firm);
            }
        }
        let gone = deletes_of.iter().map(|(address, delete)| (*delete, *address));
        for (delete, address) in gone.chain(deposed.iter().map(|(delete, address, _)| (*delete, *address))) {
            let is_deposed = deletes_of.get(address) != Some(&delete);
            for other in self.pointers.get(address).into_iter().flatten().copied() {
                let comes_back = !is_deposed && self.first.contains(address);
                if let Some(before) = deletes_of.get(other) {
                    let bond = match (self.is_child(other, address), comes_back) {
                        (true, _) => Bond::Firm,
                        (false, true) => Bond::Weak,
                        (false, false) => Bond::Pointed,
                    };
                    tie(delete, *before, bond);
                }
                let still = self.plan.changes.get(other).is_some_and(|change| change.waits_for.contains(address));
                // Of what is replaced, the old one pointed here, and that is deleted.
                if let (Some(before), false) = (makes_of.get(other), deletes_of.contains_key(other))
                    && !(still && comes_back)
                {
                    tie(delete, *before, Bond::Loose);
                }
            }
            for (before, _, instance) in &deposed {
                if instance.waits_for.contains(address) {
                    tie(delete, *before, Bond::Pointed);
                }
            }
        }
        let mut holders: BTreeMap<PhysicalKey<'_>, Vec<(usize, &Address)>> = BTreeMap::new();
        for change in self.plan.changes.values() {
            if let (Some(delete), Some(old)) = (deletes_of.get(&change.address), self.known(change)) {
                holders.entry(identity(old)).or_default().push((*delete, &change.address));
            }
        }
        for (delete, address, instance) in &deposed {
            holders.entry(identity(instance)).or_default().push((*delete, address));
        }
        for (address, identity) in self.wanted() {
            let Some(make) = makes_of.get(address) else { continue };
            for (delete, holder) in holders.get(&identity).into_iter().flatten() {
                let own = *holder == address && deletes_of.get(address) == Some(delete);
                if !own {
                    freeing.insert(*delete);
                    tie(*make, *delete, Bond::Firm);
                }
            }
        }

        for (address, make) in &makes_of {
            if let (false, Some(delete)) = (self.first.contains(*address), deletes_of.get(*address)) {
                let id = operations.get(*delete).and_then(|operation| operation.old.as_ref());
                let id = id.map(|old| old.physical_id.clone());
                if let Some(operation) = operations.get_mut(*make) {
                    operation.supersedes = id;
                }
            }
        }
        for delete in freeing {
            if let Some(operation) = operations.get_mut(delete) {
                operation.frees_name = true;
            }
        }
        for (after, before) in bonds.keys() {
            if let Some(operation) = operations.get_mut(*after) {
                operation.waits_for.push(*before);
            }
            if let Some(operation) = operations.get_mut(*before) {
                operation.releases.push(*after);
            }
        }
        Ok((operations, bonds))
    }

    fn break_open(
        &mut self,
        operations: &[Operation],
        bonds: &BTreeMap<(usize, usize), Bond>,
        members: &BTreeSet<usize>,
    ) -> Result<(), ApplyError> {
        let inside = |verb: Verb| {
            let found = members.iter().filter_map(|at| operations.get(*at)).filter(move |found| found.verb == verb);
            found.map(|operation| &operation.address).collect::<BTreeSet<_>>()
        };
        let (created, deleted) = (inside(Verb::Create), inside(Verb::Delete));
        let plan = self.plan;
        let flipped: Vec<&Address> = created
            .intersection(&deleted)
            .filter_map(|address| plan.changes.get(*address))
            .filter(|change| matches!(change.action, Action::Replace { .. }) && !self.first.contains(&change.address))
            .map(|change| &change.address)
            .collect();
        if !flipped.is_empty() {
            self.first.extend(flipped);
            return Ok(());
        }
        let within = |edge: &(usize, usize)| members.contains(&edge.0) && members.contains(&edge.1);
        let weakest = bonds.iter().filter(|(edge, _)| within(edge)).map(|(_, bond)| *bond).min();
        let Some(weakest) = weakest.filter(|bond| *bond < Bond::Firm) else {
            return Err(ApplyError::Cycle(path(operations, members)));
        };
        let given_up = bonds.iter().filter(|(edge, bond)| within(edge) && **bond == weakest).map(|(edge, _)| *edge);
        self.dropped.extend(given_up);
        Ok(())
    }
}

impl Operation {
    fn new(address: &Address, verb: Verb, old: Option<Instance>) -> Self {
        Self {
            address: address.clone(),
            verb,
            old,
            frees_name: false,
            supersedes: None,
            waits_for: Vec::new(),
            releases: Vec::new(),
            height: 0,
        }
    }
}

fn creates(change: &Change) -> bool {
    matches!(change.action, Action::Create | Action::Replace { .. })
}

fn identity(instance: &Instance) -> (&str, &str, &str, &str) {
    (&instance.type_name, &instance.account, &instance.region, &instance.physical_id)
}

/// The other resources whose attributes a change needs: it waits for them even where a reference does not delay.
fn unknowns(change: &Change) -> BTreeSet<Address> {
    fn collect(value: &Value, found: &mut BTreeSet<Address>) {
        match value {
            Value::Unknown(unknown) => {
                found.extend(unknown.waits_for().into_iter().map(|(address, _)| address.clone()))
            }
            Value::List(list) => list.iter().for_each(|value| collect(value, found)),
            Value::Map(map) => map.values().for_each(|value| collect(value, found)),
            Value::Secret(secret) => collect(secret.expose(), found),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    change.desired.values().for_each(|value| collect(value, &mut found));
    if let Some(after) = &change.after {
        after.managed.values().chain(after.memory.values()).for_each(|value| collect(value, &mut found));
    }
    found.remove(&change.address);
    found
}

/// The members of some circle, if there is one.
fn circle(operations: &[Operation]) -> Option<BTreeSet<usize>> {
    let mut graph = DiGraph::<(), ()>::with_capacity(operations.len(), operations.len() * 2);
    operations.iter().for_each(|_| {
        graph.add_node(());
    });
    for (at, operation) in operations.iter().enumerate() {
        for before in &operation.waits_for {
            graph.add_edge(NodeIndex::new(at), NodeIndex::new(*before), ());
        }
    }
    let found = tarjan_scc(&graph).into_iter().find(|component| component.len() > 1)?;
    Some(found.into_iter().map(NodeIndex::index).collect())
}

/// A circle among `members` as a path for the error.
fn path(operations: &[Operation], members: &BTreeSet<usize>) -> Vec<String> {
    let mut seen = Vec::new();
    let mut at = members.first().copied();
    while let Some(index) = at {
        if let Some(start) = seen.iter().position(|known| *known == index) {
            seen.drain(..start);
            seen.push(index);
            break;
        }
        seen.push(index);
        let before = operations.get(index).map(|operation| operation.waits_for.as_slice()).unwrap_or_default();
        at = before.iter().find(|before| members.contains(*before)).copied();
    }
    let name = |operation: &Operation| format!("{} of {}", name(operation.verb), operation.address);
    seen.into_iter().filter_map(|at| operations.get(at)).map(name).collect()
}

/// A verb in the words of messages.
pub(super) fn name(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "create",
        Verb::Update => "update",
        Verb::Delete => "delete",
    }
}

/// Fills in heights, from the ends backwards.
fn finish(mut operations: Vec<Operation>) -> Vec<Operation> {
    let mut left: Vec<usize> = operations.iter().map(|operation| operation.releases.len()).collect();
    let mut ready: Vec<usize> = (0..operations.len()).filter(|at| left.get(*at) == Some(&0)).collect();
    while let Some(at) = ready.pop() {
        let (height, waits_for) = match operations.get(at) {
            Some(operation) => (operation.height + 1, operation.waits_for.clone()),
            None => continue,
        };
        for before in waits_for {
            if let (Some(operation), Some(left)) = (operations.get_mut(before), left.get_mut(before)) {
                operation.height = operation.height.max(height);
                *left -= 1;
                if *left == 0 {
                    ready.push(before);
                }
            }
        }
    }
    operations
}
