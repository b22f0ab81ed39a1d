//! A stack as a user names it: a folder or file, an environment, variables. Loads the files and says all that is wrong
//! with them.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use s3stack_engine::diagnostic::{Diagnostic, Diagnostics, Severity, SourceFile, Span};
use s3stack_engine::expression::Budget;
use s3stack_engine::graph::{self, Graph};
use s3stack_engine::resource::Facts;
use s3stack_engine::stack::variables::{EarlyScope, Given, Variables, resolve};
use s3stack_engine::stack::{Entry, Node, Stack, broken, check_setting, evaluate, load};
use s3stack_engine::state::State;
use s3stack_engine::value::{Map, Value};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::folder::Folder;
use crate::resources::Types;

mod damaged;
pub mod whereabouts;

pub use damaged::{open_for_destroy, told};

/// What the user chose on the command line.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    /// The stack's folder or file.
    pub path: PathBuf,
    /// `--env`; `None` for the default environment.
    pub environment: Option<String>,
    /// `--var`, in order.
    pub variables: Vec<(String, String)>,
    /// `--var-file`, in order.
    pub variable_files: Vec<PathBuf>,
}

/// A stack with its settings and variables.
pub struct Project {
    /// The folder that paths in the stack file are relative to.
    pub folder: PathBuf,
    /// What the files say.
    pub stack: Stack,
    /// The values of the variables.
    pub variables: Variables,
    /// The environment; `default` without `--env`.
    pub environment: String,
    /// `[stack]` and `[env.NAME]`, evaluated.
    pub settings: Settings,
    /// Warnings met on the way.
    pub warnings: Diagnostics,
    /// The errors that a destroy goes on in spite of; else there are none.
    pub problems: Diagnostics,
}

/// `[stack]` and `[env.NAME]`, evaluated.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The stack's name.
    pub name: String,
    /// The region; `None` leaves it to the AWS profile.
    pub region: Option<String>,
    /// Tags for everything that can carry them.
    pub tags: Map,
    /// The only account this may run in.
    pub account_id: Option<String>,
    /// The lineage that the state must have.
    pub id: Option<String>,
    /// Where state lives.
    pub backend: Backend,
    /// Whether destroy asks for the environment's name.
    pub confirm: bool,
}

/// `[backend.KIND]`, evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Backend {
    /// A folder; `None` is `.s3stack/state` in the stack folder.
    File {
        /// Relative to the stack folder.
        path: Option<String>,
    },
    /// A bucket.
    S3 {
        /// Its name.
        bucket: String,
        /// The key prefix; `None` is the stack's name.
        key: Option<String>,
        /// Its region, where it is not the stack's.
        region: Option<String>,
        /// The profile that may use it, where it is not the stack's.
        profile: Option<String>,
    },
}

impl Default for Backend {
    fn default() -> Self {
        Self::File { path: None }
    }
}

/// Loads a stack. Fails with everything wrong with its files at once.
pub fn open(choices: &Choices) -> Result<Project, Error> {
    let (folder, files) = source_files(&choices.path)?;
    let read = read(choices, folder, &files)?;
    if !read.problems.has_errors() {
        return Ok(read.into_project());
    }
    let mut problems = read.problems.clone();
    if read.stack.is_some() {
        let further = read.into_project().further(&problems);
        problems.extend_elsewhere(further);
    }
    Err(Error::Diagnostics(problems))
}

/// What could be made of a stack's files, errors or not.
struct Read {
    folder: PathBuf,
    stack: Option<Stack>,
    variables: Variables,
    environment: String,
    settings: Settings,
    /// Whether nothing wrong can have touched the settings.
    is_located: bool,
    /// Errors and warnings.
    problems: Diagnostics,
}

impl Read {
    fn into_project(self) -> Project {
        let (errors, warnings) = self.problems.0.into_iter().partition(|one| one.severity == Severity::Error);
        Project {
            folder: self.folder,
            stack: self.stack.unwrap_or_default(),
            variables: self.variables,
            environment: self.environment,
            settings: self.settings,
            warnings: Diagnostics(warnings),
            problems: Diagnostics(errors),
        }
    }
}

