//! What only the S3 backend can suffer: answers that are late, lost, or lies.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use s3stack::backend::clock::{Clock, SystemClock};
use s3stack::backend::lease::{Keeper, LeaseError, unlock};
use s3stack::backend::s3::S3Store;
use s3stack::backend::{Condition, Document, Keep, Store, StoreError, Version};
use s3stack_engine::fault::FaultKind;
use s3stack_engine::lease::Loss;

use crate::conformance::{claim, document};
use crate::support::emulator;
use crate::support::proxy::{Action, Proxy, Reply, Request};

const STATE: &str = "/state/shop/prod.json";

/// A client of S3 at `url` in `account`.
pub fn client(url: &str, account: &str, region: &'static str) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::from_static(region))
        .credentials_provider(Credentials::new(account, "secret", None, None, "test"))
        .endpoint_url(url)
        .force_path_style(true)
        .build();
    Client::from_conf(config)
}

/// An account with a versioned bucket, and a proxy before it.
pub struct World {
    bucket: String,
    direct: Client,
    proxied: Client,
    proxy: Proxy,
}

impl World {
    pub async fn new() -> Self {
        let account = emulator::account();
        let address = tokio::task::spawn_blocking(emulator::address).await.unwrap();
        // Names are shared by all accounts, as on AWS.
        let bucket = format!("backend-{account}");
        let proxy = Proxy::start(address).await;
        let direct = client(&format!("http://{address}"), &account, "eu-west-1");
        let proxied = client(&proxy.url(), &account, "eu-west-1");
        let place = aws_sdk_s3::types::CreateBucketConfiguration::builder()
            .location_constraint(aws_sdk_s3::types::BucketLocationConstraint::EuWest1)
            .build();
        direct.create_bucket().bucket(&bucket).create_bucket_configuration(place).send().await.unwrap();
        let versioning = aws_sdk_s3::types::VersioningConfiguration::builder()
            .status(aws_sdk_s3::types::BucketVersioningStatus::Enabled)
            .build();
        direct.put_bucket_versioning().bucket(&bucket).versioning_configuration(versioning).send().await.unwrap();
        Self { bucket, direct, proxied, proxy }
    }

    /// The store without a proxy.
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::new(S3Store::new(self.direct.clone(), &self.bucket, "shop/prod"))
    }

    /// The store behind the proxy, which is not patient.
    fn impatient(&self) -> Arc<dyn Store> {
        let store = S3Store::new(self.proxied.clone(), &self.bucket, "shop/prod");
        Arc::new(store.with_patience(Duration::from_millis(1_500), Duration::from_millis(5)))
    }
}

fn is_put(request: &Request) -> bool {
    request.method == "PUT" && request.path.ends_with(STATE)
}

fn is_get(request: &Request) -> bool {
    request.method == "GET" && request.path.ends_with(STATE)
}

