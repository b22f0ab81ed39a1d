//! What happened, for progress displays and event streams.

use std::time::Duration;

use crate::address::Address;
use crate::fault::Fault;
use crate::state::Verb;

/// Something that happened in an apply.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// State knows a resource under its new address.
    Moved {
        /// The address it had.
        from: Address,
        /// The address it has.
        to: Address,
    },
    /// State knows a resource no more; AWS keeps it, or has none.
    Forgotten {
        /// The address it had.
        address: Address,
    },
    /// State took a resource in, or took over how AWS has it, without a call.
    Accepted {
        /// Which.
        address: Address,
    },
    /// An operation's first call was started.
    Started {
        /// The resource.
        address: Address,
        /// What is done to it.
        verb: Verb,
    },
    /// An operation's call failed in a way that another attempt may mend.
    Retrying {
        /// The resource.
        address: Address,
        /// What is done to it.
        verb: Verb,
        /// What the service said.
        fault: Fault,
        /// How long the next attempt waits.
        after: Duration,
    },
    /// A resource that AWS has half made got its identifier.
    Identified {
        /// The resource.
        address: Address,
        /// AWS's identifier.
        physical_id: String,
    },
    /// An operation was done.
    Done {
        /// The resource.
        address: Address,
        /// What was done to it.
        verb: Verb,
        /// Since it started.
        took: Duration,
    },
    /// An operation failed.
    Failed {
        /// The resource.
        address: Address,
        /// What was tried.
        verb: Verb,
        /// What the service said.
        fault: Fault,
        /// Whether it may have taken effect all the same.
        uncertain: bool,
    },
    /// An operation will not be begun because another failed.
    Skipped {
        /// The resource.
        address: Address,
        /// What would have been done.
        verb: Verb,
        /// The resource whose operation failed.
        because: Address,
    },
    /// The state was written.
    Persisted {
        /// Its serial.
        serial: u64,
        /// How long the write took.
        took: Duration,
    },
    /// The state could not be written; it will be tried again unless the apply stops.
    NotPersisted {
        /// What the backend said.
        why: String,
    },
    /// Recovery's finding about an operation of an earlier run.
    Recovered {
        /// The resource.
        address: Address,
        /// One sentence.
        what: String,
    },
    /// No further operation is started.
    Stopping,
}
