//! `s3stack destroy`

use std::time::Duration;

use clap::Args;

use super::apply::duration;
use super::run::{Order, carry_out, open_for_destroy};
use crate::cli::{Global, StackPath};
use crate::error::Error;
use crate::ui::Ui;

/// Delete everything that the stack made.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub stack: StackPath,
    /// Approve beforehand.
    #[arg(short, long)]
    pub yes: bool,
    /// Wait for another run to end: `90s`, `10m`.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub lock_timeout: Option<Duration>,
}

/// Runs the command.
pub async fn run(global: &Global, arguments: Arguments, ui: &mut Ui) -> Result<u8, Error> {
    let deployment = open_for_destroy(global, &arguments.stack.path, ui).await?;
    let order = Order {
        command: "s3stack destroy",
        destroy: true,
        yes: arguments.yes,
        lock_timeout: arguments.lock_timeout,
        check: None,
    };
    carry_out(deployment, order, ui).await
}
