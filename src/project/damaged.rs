//! Opening a stack for its destruction: what is in AWS has to go away also when the files no longer say what it was.

use std::path::Path;

use s3stack_engine::diagnostic::{Diagnostic, Diagnostics, Severity};

use super::{Choices, Project, read, source_files, whereabouts};
use crate::error::Error;

/// Loads a stack that is to be destroyed. If its files have errors, state says what there is, and the files only where
/// that is: `[stack]` and `[backend]` if nothing is wrong with them, or else what the last apply from this folder knew.
/// What is wrong is then in [`Project::problems`]. `local` for the private AWS of `--local`.
///
/// # Errors
/// Everything wrong with the files, if they do not even tell where the state is and no apply from here did.
pub fn open_for_destroy(choices: &Choices, local: bool) -> Result<Project, Error> {
    let (folder, files, missing) = match source_files(&choices.path) {
        Ok((folder, files)) => (folder, files, Diagnostics::default()),
        // The folder is there, and a stack was.
        Err(error @ Error::Refused { .. }) => {
            let folder = match choices.path.is_dir() {
                true => choices.path.as_path(),
                false => choices.path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new(".")),
            };
            (folder.to_path_buf(), Vec::new(), error.into_diagnostics())
        }
        Err(error) => return Err(error),
    };
    let mut read = read(choices, folder, &files)?;
    if files.is_empty() {
        read.problems = missing;
    }
    if !read.problems.has_errors() {
        return Ok(read.into_project());
    }
    if !read.is_located {
        match whereabouts::recall(&read.folder, &read.environment, local) {
            Some(settings) => read.settings = settings,
            None => {
                let word = "nor has an apply from this folder left word of where the state is";
                read.problems.0.iter_mut().filter(|one| one.severity == Severity::Error).take(1).for_each(|first| {
                    first.notes.push(format!("These files do not say, {word}."));
                });
                return Err(Error::Diagnostics(read.problems));
            }
        }
    }
    Ok(read.into_project())
}

/// What a destroy has to say of the errors that it goes on in spite of: all of them, as warnings.
pub fn told(problems: &Diagnostics) -> Diagnostics {
    if problems.0.is_empty() {
        return Diagnostics::default();
    }
    let summary =
        Diagnostic::warning("S3S-J6", "the stack's files have errors, so what is destroyed is what the state knows of")
            .note("`protect` and `retain` hold where either the state or a block says so.")
            .help("if that is not what you want, stop here and mend the files first");
    let problems = problems.0.iter().cloned().map(|one| Diagnostic { severity: Severity::Warning, ..one });
    Diagnostics(problems.chain([summary]).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::Backend;
    use super::*;

    const SOUND: &str = "[stack]\nname = 's'\nregion = 'eu-west-1'\n\n[s3.bucket.a]\nversioning = true\n\n[backend.s3]\nbucket = 'states'\n";

    fn opened(folder: &Path, text: &str) -> Result<Project, Error> {
        fs::write(folder.join("stack.toml"), text).unwrap();
        open_for_destroy(&Choices { path: folder.into(), ..Choices::default() }, false)
    }

    fn bucket(project: &Project) -> Option<&str> {
        match &project.settings.backend {
            Backend::S3 { bucket, .. } => Some(bucket),
            Backend::File { .. } => None,
        }
    }

    #[test]
    fn errors_in_blocks_leave_the_settings_to_the_files() {
        let folder = tempfile::tempdir().unwrap();
        for text in [
            SOUND.replace("versioning", "versionning"),
            SOUND.replace("true", "\"${var.x}\"\n[var]\nx = { type = 'bool' }"),
        ] {
            let project = opened(folder.path(), &text).unwrap();
            assert_eq!(bucket(&project), Some("states"), "{text}");
            assert!(!project.problems.0.is_empty() && told(&project.problems).0.len() > project.problems.0.len());
        }
    }

    #[test]
    fn errors_that_may_hide_the_settings_leave_them_to_the_last_apply() {
        let broken = [
            // It swallows the backend below it.
            SOUND.replace("versioning = true", "name = \"\"\""),
            SOUND.replace("versioning = true", "versioning = tru"),
            SOUND.replace("bucket = 'states'", "buckt = 'states'"),
            SOUND.replace("bucket = 'states'", "bucket = '${var.gone}'"),
            "\u{0}".to_owned(),
        ];
        for text in broken {
            let folder = tempfile::tempdir().unwrap();
            let refused = opened(folder.path(), &text).map(|_| ()).unwrap_err().into_diagnostics();
            let notes = || refused.0.iter().flat_map(|one| &one.notes);
            assert!(notes().any(|note| note.contains("where the state is")), "{text}: {refused:?}");
            let sound = opened(folder.path(), SOUND).unwrap();
            assert!(sound.problems.0.is_empty());
            whereabouts::keep(&sound, false).unwrap();
            let project = opened(folder.path(), &text).unwrap();
            assert_eq!(bucket(&project), Some("states"), "{text}");
            assert!(!project.problems.0.is_empty());
        }
    }
}
