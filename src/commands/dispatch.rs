//! From the command line to a command.

use crate::cli::{Cli, Command};
use crate::error::Error;
use crate::ui::Ui;

/// Runs a command; answers its exit code.
pub async fn run(cli: Cli, ui: &mut Ui) -> Result<u8, Error> {
    let global = cli.global;
    match cli.command {
        Command::Init(arguments) => super::init::run(&global, arguments, ui).await,
        Command::Validate(arguments) => super::validate::run(&global, arguments, ui),
        Command::Env(command) => super::env::run(&global, command, ui).await,
        Command::Fmt(arguments) => super::fmt::run(arguments, ui),
        Command::Plan(arguments) => super::plan::run(&global, arguments, ui).await,
        Command::Apply(arguments) => super::apply::run(&global, arguments, ui).await,
        Command::Destroy(arguments) => super::destroy::run(&global, arguments, ui).await,
        Command::Output(arguments) => super::output::run(&global, arguments, ui).await,
        Command::State(command) => super::state::run(&global, command, ui).await,
        Command::Graph(arguments) => super::graph::run(&global, arguments, ui).await,
        Command::Unlock(arguments) => super::unlock::run(&global, arguments, ui).await,
        Command::Local(command) => super::local::run(&global, command, ui).await,
        Command::Console(arguments) => super::console::run(&global, arguments, ui).await,
        Command::Explain(arguments) => super::explain::run(arguments, ui),
        Command::Schema(arguments) => super::schema::run(arguments, ui),
        Command::Docs(arguments) => super::docs::run(arguments, ui),
        Command::Completions(arguments) => super::completions::run(arguments, ui),
    }
}
