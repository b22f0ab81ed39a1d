//! The private Python environment that the emulator runs in: made once per machine, from pinned and hashed packages.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use super::{LocalError, python};

const REQUIREMENTS: &str = include_str!("requirements.txt");
const BOOTSTRAP: &str = include_str!("bootstrap.py");

/// Written last: a folder without it is what a killed installation left.
const COMPLETE: &str = "complete";

/// Lines of a failed command's output that an error shows.
const OUTPUT_LINES: usize = 12;

/// Settings that would lead pip or Python out of the environment that it is to fill.
const LEADS_ASTRAY: [&str; 7] =
    ["PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "VIRTUAL_ENV"];

/// A complete environment: a folder with Python, ministack and boto3.
///
/// It is named by the digest of its packages: a version of s3stack that needs others has another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    directory: PathBuf,
}

impl Environment {
    /// The environment in the user's cache (`S3STACK_CACHE_DIR`, else the system's place for caches), made now if it
    /// is not there. Takes seconds and needs the package index the first time, a few file reads afterwards.
    pub fn in_cache(progress: &dyn Fn(&str)) -> Result<Self, LocalError> {
        Self::prepare(&cache_directory()?.join("local"), progress, install)
    }

    /// The environment in the user's cache if it is there and whole.
    pub(super) fn existing() -> Result<Option<Self>, LocalError> {
        let environment = Self { directory: cache_directory()?.join("local").join(name()) };
        if !environment.is_complete() {
            return Ok(None);
        }
        environment.write_bootstrap()?;
        Ok(Some(environment))
    }

    /// The interpreter.
    pub(super) fn python(&self) -> PathBuf {
        self.directory.join("bin").join("python")
    }

    /// The program that starts the emulator, named by what it says: versions of s3stack that need the same packages
    /// share an environment.
    pub(super) fn bootstrap(&self) -> PathBuf {
        self.directory.join(format!("bootstrap-{}.py", digest(BOOTSTRAP)))
    }

    fn write_bootstrap(&self) -> Result<(), LocalError> {
        let path = self.bootstrap();
        if path.exists() {
            return Ok(());
        }
        // In one step: another process may be about to run it.
        let write = || -> std::io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
            file.write_all(BOOTSTRAP.as_bytes())?;
            file.persist(&path)?;
            Ok(())
        };
        write().map_err(LocalError::file("write", &path))
    }

    fn prepare(
        root: &Path,
        progress: &dyn Fn(&str),
        install: impl FnOnce(&Path) -> Result<(), LocalError>,
    ) -> Result<Self, LocalError> {
        let environment = Self { directory: root.join(name()) };
        if environment.is_complete() {
            environment.write_bootstrap()?;
            return Ok(environment);
        }
        fs::create_dir_all(root).map_err(LocalError::file("create", root))?;
        let _lock = lock(&root.join("lock"), progress)?;
        // Another process may have made it while this one waited.
        if !environment.is_complete() {
            progress("installing the private AWS (ministack 1.5.33, 90 MB, once per machine)");
            environment.make(install)?;
        }
        environment.write_bootstrap()?;
        Ok(environment)
    }

    fn make(&self, install: impl FnOnce(&Path) -> Result<(), LocalError>) -> Result<(), LocalError> {
        let directory = &self.directory;
        if directory.exists() {
            fs::remove_dir_all(directory).map_err(LocalError::file("remove", directory))?;
        }
        fs::create_dir(directory).map_err(LocalError::file("create", directory))?;
        install(directory)?;
        let interpreter = self.interpreter().unwrap_or_default();
        let marker = directory.join(COMPLETE);
        fs::write(&marker, interpreter.as_encoded_bytes()).map_err(LocalError::file("write", &marker))
    }

    /// Whether it was installed to its end and its interpreter is still the one it was made with: the packages of
    /// Python 3.12 are out of sight for a 3.13 that a system upgrade put in its place.
    fn is_complete(&self) -> bool {
        match (fs::read(self.directory.join(COMPLETE)), self.interpreter()) {
            (Ok(marker), Some(interpreter)) => marker == interpreter.as_encoded_bytes(),
            _ => false,
        }
    }

    /// The name of the program behind `bin/python`, `python3.12`.
    fn interpreter(&self) -> Option<OsString> {
        fs::canonicalize(self.python()).ok()?.file_name().map(OsStr::to_owned)
    }
}

/// `ministack-` and the digest of all packages.
fn name() -> String {
    format!("ministack-{}", digest(REQUIREMENTS))
}

