//! The state machine.

use std::collections::VecDeque;
use std::time::Duration;

use super::events::Event;
use super::model::{ApplyError, CallId, Options, Poll, Progress, Reply, Summary};
use crate::fault::Fault;
use crate::plan::Plan;
use crate::state::{Run, State};

/// An apply under way. (Skeleton: signatures are final, the body follows.)
pub struct Apply<'a> {
    options: Options<'a>,
    state: State,
    events: VecDeque<Event>,
}

impl<'a> Apply<'a> {
    /// An apply of `plan` to the stack of `state` by `run`.
    pub fn new(plan: Plan, state: State, run: Run, options: Options<'a>) -> Result<Self, ApplyError> {
        let _ = (plan, run);
        Ok(Self { options, state, events: VecDeque::new() })
    }

    /// What to do next. `now` is a monotonic clock, `wall` seconds since 1970.
    pub fn poll(&mut self, now: Duration, wall: u64) -> Poll {
        let _ = (now, wall, self.options.parallelism, &self.state);
        Poll::Done(Box::new(Summary::default()))
    }

    /// The state last given was written; `took` is how long that lasted.
    pub fn persisted(&mut self, took: Duration) {
        let _ = took;
    }

    /// The state last given was not written. `lost`: another run wrote it.
    pub fn persist_failed(&mut self, lost: bool, why: String) {
        let _ = (lost, why);
    }

    /// A call has made something and waits for [`Poll::Continue`] before its next call to AWS.
    pub fn progressed(&mut self, call: CallId, progress: Progress) {
        let _ = (call, progress);
    }

    /// A call has ended.
    pub fn returned(&mut self, call: CallId, result: Result<Reply, Fault>) {
        let _ = (call, result);
    }

    /// Starts no further operation; what is in flight finishes and is recorded.
    pub fn cancel(&mut self) {}

    /// What happened since this was last asked.
    pub fn events(&mut self) -> impl Iterator<Item = Event> + '_ {
        self.events.drain(..)
    }
}
