//! `s3stack local`

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use crate::cli::{Global, StackPath};
use crate::error::Error;
use crate::local::{Local, Status};
use crate::ui::{Format, Ui};

/// The private AWS of --local, one for each stack folder.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start it.
    Start(StackPath),
    /// Say whether it runs, and where.
    Status(StackPath),
    /// Stop it; its data are kept.
    Stop(StackPath),
    /// Stop it and remove its data and the state of --local.
    Reset(StackPath),
    /// Print what other programs need to reach it: `eval "$(s3stack local env)"`.
    Env(StackPath),
}

/// Runs the command.
pub async fn run(_: &Global, command: Command, ui: &mut Ui) -> Result<u8, Error> {
    let path = match &command {
        Command::Start(stack)
        | Command::Status(stack)
        | Command::Stop(stack)
        | Command::Reset(stack)
        | Command::Env(stack) => stack.path.clone(),
    };
    let found = std::fs::metadata(&path).map_err(|source| Error::Io {
        doing: "reading",
        path: path.display().to_string(),
        source,
    })?;
    let folder = match (found.is_file(), path.parent()) {
        (true, Some(parent)) if parent.as_os_str().is_empty() => PathBuf::from("."),
        (true, Some(parent)) => parent.to_path_buf(),
        _ => path,
    };
    let local = Local::for_folder(&folder)?;
    let say = ui.progress_note();
    let done = tokio::task::spawn_blocking(move || work(&local, &command, &*say)).await;
    let (text, document) = match done {
        Ok(done) => done?,
        Err(error) => return Err(Error::refused("S3S-S3", format!("the local AWS failed: {error}"), "try again")),
    };
    match ui.format() {
        Format::Text => ui.data(&text),
        _ => ui.document(&document),
    }
    Ok(0)
}

/// Does it; answers what is shown to people and to programs.
fn work(local: &Local, command: &Command, say: &dyn Fn(&str)) -> Result<(String, serde_json::Value), Error> {
    Ok(match command {
        Command::Start(_) => {
            let url = local.ensure_started(say)?.url;
            (format!("{url}\n"), json!({"url": url}))
        }
        Command::Status(_) => {
            let status = local.status()?;
            (format!("{}\n", describe(&status)), status_document(&status))
        }
        Command::Stop(_) => {
            let stopped = local.stop()?;
            (if stopped { "stopped\n" } else { "it was not running\n" }.into(), json!({"stopped": stopped}))
        }
        Command::Reset(_) => {
            local.reset()?;
            ("removed\n".into(), json!({"removed": true}))
        }
        Command::Env(_) => {
            // A shell evaluates what is printed here, so where there is nothing to print it must fail.
            let variables = local.environment_variables("us-east-1")?.ok_or_else(|| {
                Error::refused("S3S-S3", "the local AWS is not running", "start it with `s3stack local start`")
            })?;
            let lines = variables.iter().map(|(name, value)| format!("export {name}={}\n", quoted(value)));
            (lines.collect(), variables.iter().map(|(name, value)| (name.to_string(), json!(value))).collect())
        }
    })
}

fn status_document(status: &Status) -> serde_json::Value {
    match status {
        Status::Running { endpoint, pid, version } => {
            json!({"status": "running", "url": endpoint.url, "pid": pid, "version": version})
        }
        Status::Stopped { data } => json!({"status": "stopped", "data": data}),
        Status::Killed => json!({"status": "killed"}),
        Status::Busy => json!({"status": "busy"}),
        Status::Unresponsive { pid } => json!({"status": "unresponsive", "pid": pid}),
    }
}

fn describe(status: &Status) -> String {
    match status {
        Status::Running { endpoint, pid, version } => {
            format!("running at {} (ministack {version}, pid {pid})", endpoint.url)
        }
        Status::Stopped { data: true } => "stopped; its data are kept".into(),
        Status::Stopped { data: false } => "stopped; it has no data".into(),
        Status::Killed => "it was killed; what it held in its last moments may be lost".into(),
        Status::Busy => "it is starting or stopping".into(),
        Status::Unresponsive { pid } => format!("pid {pid} does not answer"),
    }
}

/// A word that a shell takes as it is.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
