//! `s3stack docs`: not for users, and so not in the help.

use std::path::PathBuf;

use clap::Args;

use crate::error::Error;
use crate::explain::reference;
use crate::ui::{Ui, render_document};

/// Write the reference pages of the repository.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The folder.
    pub folder: PathBuf,
}

/// Runs the command.
pub fn run(arguments: Arguments, ui: &mut Ui) -> Result<u8, Error> {
    let documents = reference::documents();
    for document in &documents {
        let path = arguments.folder.join(&document.path);
        let folder = path.parent().unwrap_or(&arguments.folder);
        std::fs::create_dir_all(folder).map_err(Error::io("making", folder))?;
        std::fs::write(&path, render_document(document)).map_err(Error::io("writing", &path))?;
    }
    ui.note(&format!("wrote {} pages into {}", documents.len(), arguments.folder.display()));
    Ok(0)
}
