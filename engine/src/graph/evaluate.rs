//! Evaluates properties and attributes, each when it is first asked for.
//!
//! Evaluation is lazy property by property, because blocks may name each other: `s3.bucket.logs` logs into
//! `s3.bucket.access_logs`, whose name is made from the name of the first.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::build::Inputs;
use super::frames::{Each, Frame, FrameId, Within, earlier};
use super::instances::Declared;
use super::lookups::Sought;
use super::named::{Named, Noted};
use super::names::default_name;
use super::scope::{BlockScope, Owner};
use crate::address::{Address, Path, Step, Target};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity, Span};
use crate::expression::{Budget, Scope};
use crate::resource::{Facts, ResourceType};
use crate::schema::{Property, Shape};
use crate::stack::{MAX_DIAGNOSTICS, Node, broken, evaluate_at};
use crate::state::Instance;
use crate::value::{Map, Unknown, Value};

/// One thing that is evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot {
    /// A property or, behind `=`, an attribute of a resource.
    Member(Address, String),
    /// An input or output of a module, or what a `for_each` goes over.
    Named(Named),
}

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
    /// The stack itself, and each use of a module.
    pub frames: Vec<Frame<'a>>,
    /// The resources that the blocks declare, by address.
    pub declared: BTreeMap<Address, Declared<'a>>,
    /// What is only looked up, by address.
    pub sought: BTreeMap<Address, Sought<'a>>,
    /// Everything found wrong.
    pub diagnostics: RefCell<Diagnostics>,
    /// Properties as written, with references as [`Value::Reference`]; those that are null are left out.
    raw: RefCell<Values>,
    /// Properties and attributes with references resolved.
    values: RefCell<Values>,
    /// Inputs and outputs of modules, and what each `for_each` goes over.
    pub named: RefCell<HashMap<Named, Rc<Noted>>>,
    /// Whether it is still being found out which resources there are: none of them has a value yet.
    pub deciding: Cell<bool>,
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
            frames: vec![Frame::root(inputs.stack, &inputs.facts)],
            declared: BTreeMap::new(),
            sought: BTreeMap::new(),
            diagnostics: RefCell::default(),
            raw: RefCell::default(),
            values: RefCell::default(),
            named: RefCell::default(),
            deciding: Cell::new(true),
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

    /// Where a resource is; that of a global type still names a region.
    pub fn facts_of(&self, address: &Address) -> &Facts {
        if let Some(sought) = self.sought.get(address) {
            return &sought.facts;
        }
        self.declared.get(address).map_or(&self.inputs.facts, |declared| &declared.facts)
    }

    /// The instance of a block, under its own address or an earlier one.
    pub fn instance(&self, address: &Address) -> Option<&'a Instance> {
        let instances = &self.inputs.state.instances;
        instances.get(address).or_else(|| self.earlier(address).iter().find_map(|(from, _)| instances.get(from)))
    }

    /// The addresses that a resource had before, and who says so.
    pub fn earlier(&self, address: &Address) -> Vec<(Address, &'a Span)> {
        let declared = self.declared.get(address);
        declared.map(|declared| earlier(&self.frames, address, declared)).unwrap_or_default()
    }

    /// The files that a resource's block may name: those of its module.
    pub fn files_of(&self, address: &Address) -> Within<'a> {
        let frame = self.declared.get(address).and_then(|declared| self.frames.get(declared.frame));
        Within::new(self.inputs.files, frame.map_or("", |frame| &frame.stack.folder))
    }

    /// Whether a resource is in the stack, or looked up.
    pub fn is_there(&self, address: &Address) -> bool {
        self.declared.contains_key(address) || self.sought.contains_key(address)
    }

    /// From here on resources have values. What was evaluated before without them is forgotten where it lacks them.
    pub fn decided(&self) {
        self.deciding.set(false);
        self.named.borrow_mut().retain(|_, noted| noted.value.is_known());
    }

    /// Whether a block makes a resource for each key of a `for_each`.
    pub fn is_several(&self, frame: FrameId, block: &Address) -> bool {
        let stack = self.frames.get(frame).map(|frame| frame.stack);
        stack.is_some_and(|stack| stack.for_each_of(&Target::Resource(block.clone())).is_some())
    }

    /// The resources that such a block makes, by their keys: in order they stand right behind its own address.
    pub fn each_of<'s>(&'s self, block: &'s Address) -> impl Iterator<Item = (&'s str, &'s Address)> {
        let of_block = |at: &Address| {
            at.name == block.name
                && at.type_name == block.type_name
                && at.module == block.module
                && at.lookup == block.lookup
        };
        // Of the two only one knows addresses of its kind.
        let declared = self.declared.range(block.clone()..).map(|(address, _)| address);
        let sought = self.sought.range(block.clone()..).map(|(address, _)| address);
        let all = declared.take_while(move |at| of_block(at)).chain(sought.take_while(move |at| of_block(at)));
        all.filter_map(|at| Some((at.key.as_deref()?, at)))
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
        // One mistake may be met twice: by the check of a block, and by what is computed from it. And by each instance, and
        // by each use of a module.
        let block = |one: &Diagnostic| one.address.as_ref().map(|address| address.block().inside());
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
                Some(entry) => self.node(&entry.node, &Path::of(name), address),
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
        if address.lookup {
            return self.looked_up(address, name);
        }
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
            kind.predict(name, self.facts_of(address), &mut |property| self.property(address, property))
        })
    }

    /// Evaluates a slot once; a slot that needs itself is a cycle.
    pub fn once(&self, address: &Address, name: &str, evaluate: impl FnOnce() -> Value) -> Value {
        if let Some(value) = find(&self.values.borrow(), address, name) {
            return value.clone();
        }
        if let Err(circle) = self.begin(Slot::Member(address.clone(), name.to_owned())) {
            let block = self.declared.get(address).map(|declared| declared.block);
            let entry = block.and_then(|block| block.body.get(name)).map(|entry| entry.key_span.clone());
            let place = entry.or_else(|| block.map(|block| block.span.clone()));
            self.report(circle.at(place).on(address));
            return poison(address, name);
        }
        let value = evaluate();
        self.end();
        put(&mut self.values.borrow_mut(), address, name, value.clone());
        value
    }

    /// Begins with a slot, unless that needs itself, or too many wait for it already: then says so.
    pub fn begin(&self, slot: Slot) -> Result<(), Diagnostic> {
        let mut under_way = self.under_way.borrow_mut();
        let called = |slot: &Slot| match slot {
            Slot::Member(address, name) => format!("{address}.{}", name.trim_start_matches('=')),
            Slot::Named(named) => self.called(named),
        };
        if let Some(begun) = under_way.iter().position(|other| *other == slot) {
            let words: Vec<String> = under_way.iter().skip(begun).chain([&slot]).map(called).collect();
            let message = format!("this is made from itself: {}", words.join(" → "));
            return Err(Diagnostic::error("S3S-R9", message).help("write one of these values out"));
        }
        if under_way.len() >= MAX_CHAIN {
            let message =
                format!("{} is at the end of a chain of {MAX_CHAIN} values made from each other", called(&slot));
            return Err(Diagnostic::error("S3S-E05", message).help("make these values from a variable instead"));
        }
        under_way.push(slot);
        Ok(())
    }

    /// Ends what was begun last.
    pub fn end(&self) {
        self.under_way.borrow_mut().pop();
    }

    fn default(&self, kind: &dyn ResourceType, address: &Address, name: &str, property: &Property) -> Value {
        if let Some(naming) = kind.descriptor().naming.filter(|naming| naming.property == name) {
            // A name that AWS already has wins over the one that would be made today: renaming the block or the stack
            // is no reason to replace a bucket.
            let existing = self.instance(address).filter(|instance| !instance.named);
            return match existing.and_then(|instance| instance.attributes.get(name)) {
                Some(name) => name.clone(),
                None => default_name(self.facts_of(address), address, &naming).into(),
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
    pub fn resolve_references(&self, value: Value, property: &Property, path: &Path, owner: &Address) -> Value {
        match (value, &property.shape) {
            (Value::Reference(address), shape) => {
                self.references.borrow_mut().entry(owner.clone()).or_default().insert(path.clone(), address.clone());
                match reference_attribute(shape) {
                    Some(attribute) if self.is_there(&address) => self.attribute(&address, attribute),
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

    /// Evaluates a part of a resource's block.
    pub fn node(&self, node: &Node, path: &Path, owner: &Address) -> Value {
        let Some(declared) = self.declared.get(owner) else { return broken() };
        self.evaluate(node, path, &Owner::Resource(owner.clone()), declared.frame, declared.each.as_ref())
    }

    /// Evaluates a reserved key: it may name `each`, and makes no edge.
    pub fn reserved(&self, node: &Node, name: &str, frame: FrameId, each: Option<&Rc<Each>>) -> Value {
        self.evaluate(node, &Path::of(name), &Owner::Nobody, frame, each)
    }

    /// Evaluates a node in a frame. Errors are reported, and what is wrong becomes unknown so that it causes no more.
    pub fn evaluate(&self, node: &Node, path: &Path, owner: &Owner, frame: FrameId, each: Option<&Rc<Each>>) -> Value {
        let scope_at = |path: &Path| -> Box<dyn Scope + '_> {
            Box::new(BlockScope {
                evaluator: self,
                frame,
                owner: owner.clone(),
                each: each.cloned(),
                path: path.clone(),
            })
        };
        let result = evaluate_at(node, path, &scope_at, &self.budget);
        result.unwrap_or_else(|found| {
            for mut diagnostic in found.0 {
                diagnostic.span.get_or_insert_with(|| node.span.clone());
                diagnostic.address = diagnostic.address.or_else(|| owner.resource().cloned());
                self.report(diagnostic);
            }
            broken()
        })
    }

    /// Notes that a resource names another in a property.
    pub fn note_edge(&self, owner: &Address, to: &Address, path: &Path) {
        // Nothing waits for what is there already.
        if owner == to || to.lookup {
            return;
        }
        let mut edges = self.edges.borrow_mut();
        let paths = edges.entry(owner.clone()).or_default().entry(to.clone()).or_default();
        if !paths.contains(path) {
            paths.push(path.clone());
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
