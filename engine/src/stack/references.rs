//! What expressions name: whether it exists, and whether it may be named there.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use super::MAX_DIAGNOSTICS;
use super::load::Types;
use super::model::*;
use super::reserved::object_fields;
use super::sections::Whole;
use crate::address::{Address, ModulePath, Parts, Path, Step, Target};
use crate::diagnostic::{Diagnostic, Diagnostics, Span, address_meant, did_you_mean};
use crate::expression::{Origin, Template, Traversal};
use crate::schema::validate::{self, Problem};
use crate::schema::{ReferenceRules, Schema, Shape};

/// Roots that are not resources.
const ROOTS: [&str; 9] = ["var", "env", "stack", "aws", "self", "each", "module", "lookup", "remote"];
/// Roots that a bare reference may begin with, beside an address.
const REFERENCE_ROOTS: [&str; 6] = ["var", "self", "each", "module", "lookup", "remote"];
/// What `aws` has.
const AWS: [&str; 3] = ["account_id", "region", "partition"];

/// Where an expression stands, which decides what it may name.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// In `[stack]`, `[backend]`, `[var]` or `[env]`: `var` and `env` only.
    Early(&'a str),
    /// In `[output]`.
    Output,
    /// In a block of a type.
    Block(&'a Block, &'a Schema),
    /// In what a module is given.
    Module(&'a ModuleBlock),
    /// In what something is looked up by.
    Lookup(&'a LookupBlock),
    /// In a reserved key that says which resources there are.
    Decided(Several<'a>, &'a str),
}

/// What may have a `for_each`.
#[derive(Clone, Copy)]
pub(super) enum Several<'a> {
    Block(&'a Block),
    Module(&'a ModuleBlock),
    Lookup(&'a LookupBlock),
}

impl Several<'_> {
    fn for_each(self) -> bool {
        match self {
            Self::Block(block) => block.reserved.for_each.is_some(),
            Self::Module(module) => module.for_each.is_some(),
            Self::Lookup(lookup) => lookup.for_each.is_some(),
        }
    }
}

impl<'a> Place<'a> {
    fn block(self) -> Option<&'a Block> {
        match self {
            Self::Block(block, _) | Self::Decided(Several::Block(block), _) => Some(block),
            Self::Early(_) | Self::Output | Self::Module(_) | Self::Lookup(_) | Self::Decided(..) => None,
        }
    }

    /// The reserved key, if no resource may be named in it at all: only what `for_each` goes over may have some in it.
    fn decides_for_good(self) -> Option<&'a str> {
        match self {
            Self::Decided(_, key) if key != "for_each" => Some(key),
            _ => None,
        }
    }

    /// What `each` would be of.
    fn several(self) -> Option<Several<'a>> {
        match self {
            Self::Block(block, _) => Some(Several::Block(block)),
            Self::Module(module) => Some(Several::Module(module)),
            Self::Lookup(lookup) => Some(Several::Lookup(lookup)),
            Self::Decided(several, _) => Some(several),
            Self::Early(_) | Self::Output => None,
        }
    }
}

/// All that can be named.
pub(super) struct Names<'a> {
    pub types: &'a dyn Types,
    pub variables: &'a IndexMap<String, Variable>,
    pub blocks: &'a IndexMap<Address, Block>,
    pub modules: &'a IndexMap<String, ModuleBlock>,
    pub services: BTreeSet<String>,
    pub remotes: &'a IndexMap<String, RemoteBlock>,
    pub whole: Whole,
    pub lookups: &'a IndexMap<Address, LookupBlock>,
    /// The properties and attributes of each lookup that something names.
    pub members: RefCell<BTreeMap<Address, BTreeSet<String>>>,
    /// The variables that something names.
    pub used: RefCell<BTreeSet<String>>,
}

impl<'a> Names<'a> {
    pub fn new(types: &'a dyn Types, stack: &'a Stack, whole: Whole) -> Self {
        let services = types.names().iter().filter_map(|name| name.split('.').next()).map(str::to_owned).collect();
        let Stack { variables, blocks, modules, lookups, remotes, .. } = stack;
        let (members, used) = (RefCell::default(), RefCell::default());
        Self { types, variables, blocks, modules, services, remotes, whole, lookups, members, used }
    }