fn read(choices: &Choices, folder: PathBuf, files: &[Arc<SourceFile>]) -> Result<Read, Error> {
    let environment = choices.environment.clone().unwrap_or_else(|| "default".into());
    let (stack, mut problems) = load(files, &Types);
    let given = Given {
        own_file: optional(&folder.join("stack.vars.toml"))?,
        files: choices.variable_files.iter().map(|path| source_file(path)).collect::<Result<_, _>>()?,
        environment: std::env::vars().filter(|(name, _)| name.starts_with("S3STACK_VAR_")).collect(),
        arguments: choices.variables.clone(),
        chosen_environment: environment.clone(),
    };
    let Some(stack) = stack else {
        let (variables, settings) = (Variables::default(), Settings::default());
        return Ok(Read { folder, stack: None, variables, environment, settings, is_located: false, problems });
    };
    // An error in a block names its address; any other may be about the settings. So may one of syntax, wherever it is: it
    // can swallow what stands below it.
    let is_syntax = |one: &Diagnostic| ["S3S-P1", "S3S-P2", "S3S-P3"].contains(&one.code);
    let is_about_blocks =
        |one: &Diagnostic| one.severity != Severity::Error || (one.address.is_some() && !is_syntax(one));
    let mut is_located = problems.0.iter().all(is_about_blocks);
    let files = Folder::new(&folder);
    let (variables, found) = resolve(&stack, &given, &files);
    problems.extend(found);
    let mut found = Diagnostics::default();
    let settings =
        settings(&stack, EarlyScope { variables: &variables, environment: &environment, files: &files }, &mut found);
    is_located &= !found.has_errors();
    problems.extend_elsewhere(found);
    Ok(Read { folder, stack: Some(stack), variables, environment, settings, is_located, problems })
}

/// An account for checks that need one and must not ask: AWS gives no such id out.
const SOME_ACCOUNT: &str = "000000000000";

impl Project {
    /// The stack evaluated as far as that can be done without AWS.
    pub fn rehearse(&self) -> (Graph, Diagnostics) {
        self.evaluate(&self.settings, graph::build)
    }

    /// What else is wrong with a stack of which something is wrong already.
    fn further(&self, told: &Diagnostics) -> Diagnostics {
        // Names and tags are made from settings, and where these are wrong, so would they be.
        let is_told =
            |node: &Node| told.0.iter().any(|one| one.span.as_ref().is_some_and(|span| span.overlaps(&node.span)));
        let named = self.stack.settings.name.as_ref().is_some_and(|name| !is_told(name));
        let name = Some(self.settings.name.clone()).filter(|name| named && !name.is_empty());
        let settings =
            Settings { name: name.unwrap_or_else(|| "stack".into()), tags: Map::new(), ..self.settings.clone() };
        self.evaluate(&settings, |inputs| graph::further(inputs, told))
    }

    fn evaluate<T>(&self, settings: &Settings, then: impl FnOnce(&graph::Inputs<'_>) -> T) -> T {
        let value = |name: &String| self.variables.value(name).cloned().unwrap_or_else(broken);
        let variables = self.stack.variables.keys().map(|name| (name.clone(), value(name))).collect();
        then(&graph::Inputs {
            stack: &self.stack,
            variables: &variables,
            facts: Facts {
                partition: "aws".into(),
                account_id: settings.account_id.clone().unwrap_or_else(|| SOME_ACCOUNT.into()),
                region: settings.region.clone().unwrap_or_else(|| "us-east-1".into()),
                stack: settings.name.clone(),
                environment: self.environment.clone(),
            },
            tags: settings.tags.clone(),
            registry: &Types,
            files: &Folder::new(&self.folder),
            state: &State::new(String::new(), settings.name.clone(), self.environment.clone()),
            forget: &BTreeSet::new(),
        })
    }
}

/// The folder of a stack and its files, `stack.toml` first and the others sorted.
fn source_files(path: &Path) -> Result<(PathBuf, Vec<Arc<SourceFile>>), Error> {
    let found = fs::metadata(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => Error::refused(
            "S3S-L2",
            format!("there is nothing at {}", path.display()),
            "name the folder of a stack, or make a new one with `s3stack init`",
        ),
        _ => unreadable(path, source),
    })?;
    let (folder, main) = if found.is_dir() {
        (path.to_path_buf(), path.join("stack.toml"))
    } else {
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        (folder.to_path_buf(), path.to_path_buf())
    };
    if !main.is_file() {
        return Err(Error::refused(
            "S3S-L2",
            format!("there is no stack in {}", folder.display()),
            "a stack is a folder with a stack.toml: name its path, or make a new one with `s3stack init`",
        ));
    }
    let mut files = vec![source_file(&main)?];
    let mut others: Vec<PathBuf> = fs::read_dir(&folder)
        .map_err(|source| unreadable(&folder, source))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(".stack.toml")))
        .filter(|path| *path != main)
        .collect();
    others.sort();
    for path in others {
        files.push(source_file(&path)?);
    }
    Ok((folder, files))
}

