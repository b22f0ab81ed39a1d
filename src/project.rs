//! A stack as a user names it: a folder or file, an environment, variables. Loads the files and says all that is wrong
//! with them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use s3stack_engine::diagnostic::{Diagnostic, Diagnostics, Severity, SourceFile};
use s3stack_engine::expression::Budget;
use s3stack_engine::stack::variables::{EarlyScope, Given, Variables, resolve};
use s3stack_engine::stack::{Entry, Node, Stack, check_setting, evaluate, load};
use s3stack_engine::value::{Map, Value};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::resources::Types;

mod damaged;
pub mod memory;

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
    if read.problems.has_errors() { Err(Error::Diagnostics(read.problems)) } else { Ok(read.into_project()) }
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
    // An error in a block names its address; any other may be about the settings.
    let is_about_blocks = |one: &Diagnostic| one.severity != Severity::Error || one.address.is_some();
    let mut is_located = problems.0.iter().all(is_about_blocks);
    let (variables, found) = resolve(&stack, &given);
    problems.extend(found);
    let mut found = Diagnostics::default();
    let settings = settings(&stack, &variables, &environment, &mut found);
    is_located &= !found.has_errors();
    problems.extend(found);
    Ok(Read { folder, stack: Some(stack), variables, environment, settings, is_located, problems })
}

/// The folder of a stack and its files, `stack.toml` first and the others sorted.
fn source_files(path: &Path) -> Result<(PathBuf, Vec<Arc<SourceFile>>), Error> {
    let found = fs::metadata(path).map_err(|source| unreadable(path, source))?;
    let (folder, main) = if found.is_dir() {
        (path.to_path_buf(), path.join("stack.toml"))
    } else {
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        (folder.to_path_buf(), path.to_path_buf())
    };
    if !main.is_file() {
        return Err(Error::refused(
            "S3S-F2",
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

fn source_file(path: &Path) -> Result<Arc<SourceFile>, Error> {
    // A path as the user would write it: `./` in front of everything helps nobody.
    let name = path.strip_prefix(".").unwrap_or(path).display().to_string();
    let limit = s3stack_engine::stack::MAX_BYTES as u64;
    let size = fs::metadata(path).map_err(|source| unreadable(path, source))?.len();
    if size > limit {
        return Err(Error::refused(
            "S3S-P2",
            format!("{name} has {size} bytes, and may have {limit}"),
            "split it into several files",
        ));
    }
    let text = fs::read_to_string(path).map_err(|source| unreadable(path, source))?;
    Ok(Arc::new(SourceFile { name, text }))
}

fn optional(path: &Path) -> Result<Option<Arc<SourceFile>>, Error> {
    match source_file(path) {
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    Error::Io { doing: "reading", path: path.display().to_string(), source }
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
                self.diagnostics.extend(check_setting(name, node, &value));
                value
            }
            Err(found) => {
                self.diagnostics.extend(found);
                Value::Null
            }
        }
    }

    fn text(&mut self, name: &str, node: Option<&Node>) -> Option<String> {
        match (self.value(name, node), node) {
            (Value::String(text), _) => Some(text),
            (Value::Null, _) | (_, None) => None,
            (other, Some(node)) => {
                self.diagnostics.push(
                    Diagnostic::error("S3S-V2", format!("`{name}` must be a string, and is {}", other.kind()))
                        .at(node.span.clone()),
                );
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

fn settings(stack: &Stack, variables: &Variables, environment: &str, diagnostics: &mut Diagnostics) -> Settings {
    let mut reader = Reader { scope: EarlyScope { variables, environment }, diagnostics };
    let own = &stack.settings;
    let here = stack.environments.get(environment);
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
        (Err(error), _) => diagnostics.push(
            Diagnostic::error("S3S-V8", format!("\"{wanted}\" is no version requirement: {error}"))
                .at(place)
                .help("write it like \">=0.1\""),
        ),
    }
}