    /// Checks everything that a text names.
    pub fn check(&self, template: &Template, place: Place<'_>, diagnostics: &mut Diagnostics) {
        if template.is_literal() {
            return;
        }
        for traversal in template.references() {
            // Looking for what was meant costs, and nobody reads that many.
            if diagnostics.0.len() > MAX_DIAGNOSTICS {
                return;
            }
            if let Some(diagnostic) = self.traversal(&traversal, place) {
                let diagnostic = diagnostic.at(traversal.span.clone().or_else(|| template.span().cloned()));
                diagnostics.push(match place.block() {
                    Some(block) => diagnostic.on(&block.address),
                    None => diagnostic,
                });
            }
        }
    }

    fn traversal(&self, traversal: &Traversal, place: Place<'_>) -> Option<Diagnostic> {
        let steps = traversal.steps();
        let Some(Step::Key(root)) = steps.first() else { return None };
        let name = match steps.get(1) {
            Some(Step::Key(name)) => Some(name.as_str()),
            _ => None,
        };
        let early = match place {
            Place::Early(section) => Some(section),
            _ => None,
        };
        match (root.as_str(), early) {
            ("var", _) => self.variable(name),
            ("env", _) if traversal.segments.len() > 1 => Some(
                Diagnostic::error("S3S-R1", "`env` is the environment's name, a text, and has nothing in it")
                    .help("write `env` alone, or `var.NAME` for a value that differs by environment"),
            ),
            ("env", _) => None,
            (root, Some(section)) if ROOTS.contains(&root) || self.services.contains(root) => Some(
                Diagnostic::error("S3S-R5", format!("{} cannot be named in {section}", called(root)))
                    .note("these are read before anything else is known")
                    .help("use `var` or `env`"),
            ),
            ("each", None) => each(name, place),
            (root, None)
                if let Some(key) = place.decides_for_good()
                    && (["module", "lookup"].contains(&root) || self.services.contains(root)) =>
            {
                Some(undecided(root, key))
            }
            ("module", None) => self.module(steps.get(1..).unwrap_or_default()),
            ("lookup", None) => self.lookup(steps.get(1..).unwrap_or_default()),
            ("remote", None) => self.remote(name),
            ("stack", None) => one_of("stack", name, &["name"]),
            ("aws", None) => one_of("aws", name, &AWS),
            ("self", None) => match place {
                Place::Decided(_, key) => Some(undecided(root, key)),
                Place::Block(_, schema) => match steps.get(1..) {
                    Some([]) | None => Some(
                        Diagnostic::error("S3S-R1", "`self` needs a property or an attribute")
                            .help("write `self.NAME`"),
                    ),
                    Some(rest) => member("self", schema, rest),
                },
                _ => Some(
                    Diagnostic::error("S3S-R5", "`self` is the block an expression stands in, and here is none")
                        .help("write the resource's address"),
                ),
            },
            (root, None) if self.services.contains(root) => self.resource(&steps),
            (root, _) => {
                let known = ROOTS.iter().copied().chain(self.services.iter().map(String::as_str));
                let help = match did_you_mean(root, known) {
                    None if self.variables.contains_key(root) => format!("a variable is named `var.{root}`"),
                    None => self.called_here(root),
                    Some(near) => format!("did you mean `{near}`?"),
                };
                Some(Diagnostic::error("S3S-R1", format!("there is nothing named `{root}`")).help(help))
            }
        }
    }

