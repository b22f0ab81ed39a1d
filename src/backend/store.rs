//! The trait every backend implements, and the words it answers with.

use std::time::SystemTime;

use async_trait::async_trait;
use s3stack_engine::fault::Fault;

/// No document is larger: what is read is not trusted, and no state comes near this.
pub const MAX_DOCUMENT_BYTES: u64 = 128 * 1024 * 1024;

/// The version of a stored document that a conditional write is bound to. Opaque: an ETag, or a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub String);

/// A document as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The document's bytes.
    pub bytes: Vec<u8>,
    /// What a conditional write over it must name.
    pub version: Version,
    /// Seconds since the store itself last saw a write of this document, by the store's own clock (S3's `Date` minus
    /// `Last-Modified`); client clocks are never compared. 0 where the store does not say.
    pub age_seconds: u64,
}

/// The state's documents. `Lease` and `DigestKey` are separate so that a leaked state tells nothing and a lease write
/// never competes with a state write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// The state.
    State,
    /// The lease: who is applying.
    Lease,
    /// The key of the HMAC over secrets.
    DigestKey,
}

impl Document {
    /// The document in words, for messages.
    pub fn noun(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Lease => "lease",
            Self::DigestKey => "digest key",
        }
    }
}

/// What a conditional write may be bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// The document does not exist yet.
    Absent,
    /// The document still has this version.
    Unchanged(Version),
}

impl Condition {
    /// The version that the document must have; `None`: it must not exist.
    pub fn version(&self) -> Option<&Version> {
        match self {
            Self::Absent => None,
            Self::Unchanged(version) => Some(version),
        }
    }
}

/// How long a state in history is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The last state of a run: for good.
    RunEnd,
    /// A state in the middle of a run: [`STEP_DAYS`].
    Step,
}

/// How many days history keeps the states between two runs' ends.
pub const STEP_DAYS: u32 = 90;

/// What came of trying a store's own lock.
#[derive(Debug)]
pub enum Lock {
    /// This store has no lock that dies with its process: a lease is renewed instead.
    NotOffered,
    /// The lock is ours until the guard is dropped or the process ends.
    Taken {
        /// Holds the lock.
        guard: LockGuard,
        /// What a holder that died without giving the lock back had written into it.
        left_behind: Option<Vec<u8>>,
    },
    /// Another process has it, and wrote this into it.
    Held(Vec<u8>),
}

/// A lock of the operating system, released when this is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct LockGuard {
    pub(super) file: std::fs::File,
}

/// Why a backend call failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another writer was first: the document is not what the condition says, and it was read to be sure.
    #[error("another run changed the {} at {place} first", .document.noun())]
    Lost {
        /// Where.
        place: String,
        /// Which document.
        document: Document,
    },
    /// The state is gone though there are signs that it existed.
    #[error("the state at {place} is missing, but {evidence}")]
    Vanished {
        /// Where.
        place: String,
        /// What says that it existed.
        evidence: String,
    },
    /// A document is larger than any that s3stack writes.
    #[error("the {} at {place} has {bytes} bytes, more than the {MAX_DOCUMENT_BYTES} that are read", .document.noun())]
    TooLarge {
        /// Where.
        place: String,
        /// Which document.
        document: Document,
        /// Its size.
        bytes: u64,
    },
    /// The backend itself is not there.
    #[error("the backend {place} does not exist")]
    Missing {
        /// Bucket or folder.
        place: String,
        /// What AWS said, where it was AWS.
        #[source]
        fault: Option<Box<Fault>>,
    },
    /// The backend refused or failed.
    #[error("the backend {place} failed")]
    Fault {
        /// Bucket or folder.
        place: String,
        /// What AWS said.
        #[source]
        fault: Box<Fault>,
    },
    /// A file operation failed.
    #[error("{operation} {path} failed")]
    Io {
        /// What was tried: `read`, `write`, `lock`.
        operation: &'static str,
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl StoreError {
    /// What to do next, where there is something to do.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Lost { .. } => Some("nothing of this write was kept; plan again".into()),
            Self::Vanished { .. } => Some(
                "put the last state back with `s3stack state restore`; s3stack never starts afresh over a lost state, \
                 because what it made would be orphaned"
                    .into(),
            ),
            Self::Missing { .. } => Some("`s3stack init --backend` makes it".into()),
            Self::TooLarge { .. } | Self::Fault { .. } | Self::Io { .. } => None,
        }
    }
}

/// A place for one stack's state in one environment.
///
/// The bytes of every document carry a *write id* that no other write has. So equal bytes are the same write, and a
/// store can tell its own write from a rival's after an answer was lost.
#[async_trait]
pub trait Store: Send + Sync {
    /// The place in words for messages: `s3://acme-s3stack/eventpulse/prod`, `.s3stack/state/default`.
    fn place(&self) -> String;

    /// Reads a document; `None` when it does not exist. A state that is missing though it had existed is
    /// [`StoreError::Vanished`].
    async fn read(&self, document: Document) -> Result<Option<Stored>, StoreError>;

    /// Writes a document if `condition` holds, and gives its new version. After an ambiguous answer (412, 409, 404,
    /// timeout, cut connection, 5xx) the document is read: our bytes mean it went through, an unchanged version means
    /// try again, anything else is [`StoreError::Lost`]. Any other error leaves open whether the write went through;
    /// the same call may then be made again.
    async fn write(&self, document: Document, bytes: &[u8], condition: Condition) -> Result<Version, StoreError>;

    /// Deletes a document if it still has `version`; absent is success.
    async fn delete(&self, document: Document, version: &Version) -> Result<(), StoreError>;

    /// Keeps `bytes` (a state that was written) in history under `serial`. A serial kept both ways counts as
    /// [`Keep::RunEnd`].
    async fn keep(&self, serial: u64, keep: Keep, bytes: &[u8]) -> Result<(), StoreError>;

    /// The serials in history, oldest first.
    async fn history(&self) -> Result<Vec<u64>, StoreError>;

    /// The state that history has under `serial`.
    async fn kept(&self, serial: u64) -> Result<Option<Vec<u8>>, StoreError>;

    /// Removes steps older than [`STEP_DAYS`] at `now`. Stores that do so by themselves (S3, by a lifecycle rule) do
    /// nothing here.
    async fn prune(&self, _now: SystemTime) -> Result<(), StoreError> {
        Ok(())
    }

    /// Tries to take the store's own lock, without waiting, and writes `holder` into it for others to read.
    async fn try_lock(&self, _holder: &[u8]) -> Result<Lock, StoreError> {
        Ok(Lock::NotOffered)
    }

    /// What the present holder of the store's own lock wrote into it; `None` when it is free or there is no such lock.
    async fn lock_holder(&self) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(None)
    }
}
