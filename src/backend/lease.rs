//! Who may apply: takes the lease, keeps it, gives it back.
//!
//! The rules are [`s3stack_engine::lease`]'s. Where a store has a lock that dies with its process (a folder on this
//! machine), that lock is the lease: it needs no renewal and cannot be lost.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use s3stack_engine::lease::{
    ATTEMPT_LIMIT, LEASE_FORMAT, Lease, LeaseDocument, LeaseFormatError, Loss, TAKEOVER_AGE, may_take_over,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::clock::Clock;
use super::store::{Condition, Document, Lock, LockGuard, Store, StoreError, Stored, Version};
use crate::aws::Gate;
use crate::aws::call::LONGEST_ATTEMPT;

/// How often somebody who waits looks again.
const POLL: Duration = Duration::from_secs(2);

/// The run that wants the lease, in words for whoever else wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The run's id.
    pub run: String,
    /// `user@host pid 123`.
    pub owner: String,
    /// `s3stack apply --env prod`.
    pub command: String,
    /// RFC 3339.
    pub acquired_at: String,
}

impl Claim {
    fn document(self) -> LeaseDocument {
        LeaseDocument {
            format: LEASE_FORMAT,
            run: self.run,
            owner: self.owner,
            command: self.command,
            acquired_at: self.acquired_at,
            write_id: write_id(),
        }
    }
}

/// Somebody's lease, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Where.
    pub place: String,
    /// What they wrote; an error when it cannot be understood.
    pub document: Result<LeaseDocument, LeaseFormatError>,
    /// The lease's age by the store's own clock. `None`: it is a lock of the operating system, which has no age.
    pub age: Option<Duration>,
}

impl Holder {
    fn of_lease(store: &dyn Store, stored: &Stored) -> Self {
        let age = Some(Duration::from_secs(stored.age_seconds));
        Self { place: store.place(), document: LeaseDocument::parse(&stored.bytes), age }
    }

    fn of_lock(store: &dyn Store, bytes: &[u8]) -> Self {
        Self { place: store.place(), document: LeaseDocument::parse(bytes), age: None }
    }

    /// Whether its owner may still be at work.
    pub fn is_live(&self) -> bool {
        self.age.is_none_or(|age| !may_take_over(age))
    }
}

impl Holder {
    /// Who it was, in words for whoever takes over.
    pub fn was(&self) -> String {
        match &self.document {
            Ok(LeaseDocument { owner, command, acquired_at, .. }) => {
                format!("{owner}, who began `{command}` at {acquired_at}")
            }
            Err(_) => format!("whoever held {}", self.place),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.document {
            Ok(LeaseDocument { owner, command, acquired_at, .. }) => {
                write!(f, "{owner} is running `{command}` since {acquired_at}")?;
            }
            Err(LeaseFormatError::Newer { .. }) => write!(f, "a newer version of s3stack is running")?,
            Err(LeaseFormatError::Damaged { .. }) => write!(f, "another run is under way")?,
        }
        write!(f, " at {}", self.place)?;
        match self.age {
            Some(age) => write!(f, "; its lease was renewed {} s ago", age.as_secs()),
            None => Ok(()),
        }
    }
}

/// Why there is no lease.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Somebody else has it.
    #[error("{0}")]
    Held(Box<Holder>),
    /// Its owner died, but this version does not know the owner's rules.
    #[error("a dead lease at {place} cannot be taken over")]
    Format {
        /// Where.
        place: String,
        /// What is wrong with it.
        #[source]
        source: LeaseFormatError,
    },
    /// The backend failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl LeaseError {
    /// What to do next, where there is something to do.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Held(holder) => Some(match holder.age {
                None => "wait for it with `--lock-timeout 10m`; the lock ends with that process".into(),
                Some(age) => format!(
                    "wait for it with `--lock-timeout 10m`; if that process died, its lease ends by itself in {} s, and \
                     `s3stack unlock` removes it then",
                    (TAKEOVER_AGE.saturating_sub(age)).as_secs() + 1
                ),
            }),
            Self::Format { .. } => Some("upgrade s3stack".into()),
            Self::Store(error) => error.help(),
        }
    }
}

