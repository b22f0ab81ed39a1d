//! The state machine: what is done next, and what follows from what happened.
//!
//! Whatever the driver reports is queued and worked off at the next `poll`, which alone knows the time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::events::Event;
use super::model::{
    ApplyError, CallId, Completed, Failed, Options, Poll, Progress, Reply, Request, Skipped, Stopped, Summary,
};
use super::operation::{Phase, Step, Task};
use super::record::{Record, token};
use super::recover;
use super::schedule;
use super::writer::Writer;
use crate::address::Address;
use crate::fault::Fault;
use crate::plan::{Observation, Plan};
use crate::state::{Run, State, Verb};
use crate::value::Map;

/// An apply under way.
pub struct Apply<'a> {
    pub(super) options: Options<'a>,
    pub(super) plan: Plan,
    pub(super) run: Run,
    pub(super) record: Record<'a>,
    pub(super) writer: Writer,
    pub(super) tasks: Vec<Task>,
    pub(super) stage: Stage,
    /// Operations that may start: longest path first, then in the order of the plan.
    ready: BTreeSet<(Reverse<usize>, usize)>,
    /// Operations that wait for a time before their next attempt.
    resting: BTreeSet<(Duration, usize)>,
    /// Operations that are done and whose dependents wait for a write of this generation.
    saving: BTreeSet<(u64, usize)>,
    pub(super) calls: BTreeMap<CallId, Call>,
    /// Calls that wait for their progress to be stored.
    parked: BTreeSet<(u64, CallId)>,
    next_call: u64,
    inbox: VecDeque<Message>,
    pub(super) events: Vec<Event>,
    pub(super) ended_tokens: BTreeSet<String>,
    unfinished: usize,
    pub(super) inherited: BTreeMap<String, Request>,
    /// Whether earlier runs left entries, also such as need no read, that are still to be folded in.
    pub(super) inherits: bool,
    pub(super) answers: BTreeMap<String, Observation>,
    pub(super) summary: Summary,
    pub(super) now: Duration,
    pub(super) wall: u64,
    /// What is stored, to see whether there is anything to write.
    stored: Option<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Before the write that precedes every call.
    Opening,
    /// Operations.
    Running,
    /// Reads of what an earlier run left behind.
    Reviewing,
    /// The last write.
    Closing,
    /// Nothing more.
    Ended,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    Operation(usize),
    Inherited(String),
}

enum Message {
    Persisted(Duration),
    NotPersisted { lost: bool, why: String },
    Progressed(CallId, Progress),
    Returned(CallId, Box<Result<Reply, Fault>>),
    Cancel,
}

impl<'a> Apply<'a> {
    /// An apply of `plan` to the stack of `state` by `run`. Entries of earlier runs that `state` still has are read again
    /// at the end.
    pub fn new(plan: Plan, state: State, run: Run, options: Options<'a>) -> Result<Self, ApplyError> {
        if plan.lineage != state.lineage {
            return Err(ApplyError::Foreign { plan: plan.lineage, state: state.lineage });
        }
        if plan.serial != state.serial {
            return Err(ApplyError::Stale { plan: plan.serial, state: state.serial });
        }
        let stored = (!options.recovered).then(|| state.clone());
        let writer = Writer::new(state.serial);
        let inherited = recover::questions(&state);
        let inherits = !state.pending.is_empty();
        let mut events = Vec::new();
        let record = Record::new(&plan, state, options.clone(), &mut events);
        record.state.verify().map_err(ApplyError::Inconsistent)?;
        let operations = schedule::build(&plan, &record.state, options.registry)?;
        let tasks: Vec<Task> = operations
            .into_iter()
            .map(|operation| Task {
                token: token(&run.id, &operation),
                phase: Phase::Waiting { left: operation.waits_for.len() },
                attempts: 0,
                since: None,
                is_identified: None,
                last: None,
                operation,
            })
            .collect();
        let mut apply = Self {
            unfinished: tasks.len(),
            options,
            plan,
            run,
            record,
            writer,
            tasks,
            stage: Stage::Opening,
            ready: BTreeSet::new(),
            resting: BTreeSet::new(),
            saving: BTreeSet::new(),
            calls: BTreeMap::new(),
            parked: BTreeSet::new(),
            next_call: 0,
            inbox: VecDeque::new(),
            events,
            ended_tokens: BTreeSet::new(),
            inherited,
            inherits,
            answers: BTreeMap::new(),
            summary: Summary::default(),
            now: Duration::ZERO,
            wall: 0,
            stored,
        };
        for at in 0..apply.tasks.len() {
            apply.make_ready(at);
        }
        Ok(apply)
    }

