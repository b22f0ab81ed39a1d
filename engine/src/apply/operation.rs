//! One operation from its first call to its end: what each answer means.
//!
//! - A create that may have taken effect, or that met something there already, is followed by a read: what is ours is
//!   brought to what was desired, what is missing is created again with the same token, what is not ours is left alone.
//! - A create that failed for certain may have failed half-way: it is read too, so that state knows what is left.
//! - Updates and deletes whose effect is unknown are repeated: their verbs are idempotent.

use std::time::Duration;

use super::machine::{Apply, wrong_reply};
use super::model::{Reply, Request};
use super::recover::{found_instance, is_ours, is_spent, question, whose};
use super::schedule::{Operation, is_managed, name};
use super::unready::{Unready, foreign_unknown, set};
use crate::address::Address;
use crate::diagnostic::Diagnostics;
use crate::diff::mismatches;
use crate::fault::{Fault, FaultKind};
use crate::plan::{Cause, Change, Difference, Live, Observation};
use crate::state::{Instance, Pending, Verb};
use crate::value::Map;

/// Attempts at one operation whose effect is unknown. The provider has its own retries for what the service asks to
/// repeat; these are for answers that never came.
const ATTEMPTS: u32 = 4;

/// An operation and how far it is.
#[derive(Debug)]
pub(super) struct Task {
    pub operation: Operation,
    pub token: String,
    pub phase: Phase,
    /// Attempts that ended in doubt.
    pub attempts: u32,
    /// When its first call started.
    pub since: Option<Duration>,
    /// Once the resource's existence is recorded: the generation of the state that must be stored before anything relies on
    /// its identifier; 0 where the identifier was known before. For a delete likewise, where it frees a name.
    pub is_identified: Option<u64>,
    /// What the last attempt met.
    pub last: Option<Fault>,
}

/// How far an operation is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Phase {
    /// It waits for others.
    Waiting {
        /// How many.
        left: usize,
    },
    /// Its next call may start, now or after a rest.
    Ready(Step),
    /// A call is in flight.
    Running(Step),
    /// It is done.
    Done,
    /// It failed.
    Failed,
    /// Another failed before it.
    Skipped,
    /// The apply was stopped before it.
    NotStarted,
}

/// One call of an operation.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// The verb itself.
    Act,
    /// A look at what a create left.
    Look(Why),
    /// An update of what a create left.
    Repair(Box<Live>),
    /// A delete of what a create left, where it is of no use.
    Clear(Box<Instance>),
}

/// Why a create is followed by a look.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Why {
    /// It may have taken effect.
    Uncertain(Fault),
    /// Something is there already.
    Conflict(Fault),
    /// It failed, perhaps half-way.
    Failed(Fault),
}

impl Why {
    fn fault(self) -> Fault {
        match self {
            Self::Uncertain(fault) | Self::Conflict(fault) | Self::Failed(fault) => fault,
        }
    }
}

