//! What state says at each moment of an apply. It is changed here alone and handed out as owned copies, so that nothing
//! changes under a write that is on its way.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::events::Event;
use super::model::Options;
use super::recover::{REPLACES, found_instance};
use super::schedule::{self, Operation};
use super::stored::{attempted, attributes, intended, storable, union};
use crate::address::Address;
use crate::diagnostic::Diagnostics;
use crate::expression::settle;
use crate::plan::{Action, Change, Live, Plan};
use crate::resource::ResourceType;
use crate::state::{Deposed, FORMAT, Instance, Pending, Run, State, Verb};
use crate::value::{Map, Value};

/// The state in the making, and the attributes known by now, secret ones included.
pub(super) struct Record<'a> {
    options: Options<'a>,
    /// The state as it would be written now.
    pub state: State,
    known: BTreeMap<Address, Map>,
    wall: u64,
}

impl<'a> Record<'a> {
    /// A record that starts from `state` with everything in `plan` carried out that needs no call: moves, what is
    /// forgotten, what is accepted from AWS, what only the tool remembers.
    pub fn new(plan: &Plan, state: State, options: Options<'a>, events: &mut Vec<Event>) -> Self {
        let mut record = Self { options, state, known: BTreeMap::new(), wall: 0 };
        record.state.format = FORMAT;
        env!("CARGO_PKG_VERSION").clone_into(&mut record.state.tool);
        record.carry_out_moves(plan, events);
        record.reinstate(plan);
        for (address, change) in &plan.changes {
            record.begin_change(address, change, events);
        }
        for (address, instance) in &record.state.instances {
            let known = record.known.entry(address.clone()).or_default();
            instance.attributes.iter().for_each(|(name, value)| {
                known.entry(name.clone()).or_insert_with(|| value.clone());
            });
        }
        // What is made anew has other attributes; the old ones must not stand in for them.
        for (address, change) in &plan.changes {
            if matches!(change.action, Action::Create | Action::Replace { .. } | Action::Delete) {
                record.known.remove(address);
            }
        }
        record
    }

    fn carry_out_moves(&mut self, plan: &Plan, events: &mut Vec<Event>) {
        let moves: BTreeMap<Address, Address> = plan
            .changes
            .values()
            .filter_map(|change| Some((change.moved_from.clone()?, change.address.clone())))
            .filter(|(from, _)| self.state.instances.contains_key(from))
            .collect();
        if moves.is_empty() {
            return;
        }
        let now = |address: &Address| moves.get(address).unwrap_or(address).clone();
        let renamed = |edges: &BTreeSet<Address>| edges.iter().map(now).collect::<BTreeSet<_>>();
        // All at once: two resources may trade places.
        let instances = std::mem::take(&mut self.state.instances);
        for (address, mut instance) in instances {
            instance.waits_for = renamed(&instance.waits_for);
            self.state.instances.insert(now(&address), instance);
        }
        for deposed in &mut self.state.deposed {
            deposed.instance.waits_for = renamed(&deposed.instance.waits_for);
        }
        events.extend(moves.into_iter().map(|(from, to)| Event::Moved { from, to }));
    }

    /// What the plan no longer wants deleted is the resource of its address again, and what stands there is to be deleted
    /// ([`crate::plan::moves::reinstated`]).
    fn reinstate(&mut self, plan: &Plan) {
        let goes = |address: &Address, id: &str| {
            plan.deposed.iter().any(|deposed| deposed.address == *address && deposed.instance.physical_id == id)
        };
        for deposed in std::mem::take(&mut self.state.deposed) {
            let Deposed { address, instance } = deposed;
            let wanted = plan.changes.get(&address).and_then(|change| change.after.as_ref());
            let is_wanted = wanted.is_some_and(|after| after.physical_id == instance.physical_id);
            let current = self.state.instances.get(&address).map(|current| current.physical_id.as_str());
            if is_wanted && !goes(&address, &instance.physical_id) && current.is_none_or(|id| goes(&address, id)) {
                self.place(address, instance);
            } else {
                self.state.deposed.push(Deposed { address, instance });
            }
        }
    }