/// A file of the user's.
///
/// # Errors
/// If it cannot be read, is larger than the language allows, or is not UTF-8.
pub fn source_file(path: &Path) -> Result<Arc<SourceFile>, Error> {
    let name = shown(path);
    let limit = s3stack_engine::stack::MAX_BYTES as u64;
    let found = fs::metadata(path).map_err(|source| unreadable(path, source))?;
    if !found.is_file() {
        // A pipe would be waited for, a device read without end.
        return Err(Error::refused("S3S-L2", format!("{name} is not a file"), "name a file of TOML"));
    }
    let size = found.len();
    if size > limit {
        return Err(Error::refused(
            "S3S-P2",
            format!("{name} has {size} bytes, and may have {limit}"),
            "split it into several files",
        ));
    }
    let bytes = fs::read(path).map_err(|source| unreadable(path, source))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Arc::new(SourceFile { name, text })),
        Err(error) => Err(Error::Diagnostics(Diagnostics(vec![not_unicode(name, error.as_bytes())]))),
    }
}

/// Says where a file stops being Unicode.
fn not_unicode(name: String, bytes: &[u8]) -> Diagnostic {
    let valid = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let start = valid.len();
    // What is shown is the file as far as it can be read, with one sign for the byte that cannot.
    let rest = bytes.get(start..).unwrap_or_default();
    let line = String::from_utf8_lossy(rest.split(|byte| *byte == b'\n').next().unwrap_or_default());
    let file = Arc::new(SourceFile { name: name.clone(), text: format!("{valid}{line}") });
    let help = match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "it seems to be UTF-16: save it as UTF-8",
        _ => "save the file as UTF-8",
    };
    Diagnostic::error("S3S-P1", format!("{name} is not UTF-8: this byte is no character"))
        .at(Span { file, start, end: start + '\u{fffd}'.len_utf8() })
        .help(help)
}

/// A path as the user would write it.
pub fn shown(path: &Path) -> String {
    match path.strip_prefix(".") {
        Ok(rest) if !rest.as_os_str().is_empty() => rest.display().to_string(),
        _ => path.display().to_string(),
    }
}

fn optional(path: &Path) -> Result<Option<Arc<SourceFile>>, Error> {
    match source_file(path) {
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    Error::Io { doing: "reading", path: shown(path), source }
}

struct Reader<'a> {
    scope: EarlyScope<'a>,
    diagnostics: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn value(&mut self, name: &str, node: Option<&Node>) -> Value {
        let Some(node) = node else { return Value::Null };
        match evaluate(node, &self.scope, &Budget::default()) {
            Ok(value) => {
                self.diagnostics.extend_elsewhere(check_setting(name, node, &value));
                value
            }
            Err(found) => {
                self.diagnostics.extend_elsewhere(found);
                Value::Null
            }
        }
    }

    fn text(&mut self, name: &str, node: Option<&Node>) -> Option<String> {
        match (self.value(name, node), node) {
            (Value::String(text), _) => Some(text),
            (Value::Null, _) | (_, None) => None,
            (other, Some(node)) => {
                let wrong = Diagnostic::error("S3S-W2", format!("`{name}` must be a string, and is {}", other.kind()));
                let wrong = wrong.at(node.span.clone()).help("write a text, in quotes");
                self.diagnostics.extend_elsewhere(Diagnostics(vec![wrong]));
                None
            }
        }
    }

    fn entry(&mut self, table: &s3stack_engine::stack::Table, name: &str) -> Option<String> {
        self.text(name, table.get(name).map(|entry: &Entry| &entry.node))
    }

    fn tags(&mut self, node: Option<&Node>) -> Map {
        match self.value("tags", node) {
            Value::Map(map) => map,
            _ => Map::new(),
        }
    }
}

