//! What runs do, in steps that anything may come between. Decisions are the engine's; the order of the steps is that of
//! the backend's keeper, of its conditional writes and of the driver.

use std::time::Duration;

use s3stack_engine::conditional::{Fate, fate_of_delete, fate_of_write};
use s3stack_engine::lease::{Lease, Loss, may_take_over};

use crate::world::{Condition, Document, End, Request, RunId, Stage, Step, World, WriteId, Writing};

/// Attempts at one conditional write before its run hears that it failed.
const ATTEMPTS: u8 = 2;

/// What is wrong with the runs, so that the checker has something to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing: this is s3stack.
    None,
    /// States are written whatever is stored.
    UnconditionalState,
    /// Leases are written whatever is stored.
    UnconditionalLease,
    /// The lease is deleted whatever is stored.
    UnconditionalRelease,
    /// The lease's age is told by the clock of the run that wants it.
    AgeByClientClock,
    /// Calls start up to 130 s after a renewal.
    WindowOf130Seconds,
    /// The clock stands still while the machine sleeps.
    ClockStopsInSleep,
    /// The window counts from a renewal's answer.
    CountsFromTheAnswer,
    /// A claim that is sent a second time counts from the second time.
    ClaimCountsFromTheLastSend,
    /// No answer is taken for success.
    SilenceIsSuccess,
    /// A state that may have been written is written again under another id.
    StateSentAnew,
    /// A run that lost its lease goes on writing.
    WritesAfterLoss,
}

impl Flaw {
    /// Whether `run` may start a call.
    pub fn may_start_call(self, world: &World, run: RunId) -> bool {
        let now = match self {
            // The rule itself, asked about 90 s ago: 40 s and 90 s are 130 s.
            Self::WindowOf130Seconds => world.clock(run).saturating_sub(Duration::from_secs(90)),
            _ => world.clock(run),
        };
        world.run(run).lease.as_ref().is_some_and(|lease| lease.may_start_call(now))
    }

    fn may_take_over(self, run: RunId, age: Duration) -> bool {
        match self {
            // Its clock is five minutes ahead of the store's.
            Self::AgeByClientClock => may_take_over(age + Duration::from_secs(300 * u64::from(run))),
            _ => may_take_over(age),
        }
    }

    fn may_write_state(self, world: &World, run: RunId) -> bool {
        self == Self::WritesAfterLoss || world.run(run).lease.as_ref().is_some_and(Lease::may_write_state)
    }

    fn bound(self, document: Document, deletes: bool, condition: Condition) -> Condition {
        match (self, document) {
            (Self::UnconditionalState, Document::State) => Condition::Anything,
            (Self::UnconditionalLease, Document::Lease) if !deletes => Condition::Anything,
            (Self::UnconditionalRelease, Document::Lease) if deletes => Condition::Anything,
            _ => condition,
        }
    }
}

impl World {
    fn new_write(&mut self, run: RunId) -> WriteId {
        let me = self.run_mut(run);
        me.made += 1;
        WriteId { run: Some(run), number: me.made }
    }

    fn slot(&mut self, run: RunId, document: Document) -> &mut Option<Writing> {
        let run = self.run_mut(run);
        match document {
            Document::State => &mut run.writing,
            Document::Lease => &mut run.leasing,
        }
    }

    /// Begins a conditional write, or a deletion.
    fn begin(&mut self, flaw: Flaw, run: RunId, document: Document, write: Option<WriteId>, condition: Condition) {
        let condition = flaw.bound(document, write.is_none(), condition);
        let basis = self.run(run).state.filter(|_| document == Document::State);
        let writing = Writing { write, condition, basis, step: Step::Again, tried: 0, resent: false };
        *self.slot(run, document) = Some(writing);
        self.attempt(run, document);
    }

    /// Sends what is to be sent again, or for the first time.
    pub fn attempt(&mut self, run: RunId, document: Document) {
        let sent = self.now;
        let Some(writing) = self.slot(run, document) else { return };
        if writing.step == Step::Unsettled {
            (writing.tried, writing.resent) = (0, true);
        }
        writing.step = Step::Sent;
        writing.tried += 1;
        let Writing { write, condition, basis, tried, .. } = *writing;
        if document == Document::State && tried == 1 {
            let knows = self.run(run).lease.as_ref().is_none_or(|lease| lease.loss().is_some());
            self.harm.wrote_after_loss |= knows;
        }
        self.send(Request { run, document, write, condition, basis, sent, awaited: true });
    }

    /// The answer to a request arrived.
    pub fn answered(&mut self, flaw: Flaw, request: &Request, held: bool) {
        if held {
            self.fate(flaw, request.run, request.document, Fate::Done);
        } else if let Some(writing) = self.slot(request.run, request.document) {
            writing.step = Step::Asking;
        }
    }

    /// A run waits no longer for its answer.
    pub fn give_up(&mut self, flaw: Flaw, run: RunId, document: Document) {
        for request in &mut self.network {
            request.awaited &= !(request.run == run && request.document == document);
        }
        self.network.sort_unstable();
        self.network.dedup();
        if flaw == Flaw::SilenceIsSuccess {
            return self.fate(flaw, run, document, Fate::Done);
        }
        if let Some(writing) = self.slot(run, document) {
            writing.step = Step::Asking;
        }
    }

