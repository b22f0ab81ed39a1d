//! `s3stack init`

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use super::run::{open_project, reach};
use crate::aws::Clients;
use crate::backend::bootstrap::{Wanted, make_bucket};
use crate::cli::{Global, StackPath};
use crate::driver::with_causes;
use crate::error::Error;
use crate::project::Backend;
use crate::rewrite::rewrite;
use crate::ui::Ui;

/// Make a starter stack, or the bucket for a stack's state.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub stack: StackPath,
    /// Make the bucket that [backend.s3] names, hardened, and write the stack's id into its file.
    #[arg(long)]
    pub backend: bool,
}

const STARTER: &str = include_str!("starter.toml");
const IGNORED: &[&str] = &[".s3stack/", "stack.vars.toml", ".env", "*.s3plan"];

/// Runs the command.
pub async fn run(global: &Global, arguments: Arguments, ui: &mut Ui) -> Result<u8, Error> {
    if arguments.backend {
        backend(global, &arguments.stack.path, ui).await
    } else {
        starter(&arguments.stack.path, ui)
    }
}

fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.display().to_string();
    move |source| Error::Io { doing, path, source }
}

fn starter(folder: &Path, ui: &mut Ui) -> Result<u8, Error> {
    fs::create_dir_all(folder).map_err(io("making", folder))?;
    let stack = if folder == Path::new(".") { PathBuf::from("stack.toml") } else { folder.join("stack.toml") };
    let name =
        folder.canonicalize().ok().and_then(|full| full.file_name().map(|name| name.to_string_lossy().into_owned()));
    let text = STARTER.replace("my-stack", &stack_name(name.as_deref().unwrap_or_default()));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&stack).map_err(|source| {
        if source.kind() == std::io::ErrorKind::AlreadyExists {
            Error::refused(
                "S3S-L4",
                format!("{} exists already", stack.display()),
                "choose another folder, or edit that file",
            )
        } else {
            Error::Io { doing: "making", path: stack.display().to_string(), source }
        }
    })?;
    file.write_all(text.as_bytes()).map_err(io("writing", &stack))?;
    ignore(folder)?;
    ui.note(&format!(
        "made {}; try it without an account: s3stack apply {} --local",
        stack.display(),
        folder.display()
    ));
    Ok(0)
}

/// A stack name from a folder's name.
fn stack_name(folder: &str) -> String {
    let folded: String =
        folder.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = folded.trim_matches(|c: char| !c.is_ascii_lowercase());
    if name.is_empty() { "my-stack".into() } else { name.chars().take(30).collect() }
}

/// Adds what git must not take to .gitignore, keeping its lines.
fn ignore(folder: &Path) -> Result<(), Error> {
    let path = folder.join(".gitignore");
    let old = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(source) => return Err(io("reading", &path)(source)),
    };
    let missing: Vec<&str> =
        IGNORED.iter().copied().filter(|line| !old.lines().any(|have| have.trim() == *line)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let gap = if old.is_empty() || old.ends_with('\n') { "" } else { "\n" };
    fs::write(&path, format!("{old}{gap}{}\n", missing.join("\n"))).map_err(io("writing", &path))
}

async fn backend(global: &Global, path: &Path, ui: &mut Ui) -> Result<u8, Error> {
    let project = open_project(global, path, ui)?;
    let Backend::S3 { bucket, region, profile, .. } = project.settings.backend.clone() else {
        return Err(Error::refused(
            "S3S-S7",
            "this stack keeps its state in a folder",
            "write [backend.s3] with `bucket = \"…\"` into the stack file first",
        ));
    };
    let reach = reach(global, &project.folder, ui).await?;
    let mut settings = reach.settings(region.or_else(|| project.settings.region.clone()));
    settings.profile = profile;
    let clients = Clients::load(settings).await?;
    let caller = clients.caller_identity().await.map_err(Error::fault("finding out who the caller is"))?;
    let session = clients.home().map_err(Error::fault("reaching the backend"))?;
    let wanted = Wanted {
        name: bucket.clone(),
        region: session.region().to_owned(),
        account: caller.account_id.clone(),
        partition: caller.partition.clone(),
        tags: BTreeMap::new(),
    };
    let made = make_bucket(session.s3(), &wanted)
        .await
        .map_err(|error| Error::refused("S3S-S8", with_causes(&error), error.help()))?;
    let verb = if made.created { "made" } else { "adopted" };
    match made.written.as_slice() {
        [] => ui.note(&format!("{bucket} is as it must be")),
        written => ui.note(&format!("{verb} {bucket}: {}", written.join(", "))),
    }
    if project.settings.id.is_none() {
        let file = if path.is_dir() { path.join("stack.toml") } else { path.to_path_buf() };
        write_id(&file, &uuid::Uuid::new_v4().to_string())?;
        ui.note(&format!(
            "wrote the stack's id into {}: commit it, so that no other stack can take this state",
            file.display()
        ));
    }
    Ok(0)
}

/// Writes `id` under `[stack]`, keeping everything else of the file as it is.
fn write_id(file: &Path, id: &str) -> Result<(), Error> {
    let text = fs::read_to_string(file).map_err(io("reading", file))?;
    let mut document: toml_edit::DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
        Error::refused("S3S-P1", format!("{} is no TOML: {error}", file.display()), "correct it first")
    })?;
    let Some(table) = document.get_mut("stack").and_then(|item| item.as_table_like_mut()) else {
        return Err(Error::refused(
            "S3S-P5",
            format!("{} has no [stack]", file.display()),
            "put [stack] with a name into it",
        ));
    };
    table.insert("id", toml_edit::value(id));
    rewrite(file, &document.to_string()).map_err(io("writing", file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_starter_names_the_stack_after_its_folder() {
        assert_eq!(stack_name("My Stack_2"), "my-stack");
        assert_eq!(stack_name("2024"), "my-stack");
        assert_eq!(stack_name("event.pulse"), "event-pulse");
    }

    #[test]
    fn an_id_is_added_without_touching_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("stack.toml");
        let text = "# kept\n[stack]\nname   = \"x\" # kept too\n\n[s3.bucket.data]\n";
        fs::write(&file, text).unwrap();
        write_id(&file, "abc").unwrap();
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            "# kept\n[stack]\nname   = \"x\" # kept too\nid = \"abc\"\n\n[s3.bucket.data]\n"
        );
    }

    #[test]
    fn git_is_told_what_to_leave_out_and_old_lines_stay() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".gitignore"), "target\n.env").unwrap();
        ignore(folder.path()).unwrap();
        ignore(folder.path()).unwrap();
        let text = fs::read_to_string(folder.path().join(".gitignore")).unwrap();
        assert_eq!(text, "target\n.env\n.s3stack/\nstack.vars.toml\n*.s3plan\n");
    }
}
