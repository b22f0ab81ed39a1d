//! Recovery: folds what AWS says about the operations of a run that was cut short into the state.
//!
//! It makes no change in AWS and decides nothing about the stack: what exists and is ours is taken in, what does not exist is
//! dropped, and then the ordinary plan decides. It is pure, and doing it twice is doing it once.

use std::collections::BTreeMap;

use super::model::Request;
use super::stored::{attempted, attributes, tried, union};
use crate::address::Address;
use crate::plan::{Live, Observation};
use crate::resource::{Identity, Registry, ResourceType};
use crate::state::{Deposed, Instance, Pending, State, Verb};
use crate::value::{Map, Value};

/// What `before` of a pending create holds under this key: the physical id of the resource that it replaces.
pub(super) const REPLACES: &str = "replaces";

/// What `before` of a read holds under this key: the physical ids of the type that state knows, as a list. None of them
/// is what a creation left behind.
pub const ELSEWHERE: &str = "elsewhere";

/// What recovery knows beyond state and answers.
#[derive(Clone, Copy)]
pub struct Circumstances<'a> {
    /// The types there are.
    pub registry: &'a dyn Registry,
    /// Seconds since 1970.
    pub wall: u64,
    /// Whether the lease was taken over from a run that may still have calls on their way: then the entries stay and are
    /// read again at the end of the next apply.
    pub taken_over: bool,
}

/// What recovery did about one operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The resource.
    pub address: Address,
    /// What had been begun.
    pub verb: Verb,
    /// One sentence for the user.
    pub what: String,
    /// Whether the entry stays, because nobody knows or because it must be looked at again.
    pub stays: bool,
}

/// The reads that recovery needs, by the token of the entry each is about. An update needs one only where it was to write
/// what nobody knew before.
pub fn questions(state: &State) -> BTreeMap<String, Request> {
    state
        .pending
        .iter()
        .filter(|pending| pending.verb != Verb::Update || !pending.instance.managed.values().all(Value::is_known))
        .map(|pending| (pending.token.clone(), question(state, pending)))
        .collect()
}

/// The read that tells what became of one operation.
pub(super) fn question(state: &State, pending: &Pending) -> Request {
    let mut before = pending.before.clone();
    if pending.instance.physical_id.is_empty() {
        let deposed = state.deposed.iter().map(|deposed| &deposed.instance);
        let known = state.instances.values().chain(deposed);
        let known = known.filter(|instance| instance.type_name == pending.instance.type_name);
        before.insert(ELSEWHERE.into(), Value::strings(known.map(|instance| instance.physical_id.as_str())));
    }
    Request::Read {
        address: pending.address.clone(),
        token: pending.token.clone(),
        instance: pending.instance.clone(),
        before,
    }
}

/// The state with every pending operation folded in that `answers` (by token) tells about, and what was done.
pub fn fold(
    state: &State,
    answers: &BTreeMap<String, Observation>,
    circumstances: Circumstances<'_>,
) -> (State, Vec<Recovered>) {
    let mut folded = state.clone();
    let mut done: BTreeMap<usize, Recovered> = BTreeMap::new();
    let mut kept = Vec::new();
    // Deletions before creations: of a replacement cut short, the old one must make room. Creations go on while one
    // of them is taken in, because a child is ours by its parent.
    let mut creations = Vec::new();
    for (at, pending) in state.pending.iter().enumerate() {
        let what = match pending.verb {
            Verb::Create => {
                creations.push((at, pending));
                continue;
            }
            Verb::Update => fold_update(&mut folded, pending, answers.get(&pending.token), circumstances.registry),
            Verb::Delete => fold_delete(&mut folded, pending, answers.get(&pending.token)),
        };
        done.insert(at, what);
    }
    loop {
        let before = creations.len();
        creations.retain(|(at, pending)| match answers.get(&pending.token) {
            Some(Observation::Found(live)) if is_ours(live, pending, &folded, circumstances.registry) => {
                done.insert(*at, fold_creation(&mut folded, pending, live, circumstances));
                false
            }
            _ => true,
        });
        if creations.len() == before {
            break;
        }
    }
    for (at, pending) in creations {
        done.insert(at, leave_creation(&folded, pending, answers.get(&pending.token)));
    }
    for (at, pending) in state.pending.iter().enumerate() {
        let Some(recovered) = done.get_mut(&at) else { continue };
        recovered.stays |= circumstances.taken_over;
        if recovered.stays {
            kept.push(pending.clone());
        }
    }
    folded.pending = kept;
    if folded.pending.is_empty() {
        folded.run = None;
    }
    (folded, done.into_values().collect())
}

