//! The emulator of a stack folder: started once, found again by every command, stopped so that it keeps its data.
//!
//! Whether it runs is a question to the kernel: the process holds a lock on `emulator.lock` for as long as it lives,
//! so neither a reused process id nor a reused port can be taken for it. `emulator.json` says where it is; it is
//! written when requests are answered and removed when all is saved, so that one which is left over means a kill.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::emulator::{Identity, Options, Settings, new_run, open_log, wait_until_ready};
use super::endpoint::Endpoint;
use super::{Environment, LocalError};

/// How long a command waits for an emulator that another command starts.
const OTHER_START_LIMIT: Duration = Duration::from_secs(90);

/// How long the emulator may take to save and end before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// How long the emulator may take to say who it is.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);

/// Between two looks at a lock that another process holds.
const PAUSE: Duration = Duration::from_millis(10);

/// The private AWS of one stack folder.
#[derive(Debug, Clone)]
pub struct Local {
    folder: PathBuf,
    /// `.s3stack/local` in it.
    directory: PathBuf,
}

/// What `s3stack local status` shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// It does not run and was stopped properly, or never started.
    Stopped {
        /// Whether an earlier run left data that the next one will have.
        data: bool,
    },
    /// It does not run and was killed: the next run has what was saved about a second before, or nothing.
    Killed,
    /// Another command is starting or stopping it.
    Busy,
    /// It answers.
    Running {
        /// Where.
        endpoint: Endpoint,
        /// Its process.
        pid: u32,
        /// ministack's version.
        version: String,
    },
    /// It runs but does not answer.
    Unresponsive {
        /// Its process.
        pid: u32,
    },
}

impl Local {
    /// The private AWS of the folder that holds the stack file. Touches nothing.
    pub fn for_folder(folder: &Path) -> Result<Self, LocalError> {
        let folder = std::path::absolute(folder).map_err(LocalError::file("find", folder))?;
        let directory = folder.join(".s3stack").join("local");
        Ok(Self { folder, directory })
    }

    /// Where it is, after starting it if it does not run (about 0.2 s; the first time ever, seconds to install it).
    ///
    /// Two commands that start it at once start one.
    pub fn ensure_started(&self, progress: &dyn Fn(&str)) -> Result<Endpoint, LocalError> {
        self.make_directories()?;
        let deadline = Instant::now() + OTHER_START_LIMIT;
        let mut told = false;
        loop {
            if let Some(lock) = self.try_lock()? {
                if let Some(environment) = Environment::existing()? {
                    return self.start(lock, &environment, progress);
                }
                // Without our lock: the installation has one of its own, and others should see it and say so.
                drop(lock);
                Environment::in_cache(progress)?;
                continue;
            }
            let record = self.record();
            if let Some(identity) = record.as_ref().filter(|identity| answers(identity)) {
                return Ok(identity.endpoint());
            }
            if Instant::now() > deadline {
                return Err(self.unresponsive(record.as_ref()));
            }
            if !told {
                progress("waiting for the private AWS, which another command starts");
                told = true;
            }
            thread::sleep(PAUSE);
        }
    }

    /// What it is doing.
    pub fn status(&self) -> Result<Status, LocalError> {
        if !self.directory.exists() {
            return Ok(Status::Stopped { data: false });
        }
        let unlocked = self.try_lock()?.is_some();
        Ok(match (unlocked, self.record()) {
            (true, Some(_)) => Status::Killed,
            (true, None) => Status::Stopped { data: holds_something(&self.data()) },
            (false, None) => Status::Busy,
            (false, Some(identity)) if answers(&identity) => {
                Status::Running { endpoint: identity.endpoint(), pid: identity.pid, version: identity.version }
            }
            (false, Some(identity)) => Status::Unresponsive { pid: identity.pid },
        })
    }

    /// Ends it after it has saved its data. Says whether it ran.
    pub fn stop(&self) -> Result<bool, LocalError> {
        if !self.directory.exists() {
            return Ok(false);
        }
        let deadline = Instant::now() + OTHER_START_LIMIT;
        while self.try_lock()?.is_none() {
            // While it starts there is no record, or the one of the last run.
            if let Some(identity) = self.record()
                && (answers(&identity) || self.is_hung(&identity)?)
            {
                self.end(&identity)?;
                return Ok(true);
            }
            if Instant::now() > deadline {
                return Err(self.unresponsive(None));
            }
            thread::sleep(PAUSE);
        }
        Ok(false)
    }

