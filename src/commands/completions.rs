//! `s3stack completions`

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::error::Error;
use crate::ui::Ui;

/// Print a script that completes commands in a shell.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The shell.
    pub shell: Shell,
}

/// Runs the command.
pub fn run(arguments: Arguments, ui: &mut Ui) -> Result<u8, Error> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "s3stack", &mut script);
    ui.data(&String::from_utf8_lossy(&script));
    Ok(0)
}
