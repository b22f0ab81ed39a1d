//! What every backend does.

use std::sync::Arc;
use std::time::Duration;

use s3stack::backend::clock::SystemClock;
use s3stack::backend::lease::{Claim, Keeper, LeaseError, holder, unlock};
use s3stack::backend::{Condition, Document, Keep, Store, StoreError, Version};

use crate::{file, s3};

/// A document as the engine writes it: with a write id that no other has.
pub fn document(write_id: &str) -> Vec<u8> {
    format!("{{\"write_id\": \"{write_id}\"}}\n").into_bytes()
}

pub fn claim(run: &str) -> Claim {
    Claim {
        run: run.into(),
        owner: format!("{run}@engine pid 7"),
        command: "s3stack apply".into(),
        acquired_at: "2026-11-23T06:00:00Z".into(),
    }
}

fn lost<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    assert!(matches!(result, Err(StoreError::Lost { .. })), "{result:?}");
}

async fn writes_are_conditional(store: Arc<dyn Store>) {
    // The lease and the digest key are deleted and made again; a state never is.
    for document_kind in [Document::DigestKey, Document::Lease] {
        one_document_is_conditional(store.as_ref(), document_kind).await;
    }
}

async fn one_document_is_conditional(store: &dyn Store, document_kind: Document) {
    assert_eq!(store.read(document_kind).await.unwrap(), None);
    lost(store.write(document_kind, &document("x"), Condition::Unchanged(Version("\"nothing\"".into()))).await);

    let first = store.write(document_kind, &document("a"), Condition::Absent).await.unwrap();
    lost(store.write(document_kind, &document("b"), Condition::Absent).await);
    let stored = store.read(document_kind).await.unwrap().unwrap();
    assert_eq!((stored.bytes, stored.version), (document("a"), first.clone()));
    assert!(stored.age_seconds < 60);

    let second = store.write(document_kind, &document("b"), Condition::Unchanged(first.clone())).await.unwrap();
    assert_ne!(first, second);
    lost(store.write(document_kind, &document("c"), Condition::Unchanged(first.clone())).await);
    assert_eq!(store.read(document_kind).await.unwrap().unwrap().version, second);

    // Whoever did not hear the answer asks again with the same bytes, and hears that it went through.
    let again = store.write(document_kind, &document("b"), Condition::Unchanged(first.clone())).await.unwrap();
    assert_eq!(again, second);

    lost(store.delete(document_kind, &first).await);
    assert_eq!(store.read(document_kind).await.unwrap().unwrap().version, second);
    store.delete(document_kind, &second).await.unwrap();
    store.delete(document_kind, &second).await.unwrap();
    assert_eq!(store.read(document_kind).await.unwrap(), None);
    lost(store.write(document_kind, &document("d"), Condition::Unchanged(second)).await);
    // What was deleted can be made again: the lease is, with every run.
    store.write(document_kind, &document("e"), Condition::Absent).await.unwrap();
}

async fn history_is_ordered_and_kept(store: Arc<dyn Store>) {
    assert_eq!(store.history().await.unwrap(), Vec::<u64>::new());
    assert_eq!(store.kept(1).await.unwrap(), None);
    let version = store.write(Document::State, &document("s10"), Condition::Absent).await.unwrap();
    for (serial, keep) in
        [(10, Keep::RunEnd), (9, Keep::Step), (100, Keep::Step), (11, Keep::RunEnd), (100, Keep::RunEnd)]
    {
        store.keep(serial, keep, &document(&format!("s{serial}"))).await.unwrap();
    }
    // Keeping it twice changes nothing.
    store.keep(10, Keep::RunEnd, &document("s10")).await.unwrap();
    assert_eq!(store.history().await.unwrap(), [9, 10, 11, 100]);

    // What is written later leaves history as it is.
    store.write(Document::State, &document("s101"), Condition::Unchanged(version)).await.unwrap();
    for serial in [9, 10, 11, 100] {
        assert_eq!(store.kept(serial).await.unwrap(), Some(document(&format!("s{serial}"))), "{serial}");
    }
}

async fn a_lost_state_is_no_fresh_start(store: Arc<dyn Store>) {
    assert_eq!(store.read(Document::State).await.unwrap(), None);
    let version = store.write(Document::State, &document("s1"), Condition::Absent).await.unwrap();
    store.keep(1, Keep::RunEnd, &document("s1")).await.unwrap();
    store.delete(Document::State, &version).await.unwrap();
    let error = store.read(Document::State).await.unwrap_err();
    assert!(matches!(error, StoreError::Vanished { .. }), "{error:?}");
    assert!(error.help().unwrap().contains("restore"));
    // Putting it back is a write like any other.
    store.write(Document::State, &document("s2"), Condition::Absent).await.unwrap();
    assert!(store.read(Document::State).await.unwrap().is_some());
}

