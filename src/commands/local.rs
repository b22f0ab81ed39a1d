//! `s3stack local`

use clap::Subcommand;

use crate::cli::{Global, StackPath};
use crate::error::Error;
use crate::local::{Local, LocalError, Status};
use crate::ui::Ui;

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
    let folder = if path.is_file() { path.parent().unwrap_or(&path).to_path_buf() } else { path };
    let local = Local::for_folder(&folder)?;
    let say = ui.progress_note();
    let lines = tokio::task::spawn_blocking(move || work(&local, &command, &*say)).await;
    let lines = match lines {
        Ok(lines) => lines?,
        Err(error) => return Err(Error::refused("S3S-B3", format!("the local AWS failed: {error}"), "try again")),
    };
    lines.iter().for_each(|line| ui.data(line));
    Ok(0)
}

fn work(local: &Local, command: &Command, say: &dyn Fn(&str)) -> Result<Vec<String>, LocalError> {
    Ok(match command {
        Command::Start(_) => vec![format!("{}\n", local.ensure_started(say)?.url)],
        Command::Status(_) => vec![format!("{}\n", describe(&local.status()?))],
        Command::Stop(_) => vec![if local.stop()? { "stopped\n".into() } else { "it was not running\n".into() }],
        Command::Reset(_) => {
            local.reset()?;
            vec!["removed\n".into()]
        }
        Command::Env(_) => match local.environment_variables("us-east-1")? {
            Some(variables) => {
                variables.into_iter().map(|(name, value)| format!("export {name}={}\n", quoted(&value))).collect()
            }
            None => {
                say("it is not running: start it with `s3stack local start`");
                Vec::new()
            }
        },
    })
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