    /// What a name that other tools have is called here.
    fn called_here(&self, root: &str) -> String {
        let address = root.strip_prefix("aws_").and_then(|rest| {
            self.types.names().into_iter().find(|name| rest == name.replace('.', "_")).map(str::to_owned)
        });
        match (root, address) {
            (_, Some(type_name)) => format!("write {type_name}.NAME"),
            ("local" | "locals", _) => {
                "write a value that is used more than once under [var], and `var.NAME` here".into()
            }
            ("terraform" | "workspace", _) => "the environment's name is `env`".into(),
            ("data", _) => {
                "account, region and partition are `aws.account_id`, `aws.region` and `aws.partition`".into()
            }
            ("path", _) => "paths are relative to the stack's folder as they are".into(),
            _ => "there are var, env, stack, aws, self, module and the addresses of resources".into(),
        }
    }

    fn variable(&self, name: Option<&str>) -> Option<Diagnostic> {
        let Some(name) = name else {
            return Some(Diagnostic::error("S3S-R2", "`var` needs the name of a variable").help("write `var.NAME`"));
        };
        self.used.borrow_mut().insert(name.to_owned());
        match self.variables.contains_key(name) {
            true => None,
            false => Some(self.no_variable(name)),
        }
    }

    /// Says that a variable is not declared.
    pub fn no_variable(&self, name: &str) -> Diagnostic {
        let help = match did_you_mean(name, self.variables.keys().map(String::as_str)) {
            Some(near) => format!("did you mean `var.{near}`?"),
            None => format!("declare it: {name} = … under [var]"),
        };
        Diagnostic::error("S3S-R2", format!("there is no variable `{name}`")).help(help)
    }

    fn resource(&self, steps: &[Step]) -> Option<Diagnostic> {
        let [Step::Key(service), Step::Key(kind), Step::Key(name), rest @ ..] = steps else {
            let written = steps.iter().filter_map(|step| match step {
                Step::Key(key) => Some(key.as_str()),
                Step::Index(_) => None,
            });
            let written = written.collect::<Vec<_>>().join(".");
            return Some(
                Diagnostic::error("S3S-R1", format!("`{written}` is no address"))
                    .help("write `service.type.name`, such as `s3.bucket.data`"),
            );
        };
        let type_name = format!("{service}.{kind}");
        let Some(schema) = self.types.schema(&type_name) else {
            let help = match did_you_mean(&type_name, self.types.names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", self.types.names().join(", ")),
            };
            return Some(Diagnostic::error("S3S-R1", format!("there is no resource type {type_name}")).help(help));
        };
        let address = Address::root(&*type_name, &**name);
        let Some(block) = self.blocks.get(&address) else { return Some(self.no_block(&address)) };
        match (&block.reserved.for_each, rest) {
            (None, rest) => member(&address.to_string(), schema, rest),
            // The first step is an instance's key; whether there is such a one shows when `for_each` is evaluated.
            (Some(_), [_, rest @ ..]) => member(&address.to_string(), schema, rest),
            (Some(_), []) => None,
        }
    }

    /// Checks what comes after `module`.
    fn module(&self, steps: &[Step]) -> Option<Diagnostic> {
        let code = "S3S-R12";
        let Some((Step::Key(name), rest)) = steps.split_first() else {
            let diagnostic = Diagnostic::error(code, "`module` needs the name of a module and of an output");
            return Some(diagnostic.help("write `module.NAME.OUTPUT`"));
        };
        let Some(module) = self.modules.get(name) else { return Some(self.no_module(name)) };
        let content = module.content.as_ref()?;
        let (called, rest) = match (&module.for_each, rest) {
            // The first step is an instance's key; whether there is such a one shows when `for_each` is evaluated.
            (Some(_), [Step::Key(key), rest @ ..]) => (ModulePath::default().step(name, Some(key)).to_string(), rest),
            _ => (format!("module.{name}."), rest),
        };
        let output = match rest {
            [Step::Key(output), ..] => output,
            _ => return None,
        };
        if content.outputs.contains_key(output) {
            return None;
        }
        let known: Vec<&str> = content.outputs.keys().map(String::as_str).collect();
        let near = did_you_mean(output, known.iter().copied());
        let is_inside = self.services.contains(output) || ["var", "module"].contains(&output.as_str());
        let help = match near {
            Some(near) => format!("did you mean `{called}{near}`?"),
            None if is_inside => {
                format!("what is in a module is named by its outputs: write one under [output] in {}", content.folder)
            }
            None if known.is_empty() => format!("it has no outputs: write one under [output] in {}", content.folder),
            None => format!("there {} {}", if known.len() == 1 { "is" } else { "are" }, known.join(", ")),
        };
        let message = format!("{} has no output `{output}`", called.trim_end_matches('.'));
        Some(Diagnostic::error(code, message).help(help))
    }

