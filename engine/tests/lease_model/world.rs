//! What there is: a store with conditional writes and a clock of its own, a network, and runs that each know only what
//! they were answered.

use std::time::Duration;

use s3stack_engine::lease::Lease;

/// How many seconds a request that nobody waits for any more may still be on its way. Nothing on a network arrives hours
/// later: a connection that its client closed carries nothing more, and S3 refuses a signature that is too old.
pub const FLIGHT: u16 = 60;

/// A run's place in [`World::runs`].
pub type RunId = u8;

/// A write, and the version that the document has by it: bytes carry a write id, so both are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WriteId {
    /// Whose; `None` for the state that was there before.
    pub run: Option<RunId>,
    /// Its number among its run's.
    pub number: u8,
}

/// What is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Document {
    State,
    Lease,
}

/// What a request is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Condition {
    Absent,
    Unchanged(WriteId),
    /// Nothing at all, which only flawed runs send.
    Anything,
}

/// A request on its way to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Request {
    pub run: RunId,
    pub document: Document,
    /// `None` deletes.
    pub write: Option<WriteId>,
    pub condition: Condition,
    /// The version of the state that this one was made of.
    pub basis: Option<WriteId>,
    /// When it was sent, by the world's time.
    pub sent: u16,
    /// Whether its run still waits for the answer.
    pub awaited: bool,
}

/// The store. Its clock is the world's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Store {
    /// The lease, and when it was last written (`Last-Modified`).
    pub lease: Option<(WriteId, u16)>,
    pub state: WriteId,
}

/// How far a conditional write has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// An answer is awaited.
    Sent,
    /// The answer said nothing or no: the document is to be read.
    Asking,
    /// The document is still what it was: the same is to be sent again.
    Again,
    /// Given up without a verdict: to be sent again later, as it was.
    Unsettled,
}

/// A conditional write or deletion under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Writing {
    /// `None` deletes.
    pub write: Option<WriteId>,
    pub condition: Condition,
    pub basis: Option<WriteId>,
    pub step: Step,
    /// Attempts that were made.
    pub tried: u8,
    /// It was left [`Step::Unsettled`] before.
    pub resent: bool,
}

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    Applied,
    /// The store says that another run wrote the state.
    StateLost,
    /// Its lease is another's, or may be.
    LeaseLost,
    /// The backend failed.
    Failed,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    Idle,
    /// It looks whose the lease is.
    Looking,
    /// Somebody has it: it looks again later, and claims it under another id then.
    Waiting,
    /// It has seen a lease that is free, and is to write its own.
    Free(Condition),
    /// The lease is being written.
    Taking,
    /// It has the lease and is to read the state.
    Reading,
    /// It has a plan, and is to write its intent.
    Planned,
    /// The intent is being written.
    Opening,
    /// The intent is stored: it may make a call.
    Running,
    /// The call has ended: the outcome is to be written.
    Called,
    /// The outcome is being written.
    Closing,
    /// It gives the lease back.
    Releasing(End),
    /// The deletion found a lease that was not the one last confirmed: it looks whether that is its own.
    Deleting(End),
    Ended(End),
}

/// One run of `s3stack apply`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Run {
    pub stage: Stage,
    /// Seconds that its clock did not count: only flawed clocks have any.
    pub missed: u16,
    /// What it knows of its lease.
    pub lease: Option<Lease>,
    /// When the write that takes the lease was first sent, by its clock.
    pub claimed: Duration,
    /// The version that its lease had when it was last confirmed.
    pub version: Option<WriteId>,
    pub leasing: Option<Writing>,
    /// What its next write of the state is bound to.
    pub state: Option<WriteId>,
    pub writing: Option<Writing>,
    /// Write ids it has made.
    pub made: u8,
    pub took_over: bool,
}

/// What must never happen, noted when it does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Harm {
    /// A state was replaced by one that was not made of it.
    pub forked: bool,
    /// A run that knew that it had lost sent a write of the state.
    pub wrote_after_loss: bool,
    /// A run was told that another had changed the state when none had.
    pub lost_to_itself: bool,
}

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    /// Seconds so far.
    pub now: u16,
    /// How often time may still pass.
    pub ticks: u8,
    /// Whether runs write states. Without, more of the lease can be looked at.
    pub with_states: bool,
    pub store: Store,
    /// In order, so that equal worlds are equal.
    pub network: Vec<Request>,
    pub runs: Vec<Run>,
    /// How many more requests and questions may fail to be answered at once.
    pub faults: u8,
    pub harm: Harm,
}

impl World {
    pub fn new(runs: usize, faults: u8, ticks: u8, with_states: bool) -> Self {
        let run = Run {
            stage: Stage::Idle,
            missed: 0,
            lease: None,
            claimed: Duration::ZERO,
            version: None,
            leasing: None,
            state: None,
            writing: None,
            made: 0,
            took_over: false,
        };
        Self {
            now: 0,
            ticks,
            with_states,
            store: Store { lease: None, state: WriteId { run: None, number: 0 } },
            network: Vec::new(),
            runs: vec![run; runs],
            faults,
            harm: Harm::default(),
        }
    }

    /// A run's own clock: none shows the time of another or of the store.
    pub fn clock(&self, run: RunId) -> Duration {
        let ahead = 1_000 * (3 - u64::from(run));
        Duration::from_secs(ahead + u64::from(self.now - self.run(run).missed))
    }

    /// The lease's age by the store's clock.
    pub fn lease_age(&self) -> Option<Duration> {
        self.store.lease.map(|(_, at)| Duration::from_secs(u64::from(self.now - at)))
    }

    /// All runs.
    pub fn ids(&self) -> impl Iterator<Item = RunId> + use<> {
        (0..).take(self.runs.len())
    }

    pub fn run(&self, run: RunId) -> &Run {
        &self.runs[usize::from(run)]
    }

    pub fn run_mut(&mut self, run: RunId) -> &mut Run {
        &mut self.runs[usize::from(run)]
    }

    /// The version that a document has in the store.
    pub fn stored(&self, document: Document) -> Option<WriteId> {
        match document {
            Document::State => Some(self.store.state),
            Document::Lease => self.store.lease.map(|(write, _)| write),
        }
    }

    pub fn send(&mut self, request: Request) {
        self.network.push(request);
        self.network.sort_unstable();
        self.network.dedup();
    }

    /// Takes what is on its way to its end: gives whether the request's condition held. It is no longer on its way.
    pub fn arrive(&mut self, request: &Request) -> bool {
        self.network.retain(|other| other != request);
        let stored = self.stored(request.document);
        let holds = match request.condition {
            Condition::Absent => stored.is_none(),
            Condition::Unchanged(version) => stored == Some(version),
            Condition::Anything => true,
        };
        if !holds {
            return false;
        }
        match (request.document, request.write) {
            (Document::Lease, write) => self.store.lease = write.map(|write| (write, self.now)),
            (Document::State, Some(write)) => {
                self.harm.forked |= request.basis != Some(self.store.state);
                self.store.state = write;
            }
            (Document::State, None) => unreachable!("nobody deletes the state"),
        }
        true
    }
}