    /// Ends it and removes everything under `.s3stack/local/`: its data and the state of local stacks.
    pub fn reset(&self) -> Result<(), LocalError> {
        loop {
            self.stop()?;
            if !self.directory.exists() {
                return Ok(());
            }
            // Held meanwhile, so that no other command starts it into a folder that is half gone.
            if let Some(_lock) = self.try_lock()? {
                return remove_contents(&self.directory);
            }
        }
    }

    /// The variables with which any AWS tool talks to it, for `eval "$(s3stack local env)"`.
    ///
    /// None if it does not run.
    pub fn environment_variables(&self, region: &str) -> Result<Option<Vec<(String, String)>>, LocalError> {
        Ok(match self.status()? {
            Status::Running { endpoint, .. } => Some(endpoint.environment_variables(region)),
            _ => None,
        })
    }

    /// Its log: of the run that goes on, or else of the last one.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.directory.join("emulator.log")
    }

    fn start(&self, lock: Lock, environment: &Environment, progress: &dyn Fn(&str)) -> Result<Endpoint, LocalError> {
        let record = self.directory.join("emulator.json");
        if record.exists() {
            progress("the private AWS was killed: it goes on with what it had saved until about a second before");
            fs::remove_file(&record).map_err(LocalError::file("remove", &record))?;
        }
        let temporary = self.directory.join("tmp");
        if temporary.exists() {
            fs::remove_dir_all(&temporary).map_err(LocalError::file("remove", &temporary))?;
        }
        make_private(&temporary)?;
        make_private(&self.data())?;
        let settings = Settings {
            environment,
            data: &self.data(),
            temporary: &temporary,
            persist: true,
            options: Options::default(),
        };
        let log = self.log();
        let mut child = settings
            .command()
            .env("LOG_LEVEL", "INFO")
            .args(["daemon", &new_run()])
            .arg(&record)
            // The lock goes with the file: from here on it is the emulator's, whatever becomes of this process.
            .stdin(lock.hand_over().map_or_else(Stdio::null, Stdio::from))
            .stdout(Stdio::piped())
            .stderr(open_log(&log)?)
            .spawn()
            .map_err(LocalError::file("run", &environment.python()))?;
        let ready = wait_until_ready(&mut child, &log);
        // What was spawned has ended at once: the emulator is its child, and nobody's zombie.
        let _ = child.wait();
        Ok(ready?.endpoint())
    }

    /// Ends the process that holds the lock.
    fn end(&self, identity: &Identity) -> Result<(), LocalError> {
        for (signal, limit) in [(Signal::TERM, STOP_LIMIT), (Signal::KILL, ANSWER_LIMIT)] {
            if let Some(pid) = i32::try_from(identity.pid).ok().and_then(Pid::from_raw) {
                // It may just have ended: the lock tells.
                let _ = kill_process(pid, signal);
            }
            let deadline = Instant::now() + limit;
            while Instant::now() < deadline {
                if self.try_lock()?.is_some() {
                    return Ok(());
                }
                thread::sleep(PAUSE);
            }
        }
        Err(LocalError::DoesNotEnd { folder: self.folder.clone(), pid: identity.pid })
    }

    /// Whether the process on record holds the lock and stays silent. The record of an earlier run is gone before the
    /// next one has started, so one that is still the same after a while belongs to the holder of the lock.
    fn is_hung(&self, identity: &Identity) -> Result<bool, LocalError> {
        let deadline = Instant::now() + ANSWER_LIMIT;
        while Instant::now() < deadline {
            if self.try_lock()?.is_some() || self.record().as_ref() != Some(identity) || answers(identity) {
                return Ok(false);
            }
            thread::sleep(PAUSE);
        }
        Ok(true)
    }

    fn unresponsive(&self, record: Option<&Identity>) -> LocalError {
        LocalError::Unresponsive { folder: self.folder.clone(), pid: record.map_or(0, |identity| identity.pid) }
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn make_directories(&self) -> Result<(), LocalError> {
        if let Some(parent) = self.directory.parent() {
            make_private(parent)?;
        }
        make_private(&self.directory)
    }

    /// The lock, if no emulator and no starter has it. The file is never deleted.
    fn try_lock(&self) -> Result<Option<Lock>, LocalError> {
        let path = self.directory.join("emulator.lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(LocalError::file("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock(Some(file)))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(LocalError::File { action: "lock", path, source }),
        }
    }

    /// What `emulator.json` says; nothing if it is not there or not ours.
    fn record(&self) -> Option<Identity> {
        serde_json::from_slice(&fs::read(self.directory.join("emulator.json")).ok()?).ok()
    }
}

/// The lock, until it is dropped or handed over.
///
/// Closing the file would not do: a process that another thread is just starting has a copy of it for a moment, and
/// the lock is gone only with the last copy.
#[derive(Debug)]
struct Lock(Option<File>);

