//! Starting one emulator process: its settings, the wait until it is ready, and the one that a test owns.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::endpoint::{DEFAULT_ACCOUNT_ID, Endpoint};
use super::environment::last_lines;
use super::{Environment, LocalError};

/// Longer than the emulator's own limit for a start (60 s), so that its log says what it was.
const START_LIMIT: Duration = Duration::from_secs(75);

/// How long an owned emulator may take to notice that its owner is gone before it is killed.
const END_LIMIT: Duration = Duration::from_secs(2);

/// Lines of the log that an error shows.
const LOG_LINES: usize = 15;

/// The caller's variables that the emulator and the Lambda functions in it get. No other: credentials, profiles and
/// settings of the caller must not reach code that believes to be in another account.
const PASSED_ON: [&str; 14] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "http_proxy",
    "https_proxy",
];

/// How an owned emulator differs from one that allows everything over plain HTTP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether IAM policies are enforced. The twelve-digit key of an account is its root and may do everything; the
    /// keys of IAM users and roles may do what their policies say.
    pub authorize: bool,
    /// Whether it speaks TLS, with a certificate of its own (needs the `openssl` program).
    pub tls: bool,
}

/// Who runs where: what the emulator says of itself, and what is on record of a daemon.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Identity {
    /// Made anew for every start: no other process has it, whatever process id or port it has.
    pub run: String,
    pub pid: u32,
    pub port: u16,
    pub version: String,
    pub certificate: Option<PathBuf>,
}

impl Identity {
    pub fn endpoint(&self) -> Endpoint {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        Endpoint {
            url: format!("{scheme}://127.0.0.1:{}", self.port),
            account_id: DEFAULT_ACCOUNT_ID.to_owned(),
            certificate: self.certificate.clone(),
        }
    }
}

/// What one emulator process gets, apart from how it ends.
pub(super) struct Settings<'a> {
    pub environment: &'a Environment,
    /// Where its data live; it exists.
    pub data: &'a Path,
    /// Where its temporary files go; it exists.
    pub temporary: &'a Path,
    /// Whether data are read at the start and written.
    pub persist: bool,
    pub options: Options,
}

impl Settings<'_> {
    /// The command, without arguments to the bootstrap and without its standard streams.
    pub fn command(&self) -> Command {
        let mut command = Command::new(self.environment.python());
        command.arg("-I").arg(self.environment.bootstrap()).env_clear();
        for name in PASSED_ON {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let flag = |on: bool| if on { "1" } else { "0" };
        command
            // Functions call the emulator itself: never through a proxy.
            .env("NO_PROXY", without_proxy(std::env::var_os("NO_PROXY").or_else(|| std::env::var_os("no_proxy"))))
            .env("AUTH", if self.options.authorize { "true" } else { "false" })
            .env("USE_SSL", flag(self.options.tls))
            .env("PERSIST_STATE", flag(self.persist))
            .env("S3_PERSIST", flag(self.persist))
            .env("STATE_DIR", self.data.join("state"))
            .env("S3_DATA_DIR", self.data.join("s3"))
            .env("TMPDIR", self.temporary)
            // What would only cost time or open ports: MQTT, SFTP, Docker.
            .env("IOT_MTLS_ENABLED", "0")
            .env("SFTP_ENABLED", "0")
            .env("DOCKER_HOST", format!("unix://{}", self.temporary.join("no-docker").display()))
            .current_dir(self.data);
        command
    }
}

fn without_proxy(already: Option<OsString>) -> OsString {
    let mut list = already.unwrap_or_default();
    if !list.is_empty() {
        list.push(",");
    }
    list.push("127.0.0.1,localhost");
    list
}

/// An identity for a run that starts now.
pub(super) fn new_run() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// An empty log that only its owner can read.
pub(super) fn open_log(path: &Path) -> Result<File, LocalError> {
    OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(LocalError::file("create", path))
}