impl Apply<'_> {
    /// The next call of an operation, which is marked as running; `None` if it can't be made, and then it has failed.
    pub(super) fn request(&mut self, at: usize) -> Option<Request> {
        let task = self.tasks.get_mut(at)?;
        let Phase::Ready(step) = task.phase.clone() else { return None };
        task.phase = Phase::Running(step.clone());
        let (address, token, verb) = (task.operation.address.clone(), task.token.clone(), task.operation.verb);
        let old = task.operation.old.clone();
        let request = match (step, verb) {
            (Step::Act, Verb::Delete) => {
                old.map(|instance| Request::Delete { address, token, instance }).ok_or(Unready::Nonsense)
            }
            (Step::Act, Verb::Create) => self.create_request(&address, token),
            (Step::Act, Verb::Update) => self.update_request(&address, token),
            (Step::Look(_), _) => {
                self.entry(at).ok_or(Unready::Nonsense).map(|entry| question(&self.record.state, &entry))
            }
            (Step::Repair(live), _) => self.repair_request(at, &address, token, &live),
            (Step::Clear(instance), _) => Ok(Request::Delete { address, token, instance: *instance }),
        };
        match request {
            Ok(request) => Some(request),
            Err(unready) => {
                self.fail(at, Fault::local(FaultKind::Invalid, "settle", unready.to_string()), false);
                None
            }
        }
    }

    fn create_request(&self, address: &Address, token: String) -> Result<Request, Unready> {
        let change = self.plan.changes.get(address).ok_or(Unready::Nonsense)?;
        let after = change.after.as_ref().ok_or(Unready::Nonsense)?;
        let desired = self.record.settled(&change.desired, Some(address))?;
        let memory = self.record.settled(&after.memory, Some(address))?;
        if let Some(unknown) = desired.values().chain(memory.values()).find_map(|value| foreign_unknown(value, address))
        {
            return Err(Unready::Unknown(unknown.0, unknown.1));
        }
        let mut instance = after.clone();
        instance.managed = Map::new();
        instance.memory = memory;
        instance.attributes.retain(|_, value| value.is_known());
        let before = self.record.pending(&token).map(|entry| entry.before.clone()).unwrap_or_default();
        Ok(Request::Create { address: address.clone(), token, instance, desired, before })
    }

    fn update_request(&self, address: &Address, token: String) -> Result<Request, Unready> {
        let change = self.plan.changes.get(address).ok_or(Unready::Nonsense)?;
        let mut instance =
            self.record.state.instances.get(address).or(change.before.as_ref()).ok_or(Unready::Nonsense)?.clone();
        let mut live = instance.managed.clone();
        for difference in change.differences.iter() {
            set(&mut live, &difference.path, difference.from.clone());
        }
        for accepted in &change.accepted {
            set(&mut live, &accepted.path, accepted.to.clone());
        }
        let differences =
            change.differences.iter().filter(|found| is_managed(change, &found.path, self.options.registry));
        let differences: Vec<Difference> = differences
            .map(|found| Ok(Difference { to: self.record.settled_value(&found.to)?, ..found.clone() }))
            .collect::<Result<_, Diagnostics>>()?;
        if let Some(unknown) = differences.iter().find_map(|found| foreign_unknown(&found.to, address)) {
            return Err(Unready::Unknown(unknown.0, unknown.1));
        }
        let mut desired = self.record.settled(&change.desired, None)?;
        // What is unknown and does not differ was told once, to an earlier apply: it stays as it is.
        desired.retain(|_, value| value.is_known());
        if let Some(after) = &change.after {
            instance.memory = self.record.settled(&after.memory, None)?;
            instance.memory.retain(|_, value| value.is_known());
        }
        Ok(Request::Update { address: address.clone(), token, instance, desired, live, differences })
    }

    fn repair_request(&self, at: usize, address: &Address, token: String, live: &Live) -> Result<Request, Unready> {
        let Request::Create { mut instance, desired, .. } = self.create_request(address, token.clone())? else {
            return Err(Unready::Nonsense);
        };
        instance.physical_id.clone_from(&live.physical_id);
        instance.attributes.extend(live.attributes.clone());
        let differences = self.left_to_do(at, &desired, live);
        Ok(Request::Update {
            address: address.clone(),
            token,
            instance,
            desired,
            live: live.managed.clone(),
            differences,
        })
    }

    /// What is not yet as desired of a resource that a create left.
    fn left_to_do(&self, at: usize, desired: &Map, live: &Live) -> Vec<Difference> {
        let Some(kind) =
            self.change(at).and_then(|change| self.options.registry.get(change.address.type_name.as_str()))
        else {
            return Vec::new();
        };
        mismatches(kind, desired, &live.managed)
            .into_iter()
            .map(|mismatch| Difference {
                replaces: kind.schema().create_only(&mismatch.path),
                path: mismatch.path,
                from: mismatch.live,
                to: mismatch.desired,
                cause: Cause::File,
            })
            .collect()
    }

    /// A call of an operation has ended.
    pub(super) fn advance(&mut self, at: usize, result: Result<Reply, Fault>) {
        let Some(task) = self.tasks.get_mut(at) else { return };
        let Phase::Running(step) = task.phase.clone() else { return };
        if let Err(fault) = &result {
            task.last = Some(fault.clone());
        }
        let verb = task.operation.verb;
        match (step, verb, result) {
            (Step::Look(why), _, Ok(Reply::Read(observation))) => self.looked(at, why, observation),
            (Step::Look(why), _, Err(fault)) => self.looked(at, why, Observation::Unreadable(fault)),
            (Step::Act, Verb::Create, Ok(Reply::Created { physical_id, attributes })) => {
                self.created(at, &physical_id, &attributes);
            }
            (Step::Act, Verb::Create, Err(fault)) => self.create_failed(at, fault),
            (Step::Act, Verb::Update, Ok(Reply::Updated { attributes })) => self.updated(at, &attributes),
            (Step::Act, Verb::Update, Err(fault)) => self.update_failed(at, fault),
            (Step::Act, Verb::Delete, Ok(Reply::Deleted)) => self.deleted(at),
            (Step::Act, Verb::Delete, Err(fault)) => self.delete_failed(at, fault),
            (Step::Repair(live), _, Ok(Reply::Updated { attributes })) => {
                let mut all = live.attributes.clone();
                all.extend(attributes);
                self.created(at, &live.physical_id, &all);
            }
            (Step::Repair(live), _, Err(fault)) => self.repair_failed(at, live, fault),
            (Step::Clear(instance), _, Ok(Reply::Deleted)) => self.cleared(at, &instance),
            (Step::Clear(instance), _, Err(fault)) => match fault.kind {
                FaultKind::NotFound => self.cleared(at, &instance),
                FaultKind::Uncertain if self.may_retry(at) => self.rest(at, Step::Clear(instance), fault),
                // It is listed among what still has to be deleted.
                _ => self.fail(at, fault, false),
            },
            (_, _, Ok(_)) => self.fail(at, wrong_reply(name(verb)), true),
        }
    }

    fn created(&mut self, at: usize, physical_id: &str, attributes: &Map) {
        let Some(entry) = self.entry(at) else { return };
        let Some(change) = self.change(at).cloned() else { return };
        if physical_id.is_empty() {
            return self.fail(at, wrong_reply("create"), true);
        }
        if self.is_superseded(at, physical_id) {
            return self.fail(at, same_as_old(physical_id), false);
        }
        self.record.made(&change, physical_id, attributes);
        let generation = self.changed();
        if let Some(task) = self.tasks.get_mut(at) {
            let is_new = entry.instance.physical_id != physical_id;
            task.is_identified = task.is_identified.or(Some(if is_new { generation } else { 0 }));
        }
        match self.contradiction(&change, Some(physical_id), attributes) {
            Some(fault) => self.fail(at, fault, false),
            None => self.succeed(at),
        }
    }

    fn create_failed(&mut self, at: usize, fault: Fault) {
        let is_identified = self.tasks.get(at).is_some_and(|task| task.is_identified.is_some());
        match fault.kind {
            FaultKind::Uncertain if !self.is_stopping() => {
                self.count(at);
                self.rest(at, Step::Look(Why::Uncertain(fault.clone())), fault);
            }
            FaultKind::Uncertain => self.fail(at, fault, true),
            // State has what there is of it.
            _ if is_identified => self.fail_half_made(at, fault),
            // Nobody can look any more.
            FaultKind::Expired => self.fail(at, fault, true),
            _ if self.is_stopping() => self.fail(at, fault, true),
            FaultKind::Conflict => {
                self.count(at);
                self.go_on(at, Step::Look(Why::Conflict(fault)));
            }
            _ => self.go_on(at, Step::Look(Why::Failed(fault))),
        }
    }

    /// A create failed after its resource was recorded. What AWS told only once is lost with it: then it is of no use.
    fn fail_half_made(&mut self, at: usize, fault: Fault) {
        if let Some(address) = self.tasks.get(at).map(|task| task.operation.address.clone())
            && is_spent(self.options.registry.get(address.type_name.as_str()), &Map::new())
        {
            self.record.depose_current(&address);
        }
        self.fail(at, fault, false);
    }

    fn looked(&mut self, at: usize, why: Why, observation: Observation) {
        let Some(entry) = self.entry(at) else { return };
        match (observation, why) {
            (Observation::Found(live), why) if is_ours(&live, &entry, &self.record.state, self.options.registry) => {
                self.found(at, &entry, live, why);
            }
            (Observation::Found(_) | Observation::Foreign(_) | Observation::Missing, Why::Failed(fault)) => {
                self.fail(at, fault, false);
            }
            (Observation::Found(live), why) => {
                let how = whose(&live, &entry, &self.record.state);
                self.fail(at, taken(why.fault(), &live.physical_id, &how), false);
            }
            (Observation::Foreign(how), why) => {
                self.fail(at, taken(why.fault(), &entry.instance.physical_id, &how), false)
            }
            (Observation::Missing, Why::Uncertain(fault)) if self.has_attempts(at) => {
                self.unidentified(at);
                self.rest(at, Step::Act, fault);
            }
            (Observation::Missing, Why::Uncertain(fault)) => self.fail(at, fault, true),
            (Observation::Missing, Why::Conflict(fault)) if self.has_attempts(at) => self.rest(at, Step::Act, fault),
            (Observation::Missing, Why::Conflict(fault)) => self.fail(at, fault, false),
            (Observation::Unreadable(read), why) => {
                if read.kind == FaultKind::Uncertain && self.may_retry(at) {
                    return self.rest(at, Step::Look(why), read);
                }
                let expired = read.kind == FaultKind::Expired;
                let fault = advise(why.fault(), &format!("whether it exists could not be read ({read})"));
                self.fail(at, fault, true);
                if expired {
                    self.stop(super::model::Stopped::Expired);
                }
            }
        }
    }

    fn found(&mut self, at: usize, entry: &Pending, live: Live, why: Why) {
        let kind = self.options.registry.get(&entry.instance.type_name);
        if self.is_superseded(at, &live.physical_id) {
            return self.fail(at, same_as_old(&live.physical_id), false);
        }
        if is_spent(kind, &live.attributes) {
            let instance = found_instance(entry, &live, kind, 0);
            self.record.depose(&entry.address, instance.clone());
            self.changed();
            return match why {
                Why::Failed(fault) => self.fail(at, fault, false),
                _ => self.go_on(at, Step::Clear(Box::new(instance))),
            };
        }
        self.identify(at, &live.physical_id, &live.attributes, Some(&live.managed));
        if let Why::Failed(fault) = why {
            return self.fail(at, fault, false);
        }
        let desired = match self.change(at) {
            Some(change) => match self.record.settled(&change.desired, Some(&entry.address)) {
                Ok(desired) => desired,
                // It was settled once, for the create that left this.
                Err(_) => return self.fail(at, why.fault(), false),
            },
            None => return,
        };
        let left = self.left_to_do(at, &desired, &live);
        if let Some(difference) = left.iter().find(|difference| difference.replaces) {
            let advice = format!(
                "{} exists, is ours, and has another {}, which cannot be changed in place: plan again",
                live.physical_id, difference.path
            );
            return self.fail(at, advise(why.fault(), &advice), false);
        }
        let is_marked = live.owner.is_some() || kind.is_some_and(|kind| !kind.descriptor().taggable);
        if left.is_empty() && is_marked {
            self.created(at, &live.physical_id, &live.attributes);
        } else {
            self.go_on(at, Step::Repair(Box::new(live)));
        }
    }

    fn repair_failed(&mut self, at: usize, live: Box<Live>, fault: Fault) {
        match fault.kind {
            FaultKind::Uncertain if self.may_retry(at) => self.rest(at, Step::Repair(live), fault),
            FaultKind::NotFound if self.may_retry(at) => {
                self.unidentified(at);
                self.rest(at, Step::Act, fault);
            }
            // State has what there is of it, with all that was tried.
            _ => self.fail(at, fault, false),
        }
    }

    fn cleared(&mut self, at: usize, instance: &Instance) {
        if let Some(task) = self.tasks.get(at) {
            let address = task.operation.address.clone();
            self.record.deleted(&address, &instance.physical_id);
            self.unidentified(at);
        }
        // There may be another: an attempt before the last one may have taken effect late.
        let fault = self.tasks.get(at).and_then(|task| task.last.clone()).unwrap_or_else(|| wrong_reply("create"));
        if self.may_retry(at) {
            self.go_on(at, Step::Look(Why::Uncertain(fault)));
        } else {
            self.fail(at, fault, true);
        }
    }

    fn unidentified(&mut self, at: usize) {
        if let (Some(token), Some(change)) =
            (self.tasks.get(at).map(|task| task.token.clone()), self.change(at).cloned())
        {
            self.record.unidentified(&token, &change);
            self.changed();
        }
        if let Some(task) = self.tasks.get_mut(at) {
            task.is_identified = None;
        }
    }

    fn updated(&mut self, at: usize, attributes: &Map) {
        let Some(change) = self.change(at).cloned() else { return };
        let Some(id) = self.record.state.instances.get(&change.address).map(|found| found.physical_id.clone()) else {
            return;
        };
        self.record.made(&change, &id, attributes);
        self.changed();
        match self.contradiction(&change, None, attributes) {
            Some(fault) => self.fail(at, fault, false),
            None => self.succeed(at),
        }
    }

    fn update_failed(&mut self, at: usize, fault: Fault) {
        if fault.kind == FaultKind::Uncertain && self.may_retry(at) {
            return self.rest(at, Step::Act, fault);
        }
        if let Some(change) = self.change(at).cloned() {
            self.record.tried(&change);
        }
        let fault = match fault.kind {
            FaultKind::NotFound => advise(fault, "it was deleted after it was planned: plan again"),
            _ => fault,
        };
        self.fail(at, fault, false);
    }

    fn deleted(&mut self, at: usize) {
        let Some(Task { operation, .. }) = self.tasks.get(at) else { return };
        let (address, old, frees_name) = (operation.address.clone(), operation.old.clone(), operation.frees_name);
        if let Some(old) = old {
            self.record.deleted(&address, &old.physical_id);
        }
        let generation = self.changed();
        if let Some(task) = self.tasks.get_mut(at) {
            task.is_identified = frees_name.then_some(generation);
        }
        self.succeed(at);
    }

    fn delete_failed(&mut self, at: usize, fault: Fault) {
        match fault.kind {
            FaultKind::NotFound => self.deleted(at),
            FaultKind::Uncertain if self.may_retry(at) => self.rest(at, Step::Act, fault),
            FaultKind::Uncertain => self.fail(at, fault, true),
            _ => self.fail(at, fault, false),
        }
    }

    /// The apply stops while an operation is between two attempts.
    pub(super) fn give_up(&mut self, at: usize) {
        let Some(task) = self.tasks.get(at) else { return };
        let verb = task.operation.verb;
        let fault = task.last.clone().unwrap_or_else(|| wrong_reply(name(verb)));
        if verb == Verb::Update
            && let Some(change) = self.change(at).cloned()
        {
            self.record.tried(&change);
        }
        self.fail(at, fault, verb != Verb::Update);
    }

    /// What AWS made is not what was planned: what else was planned with it would be wrong.
    fn contradiction(&self, change: &Change, physical_id: Option<&str>, told: &Map) -> Option<Fault> {
        let after = change.after.as_ref()?;
        let kind = self.options.registry.get(change.address.type_name.as_str())?;
        let differs = |what: &str, planned: &str| {
            let message = format!(
                "AWS made {} with another {what} than was planned ({planned}): what depends on it is left alone; plan again",
                change.address
            );
            Some(Fault::local(FaultKind::Invalid, "verify", message))
        };
        if let Some(id) = physical_id
            && !after.physical_id.is_empty()
            && after.physical_id != id
        {
            return differs(kind.descriptor().physical_id, &after.physical_id);
        }
        for (name, planned) in &after.attributes {
            let is_predicted = kind.schema().attributes.get(name).is_some_and(|found| !found.made_by_aws);
            if let (true, true, Some(told)) = (is_predicted, planned.is_known() && !planned.is_null(), told.get(name))
                && told != planned
            {
                return differs(name, planned.as_str().unwrap_or("see the plan"));
            }
        }
        None
    }

    /// Whether a creation came upon the very resource that it replaces and that is deleted after it.
    fn is_superseded(&self, at: usize, physical_id: &str) -> bool {
        self.tasks.get(at).and_then(|task| task.operation.supersedes.as_deref()) == Some(physical_id)
    }

    fn entry(&self, at: usize) -> Option<Pending> {
        self.record.pending(&self.tasks.get(at)?.token).cloned()
    }

    fn change(&self, at: usize) -> Option<&Change> {
        self.plan.changes.get(&self.tasks.get(at)?.operation.address)
    }

    fn count(&mut self, at: usize) {
        if let Some(task) = self.tasks.get_mut(at) {
            task.attempts += 1;
        }
    }

    fn has_attempts(&self, at: usize) -> bool {
        !self.is_stopping() && self.tasks.get(at).is_some_and(|task| task.attempts < ATTEMPTS)
    }

    /// Counts an attempt that ended in doubt, and says whether another may be made.
    fn may_retry(&mut self, at: usize) -> bool {
        self.count(at);
        self.has_attempts(at)
    }

    /// Lets an operation try again: at first after a second, then after twice as long each time.
    fn rest(&mut self, at: usize, step: Step, fault: Fault) {
        let attempts = self.tasks.get(at).map_or(1, |task| task.attempts.clamp(1, ATTEMPTS));
        self.rest_for(at, step, Duration::from_secs(1 << (attempts - 1)), fault);
    }
}

/// A fault with what to do about it.
fn advise(fault: Fault, advice: &str) -> Fault {
    let message = match fault.message.is_empty() {
        true => advice.to_owned(),
        false => format!("{}; {advice}", fault.message),
    };
    Fault { message, ..fault }
}

fn taken(fault: Fault, physical_id: &str, how: &str) -> Fault {
    let advice = format!(
        "{physical_id} exists and is not this stack's ({how}): give the resource another name, or write \
         `import = \"{physical_id}\"` into its block if it shall belong to this stack"
    );
    Fault { kind: FaultKind::Conflict, ..advise(fault, &advice) }
}

fn same_as_old(physical_id: &str) -> Fault {
    let message =
        format!("AWS says that the new resource is the old one, {physical_id}, which was to be replaced: plan again");
    Fault::local(FaultKind::Conflict, "create", message)
}
