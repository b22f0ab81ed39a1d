//! The stack folder: the files that a stack file may name, and no others. Those of modules that stand beside it belong to
//! it too.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use s3stack_engine::file::{FileContent, Files, MAX_KEPT};
use sha2::{Digest, Sha256};

/// Most files in one folder that a stack may name.
const MAX_FILES: usize = 10_000;

/// A folder whose files a stack may use. Each file is read once.
pub struct Folder {
    root: PathBuf,
    /// The folders of modules, relative to the root.
    modules: BTreeSet<String>,
    read: Answers<Arc<FileContent>>,
    there: Answers<bool>,
    listed: Answers<Arc<Vec<String>>>,
}

/// What was answered about each path, so that the same question has one answer.
type Answers<T> = Mutex<HashMap<String, Result<T, String>>>;

fn once<T: Clone>(answers: &Answers<T>, path: &str, find: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
    answers.entry(path.to_owned()).or_insert_with(find).clone()
}

impl Folder {
    /// The folder at `root`; nothing is read yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self::with_modules(root, BTreeSet::new())
    }

    /// The folder at `root`, with modules in and beside it, whose folders are relative to it.
    pub fn with_modules(root: impl Into<PathBuf>, modules: BTreeSet<String>) -> Self {
        let root = root.into();
        Self { root, modules, read: Mutex::default(), there: Mutex::default(), listed: Mutex::default() }
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder that a path is to stay in, and the rest of the path: for what is in a module beside the stack folder it
    /// is the module's.
    fn home<'p>(&self, path: &'p str) -> (PathBuf, &'p str) {
        let beside = self.modules.iter().filter(|module| module.starts_with(".."));
        let within = |module: &String| match path.strip_prefix(module.as_str())? {
            "" => Some("."),
            rest => rest.strip_prefix('/'),
        };
        // The longest of them is the nearest.
        let found = beside.filter_map(|module| Some((module, within(module)?))).max_by_key(|(module, _)| module.len());
        match found {
            Some((module, rest)) => (self.root.join(module), rest),
            None => (self.root.clone(), path),
        }
    }

    /// Where a path in the stack file leads, if that is inside the folder: symbolic links are followed first.
    pub fn resolve(&self, path: &str) -> Result<PathBuf, String> {
        self.lookup(path)?.map_err(|error| unreadable(Path::new(path), &error))
    }

    /// The same, with the error of looking there apart: that nothing is there may be an answer.
    fn lookup(&self, path: &str) -> Result<io::Result<PathBuf>, String> {
        let (root, rest) = self.home(path);
        let relative = Path::new(rest);
        let climbs = relative.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir));
        if path.is_empty() || climbs {
            return Err(format!("`{path}` must be a path inside the stack folder, without `..`"));
        }
        let root = root.canonicalize().map_err(|error| unreadable(&root, &error))?;
        match root.join(relative).canonicalize() {
            Ok(full) if !full.starts_with(&root) => {
                Err(format!("`{path}` leads out of the stack folder by a symbolic link"))
            }
            found => Ok(found),
        }
    }

    fn load(&self, path: &str) -> Result<FileContent, String> {
        let full = self.resolve(path)?;
        let found = fs::metadata(&full).map_err(|error| unreadable(Path::new(path), &error))?;
        if !found.is_dir() {
            return file(&full, path);
        }
        let mut files = BTreeMap::new();
        self.walk(&full, "", &mut files)?;
        let mut hasher = Sha256::new();
        for (name, content) in &files {
            hasher.update(format!("{name}\0{}\0", content.sha256));
        }
        let size = files.values().map(|content| content.size).sum();
        Ok(FileContent { bytes: None, sha256: hex(&hasher.finalize()), size, files: Some(files) })
    }

    fn walk(&self, folder: &Path, prefix: &str, files: &mut BTreeMap<String, FileContent>) -> Result<(), String> {
        let shown = |name: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
        let entries = fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| unreadable(folder, &error))?;
            let name =
                entry.file_name().into_string().map_err(|name| format!("the file name {name:?} is not Unicode"))?;
            let name = shown(&name);
            let kind = entry.file_type().map_err(|error| unreadable(&entry.path(), &error))?;
            if kind.is_symlink() {
                return Err(format!(
                    "`{name}` is a symbolic link; a folder that is uploaded may hold files and folders only"
                ));
            }
            if kind.is_dir() {
                self.walk(&entry.path(), &name, files)?;
            } else {
                let content = file(&entry.path(), &name)?;
                files.insert(name, FileContent { bytes: None, ..content });
            }
            if files.len() > MAX_FILES {
                return Err(format!("it holds more than {MAX_FILES} files"));
            }
        }
        Ok(())
    }
}

