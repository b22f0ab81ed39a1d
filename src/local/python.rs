//! Finds a Python that the emulator runs on.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::LocalError;

/// The minor versions of Python 3 for which `requirements.txt` has every wheel.
const SUPPORTED: std::ops::RangeInclusive<u32> = 11..=14;

/// Names with a version come first: on macOS, `python3` alone may be a stub that opens an installer's window.
const NAMES: [&str; 5] = ["python3.14", "python3.13", "python3.12", "python3.11", "python3"];

/// Prints the version, then "venv" if virtual environments can be made (Debian packages `ensurepip` apart).
const QUESTION: &str = "import sys; print(*sys.version_info[:2]); import venv, ensurepip; print('venv')";

/// An interpreter of a supported version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Python {
    /// A name to look up in `PATH`, or a path.
    pub executable: PathBuf,
    /// `12` for Python 3.12.
    pub minor: u32,
    /// Whether it can make virtual environments with pip in them.
    pub venv: bool,
}

/// The best Python in `PATH`: one with venv if there is any, else one without.
pub(super) fn find() -> Result<Python, LocalError> {
    choose(NAMES.iter().map(|name| (Path::new(name), ask(name.as_ref()))))
}

/// What to say when [`find`] found a Python that cannot make virtual environments.
pub(super) fn lacks_venv(python: Python) -> LocalError {
    LocalError::NoVenv { version: format!("3.{}", python.minor), python: python.executable }
}

/// Runs an interpreter; its answer to [`QUESTION`], if it runs at all.
fn ask(executable: &OsStr) -> Option<String> {
    let output = Command::new(executable)
        .args(["-I", "-c", QUESTION])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    String::from_utf8(output.stdout).ok()
}

fn choose<'a>(answers: impl Iterator<Item = (&'a Path, Option<String>)>) -> Result<Python, LocalError> {
    let mut without_venv = None;
    let mut found = format!("none of {} … {} runs", NAMES[0], NAMES[4]);
    for (executable, answer) in answers {
        let Some((major, minor, venv)) = answer.as_deref().and_then(parse) else { continue };
        if major != 3 || !SUPPORTED.contains(&minor) {
            found = format!("{} is {major}.{minor}", executable.display());
            continue;
        }
        let python = Python { executable: executable.to_path_buf(), minor, venv };
        if python.venv {
            return Ok(python);
        }
        without_venv.get_or_insert(python);
    }
    without_venv.ok_or(LocalError::NoPython { found })
}

/// Major and minor version, and whether it has venv.
fn parse(answer: &str) -> Option<(u32, u32, bool)> {
    let mut lines = answer.lines();
    let (major, minor) = lines.next()?.split_once(' ')?;
    Some((major.parse().ok()?, minor.parse().ok()?, lines.next() == Some("venv")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(answers: &[(&'static str, Option<&str>)]) -> Result<Python, String> {
        choose(answers.iter().map(|(name, answer)| (Path::new(*name), answer.map(str::to_owned))))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_first_supported_one_with_venv_wins() {
        let python = chosen(&[
            ("python3.14", None),
            ("python3.13", Some("")),
            ("python3.12", Some("3 12\n")),
            ("python3.11", Some("3 11\nvenv\n")),
        ]);
        assert_eq!(python, Ok(Python { executable: "python3.11".into(), minor: 11, venv: true }));
    }

    #[test]
    fn one_without_venv_is_better_than_none() {
        let python = chosen(&[("python3.12", Some("3 12\n")), ("python3", Some("3 9\nvenv\n"))]).unwrap();
        assert_eq!((python.minor, python.venv), (12, false));
        let error = lacks_venv(python).to_string();
        assert!(error.contains("apt install python3.12-venv"), "{error}");
    }

    #[test]
    fn what_is_there_instead_is_named() {
        let error = chosen(&[("python3", Some("3 9\nvenv\n"))]).unwrap_err();
        assert!(error.contains("python3 is 3.9") && error.contains("brew install python"), "{error}");
        assert!(!error.contains('\n'), "one line: {error}");
        let error = chosen(&[("python3", None)]).unwrap_err();
        assert!(error.contains("none of python3.14 … python3 runs"), "{error}");
        assert!(chosen(&[("python3", Some("3 15\nvenv\n"))]).unwrap_err().contains("is 3.15"));
    }
}
