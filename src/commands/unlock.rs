//! `s3stack unlock`

use clap::Args;

use super::run::open;
use crate::backend::lease;
use crate::cli::{Global, StackPath};
use crate::error::Error;
use crate::ui::Ui;

/// Remove the lease of a run that died. A live one is refused.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub stack: StackPath,
}

/// Runs the command.
pub async fn run(global: &Global, arguments: Arguments, ui: &mut Ui) -> Result<u8, Error> {
    let deployment = open(global, &arguments.stack.path, ui).await?;
    match lease::unlock(deployment.store.as_ref()).await? {
        Some(holder) => ui.note(&format!("removed the lease of {}", holder.was())),
        None => ui.note(&format!("nobody holds {}", deployment.store.place())),
    }
    Ok(0)
}
