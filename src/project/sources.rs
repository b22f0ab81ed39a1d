//! The files of a stack and of its modules, as they are on the disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use s3stack_engine::diagnostic::{Diagnostic, Diagnostics, SourceFile, Span};
use s3stack_engine::stack::Modules;

use crate::error::Error;

/// The folder of a stack and its files, `stack.toml` first and the others sorted.
pub(super) fn source_files(path: &Path) -> Result<(PathBuf, Vec<Arc<SourceFile>>), Error> {
    let found = fs::metadata(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => Error::refused(
            "S3S-L2",
            format!("there is nothing at {}", path.display()),
            "name the folder of a stack, or make a new one with `s3stack init`",
        ),
        _ => unreadable(path, source),
    })?;
    let (folder, main) = if found.is_dir() {
        (path.to_path_buf(), path.join("stack.toml"))
    } else {
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        (folder.to_path_buf(), path.to_path_buf())
    };
    if !main.is_file() {
        return Err(Error::refused(
            "S3S-L2",
            format!("there is no stack in {}", folder.display()),
            "a stack is a folder with a stack.toml: name its path, or make a new one with `s3stack init`",
        ));
    }
    let files = with_others(&folder, &main, ".stack.toml")?;
    Ok((folder, files))
}

/// A file, and those beside it that end like this, sorted.
fn with_others(folder: &Path, main: &Path, ending: &str) -> Result<Vec<Arc<SourceFile>>, Error> {
    let mut files = vec![source_file(main)?];
    let mut others: Vec<PathBuf> = fs::read_dir(folder)
        .map_err(|source| unreadable(folder, source))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(ending)))
        .filter(|path| *path != main)
        .collect();
    others.sort();
    for path in others {
        files.push(source_file(&path)?);
    }
    Ok(files)
}

/// The folders of modules on the disk.
pub(super) struct ModuleFolders<'a> {
    stack: &'a Path,
}

impl<'a> ModuleFolders<'a> {
    /// Those of a stack in this folder.
    pub fn new(stack: &'a Path) -> Self {
        Self { stack }
    }
}

impl Modules for ModuleFolders<'_> {
    fn files(&self, folder: &str) -> Result<Vec<Arc<SourceFile>>, Diagnostics> {
        let folder = self.stack.join(folder);
        let main = folder.join("module.toml");
        let wrong =
            |message: String, help: &str| Err(Diagnostics(vec![Diagnostic::error("S3S-P13", message).help(help)]));
        if !main.is_file() {
            let what = if folder.is_dir() { "no module.toml in" } else { "no folder" };
            let message = format!("there is {what} {}", shown(&folder));
            return wrong(
                message,
                "a module is a folder with a module.toml; the path begins at this file's own folder",
            );
        }
        match with_others(&folder, &main, ".module.toml") {
            Ok(files) => Ok(files),
            Err(Error::Diagnostics(diagnostics)) => Err(diagnostics),
            Err(error) => wrong(error.to_string(), "see that it can be read, or name another folder"),
        }
    }
}

/// A file of the user's.
///
/// # Errors
/// If it cannot be read, is larger than the language allows, or is not UTF-8.
pub fn source_file(path: &Path) -> Result<Arc<SourceFile>, Error> {
    let name = shown(path);
    let limit = s3stack_engine::stack::MAX_BYTES as u64;
    let found = fs::metadata(path).map_err(|source| unreadable(path, source))?;
    if !found.is_file() {
        // A pipe would be waited for, a device read without end.
        return Err(Error::refused("S3S-L2", format!("{name} is not a file"), "name a file of TOML"));
    }
    let size = found.len();
    if size > limit {
        return Err(Error::refused(
            "S3S-P2",
            format!("{name} has {size} bytes, and may have {limit}"),
            "split it into several files",
        ));
    }
    let bytes = fs::read(path).map_err(|source| unreadable(path, source))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Arc::new(SourceFile { name, text })),
        Err(error) => Err(Error::Diagnostics(Diagnostics(vec![not_unicode(name, error.as_bytes())]))),
    }
}

/// Says where a file stops being Unicode.
pub(super) fn not_unicode(name: String, bytes: &[u8]) -> Diagnostic {
    let valid = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let start = valid.len();
    // What is shown is the file as far as it can be read, with one sign for the byte that cannot.
    let rest = bytes.get(start..).unwrap_or_default();
    let line = String::from_utf8_lossy(rest.split(|byte| *byte == b'\n').next().unwrap_or_default());
    let file = Arc::new(SourceFile { name: name.clone(), text: format!("{valid}{line}") });
    let help = match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "it seems to be UTF-16: save it as UTF-8",
        _ => "save the file as UTF-8",
    };
    Diagnostic::error("S3S-P1", format!("{name} is not UTF-8: this byte is no character"))
        .at(Span { file, start, end: start + '\u{fffd}'.len_utf8() })
        .help(help)
}

/// A path as the user would write it.
pub fn shown(path: &Path) -> String {
    match path.strip_prefix(".") {
        Ok(rest) if !rest.as_os_str().is_empty() => rest.display().to_string(),
        _ => path.display().to_string(),
    }
}

/// A file, or none where there is none.
pub(super) fn optional(path: &Path) -> Result<Option<Arc<SourceFile>>, Error> {
    match source_file(path) {
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    Error::Io { doing: "reading", path: shown(path), source }
}
