//! A stack as a user names it: a folder or file, an environment, variables. Loads the files and says all that is wrong
//! with them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use s3stack_engine::diagnostic::{Diagnostic, Diagnostics, Severity, SourceFile};
use s3stack_engine::expression::{Budget, Template};
use s3stack_engine::graph::{self, Graph};
use s3stack_engine::resource::{Account, Facts};
use s3stack_engine::stack::variables::{EarlyScope, Given, Variables, resolve};
use s3stack_engine::stack::{
    AccountBlock, Entry, Node, RemoteBlock, Stack, broken, check_output, check_setting, evaluate, load,
};
use s3stack_engine::state::{SignIn, State};
use s3stack_engine::value::{Map, Value};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::folder::Folder;
use crate::resources::Types;

mod damaged;
mod sources;
pub mod whereabouts;

pub use damaged::{open_for_destroy, told};
use sources::{ModuleFolders, optional, source_files};
pub use sources::{shown, source_file};

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
    /// The name of the account that the stack is in; `None` for the one of the caller's credentials.
    pub account: Option<String>,
    /// How to get into the accounts beside that one, by the names that the stack gives them.
    pub accounts: BTreeMap<String, SignIn>,
    /// The other stacks whose outputs are read, by name.
    pub remotes: BTreeMap<String, Remote>,
    /// The lineage that the state must have.
    pub id: Option<String>,
    /// Where state lives.
    pub backend: Backend,
    /// Whether destroy asks for the environment's name.
    pub confirm: bool,
}

/// `[remote.NAME]`, evaluated: another stack, by its folder or by the place of its state.
#[derive(Debug, Clone, Default)]
pub struct Remote {
    /// Its folder, relative to that of this stack.
    pub path: Option<String>,
    /// Where in the bucket its state is.
    pub key: Option<String>,
    /// The bucket; `None` for this stack's own.
    pub bucket: Option<String>,
    /// The bucket's region.
    pub region: Option<String>,
    /// The profile that may read it.
    pub profile: Option<String>,
    /// Its environment; `None` for the one that this stack is in.
    pub environment: Option<String>,
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

impl Settings {
    /// How to get into the account that the stack is in, where that is not the caller's.
    pub fn home(&self) -> Option<&SignIn> {
        self.accounts.get(self.account.as_ref()?)
    }
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
    let (stack, mut problems) = load(files, &Types, &ModuleFolders::new(&folder));
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
pub const SOME_ACCOUNT: &str = "000000000000";
/// The region, likewise.
const SOME_REGION: &str = "us-east-1";

/// What can be said of an account before anybody was asked.
pub fn foreseen(way: &SignIn) -> Account {
    let mut arn = way.role_arn.as_deref().unwrap_or_default().split(':').skip(1);
    let partition = arn.next().unwrap_or("aws").to_owned();
    let by_role = arn.nth(2).filter(|id| id.len() == 12).map(str::to_owned);
    let account_id = way.account_id.clone().or(by_role).unwrap_or_else(|| SOME_ACCOUNT.into());
    Account { partition, account_id, region: way.region.clone() }
}

impl Project {
    /// The stack folder, with the modules in and beside it.
    pub fn files(&self) -> Folder {
        Folder::with_modules(&self.folder, self.stack.folders())
    }

    /// The stack evaluated as far as that can be done without AWS.
    pub fn rehearse(&self) -> (Graph, Diagnostics) {
        self.evaluate(&self.settings, &self.no_state(), graph::build)
    }

    /// The value that an expression would have in `[output]`, as far as that can be known without AWS. `state` knows what
    /// AWS made before.
    pub fn value(&self, expression: &Template, state: &State) -> Result<Value, Diagnostics> {
        let wrong = check_output(expression, &Types, &self.stack);
        if wrong.has_errors() {
            return Err(wrong);
        }
        self.evaluate(&self.settings, state, |inputs| graph::evaluate(inputs, expression))
    }

    /// What stands for the account and the region where the files do not say them.
    pub fn assumed(&self) -> Vec<(&'static str, &'static str)> {
        let account = self.settings.account_id.is_none().then_some((SOME_ACCOUNT, "account"));
        let region = self.settings.region.is_none().then_some((SOME_REGION, "region"));
        account.into_iter().chain(region).collect()
    }

    /// The state of a stack that was never applied.
    pub fn no_state(&self) -> State {
        State::new(String::new(), self.settings.name.clone(), self.environment.clone())
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
        self.evaluate(&settings, &self.no_state(), |inputs| graph::further(inputs, told))
    }

    fn evaluate<T>(&self, settings: &Settings, state: &State, then: impl FnOnce(&graph::Inputs<'_>) -> T) -> T {
        let value = |name: &String| self.variables.value(name).cloned().unwrap_or_else(broken);
        let variables = self.stack.variables.keys().map(|name| (name.clone(), value(name))).collect();
        let accounts = settings.accounts.iter().map(|(name, way)| (name.clone(), foreseen(way))).collect();
        then(&graph::Inputs {
            stack: &self.stack,
            variables: &variables,
            facts: Facts {
                partition: "aws".into(),
                account_id: settings.account_id.clone().unwrap_or_else(|| SOME_ACCOUNT.into()),
                region: settings.region.clone().unwrap_or_else(|| SOME_REGION.into()),
                stack: settings.name.clone(),
                environment: self.environment.clone(),
            },
            accounts: &accounts,
            remotes: &BTreeMap::new(),
            lookups: &BTreeMap::new(),
            tags: settings.tags.clone(),
            registry: &Types,
            files: &self.files(),
            state,
            forget: &BTreeSet::new(),
        })
    }
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
    let account = |(name, block): (&String, &AccountBlock)| {
        let mut entry = |key: &str| reader.entry(&block.body, key);
        let way = SignIn {
            profile: entry("profile"),
            role_arn: entry("role_arn"),
            external_id: entry("external_id"),
            session_name: entry("session_name"),
            region: entry("region"),
            account_id: entry("account_id"),
        };
        (name.clone(), way)
    };
    let accounts = stack.accounts.iter().map(account).collect();
    let remote = |(name, block): (&String, &RemoteBlock)| {
        let mut entry = |key: &str| reader.entry(&block.body, key);
        let remote = Remote {
            path: entry("path"),
            key: entry("key"),
            bucket: entry("bucket"),
            region: entry("region"),
            profile: entry("profile"),
            environment: entry("env"),
        };
        (name.clone(), remote)
    };
    let remotes = stack.remotes.iter().map(remote).collect();
    let backend = stack.backend.as_ref().map(|block| {
        let over = here.and_then(|here| here.backend.as_ref());
        let mut entry = |key: &str| {
            let over = over.and_then(|over| reader.entry(over, key));
            over.or_else(|| reader.entry(&block.body, key))
        };
        match block.kind.as_str() {
            "s3" => Backend::S3 {
                bucket: entry("bucket").unwrap_or_default(),
                key: entry("key"),
                region: entry("region"),
                profile: entry("profile"),
            },
            _ => Backend::File { path: entry("path") },
        }
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
        account: reader.text("account", here.and_then(|here| here.account.as_ref())),
        accounts,
        remotes,
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
mod tests;
