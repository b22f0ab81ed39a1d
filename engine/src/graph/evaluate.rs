//! Evaluates properties and attributes, each when it is first asked for.
//!
//! Evaluation is lazy property by property, because blocks may name each other: `s3.bucket.logs` logs into
//! `s3.bucket.access_logs`, whose name is made from the name of the first.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::build::Inputs;
use super::instances::{Declared, Each, instance};
use super::names::default_name;
use crate::address::{Address, Path, Step};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity, Span, did_you_mean};
use crate::expression::{Budget, Question, Scope, answer};
use crate::resource::{Facts, ResourceType};
use crate::schema::{Property, Shape};
use crate::stack::{MAX_DIAGNOSTICS, Node, broken, evaluate_at};
use crate::state::Instance;
use crate::value::{Map, Unknown, Value};

/// One thing that is evaluated: a property or attribute of a resource.
type Slot = (Address, String);

/// Values by resource and by name. In two steps, because a stack has many more names than resources.
type Values = HashMap<Address, HashMap<String, Value>>;

fn find<'v>(values: &'v Values, address: &Address, name: &str) -> Option<&'v Value> {
    values.get(address)?.get(name)
}

fn put(values: &mut Values, address: &Address, name: &str, value: Value) {
    match values.get_mut(address) {
        Some(of) => of.insert(name.to_owned(), value),
        None => values.entry(address.clone()).or_default().insert(name.to_owned(), value),
    };
}

/// Most properties and attributes that may wait for each other in a row: each takes some of the program's stack.
const MAX_CHAIN: usize = 100;

/// Evaluates a stack.
pub struct Evaluator<'a> {
    pub inputs: &'a Inputs<'a>,
    /// The resources that the blocks declare, by address.
    pub declared: BTreeMap<Address, Declared<'a>>,
    /// Everything found wrong.
    pub diagnostics: RefCell<Diagnostics>,
    /// Properties as written, with references as [`Value::Reference`]; those that are null are left out.
    raw: RefCell<Values>,
    /// Properties and attributes with references resolved.
    values: RefCell<Values>,
    /// What is being evaluated, outermost first.
    under_way: RefCell<Vec<Slot>>,
    /// Who names whom, and in which property.
    edges: RefCell<BTreeMap<Address, BTreeMap<Address, Vec<Path>>>>,
    /// Which resource stands at which path of reference properties.
    references: RefCell<BTreeMap<Address, BTreeMap<Path, Address>>>,
    budget: Budget,
    /// How many errors were found beyond those that are told.
    pub more: Cell<usize>,
}

impl<'a> Evaluator<'a> {
    pub fn new(inputs: &'a Inputs<'a>) -> Self {
        Self {
            inputs,
            declared: BTreeMap::new(),
            diagnostics: RefCell::default(),
            raw: RefCell::default(),
            values: RefCell::default(),
            under_way: RefCell::default(),
            edges: RefCell::default(),
            references: RefCell::default(),
            budget: Budget::default(),
            more: Cell::default(),
        }
    }