/// The lease, held. Dropping it without [`Keeper::release`] is what a crash does: the next run sees that it was left.
pub struct Keeper {
    store: Arc<dyn Store>,
    run: String,
    hold: Hold,
    taken_over: Option<Holder>,
}

enum Hold {
    Lock { guard: LockGuard, given_back: Arc<AtomicBool> },
    Renewed { shared: Arc<Shared>, clock: Arc<dyn Clock>, stop: watch::Sender<bool>, task: JoinHandle<Version> },
}

/// One attempt of a call, and so the lease's arithmetic, is bounded by the AWS layer.
const _: () = assert!(LONGEST_ATTEMPT.as_secs() <= ATTEMPT_LIMIT.as_secs());

/// The gate that every call of a run passes: it is open while the lease says so.
enum LeaseGate {
    Lock(Arc<AtomicBool>),
    Renewed(Arc<Shared>, Arc<dyn Clock>),
}

impl Gate for LeaseGate {
    fn may_start(&self) -> bool {
        match self {
            Self::Lock(given_back) => !given_back.load(Ordering::SeqCst),
            Self::Renewed(shared, clock) => lock(&shared.lease).may_start_call(clock.now()),
        }
    }
}

struct Shared {
    lease: Mutex<Lease>,
    trouble: Mutex<Option<Arc<StoreError>>>,
    loss: watch::Sender<Option<Loss>>,
}

impl Keeper {
    /// Takes the lease, waiting for it up to `wait` (`None`: not at all).
    pub async fn acquire(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        claim: Claim,
        wait: Option<Duration>,
    ) -> Result<Self, LeaseError> {
        let deadline = clock.now().saturating_add(wait.unwrap_or_default());
        // Nearly always the lease is free: the first try writes without looking.
        let mut look_first = false;
        loop {
            let holder = match Self::try_acquire(&store, &clock, &claim, look_first).await? {
                Ok(keeper) => return Ok(keeper),
                Err(holder) => holder,
            };
            look_first = true;
            let left = deadline.saturating_sub(clock.now());
            if left.is_zero() {
                return Err(LeaseError::Held(Box::new(holder)));
            }
            clock.sleep(left.min(POLL)).await;
        }
    }

