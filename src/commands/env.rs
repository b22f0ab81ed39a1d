//! `s3stack env`

use clap::Subcommand;

use super::run::{quietly, reach};
use crate::cli::{Global, StackPath};
use crate::deployment::Deployment;
use crate::error::Error;
use crate::ui::{EnvironmentRow, Ui};

/// The environments of a stack.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the environments and what is applied in each.
    List(StackPath),
}

/// Runs the command.
pub async fn run(global: &Global, command: Command, ui: &mut Ui) -> Result<u8, Error> {
    let Command::List(stack) = command;
    // Which environments there are does not depend on which one is chosen.
    let project = quietly(global, &stack.path, global.environment.as_deref())?;
    let names = project.stack.environments.keys().map(String::as_str);
    let mut rows = Vec::new();
    for name in std::iter::once("default").chain(names.filter(|name| *name != "default")) {
        rows.push(row(global, &stack, name, ui).await);
    }
    ui.environments(&rows);
    Ok(0)
}

/// What is applied in one environment. What hinders a look at one is no reason not to list the others.
async fn row(global: &Global, stack: &StackPath, name: &str, ui: &Ui) -> EnvironmentRow {
    let opened = async {
        let project = quietly(global, &stack.path, Some(name))?;
        let reach = reach(global, &project.folder, ui).await?;
        Deployment::open(project, &reach).await
    };
    EnvironmentRow {
        name: name.to_owned(),
        found: opened.await.map(|deployment| deployment.state).map_err(Error::into_diagnostics),
    }
}
