//! `s3stack output`

use std::path::PathBuf;

use clap::Args;
use s3stack_engine::diagnostic::did_you_mean;
use s3stack_engine::value::{Map, Value};

use super::run::open;
use crate::cli::{Global, StackPath};
use crate::env_file;
use crate::error::Error;
use crate::ui::Ui;

/// Show the outputs of the last apply.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub stack: StackPath,
    /// Only this output, as it is.
    #[arg(long, value_name = "OUTPUT")]
    pub name: Option<String>,
    /// Write the outputs into a file of NAME=value lines, keeping its other lines.
    #[arg(long, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
}

/// Runs the command.
pub async fn run(global: &Global, arguments: Arguments, ui: &mut Ui) -> Result<u8, Error> {
    let deployment = open(global, &arguments.stack.path, ui).await?;
    let outputs = &deployment.state.outputs;
    if let Some(path) = &arguments.env_file {
        let lines = lines(outputs);
        env_file::write_plain(path, &lines).map_err(|error| {
            Error::refused(
                "S3S-L5",
                format!("{} cannot be written: {error}", path.display()),
                "name a file in a folder that is there and can be written",
            )
        })?;
        ui.note(&format!("wrote {} lines to {}", lines.len(), path.display()));
        return Ok(0);
    }
    match &arguments.name {
        None => ui.outputs(&deployment.project.stack, outputs),
        Some(name) => match outputs.get(name) {
            Some(value) => ui.value(value),
            None => {
                return Err(Error::refused("S3S-R7", format!("the last apply has no output `{name}`"), {
                    match did_you_mean(name, outputs.keys().map(String::as_str)) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "sensitive outputs are not stored; others appear with the next apply".into(),
                    }
                }));
            }
        },
    }
    Ok(0)
}

/// The outputs that fit into one line each, by upper-case names.
fn lines(outputs: &Map) -> Vec<(String, String)> {
    outputs
        .iter()
        .filter_map(|(name, value)| {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Bool(_) | Value::Integer(_) | Value::Float(_) => serde_json::to_string(value).ok()?,
                _ => return None,
            };
            Some((name.to_uppercase(), text))
        })
        .collect()
}
