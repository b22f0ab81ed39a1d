//! `s3stack schema`

use std::path::PathBuf;

use clap::Args;
use s3stack_engine::stack::editor_schema;

use crate::error::Error;
use crate::resources::Types;
use crate::ui::Ui;

/// Print the JSON Schema of stack files, for editors.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Write it into a file instead.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Runs the command.
pub fn run(arguments: Arguments, ui: &mut Ui) -> Result<u8, Error> {
    let schema = text();
    match arguments.output {
        None => ui.data(&schema),
        Some(path) => {
            std::fs::write(&path, schema).map_err(Error::io("writing", &path))?;
            ui.note(&format!("wrote {}", path.display()));
        }
    }
    Ok(0)
}

/// The schema as it is written.
pub fn text() -> String {
    format!("{:#}\n", editor_schema(&Types))
}
