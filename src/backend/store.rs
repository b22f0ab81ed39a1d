//! The trait every backend implements, and the words it answers with.

use async_trait::async_trait;
use s3stack_engine::fault::Fault;

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
    /// `Last-Modified`); client clocks are never compared.
    pub age_seconds: u64,
}

/// The state's documents. `Lease` and `Secret` are separate so that a leaked state tells nothing and a lease write
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

/// What a conditional write may be bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// The document does not exist yet.
    Absent,
    /// The document still has this version.
    Unchanged(Version),
}

/// Why a backend call failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another writer was first: the document is not what the condition says, and it was read to be sure.
    #[error("another run wrote the {0:?} document first")]
    Lost(Document),
    /// The backend itself is not there.
    #[error("the backend {place} does not exist")]
    Missing {
        /// Bucket or folder.
        place: String,
        /// What AWS said, where it was AWS.
        #[source]
        fault: Option<Fault>,
    },
    /// The backend refused or failed.
    #[error("the backend {place} failed")]
    Fault {
        /// Bucket or folder.
        place: String,
        /// What AWS said.
        #[source]
        fault: Fault,
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

/// A place for one stack's state in one environment.
#[async_trait]
pub trait Store: Send + Sync {
    /// The place in words for messages: `s3://acme-s3stack/eventpulse/prod`, `.s3stack/state/default`.
    fn place(&self) -> String;

    /// Reads a document; `None` when it does not exist.
    async fn read(&self, document: Document) -> Result<Option<Stored>, StoreError>;

    /// Writes a document if `condition` holds. Every document carries a fresh `write_id` inside its bytes (the caller
    /// puts it there and passes it here too). After an ambiguous answer (412, 409, 404, timeout, 5xx) the document is
    /// read: our write id means it went through, an unchanged version means try again, anything else is
    /// [`StoreError::Lost`].
    async fn write(
        &self,
        document: Document,
        bytes: &[u8],
        write_id: &str,
        condition: Condition,
    ) -> Result<Version, StoreError>;

    /// Deletes a document if it still has `version`; absent is success.
    async fn delete(&self, document: Document, version: &Version) -> Result<(), StoreError>;

    /// Keeps `bytes` (a state about to be replaced or the last of a run) in history under `serial`.
    async fn keep(&self, serial: u64, bytes: &[u8]) -> Result<(), StoreError>;

    /// The serials in history, oldest first.
    async fn history(&self) -> Result<Vec<u64>, StoreError>;
}
