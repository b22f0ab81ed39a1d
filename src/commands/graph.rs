//! `s3stack graph`

use clap::{Args, ValueEnum};
use s3stack_engine::diagnostic::Diagnostics;

use super::run::{open, open_project};
use crate::cli::{Global, StackPath};
use crate::deployment::run_note;
use crate::error::Error;
use crate::project::{Project, SOME_ACCOUNT};
use crate::ui::Ui;
use crate::ui::drawing::draw;

/// Draw the resources of a stack and what names what.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub stack: StackPath,
    /// The language of the drawing.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", conflicts_with = "json")]
    pub format: PictureFormat,
    /// Show what apply would do to each resource. This reads AWS; else nothing is called.
    #[arg(long)]
    pub plan: bool,
}

/// A language of drawings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum PictureFormat {
    /// Graphviz.
    #[default]
    Dot,
    /// A flowchart that Markdown may hold.
    Mermaid,
    /// A picture that browsers show.
    Svg,
}

/// Runs the command.
pub async fn run(global: &Global, arguments: Arguments, ui: &mut Ui) -> Result<u8, Error> {
    let path = &arguments.stack.path;
    if !arguments.plan {
        let project = open_project(global, path, ui)?;
        let (graph, diagnostics) = project.rehearse();
        if diagnostics.has_errors() {
            return Err(Error::Diagnostics(diagnostics));
        }
        ui.diagnostics(&diagnostics);
        let unknown_account = project.settings.account_id.is_none().then_some(SOME_ACCOUNT);
        ui.picture(&draw(&title(&project), &graph, None, unknown_account), arguments.format)?;
        return Ok(0);
    }
    let deployment = open(global, path, ui).await?;
    let working = ui.working("reading AWS");
    let planned = deployment.plan(false, None).await?;
    drop(working);
    ui.diagnostics(&Diagnostics(run_note(&deployment.state).into_iter().collect()));
    ui.diagnostics(&planned.warnings);
    ui.recovered(&planned.recovered);
    let picture = draw(&title(&deployment.project), &planned.graph, Some(&planned.plan), None);
    ui.picture(&picture, arguments.format)?;
    Ok(u8::from(!planned.plan.unplanned.is_empty()))
}

fn title(project: &Project) -> String {
    match project.environment.as_str() {
        "default" => project.settings.name.clone(),
        environment => format!("{} ({environment})", project.settings.name),
    }
}
