//! From what was given to the value of each variable.

use std::collections::{BTreeSet, VecDeque};

use indexmap::IndexMap;

use super::super::evaluate::evaluate;
use super::super::model::{Node, Stack, Variable};
use super::super::names::is_environment_name;
use super::given::{Candidate, Given, Source, place, strongest};
use super::{rules, types};
use crate::address::{Address, Path, Step};
use crate::diagnostic::{Diagnostic, Diagnostics, Span, address_meant, did_you_mean};
use crate::expression::{Budget, Question, Scope, answer};
use crate::file::Files;
use crate::value::{Secret, Value};

/// The value of a variable and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// The value; a [`Value::Secret`] if the variable is sensitive.
    pub value: Value,
    /// Where it comes from.
    pub source: Source,
}

/// The value of every variable of a stack, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Variables(pub IndexMap<String, Resolved>);

impl Variables {
    /// The value of a variable.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).map(|resolved| &resolved.value)
    }
}

/// The scope of what is read before anything else: `var` and `env` only. `[stack]`, `[backend]` and `[env.*]` are
/// evaluated in it.
#[derive(Clone, Copy)]
pub struct EarlyScope<'a> {
    /// The variables.
    pub variables: &'a Variables,
    /// The environment's name.
    pub environment: &'a str,
    /// The stack folder.
    pub files: &'a dyn Files,
}

impl Scope for EarlyScope<'_> {
    fn resolve(&self, steps: &[Step], span: Option<&Span>) -> Result<(Value, usize), Box<Diagnostic>> {
        match steps {
            [Step::Key(root), ..] if root == "env" => Ok((Value::from(self.environment), 1)),
            [Step::Key(root), Step::Key(name), ..] if root == "var" => match self.variables.value(name) {
                Some(value) => Ok((value.clone(), 2)),
                None => Err(Box::new(
                    Diagnostic::error("S3S-R2", format!("there is no variable `{name}`"))
                        .at(span.cloned())
                        .help(format!("declare it: {name} = … under [var]")),
                )),
            },
            _ => Err(Box::new(
                Diagnostic::error("S3S-R5", "only `var` and `env` can be named here")
                    .at(span.cloned())
                    .help("use a variable"),
            )),
        }
    }

    fn attribute(&self, _: &Address, _: &str, span: Option<&Span>) -> Result<Value, Box<Diagnostic>> {
        Err(Box::new(
            Diagnostic::error("S3S-R5", "the attributes of a resource are not known here")
                .at(span.cloned())
                .help("use it in a resource block"),
        ))
    }

    fn file(&self, question: Question, path: &str) -> Result<Value, Box<Diagnostic>> {
        answer(self.files, question, path)
    }
}

/// Finds the value of every variable.
///
/// A later source wins over an earlier one: its default, `stack.vars.toml`, `[env.NAME]`, `S3STACK_VAR_NAME`,
/// `--var-file` in their order, `--var`. Everything wrong is told at once; then the variables it concerns are absent.
pub fn resolve(stack: &Stack, given: &Given, files: &dyn Files) -> (Variables, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    let known = &stack.environments;
    // It becomes part of names and of the state's place, whether or not the file knows it.
    if !is_environment_name(&given.chosen_environment) {
        let message = format!("`{}` cannot be the name of an environment", given.chosen_environment);
        let help = "it must be lower-case letters, digits, `-` and `_`, a letter first";
        diagnostics.push(Diagnostic::error("S3S-P12", message).help(help));
    } else if given.chosen_environment != "default"
        && !known.is_empty()
        && !known.contains_key(&given.chosen_environment)
    {
        let name = &given.chosen_environment;
        let help = match did_you_mean(name, known.keys().map(String::as_str)) {
            Some(near) => format!("did you mean `--env {near}`?"),
            None => {
                let names = known.keys().cloned().collect::<Vec<_>>().join(", ");
                let word = if known.len() == 1 { "is" } else { "are" };
                format!("there {word} {names}; or add [env.{name}]")
            }
        };
        let message = format!("there is no environment `{name}`");
        diagnostics.push(Diagnostic::error("S3S-P6", message).help(help));
    }
    let mut candidates = strongest(stack, given, &mut diagnostics);
    let mut resolution = Resolution {
        stack,
        environment: &given.chosen_environment,
        files,
        budget: Budget::default(),
        found: Variables::default(),
        failed: BTreeSet::new(),
        diagnostics,
    };
    for (name, variable) in stack.variables.iter().filter(|(name, _)| !candidates.contains_key(*name)) {
        resolution.failed.insert(name.clone());
        let what = variable.description.as_ref().map_or_else(String::new, |text| format!(" ({text})"));
        let help = match variable.sensitive {
            // Command lines are in the shell's history and in the list of processes.
            true => format!("give it one: {name} = … in stack.vars.toml, or S3STACK_VAR_{name} in the environment"),
            false => format!("give it one: --var {name}=…, or {name} = … in stack.vars.toml"),
        };
        resolution.diagnostics.push(
            Diagnostic::error("S3S-W11", format!("the variable `{name}`{what} has no value"))
                .at(variable.span.clone())
                .help(help),
        );
    }
    for name in resolution.order(&candidates) {
        let (Some((candidate, source)), Some(variable)) = (candidates.swap_remove(&name), stack.variables.get(&name))
        else {
            continue;
        };
        resolution.one(&name, variable, candidate, source);
    }
    let order = |name: &String| stack.variables.get_index_of(name);
    resolution.found.0.sort_by(|a, _, b, _| order(a).cmp(&order(b)));
    (resolution.found, resolution.diagnostics)
}

