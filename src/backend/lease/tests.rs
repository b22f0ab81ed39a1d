use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use s3stack_engine::fault::{Fault, FaultKind};
use s3stack_engine::lease::{CALL_WINDOW, RENEW_EVERY};

use super::super::store::Keep;
use super::*;

/// A clock that goes when it is told to.
struct ManualClock(watch::Sender<Duration>);

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Duration {
        *self.0.borrow()
    }

    async fn sleep(&self, duration: Duration) {
        let until = self.now() + duration;
        self.0.subscribe().wait_for(|now| *now >= until).await.expect("the sender lives in self");
    }
}

/// A store of one lease that can be cut off, before or after a write takes effect.
struct MemoryStore {
    clock: Arc<ManualClock>,
    lease: Mutex<Option<(Vec<u8>, u64, Duration)>>,
    writes: AtomicU64,
    cut_off: AtomicBool,
    /// The next write is reported lost, and arrives after the next read, long before anything else.
    next_is_late: AtomicBool,
    late: Mutex<Option<Vec<u8>>>,
    answers_lost: AtomicBool,
    attempts: AtomicU64,
}

impl MemoryStore {
    fn uncertain(&self) -> StoreError {
        let fault = Fault::local(FaultKind::Uncertain, "PutObject", "cut off");
        StoreError::Fault { place: self.place(), fault: Box::new(fault) }
    }

    fn version(&self) -> Option<u64> {
        lock(&self.lease).as_ref().map(|(_, version, _)| *version)
    }

    fn attempts(&self) -> u64 {
        self.attempts.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn place(&self) -> String {
        "memory".into()
    }

    async fn read(&self, _: Document) -> Result<Option<Stored>, StoreError> {
        if self.cut_off.load(Ordering::SeqCst) {
            return Err(self.uncertain());
        }
        if let Some(bytes) = lock(&self.late).take() {
            *lock(&self.lease) = Some((bytes, self.writes.fetch_add(1, Ordering::SeqCst) + 1, self.clock.now()));
            self.clock.0.send_modify(|now| *now += Duration::from_secs(100));
            return Ok(None);
        }
        Ok(lock(&self.lease).as_ref().map(|(bytes, version, at)| Stored {
            bytes: bytes.clone(),
            version: Version(version.to_string()),
            age_seconds: (self.clock.now() - *at).as_secs(),
        }))
    }

    async fn write(&self, document: Document, bytes: &[u8], condition: Condition) -> Result<Version, StoreError> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        if self.cut_off.load(Ordering::SeqCst) {
            return Err(self.uncertain());
        }
        if self.next_is_late.swap(false, Ordering::SeqCst) {
            lock(&self.late).replace(bytes.to_vec());
            return Err(StoreError::Lost { place: self.place(), document });
        }
        let mut lease = lock(&self.lease);
        let holds = match (&*lease, &condition) {
            (None, Condition::Absent) => true,
            (Some((stored, version, _)), _) if stored == bytes => return Ok(Version(version.to_string())),
            (Some((_, version, _)), Condition::Unchanged(expected)) => expected.0 == version.to_string(),
            _ => false,
        };
        if !holds {
            return Err(StoreError::Lost { place: self.place(), document });
        }
        let version = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        *lease = Some((bytes.to_vec(), version, self.clock.now()));
        if self.answers_lost.load(Ordering::SeqCst) {
            return Err(self.uncertain());
        }
        Ok(Version(version.to_string()))
    }

    async fn delete(&self, document: Document, version: &Version) -> Result<(), StoreError> {
        let mut lease = lock(&self.lease);
        match &*lease {
            Some((_, stored, _)) if stored.to_string() != version.0 => {
                Err(StoreError::Lost { place: self.place(), document })
            }
            _ => {
                *lease = None;
                Ok(())
            }
        }
    }

    async fn keep(&self, _: u64, _: Keep, _: &[u8]) -> Result<(), StoreError> {
        unreachable!("the keeper keeps no states")
    }

    async fn history(&self) -> Result<Vec<u64>, StoreError> {
        unreachable!("the keeper keeps no states")
    }

    async fn kept(&self, _: u64) -> Result<Option<Vec<u8>>, StoreError> {
        unreachable!("the keeper keeps no states")
    }
}