    fn begin_change(&mut self, address: &Address, change: &Change, events: &mut Vec<Event>) {
        match change.action {
            Action::Forget => {
                if self.state.instances.remove(address).is_some() {
                    events.push(Event::Forgotten { address: address.clone() });
                }
            }
            // Its absence was confirmed: state must not take the new one for the successor of something.
            Action::Create => {
                self.state.instances.remove(address);
            }
            Action::Adopt | Action::Replace { .. } => {
                if let (false, Some(found)) = (self.state.instances.contains_key(address), &change.before) {
                    let mut taken = found.clone();
                    taken.managed = Map::new();
                    taken.attributes = attributes(&found.attributes, self.kind(found));
                    taken.memory = storable(&found.memory, self.options.seal, &Map::new());
                    self.state.instances.insert(address.clone(), taken);
                    events.push(Event::Accepted { address: address.clone() });
                }
            }
            Action::NoOp | Action::Update => {
                if schedule::makes(change, self.options.registry) {
                    return;
                }
                let (Some(after), Some(old)) = (&change.after, self.state.instances.get(address)) else { return };
                let mut new = self.recorded(after, Some(old));
                new.written_at = old.written_at;
                if new != *old {
                    self.state.instances.insert(address.clone(), new);
                    events.push(Event::Accepted { address: address.clone() });
                }
            }
            Action::Delete => {}
        }
    }

    /// Notes the time, by which writes to resources are dated.
    pub fn tick(&mut self, wall: u64) {
        self.wall = wall;
    }

    /// Adds `run` and an entry for every operation: what the next run would have to look at.
    pub fn begin(&mut self, run: &Run, operations: &[Operation], plan: &Plan) {
        self.state.run = Some(run.clone());
        for operation in operations {
            let change = plan.changes.get(&operation.address);
            let mut before = Map::new();
            let instance = match (&operation.old, change) {
                (Some(old), _) => old.clone(),
                (None, Some(Change { after: Some(after), .. })) => {
                    if operation.verb == Verb::Create {
                        before = self.options.before.get(&operation.address).cloned().unwrap_or_default();
                        if let Some(old) = self.state.instances.get(&operation.address) {
                            before.insert(REPLACES.into(), old.physical_id.clone().into());
                        }
                    }
                    let mut instance = after.clone();
                    instance.attributes = attributes(&after.attributes, self.kind(after));
                    instance.managed = intended(&after.managed, self.options.seal);
                    instance.memory = intended(&after.memory, self.options.seal);
                    if let (Verb::Update, Some(old)) = (operation.verb, self.state.instances.get(&operation.address)) {
                        instance.physical_id.clone_from(&old.physical_id);
                    }
                    instance
                }
                (None, _) => continue,
            };
            self.state.pending.push(Pending {
                run: run.id.clone(),
                verb: operation.verb,
                address: operation.address.clone(),
                token: token(&run.id, operation),
                seen_missing: operation.verb == Verb::Create && change.is_some_and(|change| change.seen_missing),
                instance,
                before,
            });
        }
    }

    /// The entry of an operation.
    pub fn pending(&self, token: &str) -> Option<&Pending> {
        self.state.pending.iter().find(|pending| pending.token == token)
    }

    /// Drops the entries of operations that have ended, or never began.
    pub fn settle_pending(&mut self, tokens: &BTreeSet<String>) {
        self.state.pending.retain(|pending| !tokens.contains(&pending.token));
    }

    /// An attribute of a resource as it is now.
    pub fn attribute(&self, address: &Address, name: &str) -> Option<Value> {
        self.known.get(address)?.get(name).filter(|value| value.is_known()).cloned()
    }

    /// A map of properties with everything known put in; attributes of `but` stay unknown. Fails where an expression does,
    /// now that what it waited for is known.
    pub fn settled(&self, map: &Map, but: Option<&Address>) -> Result<Map, Diagnostics> {
        let known =
            |address: &Address, name: &str| (but != Some(address)).then(|| self.attribute(address, name)).flatten();
        map.iter().map(|(key, value)| Ok((key.clone(), settle(value.clone(), &known)?))).collect()
    }

    /// One value with everything known put in.
    pub fn settled_value(&self, value: &Value) -> Result<Value, Diagnostics> {
        settle(value.clone(), &|address, name| self.attribute(address, name))
    }

    /// [`Self::settled`] for what goes into state: what cannot be evaluated stays unknown there.
    fn settled_as_possible(&self, map: &Map) -> Map {
        let settled = |value: &Value| self.settled_value(value).unwrap_or_else(|_| value.clone());
        map.iter().map(|(key, value)| (key.clone(), settled(value))).collect()
    }

    /// A resource got its identifier, or was found where a create may have made it: state knows it from here on, with
    /// all that was tried.
    pub fn identified(&mut self, token: &str, live: &Live) {
        let Some(pending) = self.state.pending.iter_mut().find(|pending| pending.token == token) else { return };
        let kind = self.options.registry.get(&pending.instance.type_name);
        let mut instance = found_instance(pending, live, kind, self.wall);
        pending.instance.physical_id.clone_from(&live.physical_id);
        pending.instance.attributes.clone_from(&instance.attributes);
        let address = pending.address.clone();
        if let Some(old) = self.state.instances.get(&address).filter(|old| old.physical_id == live.physical_id) {
            instance.managed = union(&old.managed, &instance.managed);
            instance.waits_for.extend(old.waits_for.iter().cloned());
        }
        self.place(address, instance);
    }

