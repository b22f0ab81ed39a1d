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
    let project = match open_project(global, &arguments.stack.path, ui) {
        Ok(project) => project,
        Err(error) => {
            let found = error.into_diagnostics();
            ui.diagnostics(&found);
            ui.validated(None, &found);
            return Ok(1);
        }
    };
    let (graph, mut found) = project.rehearse();
    ui.diagnostics(&found);
    found.extend(project.warnings);
    ui.validated(Some((&project.settings.name, graph.nodes.len())), &found);
    Ok(u8::from(found.has_errors()))
}
