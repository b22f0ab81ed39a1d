//! Where the values of variables come from.

use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;

use super::super::model::{Entry, Node, NodeKind, Stack, Table, VariableType};
use super::super::{draft, parse, syntax};
use crate::diagnostic::{Diagnostic, Diagnostics, SourceFile, Span, did_you_mean};
use crate::value::Value;

/// What was given beside the stack file.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// `stack.vars.toml` beside the stack file, if it is there.
    pub own_file: Option<Arc<SourceFile>>,
    /// The files of `--var-file`, in their order: `x = …` or `var.x = …`.
    pub files: Vec<Arc<SourceFile>>,
    /// The process's environment; `S3STACK_VAR_x` and `S3STACK_VAR_X` set `x`.
    pub environment: Vec<(String, String)>,
    /// The names and values of `--var`, in their order.
    pub arguments: Vec<(String, String)>,
    /// The environment, `default` without `--env`.
    pub chosen_environment: String,
}

/// Where a variable's value comes from, weakest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Its default.
    Default,
    /// `stack.vars.toml`.
    OwnFile(String),
    /// `[env.NAME]`.
    Environment(String),
    /// An environment variable.
    EnvironmentVariable(String),
    /// A file of `--var-file`.
    File(String),
    /// `--var`.
    Argument,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("its default"),
            Self::OwnFile(name) | Self::File(name) => f.write_str(name),
            Self::Environment(name) => write!(f, "[env.{name}]"),
            Self::EnvironmentVariable(name) => write!(f, "the environment variable {name}"),
            Self::Argument => f.write_str("--var"),
        }
    }
}

/// A value before it is evaluated.
#[derive(Debug, Clone)]
pub(super) enum Candidate {
    /// From a file.
    Node(Node),
    /// From a command line or an environment variable: expressions in it are text.
    Plain(Value),
}

/// The strongest value of each variable that has one.
pub(super) fn strongest(
    stack: &Stack,
    given: &Given,
    diagnostics: &mut Diagnostics,
) -> IndexMap<String, (Candidate, Source)> {
    let mut gathered = Gathered { stack, found: IndexMap::new(), diagnostics };
    for (name, variable) in &stack.variables {
        if let Some(default) = &variable.default {
            gathered.found.insert(name.clone(), (Candidate::Node(default.clone()), Source::Default));
        }
    }
    if let Some(file) = &given.own_file {
        gathered.file(file, Source::OwnFile(file.name.clone()));
    }
    if let Some(environment) = stack.environments.get(&given.chosen_environment) {
        for (name, entry) in &environment.variables {
            let source = Source::Environment(given.chosen_environment.clone());
            gathered.found.insert(name.clone(), (Candidate::Node(entry.node.clone()), source));
        }
    }
    gathered.environment(&given.environment);
    for file in &given.files {
        gathered.file(file, Source::File(file.name.clone()));
    }
    for (name, text) in &given.arguments {
        match stack.variables.get(name) {
            Some(variable) => gathered.text(name, text, &variable.shape, Source::Argument),
            None => {
                let diagnostic = gathered.unknown(name, "--var");
                gathered.diagnostics.push(diagnostic);
            }
        }
    }
    // Values for variables that are not declared were told where they stand.
    gathered.found.retain(|name, _| stack.variables.contains_key(name));
    gathered.found
}

struct Gathered<'a> {
    stack: &'a Stack,
    found: IndexMap<String, (Candidate, Source)>,
    diagnostics: &'a mut Diagnostics,
}