struct Resolution<'a> {
    stack: &'a Stack,
    environment: &'a str,
    files: &'a dyn Files,
    budget: Budget,
    found: Variables,
    /// Variables without value: what is computed from them is not told again.
    failed: BTreeSet<String>,
    diagnostics: Diagnostics,
}

/// The variables that a value names.
fn named(node: &Node, names: &mut BTreeSet<String>) {
    node.texts(&Path::default(), &mut |_, template| {
        for traversal in template.references() {
            if let [Step::Key(root), Step::Key(name), ..] = traversal.steps().as_slice()
                && root == "var"
            {
                names.insert(name.clone());
            }
        }
    });
}

fn needs(stack: &Stack, name: &str, candidate: &Candidate) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if let Candidate::Node(node) = candidate {
        named(node, &mut names);
    }
    let allowed = stack.variables.get(name).and_then(|variable| variable.allowed.as_ref());
    allowed.into_iter().flatten().for_each(|node| named(node, &mut names));
    names
}

impl Resolution<'_> {
    /// The variables so that each comes after those it names. Cycles are told and left out.
    fn order(&mut self, candidates: &IndexMap<String, (Candidate, Source)>) -> Vec<String> {
        let needs: IndexMap<&String, BTreeSet<String>> = candidates
            .iter()
            .map(|(name, (candidate, _))| {
                let mut needs = needs(self.stack, name, candidate);
                needs.retain(|needed| candidates.contains_key(needed));
                (name, needs)
            })
            .collect();
        let mut needed_by: IndexMap<&str, Vec<&String>> = IndexMap::new();
        for (name, needs) in &needs {
            for needed in needs {
                needed_by.entry(needed).or_default().push(name);
            }
        }
        let mut left: IndexMap<&String, usize> = needs.iter().map(|(name, needs)| (*name, needs.len())).collect();
        let mut ready: VecDeque<&String> =
            left.iter().filter(|(_, count)| **count == 0).map(|(name, _)| *name).collect();
        let mut order = Vec::new();
        while let Some(name) = ready.pop_front() {
            order.push(name.clone());
            for next in needed_by.get(name.as_str()).into_iter().flatten() {
                if let Some(count) = left.get_mut(*next) {
                    *count -= 1;
                    if *count == 0 {
                        ready.push_back(next);
                    }
                }
            }
        }
        let stuck: BTreeSet<&String> = left.iter().filter(|(_, count)| **count > 0).map(|(name, _)| *name).collect();
        self.failed.extend(stuck.iter().map(|name| (*name).clone()));
        if let Some(cycle) = cycle(&needs, &stuck) {
            let place = candidates.get(cycle.first().map_or("", |name| name.as_str()));
            let path: Vec<String> = cycle.iter().chain(cycle.first()).map(|name| format!("var.{name}")).collect();
            self.diagnostics.push(
                Diagnostic::error("S3S-W14", format!("variables need each other: {}", path.join(" → ")))
                    .at(place.and_then(|(candidate, _)| super::given::place(candidate).cloned()))
                    .help("give one of them a value without the others"),
            );
        }
        order
    }

    fn one(&mut self, name: &str, variable: &Variable, candidate: Candidate, source: Source) {
        if needs(self.stack, name, &candidate).iter().any(|needed| self.failed.contains(needed)) {
            self.failed.insert(name.to_owned());
            return;
        }
        let at = place(&candidate).cloned();
        // Loading the stack told what is wrong with a literal default.
        let told = matches!(&candidate, Candidate::Node(node) if source == Source::Default && node.is_literal())
            && self.misfits(variable, &candidate);
        if told {
            self.failed.insert(name.to_owned());
            return;
        }
        match self.value(variable, candidate) {
            Ok(value) => {
                self.found.0.insert(name.to_owned(), Resolved { value, source });
            }
            Err(errors) => {
                self.failed.insert(name.to_owned());
                let definition = Some(variable.span.clone()).filter(|_| source != Source::Default);
                // Loading the stack told which names in it mean nothing.
                let in_stack = matches!(source, Source::Default | Source::Environment(_));
                let told = |error: &Diagnostic| in_stack && matches!(error.code, "S3S-R2" | "S3S-R5");
                for error in errors.0.into_iter().filter(|error| !told(error)) {
                    let error = match error.code {
                        "S3S-W13" => Diagnostic {
                            message: match source {
                                Source::Default => format!("the default of `{name}` {}", error.message),
                                _ => format!("{source} gives `{name}` a value that {}", error.message),
                            },
                            ..error
                        }
                        .label(definition.clone(), "the variable"),
                        "S3S-R3" => {
                            Diagnostic { message: format!("`{name}` names nothing: {}", error.message), ..error }
                        }
                        _ => error,
                    };
                    let span = error.span.clone().or_else(|| at.clone());
                    self.diagnostics.push(error.at(span));
                }
            }
        }
    }

    /// Whether a literal does not even have the variable's type.
    fn misfits(&mut self, variable: &Variable, candidate: &Candidate) -> bool {
        let Candidate::Node(node) = candidate else { return false };
        let scope = EarlyScope { variables: &self.found, environment: self.environment, files: self.files };
        match evaluate(node, &scope, &self.budget) {
            Ok(value) => types::fit(value, &variable.shape).is_err(),
            Err(_) => true,
        }
    }

    /// The value; the messages of misfits begin with a verb.
    fn value(&mut self, variable: &Variable, candidate: Candidate) -> Result<Value, Diagnostics> {
        let misfit = |message: String, help: Option<String>| {
            let diagnostic = Diagnostic::error("S3S-W13", message);
            Diagnostics(vec![match help {
                Some(help) => diagnostic.help(help),
                None => diagnostic.help(format!("its type is {}", variable.shape)),
            }])
        };
        let scope = EarlyScope { variables: &self.found, environment: self.environment, files: self.files };
        let value = match candidate {
            Candidate::Plain(value) => value,
            Candidate::Node(node) => evaluate(&node, &scope, &self.budget)?,
        };
        let allowed = match &variable.allowed {
            None => None,
            Some(nodes) => {
                let values = nodes.iter().map(|node| evaluate(node, &scope, &self.budget));
                Some(values.collect::<Result<Vec<_>, _>>()?)
            }
        };
        let value = types::fit(value, &variable.shape).map_err(|wrong| {
            let place = if wrong.path.0.is_empty() { String::new() } else { format!(" at {}", wrong.path) };
            misfit(format!("does not fit{place}: {}", wrong.message), wrong.help)
        })?;
        if let Some(diagnostic) = self.missing(&value) {
            return Err(Diagnostics(vec![diagnostic]));
        }
        if let Some((what, help)) = rules::broken(variable, allowed.as_deref(), &value) {
            return Err(misfit(what, Some(help)));
        }
        Ok(if variable.sensitive { Value::Secret(Secret::new(value)) } else { value })
    }

    /// What is wrong with the resources that a value names: one is not in the stack.
    fn missing(&self, value: &Value) -> Option<Diagnostic> {
        let mut missing = None;
        value.walk(&Path::default(), &mut |_, part| {
            if let Value::Reference(address) = part
                && !self.stack.blocks.contains_key(&address.block())
            {
                missing = Some(address.clone());
            }
        });
        let address: Address = missing?;
        let help = match address_meant(&address, self.stack.blocks.keys()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("add [{address}], or name another"),
        };
        Some(Diagnostic::error("S3S-R3", format!("there is no {address} in this stack")).help(help))
    }
}

/// One cycle among the variables that could not be ordered.
fn cycle<'a>(needs: &'a IndexMap<&String, BTreeSet<String>>, stuck: &BTreeSet<&'a String>) -> Option<Vec<&'a String>> {
    let mut way: Vec<&String> = vec![stuck.first()?];
    let mut seen: BTreeSet<&String> = way.iter().copied().collect();
    loop {
        // Each of them needs another that is stuck too, or it would not be.
        let next = needs.get(way.last()?)?.iter().find(|needed| stuck.contains(needed))?;
        if !seen.insert(next) {
            let start = way.iter().position(|name| *name == next)?;
            return Some(way.split_off(start));
        }
        way.push(next);
    }
}
