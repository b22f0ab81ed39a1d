//! The file backend: a folder on this machine.
//!
//! ```text
//! state.json  digest-key.json     the documents, replaced by rename, never written in place
//! lock                            locked for a whole run, and says by whom; never deleted
//! lock.write                      locked for one conditional write
//! history/<serial>.json           the last state of a run
//! history/<serial>.step.json      a state in the middle of one
//! ```
//!
//! Both locks are the operating system's: they end with the process that holds them, however it ends.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use super::store::{
    Condition, Document, Keep, Lock, LockGuard, MAX_DOCUMENT_BYTES, STEP_DAYS, Store, StoreError, Stored, Version,
};

/// Temporary files begin so. They only exist under the write lock, so one that is found by its next holder was left by
/// a process that died.
const TEMPORARY: &str = ".s3stack-";
/// How long a writer waits for another to finish one write, which takes milliseconds.
const WRITE_LOCK_PATIENCE: Duration = Duration::from_secs(10);
/// How long the run lock is tried: looking at it ([`Store::lock_holder`]) takes it too, for microseconds.
const RUN_LOCK_PATIENCE: Duration = Duration::from_millis(300);
const LOCK_POLL: Duration = Duration::from_millis(10);
/// What a holder writes into the lock is a few hundred bytes.
const MAX_HOLDER_BYTES: u64 = 64 * 1024;

/// One stack's state in one environment, in a folder of its own.
#[derive(Debug, Clone)]
pub struct FileStore {
    folder: PathBuf,
}

struct Contents {
    bytes: Vec<u8>,
    modified: Option<SystemTime>,
}

