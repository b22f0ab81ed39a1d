//! Rewriting a file of the user's: whole or not at all, with the permissions that it has.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Puts a text in place of a file's. Who reads the file meanwhile sees the old text or the new one.
///
/// # Errors
/// If the file or its folder cannot be written; the file is then as it was.
pub fn rewrite(file: &Path, text: &str) -> io::Result<()> {
    // A link stays a link: what it leads to is rewritten.
    let file = &fs::canonicalize(file)?;
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    temporary.write_all(text.as_bytes())?;
    temporary.as_file().set_permissions(fs::metadata(file)?.permissions())?;
    temporary.as_file().sync_all()?;
    temporary.persist(file)?;
    Ok(())
}