impl Files for Folder {
    fn content(&self, path: &str) -> Result<Arc<FileContent>, String> {
        once(&self.read, path, || self.load(path).map(Arc::new))
    }

    fn exists(&self, path: &str) -> Result<bool, String> {
        once(&self.there, path, || {
            let full = match self.lookup(path)? {
                Ok(full) => full,
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    return Ok(false);
                }
                Err(error) => return Err(unreadable(Path::new(path), &error)),
            };
            let found = fs::metadata(full).map_err(|error| unreadable(Path::new(path), &error))?;
            if found.is_file() { Ok(true) } else { Err(format!("`{path}` is there, but is not a file")) }
        })
    }

    fn list(&self, folder: &str) -> Result<Arc<Vec<String>>, String> {
        once(&self.listed, folder, || {
            let full = self.resolve(folder)?;
            let mut names = Vec::new();
            names_in(&full, if folder == "." { "" } else { folder }, &mut names)?;
            names.sort();
            Ok(Arc::new(names))
        })
    }
}

/// The paths of the files in a folder and below; `prefix` is the folder's own. Links are not followed, and what begins
/// with a dot is left out: there are `.git` and what s3stack itself keeps.
fn names_in(folder: &Path, prefix: &str, names: &mut Vec<String>) -> Result<(), String> {
    let fail = |error: io::Error| unreadable(Path::new(if prefix.is_empty() { "." } else { prefix }), &error);
    for entry in fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let name = entry.file_name().into_string().map_err(|name| format!("the file name {name:?} is not Unicode"))?;
        if name.starts_with('.') {
            continue;
        }
        let name = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        let kind = entry.file_type().map_err(fail)?;
        if kind.is_dir() {
            names_in(&entry.path(), &name, names)?;
        } else if kind.is_file() {
            names.push(name);
        }
        if names.len() > MAX_FILES {
            return Err(format!(
                "there are more than {MAX_FILES} files; begin the pattern with the folder that is meant"
            ));
        }
    }
    Ok(())
}

