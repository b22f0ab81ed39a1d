//! `.env` files on disk, replaced in two phases.
//!
//! [`prepare`] does everything that can fail: it finds the file, refuses what must not be written, and puts a temporary
//! file of full size beside it. [`Prepared::commit`] then fills that file, syncs it, renames it over the old one and syncs
//! the folder: at every moment, and after a crash at any, the file has its old text or its new one. What is written is
//! 0600, whatever the old file was.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};

use super::text::EnvText;

/// A `.env` file is a page or two of text.
const MAX_BYTES: u64 = 10 * 1024 * 1024;
/// What a commit may add to the text without needing more room than was reserved.
const HEADROOM: u64 = 64 * 1024;

/// Why a `.env` file cannot be read or written. No message holds anything of a file's content.
#[derive(Debug, thiserror::Error)]
pub enum EnvFileError {
    /// The path leads out of the stack folder, by itself or by a symbolic link.
    #[error("{path} leads out of the stack folder; name a file inside it")]
    Outside {
        /// As the stack file has it.
        path: String,
    },
    /// Something that is no file has the name.
    #[error("{path} is {what}, not a file; name another file or move that away")]
    NotAFile {
        /// As the stack file has it.
        path: String,
        /// `a folder`.
        what: &'static str,
    },
    /// The file is larger than any such file is.
    #[error("{path} has {bytes} bytes; a .env file has at most {MAX_BYTES}")]
    TooLarge {
        /// As the stack file has it.
        path: String,
        /// Its size.
        bytes: u64,
    },
    /// What is added could not be read back.
    #[error("{path} has a quote that is opened and not closed, which would swallow the lines below; close it")]
    OpenQuote {
        /// As the stack file has it.
        path: String,
    },
    /// A value that no such file can hold.
    #[error("a value for {path} holds a NUL character, which no environment variable can")]
    Nul {
        /// As the stack file has it.
        path: String,
    },
    /// The operating system refused.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// `write`.
        action: &'static str,
        /// As the stack file has it.
        path: String,
        /// What it said.
        source: io::Error,
    },
}