    pub fn kind(&self, address: &Address) -> Option<&'a dyn ResourceType> {
        self.inputs.registry.get(address.type_name.as_str())
    }

    /// The facts for a resource; those of a global type still name the stack's region.
    pub fn facts(&self) -> &Facts {
        &self.inputs.facts
    }

    /// The instance of a block, under its own address or an earlier one.
    pub fn instance(&self, address: &Address) -> Option<&'a Instance> {
        let instances = &self.inputs.state.instances;
        instances
            .get(address)
            .or_else(|| self.declared.get(address)?.moved_from().iter().find_map(|from| instances.get(from)))
    }

    /// Whether a block makes a resource for each key of a `for_each`.
    pub fn is_several(&self, block: &Address) -> bool {
        self.inputs.stack.blocks.get(block).is_some_and(|one| one.reserved.for_each.is_some())
    }

    /// The resources that such a block makes, by their keys: in order they stand right behind its own address.
    pub fn each_of<'s>(&'s self, block: &'s Address) -> impl Iterator<Item = (&'s str, &'s Address)> {
        let of_block =
            |at: &Address| at.name == block.name && at.type_name == block.type_name && at.module == block.module;
        let behind = self.declared.range(block.clone()..).map(|(address, _)| address);
        behind.take_while(move |at| of_block(at)).filter_map(|at| Some((at.key.as_deref()?, at)))
    }

    pub fn edges_of(&self, address: &Address) -> BTreeMap<Address, Vec<Path>> {
        self.edges.borrow().get(address).cloned().unwrap_or_default()
    }

    pub fn references_of(&self, address: &Address) -> BTreeMap<Path, Address> {
        self.references.borrow().get(address).cloned().unwrap_or_default()
    }

    pub fn raw_of(&self, address: &Address, name: &str) -> Value {
        self.property(address, name);
        find(&self.raw.borrow(), address, name).cloned().unwrap_or_default()
    }

    pub fn report(&self, diagnostic: Diagnostic) {
        let mut diagnostics = self.diagnostics.borrow_mut();
        if diagnostics.0.len() >= MAX_DIAGNOSTICS && diagnostic.severity == Severity::Error {
            self.more.set(self.more.get() + 1);
            return;
        }
        // One mistake may be met twice: by the check of a block, and by what is computed from it. And by each instance.
        let block = |one: &Diagnostic| one.address.as_ref().map(Address::block);
        let is_told = |told: &Diagnostic| {
            told.span == diagnostic.span
                && told.message == diagnostic.message
                && (told == &diagnostic || (told.path == diagnostic.path && block(told) == block(&diagnostic)))
        };
        if !diagnostics.0.iter().any(is_told) {
            diagnostics.push(diagnostic);
        }
    }

    /// A property, defaults and stack tags included; null when there is none.
    pub fn property(&self, address: &Address, name: &str) -> Value {
        self.once(address, name, || {
            let (Some(declared), Some(kind)) = (self.declared.get(address), self.kind(address)) else {
                return Value::Null;
            };
            let Some(property) = kind.schema().properties.get(name) else { return Value::Null };
            let written = match declared.block.body.get(name) {
                Some(entry) => self.node(&entry.node, &Path::of(name), Some(address)),
                None => Value::Null,
            };
            let raw = if written.is_null() { self.default(kind, address, name, property) } else { written };
            let raw = if name == "tags" && kind.descriptor().taggable { self.with_stack_tags(raw) } else { raw };
            if !raw.is_null() {
                put(&mut self.raw.borrow_mut(), address, name, raw.clone());
            }
            self.resolve_references(raw, property, &Path::of(name), address)
        })
    }

    /// An attribute, or a property of that name.
    pub fn attribute(&self, address: &Address, name: &str) -> Value {
        let Some(kind) = self.kind(address) else { return Value::Null };
        let Some(attribute) = kind.schema().attributes.get(name) else { return self.property(address, name) };
        if attribute.made_by_aws {
            let known = self.instance(address).filter(|_| !self.inputs.forget.contains(address));
            return known.and_then(|instance| instance.attributes.get(name)).cloned().unwrap_or_else(|| {
                Value::from(Unknown::Attribute {
                    address: address.clone(),
                    name: name.to_owned(),
                    sensitive: attribute.sensitive,
                })
            });
        }
        // An attribute may be predicted from a property of its own name, so the two have separate slots.
        self.once(address, &format!("={name}"), || {
            kind.predict(name, self.facts(), &mut |property| self.property(address, property))
        })
    }

    /// Evaluates a slot once; a slot that needs itself is a cycle.
    fn once(&self, address: &Address, name: &str, evaluate: impl FnOnce() -> Value) -> Value {
        if let Some(value) = find(&self.values.borrow(), address, name) {
            return value.clone();
        }
        let slot = (address.clone(), name.to_owned());
        let begun = self.under_way.borrow().iter().position(|other| *other == slot);
        if let Some(begun) = begun {
            let words: Vec<String> = self.under_way.borrow()[begun..]
                .iter()
                .chain([&slot])
                .map(|(address, name)| format!("{address}.{}", name.trim_start_matches('=')))
                .collect();
            let span = self
                .declared
                .get(address)
                .and_then(|declared| declared.block.body.get(name).map(|entry| entry.key_span.clone()));
            self.report(
                Diagnostic::error("S3S-R9", format!("this is made from itself: {}", words.join(" → ")))
                    .at(span)
                    .on(address)
                    .help("write one of these values out"),
            );
            return poison(address, name);
        }
        if self.under_way.borrow().len() >= MAX_CHAIN {
            self.report(
                Diagnostic::error(
                    "S3S-E05",
                    format!("{address} is at the end of a chain of {MAX_CHAIN} values made from each other"),
                )
                .at(self.declared.get(address).map(|declared| declared.block.span.clone()))
                .on(address)
                .help("make these values from a variable instead"),
            );
            return poison(address, name);
        }
        self.under_way.borrow_mut().push(slot);
        let value = evaluate();
        self.under_way.borrow_mut().pop();
        put(&mut self.values.borrow_mut(), address, name, value.clone());
        value
    }

    fn default(&self, kind: &dyn ResourceType, address: &Address, name: &str, property: &Property) -> Value {
        if let Some(naming) = kind.descriptor().naming.filter(|naming| naming.property == name) {
            // A name that AWS already has wins over the one that would be made today: renaming the block or the stack
            // is no reason to replace a bucket.
            let existing = self.instance(address).filter(|instance| !instance.named);
            return match existing.and_then(|instance| instance.attributes.get(name)) {
                Some(name) => name.clone(),
                None => default_name(self.facts(), address, &naming).into(),
            };
        }
        property.default.clone().unwrap_or_default()
    }

    fn with_stack_tags(&self, tags: Value) -> Value {
        let own = match tags {
            Value::Map(map) => map,
            Value::Null => Map::new(),
            other => return other,
        };
        let all: Map = self.inputs.tags.clone().into_iter().chain(own).collect();
        if all.is_empty() { Value::Null } else { Value::Map(all) }
    }

    /// Replaces references by the attribute that stands for them, where the schema names one.
    fn resolve_references(&self, value: Value, property: &Property, path: &Path, owner: &Address) -> Value {
        match (value, &property.shape) {
            (Value::Reference(address), shape) => {
                self.references.borrow_mut().entry(owner.clone()).or_default().insert(path.clone(), address.clone());
                match reference_attribute(shape) {
                    Some(attribute) if self.declared.contains_key(&address) => self.attribute(&address, attribute),
                    _ => Value::Reference(address),
                }
            }
            (Value::List(list), shape) => Value::List(
                list.into_iter()
                    .enumerate()
                    .map(|(at, item)| match shape.step(&Step::Index(at)) {
                        Some(inner) => self.resolve_references(item, inner, &path.index(at), owner),
                        None => item,
                    })
                    .collect(),
            ),
            (Value::Map(map), shape) => Value::Map(
                map.into_iter()
                    .map(|(key, item)| {
                        let item = match shape.step(&Step::Key(key.clone())) {
                            Some(inner) => self.resolve_references(item, inner, &path.key(key.clone()), owner),
                            None => item,
                        };
                        (key, item)
                    })
                    .collect(),
            ),
            (value, _) => value,
        }
    }

    /// Evaluates a part of a resource's block, or of no block's. Errors are reported, and what is wrong becomes unknown so
    /// that it causes no more.
    pub fn node(&self, node: &Node, path: &Path, owner: Option<&Address>) -> Value {
        let each = owner.and_then(|owner| self.declared.get(owner)?.each.clone());
        self.evaluate(node, path, owner, each)
    }

    /// Evaluates a reserved key: it may name `each`, and makes no edge.
    pub fn reserved(&self, node: &Node, name: &str, each: Option<&Rc<Each>>) -> Value {
        self.evaluate(node, &Path::of(name), None, each.cloned())
    }

    fn evaluate(&self, node: &Node, path: &Path, owner: Option<&Address>, each: Option<Rc<Each>>) -> Value {
        let scope_at = |path: &Path| -> Box<dyn Scope + '_> {
            Box::new(BlockScope { evaluator: self, owner: owner.cloned(), each: each.clone(), path: path.clone() })
        };
        let result = evaluate_at(node, path, &scope_at, &self.budget);
        result.unwrap_or_else(|found| {
            for mut diagnostic in found.0 {
                diagnostic.span.get_or_insert_with(|| node.span.clone());
                diagnostic.address = diagnostic.address.or_else(|| owner.cloned());
                self.report(diagnostic);
            }
            broken()
        })
    }

    fn note_edge(&self, owner: Option<&Address>, to: &Address, path: &Path) {
        if let Some(owner) = owner.filter(|owner| *owner != to) {
            let mut edges = self.edges.borrow_mut();
            let paths = edges.entry(owner.clone()).or_default().entry(to.clone()).or_default();
            if !paths.contains(path) {
                paths.push(path.clone());
            }
        }
    }
}