    /// What to do next. `now` is a monotonic clock, `wall` seconds since 1970.
    pub fn poll(&mut self, now: Duration, wall: u64) -> Poll {
        self.now = self.now.max(now);
        self.wall = wall;
        self.record.tick(wall);
        while let Some(message) = self.inbox.pop_front() {
            self.work_off(message);
        }
        self.release_saved();
        while self.resting.first().is_some_and(|(until, _)| *until <= self.now) {
            if let Some((_, at)) = self.resting.pop_first() {
                self.ready.insert((Reverse(usize::MAX), at));
            }
        }
        loop {
            let stage = self.stage;
            let poll = match stage {
                Stage::Opening => self.open(),
                Stage::Running => self.run_operations(),
                Stage::Reviewing => self.review(),
                Stage::Closing => self.close(),
                Stage::Ended => Some(Poll::Done(Box::new(self.finished()))),
            };
            if let Some(poll) = poll {
                return poll;
            }
        }
    }

    /// The state last given was written; `took` is how long that lasted.
    pub fn persisted(&mut self, took: Duration) {
        self.inbox.push_back(Message::Persisted(took));
    }

    /// The state last given was not written, as far as anybody can tell. `lost`: another run wrote it. Otherwise writing is
    /// tried again, and whoever writes first settles what became of this one.
    pub fn persist_failed(&mut self, lost: bool, why: String) {
        self.inbox.push_back(Message::NotPersisted { lost, why });
    }

    /// A call has made something and waits for [`Poll::Continue`] before its next call to AWS.
    pub fn progressed(&mut self, call: CallId, progress: Progress) {
        self.inbox.push_back(Message::Progressed(call, progress));
    }

    /// A call has ended.
    pub fn returned(&mut self, call: CallId, result: Result<Reply, Fault>) {
        self.inbox.push_back(Message::Returned(call, Box::new(result)));
    }

    /// Starts no further operation; what is in flight finishes and is recorded.
    pub fn cancel(&mut self) {
        self.inbox.push_back(Message::Cancel);
    }

