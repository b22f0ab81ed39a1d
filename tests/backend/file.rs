//! What only the file backend can suffer: other processes, kills, wrong modes.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use s3stack::backend::clock::SystemClock;
use s3stack::backend::file::FileStore;
use s3stack::backend::lease::{Keeper, LeaseError};
use s3stack::backend::{Condition, Document, Keep, Store, StoreError};
use tempfile::TempDir;

use crate::conformance::{claim, document};

pub fn store(folder: &TempDir) -> Arc<dyn Store> {
    Arc::new(FileStore::new(folder.path().join("state/default")))
}

#[tokio::test]
async fn only_its_owner_may_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    store.write(Document::State, &document("a"), Condition::Absent).await.unwrap();
    store.write(Document::DigestKey, &document("b"), Condition::Absent).await.unwrap();
    store.keep(1, Keep::RunEnd, &document("a")).await.unwrap();
    store.keep(2, Keep::Step, &document("c")).await.unwrap();
    let keeper = Keeper::acquire(store.clone(), Arc::new(SystemClock), claim("ada"), None).await.unwrap();
    let mut folders = vec![folder.path().join("state")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700, "{folder:?}");
        for entry in std::fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                files += 1;
                let mode = entry.metadata().unwrap().permissions().mode();
                assert_eq!(mode & 0o777, 0o600, "{:?}", entry.path());
            }
        }
    }
    assert_eq!(files, 6, "state, digest key, two locks, two in history");
    keeper.release().await.unwrap();
}

#[tokio::test]
async fn what_a_killed_writer_left_is_cleared_away() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let version = store.write(Document::State, &document("a"), Condition::Absent).await.unwrap();
    store.keep(1, Keep::RunEnd, &document("a")).await.unwrap();
    let inside = folder.path().join("state/default");
    let left = [inside.join(".s3stack-half"), inside.join("history/.s3stack-1.link")];
    for left in &left {
        std::fs::write(left, b"{\"half").unwrap();
    }
    assert_eq!(store.read(Document::State).await.unwrap().unwrap().version, version);
    assert_eq!(store.history().await.unwrap(), [1]);
    store.write(Document::State, &document("b"), Condition::Unchanged(version)).await.unwrap();
    assert!(left.iter().all(|left| !left.exists()));
}

#[tokio::test]
async fn steps_are_pruned_after_ninety_days_and_ends_of_runs_never() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    for serial in 1..4 {
        store.keep(serial, if serial == 2 { Keep::RunEnd } else { Keep::Step }, &document("x")).await.unwrap();
    }
    let days = |days: u64| SystemTime::now() + Duration::from_secs(days * 86_400);
    store.prune(days(89)).await.unwrap();
    assert_eq!(store.history().await.unwrap(), [1, 2, 3]);
    store.prune(days(91)).await.unwrap();
    assert_eq!(store.history().await.unwrap(), [2]);
}

#[tokio::test]
async fn a_document_too_large_is_refused_unread() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    store.write(Document::State, &document("a"), Condition::Absent).await.unwrap();
    let state = folder.path().join("state/default/state.json");
    // Sparse: no byte of it is on the disk.
    std::fs::OpenOptions::new().write(true).open(&state).unwrap().set_len(1 << 40).unwrap();
    assert!(matches!(store.read(Document::State).await, Err(StoreError::TooLarge { .. })));
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_an_error_and_not_absent() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    std::fs::create_dir_all(folder.path().join("state/default/state.json")).unwrap();
    let error = store.read(Document::State).await.unwrap_err();
    assert!(matches!(error, StoreError::Io { operation: "read", .. }), "{error:?}");
}

const FOLDER: &str = "S3STACK_TEST_LOCK_FOLDER";

/// Another process that takes the lease of the folder it is told and waits to be killed.
#[tokio::test]
#[ignore = "the next test runs it as a process of its own"]
async fn holds_the_lock_until_it_is_killed() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let store = Arc::new(FileStore::new(folder));
    let _keeper = Keeper::acquire(store, Arc::new(SystemClock), claim("other"), None).await.unwrap();
    println!("locked");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn the_lock_of_a_killed_process_is_free_and_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(FileStore::new(folder.path()));
    let acquire = |run: &str| Keeper::acquire(store.clone(), Arc::new(SystemClock), claim(run), None);
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "file::holds_the_lock_until_it_is_killed", "--ignored", "--nocapture"])
        .env(FOLDER, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(other.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("locked")));
    let error = acquire("ada").await.err().unwrap();
    assert!(matches!(error, LeaseError::Held(_)), "{error:?}");
    assert!(error.to_string().contains("other@engine pid 7"), "{error}");
    assert!(error.help().unwrap().contains("the lock ends with that process"));

    other.kill().unwrap();
    other.wait().unwrap();
    let ada = acquire("ada").await.unwrap();
    assert_eq!(ada.taken_over().unwrap().document.as_ref().unwrap().run, "other");
    ada.release().await.unwrap();
    assert!(acquire("bob").await.unwrap().taken_over().is_none());
    assert!(folder.path().join("lock").exists(), "the lock file is never deleted");
}