fn settings(stack: &Stack, scope: EarlyScope<'_>, diagnostics: &mut Diagnostics) -> Settings {
    let mut reader = Reader { scope, diagnostics };
    let own = &stack.settings;
    let here = stack.environments.get(scope.environment);
    if let Some(wanted) = reader.text("requires", own.requires.as_ref()) {
        check_version(&wanted, own.requires.as_ref(), reader.diagnostics);
    }
    let mut tags = reader.tags(own.tags.as_ref());
    tags.extend(reader.tags(here.and_then(|here| here.tags.as_ref())));
    let first = |reader: &mut Reader<'_>, name: &str, over: Option<&Node>, under: Option<&Node>| {
        reader.text(name, over).or_else(|| reader.text(name, under))
    };
    let backend = stack.backend.as_ref().map(|block| match block.kind.as_str() {
        "s3" => Backend::S3 {
            bucket: reader.entry(&block.body, "bucket").unwrap_or_default(),
            key: reader.entry(&block.body, "key"),
            region: reader.entry(&block.body, "region"),
            profile: reader.entry(&block.body, "profile"),
        },
        _ => Backend::File { path: reader.entry(&block.body, "path") },
    });
    Settings {
        name: reader.text("name", own.name.as_ref()).unwrap_or_default(),
        region: first(&mut reader, "region", here.and_then(|here| here.region.as_ref()), own.region.as_ref()),
        account_id: first(
            &mut reader,
            "account_id",
            here.and_then(|here| here.account_id.as_ref()),
            own.account_id.as_ref(),
        ),
        id: reader.text("id", own.id.as_ref()),
        tags,
        backend: backend.unwrap_or_default(),
        confirm: here.is_some_and(|here| here.confirm),
    }
}

