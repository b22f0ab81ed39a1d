//! What can go wrong with the private AWS of `--local`.

use std::io;
use std::path::{Path, PathBuf};

/// Why the private AWS could not be installed, started or stopped, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// No Python that the emulator runs on.
    #[error(
        "--local needs Python 3.11 to 3.14, and {found}: install it \
         (Debian, Ubuntu: apt install python3 python3-venv; Fedora: dnf install python3; macOS: brew install python)"
    )]
    NoPython {
        /// What was there instead: "none of python3.14 … python3 runs", "python3 is 3.9".
        found: String,
    },

    /// A Python that cannot make virtual environments, as Debian's is without one more package.
    #[error("--local needs Python's venv, which {} lacks: apt install python{version}-venv (Debian, Ubuntu)", python.display())]
    NoVenv {
        /// The interpreter.
        python: PathBuf,
        /// Its version as in the package's name, `3.12`.
        version: String,
    },

    /// Neither a home directory nor `S3STACK_CACHE_DIR`.
    #[error("no place for the Python environment of --local: HOME is not set; set S3STACK_CACHE_DIR to a folder")]
    NoCacheDirectory,

    /// A step of the installation failed.
    #[error(
        "could not {step} in {} (pip's settings, such as PIP_INDEX_URL, PIP_CERT and HTTPS_PROXY, are honoured):\n{output}",
        directory.display()
    )]
    Install {
        /// What was being done: "make the Python environment", "install ministack".
        step: &'static str,
        /// Where.
        directory: PathBuf,
        /// The last lines of the command's output.
        output: String,
    },

    /// The emulator ended or stayed silent while it started.
    #[error("the private AWS did not start: {reason}; its log, {}, ends with:\n{tail}", log.display())]
    Start {
        /// What was seen: "it ended", "it was not ready after 60 s".
        reason: String,
        /// The log, for more than the tail.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },

    /// The emulator holds its lock but does not answer, so that it can neither be used nor told to save.
    #[error(
        "the private AWS of {} runs (process {pid}) but does not answer: try again, or end it with `s3stack local stop`",
        folder.display()
    )]
    Unresponsive {
        /// The stack folder.
        folder: PathBuf,
        /// Its process.
        pid: u32,
    },

    /// The emulator could not be ended, not even with SIGKILL.
    #[error("the private AWS of {} (process {pid}) does not end: end it by hand with `kill -9 {pid}`", folder.display())]
    DoesNotEnd {
        /// The stack folder.
        folder: PathBuf,
        /// Its process.
        pid: u32,
    },

    /// A file or folder of ours could not be used.
    #[error("could not {action} {}", path.display())]
    File {
        /// "read", "create", "lock", …
        action: &'static str,
        /// Which.
        path: PathBuf,
        /// Why, in the system's words.
        source: io::Error,
    },
}

impl LocalError {
    /// A closure for `map_err` on a file operation.
    pub(crate) fn file<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::File { action, path: path.to_path_buf(), source }
    }
}