/// Everything that can happen to one write, and whether it took effect the first time.
fn mishaps() -> Vec<(&'static str, Action, bool)> {
    let mut mishaps = vec![
        ("cut before", Action::CutBefore, false),
        ("cut after", Action::CutAfter, true),
        ("no answer, before", Action::HangBefore, false),
        ("no answer, after", Action::HangAfter, true),
        ("late", Action::Delay(Duration::from_millis(100)), true),
    ];
    for (status, code) in [
        (500, "InternalError"),
        (503, "SlowDown"),
        (503, "ServiceUnavailable"),
        (412, "PreconditionFailed"),
        (409, "ConditionalRequestConflict"),
        (404, "NoSuchKey"),
        (400, "RequestTimeout"),
    ] {
        mishaps.push((code, Action::Refuse(Reply::xml(status, code)), false));
        mishaps.push((code, Action::Mislead(Reply::xml(status, code)), true));
    }
    mishaps
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_succeeds_once_whatever_becomes_of_its_answer() {
    let world = World::new().await;
    let (store, direct) = (world.impatient(), world.store());
    let mut condition = Condition::Absent;
    for (number, (name, action, took_effect)) in mishaps().into_iter().enumerate() {
        // Once as the first write of all, then as updates.
        world.proxy.reset();
        world.proxy.once(is_put, action);
        let bytes = document(&format!("w{number}"));
        let version = store.write(Document::State, &bytes, condition).await;
        let version = version.unwrap_or_else(|error| panic!("{name} (took effect: {took_effect}): {error:?}"));
        let stored = direct.read(Document::State).await.unwrap().unwrap();
        assert_eq!((&stored.bytes, &stored.version), (&bytes, &version), "{name}");
        assert_eq!(world.proxy.effects(is_put), 1, "{name}: one write took effect");
        assert_eq!(world.proxy.count(is_put), if took_effect { 1 } else { 2 }, "{name}: sent again only where needed");
        condition = Condition::Unchanged(version);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_creation_succeeds_once_whatever_becomes_of_its_answer() {
    let world = World::new().await;
    let (store, direct) = (world.impatient(), world.store());
    let is_put = |request: &Request| request.method == "PUT" && request.path.contains("/lease/");
    for (name, action, took_effect) in mishaps() {
        world.proxy.reset();
        world.proxy.once(is_put, action);
        let version = store.write(Document::Lease, &document(name), Condition::Absent).await;
        let version = version.unwrap_or_else(|error| panic!("{name} (took effect: {took_effect}): {error:?}"));
        assert_eq!(world.proxy.effects(is_put), 1, "{name}: one write took effect");
        direct.delete(Document::Lease, &version).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_succeeds_once_whatever_becomes_of_its_answer() {
    let world = World::new().await;
    let (store, direct) = (world.impatient(), world.store());
    for (name, action, _) in mishaps() {
        world.proxy.reset();
        let version = direct.write(Document::Lease, &document(name), Condition::Absent).await.unwrap();
        world.proxy.once(|request| request.method == "DELETE", action);
        let deleted = store.delete(Document::Lease, &version).await;
        deleted.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(direct.read(Document::Lease).await.unwrap(), None, "{name}");
        assert_eq!(world.proxy.effects(|request| request.method == "DELETE"), 1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rival_in_between_is_found_out() {
    let world = World::new().await;
    let (store, direct) = (world.impatient(), world.store());
    for (name, action, took_effect) in mishaps() {
        let mine = format!("mine, {name}, {took_effect}");
        let rivals = format!("rival's, {name}, {took_effect}");
        let before = direct.read(Document::State).await.unwrap().map(|stored| stored.version);
        let condition = before.map_or(Condition::Absent, Condition::Unchanged);
        if took_effect {
            // Ours took effect, and the rival, who planned from ours, wrote over it before we could look.
            world.proxy.reset();
            world.proxy.once(is_put, action.clone());
            let (open, gate) = tokio::sync::watch::channel(false);
            world.proxy.once(is_get, Action::Hold(gate));
            let writing = {
                let (store, mine) = (store.clone(), mine.clone());
                tokio::spawn(async move { store.write(Document::State, &document(&mine), condition).await })
            };
            while world.proxy.effects(is_put) == 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            let ours = direct.read(Document::State).await.unwrap().unwrap();
            assert_eq!(ours.bytes, document(&mine));
            let over = Condition::Unchanged(ours.version);
            direct.write(Document::State, &document(&rivals), over).await.unwrap();
            open.send_replace(true);
            let result = writing.await.unwrap();
            // An answer that was only late is an answer; the rival comes after it.
            if !matches!(action, Action::Delay(_)) {
                assert!(matches!(result, Err(StoreError::Lost { .. })), "{name}: {result:?}");
            }
        } else {
            direct.write(Document::State, &document(&rivals), condition.clone()).await.unwrap();
            world.proxy.reset();
            world.proxy.once(is_put, action);
            let result = store.write(Document::State, &document(&mine), condition).await;
            assert!(matches!(result, Err(StoreError::Lost { .. })), "{name}: {result:?}");
            assert_eq!(world.proxy.effects(is_put), 0, "{name}");
        }
        assert_eq!(direct.read(Document::State).await.unwrap().unwrap().bytes, document(&rivals), "{name}");
    }
}

#[tokio::test]
async fn a_state_that_somebody_deleted_is_not_written_over() {
    let world = World::new().await;
    let store = world.store();
    let version = store.write(Document::State, &document("a"), Condition::Absent).await.unwrap();
    store.delete(Document::State, &version).await.unwrap();
    let result = store.write(Document::State, &document("b"), Condition::Unchanged(version)).await;
    assert!(matches!(result, Err(StoreError::Lost { .. })), "{result:?}");
    // Nothing was kept in history, but the bucket remembers.
    let error = store.read(Document::State).await.unwrap_err();
    assert!(matches!(&error, StoreError::Vanished { evidence, .. } if evidence.contains("delete marker")), "{error:?}");
}

#[tokio::test]
async fn what_does_not_pass_is_given_up_with_what_aws_said() {
    let world = World::new().await;
    let store = world.impatient();
    world.proxy.always(is_put, Action::Refuse(Reply::xml(503, "SlowDown")));
    let error = store.write(Document::State, &document("a"), Condition::Absent).await.unwrap_err();
    let StoreError::Fault { fault, .. } = error else { panic!("{error:?}") };
    assert_eq!((fault.service.as_str(), fault.operation.as_str()), ("s3", "PutObject"));
    assert!(fault.is_code(&["SlowDown"]));
    assert_eq!(fault.request_id.as_deref(), Some("PROXY1"));
    assert_eq!(world.proxy.count(is_put), 5);

    // What was refused for good is tried once.
    world.proxy.reset();
    world.proxy.always(is_put, Action::Refuse(Reply::xml(403, "AccessDenied")));
    let error = store.write(Document::State, &document("a"), Condition::Absent).await.unwrap_err();
    assert!(matches!(&error, StoreError::Fault { fault, .. } if fault.kind == FaultKind::Denied), "{error:?}");
    assert_eq!(world.proxy.requests().len(), 1);
}

#[tokio::test]
async fn only_s3s_own_word_says_that_nothing_is_there() {
    let world = World::new().await;
    let store = world.impatient();
    store.write(Document::State, &document("a"), Condition::Absent).await.unwrap();

    world.proxy.times(2, is_get, Action::Refuse(Reply::xml(503, "SlowDown")));
    assert!(store.read(Document::State).await.unwrap().is_some());

    // Some proxy's 404, without S3's code.
    let bare = Reply { status: 404, headers: vec![], body: "<html>not here</html>".into() };
    world.proxy.once(is_get, Action::Refuse(bare));
    assert!(matches!(store.read(Document::State).await, Err(StoreError::Fault { .. })));

    world.proxy.once(is_get, Action::Refuse(Reply::xml(403, "AccessDenied")));
    let error = store.read(Document::State).await.unwrap_err();
    let StoreError::Fault { fault, .. } = error else { panic!("{error:?}") };
    assert!(fault.kind == FaultKind::Denied && fault.says("s3:ListBucket"), "{fault}");

    let elsewhere = S3Store::new(world.direct.clone(), "no-such-bucket-anywhere", "shop/prod");
    for error in [
        elsewhere.read(Document::State).await.unwrap_err(),
        elsewhere.write(Document::State, b"{}", Condition::Absent).await.unwrap_err(),
        elsewhere.delete(Document::Lease, &Version("\"x\"".into())).await.unwrap_err(),
        elsewhere.keep(1, Keep::Step, b"{}").await.unwrap_err(),
        elsewhere.history().await.unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::Missing { .. }), "{error:?}");
        assert!(error.help().unwrap().contains("init"));
    }
}

#[tokio::test]
async fn stacks_in_one_bucket_do_not_meet() {
    let world = World::new().await;
    let stores = ["shop/prod", "shop/prod2", "shop", "prod"]
        .map(|prefix| S3Store::new(world.direct.clone(), &world.bucket, prefix));
    for (serial, store) in (1..).zip(&stores) {
        store.write(Document::State, &document(&serial.to_string()), Condition::Absent).await.unwrap();
        store.keep(serial, Keep::RunEnd, &document("x")).await.unwrap();
    }
    for (serial, store) in (1..).zip(&stores) {
        assert_eq!(store.history().await.unwrap(), [serial]);
        assert_eq!(store.read(Document::State).await.unwrap().unwrap().bytes, document(&serial.to_string()));
    }
}

#[tokio::test]
async fn a_long_history_is_listed_to_its_end() {
    let world = World::new().await;
    // A page of two entries, whatever was asked for.
    let store = world.store();
    for serial in 1..=5 {
        store.keep(serial, Keep::Step, &document("x")).await.unwrap();
    }
    let truncated = |last: bool, serials: &[u64]| {
        let contents: String = serials
            .iter()
            .map(|serial| format!("<Contents><Key>steps/shop/prod/{serial:020}.json</Key></Contents>"))
            .collect();
        let next = if last { "" } else { "<NextContinuationToken>more</NextContinuationToken>" };
        Reply {
            status: 200,
            headers: vec![("content-type".into(), "application/xml".into())],
            body: format!("<ListBucketResult><IsTruncated>{}</IsTruncated>{next}{contents}</ListBucketResult>", !last),
        }
    };
    let steps = |request: &Request| request.query.contains("steps");
    world.proxy.once(steps, Action::Refuse(truncated(false, &[1, 2])));
    world
        .proxy
        .once(|request| request.query.contains("continuation-token=more"), Action::Refuse(Reply::xml(503, "SlowDown")));
    world
        .proxy
        .once(|request| request.query.contains("continuation-token=more"), Action::Refuse(truncated(true, &[3])));
    assert_eq!(world.impatient().history().await.unwrap(), [1, 2, 3]);
    assert_eq!(store.history().await.unwrap(), [1, 2, 3, 4, 5]);
}

/// S3's own clock, as the proxy makes it: one hour after whatever was written in this test.
fn an_hour_later() -> Action {
    let now = std::time::SystemTime::now() + Duration::from_secs(3600);
    let date = aws_sdk_s3::primitives::DateTime::from(now);
    Action::Headers(vec![("Date".into(), date.fmt(aws_sdk_s3::primitives::DateTimeFormat::HttpDate).unwrap())])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn age_is_by_s3s_own_clock() {
    let world = World::new().await;
    let store = world.impatient();
    let acquire = |run: &str| Keeper::acquire(world.impatient(), Arc::new(SystemClock), claim(run), None);
    let ada = acquire("ada").await.unwrap();
    assert!(matches!(acquire("bob").await, Err(LeaseError::Held(_))));
    assert!(matches!(unlock(store.as_ref()).await, Err(LeaseError::Held(_))));

    // No clock of ours says that ada's lease is old; S3's does.
    world.proxy.always(|request| request.method == "GET", an_hour_later());
    let age = store.read(Document::Lease).await.unwrap().unwrap().age_seconds;
    assert!((3590..3700).contains(&age), "{age}");
    let bob = acquire("bob").await.unwrap();
    assert_eq!(bob.taken_over().unwrap().document.as_ref().unwrap().run, "ada");
    // What ada does now must leave bob's lease alone.
    ada.release().await.unwrap();
    assert!(store.read(Document::Lease).await.unwrap().is_some());
    bob.release().await.unwrap();
    assert!(store.read(Document::Lease).await.unwrap().is_none());

    drop(acquire("cyd").await.unwrap());
    assert_eq!(unlock(store.as_ref()).await.unwrap().unwrap().document.unwrap().run, "cyd");
    assert!(store.read(Document::Lease).await.unwrap().is_none());
}

/// A clock on which two minutes take a second.
struct Hurried(std::time::Instant);

#[async_trait::async_trait]
impl Clock for Hurried {
    fn now(&self) -> Duration {
        self.0.elapsed() * 120
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration / 120).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewals_go_on_through_mishaps_and_the_lease_is_given_back() {
    let world = World::new().await;
    let renewal = |request: &Request| request.method == "PUT" && request.header("if-match").is_some();
    for (name, action, _) in mishaps() {
        world.proxy.reset();
        world.proxy.once(renewal, action);
        let clock = Arc::new(Hurried(std::time::Instant::now()));
        let keeper = Keeper::acquire(world.impatient(), clock, claim("ada"), None).await.unwrap();
        // The one that had the mishap, and two that went well.
        tokio::time::timeout(Duration::from_secs(20), async {
            while world.proxy.effects(renewal) < 3 || !keeper.may_start_call() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .unwrap_or_else(|_| panic!("{name}: {:?}", keeper.trouble()));
        keeper.release().await.unwrap();
        assert_eq!(world.store().read(Document::Lease).await.unwrap(), None, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_a_rival_took_over_hears_of_it() {
    let world = World::new().await;
    let clock = Arc::new(Hurried(std::time::Instant::now()));
    let ada = Keeper::acquire(world.impatient(), clock, claim("ada"), None).await.unwrap();
    // S3 says to everybody who asks that an hour has passed; ada does not ask, she renews.
    world.proxy.always(|request| request.method == "GET", an_hour_later());
    let bob = Keeper::acquire(world.impatient(), Arc::new(SystemClock), claim("bob"), None).await.unwrap();
    assert_eq!(tokio::time::timeout(Duration::from_secs(20), ada.lost()).await, Ok(Loss::Taken));
    assert!(!ada.may_start_call() && !ada.may_write_state());
    assert!(bob.may_start_call());
    ada.release().await.unwrap();
    bob.release().await.unwrap();
}

#[tokio::test]
async fn the_sdk_sends_nothing_twice() {
    let world = World::new().await;
    world.proxy.once(is_put, Action::Refuse(Reply::xml(500, "InternalError")));
    let store = world.impatient();
    store.write(Document::State, &document("a"), Condition::Absent).await.unwrap();
    let lines: Vec<String> = world.proxy.requests().iter().map(|request| request.method.clone()).collect();
    assert_eq!(lines, ["PUT", "GET", "PUT"], "between two writes the object is read");
    let requests = world.proxy.requests();
    assert_eq!(requests[0].header("if-none-match"), Some("*"));
    assert_eq!(requests[0].header("content-type"), Some("application/json"));
    assert_eq!(requests[0].body, requests[2].body);
}
