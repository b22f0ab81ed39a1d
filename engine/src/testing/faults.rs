//! What goes wrong, and when.

use std::collections::BTreeMap;

use crate::fault::FaultKind;

/// What happens to one step of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strike {
    /// It fails, having done nothing; with [`FaultKind::Uncertain`] nobody is told that it did nothing.
    Before(FaultKind),
    /// It takes effect, and the answer is lost.
    AnswerLost,
    /// The process dies before the step leaves.
    CrashBefore,
    /// The process dies after the step took effect, before the answer arrives.
    CrashAfter,
}

/// What happens to one write of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreStrike {
    /// The store is out of order; nothing is written.
    Fails,
    /// Another run wrote first.
    Stolen,
    /// The process dies before the write leaves.
    CrashBefore,
    /// The process dies after the write was done, before the answer arrives.
    CrashAfter,
}

/// One course of events.
#[derive(Debug, Clone, Default)]
pub struct Schedule {
    /// Strikes by the number of the step in the cloud, counted over all calls.
    pub steps: BTreeMap<u32, Strike>,
    /// Strikes by the number of the write.
    pub writes: BTreeMap<u32, StoreStrike>,
    /// Which of the things that could happen next does, by turn; the first one when there are no more.
    pub choices: Vec<u8>,
    /// The turn at which the apply is cancelled.
    pub cancel_at: Option<u32>,
    /// Calls in flight at a time.
    pub parallelism: usize,
}

impl Schedule {
    /// Nothing goes wrong.
    pub fn calm() -> Self {
        Self { parallelism: 4, ..Self::default() }
    }

    /// One strike at one step.
    pub fn strike(step: u32, strike: Strike) -> Self {
        Self { steps: [(step, strike)].into(), ..Self::calm() }
    }

    /// One strike at one write.
    pub fn strike_write(write: u32, strike: StoreStrike) -> Self {
        Self { writes: [(write, strike)].into(), ..Self::calm() }
    }

    /// One of `count` things.
    pub fn choose(&self, turn: u32, count: usize) -> usize {
        let choice = usize::try_from(turn).ok().and_then(|turn| self.choices.get(turn)).copied().unwrap_or(0);
        usize::from(choice) % count.max(1)
    }
}