impl Lock {
    /// The locked file, for a process that shall have the lock for as long as it lives.
    fn hand_over(mut self) -> Option<File> {
        self.0.take()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing it, which follows, is the other way to give it back.
        let _ = self.0.take().map(|file| file.unlock());
    }
}

/// Whether the process at this port is the very one.
fn answers(identity: &Identity) -> bool {
    ask(identity.port).is_some_and(|answer| answer == *identity)
}

/// What the emulator at this port says of itself. HTTP by hand: one request to our own process on loopback.
fn ask(port: u16) -> Option<Identity> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), ANSWER_LIMIT).ok()?;
    stream.set_read_timeout(Some(ANSWER_LIMIT)).ok()?;
    stream.write_all(b"GET /_s3stack/run HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8(answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    serde_json::from_str(body).ok()
}

fn make_private(directory: &Path) -> Result<(), LocalError> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(LocalError::file("create", directory))
}

fn holds_something(directory: &Path) -> bool {
    let Ok(entries) = fs::read_dir(directory) else { return false };
    entries.flatten().any(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => holds_something(&entry.path()),
        _ => true,
    })
}

/// Removes what a folder holds but for lock files: who waits at one must find the same file afterwards.
fn remove_contents(directory: &Path) -> Result<(), LocalError> {
    for entry in fs::read_dir(directory).map_err(LocalError::file("read", directory))? {
        let entry = entry.map_err(LocalError::file("read", directory))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(LocalError::file("read", &path))?;
        if kind.is_dir() {
            remove_contents(&path)?;
            if fs::read_dir(&path).map_err(LocalError::file("read", &path))?.next().is_none() {
                fs::remove_dir(&path).map_err(LocalError::file("remove", &path))?;
            }
        } else if path.file_name().is_none_or(|name| name != "lock" && name != "emulator.lock") {
            fs::remove_file(&path).map_err(LocalError::file("remove", &path))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local() -> (tempfile::TempDir, Local) {
        let folder = tempfile::tempdir().unwrap();
        let local = Local::for_folder(folder.path()).unwrap();
        local.make_directories().unwrap();
        (folder, local)
    }

    fn write_record(local: &Local, port: u16) {
        let record = format!(
            r#"{{"run":"r","pid":{},"port":{port},"version":"1.5.33","certificate":null}}"#,
            std::process::id()
        );
        fs::write(local.directory.join("emulator.json"), record).unwrap();
    }

    #[test]
    fn looking_at_a_folder_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let local = Local::for_folder(folder.path()).unwrap();
        assert_eq!(local.status().unwrap(), Status::Stopped { data: false });
        assert!(!local.stop().unwrap());
        local.reset().unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_record_without_its_process_means_killed() {
        let (_folder, local) = local();
        // The process id is in use, by this test: only the lock tells that it is not the emulator.
        write_record(&local, 1);
        assert_eq!(local.status().unwrap(), Status::Killed);
        assert!(!local.stop().unwrap(), "nothing to stop, and this process was not sent a signal");
    }

    #[test]
    fn a_held_lock_without_a_record_is_a_start_or_an_end() {
        let (_folder, local) = local();
        let _lock = local.try_lock().unwrap().unwrap();
        assert_eq!(local.status().unwrap(), Status::Busy);
    }

    #[test]
    fn another_server_at_the_recorded_port_is_not_the_emulator() {
        let (_folder, local) = local();
        let _lock = local.try_lock().unwrap().unwrap();
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        write_record(&local, port);
        let serving = thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n{\"services\":{}}").unwrap();
        });
        assert_eq!(local.status().unwrap(), Status::Unresponsive { pid: std::process::id() });
        serving.join().unwrap();
    }

    #[test]
    fn reset_keeps_lock_files_and_follows_no_links() {
        let (folder, local) = local();
        let outside = folder.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("mine"), "").unwrap();
        let state = local.directory.join("state");
        fs::create_dir(&state).unwrap();
        fs::write(state.join("lock"), "").unwrap();
        fs::write(state.join("state.json"), "{}").unwrap();
        std::os::unix::fs::symlink(&outside, local.directory.join("link")).unwrap();
        local.reset().unwrap();
        assert!(outside.join("mine").exists());
        assert!(state.join("lock").exists());
        assert!(!state.join("state.json").exists());
        assert!(!local.directory.join("link").exists());
    }

    #[test]
    fn only_the_owner_may_look_into_the_folder() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_folder, local) = local();
        let mode = fs::metadata(&local.directory).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