impl FileStore {
    /// A store in `folder`, which is made (0700) with the first write.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Runs file work where it may block. The work goes on to its end even if the caller stops waiting.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.clone();
        match tokio::task::spawn_blocking(move || work(&store)).await {
            Ok(result) => result,
            Err(error) => Err(failed("reach", &self.folder)(io::Error::other(error))),
        }
    }

    fn document_path(&self, document: Document) -> PathBuf {
        self.folder.join(match document {
            Document::State => "state.json",
            Document::Lease => "lease.json",
            Document::DigestKey => "digest-key.json",
        })
    }

    fn history_folder(&self) -> PathBuf {
        self.folder.join("history")
    }

    fn kept_path(&self, serial: u64, keep: Keep) -> PathBuf {
        self.history_folder().join(match keep {
            Keep::RunEnd => format!("{serial:020}.json"),
            Keep::Step => format!("{serial:020}.step.json"),
        })
    }

    fn read_document(&self, document: Document) -> Result<Option<Stored>, StoreError> {
        let Some(Contents { bytes, modified }) = self.read_bounded(&self.document_path(document), document)? else {
            return Ok(None);
        };
        let age = modified.and_then(|modified| SystemTime::now().duration_since(modified).ok());
        Ok(Some(Stored { version: version_of(&bytes), bytes, age_seconds: age.map_or(0, |age| age.as_secs()) }))
    }

    /// A file's contents; `None` when it is not there.
    fn read_bounded(&self, path: &Path, document: Document) -> Result<Option<Contents>, StoreError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", path)(error)),
        };
        let metadata = file.metadata().map_err(failed("read", path))?;
        let too_large = |bytes| StoreError::TooLarge { place: self.place(), document, bytes };
        if metadata.len() > MAX_DOCUMENT_BYTES {
            return Err(too_large(metadata.len()));
        }
        let mut bytes = Vec::new();
        file.take(MAX_DOCUMENT_BYTES + 1).read_to_end(&mut bytes).map_err(failed("read", path))?;
        if bytes.len() as u64 > MAX_DOCUMENT_BYTES {
            return Err(too_large(bytes.len() as u64));
        }
        Ok(Some(Contents { bytes, modified: metadata.modified().ok() }))
    }

    fn write_document(&self, document: Document, bytes: &[u8], condition: &Condition) -> Result<Version, StoreError> {
        let _writing = self.lock_for_writing()?;
        let version = version_of(bytes);
        let current = self.read_document(document)?.map(|stored| stored.version);
        match (current, condition) {
            (None, Condition::Absent) => {}
            (Some(current), Condition::Unchanged(expected)) if current == *expected => {}
            // The same bytes are the same write: it was made before, and its caller never heard so.
            (Some(current), _) if current == version => return Ok(version),
            _ => return Err(StoreError::Lost { place: self.place(), document }),
        }
        replace(&self.document_path(document), bytes)?;
        Ok(version)
    }

    fn delete_document(&self, document: Document, version: &Version) -> Result<(), StoreError> {
        let _writing = self.lock_for_writing()?;
        match self.read_document(document)? {
            None => Ok(()),
            Some(stored) if stored.version == *version => {
                let path = self.document_path(document);
                std::fs::remove_file(&path).map_err(failed("delete", &path))?;
                sync_folder(&self.folder)
            }
            Some(_) => Err(StoreError::Lost { place: self.place(), document }),
        }
    }

    fn keep_state(&self, serial: u64, keep: Keep, bytes: &[u8]) -> Result<(), StoreError> {
        let _writing = self.lock_for_writing()?;
        make_folder(&self.history_folder())?;
        let target = self.kept_path(serial, keep);
        // A copy, and no link to the state: what damages that file must leave the way back whole.
        replace(&target, bytes)
    }

    /// Every state in history: its serial, how it is kept, and its file.
    fn kept_states(&self) -> Result<Vec<(u64, Keep, PathBuf)>, StoreError> {
        let folder = self.history_folder();
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed("list", &folder)(error)),
        };
        let mut kept = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed("list", &folder))?;
            let name = entry.file_name();
            let Some(stem) = name.to_str().and_then(|name| name.strip_suffix(".json")) else { continue };
            let (digits, keep) = match stem.strip_suffix(".step") {
                Some(digits) => (digits, Keep::Step),
                None => (stem, Keep::RunEnd),
            };
            if digits.len() == 20
                && let Ok(serial) = digits.parse()
            {
                kept.push((serial, keep, entry.path()));
            }
        }
        kept.sort_unstable_by_key(|(serial, ..)| *serial);
        Ok(kept)
    }

    fn prune_steps(&self, now: SystemTime) -> Result<(), StoreError> {
        let _writing = self.lock_for_writing()?;
        for (_, keep, path) in self.kept_states()? {
            let modified = std::fs::metadata(&path).and_then(|metadata| metadata.modified());
            let age = now.duration_since(modified.map_err(failed("read", &path))?).unwrap_or_default();
            if keep == Keep::Step && age > Duration::from_secs(u64::from(STEP_DAYS) * 86_400) {
                std::fs::remove_file(&path).map_err(failed("delete", &path))?;
            }
        }
        Ok(())
    }

    /// Takes the write lock, and clears away what a writer that died under it left.
    fn lock_for_writing(&self) -> Result<File, StoreError> {
        make_folder(&self.folder)?;
        let path = self.folder.join("lock.write");
        let Some(file) = lock_file(&path, WRITE_LOCK_PATIENCE)? else {
            let error = io::Error::new(ErrorKind::TimedOut, "another process has held it for ten seconds");
            return Err(failed("lock", &path)(error));
        };
        for folder in [self.folder.clone(), self.history_folder()] {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                if entry.file_name().to_str().is_some_and(|name| name.starts_with(TEMPORARY)) {
                    // What cannot be cleared away now is tried again by the next writer.
                    let _ = std::fs::remove_file(entry.path());
                }
            }
        }
        Ok(file)
    }

    fn lock_for_run(&self, holder: &[u8]) -> Result<Lock, StoreError> {
        make_folder(&self.folder)?;
        let path = self.folder.join("lock");
        let Some(mut file) = lock_file(&path, RUN_LOCK_PATIENCE)? else {
            return Ok(Lock::Held(read_holder(&path)?));
        };
        let left_behind = read_holder(&path)?;
        let fill = |file: &mut File| {
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
            file.write_all(holder)
        };
        fill(&mut file).map_err(failed("write", &path))?;
        Ok(Lock::Taken { guard: LockGuard { file }, left_behind: (!left_behind.is_empty()).then_some(left_behind) })
    }

    fn present_holder(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.folder.join("lock");
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", &path)(error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => read_holder(&path).map(Some),
            Err(TryLockError::Error(error)) => Err(failed("lock", &path)(error)),
        }
    }
}

impl LockGuard {
    /// Gives the lock back, and says in it that nothing was left behind.
    pub fn give_back(self) {
        // A lock that still names us only makes the next run look twice at what is pending.
        let _ = self.file.set_len(0);
    }
}

