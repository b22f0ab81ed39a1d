//! The files of a folder, as far as the engine may know them: it asks, and somebody else reads.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Up to this size a file's bytes are kept; of a larger one only size and digest are known.
pub const MAX_KEPT: u64 = 1024 * 1024;

/// The files of the stack folder. Paths are relative to it and lead nowhere else. The errors say in words what is wrong.
///
/// Whoever is asked the same twice answers the same.
pub trait Files {
    /// A file, or a folder with its files.
    fn content(&self, path: &str) -> Result<Arc<FileContent>, String>;

    /// Whether there is such a file. What is no file, or cannot be looked at, is an error.
    fn exists(&self, path: &str) -> Result<bool, String>;

    /// The paths of all files in a folder and the folders in it, in order. Symbolic links are not followed, and what
    /// begins with a dot is left out.
    fn list(&self, folder: &str) -> Result<Arc<Vec<String>>, String>;
}

/// A file of the stack folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileContent {
    /// The bytes, if they are no more than [`MAX_KEPT`].
    pub bytes: Option<Vec<u8>>,
    /// SHA-256 of the bytes in lower-case hex.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    /// For a folder: its files by path relative to it, sorted.
    pub files: Option<BTreeMap<String, FileContent>>,
}

impl FileContent {
    /// The text, if the file is small and UTF-8: documents and content.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.bytes.as_deref()?).ok()
    }
}
