//! `s3stack plan`

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use s3stack_engine::diagnostic::Diagnostics;

use super::run::{open, open_for_destroy};
use super::saved;
use crate::cli::{Global, StackPath};
use crate::deployment::run_note;
use crate::error::Error;
use crate::ui::Ui;

/// Show what apply would do.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub stack: StackPath,
    /// Plan the deletion of everything.
    #[arg(long)]
    pub destroy: bool,
    /// Save the plan for `apply --plan`.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Exit with 0 if nothing would change, 2 if something would, 1 on errors.
    #[arg(long)]
    pub detailed_exitcode: bool,
}

/// The exit code for "there are changes".
const CHANGES: u8 = 2;

/// Runs the command.
pub async fn run(global: &Global, arguments: Arguments, ui: &mut Ui) -> Result<u8, Error> {
    let began = Instant::now();
    let deployment = match arguments.destroy {
        true => open_for_destroy(global, &arguments.stack.path, ui).await?,
        false => open(global, &arguments.stack.path, ui).await?,
    };
    let working = ui.working("reading AWS");
    let planned = deployment.plan(arguments.destroy, None).await?;
    drop(working);
    ui.diagnostics(&Diagnostics(run_note(&deployment.state).into_iter().collect()));
    ui.diagnostics(&planned.warnings);
    ui.recovered(&planned.recovered);
    ui.plan(&deployment, &planned, began.elapsed());
    let code = match () {
        () if !planned.plan.unplanned.is_empty() => 1,
        () if arguments.detailed_exitcode && !planned.plan.is_empty() => CHANGES,
        () => 0,
    };
    if let Some(path) = &arguments.out {
        saved::write(&deployment, planned, path).await?;
        ui.note(&format!("saved; carry it out with `s3stack apply --plan {}`", path.display()));
    }
    Ok(code)
}