fn check_version(wanted: &str, node: Option<&Node>, diagnostics: &mut Diagnostics) {
    let place = node.map(|node| node.span.clone());
    let this = env!("CARGO_PKG_VERSION");
    match (semver::VersionReq::parse(wanted), semver::Version::parse(this)) {
        (Ok(wanted), Ok(version)) if wanted.matches(&version) => {}
        (Ok(_), _) => diagnostics.push(
            Diagnostic::error("S3S-P11", format!("this stack requires s3stack {wanted}, and this is {this}"))
                .at(place)
                .help("use such a version"),
        ),
        (Err(error), _) => diagnostics.extend_elsewhere(Diagnostics(vec![
            Diagnostic::error("S3S-W8", format!("\"{wanted}\" is no version requirement: {error}"))
                .at(place)
                .help("write it like \">=0.1\""),
        ])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a stack file, one line each: code, place and message.
    fn said(text: impl AsRef<[u8]>) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("stack.toml"), text).unwrap();
        let found = match open(&Choices { path: folder.path().to_owned(), ..Choices::default() }) {
            Ok(project) => project.rehearse().1,
            Err(error) => error.into_diagnostics(),
        };
        assert!(found.0.iter().all(|one| one.help.is_some()), "a next step is missing: {found:?}");
        let mut lines: Vec<String> = found
            .0
            .iter()
            .map(|one| {
                let place = one.span.as_ref().map(Span::line_column);
                let (line, column) = place.unwrap_or_default();
                format!("{} {line}:{column} {}", one.code, one.message)
            })
            .collect();
        lines.sort();
        lines
    }

    const HEAD: &str = "[stack]\nname = \"x\"\nregion = \"us-east-1\"\n";

    #[test]
    fn values_keys_names_and_expressions_are_told_at_once() {
        let text = format!(
            "{HEAD}[s3.bucket.a]\nversioning = yes\ntags = {{ A = nan, B = \"${{1/0}}\" }}\nversionin = true\n\
             [s3.bucket.b]\ntags.A = \"${{1/0}}\"\n[s3.bucket.c]\nname = \"a..b\"\n[s3.bucket.d]\nname = \"${{var.x}}\"\n"
        );
        assert_eq!(
            said(text),
            [
                "S3S-E04 6:26 division by zero",
                "S3S-E04 9:13 division by zero",
                "S3S-N4 11:8 the bucket name a..b has two dots side by side",
                "S3S-P1 5:14 `yes` is no value",
                "S3S-P4 6:14 NaN, infinity and numbers beyond 64-bit floats are refused",
                "S3S-R2 13:11 there is no variable `x`",
                "S3S-W1 7:1 there is no property `versionin` here",
            ]
        );
    }

    #[test]
    fn what_follows_from_a_mistake_is_not_told() {
        let missing = ["S3S-W11 5:1 the variable `x` has no value"];
        for block in [
            "[s3.bucket.a]\nname = \"${var.x}\"\n",
            "[s3.bucket.a]\nwhen = \"${var.x == 1}\"\nprotect = \"${var.x}\"\n",
            "[iam.role.r]\ntrust = \"ec2.amazonaws.com\"\ngrants = [{ to = \"${var.x}\", access = \"read\" }]\n",
            "[iam.policy.p]\nstatements.A = { actions = \"${var.x}\", resources = \"*\" }\n",
            "[output]\na = \"${var.x}\"\n",
        ] {
            assert_eq!(said(format!("{HEAD}[var]\nx = {{ type = \"any\" }}\n{block}")), missing, "{block}");
        }
        // A wrong type is not looked at any further.
        let text = format!("{HEAD}[s3.bucket.a]\nname = \"${{1}}\"\n");
        assert_eq!(said(text), ["S3S-W2 5:8 expected a string, found a number"]);
        let text = format!("{HEAD}[s3.bucket.a]\nwhen = \"${{1/0}}\"\n");
        assert_eq!(said(text), ["S3S-E04 5:11 division by zero"]);
    }

    #[test]
    fn a_setting_that_is_wrong_is_told_once() {
        let text = "[stack]\nname = 1\nregion = \"${aws.region}\"\nrequires = \"banana\"\ntags = 3\n[backend.s3]\nbucket = 1\n";
        assert_eq!(
            said(text),
            [
                "S3S-R5 3:13 `aws` cannot be named in [stack]",
                "S3S-W2 2:8 expected a string, found a number",
                "S3S-W2 5:8 expected a table of strings, found a number",
                "S3S-W2 7:10 expected a string, found a number",
                "S3S-W8 4:12 \"banana\" does not match ^[<>=^~*0-9]",
            ]
        );
    }

    #[test]
    fn a_byte_that_is_no_character_has_a_place() {
        let text = b"[stack]\nname = \"wr\xe9ng\" # \xff\n";
        let places = said(text);
        assert_eq!(places.len(), 1, "{places:?}");
        assert!(
            places[0].starts_with("S3S-P1 2:11 ") && places[0].ends_with("this byte is no character"),
            "{places:?}"
        );
        assert_eq!(
            not_unicode("x".into(), &[0xff, 0xfe, b'[', 0]).help.unwrap(),
            "it seems to be UTF-16: save it as UTF-8"
        );
    }

    #[test]
    fn a_pipe_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stack.vars.toml");
        fs::write(folder.path().join("stack.toml"), HEAD).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert!(open(&Choices { path: folder.path().to_owned(), ..Choices::default() }).is_err());
        assert!(Folder::new(folder.path()).resolve("stack.vars.toml").is_ok());
        let content = s3stack_engine::file::Files::content(&Folder::new(folder.path()), "stack.vars.toml");
        assert_eq!(content.unwrap_err(), "`stack.vars.toml` is neither a file nor a folder");
        let content = s3stack_engine::file::Files::content(&Folder::new(folder.path()), ".");
        assert!(content.unwrap_err().contains("neither a file nor a folder"));
    }

    #[test]
    fn files_of_the_folder_are_read_in_variables_settings_and_blocks() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("team.txt", "ops\n"),
            ("tags.yaml", "team: ${team}\nbucket: ${bucket.name}\n"),
            ("wrong.yaml", "team: ops\nx: ${bucket.nam}\n"),
            (
                "stack.toml",
                r#"
[stack]
name = "x"
tags = { owner = '${chomp(file("team.txt"))}' }

[var]
team = '${chomp(file("team.txt"))}'

[s3.bucket.a]
name = "a-${var.team}-bucket"
tags = '${yamldecode(templatefile("tags.yaml", { team = var.team, bucket = s3.bucket.a }))}'

[s3.bucket.b]
tags = '${yamldecode(templatefile("wrong.yaml", { bucket = s3.bucket.a }))}'

[output]
pages = '${glob("*.yaml")}'
"#,
            ),
        ] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let project = open(&Choices { path: folder.path().to_owned(), ..Choices::default() }).unwrap();
        assert_eq!(project.settings.tags["owner"], Value::from("ops"));
        assert_eq!(project.variables.value("team"), Some(&Value::from("ops")));
        let (graph, found) = project.rehearse();
        let told: Vec<String> = found.0.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            ["error[S3S-R1]: s3.bucket has no attribute `nam` at wrong.yaml:2:12 in s3.bucket.b; did you mean `name`?"]
        );
        assert_eq!(found.0[0].labels[0].span.line_column(), (14, 22));
        let tags = graph.nodes.values().next().unwrap().resource.property("tags");
        assert_eq!(tags.get("bucket"), &Value::from("a-ops-bucket"));
        assert_eq!(graph.outputs["pages"], Value::strings(["tags.yaml", "wrong.yaml"]));
    }
}