    async fn try_acquire(
        store: &Arc<dyn Store>,
        clock: &Arc<dyn Clock>,
        claim: &Claim,
        look_first: bool,
    ) -> Result<Result<Self, Holder>, LeaseError> {
        let document = claim.clone().document();
        let bytes = document.to_bytes();
        let keeper = |hold, taken_over| Self { store: store.clone(), run: document.run.clone(), hold, taken_over };
        match store.try_lock(&bytes).await? {
            Lock::NotOffered => {}
            Lock::Held(holder) => return Ok(Err(Holder::of_lock(store.as_ref(), &holder))),
            Lock::Taken { guard, left_behind } => {
                let taken_over = left_behind.map(|left| Holder::of_lock(store.as_ref(), &left));
                let hold = Hold::Lock { guard, given_back: Arc::default() };
                return Ok(Ok(keeper(hold, taken_over)));
            }
        }
        // Every turn writes the same bytes, so a write of the first that arrives late is taken for that of the last: the
        // lease's age may count from here.
        let sent = clock.now();
        let mut condition = Condition::Absent;
        let mut taken_over = None;
        if look_first {
            (condition, taken_over) = match look(store.as_ref()).await? {
                Ok(free) => free,
                Err(holder) => return Ok(Err(holder)),
            };
        }
        loop {
            match store.write(Document::Lease, &bytes, condition).await {
                Ok(version) => {
                    let hold = Hold::renewed(store.clone(), clock.clone(), document.clone(), sent, version);
                    return Ok(Ok(keeper(hold, taken_over)));
                }
                Err(StoreError::Lost { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            // Each turn somebody else wrote or deleted the lease in between, so this ends.
            (condition, taken_over) = match look(store.as_ref()).await? {
                Ok(free) => free,
                Err(holder) => return Ok(Err(holder)),
            };
        }
    }

    /// Whose dead lease this run took over. What they had pending may still land: its entries are kept, and read again
    /// at the end of this run.
    pub fn taken_over(&self) -> Option<&Holder> {
        self.taken_over.as_ref()
    }

    /// Whether a call may start now. To be asked before every attempt of every call.
    pub fn may_start_call(&self) -> bool {
        self.gate().may_start()
    }

    /// The same question for [`Clients::gated`](crate::aws::Clients::gated); closed for good once the lease is released.
    pub fn gate(&self) -> Arc<dyn Gate> {
        Arc::new(match &self.hold {
            Hold::Lock { given_back, .. } => LeaseGate::Lock(given_back.clone()),
            Hold::Renewed { shared, clock, .. } => LeaseGate::Renewed(shared.clone(), clock.clone()),
        })
    }

    /// Whether the state may still be written.
    pub fn may_write_state(&self) -> bool {
        match &self.hold {
            Hold::Lock { .. } => true,
            Hold::Renewed { shared, .. } => lock(&shared.lease).may_write_state(),
        }
    }

    /// Waits until the lease is lost, which usually never happens.
    pub async fn lost(&self) -> Loss {
        match &self.hold {
            Hold::Lock { .. } => std::future::pending().await,
            Hold::Renewed { shared, .. } => {
                let mut loss = shared.loss.subscribe();
                match loss.wait_for(Option::is_some).await.map(|loss| *loss) {
                    Ok(Some(loss)) => loss,
                    // The sender lives in `shared`, which is borrowed here.
                    _ => std::future::pending().await,
                }
            }
        }
    }

    /// Why the last renewal failed; `None` while renewals succeed.
    pub fn trouble(&self) -> Option<Arc<StoreError>> {
        match &self.hold {
            Hold::Lock { .. } => None,
            Hold::Renewed { shared, .. } => lock(&shared.trouble).clone(),
        }
    }

    /// Gives the lease back. One that was lost is left to whoever has it.
    pub async fn release(self) -> Result<(), LeaseError> {
        let (shared, stop, task) = match self.hold {
            Hold::Lock { guard, given_back } => {
                given_back.store(true, Ordering::SeqCst);
                guard.give_back();
                return Ok(());
            }
            Hold::Renewed { shared, stop, task, .. } => (shared, stop, task),
        };
        // From here on nothing starts, whatever becomes of the deletion.
        lock(&shared.lease).lose(Loss::Released);
        stop.send_replace(true);
        // A renewal under way ends first: otherwise it could land after the deletion.
        let version = task.await.ok();
        if lock(&shared.lease).loss().is_some_and(|loss| loss == Loss::Taken) {
            return Ok(());
        }
        if let Some(version) = version {
            match self.store.delete(Document::Lease, &version).await {
                Err(StoreError::Lost { .. }) => {}
                other => return Ok(other?),
            }
        }
        // A renewal whose answer was lost may have written a version that we never heard of.
        let Some(stored) = self.store.read(Document::Lease).await? else { return Ok(()) };
        match LeaseDocument::parse(&stored.bytes) {
            Ok(document) if document.run == self.run => {
                match self.store.delete(Document::Lease, &stored.version).await {
                    Ok(()) | Err(StoreError::Lost { .. }) => Ok(()),
                    Err(error) => Err(error.into()),
                }
            }
            _ => Ok(()),
        }
    }
}

impl Hold {
    fn renewed(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        document: LeaseDocument,
        sent: Duration,
        version: Version,
    ) -> Self {
        let shared = Arc::new(Shared {
            lease: Mutex::new(Lease::acquired(sent)),
            trouble: Mutex::new(None),
            loss: watch::Sender::new(None),
        });
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(renew(store, clock.clone(), document, version, shared.clone(), stopped));
        Self::Renewed { shared, clock, stop, task }
    }
}

/// Renews until the lease is lost or `stopped`, and gives the last version that was confirmed.
async fn renew(
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    document: LeaseDocument,
    mut version: Version,
    shared: Arc<Shared>,
    mut stopped: watch::Receiver<bool>,
) -> Version {
    // A renewal that failed is sent again as it was, so that the store knows it if it had gone through.
    let mut bytes = None;
    loop {
        let Some(due) = lock(&shared.lease).next_renewal() else { return version };
        let wait = due.saturating_sub(clock.now());
        tokio::select! {
            // Also when the keeper is dropped: then nobody may go on holding the lease.
            _ = stopped.changed() => return version,
            () = clock.sleep(wait), if !wait.is_zero() => continue,
            () = std::future::ready(()), if wait.is_zero() => {}
        }
        let sending = bytes.get_or_insert_with(|| document.renewed(write_id()).to_bytes()).clone();
        lock(&shared.lease).sending(clock.now());
        match store.write(Document::Lease, &sending, Condition::Unchanged(version.clone())).await {
            Ok(renewed) => {
                version = renewed;
                bytes = None;
                lock(&shared.lease).confirmed();
                lock(&shared.trouble).take();
            }
            Err(error) => {
                match error {
                    StoreError::Lost { .. } => lock(&shared.lease).lose(Loss::Taken),
                    _ => lock(&shared.lease).failed(clock.now()),
                }
                lock(&shared.trouble).replace(Arc::new(error));
            }
        }
        let loss = lock(&shared.lease).loss();
        if loss.is_some() {
            shared.loss.send_replace(loss);
            return version;
        }
    }
}

/// What a free lease is taken with: the condition of the write, and the dead one in its place.
type Free = (Condition, Option<Holder>);

async fn look(store: &dyn Store) -> Result<Result<Free, Holder>, LeaseError> {
    let Some(stored) = store.read(Document::Lease).await? else { return Ok(Ok((Condition::Absent, None))) };
    let holder = Holder::of_lease(store, &stored);
    if holder.is_live() {
        return Ok(Err(holder));
    }
    refuse_newer(&holder)?;
    Ok(Ok((Condition::Unchanged(stored.version), Some(holder))))
}

/// A newer version's lease may live by other rules, so its age says nothing to us.
fn refuse_newer(holder: &Holder) -> Result<(), LeaseError> {
    match &holder.document {
        Err(source @ LeaseFormatError::Newer { .. }) => {
            Err(LeaseError::Format { place: holder.place.clone(), source: source.clone() })
        }
        _ => Ok(()),
    }
}

/// Whose lease there is, dead or alive, without taking anything.
pub async fn holder(store: &dyn Store) -> Result<Option<Holder>, LeaseError> {
    if let Some(bytes) = store.lock_holder().await? {
        return Ok(Some(Holder::of_lock(store, &bytes)));
    }
    Ok(store.read(Document::Lease).await?.map(|stored| Holder::of_lease(store, &stored)))
}

/// Removes a dead lease and says whose it was; `None` when there was none. A live one is refused.
pub async fn unlock(store: &dyn Store) -> Result<Option<Holder>, LeaseError> {
    if let Some(bytes) = store.lock_holder().await? {
        return Err(LeaseError::Held(Box::new(Holder::of_lock(store, &bytes))));
    }
    let Some(stored) = store.read(Document::Lease).await? else { return Ok(None) };
    let holder = Holder::of_lease(store, &stored);
    if holder.is_live() {
        return Err(LeaseError::Held(Box::new(holder)));
    }
    refuse_newer(&holder)?;
    match store.delete(Document::Lease, &stored.version).await {
        Ok(()) => Ok(Some(holder)),
        // It was renewed or taken over this moment, so it is not dead.
        Err(StoreError::Lost { .. }) => match store.read(Document::Lease).await? {
            Some(stored) => Err(LeaseError::Held(Box::new(Holder::of_lease(store, &stored)))),
            None => Ok(None),
        },
        Err(error) => Err(error.into()),
    }
}

fn write_id() -> String {
    Uuid::new_v4().to_string()
}

/// No code panics while it holds one of these locks, and what they guard is valid at every moment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
