//! The sections that are no resources: `[stack]`, `[backend]`, `[var]`, `[output]`, `[env]`.

use indexmap::IndexMap;

use super::load::Types;
use super::model::*;
use super::names::{is_environment_name, is_name, not_a_name};
use super::problems::Site;
use super::variables::types::{self, ParsedType};
use super::{MAX_DIAGNOSTICS, blocks, fields, sketch};
use crate::address::Path;
use crate::diagnostic::{Diagnostic, Diagnostics, Span, did_you_mean};
use crate::schema::validate::{self, Problem};
use crate::schema::{Property, Shape};
use crate::value::Value;

/// The sections there are, those of later versions too.
pub(super) const SECTIONS: [&str; 9] =
    ["stack", "backend", "var", "output", "env", "module", "lookup", "remote", "account"];

/// The keys of `[stack]`.
pub(super) const SETTINGS: [&str; 6] = ["name", "region", "tags", "requires", "account_id", "id"];

/// What the files are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole {
    Stack,
    Module,
}

/// The sections that only a stack has.
const OF_STACK: [&str; 5] = ["stack", "backend", "env", "remote", "account"];

/// Reads all sections and blocks of the root table.
pub(super) fn read(
    root: Table,
    whole: Whole,
    headers: &[Span],
    types: &dyn Types,
    diagnostics: &mut Diagnostics,
) -> Stack {
    let mut stack = Stack::default();
    let names = types.names();
    let is_service = |word: &str| names.iter().any(|name| name.split('.').next() == Some(word));
    let is_type = |name: &str| types.schema(name).is_some();
    for (name, entry) in root {
        let mut section = Section { headers, is_type: &is_type, diagnostics };
        match name.as_str() {
            name if whole == Whole::Module && OF_STACK.contains(&name) => {
                let message = format!("[{name}] belongs to a stack, and this is a module");
                let diagnostic = Diagnostic::error("S3S-P6", message).at(entry.key_span);
                section.diagnostics.push(diagnostic.help(match name {
                    "remote" => "name the remote in the stack, and give its values to the module: `var.NAME = …`",
                    _ => "write it into stack.toml; what differs by use is a variable of the module, under [var]",
                }));
            }
            "stack" => section.settings(entry, &mut stack),
            "backend" => section.backend(entry, &mut stack),
            "var" => section.variables(entry, &mut stack),
            "output" => section.outputs(entry, &mut stack),
            "env" => section.environments(entry, &mut stack),
            "module" => section.modules(entry, &mut stack),
            "account" => section.accounts(entry, &mut stack),
            "lookup" => section.lookups(entry, types, &mut stack),
            "remote" => section.remotes(entry, &mut stack),
            service if is_service(service) => blocks::read_service(service, entry, types, &mut stack, diagnostics),
            // Looking for what was meant costs, and nobody reads that many.
            _ if diagnostics.0.len() > MAX_DIAGNOSTICS => break,
            _ => diagnostics.push(blocks::unknown_section(&name, &entry, types)),
        }
    }
    stack
}

/// What is wrong with a setting of `[stack]` or `[env]` now that its expressions are evaluated; what is literal was
/// checked when the stack was loaded, and is not told again.
pub fn check_setting(name: &str, node: &Node, value: &Value) -> Diagnostics {
    let mut found = Diagnostics::default();
    let Some(property) = fields::settings().shift_remove(name).filter(|_| !node.is_literal()) else { return found };
    let mut problems = Vec::new();
    match value {
        Value::Null if property.required => {
            problems.push(Problem::new("S3S-W3", &Path::default(), "it is null").help("give it a value"));
        }
        Value::Null => {}
        value => validate::check(&property.shape, value, &Path::default(), &mut problems),
    }
    for problem in problems {
        let diagnostic =
            Diagnostic::error(problem.code, format!("`{name}`: {}", problem.message)).at(node.span.clone());
        found.push(match problem.help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        });
    }
    found
}

