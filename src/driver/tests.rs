use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::backend::clock::SystemClock;
use crate::backend::file::FileStore;
use crate::backend::lease::Claim;
use crate::backend::{Lock, Stored, Version};

/// A folder whose next answer to a write is lost, and which cannot be asked what became of it.
struct Silent {
    store: FileStore,
    next: AtomicBool,
}

#[async_trait]
impl Store for Silent {
    fn place(&self) -> String {
        self.store.place()
    }

    async fn read(&self, document: Document) -> Result<Option<Stored>, StoreError> {
        self.store.read(document).await
    }

    async fn write(&self, document: Document, bytes: &[u8], condition: Condition) -> Result<Version, StoreError> {
        let version = self.store.write(document, bytes, condition).await?;
        if self.next.swap(false, Ordering::SeqCst) {
            let fault = Fault::local(FaultKind::Uncertain, "PutObject", "no answer".to_owned());
            return Err(StoreError::Fault { place: self.place(), fault: Box::new(fault) });
        }
        Ok(version)
    }

    async fn delete(&self, document: Document, version: &Version) -> Result<(), StoreError> {
        self.store.delete(document, version).await
    }

    async fn keep(&self, serial: u64, keep: Keep, bytes: &[u8]) -> Result<(), StoreError> {
        self.store.keep(serial, keep, bytes).await
    }

    async fn history(&self) -> Result<Vec<u64>, StoreError> {
        self.store.history().await
    }

    async fn kept(&self, serial: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.kept(serial).await
    }

    async fn try_lock(&self, holder: &[u8]) -> Result<Lock, StoreError> {
        self.store.try_lock(holder).await
    }
}

fn state(serial: u64) -> Box<State> {
    Box::new(State { serial, ..State::new("lineage".into(), "stack".into(), "prod".into()) })
}

#[tokio::test]
async fn a_run_does_not_lose_to_a_write_of_its_own_whose_answer_was_lost() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Silent { store: FileStore::new(folder.path()), next: AtomicBool::new(false) });
    let claim =
        Claim { run: "r".into(), owner: "ada".into(), command: "apply".into(), acquired_at: "2026-11-23".into() };
    let keeper = Arc::new(Keeper::acquire(store.clone(), Arc::new(SystemClock), claim, None).await.unwrap());
    let base = Base { condition: Condition::Absent, unsettled: None };

    let first = write(store.clone(), keeper.clone(), state(1), base).await;
    assert!(first.result.is_ok());

    store.next.store(true, Ordering::SeqCst);
    let second = write(store.clone(), keeper.clone(), state(2), first.base).await;
    assert!(matches!(second.result, Err(StoreError::Fault { .. })));

    let third = write(store.clone(), keeper.clone(), state(2), second.base).await;
    assert!(third.result.is_ok(), "{:?}", third.result);
    assert!(third.base.unsettled.is_none());

    // And what another run wrote in between is still another run's.
    store.next.store(true, Ordering::SeqCst);
    let fourth = write(store.clone(), keeper.clone(), state(3), third.base).await;
    let stored = store.read(Document::State).await.unwrap().unwrap();
    store.write(Document::State, b"{}", Condition::Unchanged(stored.version)).await.unwrap();
    let fifth = write(store.clone(), keeper, state(3), fourth.base).await;
    assert!(matches!(fifth.result, Err(StoreError::Lost { .. })), "{:?}", fifth.result);
}
