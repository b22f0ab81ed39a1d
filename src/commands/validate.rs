//! `s3stack validate`

use clap::Args;

use super::run::open_project;
use crate::cli::{Global, StackPath};
use crate::error::Error;
use crate::ui::Ui;

/// Check the files of a stack without calling AWS.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub stack: StackPath,
}

/// Runs the command.
pub fn run(global: &Global, arguments: Arguments, ui: &mut Ui) -> Result<u8, Error> {
    let project = open_project(global, &arguments.stack.path, ui)?;
    let (graph, diagnostics) = project.rehearse();
    if diagnostics.has_errors() {
        return Err(Error::Diagnostics(diagnostics));
    }
    ui.diagnostics(&diagnostics);
    ui.valid(&project, graph.nodes.len());
    Ok(0)
}