/// Sixteen hexadecimal digits of the SHA-256.
fn digest(text: &str) -> String {
    Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The user's folder for what s3stack keeps across stacks.
pub fn cache_directory() -> Result<PathBuf, LocalError> {
    if let Some(directory) = std::env::var_os("S3STACK_CACHE_DIR").filter(|directory| !directory.is_empty()) {
        let directory = PathBuf::from(directory);
        return std::path::absolute(&directory).map_err(LocalError::file("find", &directory));
    }
    directories::ProjectDirs::from("", "", "s3stack")
        .map(|directories| directories.cache_dir().to_path_buf())
        .ok_or(LocalError::NoCacheDirectory)
}

/// Holds a lock file until it is dropped. The file is never deleted: two processes must lock the same one.
fn lock(path: &Path, progress: &dyn Fn(&str)) -> Result<File, LocalError> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(LocalError::file("open", path))?;
    if file.try_lock().is_err() {
        progress("waiting for another s3stack that installs the private AWS");
        file.lock().map_err(LocalError::file("lock", path))?;
    }
    Ok(file)
}

fn install(directory: &Path) -> Result<(), LocalError> {
    let requirements = directory.join("requirements.txt");
    fs::write(&requirements, REQUIREMENTS).map_err(LocalError::file("write", &requirements))?;
    if install_with_uv(directory, &requirements).is_ok() {
        return Ok(());
    }
    let python = python::find()?;
    if !python.venv {
        return Err(python::lacks_venv(python));
    }
    let mut venv = Command::new(&python.executable);
    venv.args(["-I", "-m", "venv", "--clear"]).arg(directory);
    run(venv, "make the Python environment", directory)?;
    // `--clear` emptied the folder.
    fs::write(&requirements, REQUIREMENTS).map_err(LocalError::file("write", &requirements))?;
    let mut pip = Command::new(directory.join("bin").join("python"));
    pip.args(["-I", "-m", "pip", "install", "--require-hashes", "--no-deps", "--only-binary=:all:"])
        .args(["--no-input", "--disable-pip-version-check", "--quiet", "--requirement"])
        .arg(&requirements);
    run(pip, "install ministack", directory)
}

/// uv does it in a fraction of the time and brings a Python where there is none.
fn install_with_uv(directory: &Path, requirements: &Path) -> Result<(), LocalError> {
    let mut venv = uv();
    venv.args(["venv", "--quiet", "--no-project", "--allow-existing", "--python", ">=3.11,<3.15"]).arg(directory);
    run(venv, "make the Python environment", directory)?;
    let mut install = uv();
    install
        .args(["pip", "install", "--quiet", "--require-hashes", "--no-deps", "--only-binary", ":all:"])
        .args(["--compile-bytecode", "--python"])
        .arg(directory.join("bin").join("python"))
        .arg("--requirement")
        .arg(requirements);
    run(install, "install ministack", directory)
}

fn uv() -> Command {
    let mut command = Command::new("uv");
    command.envs(uv_settings(|name| std::env::var_os(name)));
    command
}

/// pip's settings under uv's names, where uv has none of its own: one machine, one package index.
fn uv_settings(variable: impl Fn(&str) -> Option<OsString>) -> Vec<(&'static str, OsString)> {
    [
        ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
        ("PIP_EXTRA_INDEX_URL", "UV_INDEX"),
        ("PIP_FIND_LINKS", "UV_FIND_LINKS"),
        ("PIP_CERT", "SSL_CERT_FILE"),
    ]
    .into_iter()
    .filter(|(_, uv)| variable(uv).is_none())
    .filter_map(|(pip, uv)| Some((uv, variable(pip)?)))
    .collect()
}

/// Runs a step of the installation; its output is shown only if it fails.
fn run(mut command: Command, step: &'static str, directory: &Path) -> Result<(), LocalError> {
    for variable in LEADS_ASTRAY {
        command.env_remove(variable);
    }
    let output = command
        .env("PIP_USER", "0")
        .stdin(Stdio::null())
        .output()
        .map_err(LocalError::file("run", Path::new(command.get_program())))?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    Err(LocalError::Install {
        step,
        directory: directory.to_path_buf(),
        output: last_lines(&String::from_utf8_lossy(&text), OUTPUT_LINES),
    })
}