/// Reads a file; `None` when there is none. `path` is relative to `folder`, the stack's.
///
/// # Errors
/// If the path leads out of the folder, to something that is no file, or cannot be read.
pub fn read(folder: &Path, path: &str) -> Result<Option<EnvText>, EnvFileError> {
    match Place::find(folder, path) {
        Ok(place) => place.read(),
        // Without its folder there is no file.
        Err(EnvFileError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A file that can be written, with a temporary one of full size beside it. Dropped, it leaves nothing.
#[derive(Debug)]
pub struct Prepared {
    place: Place,
    temporary: Option<(PathBuf, File)>,
}

/// Makes sure that a file can be written. What a process that was killed left behind is removed.
///
/// # Errors
/// As [`read`]; and if the file or its folder may not be written, or the disk is full.
pub fn prepare(folder: &Path, path: &str) -> Result<Prepared, EnvFileError> {
    let place = Place::find(folder, path)?;
    let length = place.read()?.map_or(0, |text| text.to_bytes().len() as u64);
    if length > 0 {
        // Renaming would replace a file that is write-protected; that protection is meant.
        OpenOptions::new().append(true).open(&place.file).map_err(place.failed("write"))?;
    }
    let lock = place.lock_folder();
    place.remove_left_behind();
    let temporary = PathBuf::from(place.beside(&uuid::Uuid::new_v4().simple().to_string()));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary);
    let file = file.map_err(place.failed("write"))?;
    // As long as this process lives it is not taken for left behind. Where there are no locks nothing ever is.
    let _ = file.try_lock();
    drop(lock);
    let mut prepared = Prepared { temporary: Some((temporary, file)), place };
    prepared.reserve(length + HEADROOM)?;
    Ok(prepared)
}

/// Removes what a process that was killed left beside a file, where nothing is to be written: it may hold a secret.
pub fn tidy(folder: &Path, path: &str) {
    // Where the path leads nowhere nothing was left, and whoever uses it next is told.
    if let Ok(place) = Place::find(folder, path) {
        let _lock = place.lock_folder();
        place.remove_left_behind();
    }
}

/// Prepares and commits in one go, where nothing is lost if that fails.
///
/// # Errors
/// As [`prepare`] and [`Prepared::commit`].
pub fn commit(folder: &Path, path: &str, edit: impl FnOnce(&mut EnvText)) -> Result<(), EnvFileError> {
    prepare(folder, path)?.commit(edit)
}

/// Sets names in a file that the user named on the command line, wherever it is.
///
/// # Errors
/// As [`prepare`].
pub fn write_plain(path: &Path, lines: &[(String, String)]) -> Result<(), EnvFileError> {
    // A link is followed, wherever it leads: the user's own word is enough here.
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = target.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| EnvFileError::NotAFile { path: path.display().to_string(), what: "a folder" })?;
    let folder = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    commit(folder, name, |text| lines.iter().for_each(|(name, value)| text.set(name, value)))
}

impl Prepared {
    /// Replaces the file by what `edit` makes of its present text, in one step. A file that holds nothing but our own
    /// header after that is deleted.
    ///
    /// # Errors
    /// If the disk fails, or somebody changed the folder meanwhile. The file is then as it was.
    pub fn commit(mut self, edit: impl FnOnce(&mut EnvText)) -> Result<(), EnvFileError> {
        // Two keys may be written into one file at a time; this ends with the handle.
        let lock = self.place.lock_folder();
        let mut text = self.place.read()?.unwrap_or_else(EnvText::new_file);
        let had_nul = text.has_nul();
        edit(&mut text);
        if text.has_nul() && !had_nul {
            return Err(EnvFileError::Nul { path: self.place.shown.clone() });
        }
        if !text.is_read_as_meant() {
            return Err(EnvFileError::OpenQuote { path: self.place.shown.clone() });
        }
        if text.is_only_ours() {
            match std::fs::remove_file(&self.place.file) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(self.place.failed("delete")(error)),
                _ => {}
            }
        } else if let Some((temporary, file)) = self.temporary.as_mut() {
            let bytes = text.to_bytes();
            let fill = |file: &mut File| {
                file.rewind()?;
                file.write_all(&bytes)?;
                file.set_len(bytes.len() as u64)?;
                file.sync_all()
            };
            fill(file).map_err(self.place.failed("write"))?;
            std::fs::rename(&*temporary, &self.place.file).map_err(self.place.failed("write"))?;
            self.temporary = None;
        }
        drop(lock);
        File::open(&self.place.folder).and_then(|folder| folder.sync_all()).map_err(self.place.failed("sync"))
    }

    /// Takes the room that the text will need, so that a full disk is noticed now.
    fn reserve(&mut self, bytes: u64) -> Result<(), EnvFileError> {
        let Some((_, file)) = self.temporary.as_mut() else { return Ok(()) };
        io::copy(&mut io::repeat(0).take(bytes), file).and_then(|_| file.sync_all()).map_err(self.place.failed("write"))
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if let Some((temporary, _)) = &self.temporary {
            // What stays is removed by the next attempt.
            let _ = std::fs::remove_file(temporary);
        }
    }
}

/// Where a file is.
#[derive(Debug)]
struct Place {
    /// As the stack file has it, for messages.
    shown: String,
    /// The file itself, symbolic links followed.
    file: PathBuf,
    /// The folder it is in.
    folder: PathBuf,
}

impl Place {
    fn find(folder: &Path, path: &str) -> Result<Self, EnvFileError> {
        let outside = || EnvFileError::Outside { path: path.to_owned() };
        let failed = |source| EnvFileError::Io { action: "find", path: path.to_owned(), source };
        let relative = Path::new(path);
        let inside = relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        let name = relative.file_name().filter(|_| inside && !path.ends_with('/')).ok_or_else(outside)?;
        let root = folder.canonicalize().map_err(failed)?;
        let parent = root.join(relative.parent().unwrap_or(Path::new(""))).canonicalize().map_err(failed)?;
        let mut file = parent.join(name);
        match std::fs::symlink_metadata(&file) {
            Ok(found) if found.is_symlink() => match file.canonicalize() {
                Ok(target) => file = target,
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    let what = "a symbolic link to nothing";
                    return Err(EnvFileError::NotAFile { path: path.to_owned(), what });
                }
                Err(error) => return Err(failed(error)),
            },
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let folder = file.parent().filter(|parent| parent.starts_with(&root)).ok_or_else(outside)?.to_path_buf();
        Ok(Self { shown: path.to_owned(), file, folder })
    }

