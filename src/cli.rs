//! The grammar of the command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::commands;
use crate::ui::{ColourChoice, Settings, Ui};

/// Plans, proves and applies AWS stacks from a TOML file.
#[derive(Debug, Parser)]
#[command(name = "s3stack", version, max_term_width = 100, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The environment, as in `[env.NAME]`.
    #[arg(long = "env", global = true, value_name = "NAME")]
    pub environment: Option<String>,
    /// Set a variable.
    #[arg(long = "var", global = true, value_name = "NAME=VALUE", value_parser = assignment)]
    pub variables: Vec<(String, String)>,
    /// Read variables from a TOML file.
    #[arg(long = "var-file", global = true, value_name = "FILE")]
    pub variable_files: Vec<PathBuf>,
    /// Use the private AWS on this machine instead of an account.
    #[arg(long, global = true)]
    pub local: bool,
    /// Use another emulator at this address, as --local does.
    #[arg(long, global = true, value_name = "URL", conflicts_with = "local")]
    pub local_endpoint: Option<String>,
    /// Print machine-readable JSON on standard output.
    #[arg(long, global = true)]
    pub json: bool,
    /// When to colour: auto (on a terminal, unless NO_COLOR is set), always or never.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        hide_possible_values = true,
        hide_default_value = true
    )]
    pub color: ColourChoice,
    /// Say more: unchanged resources, calls and their request ids.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say less: errors and results only.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Never ask.
    #[arg(long, global = true)]
    pub no_input: bool,
    /// Most calls in flight for each service.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub parallelism: Option<u16>,
}

/// Where a stack is.
#[derive(Debug, Clone, Args)]
pub struct StackPath {
    /// The stack's folder or file.
    #[arg(default_value = ".", value_name = "STACK")]
    pub path: PathBuf,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a starter stack, or the bucket for a stack's state.
    Init(commands::init::Arguments),
    /// Check the files of a stack without calling AWS.
    Validate(commands::validate::Arguments),
    /// The environments of a stack.
    #[command(subcommand)]
    Env(commands::env::Command),
    /// Format stack files.
    Fmt(commands::fmt::Arguments),
    /// Show what apply would do.
    Plan(commands::plan::Arguments),
    /// Make AWS what the stack says.
    Apply(commands::apply::Arguments),
    /// Delete everything that the stack made.
    Destroy(commands::destroy::Arguments),
    /// Show the outputs of the last apply.
    Output(commands::output::Arguments),
    /// Look at the state, or correct it.
    #[command(subcommand)]
    State(commands::state::Command),
    /// Draw the resources of a stack and what names what.
    Graph(commands::graph::Arguments),
    /// Remove the lease of a run that died.
    Unlock(commands::unlock::Arguments),
    /// The private AWS of --local.
    #[command(subcommand)]
    Local(commands::local::Command),
    /// Ask what expressions come to in a stack, without calling AWS.
    Console(commands::console::Arguments),
    /// Tell of a type, a property, a section, a function or the code of a finding.
    Explain(commands::explain::Arguments),
    /// Print the JSON Schema of stack files, for editors.
    Schema(commands::schema::Arguments),
    /// Write the reference pages of the repository.
    #[command(hide = true)]
    Docs(commands::docs::Arguments),
    /// Print a script that completes commands in a shell.
    Completions(commands::completions::Arguments),
}

/// A wrong command line, as sysexits(3) has it: never 2, which means "changes".
const USAGE: u8 = 64;

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".into()),
    }
}

/// Runs a command line.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors. A closed standard output is not worth a word.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let mut ui = Ui::new(Settings::of(&cli));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => {
            let outcome = runtime.block_on(commands::run(cli, &mut ui));
            // A call or file operation that nobody waits for any more must not hold the program.
            runtime.shutdown_background();
            outcome
        }
        Err(source) => Err(crate::error::Error::Io { doing: "starting", path: "the runtime".into(), source }),
    };
    let code = match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            ui.diagnostics(&error.into_diagnostics());
            ExitCode::FAILURE
        }
    };
    if ui.finish() { code } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_grammar_agrees_with_itself() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_variable_may_hold_an_equals_sign() {
        assert_eq!(assignment("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert!(assignment("=x").is_err());
        assert!(assignment("x").is_err());
    }
}