struct World {
    clock: Arc<ManualClock>,
    store: Arc<MemoryStore>,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock(watch::Sender::new(Duration::from_secs(1_000))));
        let store = Arc::new(MemoryStore {
            clock: clock.clone(),
            lease: Mutex::new(None),
            writes: AtomicU64::new(0),
            cut_off: AtomicBool::new(false),
            next_is_late: AtomicBool::new(false),
            late: Mutex::new(None),
            answers_lost: AtomicBool::new(false),
            attempts: AtomicU64::new(0),
        });
        Self { clock, store }
    }

    async fn acquire(&self, run: &str, wait: Option<Duration>) -> Result<Keeper, LeaseError> {
        Keeper::acquire(self.store.clone(), self.clock.clone(), claim(run), wait).await
    }

    fn advance(&self, seconds: u64) {
        self.clock.0.send_modify(|now| *now += Duration::from_secs(seconds));
    }

    /// Lets the renewal task act until `done`.
    async fn until(&self, done: impl Fn() -> bool) {
        for _ in 0..5_000 {
            if done() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("it never came about");
    }

    /// Lets time pass second by second, with the renewal that becomes due in between done.
    async fn live(&self, seconds: u64) {
        for _ in 0..seconds {
            let before = (self.store.attempts(), self.store.version());
            self.advance(1);
            for _ in 0..50 {
                tokio::task::yield_now().await;
                if before != (self.store.attempts(), self.store.version()) {
                    break;
                }
            }
        }
    }
}

fn claim(run: &str) -> Claim {
    Claim {
        run: run.into(),
        owner: format!("{run}@engine pid 7"),
        command: "s3stack apply".into(),
        acquired_at: "2026-11-23T06:00:00Z".into(),
    }
}

#[tokio::test]
async fn the_lease_is_renewed_every_fifteen_seconds_and_released() {
    let world = World::new();
    let keeper = world.acquire("ada", None).await.unwrap();
    for renewal in 2..6 {
        world.advance(RENEW_EVERY.as_secs());
        world.until(|| world.store.version() == Some(renewal)).await;
        world.until(|| keeper.may_start_call()).await;
    }
    assert!(keeper.taken_over().is_none());
    let gate = keeper.gate();
    assert!(gate.may_start());
    keeper.release().await.unwrap();
    assert!(!gate.may_start(), "who gave the lease back starts nothing more");
    assert_eq!(world.store.version(), None);
}

