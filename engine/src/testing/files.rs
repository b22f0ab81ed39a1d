//! Files in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::file::{FileContent, Files, MAX_KEPT};

/// Files by path.
#[derive(Debug, Clone, Default)]
pub struct InMemory(pub BTreeMap<String, Vec<u8>>);

impl InMemory {
    /// The files with these texts.
    pub fn of(texts: &[(&str, &str)]) -> Self {
        Self(texts.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect())
    }

    fn is_folder(&self, path: &str) -> bool {
        path == "." || self.0.keys().any(|file| file.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')))
    }
}

/// What the root package refuses as well.
fn inside(path: &str) -> Result<(), String> {
    match path.is_empty() || path.starts_with('/') || path.split('/').any(|part| part == "..") {
        true => Err(format!("`{path}` must be a path inside the stack folder, without `..`")),
        false => Ok(()),
    }
}

impl Files for InMemory {
    fn content(&self, path: &str) -> Result<Arc<FileContent>, String> {
        inside(path)?;
        if self.is_folder(path) {
            let (sha256, files) = (String::new(), Some(BTreeMap::new()));
            return Ok(Arc::new(FileContent { bytes: None, sha256, size: 0, files }));
        }
        let bytes = self.0.get(path).ok_or_else(|| format!("`{path}` cannot be read: there is none"))?;
        let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let size = bytes.len() as u64;
        let bytes = Some(bytes.clone()).filter(|_| size <= MAX_KEPT);
        Ok(Arc::new(FileContent { bytes, sha256, size, files: None }))
    }

    fn exists(&self, path: &str) -> Result<bool, String> {
        inside(path)?;
        if self.is_folder(path) { Err(format!("`{path}` is a folder")) } else { Ok(self.0.contains_key(path)) }
    }

    fn list(&self, folder: &str) -> Result<Arc<Vec<String>>, String> {
        inside(folder)?;
        if !self.is_folder(folder) {
            return Err(format!("`{folder}` cannot be read: there is none"));
        }
        let below =
            |path: &&String| folder == "." || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        Ok(Arc::new(self.0.keys().filter(below).cloned().collect()))
    }
}