/// Stands for what could not be evaluated, so that one mistake is reported once.
fn poison(address: &Address, name: &str) -> Value {
    Value::from(Unknown::Attribute { address: address.clone(), name: name.to_owned(), sensitive: false })
}

fn reference_attribute(shape: &Shape) -> Option<&str> {
    match shape {
        Shape::Reference(rules) => rules.attribute.as_deref(),
        Shape::Choice(shapes) => shapes.iter().find_map(reference_attribute),
        _ => None,
    }
}

/// What names mean inside one block, or in an output.
struct BlockScope<'s> {
    evaluator: &'s Evaluator<'s>,
    owner: Option<Address>,
    each: Option<Rc<Each>>,
    path: Path,
}

impl BlockScope<'_> {
    fn missing(&self, span: Option<&Span>, what: String, help: Option<String>) -> Box<Diagnostic> {
        let mut diagnostic = Diagnostic::error("S3S-R1", what).at(span.cloned());
        diagnostic.help = help;
        Box::new(diagnostic)
    }

    /// A resource, or what comes after its address: the value, and how many steps it took from the root.
    fn resource(&self, block: &Address, rest: &[&str], span: Option<&Span>) -> Result<(Value, usize), Box<Diagnostic>> {
        let evaluator = self.evaluator;
        let several = evaluator.is_several(block);
        let (address, rest, used) = match rest {
            [key, rest @ ..] if several => (instance(block, key), rest, 4),
            [] if several => return Ok((self.instances(block), 3)),
            rest => (block.clone(), rest, 3),
        };
        if !evaluator.declared.contains_key(&address) {
            return Err(self.absent(&address, block, span));
        }
        match rest {
            [member, ..] => Ok((self.member(&address, member, span)?, used + 1)),
            [] => {
                evaluator.note_edge(self.owner.as_ref(), &address, &self.path);
                Ok((Value::Reference(address), used))
            }
        }
    }

    /// All instances of a block, by their keys.
    fn instances(&self, block: &Address) -> Value {
        let evaluator = self.evaluator;
        let references = evaluator.each_of(block).map(|(key, address)| {
            evaluator.note_edge(self.owner.as_ref(), address, &self.path);
            (key.to_owned(), Value::Reference(address.clone()))
        });
        Value::Map(references.collect())
    }

    /// Says why there is no such resource.
    fn absent(&self, address: &Address, block: &Address, span: Option<&Span>) -> Box<Diagnostic> {
        let evaluator = self.evaluator;
        let written = evaluator.inputs.stack.blocks.get(block);
        let Some(written) = written else {
            let all: Vec<String> = evaluator.declared.keys().map(ToString::to_string).collect();
            let near = did_you_mean(&address.to_string(), all.iter().map(String::as_str));
            let help = near.map(|near| format!("did you mean `{near}`?"));
            return self.missing(span, format!("there is no {address}"), help);
        };
        let Some(key) = written.reserved.for_each.as_ref().and(address.key.as_deref()) else {
            let help = "name it only where it is on: give this the same `when`, or write `try(…, null)`";
            return self.missing(span, format!("{address} is switched off by its `when`"), Some(help.into()));
        };
        let keys: Vec<&str> = evaluator.each_of(block).map(|(key, _)| key).collect();
        let schema = evaluator.kind(block).map(|kind| kind.schema());
        let is_member = schema.is_some_and(|one| one.attributes.contains_key(key) || one.properties.contains_key(key));
        let help = match (keys.first(), did_you_mean(key, keys.iter().copied())) {
            (None, _) => "its `for_each` is empty, or its `when` leaves none".to_owned(),
            (Some(first), _) if is_member => {
                format!(
                    "it has several: write `{}.{key}` for one of them, or `{block}[*].{key}`",
                    instance(block, first)
                )
            }
            (_, Some(near)) => format!("did you mean `{}`?", instance(block, near)),
            _ => {
                let some: Vec<String> = keys.iter().take(8).map(|key| format!("\"{key}\"")).collect();
                format!("its keys are {}{}", some.join(", "), if keys.len() > 8 { " and more" } else { "" })
            }
        };
        self.missing(span, format!("there is no {address}"), Some(help))
    }

    fn member(&self, address: &Address, name: &str, span: Option<&Span>) -> Result<Value, Box<Diagnostic>> {
        let evaluator = self.evaluator;
        let Some(kind) = evaluator.kind(address) else {
            return Err(self.missing(span, format!("there is no {address}"), None));
        };
        let schema = kind.schema();
        let known = schema.attributes.get(name).is_some_and(|one| !one.note)
            || schema.properties.get(name).is_some_and(|one| !one.derived);
        if !known {
            let names = schema.attributes.keys().chain(schema.properties.keys()).map(String::as_str);
            let help = did_you_mean(name, names).map(|near| format!("did you mean `{near}`?"));
            return Err(self.missing(span, format!("{} has no attribute `{name}`", address.type_name), help));
        }
        evaluator.note_edge(self.owner.as_ref(), address, &self.path);
        Ok(evaluator.attribute(address, name))
    }
}