    /// Checks what comes after `remote`; which outputs there are is known when they are read.
    fn remote(&self, name: Option<&str>) -> Option<Diagnostic> {
        let code = "S3S-R14";
        match name {
            _ if self.whole == Whole::Module => Some(
                Diagnostic::error("S3S-R5", "`remote` cannot be named in a module")
                    .help("name it in the stack, and give its value to the module: `var.NAME = \"${remote.…}\"`"),
            ),
            Some(name) if self.remotes.contains_key(name) => None,
            Some(name) => {
                let diagnostic = Diagnostic::error(code, format!("there is no remote `{name}`"));
                Some(match did_you_mean(name, self.remotes.keys().map(String::as_str)) {
                    Some(near) => diagnostic.help(format!("did you mean `remote.{near}`?")),
                    None => diagnostic.help(format!("add [remote.{name}] with the `path` of the other stack")),
                })
            }
            None => {
                Some(Diagnostic::error(code, "`remote` needs the name of a remote").help("write `remote.NAME.OUTPUT`"))
            }
        }
    }

    /// Checks what comes after `lookup`.
    fn lookup(&self, steps: &[Step]) -> Option<Diagnostic> {
        let [Step::Key(service), Step::Key(kind), Step::Key(name), rest @ ..] = steps else {
            let diagnostic = Diagnostic::error("S3S-R1", "`lookup` needs the type and the name of a lookup");
            return Some(diagnostic.help("write `lookup.SERVICE.TYPE.NAME`, such as `lookup.s3.bucket.logs`"));
        };
        let type_name = format!("{service}.{kind}");
        let plain = Address::root(&*type_name, &**name);
        let address = Address::new(Parts { lookup: true, ..Parts::clone(&plain) });
        let Some(block) = self.lookups.get(&address) else {
            let help = match address_meant(&address, self.lookups.keys()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if self.blocks.contains_key(&plain) => format!("it is a block of this stack: write `{plain}`"),
                None => format!("add [{address}] with what it is found by"),
            };
            return Some(Diagnostic::error("S3S-R3", format!("there is no {address} in this stack")).help(help));
        };
        let schema = self.types.schema(&type_name)?;
        let rest = match (&block.for_each, rest) {
            (Some(_), [_, rest @ ..]) => rest,
            (_, rest) => rest,
        };
        if let Some(Step::Key(member)) = rest.first() {
            self.members.borrow_mut().entry(address.clone()).or_default().insert(member.clone());
        }
        member(&address.to_string(), schema, rest)
    }

    /// Says that a module is not there.
    fn no_module(&self, name: &str) -> Diagnostic {
        let help = match did_you_mean(name, self.modules.keys().map(String::as_str)) {
            Some(near) => format!("did you mean `module.{near}`?"),
            None => format!("add [module.{name}] with the folder of the module as its `source`"),
        };
        Diagnostic::error("S3S-R12", format!("there is no module `{name}`")).help(help)
    }

    /// What is wrong with a target of `depends_on`: it is not there.
    pub fn no_target(&self, target: &Target) -> Option<Diagnostic> {
        match target {
            Target::Resource(address) if address.module.0.is_empty() => {
                (!self.blocks.contains_key(&address.block())).then(|| self.no_block(&address.block()))
            }
            Target::Module(path) if path.0.len() == 1 => {
                let name = &path.0.first()?.name;
                (!self.modules.contains_key(name)).then(|| self.no_module(name))
            }
            inside => {
                let diagnostic = Diagnostic::error("S3S-R5", format!("{inside} is inside of a module"));
                Some(diagnostic.help("name the whole module, such as \"module.core\""))
            }
        }
    }