fn file(full: &Path, shown: &str) -> Result<FileContent, String> {
    let fail = |error: io::Error| unreadable(Path::new(shown), &error);
    // Before it is opened: opening a pipe waits for somebody to write into it.
    if !fs::metadata(full).map_err(fail)?.is_file() {
        return Err(format!("`{shown}` is neither a file nor a folder"));
    }
    let mut file = File::open(full).map_err(fail)?;
    let mut hasher = Sha256::new();
    let mut kept = Vec::new();
    let mut size: u64 = 0;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = file.read(&mut buffer).map_err(fail)?;
        let Some(part) = buffer.get(..count).filter(|part| !part.is_empty()) else { break };
        hasher.update(part);
        size += part.len() as u64;
        if size <= MAX_KEPT {
            kept.extend_from_slice(part);
        }
    }
    let bytes = (size <= MAX_KEPT).then_some(kept);
    Ok(FileContent { bytes, sha256: hex(&hasher.finalize()), size, files: None })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    format!("`{}` cannot be read: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_out_of_the_folder_are_refused_links_included() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "x").unwrap();
        let inside = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret"), inside.path().join("link")).unwrap();
        let folder = Folder::new(inside.path());
        for path in ["../secret", "/etc/hostname", "a/../../b", "link", ""] {
            assert!(folder.content(path).is_err(), "{path}");
        }
    }

    #[test]
    fn a_module_beside_the_stack_folder_has_its_own_files_and_no_others() {
        let root = tempfile::tempdir().unwrap();
        for path in ["stack", "shared/core"] {
            fs::create_dir_all(root.path().join(path)).unwrap();
        }
        for path in ["shared/secret", "shared/core/data", "stack/data"] {
            fs::write(root.path().join(path), path).unwrap();
        }
        std::os::unix::fs::symlink("../secret", root.path().join("shared/core/link")).unwrap();
        let modules = BTreeSet::from(["../shared/core".to_owned(), "inside".to_owned()]);
        let folder = Folder::with_modules(root.path().join("stack"), modules);
        let text = |path: &str| folder.content(path).map(|content| content.text().unwrap_or_default().to_owned());
        assert_eq!(text("../shared/core/data").unwrap(), "shared/core/data");
        assert_eq!(text("data").unwrap(), "stack/data");
        assert_eq!(*folder.list("../shared/core").unwrap(), ["../shared/core/data"]);
        for path in ["../shared/secret", "../shared/core/../secret", "../shared/core/link", "../shared/corex"] {
            assert!(folder.content(path).is_err(), "{path}");
        }
    }

    #[test]
    fn files_are_told_apart_from_what_is_not_there_and_what_is_no_file() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("site")).unwrap();
        fs::write(root.path().join("site/a.txt"), "a").unwrap();
        std::os::unix::fs::symlink("/etc/hostname", root.path().join("out")).unwrap();
        std::os::unix::fs::symlink("site/a.txt", root.path().join("in")).unwrap();
        let folder = Folder::new(root.path());
        for (path, there) in [("site/a.txt", true), ("in", true), ("site/b.txt", false), ("site/a.txt/b", false)] {
            assert_eq!(folder.exists(path), Ok(there), "{path}");
        }
        for path in ["site", ".", "out", "../x", "/etc/hostname", ""] {
            assert!(folder.exists(path).is_err(), "{path}");
        }
        // What was answered once is answered again.
        fs::write(root.path().join("site/b.txt"), "b").unwrap();
        assert_eq!(folder.exists("site/b.txt"), Ok(false));
    }

    #[test]
    fn a_list_has_files_only_and_nothing_hidden_or_outside() {
        let root = tempfile::tempdir().unwrap();
        for path in ["site/sub", ".git", "site/.cache"] {
            fs::create_dir_all(root.path().join(path)).unwrap();
        }
        for path in ["stack.toml", ".env", ".git/config", "site/b", "site/a", "site/sub/c", "site/.cache/d"] {
            fs::write(root.path().join(path), "x").unwrap();
        }
        std::os::unix::fs::symlink("/etc", root.path().join("site/etc")).unwrap();
        let list = |path: &str| Folder::new(root.path()).list(path).map(|list| (*list).clone());
        assert_eq!(list(".").unwrap(), ["site/a", "site/b", "site/sub/c", "stack.toml"]);
        assert_eq!(list("site").unwrap(), ["site/a", "site/b", "site/sub/c"]);
        assert_eq!(list("site/.cache").unwrap(), ["site/.cache/d"]);
        for path in ["no", "..", "/", "site/a", "site/etc"] {
            assert!(list(path).is_err(), "{path}");
        }
    }

    #[test]
    fn a_folder_is_digested_by_names_and_contents() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("site/sub")).unwrap();
        fs::write(root.path().join("site/a.txt"), "a").unwrap();
        fs::write(root.path().join("site/sub/b.txt"), "b").unwrap();
        let first = Folder::new(root.path()).content("site").unwrap();
        assert_eq!(first.files.as_ref().unwrap().keys().collect::<Vec<_>>(), ["a.txt", "sub/b.txt"]);
        fs::rename(root.path().join("site/a.txt"), root.path().join("site/c.txt")).unwrap();
        assert_ne!(Folder::new(root.path()).content("site").unwrap().sha256, first.sha256);
    }
}