/// Reads sections into a stack.
pub(super) struct Section<'a> {
    headers: &'a [Span],
    is_type: &'a dyn Fn(&str) -> bool,
    pub(super) diagnostics: &'a mut Diagnostics,
}

impl Section<'_> {
    /// The table of an entry, with its place; says so if it is none.
    pub(super) fn table(&mut self, name: &str, entry: Entry) -> Option<(Table, Span)> {
        let what = entry.node.describe();
        match entry.node.kind {
            NodeKind::Table(table) => Some((table, entry.node.span)),
            kind => {
                let message = format!("[{name}] must be a table, and is {what}");
                let help = match kind {
                    NodeKind::List(_) => format!("write [{name}], with single brackets"),
                    _ => format!("write [{name}] and its keys below"),
                };
                self.diagnostics.push(Diagnostic::error("S3S-P5", message).at(entry.key_span).help(help));
                None
            }
        }
    }

    /// The tables of a section, by name; says so of those that are none, or have no name.
    pub(super) fn named(
        &mut self,
        section: &str,
        what: &str,
        is_name: fn(&str) -> bool,
        entry: Entry,
    ) -> Vec<(String, Table, Span)> {
        let mut named = Vec::new();
        for (name, entry) in self.table(section, entry).map(|(table, _)| table).unwrap_or_default() {
            // Nobody reads that many.
            if self.diagnostics.0.len() > MAX_DIAGNOSTICS {
                break;
            }
            if !is_name(&name) {
                self.diagnostics.push(not_a_name(what, &name, &entry.key_span));
            } else if let Some((table, span)) = self.table(&format!("{section}.{name}"), entry) {
                named.push((name, table, span));
            }
        }
        named
    }

    /// Checks a table's literals against what the section takes.
    pub(super) fn check(&mut self, name: &str, span: &Span, table: &Table, fields: &IndexMap<String, Property>) {
        let (headers, is_type) = (self.headers, self.is_type);
        Site { name, span, table, fields, address: None, headers, is_type }.check(self.diagnostics);
    }

    /// Says of each of these keys that has an expression in it that it can't.
    pub(super) fn written_out(&mut self, table: &Table, keys: &[&str]) {
        for key in keys {
            if let Some(Entry { node: Node { kind: NodeKind::Text(template), span }, .. }) = table.get(*key)
                && !template.is_literal()
            {
                let message = format!("`{key}` must be written out: it is read before any expression is evaluated");
                let help = "write the value itself";
                self.diagnostics.push(Diagnostic::error("S3S-P7", message).at(span.clone()).help(help));
            }
        }
    }

    fn settings(&mut self, entry: Entry, stack: &mut Stack) {
        let Some((mut table, span)) = self.table("stack", entry) else { return };
        let known = fields::settings();
        self.check("[stack]", &span, &table, &known);
        self.written_out(&table, &["requires", "id"]);
        let mut take = |key: &str| table.shift_remove(key).map(|entry| entry.node);
        stack.settings = Settings {
            span: Some(span),
            name: take("name"),
            region: take("region"),
            tags: take("tags"),
            requires: take("requires"),
            account_id: take("account_id"),
            id: take("id"),
        };
    }

    fn backend(&mut self, entry: Entry, stack: &mut Stack) {
        let Some((kinds, _)) = self.table("backend", entry) else { return };
        for (kind, entry) in kinds {
            let Some(known) = fields::backend(&kind) else {
                let diagnostic = Diagnostic::error("S3S-P6", format!("there is no backend `{kind}`"));
                self.diagnostics.push(diagnostic.at(entry.key_span).help("there are [backend.s3] and [backend.file]"));
                continue;
            };
            let key_span = entry.key_span.clone();
            let name = format!("backend.{kind}");
            let Some((body, span)) = self.table(&name, entry) else { continue };
            self.check(&format!("[{name}]"), &span, &body, &known);
            if let Some(first) = &stack.backend {
                let diagnostic = Diagnostic::error("S3S-P3", "a stack has one backend, and this is the second");
                let diagnostic = diagnostic.at(key_span).label(Some(first.span.clone()), "the first");
                self.diagnostics.push(diagnostic.help("take one of them out"));
                continue;
            }
            stack.backend = Some(BackendBlock { kind, span, body });
        }
    }

    fn variables(&mut self, entry: Entry, stack: &mut Stack) {
        let Some((table, _)) = self.table("var", entry) else { return };
        for (name, entry) in table {
            if !is_name(&name) {
                self.diagnostics.push(not_a_name("a variable", &name, &entry.key_span));
                continue;
            }
            let variable = match entry.node.kind {
                NodeKind::Table(table) => self.definition(&name, entry.key_span, entry.node.span, table),
                kind => {
                    let default = Node { span: entry.node.span, kind };
                    Variable {
                        span: entry.key_span,
                        shape: types::of_default(&default),
                        default: Some(default),
                        description: None,
                        allowed: None,
                        pattern: None,
                        min: None,
                        max: None,
                        sensitive: false,
                        unreadable: false,
                    }
                }
            };
            stack.variables.insert(name, variable);
        }
    }

    fn definition(&mut self, name: &str, key: Span, span: Span, mut table: Table) -> Variable {
        let known = fields::definition();
        if table.keys().any(|key| known.contains_key(key)) || table.is_empty() {
            self.strays(name, &span, &mut table, &known);
            self.check(&format!("[var.{name}]"), &span, &table, &known);
        } else {
            // A table whose keys are all unknown is somebody's map, not a definition with slips in it.
            let message = format!("a table under [var] is a definition, and var.{name} has none of its keys");
            let help = format!("for a map write {name} = {{ type = \"map(any)\", default = {{ … }} }}");
            self.diagnostics.push(Diagnostic::error("S3S-P8", message).at(span.clone()).help(help));
        }
        self.written_out(&table, &["type", "description", "pattern", "sensitive", "min", "max"]);
        let shape = table.get("type").and_then(|entry| self.declared(&entry.node));
        let unreadable = shape.is_none() && table.contains_key("type");
        let text = |table: &Table, key: &str| table.get(key).and_then(|entry| entry.node.literal()).map(str::to_owned);
        let number = |table: &Table, key: &str| match table.get(key).map(|entry| &entry.node.kind) {
            #[expect(clippy::cast_precision_loss, reason = "a bound beyond 2^53 is no bound anybody means")]
            Some(NodeKind::Integer(value)) => Some(*value as f64),
            Some(NodeKind::Float(value)) => Some(*value),
            _ => None,
        };
        let pattern = table.get("pattern").and_then(|entry| {
            let pattern = entry.node.literal()?;
            if let Err(error) = regex_lite::Regex::new(pattern) {
                let diagnostic = Diagnostic::error("S3S-P8", format!("the pattern is no regular expression: {error}"));
                let help = "write the pattern in single quotes, so that backslashes stay";
                self.diagnostics.push(diagnostic.at(entry.node.span.clone()).help(help));
                return None;
            }
            Some((pattern.to_owned(), entry.node.span.clone()))
        });
        let (min, max) = (number(&table, "min"), number(&table, "max"));
        if let (Some(min), Some(max), Some(entry)) = (min, max, table.get("max"))
            && min > max
        {
            let diagnostic = Diagnostic::error("S3S-P8", format!("min is {min} and max is {max}: nothing fits"));
            self.diagnostics.push(diagnostic.at(entry.node.span.clone()).help("exchange them"));
        }
        let description = text(&table, "description");
        let sensitive = matches!(table.get("sensitive").map(|entry| &entry.node.kind), Some(NodeKind::Bool(true)));
        let allowed = match table.shift_remove("allowed").map(|entry| entry.node.kind) {
            Some(NodeKind::List(list)) => Some(list),
            _ => None,
        };
        let default = table.shift_remove("default").map(|entry| entry.node);
        let shape = shape.unwrap_or_else(|| match (&default, &allowed) {
            _ if unreadable => VariableType::Any,
            (Some(default), _) => types::of_default(default),
            (None, Some(allowed)) => allowed.first().map_or(VariableType::Any, types::of_default),
            (None, None) if pattern.is_some() => VariableType::String,
            (None, None) => VariableType::Any,
        });
        if let Some(default) = &default {
            self.default_fits(name, default, &shape);
        }
        Variable { span: key, shape, default, description, allowed, pattern, min, max, sensitive, unreadable }
    }

    /// Takes out of a definition what was meant to be a variable of its own, and stands under the wrong header.
    fn strays(&mut self, name: &str, span: &Span, table: &mut Table, known: &IndexMap<String, Property>) {
        let is_stray =
            |key: &str| !known.contains_key(key) && did_you_mean(key, known.keys().map(String::as_str)).is_none();
        let strays: Vec<String> = table.keys().filter(|key| is_stray(key)).cloned().collect();
        for stray in strays {
            let Some(entry) = table.shift_remove(&stray) else { continue };
            let first = self.headers.iter().find(|header| {
                let text = header.file.text.get(header.start..header.end).unwrap_or_default();
                header.file == span.file && text.starts_with("[var.")
            });
            let message = format!("`{stray}` is no part of a definition, and stands after [var.{name}]");
            let diagnostic = Diagnostic::error("S3S-P9", message).at(entry.key_span);
            self.diagnostics.push(diagnostic.help(match first {
                Some(first) => {
                    format!("if it is a variable of its own, move it under [var], above line {}", first.line_column().0)
                }
                None => format!("a definition has {}", known.keys().cloned().collect::<Vec<_>>().join(", ")),
            }));
        }
    }

    /// Checks what is literal in a default against its type.
    fn default_fits(&mut self, name: &str, default: &Node, shape: &VariableType) {
        let value = sketch::node(default, &Shape::Document, self.is_type);
        if let Err(wrong) = types::fit(value, shape) {
            let message = format!("the default of `{name}` does not fit its type: {}", wrong.message);
            let diagnostic = Diagnostic::error("S3S-W13", message).at(default.span.clone());
            self.diagnostics.push(diagnostic.help(wrong.help.unwrap_or_else(|| format!("its type is {shape}"))));
        }
    }

    /// The type that a definition says.
    fn declared(&mut self, node: &Node) -> Option<VariableType> {
        match types::parse(node.literal()?, self.is_type) {
            ParsedType::Type(shape) => Some(shape),
            ParsedType::Wrong { message, help } => {
                let diagnostic = Diagnostic::error("S3S-W10", message).at(node.span.clone());
                self.diagnostics.push(diagnostic.help(help));
                None
            }
        }
    }

    fn outputs(&mut self, entry: Entry, stack: &mut Stack) {
        let Some((table, _)) = self.table("output", entry) else { return };
        for (name, entry) in table {
            if !is_name(&name) {
                self.diagnostics.push(not_a_name("an output", &name, &entry.key_span));
                continue;
            }
            let span = entry.key_span;
            let output = match entry.node.kind {
                NodeKind::Table(mut table) => {
                    let known = fields::output();
                    self.check(&format!("[output.{name}]"), &entry.node.span, &table, &known);
                    self.written_out(&table, &["sensitive", "description"]);
                    let sensitive =
                        matches!(table.get("sensitive").map(|entry| &entry.node.kind), Some(NodeKind::Bool(true)));
                    let description =
                        table.get("description").and_then(|entry| entry.node.literal()).map(str::to_owned);
                    let Some(value) = table.shift_remove("value") else {
                        let message =
                            format!("the output `{name}` has no value: a table under [output] is a definition");
                        let diagnostic = Diagnostic::error("S3S-P8", message).at(entry.node.span);
                        self.diagnostics.push(diagnostic.help(format!("write {name} = {{ value = … }}")));
                        continue;
                    };
                    Output { span, value: value.node, sensitive, description }
                }
                kind => {
                    let value = Node { span: entry.node.span, kind };
                    Output { span, value, sensitive: false, description: None }
                }
            };
            stack.outputs.insert(name, output);
        }
    }

    fn remotes(&mut self, entry: Entry, stack: &mut Stack) {
        for (name, body, span) in self.named("remote", "a remote", is_name, entry) {
            self.check(&format!("[remote.{name}]"), &span, &body, &fields::remote());
            let by_key = ["key", "bucket", "region", "profile"].iter().any(|key| body.contains_key(*key));
            let wrong = match (body.contains_key("path"), by_key, body.contains_key("key")) {
                // A key that there is not may have been meant to.
                (false, false, _) if body.keys().any(|key| !fields::remote().contains_key(key)) => None,
                (false, false, _) => Some("does not say which stack it is"),
                (true, true, _) => Some("says in two ways which stack it is"),
                (false, true, false) => Some("does not say where in the bucket the state is"),
                _ => None,
            };
            if let Some(wrong) = wrong {
                let diagnostic = Diagnostic::error("S3S-P8", format!("[remote.{name}] {wrong}")).at(span.clone());
                let help =
                    "write `path = \"../core\"`, the folder of the stack, or `key = \"core\"`, where its state is";
                self.diagnostics.push(diagnostic.help(help));
            }
            stack.remotes.insert(name, RemoteBlock { span, body });
        }
    }

    fn accounts(&mut self, entry: Entry, stack: &mut Stack) {
        for (name, body, span) in self.named("account", "an account", is_name, entry) {
            self.check(&format!("[account.{name}]"), &span, &body, &fields::account());
            let clash = ["external_id", "session_name"]
                .into_iter()
                .find_map(|key| body.get(key))
                .filter(|_| !body.contains_key("role_arn"));
            if let Some(entry) = clash {
                let message = "it goes with `role_arn`, which is not there";
                let diagnostic = Diagnostic::error("S3S-P8", message).at(entry.key_span.clone());
                self.diagnostics
                    .push(diagnostic.help("add `role_arn = \"arn:aws:iam::ACCOUNT:role/NAME\"`, or take it out"));
            }
            if !body.contains_key("role_arn") && !body.contains_key("profile") {
                let message = format!("[account.{name}] does not say how to get into the account");
                let diagnostic = Diagnostic::error("S3S-P8", message).at(span.clone());
                self.diagnostics.push(
                    diagnostic.help("write `profile = …`, `role_arn = …`, or both: the profile that may take the role"),
                );
            }
            stack.accounts.insert(name, AccountBlock { span, body });
        }
    }

    fn environments(&mut self, entry: Entry, stack: &mut Stack) {
        for (name, mut table, span) in self.named("env", "an environment", is_environment_name, entry) {
            let known = fields::environment();
            self.check(&format!("[env.{name}]"), &span, &table, &known);
            self.written_out(&table, &["confirm"]);
            let confirm = matches!(table.get("confirm").map(|entry| &entry.node.kind), Some(NodeKind::Bool(true)));
            let variables = match table.shift_remove("var").map(|entry| entry.node.kind) {
                Some(NodeKind::Table(table)) => table,
                _ => Table::new(),
            };
            let mut take = |key: &str| table.shift_remove(key).map(|entry| entry.node);
            let (region, tags) = (take("region"), take("tags"));
            let (account, account_id) = (take("account"), take("account_id"));
            let backend = match take("backend").map(|node| node.kind) {
                Some(NodeKind::Table(table)) => Some(table),
                _ => None,
            };
            let environment = Environment { span, variables, region, tags, account, account_id, backend, confirm };
            stack.environments.insert(name, environment);
        }
    }
}