    /// Says that a block is not there.
    pub fn no_block(&self, address: &Address) -> Diagnostic {
        let written = address.to_string();
        let near = address_meant(address, self.blocks.keys());
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("add [{written}], or name another"),
        };
        Diagnostic::error("S3S-R3", format!("there is no {written} in this stack")).help(help)
    }
}

/// What is wrong with what an expression names that would stand in `[output]`.
pub fn check_output(template: &Template, types: &dyn Types, stack: &Stack) -> Diagnostics {
    let mut found = Diagnostics::default();
    Names::new(types, stack, Whole::Stack).check(template, Place::Output, &mut found);
    found
}

/// What a traversal from a root names: an address begins with a service, which says nothing to anybody.
fn called(root: &str) -> String {
    if ROOTS.contains(&root) { format!("`{root}`") } else { "a resource".into() }
}

/// Says that something cannot be named where it is decided which resources there are.
fn undecided(root: &str, key: &str) -> Diagnostic {
    Diagnostic::error("S3S-R5", format!("{} cannot be named in `{key}`", called(root)))
        .note("It says which resources there are, and is read before any of them.")
        .help("use `var`, `env`, `stack` or `aws`")
}

/// `each` stands for the instance, where a block has several.
fn each(name: Option<&str>, place: Place<'_>) -> Option<Diagnostic> {
    let wrong = |what: &str| Some(Diagnostic::error("S3S-R5", format!("`each` stands for one of several, and {what}")));
    match (place, place.several()) {
        (Place::Decided(_, "for_each"), _) => wrong("`for_each` says which there are").map(|one| one.help("use `var`")),
        (_, Some(several)) if several.for_each() => one_of("each", name, &["key", "value"]),
        (_, Some(_)) => wrong("this block has no `for_each`")
            .map(|one| one.help("add `for_each = …` with a map or a list, or take `each` out")),
        (_, None) => wrong("here is no block").map(|one| one.help("name one of them")),
    }
}

fn one_of(root: &str, name: Option<&str>, known: &[&str]) -> Option<Diagnostic> {
    match name {
        Some(name) if known.contains(&name) => None,
        _ => {
            let written = name.map_or_else(|| root.to_owned(), |name| format!("{root}.{name}"));
            let near = name.and_then(|name| did_you_mean(name, known.iter().copied()));
            let help = match near {
                Some(near) => format!("did you mean `{root}.{near}`?"),
                None => {
                    let all: Vec<String> = known.iter().map(|name| format!("`{root}.{name}`")).collect();
                    format!("there {} {}", if all.len() == 1 { "is" } else { "are" }, all.join(", "))
                }
            };
            Some(Diagnostic::error("S3S-R1", format!("there is no `{written}`")).help(help))
        }
    }
}

/// Checks the steps after a resource: a property or an attribute, and as far into it as its shape is known.
fn member(resource: &str, schema: &Schema, steps: &[Step]) -> Option<Diagnostic> {
    let (first, rest) = steps.split_first()?;
    let Step::Key(name) = first else {
        return Some(
            Diagnostic::error("S3S-R4", format!("{resource} is one resource, not a list"))
                .help(format!("write `{resource}.NAME`")),
        );
    };
    let missing = |what: &str, name: &str, known: Vec<&str>| {
        let help = match did_you_mean(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", known.join(", ")),
        };
        Some(Diagnostic::error("S3S-R4", format!("{what} has no property or attribute `{name}`")).help(help))
    };
    if schema.attributes.contains_key(name) {
        return None;
    }
    let Some(property) = schema.properties.get(name) else {
        let known = schema.attributes.keys().chain(schema.properties.keys()).map(String::as_str).collect();
        return missing(resource, name, known);
    };
    let (mut shape, mut what) = (&property.shape, format!("{resource}.{name}"));
    for step in rest {
        if let (Step::Key(key), Some(fields)) = (step, object_fields(shape))
            && !fields.contains_key(key)
        {
            return missing(&what, key, fields.keys().map(String::as_str).collect());
        }
        let inner = shape.step(step)?;
        shape = &inner.shape;
        if let Step::Key(key) = step {
            what = format!("{what}.{key}");
        }
    }
    None
}