impl Gathered<'_> {
    fn unknown(&self, name: &str, by: &str) -> Diagnostic {
        let known = self.stack.variables.keys().map(String::as_str);
        let help = match did_you_mean(name, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("declare it: {name} = … under [var]"),
        };
        Diagnostic::error("S3S-W12", format!("{by} sets `{name}`, and the stack has no such variable")).help(help)
    }

    fn file(&mut self, file: &Arc<SourceFile>, source: Source) {
        let Some(root) = parse::parse_table(file, self.diagnostics) else { return };
        for (name, entry) in root {
            match entry.node.kind {
                // `var.x = …`, as in `[env.prod]`.
                NodeKind::Table(table) if name == "var" && !self.stack.variables.contains_key("var") => {
                    self.table(table, &source);
                }
                kind => {
                    let node = Node { span: entry.node.span, kind };
                    self.entry(name, Entry { node, key: entry.key, key_span: entry.key_span }, &source);
                }
            }
        }
    }

    fn table(&mut self, table: Table, source: &Source) {
        for (name, entry) in table {
            self.entry(name, entry, source);
        }
    }

    fn entry(&mut self, name: String, entry: Entry, source: &Source) {
        if self.stack.variables.contains_key(&name) {
            self.found.insert(name, (Candidate::Node(entry.node), source.clone()));
        } else {
            let diagnostic = self.unknown(&name, &source.to_string()).at(entry.key_span);
            self.diagnostics.push(diagnostic);
        }
    }

    fn environment(&mut self, environment: &[(String, String)]) {
        const PREFIX: &str = "S3STACK_VAR_";
        let ours = || environment.iter().filter_map(|(key, text)| Some((key, key.strip_prefix(PREFIX)?, text)));
        // What is spelt as the variable is wins over capitals, whichever comes first.
        let capitals = ours().filter(|(_, name, _)| !self.stack.variables.contains_key(*name));
        let capitals: Vec<_> = capitals.collect();
        let exact: Vec<_> = ours().filter(|(_, name, _)| self.stack.variables.contains_key(*name)).collect();
        for (key, name, text) in capitals.into_iter().chain(exact) {
            let variable = [name.to_owned(), name.to_lowercase()]
                .into_iter()
                .find_map(|name| self.stack.variables.get(&name).map(|variable| (name, variable)));
            match variable {
                Some((name, variable)) => {
                    let source = Source::EnvironmentVariable(key.clone());
                    self.text(&name, text, &variable.shape, source);
                }
                None => {
                    // One environment may serve several stacks, so this is no error.
                    let unknown = self.unknown(&name.to_lowercase(), key);
                    let warning = Diagnostic::warning(unknown.code, unknown.message);
                    self.diagnostics.push(warning.help(unknown.help.unwrap_or_default()));
                }
            }
        }
    }

    /// A text is what the variable's type says: a string as it is, anything else as TOML writes it.
    fn text(&mut self, name: &str, text: &str, shape: &VariableType, source: Source) {
        let value = match shape {
            VariableType::String | VariableType::Ref(_) => Some(Value::from(text)),
            VariableType::Any => Some(self.toml(name, text, None).unwrap_or_else(|| Value::from(text))),
            shape => self.toml(name, text, Some((shape, &source))),
        };
        if let Some(value) = value {
            self.found.insert(name.to_owned(), (Candidate::Plain(value), source));
        } else {
            // It was told; the variable is not missing.
            self.found.insert(name.to_owned(), (Candidate::Plain(Value::Null), source));
        }
    }

    /// The text read as TOML; says so if it is none and something was expected.
    fn toml(&mut self, name: &str, text: &str, expected: Option<(&VariableType, &Source)>) -> Option<Value> {
        let file = Arc::new(SourceFile { name: name.to_owned(), text: text.trim().to_owned() });
        let mut errors = Diagnostics::default();
        let value = syntax::read_value(&file, &mut errors).map(draft::plain);
        if let (None, Some((shape, source))) = (&value, expected) {
            // The text is not shown: it may be a secret that lost its quotes.
            let diagnostic =
                Diagnostic::error("S3S-W13", format!("{source} gives `{name}` what is not {}", shape.describe()));
            let definition = self.stack.variables.get(name).map(|variable| variable.span.clone());
            let help = match shape {
                VariableType::Bool => "write true or false".to_owned(),
                VariableType::Number => "write a number".to_owned(),
                VariableType::List(_) | VariableType::Set(_) => "write it as in TOML: [\"a\", \"b\"]".to_owned(),
                _ => "write it as in TOML: { key = \"value\" }".to_owned(),
            };
            self.diagnostics.push(diagnostic.label(definition, "the variable").help(help));
        }
        value
    }
}

/// The place of a value, if it has one.
pub(super) fn place(candidate: &Candidate) -> Option<&Span> {
    match candidate {
        Candidate::Node(node) => Some(&node.span),
        Candidate::Plain(_) => None,
    }
}
