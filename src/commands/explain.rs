//! `s3stack explain`

use clap::Args;

use crate::error::Error;
use crate::explain::find;
use crate::ui::Ui;

/// Tell of a type, a property, a section, a function or the code of a finding.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What: `s3.bucket`, `s3.bucket.lifecycle`, `env`, `merge`, `S3S-N1`. Without it, what there is.
    pub name: Option<String>,
}

/// Runs the command.
pub fn run(arguments: Arguments, ui: &mut Ui) -> Result<u8, Error> {
    match find(arguments.name.as_deref()) {
        Ok(page) => {
            ui.page(&page);
            Ok(0)
        }
        Err(unknown) => Err(Error::refused("S3S-R11", unknown.message, unknown.help)),
    }
}