/// Writes bare addresses where the schema wants references as the expressions they are: `s3.bucket.data` as
/// `${s3.bucket.data}`. Everything after this knows one kind of reference.
pub(super) struct Rewriter<'a> {
    pub types: &'a dyn Types,
    pub problems: Vec<Problem>,
}

impl Rewriter<'_> {
    /// Rewrites a block's properties.
    pub fn body(&mut self, body: &mut Table, schema: &Schema) {
        for (name, entry) in body {
            if let Some(property) = schema.properties.get(name) {
                self.node(&mut entry.node, &property.shape, &Path::of(name));
            }
        }
    }

    /// Rewrites one value of a shape.
    pub fn node(&mut self, node: &mut Node, shape: &Shape, path: &Path) {
        match &mut node.kind {
            NodeKind::Text(template) => {
                if let (Some(rules), Some(text)) = (reference_rules(shape), template.literal())
                    && self.is_reference(text, rules, path)
                    && let Some(expression) = expression(text, &node.span)
                {
                    *template = expression;
                }
            }
            NodeKind::List(list) => {
                for (at, item) in list.iter_mut().enumerate() {
                    if let Some(property) = shape.step(&Step::Index(at)) {
                        self.node(item, &property.shape, &path.index(at));
                    }
                }
            }
            NodeKind::Table(table) => {
                for (name, entry) in table {
                    if let Some(property) = shape.step(&Step::Key(name.clone())) {
                        self.node(&mut entry.node, &property.shape, &path.key(name));
                    }
                }
            }
            NodeKind::Bool(_) | NodeKind::Integer(_) | NodeKind::Float(_) | NodeKind::Broken => {}
        }
    }

    fn is_reference(&mut self, text: &str, rules: &ReferenceRules, path: &Path) -> bool {
        let names_root = |root: &str| text.strip_prefix(root).is_some_and(|rest| rest.starts_with('.'));
        if REFERENCE_ROOTS.iter().any(|root| names_root(root)) {
            return true;
        }
        let address = text.parse::<Address>().ok();
        if let Some(address) = &address
            && self.types.schema(address.type_name.as_str()).is_some()
        {
            return true;
        }
        if rules.literal.as_deref().is_some_and(|pattern| validate::matches(pattern, text)) {
            return false;
        }
        // What is no literal either gets the message that fits; the validator would only say that it is no address.
        let mut parts = text.split('.');
        let type_name = [parts.next().unwrap_or_default(), parts.next().unwrap_or_default()].join(".");
        match (address, self.types.schema(&type_name)) {
            (None, Some(_)) => {
                if let Some(name) = parts.next() {
                    let name = name.split(['[', '/']).next().unwrap_or_default();
                    self.refuse(path, text, format!("write the resource alone: \"{type_name}.{name}\""));
                }
            }
            (Some(_), None) => {
                if let Some(near) = did_you_mean(&type_name, self.types.names()) {
                    self.refuse(path, text, format!("did you mean {near}?"));
                }
            }
            _ => {}
        }
        false
    }

    fn refuse(&mut self, path: &Path, text: &str, help: String) {
        self.problems
            .push(Problem::new("S3S-W6", path, format!("`{text}` is not the address of a resource")).help(help));
    }
}

/// The rules of the reference that a text of this shape is.
fn reference_rules(shape: &Shape) -> Option<&ReferenceRules> {
    match shape {
        Shape::Reference(rules) => Some(rules),
        Shape::Choice(shapes) => shapes.iter().find_map(|shape| match shape {
            Shape::Reference(rules) => Some(rules),
            _ => None,
        }),
        _ => None,
    }
}

/// The text as an expression, with every place in it where the file has it.
fn expression(text: &str, token: &Span) -> Option<Template> {
    Template::parse(&format!("${{{text}}}"), &Origin::of_toml_string(token.clone()).led_by(2)).ok()
}