    /// What a creation had made is gone: if another attempt makes something again, it has to be found by the type's identity.
    pub fn unidentified(&mut self, token: &str, change: &Change) {
        let Some(after) = &change.after else { return };
        let kind = self.options.registry.get(&after.type_name);
        if let Some(pending) = self.state.pending.iter_mut().find(|pending| pending.token == token) {
            pending.instance.physical_id.clone_from(&after.physical_id);
            pending.instance.attributes = attributes(&after.attributes, kind);
        }
    }

    /// A create or update was confirmed.
    pub fn made(&mut self, change: &Change, physical_id: &str, reply: &Map) {
        let Some(after) = &change.after else { return };
        let address = &change.address;
        let mut attributes = after.attributes.clone();
        attributes.extend(reply.clone());
        let mut target = after.clone();
        physical_id.clone_into(&mut target.physical_id);
        target.attributes = attributes.clone();
        self.known.entry(address.clone()).or_default().extend(attributes);
        target.managed = self.settled_as_possible(&target.managed);
        target.memory = self.settled_as_possible(&target.memory);
        let old = self.state.instances.get(address).filter(|old| old.physical_id == physical_id);
        let mut instance = self.recorded(&target, old);
        instance.written_at = self.wall;
        self.place(address.clone(), instance);
    }

    /// An update ended and nobody knows how much of it took effect.
    pub fn tried(&mut self, change: &Change) {
        let (Some(after), Some(old)) = (&change.after, self.state.instances.get(&change.address)) else { return };
        let mut target = after.clone();
        target.managed = self.settled_as_possible(&target.managed);
        let new = self.recorded(&target, Some(old));
        let mut instance = old.clone();
        instance.managed = attempted(&old.managed, &new.managed, self.kind(old));
        instance.memory = union(&old.memory, &new.memory);
        instance.waits_for.extend(new.waits_for);
        instance.protect |= new.protect;
        instance.retain |= new.retain;
        instance.written_at = self.wall;
        self.state.instances.insert(change.address.clone(), instance);
    }

    /// A resource is gone from AWS.
    pub fn deleted(&mut self, address: &Address, physical_id: &str) {
        if self.state.instances.get(address).is_some_and(|instance| instance.physical_id == physical_id) {
            self.state.instances.remove(address);
        }
        self.state.deposed.retain(|deposed| deposed.address != *address || deposed.instance.physical_id != physical_id);
    }

    /// What was found is of no use and has to go.
    pub fn depose(&mut self, address: &Address, instance: Instance) {
        let known =
            |deposed: &Deposed| deposed.address == *address && deposed.instance.physical_id == instance.physical_id;
        if !self.state.deposed.iter().any(known) {
            self.state.deposed.push(Deposed { address: address.clone(), instance });
        }
    }

    /// What state has under an address is of no use and has to go.
    pub fn depose_current(&mut self, address: &Address) {
        if let Some(instance) = self.state.instances.remove(address) {
            self.depose(address, instance);
        }
    }

    /// Puts a resource under its address; another one that is there still has to be deleted.
    fn place(&mut self, address: Address, instance: Instance) {
        let id = instance.physical_id.clone();
        self.state.deposed.retain(|deposed| deposed.address != address || deposed.instance.physical_id != id);
        if let Some(old) = self.state.instances.insert(address.clone(), instance)
            && old.physical_id != id
        {
            self.depose(&address, old);
        }
    }

    /// An instance as it may be stored.
    fn recorded(&self, instance: &Instance, old: Option<&Instance>) -> Instance {
        let nothing = Map::new();
        let mut stored = instance.clone();
        stored.attributes = attributes(&instance.attributes, self.kind(instance));
        stored.managed = storable(&instance.managed, self.options.seal, old.map_or(&nothing, |old| &old.managed));
        stored.memory = storable(&instance.memory, self.options.seal, old.map_or(&nothing, |old| &old.memory));
        stored
    }

    fn kind(&self, instance: &Instance) -> Option<&'a dyn ResourceType> {
        self.options.registry.get(&instance.type_name)
    }
}

/// An operation's idempotency token: 32 hex digits, the same for every attempt, different for every other operation of
/// every run. (AWS's client tokens take up to 64 characters of `[a-zA-Z0-9-_]`.)
pub(super) fn token(run: &str, operation: &Operation) -> String {
    let old = operation.old.as_ref().map_or("", |old| old.physical_id.as_str());
    let text = format!("{run}\n{}\n{}\n{old}", operation.address, schedule::name(operation.verb));
    Sha256::digest(text.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