#[tokio::test]
async fn a_live_lease_is_refused_with_its_owner() {
    let world = World::new();
    let keeper = world.acquire("ada", None).await.unwrap();
    world.clock.0.send_modify(|now| *now += Duration::from_secs(14));
    let error = world.acquire("bob", None).await.err().unwrap();
    assert_eq!(
        error.to_string(),
        "ada@engine pid 7 is running `s3stack apply` since 2026-11-23T06:00:00Z at memory; its lease was renewed 14 s ago"
    );
    assert!(error.help().unwrap().contains("in 107 s"), "{:?}", error.help());
    assert!(matches!(unlock(world.store.as_ref()).await, Err(LeaseError::Held(_))), "a live lease is not removed");
    assert!(holder(world.store.as_ref()).await.unwrap().unwrap().is_live());
    keeper.release().await.unwrap();
    assert!(unlock(world.store.as_ref()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_dead_lease_is_taken_over_and_its_owner_told() {
    let world = World::new();
    // Dropped, not released: what a crash does.
    drop(world.acquire("ada", None).await.unwrap());
    world.advance(120);
    assert!(matches!(world.acquire("bob", None).await, Err(LeaseError::Held(_))));
    world.advance(1);
    let keeper = world.acquire("bob", None).await.unwrap();
    let left = keeper.taken_over().unwrap();
    assert_eq!(left.document.as_ref().unwrap().run, "ada");
    keeper.release().await.unwrap();

    drop(world.acquire("cyd", None).await.unwrap());
    world.advance(121);
    assert_eq!(unlock(world.store.as_ref()).await.unwrap().unwrap().document.unwrap().run, "cyd");
    assert_eq!(world.store.version(), None);
}

#[tokio::test]
async fn who_waits_gets_the_lease_when_it_is_free() {
    let world = World::new();
    let first = world.acquire("ada", None).await.unwrap();
    let (store, clock) = (world.store.clone(), world.clock.clone());
    let waiting = tokio::spawn(async move {
        Keeper::acquire(store, clock, claim("bob"), Some(Duration::from_secs(60)))
            .await
            .map(|keeper| keeper.run.clone())
    });
    world.live(10).await;
    assert!(!waiting.is_finished());
    first.release().await.unwrap();
    for _ in 0..60 {
        world.live(1).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(waiting.await.unwrap().unwrap(), "bob");
}

#[tokio::test]
async fn who_waits_too_long_is_told_who_holds_it() {
    let world = World::new();
    let first = world.acquire("ada", None).await.unwrap();
    let (store, clock) = (world.store.clone(), world.clock.clone());
    let waiting =
        tokio::spawn(async move { Keeper::acquire(store, clock, claim("bob"), Some(Duration::from_secs(20))).await });
    for _ in 0..40 {
        world.live(1).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(
        matches!(waiting.await.unwrap(), Err(LeaseError::Held(holder)) if holder.document.as_ref().unwrap().run == "ada")
    );
    drop(first);
}

#[tokio::test]
async fn a_cut_off_owner_stops_starting_calls_and_goes_on_when_it_is_back() {
    let world = World::new();
    let keeper = world.acquire("ada", None).await.unwrap();
    world.store.cut_off.store(true, Ordering::SeqCst);
    world.advance(RENEW_EVERY.as_secs());
    world.until(|| keeper.trouble().is_some()).await;
    assert!(keeper.may_start_call(), "the window is not over yet");
    world.advance((CALL_WINDOW - RENEW_EVERY).as_secs() + 1);
    assert!(!keeper.may_start_call());
    assert!(keeper.may_write_state(), "nobody has taken it over: the state's own condition decides");

    world.store.cut_off.store(false, Ordering::SeqCst);
    // The renewal counts from when it was first sent; the next one, due at once, opens the window.
    for _ in 0..10 {
        world.live(1).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    world.until(|| keeper.may_start_call() && keeper.trouble().is_none()).await;
    keeper.release().await.unwrap();
}

#[tokio::test]
async fn a_renewal_whose_answer_is_lost_is_known_again() {
    let world = World::new();
    let keeper = world.acquire("ada", None).await.unwrap();
    world.store.answers_lost.store(true, Ordering::SeqCst);
    world.advance(RENEW_EVERY.as_secs());
    world.until(|| keeper.trouble().is_some()).await;
    world.store.answers_lost.store(false, Ordering::SeqCst);
    world.advance(2);
    world.until(|| keeper.trouble().is_none()).await;
    assert_eq!(world.store.version(), Some(2), "it was the same write");
    keeper.release().await.unwrap();
    assert_eq!(world.store.version(), None);
}

#[tokio::test]
async fn a_release_right_after_a_lost_answer_still_deletes() {
    let world = World::new();
    let keeper = world.acquire("ada", None).await.unwrap();
    world.store.answers_lost.store(true, Ordering::SeqCst);
    world.advance(RENEW_EVERY.as_secs());
    world.until(|| keeper.trouble().is_some()).await;
    keeper.release().await.unwrap();
    assert_eq!(world.store.version(), None);
}

#[tokio::test]
async fn an_owner_that_was_taken_over_hears_of_it_and_leaves_the_rival_alone() {
    let world = World::new();
    let sleeper = world.acquire("ada", None).await.unwrap();
    world.store.cut_off.store(true, Ordering::SeqCst);
    world.advance(130);
    world.until(|| sleeper.trouble().is_some()).await;
    assert!(!sleeper.may_start_call());
    // The rival gets through where the owner does not: it writes what `acquire` would.
    *lock(&world.store.lease) = Some((claim("bob").document().to_bytes(), 77, world.clock.now()));
    world.store.cut_off.store(false, Ordering::SeqCst);
    world.advance(2);
    let lost = tokio::time::timeout(Duration::from_secs(5), sleeper.lost()).await;
    assert_eq!(lost, Ok(Loss::Taken));
    assert!(!sleeper.may_start_call() && !sleeper.may_write_state());
    sleeper.release().await.unwrap();
    assert_eq!(world.store.version(), Some(77), "the rival's lease is not ours to delete");
}

#[tokio::test]
async fn an_owner_that_cannot_renew_gives_up() {
    let world = World::new();
    let keeper = world.acquire("ada", None).await.unwrap();
    world.store.cut_off.store(true, Ordering::SeqCst);
    for _ in 0..200 {
        world.live(1).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        if !keeper.may_write_state() {
            break;
        }
    }
    assert_eq!(tokio::time::timeout(Duration::from_secs(5), keeper.lost()).await, Ok(Loss::Unreachable));
    assert!(keeper.trouble().is_some());
}

#[tokio::test]
async fn a_newer_lease_is_never_taken_over() {
    let world = World::new();
    *lock(&world.store.lease) = Some((br#"{"format": 99}"#.to_vec(), 5, world.clock.now()));
    assert!(matches!(world.acquire("bob", None).await, Err(LeaseError::Held(_))));
    world.advance(500);
    assert!(matches!(world.acquire("bob", None).await, Err(LeaseError::Format { .. })));
    assert!(matches!(unlock(world.store.as_ref()).await, Err(LeaseError::Format { .. })));

    // Damage is not a version: such a lease dies like any other.
    *lock(&world.store.lease) = Some((b"{".to_vec(), 6, Duration::ZERO));
    assert!(world.acquire("bob", None).await.unwrap().taken_over().unwrap().document.is_err());
}

#[tokio::test]
async fn a_claim_that_arrives_late_counts_from_when_it_was_first_sent() {
    let world = World::new();
    // Lost to a rival's lease while still on its way; the rival then gave its own back, and this machine slept for 100 s
    // between looking and claiming again.
    world.store.next_is_late.store(true, Ordering::SeqCst);
    let keeper = world.acquire("ada", None).await.unwrap();
    assert!(!keeper.may_start_call(), "this lease is 100 s old: in 20 s a rival may take it over");
    world.until(|| world.store.attempts() == 3).await;
    world.until(|| keeper.may_start_call()).await;
}