/// Waits for the line that says "ready". An end of the stream means that the process ended.
pub(super) fn wait_until_ready(child: &mut Child, log: &Path) -> Result<Identity, LocalError> {
    let (sender, receiver) = mpsc::channel();
    if let Some(output) = child.stdout.take() {
        thread::spawn(move || {
            let mut line = String::new();
            // A failed send means that nobody waits any more.
            let _ = sender.send(BufReader::new(output).read_line(&mut line).map(|_| line));
        });
    }
    let reason = match receiver.recv_timeout(START_LIMIT) {
        Ok(Ok(line)) if line.is_empty() => "it ended".to_owned(),
        Ok(Ok(line)) => match serde_json::from_str(&line) {
            Ok(identity) => return Ok(identity),
            Err(error) => format!("it said {line:?} ({error})"),
        },
        Ok(Err(error)) => format!("its output could not be read ({error})"),
        Err(_) => format!("it was not ready after {} s", START_LIMIT.as_secs()),
    };
    Err(LocalError::Start { reason, log: log.to_path_buf(), tail: log_tail(log) })
}

fn log_tail(log: &Path) -> String {
    match fs::read(log) {
        Ok(text) => last_lines(&String::from_utf8_lossy(&text), LOG_LINES),
        Err(error) => format!("(it cannot be read: {error})"),
    }
}

/// An emulator that lives as long as this value, and no longer than this process: SIGKILL ends it too, because it
/// watches a pipe that the kernel closes. It starts empty and leaves nothing.
#[derive(Debug)]
pub struct Owned {
    child: Child,
    /// Held open for as long as the emulator shall live.
    lifeline: Option<ChildStdin>,
    endpoint: Endpoint,
    version: String,
    /// Removed with this value; by the emulator, if this process is killed.
    directory: tempfile::TempDir,
}

impl Owned {
    /// Starts one; takes about 0.2 s once the [`Environment`] is there, which is installed if need be.
    pub fn start(options: Options) -> Result<Self, LocalError> {
        let environment = Environment::in_cache(&|_| {})?;
        let directory = tempfile::Builder::new()
            .prefix("s3stack-local-")
            .tempdir()
            .map_err(LocalError::file("create", &std::env::temp_dir()))?;
        let place = directory.path();
        let log = place.join("log");
        let settings = Settings { environment: &environment, data: place, temporary: place, persist: false, options };
        let mut child = settings
            .command()
            .env("LOG_LEVEL", "WARNING")
            .args(["owned", &new_run()])
            .arg(place)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(open_log(&log)?)
            .spawn()
            .map_err(LocalError::file("run", &environment.python()))?;
        let lifeline = child.stdin.take();
        match wait_until_ready(&mut child, &log) {
            Ok(identity) => {
                Ok(Self { child, lifeline, endpoint: identity.endpoint(), version: identity.version, directory })
            }
            Err(error) => {
                drop(lifeline);
                end(&mut child);
                Err(error)
            }
        }
    }

    /// Where it listens, as account 000000000000.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// ministack's version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its log, which a failed test may want to show.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.lifeline = None;
        end(&mut self.child);
    }
}

/// Waits for a process whose lifeline is cut, and kills it if it does not end.
fn end(child: &mut Child) {
    let deadline = Instant::now() + END_LIMIT;
    while matches!(child.try_wait(), Ok(None)) {
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            return;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_never_proxied() {
        assert_eq!(without_proxy(None), "127.0.0.1,localhost");
        assert_eq!(without_proxy(Some("corp.example".into())), "corp.example,127.0.0.1,localhost");
    }

    #[test]
    fn a_start_that_fails_shows_the_end_of_the_log() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let mut child = Command::new("sh")
            .args(["-c", "echo the reason >&2; exit 1"])
            .stdout(Stdio::piped())
            .stderr(open_log(&log).unwrap())
            .spawn()
            .unwrap();
        let error = wait_until_ready(&mut child, &log).unwrap_err().to_string();
        child.wait().unwrap();
        assert!(error.contains("it ended") && error.contains("the reason"), "{error}");
        assert!(error.contains(log.to_str().unwrap()), "{error}");
    }

    #[test]
    fn an_answer_of_another_kind_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let mut child = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn().unwrap();
        let error = wait_until_ready(&mut child, &log).unwrap_err().to_string();
        child.wait().unwrap();
        assert!(error.contains("hello"), "{error}");
    }
}
