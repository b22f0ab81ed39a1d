//! The stack folder: the files that a stack file may name, and no others.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use s3stack_engine::graph::Files;
use s3stack_engine::resource::FileContent;
use sha2::{Digest, Sha256};

/// Up to this size a file's text is kept for documents and content; larger ones are only digested.
const MAX_TEXT: u64 = 1024 * 1024;

/// Most files in one folder that a stack may name.
const MAX_FILES: usize = 10_000;

/// A folder whose files a stack may use. Each file is read once.
pub struct Folder {
    root: PathBuf,
    read: Mutex<HashMap<String, Result<Arc<FileContent>, String>>>,
}

impl Folder {
    /// The folder at `root`; nothing is read yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), read: Mutex::default() }
    }

    /// Where a path in the stack file leads, if that is inside the folder: symbolic links are followed first.
    pub fn resolve(&self, path: &str) -> Result<PathBuf, String> {
        let relative = Path::new(path);
        let climbs = relative.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir));
        if path.is_empty() || climbs {
            return Err(format!("`{path}` must be a path inside the stack folder, without `..`"));
        }
        let root = self.root.canonicalize().map_err(|error| unreadable(&self.root, &error))?;
        let full = root.join(relative).canonicalize().map_err(|error| unreadable(relative, &error))?;
        if full.starts_with(&root) {
            Ok(full)
        } else {
            Err(format!("`{path}` leads out of the stack folder by a symbolic link"))
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
        Ok(FileContent { text: None, sha256: hex(&hasher.finalize()), size, files: Some(files) })
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
                files.insert(name, FileContent { text: None, ..content });
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
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.entry(path.to_owned()).or_insert_with(|| self.load(path).map(Arc::new)).clone()
    }
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
        if size <= MAX_TEXT {
            kept.extend_from_slice(part);
        }
    }
    let text = if size <= MAX_TEXT { String::from_utf8(kept).ok() } else { None };
    Ok(FileContent { text, sha256: hex(&hasher.finalize()), size, files: None })
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
