//! Applying a plan: a state machine without I/O, clock or randomness.
//!
//! [`Apply::poll`] says what to do next (write the state, start a call, wait); the driver does it and reports back. So
//! the order of writes and calls, which is what makes an apply safe to kill anywhere, is decided here alone and tested in
//! memory against faults at every step.

#[cfg(test)]
mod cases;
mod events;
mod machine;
mod model;
mod operation;
mod record;
pub mod recover;
mod review;
mod schedule;
mod stored;
#[cfg(test)]
mod tests;
mod unready;
mod writer;

pub use events::Event;
pub use machine::Apply;
pub use model::{
    ApplyError, CallId, Completed, Failed, Options, Poll, Progress, Reply, Request, Seal, Skipped, Stopped, Summary,
};