#[async_trait]
impl Store for FileStore {
    fn place(&self) -> String {
        self.folder.display().to_string()
    }

    async fn read(&self, document: Document) -> Result<Option<Stored>, StoreError> {
        self.blocking(move |store| {
            let stored = store.read_document(document)?;
            if stored.is_none()
                && document == Document::State
                && let Some((serial, ..)) = store.kept_states()?.last()
            {
                let evidence = format!("{} holds serial {serial}", store.history_folder().display());
                return Err(StoreError::Vanished { place: store.place(), evidence });
            }
            Ok(stored)
        })
        .await
    }

    async fn write(&self, document: Document, bytes: &[u8], condition: Condition) -> Result<Version, StoreError> {
        let bytes = bytes.to_vec();
        self.blocking(move |store| store.write_document(document, &bytes, &condition)).await
    }

    async fn delete(&self, document: Document, version: &Version) -> Result<(), StoreError> {
        let version = version.clone();
        self.blocking(move |store| store.delete_document(document, &version)).await
    }

    async fn keep(&self, serial: u64, keep: Keep, bytes: &[u8]) -> Result<(), StoreError> {
        let bytes = bytes.to_vec();
        self.blocking(move |store| store.keep_state(serial, keep, &bytes)).await
    }

    async fn history(&self) -> Result<Vec<u64>, StoreError> {
        self.blocking(|store| {
            let mut serials: Vec<u64> = store.kept_states()?.into_iter().map(|(serial, ..)| serial).collect();
            serials.dedup();
            Ok(serials)
        })
        .await
    }

    async fn kept(&self, serial: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.blocking(move |store| {
            for keep in [Keep::RunEnd, Keep::Step] {
                if let Some(contents) = store.read_bounded(&store.kept_path(serial, keep), Document::State)? {
                    return Ok(Some(contents.bytes));
                }
            }
            Ok(None)
        })
        .await
    }

    async fn prune(&self, now: SystemTime) -> Result<(), StoreError> {
        self.blocking(move |store| store.prune_steps(now)).await
    }

    async fn try_lock(&self, holder: &[u8]) -> Result<Lock, StoreError> {
        let holder = holder.to_vec();
        self.blocking(move |store| store.lock_for_run(&holder)).await
    }

    async fn lock_holder(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.blocking(Self::present_holder).await
    }
}

fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError + use<> {
    let path = path.display().to_string();
    move |source| StoreError::Io { operation, path, source }
}

fn version_of(bytes: &[u8]) -> Version {
    Version(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Makes a folder (0700), so that a crash right after cannot lose it.
fn make_folder(folder: &Path) -> Result<(), StoreError> {
    if folder.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed("make", folder))?;
    match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_folder(parent),
        _ => Ok(()),
    }
}

/// Puts `bytes` where `target` is: at every moment, and after a crash at any, it holds the old bytes or the new.
fn replace(target: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let folder = target.parent().unwrap_or(Path::new("."));
    let write = || {
        // Made 0600 by the crate.
        let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(target).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(failed("write", target))?;
    sync_folder(folder)
}

/// Makes the names in a folder survive a crash.
fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("sync", folder))
}

/// Locks the file at `path`, which is made (0600) if it is not there; `None` when another holds it all that time.
fn lock_file(path: &Path, patience: Duration) -> Result<Option<File>, StoreError> {
    let started = std::time::Instant::now();
    loop {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
            .open(path)
            .map_err(failed("open", path))?;
        match file.try_lock() {
            Ok(()) => {
                // Somebody may have removed the file meanwhile: a lock on a file that no longer has this name is none.
                let ours = file.metadata().map_err(failed("lock", path))?;
                match std::fs::symlink_metadata(path) {
                    Ok(named) if (named.dev(), named.ino()) == (ours.dev(), ours.ino()) => return Ok(Some(file)),
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(error) => return Err(failed("lock", path)(error)),
                }
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(failed("lock", path)(error)),
        }
        if started.elapsed() >= patience {
            return Ok(None);
        }
        std::thread::sleep(LOCK_POLL);
    }
}

fn read_holder(path: &Path) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_HOLDER_BYTES).read_to_end(&mut bytes))
        .map_err(failed("read", path))?;
    Ok(bytes)
}