    /// The document is read to learn what became of the write.
    pub fn ask(&mut self, flaw: Flaw, run: RunId, document: Document) {
        let found = self.stored(document);
        let Some(Writing { write, condition, tried, .. }) = *self.slot(run, document) else { return };
        let over = match condition {
            Condition::Unchanged(version) => Some(version),
            Condition::Absent | Condition::Anything => None,
        };
        let fate = match (write, over) {
            (None, Some(over)) => fate_of_delete(found.as_ref(), &over),
            (None, None) => Fate::Done,
            (Some(_), _) => fate_of_write(found.as_ref(), found == write, over.as_ref()),
        };
        match fate {
            Fate::Again if tried < ATTEMPTS => {
                if let Some(writing) = self.slot(run, document) {
                    writing.step = Step::Again;
                }
            }
            Fate::Again => self.failed(run, document),
            fate => self.fate(flaw, run, document, fate),
        }
    }

    /// The write's fate stays unknown.
    pub fn failed(&mut self, run: RunId, document: Document) {
        let now = self.clock(run);
        let me = self.run_mut(run);
        match (document, me.stage) {
            (Document::Lease, Stage::Taking) => (me.leasing, me.stage) = (None, Stage::Ended(End::Failed)),
            (Document::Lease, Stage::Releasing(end)) if me.leasing.is_some_and(|writing| writing.write.is_none()) => {
                (me.leasing, me.stage) = (None, Stage::Ended(end));
            }
            (Document::Lease, _) => {
                if let Some(lease) = &mut me.lease {
                    lease.failed(now);
                    let ended = lease.loss().is_some();
                    me.leasing = me.leasing.filter(|_| !ended);
                }
                if let Some(writing) = &mut me.leasing {
                    writing.step = Step::Unsettled;
                }
            }
            (Document::State, stage) => {
                if let Some(writing) = &mut me.writing {
                    writing.step = Step::Unsettled;
                }
                me.stage = if stage == Stage::Opening { Stage::Planned } else { Stage::Called };
            }
        }
    }

    /// A write, or the deletion of the lease, is settled.
    fn fate(&mut self, flaw: Flaw, run: RunId, document: Document, fate: Fate) {
        let Some(writing) = self.slot(run, document).take() else { return };
        let done = fate == Fate::Done;
        match document {
            Document::Lease => self.lease_settled(flaw, run, writing, done),
            Document::State => self.state_settled(run, writing, done),
        }
    }

    fn lease_settled(&mut self, flaw: Flaw, run: RunId, writing: Writing, done: bool) {
        let now = self.clock(run);
        let with_states = self.with_states;
        let me = self.run_mut(run);
        match (me.stage, writing.write) {
            (Stage::Releasing(end), None) => {
                me.stage = if done { Stage::Ended(end) } else { Stage::Deleting(end) };
            }
            (Stage::Taking, Some(write)) if done => {
                let sent = if flaw == Flaw::CountsFromTheAnswer { now } else { me.claimed };
                me.lease = Some(Lease::acquired(sent));
                (me.version, me.stage) = (Some(write), if with_states { Stage::Reading } else { Stage::Called });
            }
            (Stage::Taking, _) => me.stage = Stage::Looking,
            (_, Some(write)) if done => {
                me.version = Some(write);
                if let Some(lease) = &mut me.lease {
                    lease.confirmed();
                    if flaw == Flaw::CountsFromTheAnswer && lease.loss().is_none() {
                        *lease = Lease::acquired(now);
                    }
                }
            }
            _ => {
                if let Some(lease) = &mut me.lease {
                    lease.lose(Loss::Taken);
                }
            }
        }
    }

    fn state_settled(&mut self, run: RunId, writing: Writing, done: bool) {
        if !done {
            self.harm.lost_to_itself |= self.store.state.run == Some(run);
            return self.end(run, End::StateLost);
        }
        let me = self.run_mut(run);
        me.state = writing.write;
        me.stage = match me.stage {
            // What was written is older than what is known by now: that is still to be written.
            Stage::Opening if writing.resent => Stage::Planned,
            Stage::Closing if writing.resent => Stage::Called,
            Stage::Opening => Stage::Running,
            Stage::Closing => return self.end(run, End::Applied),
            other => other,
        };
    }

    /// From here on the run starts nothing more.
    fn end(&mut self, run: RunId, end: End) {
        let me = self.run_mut(run);
        if let Some(lease) = &mut me.lease {
            lease.lose(Loss::Released);
        }
        (me.writing, me.stage) = (None, Stage::Releasing(end));
    }

    /// Whether a renewal is due, or something to be sent again.
    pub fn renewal_is_due(&self, run: RunId) -> bool {
        let me = self.run(run);
        let due = me.lease.as_ref().and_then(Lease::next_renewal).is_some_and(|at| at <= self.clock(run));
        due && me.leasing.is_none_or(|writing| writing.step == Step::Unsettled)
    }