    /// What happened since this was last asked.
    pub fn events(&mut self) -> impl Iterator<Item = Event> + '_ {
        self.events.drain(..)
    }

    /// How many operations there are, and how many have ended in some way: for progress displays.
    pub fn progress(&self) -> (usize, usize) {
        (self.tasks.len(), self.tasks.len() - self.unfinished)
    }

    fn work_off(&mut self, message: Message) {
        if self.stage == Stage::Ended {
            return;
        }
        match message {
            Message::Persisted(took) => {
                let serial = self.writer.confirm(took);
                self.events.push(Event::Persisted { serial, took });
                if self.stage == Stage::Opening {
                    self.stage = Stage::Running;
                }
            }
            Message::NotPersisted { lost, why } => {
                let give_up = self.writer.fail(self.now);
                self.stored = None;
                self.events.push(Event::NotPersisted { why: why.clone() });
                if lost {
                    self.abandon(Stopped::Lost(why));
                } else if give_up {
                    self.abandon(Stopped::Unwritable(why));
                }
            }
            Message::Progressed(call, progress) => self.take_progress(call, progress),
            Message::Returned(call, result) => match self.calls.remove(&call) {
                Some(Call::Operation(at)) => self.advance(at, *result),
                Some(Call::Inherited(token)) => {
                    let answer = match *result {
                        Ok(Reply::Read(observation)) => observation,
                        Ok(_) => Observation::Unreadable(wrong_reply("Read")),
                        Err(fault) => Observation::Unreadable(fault),
                    };
                    self.answers.insert(token, answer);
                }
                None => {}
            },
            Message::Cancel => self.stop(Stopped::Cancelled),
        }
    }

    fn take_progress(&mut self, call: CallId, progress: Progress) {
        let Some(Call::Operation(at)) = self.calls.get(&call).cloned() else {
            self.parked.insert((0, call));
            return;
        };
        let generation = self.identify(at, &progress.physical_id, &progress.attributes, None);
        self.parked.insert((generation, call));
    }

    /// Notes that an operation's resource exists under `physical_id`, and gives the generation that has to be stored before
    /// the next call about it. An identifier that the client chose is in the pending entry already.
    pub(super) fn identify(&mut self, at: usize, physical_id: &str, attributes: &Map, managed: Option<&Map>) -> u64 {
        let Some(task) = self.tasks.get_mut(at) else { return 0 };
        let Some(pending) = self.record.pending(&task.token) else { return 0 };
        if pending.verb != Verb::Create {
            return 0;
        }
        let is_new = pending.instance.physical_id != physical_id;
        let live = crate::plan::Live {
            physical_id: physical_id.to_owned(),
            managed: managed.cloned().unwrap_or_default(),
            attributes: attributes.clone(),
            owner: None,
            loss: Vec::new(),
            hint: false,
        };
        self.record.identified(&task.token, &live);
        let generation = self.writer.change(self.now);
        let task_generation = if is_new {
            self.writer.hurry(generation);
            generation
        } else {
            task.is_identified.unwrap_or(0)
        };
        task.is_identified = Some(task_generation);
        self.events
            .push(Event::Identified { address: task.operation.address.clone(), physical_id: physical_id.to_owned() });
        task_generation
    }

    /// Notes a change of the state that is to be written.
    pub(super) fn changed(&mut self) -> u64 {
        self.writer.change(self.now)
    }

    fn open(&mut self) -> Option<Poll> {
        if self.tasks.is_empty() && self.inherited.is_empty() || self.summary.stopped.is_some() {
            // Nothing was called, so one write is enough for all there is to say.
            self.fold_inherited();
            self.stage = Stage::Closing;
            return None;
        }
        if self.record.state.run.as_ref().is_none_or(|run| run.id != self.run.id) {
            let operations: Vec<_> = self.tasks.iter().map(|task| task.operation.clone()).collect();
            self.record.begin(&self.run, &operations, &self.plan);
            self.changed();
        }
        Some(self.write_or_wait(true))
    }

    fn run_operations(&mut self) -> Option<Poll> {
        if let Some((generation, call)) = self.parked.first().copied()
            && self.writer.has_stored(generation)
        {
            self.parked.remove(&(generation, call));
            return Some(Poll::Continue(call));
        }
        if self.unfinished == 0 && self.calls.is_empty() {
            self.stage = Stage::Reviewing;
            return None;
        }
        if let Some(poll) = self.write(false) {
            return Some(poll);
        }
        if !self.writer.is_failing() && self.calls.len() < self.options.parallelism.max(1) {
            while let Some((_, at)) = self.ready.pop_first() {
                if let Some(request) = self.request(at) {
                    return Some(self.start(Call::Operation(at), request));
                }
            }
        }
        let idle = self.calls.is_empty() && self.ready.is_empty() && self.resting.is_empty();
        if self.unfinished == 0 && self.calls.is_empty() {
            return None;
        }
        Some(self.write_or_wait(idle))
    }

    fn close(&mut self) -> Option<Poll> {
        if self.writer.is_writing() {
            return Some(Poll::Wait { until: None });
        }
        let state = &mut self.record.state;
        if state.run.take().is_some() {
            self.writer.change(self.now);
        }
        self.settle_entries();
        let outputs: Map = self
            .plan
            .outputs
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), self.record.settled_value(value).ok()?)))
            .filter(|(_, value)| value.is_known())
            .collect();
        let complete = self.summary.failed.is_empty()
            && self.summary.skipped.is_empty()
            && self.summary.not_started.is_empty()
            && self.plan.unplanned.is_empty();
        if complete {
            let open = outputs.iter().filter(|(_, value)| !value.is_sensitive());
            self.record.state.outputs = open.map(|(name, value)| (name.clone(), value.clone())).collect();
        }
        self.summary.outputs = outputs;
        let is_stored = self.stored.as_ref().is_some_and(|stored| says_the_same(stored, &self.record.state));
        if is_stored {
            self.summary.recorded = true;
            self.stage = Stage::Ended;
            return None;
        }
        if self.writer.is_clean() {
            self.changed();
        }
        Some(self.write_or_wait(true))
    }

    fn finished(&self) -> Summary {
        self.summary.clone()
    }

    /// A write if one is due.
    fn write(&mut self, idle: bool) -> Option<Poll> {
        if !self.writer.is_due(self.now, idle) {
            return None;
        }
        self.settle_entries();
        let mut state = self.record.state.clone();
        state.serial = self.writer.begin();
        state.write_id = String::new();
        self.stored = Some(state.clone());
        Some(Poll::Persist(Box::new(state)))
    }

    pub(super) fn write_or_wait(&mut self, idle: bool) -> Poll {
        self.write(idle).unwrap_or_else(|| {
            let rested = self.resting.first().map(|(until, _)| *until);
            let until = rested.into_iter().chain(self.writer.next()).min();
            Poll::Wait { until }
        })
    }

    fn settle_entries(&mut self) {
        if !self.ended_tokens.is_empty() {
            let tokens = std::mem::take(&mut self.ended_tokens);
            self.record.settle_pending(&tokens);
        }
    }

    pub(super) fn start(&mut self, call: Call, request: Request) -> Poll {
        let id = CallId(self.next_call);
        self.next_call += 1;
        if let Call::Operation(at) = call
            && let Some(task) = self.tasks.get_mut(at)
            && task.since.is_none()
        {
            task.since = Some(self.now);
            let (address, verb) = (task.operation.address.clone(), task.operation.verb);
            self.events.push(Event::Started { address, verb });
        }
        self.calls.insert(id, call);
        Poll::Start(id, Box::new(request))
    }

    /// Puts an operation among those that may start, if nothing holds it back any more.
    fn make_ready(&mut self, at: usize) {
        let Some(task) = self.tasks.get_mut(at) else { return };
        if matches!(task.phase, Phase::Waiting { left: 0 }) {
            task.phase = Phase::Ready(Step::Act);
            self.ready.insert((Reverse(task.operation.height), at));
        }
    }

    /// Lets an operation try again after a rest.
    pub(super) fn rest_for(&mut self, at: usize, step: Step, rest: Duration, fault: Fault) {
        let until = self.now + rest;
        let Some(task) = self.tasks.get_mut(at) else { return };
        task.phase = Phase::Ready(step);
        let (address, verb) = (task.operation.address.clone(), task.operation.verb);
        self.resting.insert((until, at));
        self.events.push(Event::Retrying { address, verb, fault, after: rest });
    }

    /// Lets an operation go on at once.
    pub(super) fn go_on(&mut self, at: usize, step: Step) {
        let is_stopping = self.is_stopping();
        let Some(task) = self.tasks.get_mut(at) else { return };
        task.phase = Phase::Ready(step);
        if is_stopping {
            self.give_up(at);
        } else {
            self.ready.insert((Reverse(usize::MAX), at));
        }
    }

    /// An operation was done; what waits for it may go on, at the latest once its identifier is stored.
    pub(super) fn succeed(&mut self, at: usize) {
        let now = self.now;
        let Some(task) = self.tasks.get_mut(at) else { return };
        let took = now.saturating_sub(task.since.unwrap_or(now));
        let (address, verb) = (task.operation.address.clone(), task.operation.verb);
        let generation = task.is_identified.unwrap_or(0);
        task.phase = Phase::Done;
        self.ended_tokens.insert(task.token.clone());
        self.unfinished -= 1;
        self.summary.done.push(Completed { address: address.clone(), verb, took });
        self.events.push(Event::Done { address, verb, took });
        if !self.writer.has_stored(generation) {
            if !task.operation.releases.is_empty() {
                self.writer.hurry(generation);
            }
            self.saving.insert((generation, at));
        } else {
            self.release(at);
        }
    }

    fn release_saved(&mut self) {
        while let Some((generation, at)) = self.saving.first().copied() {
            if !self.writer.has_stored(generation) {
                break;
            }
            self.saving.pop_first();
            self.release(at);
        }
    }

    fn release(&mut self, at: usize) {
        let releases = self.tasks.get(at).map(|task| task.operation.releases.clone()).unwrap_or_default();
        for next in releases {
            if let Some(Task { phase: Phase::Waiting { left }, .. }) = self.tasks.get_mut(next) {
                *left -= 1;
                self.make_ready(next);
            }
        }
    }

    /// An operation failed; what waits for it is skipped. `uncertain` keeps its entry for the next run.
    pub(super) fn fail(&mut self, at: usize, fault: Fault, uncertain: bool) {
        let Some(task) = self.tasks.get_mut(at) else { return };
        let (address, verb) = (task.operation.address.clone(), task.operation.verb);
        task.phase = Phase::Failed;
        if !uncertain {
            self.ended_tokens.insert(task.token.clone());
        }
        self.unfinished -= 1;
        let expired = fault.kind == crate::fault::FaultKind::Expired;
        self.events.push(Event::Failed { address: address.clone(), verb, fault: fault.clone(), uncertain });
        self.summary.failed.push(Failed { address: address.clone(), verb, fault, uncertain });
        self.skip_after(at, &address);
        self.changed();
        if expired {
            self.stop(Stopped::Expired);
        }
    }

    fn skip_after(&mut self, at: usize, because: &Address) {
        let mut after = self.tasks.get(at).map(|task| task.operation.releases.clone()).unwrap_or_default();
        while let Some(next) = after.pop() {
            let Some(task) = self.tasks.get_mut(next) else { continue };
            if !matches!(task.phase, Phase::Waiting { .. }) {
                continue;
            }
            task.phase = Phase::Skipped;
            self.ended_tokens.insert(task.token.clone());
            self.unfinished -= 1;
            let (address, verb) = (task.operation.address.clone(), task.operation.verb);
            after.extend(task.operation.releases.iter().copied());
            self.events.push(Event::Skipped { address: address.clone(), verb, because: because.clone() });
            self.summary.skipped.push(Skipped { address, verb, because: because.clone() });
        }
    }

    /// Begins no further operation.
    pub(super) fn stop(&mut self, why: Stopped) {
        if self.summary.stopped.is_some() {
            return;
        }
        self.summary.stopped = Some(why);
        self.events.push(Event::Stopping);
        self.ready.clear();
        self.resting.clear();
        for at in 0..self.tasks.len() {
            let Some(task) = self.tasks.get_mut(at) else { continue };
            let (address, verb) = (task.operation.address.clone(), task.operation.verb);
            match std::mem::replace(&mut task.phase, Phase::NotStarted) {
                // Between two attempts: nobody will look how the last one ended.
                Phase::Ready(_) if task.since.is_some() => self.give_up(at),
                Phase::Waiting { .. } | Phase::Ready(_) => {
                    self.ended_tokens.insert(task.token.clone());
                    self.unfinished -= 1;
                    self.summary.not_started.push((address, verb));
                }
                phase => task.phase = phase,
            }
        }
        self.changed();
    }

    /// Whether no further call may be started.
    pub(super) fn is_stopping(&self) -> bool {
        self.summary.stopped.is_some()
    }

    /// Ends at once: the state belongs to somebody else, or cannot be written.
    fn abandon(&mut self, why: Stopped) {
        self.summary.stopped = Some(why);
        self.stage = Stage::Ended;
        for task in &self.tasks {
            let entry = (task.operation.address.clone(), task.operation.verb);
            match &task.phase {
                Phase::Running(_) => self.summary.in_flight.push(entry),
                Phase::Ready(_) if task.since.is_some() => self.summary.in_flight.push(entry),
                Phase::Waiting { .. } | Phase::Ready(_) => self.summary.not_started.push(entry),
                Phase::Done | Phase::Failed | Phase::Skipped | Phase::NotStarted => {}
            }
        }
        self.events.push(Event::Stopping);
    }
}

/// Whether two states say the same, but for what every write changes.
fn says_the_same(a: &State, b: &State) -> bool {
    let rest = |state: &State| {
        let mut state = state.clone();
        state.serial = 0;
        state.write_id = String::new();
        state.tool = String::new();
        state
    };
    rest(a) == rest(b)
}

/// A driver answered a request with another's reply.
pub(super) fn wrong_reply(operation: &str) -> Fault {
    Fault::local(
        crate::fault::FaultKind::Other,
        operation,
        "the reply does not fit the request; this is a fault of s3stack",
    )
}