    fn read(&self) -> Result<Option<EnvText>, EnvFileError> {
        let found = match std::fs::metadata(&self.file) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed("read")(error)),
        };
        if !found.is_file() {
            let what = if found.is_dir() { "a folder" } else { "something special" };
            return Err(EnvFileError::NotAFile { path: self.shown.clone(), what });
        }
        if found.len() > MAX_BYTES {
            return Err(EnvFileError::TooLarge { path: self.shown.clone(), bytes: found.len() });
        }
        let mut bytes = Vec::new();
        File::open(&self.file)
            .and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes))
            .map_err(self.failed("read"))?;
        Ok(Some(EnvText::parse(&bytes)))
    }

    /// The name of a temporary file beside the file, of which the last part is `mark`.
    fn beside(&self, mark: &str) -> OsString {
        let mut name = self.file.as_os_str().to_owned();
        name.push(format!(".s3stack-{mark}"));
        name
    }

    /// Removes temporary files of processes that were killed; those of living ones are locked.
    fn remove_left_behind(&self) {
        let prefix = self.beside("");
        for entry in std::fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_ours = path.as_os_str().as_encoded_bytes().starts_with(prefix.as_encoded_bytes());
            if is_ours && File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
                // What cannot be removed is in nobody's way.
                let _ = std::fs::remove_file(&path);
            }
        }
    }

    /// Keeps other writers of the folder out as long as the handle lives. A file system that has no such locks goes
    /// without: then only two runs at the same moment could undo each other's lines, and the next plan would show it.
    fn lock_folder(&self) -> Option<File> {
        let folder = File::open(&self.folder).ok()?;
        folder.lock().ok()?;
        Some(folder)
    }

    fn failed(&self, action: &'static str) -> impl FnOnce(io::Error) -> EnvFileError + use<> {
        let path = self.shown.clone();
        move |source| EnvFileError::Io { action, path, source }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn set<'a>(name: &'a str, value: &'a str) -> impl FnOnce(&mut EnvText) + 'a {
        move |text| text.set(name, value)
    }

    #[test]
    fn what_a_killed_process_left_is_removed_also_where_nothing_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join(".env.s3stack-0123456789abcdef0123456789abcdef");
        std::fs::write(&left, "SECRET=x").unwrap();
        let held = prepare(folder.path(), ".env").unwrap();
        let own = held.temporary.as_ref().unwrap().0.clone();
        std::fs::write(&left, "SECRET=x").unwrap();
        tidy(folder.path(), ".env");
        assert!(!left.exists());
        assert!(own.exists(), "a process that lives keeps its own");
        tidy(folder.path(), "nowhere/.env");
    }

    #[test]
    fn a_new_file_is_readable_by_its_owner_alone_and_nothing_else_stays() {
        let folder = folder();
        commit(folder.path(), ".env", set("A", "1")).unwrap();
        assert_eq!(names(folder.path()), [".env"]);
        let mode = std::fs::metadata(folder.path().join(".env")).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
        commit(folder.path(), ".env", |text| text.remove("A")).unwrap();
        assert!(names(folder.path()).is_empty(), "what we made, we take away");
    }

    #[test]
    fn a_file_that_was_open_to_all_no_longer_is() {
        let folder = folder();
        let path = folder.path().join(".env");
        std::fs::write(&path, "OTHER=1\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        commit(folder.path(), ".env", set("A", "1")).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "OTHER=1\nA=1\n");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        commit(folder.path(), ".env", |text| text.remove("A")).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "OTHER=1\n");
    }

    #[test]
    fn what_is_prepared_and_not_committed_leaves_nothing() {
        let folder = folder();
        std::fs::write(folder.path().join(".env"), "A=1\n").unwrap();
        let prepared = prepare(folder.path(), ".env").unwrap();
        assert_eq!(names(folder.path()).len(), 2);
        drop(prepared);
        assert_eq!(names(folder.path()), [".env"]);
        assert_eq!(std::fs::read_to_string(folder.path().join(".env")).unwrap(), "A=1\n");
    }

    #[test]
    fn what_a_killed_attempt_left_is_removed_by_the_next() {
        let folder = folder();
        std::fs::write(folder.path().join(".env.s3stack-0123"), "A=secret").unwrap();
        std::fs::write(folder.path().join(".env.other"), "B=1").unwrap();
        commit(folder.path(), ".env", set("A", "1")).unwrap();
        assert_eq!(names(folder.path()), [".env", ".env.other"]);
    }

    #[test]
    fn two_writers_of_one_file_keep_each_others_lines() {
        let folder = folder();
        let first = prepare(folder.path(), ".env").unwrap();
        let second = prepare(folder.path(), ".env").unwrap();
        drop(prepare(folder.path(), ".env").unwrap());
        second.commit(set("B", "2")).unwrap();
        first.commit(set("A", "1")).unwrap();
        let text = read(folder.path(), ".env").unwrap().unwrap();
        assert_eq!((text.get("A").as_deref(), text.get("B").as_deref()), (Some("1"), Some("2")));
    }

    #[test]
    fn many_writers_at_once_lose_nothing() {
        let folder = folder();
        std::thread::scope(|scope| {
            for at in 0..8 {
                let folder = folder.path();
                scope.spawn(move || {
                    commit(folder, ".env", set(&format!("N{at}"), "v")).unwrap();
                });
            }
        });
        let text = read(folder.path(), ".env").unwrap().unwrap();
        assert!((0..8).all(|at| text.get(&format!("N{at}")).is_some()));
    }

    #[test]
    fn paths_out_of_the_folder_are_refused() {
        let (folder, elsewhere) = (folder(), folder());
        std::fs::write(elsewhere.path().join("target"), "A=1\n").unwrap();
        symlink(elsewhere.path().join("target"), folder.path().join("link")).unwrap();
        symlink(elsewhere.path(), folder.path().join("there")).unwrap();
        let absolute = elsewhere.path().join("target").display().to_string();
        for path in ["../x", "a/../../x", "link", "there/target", "there/new", absolute.as_str(), "", ".", "x/"] {
            let error = prepare(folder.path(), path).unwrap_err();
            assert!(matches!(error, EnvFileError::Outside { .. }), "{path}: {error}");
        }
        assert_eq!(names(elsewhere.path()), ["target"]);
    }

    #[test]
    fn a_link_inside_the_folder_is_followed_and_stays_a_link() {
        let folder = folder();
        std::fs::write(folder.path().join("real"), "B=1\n").unwrap();
        symlink("real", folder.path().join(".env")).unwrap();
        commit(folder.path(), ".env", set("A", "1")).unwrap();
        assert!(std::fs::symlink_metadata(folder.path().join(".env")).unwrap().is_symlink());
        assert_eq!(std::fs::read_to_string(folder.path().join("real")).unwrap(), "B=1\nA=1\n");
    }

    #[test]
    fn folders_and_links_to_nothing_are_no_files() {
        let folder = folder();
        std::fs::create_dir(folder.path().join("d")).unwrap();
        symlink("nowhere", folder.path().join("l")).unwrap();
        for path in ["d", "l"] {
            let error = prepare(folder.path(), path).unwrap_err();
            assert!(matches!(error, EnvFileError::NotAFile { .. }), "{path}: {error}");
        }
    }

    #[test]
    fn a_missing_folder_is_no_file_to_read_and_none_to_write() {
        let folder = folder();
        assert!(read(folder.path(), "sub/.env").unwrap().is_none());
        assert!(matches!(prepare(folder.path(), "sub/.env").unwrap_err(), EnvFileError::Io { .. }));
    }

    #[test]
    fn a_value_that_no_variable_can_have_is_refused() {
        let folder = folder();
        let error = commit(folder.path(), ".env", set("A", "a\0b")).unwrap_err();
        assert!(matches!(error, EnvFileError::Nul { .. }), "{error}");
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_file_of_the_command_line_may_be_anywhere() {
        let (folder, elsewhere) = (folder(), folder());
        symlink(elsewhere.path().join("out"), folder.path().join("link")).unwrap();
        std::fs::write(elsewhere.path().join("out"), "B=1\n").unwrap();
        write_plain(&folder.path().join("link"), &[("A".into(), "x y".into())]).unwrap();
        assert_eq!(std::fs::read_to_string(elsewhere.path().join("out")).unwrap(), "B=1\nA='x y'\n");
        let new = folder.path().join("new.env");
        write_plain(&new, &[("A".into(), "1".into())]).unwrap();
        assert!(std::fs::read_to_string(new).unwrap().ends_with("\nA=1\n"));
    }

    #[test]
    fn a_quote_left_open_is_refused_before_it_swallows_a_line() {
        let folder = folder();
        let before = "A='open\n";
        std::fs::write(folder.path().join(".env"), before).unwrap();
        let error = commit(folder.path(), ".env", set("B", " # b")).unwrap_err();
        assert!(matches!(error, EnvFileError::OpenQuote { .. }), "{error}");
        assert_eq!(std::fs::read_to_string(folder.path().join(".env")).unwrap(), before);
        assert_eq!(names(folder.path()), [".env"]);
    }
}