/// Eight writers, each adding one to a number five times: no addition is lost.
async fn no_update_is_lost(store: Arc<dyn Store>) {
    const WRITERS: u64 = 8;
    const TURNS: u64 = 5;
    fn count(number: u64, writer: u64, turn: u64) -> Vec<u8> {
        format!("{{\"write_id\": \"{writer}-{turn}-{number}\", \"number\": {number}}}").into_bytes()
    }
    store.write(Document::State, &count(0, 99, 0), Condition::Absent).await.unwrap();
    let writers = (0..WRITERS).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for turn in 0..TURNS {
                loop {
                    let stored = store.read(Document::State).await.unwrap().unwrap();
                    let value: serde_json::Value = serde_json::from_slice(&stored.bytes).unwrap();
                    let next = count(value["number"].as_u64().unwrap() + 1, writer, turn);
                    match store.write(Document::State, &next, Condition::Unchanged(stored.version)).await {
                        Ok(_) => break,
                        Err(StoreError::Lost { .. }) => tokio::task::yield_now().await,
                        Err(error) => panic!("{error:?}"),
                    }
                }
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let stored = store.read(Document::State).await.unwrap().unwrap();
    let value: serde_json::Value = serde_json::from_slice(&stored.bytes).unwrap();
    assert_eq!(value["number"], WRITERS * TURNS);
}

async fn one_keeper_at_a_time(store: Arc<dyn Store>) {
    let acquire = |run: &str, wait| Keeper::acquire(store.clone(), Arc::new(SystemClock), claim(run), wait);
    assert_eq!(holder(store.as_ref()).await.unwrap(), None);
    let ada = acquire("ada", None).await.unwrap();
    assert!(ada.may_start_call() && ada.may_write_state() && ada.taken_over().is_none());

    let error = acquire("bob", None).await.err().unwrap();
    assert!(error.to_string().starts_with("ada@engine pid 7 is running `s3stack apply` since 2026"), "{error}");
    assert!(error.help().unwrap().contains("--lock-timeout"));
    let seen = holder(store.as_ref()).await.unwrap().unwrap();
    assert!(seen.is_live());
    assert_eq!(seen.document.unwrap().run, "ada");
    assert!(matches!(unlock(store.as_ref()).await, Err(LeaseError::Held(_))));

    let waiting = tokio::spawn(acquire("bob", Some(Duration::from_secs(60))));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished());
    let gate = ada.gate();
    assert!(gate.may_start());
    ada.release().await.unwrap();
    assert!(!gate.may_start());
    let bob = waiting.await.unwrap().unwrap();
    assert!(bob.taken_over().is_none(), "it was given back, not left behind");
    assert_eq!(holder(store.as_ref()).await.unwrap().unwrap().document.unwrap().run, "bob");
    bob.release().await.unwrap();
    assert_eq!(holder(store.as_ref()).await.unwrap(), None);
    assert!(unlock(store.as_ref()).await.unwrap().is_none());
}

/// Of many that want the lease at one moment, one gets it.
async fn one_of_many_keepers_wins(store: Arc<dyn Store>) {
    let acquiring: Vec<_> = (0..8)
        .map(|run| tokio::spawn(Keeper::acquire(store.clone(), Arc::new(SystemClock), claim(&run.to_string()), None)))
        .collect();
    let mut keepers = Vec::new();
    for result in acquiring {
        match result.await.unwrap() {
            Ok(keeper) => keepers.push(keeper),
            Err(LeaseError::Held(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(keepers.len(), 1);
    keepers.pop().unwrap().release().await.unwrap();
}

macro_rules! conformance {
    ($($case:ident)*) => {
        mod on_files {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let folder = tempfile::tempdir().unwrap();
                super::$case(super::file::store(&folder)).await;
            })*
        }
        mod on_s3 {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(super::s3::World::new().await.store()).await;
            })*
        }
    };
}

conformance! {
    writes_are_conditional
    history_is_ordered_and_kept
    a_lost_state_is_no_fresh_start
    no_update_is_lost
    one_keeper_at_a_time
    one_of_many_keepers_wins
}
