//! `s3stack fmt`

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use s3stack_engine::diagnostic::{Diagnostics, SourceFile};
use s3stack_engine::stack::syntax_of;
use taplo::formatter::{Options, format};

use crate::error::Error;
use crate::project::{shown, source_file};
use crate::rewrite::rewrite;
use crate::ui::Ui;

/// Format stack files: aligned, one way of writing, every comment kept.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Folders or files; `-` formats standard input.
    #[arg(default_value = ".", value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Change nothing; exit with 1 if a file would change.
    #[arg(long)]
    pub check: bool,
}

/// Runs the command.
pub fn run(arguments: Arguments, ui: &mut Ui) -> Result<u8, Error> {
    if arguments.paths == [Path::new("-")] {
        return standard_input(arguments.check, ui);
    }
    let mut wrong = Diagnostics::default();
    let mut texts = Vec::new();
    for path in files(&arguments.paths)? {
        let file = source_file(&path)?;
        match formatted(&file) {
            Ok(text) => texts.push((path, file, text)),
            Err(found) => wrong.extend(found),
        }
    }
    // With something wrong anywhere, nothing is written anywhere.
    if wrong.has_errors() {
        return Err(Error::Diagnostics(wrong));
    }
    let mut changed = Vec::new();
    for (path, file, text) in texts {
        if text == file.text {
            continue;
        }
        if !arguments.check {
            rewrite(&path, &text).map_err(|source| Error::Io { doing: "writing", path: shown(&path), source })?;
        }
        changed.push(file.name.clone());
    }
    ui.files(&changed);
    if arguments.check && !changed.is_empty() {
        ui.note("not formatted: run `s3stack fmt`");
        return Ok(1);
    }
    Ok(0)
}

fn standard_input(check: bool, ui: &mut Ui) -> Result<u8, Error> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|source| Error::Io {
        doing: "reading",
        path: "standard input".into(),
        source,
    })?;
    let file = SourceFile { name: "standard input".into(), text };
    let text = formatted(&file).map_err(Error::Diagnostics)?;
    if check {
        return Ok(u8::from(text != file.text));
    }
    ui.data(text.trim_end_matches('\n'));
    Ok(0)
}

/// The files of stacks and modules among these and below them, in the order of their names.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for path in paths {
        let io = |source| Error::Io { doing: "reading", path: shown(path), source };
        if !fs::metadata(path).map_err(io)?.is_dir() {
            found.push(path.clone());
            continue;
        }
        let mut own = Vec::new();
        below(path, &mut own)?;
        if own.is_empty() {
            return Err(Error::refused(
                "S3S-L2",
                format!("there is no stack and no module in {}", shown(path)),
                "name a folder with a stack.toml or module.toml in or below it, or a file",
            ));
        }
        own.sort();
        found.extend(own);
    }
    Ok(found)
}

/// The files of stacks and modules in a folder and below. What begins with a dot is left out, and links are not followed.
fn below(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Error> {
    let io = |source| Error::Io { doing: "reading", path: shown(folder), source };
    for entry in fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        let (name, kind) = (entry.file_name(), entry.file_type().map_err(io)?);
        match name.to_string_lossy() {
            name if name.starts_with('.') => {}
            _ if kind.is_dir() => below(&entry.path(), found)?,
            name if kind.is_file() && is_ours(&name) => found.push(entry.path()),
            _ => {}
        }
    }
    Ok(())
}

fn is_ours(name: &str) -> bool {
    ["stack.toml", "module.toml", "stack.vars.toml"].contains(&name)
        || name.ends_with(".stack.toml")
        || name.ends_with(".module.toml")
}

/// The settings that `.taplo.toml` has too, so that an editor formats as this does.
fn options() -> Options {
    Options {
        align_entries: true,
        column_width: 120,
        reorder_keys: false,
        array_trailing_comma: true,
        array_auto_collapse: false,
        ..Options::default()
    }
}

/// A file's text as it should be written. Says what is wrong with a file that is no TOML.
fn formatted(file: &SourceFile) -> Result<String, Diagnostics> {
    let found = syntax_of(file);
    if found.has_errors() {
        return Err(found);
    }
    let text = format(&file.text, options());
    // A formatter must not change what a file says. Where it would, the file stays as it is.
    let meaning = |text: &str| text.parse::<toml::Table>().ok();
    Ok(if meaning(&text).is_some() && meaning(&text) == meaning(&file.text) { text } else { file.text.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        formatted(&SourceFile { name: "stack.toml".into(), text: text.into() }).unwrap()
    }

    #[test]
    fn keys_are_aligned_and_comments_stay() {
        let text = "# top\n[s3.bucket.a] # a\nname=\"x\"   # the name\nversioning   = true\ntags={a=\"1\",b=\"2\"}\n\n\n\n\n[output]\nx = '${s3.bucket.a.name}'";
        insta::assert_snapshot!(of(text), @r#"
        # top
        [s3.bucket.a] # a
        name       = "x"                  # the name
        versioning = true
        tags       = { a = "1", b = "2" }


        [output]
        x = '${s3.bucket.a.name}'
        "#);
    }

    #[test]
    fn twice_is_once_and_nothing_changes_its_meaning() {
        for text in [
            "",
            "a = 1",
            "[a]\r\nb = 2\r\n",
            "a = [\n  1, # one\n  2,\n]\n",
            "s = '''\n  keep   this\n'''\nt = \"\"\"\nand\n   this\"\"\"\n",
            "[[x]]\na = 1\n[[x]]\na = 2\n",
            "a.b.\"c d\" = { e = [{ f = 1 }, { f = 2 }] }\n",
        ] {
            let once = of(text);
            assert_eq!(of(&once), once, "{text}");
            assert_eq!(once.parse::<toml::Table>().unwrap(), text.parse::<toml::Table>().unwrap());
        }
    }

    #[test]
    fn what_is_no_toml_is_told_and_not_formatted() {
        let file = SourceFile { name: "stack.toml".into(), text: "[a\nb = hello\n".into() };
        let found = formatted(&file).unwrap_err();
        assert!(found.has_errors() && found.0[0].code == "S3S-P1", "{found:?}");
    }

    #[test]
    fn editors_read_the_same_settings() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = fs::read_to_string(root.join(".taplo.toml")).unwrap();
        let table: toml::Table = text.parse().unwrap();
        let mut theirs = Options::default();
        let settings = table["formatting"].as_table().unwrap();
        let pairs = settings.iter().map(|(name, value)| (name.clone(), value.to_string()));
        theirs.update_from_str(pairs).unwrap();
        assert_eq!(format!("{theirs:?}"), format!("{:?}", options()));
    }

    #[test]
    fn the_stacks_of_this_repository_are_formatted() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for place in ["stacks", "examples"] {
            for folder in fs::read_dir(root.join(place)).unwrap() {
                for path in files(&[folder.unwrap().path()]).unwrap() {
                    let file = source_file(&path).unwrap();
                    assert_eq!(formatted(&file).unwrap(), file.text, "run `s3stack fmt {}`", path.display());
                }
            }
        }
    }
}