/// The last `count` lines that are not blank.
pub(super) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.get(lines.len().saturating_sub(count)..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    /// Stands for an installation: leaves a link to a "Python" of this name.
    fn python_named<'a>(root: &'a Path, name: &'a str) -> impl Fn(&Path) -> Result<(), LocalError> + 'a {
        move |directory| {
            let target = root.join(name);
            fs::write(&target, "").unwrap();
            fs::create_dir(directory.join("bin")).unwrap();
            std::os::unix::fs::symlink(target, directory.join("bin").join("python")).unwrap();
            Ok(())
        }
    }

    fn prepare(root: &Path, python: &str) -> (Environment, bool) {
        let installed = Cell::new(false);
        let environment = Environment::prepare(root, &|_| {}, |directory| {
            installed.set(true);
            python_named(root, python)(directory)
        });
        (environment.unwrap(), installed.get())
    }

    #[test]
    fn is_made_once() {
        let root = tempfile::tempdir().unwrap();
        let (first, installed) = prepare(root.path(), "python3.12");
        assert!(installed);
        assert_eq!(prepare(root.path(), "python3.12"), (first, false));
    }

    #[test]
    fn a_killed_installation_is_done_again() {
        let root = tempfile::tempdir().unwrap();
        let (environment, _) = prepare(root.path(), "python3.12");
        fs::remove_file(environment.directory.join(COMPLETE)).unwrap();
        fs::write(environment.directory.join("half"), "").unwrap();
        let (environment, installed) = prepare(root.path(), "python3.12");
        assert!(installed);
        assert!(!environment.directory.join("half").exists(), "what the killed one left is gone");
    }

    #[test]
    fn a_failed_installation_is_not_complete() {
        let root = tempfile::tempdir().unwrap();
        let failure = Environment::prepare(root.path(), &|_| {}, |_| Err(LocalError::NoCacheDirectory));
        assert!(failure.is_err());
        assert!(prepare(root.path(), "python3.12").1);
    }

    #[test]
    fn a_python_that_was_upgraded_or_removed_means_anew() {
        let root = tempfile::tempdir().unwrap();
        let (environment, _) = prepare(root.path(), "python3.12");
        let link = environment.python();
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(root.path().join("python3.13"), &link).unwrap();
        assert!(prepare(root.path(), "python3.13").1, "a dangling link");
        fs::write(root.path().join("python3.14"), "").unwrap();
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(root.path().join("python3.14"), &link).unwrap();
        assert!(prepare(root.path(), "python3.14").1, "another version");
    }

    #[test]
    fn concurrent_preparations_install_once() {
        let root = tempfile::tempdir().unwrap();
        let count = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    Environment::prepare(root.path(), &|_| {}, |directory| {
                        count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        python_named(root.path(), "python3.12")(directory)
                    })
                    .unwrap();
                });
            }
        });
        assert_eq!(count.into_inner(), 1);
    }

    #[test]
    fn every_package_is_pinned_and_hashed() {
        let mut lines = REQUIREMENTS.lines().filter(|line| !line.starts_with('#')).peekable();
        let mut packages = Vec::new();
        while let Some(package) = lines.next() {
            assert!(package.contains("=="), "{package}");
            let mut hashes = 0;
            while lines.next_if(|line| line.starts_with("    --hash=sha256:")).is_some() {
                hashes += 1;
            }
            assert!(hashes > 0, "{package}");
            packages.push(package.trim_end_matches(" \\"));
        }
        assert!(packages.contains(&"ministack==1.5.33"));
        assert!(packages.iter().any(|package| package.starts_with("boto3==")));
    }

    #[test]
    fn pip_settings_reach_uv_unless_it_has_its_own() {
        let set = |name: &str| match name {
            "PIP_INDEX_URL" | "PIP_CERT" | "UV_DEFAULT_INDEX" => Some(OsString::from(name)),
            _ => None,
        };
        assert_eq!(uv_settings(set), [("SSL_CERT_FILE", OsString::from("PIP_CERT"))]);
    }

    #[test]
    fn a_failed_step_shows_the_end_of_its_output() {
        let mut command = Command::new("sh");
        command.args(["-c", "for i in $(seq 1 40); do echo line $i; done; exit 3"]);
        let error = run(command, "install ministack", Path::new("/somewhere")).unwrap_err().to_string();
        assert!(error.contains("could not install ministack in /somewhere"), "{error}");
        assert!(error.contains("line 40") && !error.contains("line 28\n"), "{error}");
    }

    #[test]
    fn progress_says_what_takes_long() {
        let root = tempfile::tempdir().unwrap();
        let said = RefCell::new(Vec::new());
        let install = python_named(root.path(), "python3.12");
        Environment::prepare(root.path(), &|text| said.borrow_mut().push(text.to_owned()), install).unwrap();
        assert_eq!(said.borrow().len(), 1);
    }
}
