//! `s3stack validate`

use std::collections::BTreeSet;

use clap::Args;
use s3stack_engine::graph;
use s3stack_engine::resource::Facts;
use s3stack_engine::state::State;

use super::run::open_project;
use crate::cli::{Global, StackPath};
use crate::error::Error;
use crate::folder::Folder;
use crate::resources::Types;
use crate::ui::Ui;

/// Check the files of a stack without calling AWS.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub stack: StackPath,
}

/// An account for checks that need one and must not ask: AWS gives no such id out.
const SOME_ACCOUNT: &str = "000000000000";

/// Runs the command.
pub fn run(global: &Global, arguments: Arguments, ui: &mut Ui) -> Result<u8, Error> {
    let project = open_project(global, &arguments.stack.path, ui)?;
    let state = State::new(String::new(), project.settings.name.clone(), project.environment.clone());
    let variables = project.variables.0.iter().map(|(name, one)| (name.clone(), one.value.clone())).collect();
    let (graph, diagnostics) = graph::build(&graph::Inputs {
        stack: &project.stack,
        variables: &variables,
        facts: Facts {
            partition: "aws".into(),
            account_id: project.settings.account_id.clone().unwrap_or_else(|| SOME_ACCOUNT.into()),
            region: project.settings.region.clone().unwrap_or_else(|| "us-east-1".into()),
            stack: project.settings.name.clone(),
            environment: project.environment.clone(),
        },
        tags: project.settings.tags.clone(),
        registry: &Types,
        files: &Folder::new(&project.folder),
        state: &state,
        forget: &BTreeSet::new(),
    });
    if diagnostics.has_errors() {
        return Err(Error::Diagnostics(diagnostics));
    }
    ui.diagnostics(&diagnostics);
    ui.valid(&project, graph.nodes.len());
    Ok(0)
}