/// Whether what was found for a creation is ours: by its mark, by having been seen to be free before, by state, or by its
/// parent.
pub(super) fn is_ours(live: &Live, pending: &Pending, state: &State, registry: &dyn Registry) -> bool {
    match live.owner.as_deref() {
        _ if holder(live, pending, state).is_some() => false,
        Some(owner) => owner == state.lineage,
        None => {
            let known = |address: &Address, instance: &Instance| {
                *address == pending.address && instance.physical_id == live.physical_id
            };
            pending.seen_missing
                || state.instances.iter().any(|(address, instance)| known(address, instance))
                || state.deposed.iter().any(|deposed| known(&deposed.address, &deposed.instance))
                || pending.before.get(REPLACES).and_then(Value::as_str) == Some(&live.physical_id)
                || belongs_to_parent(pending, state, registry)
        }
    }
}

/// Why what was found is not ours, or not the resource in question.
pub(super) fn whose(live: &Live, pending: &Pending, state: &State) -> String {
    match (holder(live, pending, state), live.owner.as_deref()) {
        (Some(holder), _) => format!("state has it as {holder}"),
        (None, Some(owner)) => format!("its s3stack:id tag names another state, {owner}"),
        (None, None) => "it carries no s3stack:id tag".to_owned(),
    }
}

/// The other address under which state has what was found.
fn holder<'s>(live: &Live, pending: &Pending, state: &'s State) -> Option<&'s Address> {
    let wanted = &pending.instance;
    let same = |other: &Instance| {
        (&other.type_name, &other.account, &other.region, &other.physical_id)
            == (&wanted.type_name, &wanted.account, &wanted.region, &live.physical_id)
    };
    let known = state.instances.iter().chain(state.deposed.iter().map(|deposed| (&deposed.address, &deposed.instance)));
    let mut others = known.filter(|(address, instance)| **address != pending.address && same(instance));
    others.next().map(|(address, _)| address)
}

/// Whether the resource is an untaggable child of one of ours.
fn belongs_to_parent(pending: &Pending, state: &State, registry: &dyn Registry) -> bool {
    let Some(kind) = registry.get(&pending.instance.type_name) else { return false };
    let Some(property) = kind.descriptor().parent.filter(|_| !kind.descriptor().taggable) else { return false };
    let Some(parent) = pending.instance.managed.get(property) else { return false };
    pending.instance.waits_for.iter().filter_map(|address| state.instances.get(address)).any(|instance| {
        parent.as_str() == Some(&instance.physical_id) || instance.attributes.values().any(|value| value == parent)
    })
}

/// Whether a resource that was found is of no use, because what was told once, at its creation, is lost: a read that can
/// still tell it, since it was passed on in time, has it among the attributes that it `told`.
pub(super) fn is_spent(kind: Option<&dyn ResourceType>, told: &Map) -> bool {
    kind.is_some_and(|kind| {
        let mut attributes = kind.schema().attributes.iter();
        kind.descriptor().identity == Identity::ParentList
            && attributes.any(|(name, one)| one.made_by_aws && one.sensitive && !told.contains_key(name))
    })
}

/// What state knows of a resource that a create left behind, complete or half made.
pub(super) fn found_instance(pending: &Pending, live: &Live, kind: Option<&dyn ResourceType>, wall: u64) -> Instance {
    let mut instance = pending.instance.clone();
    instance.physical_id.clone_from(&live.physical_id);
    let mut known = instance.attributes;
    known.extend(live.attributes.clone());
    instance.attributes = attributes(&known, kind);
    instance.managed = attempted(&Map::new(), &tried(&instance.managed, &live.managed), kind);
    instance.memory = tried(&instance.memory, &Map::new());
    instance.written_at = wall;
    instance
}

fn fold_update(
    state: &mut State,
    pending: &Pending,
    answer: Option<&Observation>,
    registry: &dyn Registry,
) -> Recovered {
    let live = match answer {
        Some(Observation::Found(live)) => live.managed.clone(),
        _ => Map::new(),
    };
    let what = match state.instances.get_mut(&pending.address) {
        Some(instance) if instance.physical_id == pending.instance.physical_id => {
            widen(instance, pending, &live, registry.get(&pending.instance.type_name));
            "was being updated: the plan compares all that the update may have set"
        }
        _ => "was being updated and is no longer in state: nothing to do",
    };
    recovered(pending, what, false)
}

/// Adds to an instance what an update tried.
fn widen(instance: &mut Instance, pending: &Pending, live: &Map, kind: Option<&dyn ResourceType>) {
    let tried = tried(&pending.instance.managed, live);
    instance.managed = attempted(&instance.managed, &tried, kind);
    instance.waits_for.extend(pending.instance.waits_for.iter().cloned());
    instance.written_at = instance.written_at.max(pending.instance.written_at);
}