impl Scope for BlockScope<'_> {
    fn resolve(&self, steps: &[Step], span: Option<&Span>) -> Result<(Value, usize), Box<Diagnostic>> {
        let evaluator = self.evaluator;
        let facts = evaluator.facts();
        let words: Vec<&str> = steps
            .iter()
            .map_while(|step| match step {
                Step::Key(key) => Some(key.as_str()),
                Step::Index(_) => None,
            })
            .collect();
        let of = |names: &[&str], given: &str, root: &str| {
            let help = did_you_mean(given, names.iter().copied()).map(|near| format!("did you mean `{root}.{near}`?"));
            self.missing(span, format!("there is no `{root}.{given}`"), help)
        };
        match words.as_slice() {
            ["var", name, ..] => match evaluator.inputs.variables.get(*name) {
                Some(value) => Ok((value.clone(), 2)),
                None => {
                    let names: Vec<&str> = evaluator.inputs.variables.keys().map(String::as_str).collect();
                    Err(of(&names, name, "var"))
                }
            },
            ["env", ..] => Ok((facts.environment.clone().into(), 1)),
            ["stack", "name", ..] => Ok((facts.stack.clone().into(), 2)),
            ["stack", name, ..] => Err(of(&["name"], name, "stack")),
            ["aws", "account_id", ..] => Ok((facts.account_id.clone().into(), 2)),
            ["aws", "region", ..] => Ok((facts.region.clone().into(), 2)),
            ["aws", "partition", ..] => Ok((facts.partition.clone().into(), 2)),
            ["aws", name, ..] => Err(of(&["account_id", "region", "partition"], name, "aws")),
            ["each", name, ..] => match (&self.each, *name) {
                (Some(each), "key") => Ok((each.key.clone().into(), 2)),
                (Some(each), "value") => Ok((each.value.clone(), 2)),
                (Some(_), name) => Err(of(&["key", "value"], name, "each")),
                (None, _) => Err(self.missing(span, "`each` stands for one of several, and here is one".into(), None)),
            },
            ["self", name, ..] => match &self.owner {
                Some(owner) => Ok((self.member(owner, name, span)?, 2)),
                None => Err(self.missing(span, "`self` stands for a resource, and here is none".into(), None)),
            },
            [service, kind, name, rest @ ..]
                if evaluator.inputs.registry.get(&format!("{service}.{kind}")).is_some() =>
            {
                self.resource(&Address::root(format!("{service}.{kind}"), *name), rest, span)
            }
            _ => {
                let shown = words.iter().take(3).copied().collect::<Vec<_>>().join(".");
                Err(self.missing(
                    span,
                    format!("`{shown}` is not a name in scope"),
                    Some("there are var, env, stack, aws, self, and addresses such as s3.bucket.data".into()),
                ))
            }
        }
    }

    fn attribute(&self, resource: &Address, name: &str, span: Option<&Span>) -> Result<Value, Box<Diagnostic>> {
        self.member(resource, name, span)
    }

    fn file(&self, question: Question, path: &str) -> Result<Value, Box<Diagnostic>> {
        answer(self.evaluator.inputs.files, question, path)
    }
}