    /// Sends the renewal that is due.
    pub fn renew(&mut self, flaw: Flaw, run: RunId) {
        let now = self.clock(run);
        if let Some(lease) = &mut self.run_mut(run).lease {
            lease.sending(now);
        }
        if self.run(run).leasing.is_some() {
            return self.attempt(run, Document::Lease);
        }
        let Some(version) = self.run(run).version else { return };
        let write = self.new_write(run);
        self.begin(flaw, run, Document::Lease, Some(write), Condition::Unchanged(version));
    }

    /// Claims the lease under the id of this attempt to get it.
    fn claim(&mut self, flaw: Flaw, run: RunId, condition: Condition) {
        let now = self.clock(run);
        let me = self.run_mut(run);
        me.stage = Stage::Taking;
        // Nothing else has been written under an id before there is a lease.
        let write = WriteId { run: Some(run), number: me.made };
        if flaw == Flaw::ClaimCountsFromTheLastSend {
            me.claimed = now;
        }
        self.begin(flaw, run, Document::Lease, Some(write), condition);
    }

    /// A new attempt to get the lease.
    fn new_claim(&mut self, run: RunId) {
        self.new_write(run);
        self.run_mut(run).claimed = self.clock(run);
    }

    /// The run's next step, if it has one that waits for nothing.
    pub fn step(&mut self, flaw: Flaw, run: RunId) {
        match self.run(run).stage {
            Stage::Idle => {
                self.new_claim(run);
                self.claim(flaw, run, Condition::Absent);
            }
            Stage::Looking => self.look(flaw, run),
            Stage::Waiting => {
                self.new_claim(run);
                self.look(flaw, run);
            }
            Stage::Free(condition) => self.claim(flaw, run, condition),
            Stage::Reading => {
                self.run_mut(run).state = Some(self.store.state);
                self.run_mut(run).stage = Stage::Planned;
            }
            Stage::Called if !self.with_states => self.end(run, End::Applied),
            Stage::Planned | Stage::Called => self.write_state(flaw, run),
            Stage::Running => {
                if flaw.may_start_call(self, run) {
                    self.run_mut(run).stage = Stage::Called;
                } else if self.run(run).lease.as_ref().is_none_or(|lease| lease.loss().is_some()) {
                    self.end(run, End::LeaseLost);
                }
            }
            Stage::Releasing(end) => {
                let me = self.run(run);
                let taken = me.lease.as_ref().is_some_and(|lease| lease.loss() == Some(Loss::Taken));
                match me.version {
                    Some(version) if !taken => {
                        self.begin(flaw, run, Document::Lease, None, Condition::Unchanged(version));
                    }
                    _ => self.run_mut(run).stage = Stage::Ended(end),
                }
            }
            Stage::Deleting(end) => match self.store.lease {
                Some((write, _)) if write.run == Some(run) => {
                    self.run_mut(run).version = Some(write);
                    self.run_mut(run).stage = Stage::Releasing(end);
                }
                _ => self.run_mut(run).stage = Stage::Ended(end),
            },
            Stage::Taking | Stage::Opening | Stage::Closing | Stage::Ended(_) => {}
        }
    }

    fn look(&mut self, flaw: Flaw, run: RunId) {
        let (lease, age) = (self.store.lease, self.lease_age().unwrap_or_default());
        let me = self.run_mut(run);
        me.stage = match lease {
            None => Stage::Free(Condition::Absent),
            Some((write, _)) if flaw.may_take_over(run, age) => {
                me.took_over = true;
                Stage::Free(Condition::Unchanged(write))
            }
            Some(_) => Stage::Waiting,
        };
    }

    fn write_state(&mut self, flaw: Flaw, run: RunId) {
        if !flaw.may_write_state(self, run) {
            return self.end(run, End::LeaseLost);
        }
        let Some(version) = self.run(run).state else { return };
        let me = self.run_mut(run);
        me.stage = if me.stage == Stage::Planned { Stage::Opening } else { Stage::Closing };
        if me.writing.is_some() && flaw != Flaw::StateSentAnew {
            return self.attempt(run, Document::State);
        }
        let write = self.new_write(run);
        self.begin(flaw, run, Document::State, Some(write), Condition::Unchanged(version));
    }

    /// Whether [`World::step`] would do anything.
    pub fn can_step(&self, flaw: Flaw, run: RunId) -> bool {
        let me = self.run(run);
        match me.stage {
            Stage::Taking | Stage::Opening | Stage::Closing | Stage::Ended(_) => false,
            Stage::Running => {
                flaw.may_start_call(self, run) || me.lease.as_ref().is_none_or(|lease| lease.loss().is_some())
            }
            // Looking changes nothing while the lease is held, until it is dead or gone.
            Stage::Waiting => self.lease_age().is_none_or(|age| flaw.may_take_over(run, age)),
            // A renewal under way ends first.
            Stage::Releasing(_) => me.leasing.is_none_or(|writing| writing.step == Step::Unsettled),
            _ => true,
        }
    }
}
