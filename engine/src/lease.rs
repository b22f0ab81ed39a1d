//! The lease: which run may start calls, and when another may take over.
//!
//! Nothing here compares the clocks of two machines. An owner measures its own time from the moment it *sent* a renewal
//! that was then confirmed; a rival goes by the store's own age of the lease. As a confirmed renewal reached the store
//! no earlier than it was sent, and [`CALL_WINDOW`] + [`ATTEMPT_LIMIT`] < [`TAKEOVER_AGE`], an owner that was cut off
//! or put to sleep has stopped starting calls, and its last attempt has ended, before anyone can take over.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long after a renewal was sent the next one is sent.
pub const RENEW_EVERY: Duration = Duration::from_secs(15);
/// How long after a failed renewal the same one is sent again.
pub const RETRY_EVERY: Duration = Duration::from_secs(2);
/// No call starts later than this after the last confirmed renewal was sent.
pub const CALL_WINDOW: Duration = Duration::from_secs(40);
/// One attempt of a call lasts no longer than this.
pub const ATTEMPT_LIMIT: Duration = Duration::from_secs(30);
/// A lease whose age, by the store's own clock, is over this is dead and may be taken over.
pub const TAKEOVER_AGE: Duration = Duration::from_secs(120);
/// The owner gives up after failing to renew for this long.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(120);

/// The format of [`LeaseDocument`] that this version writes, and the newest it reads.
pub const LEASE_FORMAT: u32 = 1;
/// A lease is a few hundred bytes: anything over this was not written by s3stack.
const MAX_BYTES: usize = 64 * 1024;

/// What the lease says, for the store and for the person whose run has to wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseDocument {
    /// The format of this document, [`LEASE_FORMAT`].
    pub format: u32,
    /// The run's id.
    pub run: String,
    /// Who: `user@host pid 123`.
    pub owner: String,
    /// What they run: `s3stack apply --env prod`.
    pub command: String,
    /// When the lease was taken, by the owner's clock, RFC 3339. For people: nothing is decided by it.
    pub acquired_at: String,
    /// Fresh for every write, so that a write whose answer was lost is known again.
    pub write_id: String,
}

/// Why the bytes of a lease cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeaseFormatError {
    /// A newer s3stack holds it, whose rules this one does not know.
    #[error("the lease has format {found}, and this version of s3stack knows {LEASE_FORMAT} at most")]
    Newer {
        /// The format that was found.
        found: u32,
    },
    /// The bytes are not a lease.
    #[error("the lease is damaged: {reason}")]
    Damaged {
        /// What the parser said.
        reason: String,
    },
}

impl LeaseDocument {
    /// Reads a lease from the bytes of a store, which are not trusted.
    pub fn parse(bytes: &[u8]) -> Result<Self, LeaseFormatError> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let damaged = |reason: String| LeaseFormatError::Damaged { reason };
        if bytes.len() > MAX_BYTES {
            return Err(damaged(format!("{} bytes are too many", bytes.len())));
        }
        // The format first: a newer document may lack or rename every other field.
        let head: Head = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
        if head.format > LEASE_FORMAT {
            return Err(LeaseFormatError::Newer { found: head.format });
        }
        serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))
    }

    /// The document's bytes: JSON, ended by a newline.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Written by hand of `Value`s, whose serialisation cannot fail, rather than through a `Result` nobody can act on.
        let value = serde_json::json!({
            "format": self.format,
            "run": self.run,
            "owner": self.owner,
            "command": self.command,
            "acquired_at": self.acquired_at,
            "write_id": self.write_id,
        });
        format!("{value:#}\n").into_bytes()
    }

    /// The same lease, to be written anew under `write_id`.
    pub fn renewed(&self, write_id: impl Into<String>) -> Self {
        Self { write_id: write_id.into(), ..self.clone() }
    }
}

/// Whether a lease of this age, by the store's own clock, may be taken over.
pub fn may_take_over(age: Duration) -> bool {
    age > TAKEOVER_AGE
}

/// Why an owner has no lease any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Another run took it over, or it was removed.
    Taken,
    /// Renewing it failed for [`GIVE_UP_AFTER`]; another run may have taken it over.
    Unreachable,
    /// The owner gave it back.
    Released,
}

/// An owner's view of its lease, from the write that took it to its end.
///
/// Every time is that of one monotonic clock of the owner's machine that also counts suspension. Times that go backwards
/// are taken as no time passed.
///
/// At most one renewal is under way. A renewal that failed without a verdict is sent again *as it was* (same bytes, same
/// condition), so that the store can tell whether it had gone through; it counts from when it was first sent, for it may
/// have been that first one that arrived.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lease {
    confirmed: Duration,
    renewal: Option<Renewal>,
    failing_since: Option<Duration>,
    loss: Option<Loss>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Renewal {
    first_sent: Duration,
    retry_at: Duration,
}

impl Lease {
    /// A lease whose first write was sent at `sent` and confirmed.
    pub fn acquired(sent: Duration) -> Self {
        Self { confirmed: sent, renewal: None, failing_since: None, loss: None }
    }

    /// When the next renewal, or the retry of the one that failed, is to be sent. `None`: never again.
    pub fn next_renewal(&self) -> Option<Duration> {
        match (self.loss, self.renewal) {
            (Some(_), _) => None,
            (None, Some(renewal)) => Some(renewal.retry_at),
            (None, None) => Some(self.confirmed.saturating_add(RENEW_EVERY)),
        }
    }

    /// A renewal is being sent at `now`, or is sent again.
    pub fn sending(&mut self, now: Duration) {
        let first_sent = self.renewal.map_or(now, |renewal| renewal.first_sent);
        self.renewal = Some(Renewal { first_sent, retry_at: now.saturating_add(RETRY_EVERY) });
    }

    /// The renewal went through.
    pub fn confirmed(&mut self) {
        if let (None, Some(renewal)) = (self.loss, self.renewal.take()) {
            self.confirmed = self.confirmed.max(renewal.first_sent);
            self.failing_since = None;
        }
    }

    /// The renewal's fate is unknown or the store refused to answer, at `now`; it is to be sent again.
    pub fn failed(&mut self, now: Duration) {
        let since = *self.failing_since.get_or_insert(now);
        if let Some(renewal) = &mut self.renewal {
            renewal.retry_at = now.saturating_add(RETRY_EVERY);
        }
        // Counted from the first failure, not from the last success: a machine that slept for an hour gets its chance to
        // find the lease still its own.
        if now.saturating_sub(since) > GIVE_UP_AFTER {
            self.lose(Loss::Unreachable);
        }
    }

    /// The lease has ended. The first reason stays.
    pub fn lose(&mut self, loss: Loss) {
        self.loss.get_or_insert(loss);
    }

    /// Why the lease ended, if it has.
    pub fn loss(&self) -> Option<Loss> {
        self.loss
    }

    /// Whether a call (each attempt of it) may start at `now`.
    pub fn may_start_call(&self, now: Duration) -> bool {
        self.loss.is_none() && now.saturating_sub(self.confirmed) <= CALL_WINDOW
    }

    /// Whether the state may still be written. The write itself is conditional on the version that was read; this only
    /// says that it would be in vain.
    pub fn may_write_state(&self) -> bool {
        self.loss.is_none()
    }
}

#[cfg(test)]
mod tests;