fn fold_delete(state: &mut State, pending: &Pending, answer: Option<&Observation>) -> Recovered {
    let id = &pending.instance.physical_id;
    let is_it = |address: &Address, instance: &Instance| *address == pending.address && instance.physical_id == *id;
    match answer {
        Some(Observation::Missing) => {
            state.instances.retain(|address, instance| !is_it(address, instance));
            state.deposed.retain(|deposed| !is_it(&deposed.address, &deposed.instance));
            recovered(pending, format!("was being deleted and is gone: {id} is dropped from state"), false)
        }
        Some(Observation::Found(_)) => {
            recovered(pending, "was being deleted and is still there: it stays in state", false)
        }
        Some(Observation::Foreign(how)) => {
            recovered(pending, format!("was being deleted and is not ours any more ({how}): it stays in state"), false)
        }
        unknown => unreadable(pending, unknown),
    }
}

fn fold_creation(state: &mut State, pending: &Pending, live: &Live, circumstances: Circumstances<'_>) -> Recovered {
    let kind = circumstances.registry.get(&pending.instance.type_name);
    let mut instance = found_instance(pending, live, kind, circumstances.wall);
    let id = live.physical_id.clone();
    let is_deposed = state.deposed.iter().any(|deposed| deposed.instance.physical_id == id);
    let held = state.instances.get(&pending.address);
    match held {
        // Whether its creation was done, and what it told was passed on, nobody knows.
        Some(known) if known.physical_id == id && is_spent(kind, &live.attributes) => {
            state.instances.remove(&pending.address);
            state.deposed.push(Deposed { address: pending.address.clone(), instance });
            recovered(pending, lost(&id), false)
        }
        Some(known) if known.physical_id == id => {
            // A value that was confirmed since, and that the creation had tried too, is there whichever came last.
            for (name, tried) in &mut instance.managed {
                if let Some(known) =
                    known.managed.get(name).filter(|known| pending.instance.managed.get(name) == Some(*known))
                {
                    tried.clone_from(known);
                }
            }
            instance.managed = union(&known.managed, &instance.managed);
            instance.waits_for.extend(known.waits_for.iter().cloned());
            state.instances.insert(pending.address.clone(), instance);
            recovered(pending, format!("had been made as {id}: state knows it"), false)
        }
        _ if is_deposed => recovered(pending, format!("had been made as {id}, which is to be deleted"), false),
        _ if is_spent(kind, &live.attributes) => {
            state.deposed.push(Deposed { address: pending.address.clone(), instance });
            recovered(pending, lost(&id), false)
        }
        Some(known) if pending.before.get(REPLACES).and_then(Value::as_str) != Some(&known.physical_id) => {
            state.deposed.push(Deposed { address: pending.address.clone(), instance });
            recovered(pending, format!("had been made a second time as {id}, which will be deleted"), false)
        }
        known => {
            if let Some(old) = known.cloned() {
                state.deposed.push(Deposed { address: pending.address.clone(), instance: old });
            }
            state.instances.insert(pending.address.clone(), instance);
            recovered(pending, format!("was being made and exists as {id}: it is taken into state"), false)
        }
    }
}

fn lost(id: &str) -> String {
    format!("had been made as {id}, but what AWS tells only once may be lost: it will be deleted and made anew")
}

fn leave_creation(state: &State, pending: &Pending, answer: Option<&Observation>) -> Recovered {
    match answer {
        Some(Observation::Missing) if state.instances.contains_key(&pending.address) => {
            recovered(pending, "was to be made, and is in state: nothing to take in", false)
        }
        Some(Observation::Missing) => {
            recovered(pending, "was to be made and does not exist: nothing to take in", false)
        }
        Some(Observation::Found(live)) => {
            let (id, how) = (&live.physical_id, whose(live, pending, state));
            recovered(pending, format!("was to be made; {id} exists and is not it ({how}): it is left alone"), false)
        }
        Some(Observation::Foreign(how)) => recovered(
            pending,
            format!("was to be made; what exists there is not ours ({how}): it is left alone"),
            false,
        ),
        unknown => unreadable(pending, unknown),
    }
}

fn unreadable(pending: &Pending, answer: Option<&Observation>) -> Recovered {
    let why = match answer {
        Some(Observation::Unreadable(fault)) => fault.to_string(),
        _ => "it was not read".to_owned(),
    };
    recovered(pending, format!("may or may not have been changed ({why}): it stays pending"), true)
}

fn recovered(pending: &Pending, what: impl Into<String>, stays: bool) -> Recovered {
    let what = format!("{} {}", pending.address, what.into());
    Recovered { address: pending.address.clone(), verb: pending.verb, what, stays }
}
