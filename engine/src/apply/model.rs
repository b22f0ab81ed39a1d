//! What an apply asks of its driver, and what it is told.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::address::Address;
use crate::fault::Fault;
use crate::plan::{Difference, Observation};
use crate::resource::Registry;
use crate::state::{Instance, State, Verb};
use crate::value::{Map, Value};

/// Names one call of one apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// Turns a secret into what may be stored in its place: a digest under the backend's key, so that a change of the secret
/// is seen and the secret is not (DESIGN section 12). Equal secrets give equal digests.
pub type Seal = dyn Fn(&Value) -> Value + Send + Sync;

/// What an apply needs beyond plan, state and run.
#[derive(Clone)]
pub struct Options<'a> {
    /// The types there are.
    pub registry: &'a dyn Registry,
    /// What stands for a secret in state.
    pub seal: &'a Seal,
    /// Most calls in flight at a time; at least one.
    pub parallelism: usize,
    /// Whether `state` is not what is stored, because recovery folded something into it: then it is written even if
    /// there is nothing else to do.
    pub recovered: bool,
    /// What recovery will need to know of the time before a creation ([`crate::state::Pending::before`]), for types whose
    /// resources are found again by their parent's list: the children the parent has now.
    pub before: BTreeMap<Address, Map>,
}

/// What the driver does next. After each, it polls again.
#[derive(Debug)]
pub enum Poll {
    /// Write this state, then say [`super::Apply::persisted`] or [`super::Apply::persist_failed`]. Its `serial` is set;
    /// the driver gives it a fresh `write_id`. One write is in flight at a time.
    Persist(Box<State>),
    /// Start this call, then say [`super::Apply::returned`], and on the way [`super::Apply::progressed`].
    Start(CallId, Box<Request>),
    /// The call that reported progress may go on: what it reported is recorded.
    Continue(CallId),
    /// Nothing to do before something is reported, or before `until` by the clock that is given to `poll`.
    Wait {
        /// When to poll again at the latest.
        until: Option<Duration>,
    },
    /// The apply has ended. A call that is still in flight belongs to a run that lost the state
    /// ([`Summary::stopped`]): the driver drops it.
    Done(Box<Summary>),
}

/// A call to a provider. Nothing in it is unknown, but for attributes of the resource itself, which the provider fills in.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Make the resource; finish it if a killed attempt left it half made.
    Create {
        /// Which.
        address: Address,
        /// The same for every attempt of this operation.
        token: String,
        /// Type, account, region, predicted attributes, memory, and the physical id where it is known; its `managed` is
        /// empty.
        instance: Instance,
        /// The properties to reach, secrets included.
        desired: Map,
        /// What there was before, [`Options::before`].
        before: Map,
    },
    /// Change the resource in place.
    Update {
        /// Which.
        address: Address,
        /// The same for every attempt of this operation.
        token: String,
        /// As state has it, or as it was found; `memory` is what the file says now.
        instance: Instance,
        /// The properties to reach, secrets included; null where AWS's default is to be put back.
        desired: Map,
        /// The managed properties as AWS has them, as far as the plan or a read saw them.
        live: Map,
        /// What differs. Empty where only the owner's mark may be missing (an adoption).
        differences: Vec<Difference>,
    },
    /// Take the resource away.
    Delete {
        /// Which.
        address: Address,
        /// The same for every attempt of this operation.
        token: String,
        /// As state has it.
        instance: Instance,
    },
    /// Look for the resource, by its physical id where that is known, else by its type's identity; by a point read, never
    /// in a bulk answer.
    Read {
        /// Which.
        address: Address,
        /// The token of the creation it is the trace of.
        token: String,
        /// The resource as it would be.
        instance: Instance,
        /// What there was before the creation, [`crate::state::Pending::before`]; and, where the physical id is not known,
        /// under [`super::recover::ELSEWHERE`] the physical ids of the type that state knows: it is none of those.
        before: Map,
    },
}

impl Request {
    /// The resource it is about.
    pub fn address(&self) -> &Address {
        match self {
            Self::Create { address, .. }
            | Self::Update { address, .. }
            | Self::Delete { address, .. }
            | Self::Read { address, .. } => address,
        }
    }

    /// The resource's type, account and region, to route the call.
    pub fn instance(&self) -> &Instance {
        match self {
            Self::Create { instance, .. }
            | Self::Update { instance, .. }
            | Self::Delete { instance, .. }
            | Self::Read { instance, .. } => instance,
        }
    }

    /// What it does to the resource; nothing for a read.
    pub fn verb(&self) -> Option<Verb> {
        match self {
            Self::Create { .. } => Some(Verb::Create),
            Self::Update { .. } => Some(Verb::Update),
            Self::Delete { .. } => Some(Verb::Delete),
            Self::Read { .. } => None,
        }
    }
}

/// How a call ended well.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// To a create.
    Created {
        /// AWS's identifier.
        physical_id: String,
        /// All attributes; secret ones as [`Value::Secret`].
        attributes: Map,
    },
    /// To an update.
    Updated {
        /// The attributes, at least those that changed.
        attributes: Map,
    },
    /// To a delete: it is gone.
    Deleted,
    /// To a read.
    Read(Observation),
}

/// What a verb knows before its next call to AWS, so that a failure of that one loses nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// AWS's identifier.
    pub physical_id: String,
    /// The attributes known so far.
    pub attributes: Map,
}

/// Why an apply cannot begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// The plan was made from another state.
    #[error(
        "the plan was made from serial {plan} of the state, which now has serial {state}: something was applied meanwhile; plan again"
    )]
    Stale {
        /// The plan's.
        plan: u64,
        /// The state's.
        state: u64,
    },
    /// The plan is for another stack or environment.
    #[error("the plan belongs to another state ({plan}, this one is {state})")]
    Foreign {
        /// The plan's lineage.
        plan: String,
        /// The state's lineage.
        state: String,
    },
    /// The plan contradicts itself.
    #[error("the plan cannot be applied: {0}; this is a fault of s3stack")]
    Inconsistent(String),
    /// The operations wait for each other.
    #[error("the operations wait for each other: {}; this is a fault of s3stack", .0.join(" → "))]
    Cycle(Vec<String>),
}

/// An operation that was done: AWS confirmed it and state has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Completed {
    /// The resource.
    pub address: Address,
    /// What was done.
    pub verb: Verb,
    /// How long it took, waiting between attempts included.
    pub took: Duration,
}

/// An operation that was not done.
#[derive(Debug, Clone, PartialEq)]
pub struct Failed {
    /// The resource.
    pub address: Address,
    /// What was tried.
    pub verb: Verb,
    /// What the service said.
    pub fault: Fault,
    /// Whether it may have taken effect all the same: then it stays pending and the next run looks.
    pub uncertain: bool,
}

/// An operation that was not begun because another failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The resource.
    pub address: Address,
    /// What would have been done.
    pub verb: Verb,
    /// The resource whose operation failed.
    pub because: Address,
}

/// Why an apply ended before everything was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// It was asked to.
    Cancelled,
    /// The credentials ended.
    Expired,
    /// Another run wrote the state: this one may neither call nor write any more.
    Lost(String),
    /// The state cannot be written, after several attempts; what was not recorded is pending in the stored state.
    Unwritable(String),
}

/// How an apply went. Not a `Result`, so that nothing of it can be dropped by a `?`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Summary {
    /// What was done, in the order it ended.
    pub done: Vec<Completed>,
    /// What failed.
    pub failed: Vec<Failed>,
    /// What was not begun because something else failed.
    pub skipped: Vec<Skipped>,
    /// What was not begun because the apply was stopped.
    pub not_started: Vec<(Address, Verb)>,
    /// What was in flight when the state was lost: nobody knows how it ended.
    pub in_flight: Vec<(Address, Verb)>,
    /// Why it ended early; absent when everything was tried.
    pub stopped: Option<Stopped>,
    /// Whether what is listed as done is in the stored state.
    pub recorded: bool,
    /// The outputs that are known, sensitive ones as [`Value::Secret`].
    pub outputs: Map,
}

impl Summary {
    /// Whether everything that was planned was done and recorded.
    pub fn is_success(&self) -> bool {
        self.recorded
            && self.stopped.is_none()
            && self.failed.is_empty()
            && self.skipped.is_empty()
            && self.not_started.is_empty()
            && self.in_flight.is_empty()
    }
}
