//! What names mean inside one block, in an output, or in what a module is given.

use std::cell::RefCell;
use std::rc::Rc;

use super::evaluate::Evaluator;
use super::frames::{Each, Frame, FrameId, Uses};
use super::instances::{instance, keys};
use super::named::{ByPath, Names, Noted, at, shown};
use crate::address::{Address, ModulePath, Parts, Path, Step, Target};
use crate::diagnostic::{Diagnostic, Span, did_you_mean};
use crate::expression::{Question, Scope, answer};
use crate::stack::{Node, broken};
use crate::value::{Map, Unknown, Value};

/// What names mean inside one block, or in an output.
pub struct BlockScope<'s, 'a> {
    pub evaluator: &'s Evaluator<'a>,
    /// Where the block stands.
    pub frame: FrameId,
    /// Whose value is evaluated.
    pub owner: Owner,
    /// Which of several it is.
    pub each: Option<Rc<Each>>,
    /// Where in the value.
    pub path: Path,
}

/// Whose value is evaluated: it waits for the resources that the value names.
#[derive(Clone)]
pub enum Owner {
    /// A resource.
    Resource(Address),
    /// A value that has a name itself; whoever uses it waits.
    Named(Rc<RefCell<Names>>),
    /// Nothing waits.
    Nobody,
}

impl Owner {
    /// The resource, if it is one.
    pub fn resource(&self) -> Option<&Address> {
        match self {
            Self::Resource(address) => Some(address),
            Self::Named(_) | Self::Nobody => None,
        }
    }
}

impl BlockScope<'_, '_> {
    fn missing(&self, span: Option<&Span>, what: String, help: Option<String>) -> Box<Diagnostic> {
        let mut diagnostic = Diagnostic::error("S3S-R1", what).at(span.cloned());
        diagnostic.help = help;
        Box::new(diagnostic)
    }

    /// Notes that the owner has a property or attribute of a resource in it.
    fn note_member(&self, address: &Address) {
        match &self.owner {
            Owner::Resource(owner) => self.evaluator.note_edge(owner, address, &self.path),
            Owner::Named(names) => self.put(&mut names.borrow_mut().members, address),
            Owner::Nobody => {}
        }
    }

    /// Notes that the owner names a resource as a whole.
    fn note_whole(&self, address: &Address) {
        match &self.owner {
            Owner::Resource(owner) => self.evaluator.note_edge(owner, address, &self.path),
            Owner::Named(names) => self.put(&mut names.borrow_mut().wholes, address),
            Owner::Nobody => {}
        }
    }

    fn put(&self, names: &mut ByPath, address: &Address) {
        names.entry(self.path.clone()).or_default().insert(address.clone());
    }

    /// The part of a value that has a name at `steps`, and how many of them it took; the owner names what it names.
    fn recall(&self, noted: &Noted, steps: &[Step]) -> (Value, usize) {
        at(&noted.names.members, steps).for_each(|address| self.note_member(address));
        if !noted.value.is_known() {
            // What is computed later may have any of them in it.
            at(&noted.names.wholes, steps).for_each(|address| self.note_whole(address));
        }
        let (value, used) = part(&noted.value, steps);
        self.note_references(&value);
        (value, used)
    }

    /// Notes the resources that stand in a value.
    fn note_references(&self, value: &Value) {
        value.walk(&Path::default(), &mut |_, part| {
            if let Value::Reference(address) = part {
                self.note_whole(address);
            }
        });
    }

    /// A resource, or what comes after its address: the value, and how many steps it took from the root.
    fn resource(&self, local: &Address, rest: &[&str], span: Option<&Span>) -> Found {
        let evaluator = self.evaluator;
        if evaluator.deciding.get() && !self.is_looked_up(local, rest) {
            if local.lookup {
                // It will be found before this is evaluated for a plan.
                return Ok((broken(), 4));
            }
            let stack = self.here().stack;
            let target = Target::Resource(local.clone());
            let when = stack.blocks.get(local).is_some_and(|block| block.reserved.when.is_some());
            let of = stack.for_each_of(&target).filter(|_| !when);
            return Ok((self.undecided_all(of.map(|node| (target, node)), rest.is_empty()), 3));
        }
        let several = evaluator.is_several(self.frame, local);
        let block = &local.within(&self.here().path);
        let (address, rest, used) = match rest {
            [key, rest @ ..] if several => (instance(block, key), rest, 4),
            [] if several => return Ok((self.instances(block), 3)),
            rest => (block.clone(), rest, 3),
        };
        if !evaluator.is_there(&address) {
            return Err(self.absent(&address, local, block, span));
        }
        match rest {
            [member, ..] => Ok((self.member(&address, member, span)?, used + 1)),
            [] => {
                self.note_whole(&address);
                Ok((Value::Reference(address), used))
            }
        }
    }

    /// Whether this was looked up already, so that even what there is may depend on it.
    fn is_looked_up(&self, local: &Address, rest: &[&str]) -> bool {
        if !local.lookup {
            return false;
        }
        let (evaluator, block) = (self.evaluator, local.within(&self.here().path));
        let found = |address: &Address| evaluator.inputs.lookups.contains_key(address);
        match (evaluator.is_several(self.frame, local), rest.first()) {
            (false, _) => found(&block),
            (true, Some(key)) => found(&instance(&block, key)),
            (true, None) => evaluator.each_of(&block).all(|(_, one)| found(one)),
        }
    }

    /// What blocks are worth while it is being found out which there are. Of all instances of one, if they are asked for, at
    /// least the keys can be said: so one `for_each` may go over another.
    fn undecided_all(&self, of: Option<(Target, &Node)>, all: bool) -> Value {
        let Some((target, node)) = of.filter(|_| all) else { return undecided() };
        match keys(&self.evaluator.collection(self.frame, &target, node).value) {
            Ok(keys) => Value::Map(keys.into_iter().map(|key| (key, undecided())).collect()),
            // It is told where that block's instances are made.
            Err(_) => broken(),
        }
    }

    fn here(&self) -> &Frame<'_> {
        // Frame 0 is always there, and no scope is made for one that is not.
        self.evaluator.frames.get(self.frame).unwrap_or(&self.evaluator.frames[0])
    }

    /// All instances of a block, by their keys.
    fn instances(&self, block: &Address) -> Value {
        let references = self.evaluator.each_of(block).map(|(key, address)| {
            self.note_whole(address);
            (key.to_owned(), Value::Reference(address.clone()))
        });
        Value::Map(references.collect())
    }

    /// What comes after `module`: an output, or all of them.
    fn module(&self, name: &str, steps: &[Step], span: Option<&Span>) -> Found {
        if self.evaluator.deciding.get() {
            let block = self.here().stack.modules.get(name).filter(|block| block.when.is_none());
            let path = ModulePath::default().step(name, None);
            let of = block.and_then(|block| Some((Target::Module(path), block.for_each.as_ref()?)));
            return Ok((self.undecided_all(of, steps.len() == 2), 2));
        }
        let frame = self.here();
        let called = ModulePath(frame.path.0.clone()).step(name, None);
        match (frame.modules.get(name), frame.stack.modules.get(name)) {
            (_, None) => Err(self.missing(span, format!("there is no {}", shown(&called)), None)),
            // It could not be read, which was told.
            (_, Some(block)) if block.content.is_none() => Ok((broken(), 2)),
            (None | Some(Uses::Off), Some(_)) => {
                let help = "name it only where it is on: give this the same `when`, or write `try(…, null)`";
                Err(self.missing(span, format!("{} is switched off by its `when`", shown(&called)), Some(help.into())))
            }
            (Some(Uses::One(of)), Some(_)) => self.outputs(*of, steps, 2, span),
            (Some(Uses::Several(all)), Some(_)) => match steps.get(2) {
                Some(Step::Key(key)) => match all.get(key) {
                    Some(of) => self.outputs(*of, steps, 3, span),
                    None => {
                        let keys = all.keys().map(String::as_str);
                        let help = no_key(&shown(&called), key, keys.collect());
                        Err(self.missing(span, format!("there is no {}[\"{key}\"]", shown(&called)), Some(help)))
                    }
                },
                _ => {
                    let each = |(key, of): (&String, &FrameId)| Ok((key.clone(), self.outputs(*of, &[], 0, span)?.0));
                    let all = all.iter().map(each).collect::<Result<Map, Box<Diagnostic>>>()?;
                    Ok((Value::Map(all), 2))
                }
            },
        }
    }

    /// The output that the step at `used` names, or all outputs where there is none.
    fn outputs(&self, of: FrameId, steps: &[Step], used: usize, span: Option<&Span>) -> Found {
        let evaluator = self.evaluator;
        let Some(frame) = evaluator.frames.get(of) else { return Ok((broken(), used)) };
        let known = &frame.stack.outputs;
        let Some(Step::Key(name)) = steps.get(used) else {
            let all = known.keys().filter_map(|name| {
                let noted = evaluator.output(of, name)?;
                Some((name.clone(), self.recall(&noted, &[]).0))
            });
            return Ok((Value::Map(all.collect()), used));
        };
        match evaluator.output(of, name) {
            Some(noted) => {
                let (value, more) = self.recall(&noted, steps.get(used + 1..).unwrap_or_default());
                Ok((value, used + 1 + more))
            }
            None => {
                let near = did_you_mean(name, known.keys().map(String::as_str));
                let help = near.map(|near| format!("did you mean `{near}`?"));
                let diagnostic = self.missing(span, format!("{} has no output `{name}`", shown(&frame.path)), help);
                Err(Box::new(Diagnostic { code: "S3S-R12", ..*diagnostic }))
            }
        }
    }

    /// The value of a variable.
    fn variable(&self, name: &str, steps: &[Step], span: Option<&Span>) -> Found {
        let evaluator = self.evaluator;
        let after = steps.get(2..).unwrap_or_default();
        if let Some(noted) = evaluator.input(self.frame, name) {
            let (value, more) = self.recall(&noted, after);
            return Ok((value, 2 + more));
        }
        let given = Some(&evaluator.inputs.variables).filter(|_| self.frame == 0);
        if let Some(value) = given.and_then(|given| given.get(name)) {
            let (value, more) = part(value, after);
            if !evaluator.deciding.get() {
                self.note_references(&value);
            }
            return Ok((value, 2 + more));
        }
        let near = did_you_mean(name, self.here().stack.variables.keys().map(String::as_str));
        let help = near.map(|near| format!("did you mean `var.{near}`?"));
        Err(self.missing(span, format!("there is no `var.{name}`"), help))
    }

    /// An output of another stack.
    fn remote(&self, name: &str, steps: &[Step], span: Option<&Span>) -> Found {
        let Some(outputs) = self.evaluator.inputs.remotes.get(name) else { return Ok((broken(), 2)) };
        let Some(Step::Key(output)) = steps.get(2) else { return Ok((Value::Map(outputs.clone()), 2)) };
        match outputs.get(output) {
            Some(value) => {
                let (value, more) = part(value, steps.get(3..).unwrap_or_default());
                Ok((value, 3 + more))
            }
            None => {
                let known: Vec<&str> = outputs.keys().map(String::as_str).collect();
                let help = match did_you_mean(output, known.iter().copied()) {
                    Some(near) => format!("did you mean `remote.{name}.{near}`?"),
                    None if known.is_empty() => "it stored none; sensitive outputs are not stored".to_owned(),
                    None => format!("it stored {}; sensitive outputs are not stored", known.join(", ")),
                };
                let diagnostic = self.missing(span, format!("[remote.{name}] has no output `{output}`"), Some(help));
                Err(Box::new(Diagnostic { code: "S3S-R14", ..*diagnostic }))
            }
        }
    }

    /// `each.value`.
    fn each_value(&self, each: &Each, steps: &[Step]) -> (Value, usize) {
        let frames = &self.evaluator.frames;
        let stack = frames.get(each.frame).map(|frame| frame.stack);
        let node = stack.and_then(|stack| stack.for_each_of(&each.of));
        let Some(node) = node else { return (broken(), 2) };
        let noted = self.evaluator.collection(each.frame, &each.of, node);
        let mut way = vec![Step::Key(each.key.clone())];
        way.extend(steps.iter().skip(2).cloned());
        match &noted.value {
            Value::Map(_) => {
                let (value, used) = self.recall(&noted, &way);
                (value, used + 1)
            }
            // An element of a list is its own key.
            _ => (each.key.clone().into(), 2),
        }
    }

    /// Says why there is no such resource.
    fn absent(&self, address: &Address, local: &Address, block: &Address, span: Option<&Span>) -> Box<Diagnostic> {
        let evaluator = self.evaluator;
        let stack = self.here().stack;
        if !stack.blocks.contains_key(local) && !stack.lookups.contains_key(local) {
            let all: Vec<String> = evaluator.declared.keys().map(ToString::to_string).collect();
            let near = did_you_mean(&address.to_string(), all.iter().map(String::as_str));
            let help = near.map(|near| format!("did you mean `{near}`?"));
            return self.missing(span, format!("there is no {address}"), help);
        };
        let for_each = stack.for_each_of(&Target::Resource(local.clone()));
        let Some(key) = for_each.and(address.key.as_deref()) else {
            let help = "name it only where it is on: give this the same `when`, or write `try(…, null)`";
            return self.missing(span, format!("{address} is switched off by its `when`"), Some(help.into()));
        };
        let keys: Vec<&str> = evaluator.each_of(block).map(|(key, _)| key).collect();
        let schema = evaluator.kind(block).map(|kind| kind.schema());
        let is_member = schema.is_some_and(|one| one.attributes.contains_key(key) || one.properties.contains_key(key));
        let help = match keys.first() {
            Some(first) if is_member => {
                let one = instance(block, first);
                let help = format!("write `{one}.{key}` for one of them, or `{block}[*].{key}` for all");
                return self.missing(
                    span,
                    format!("{block} makes several resources, and here one is meant"),
                    Some(help),
                );
            }
            _ => no_key(&block.to_string(), key, keys),
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
        self.note_member(address);
        Ok(evaluator.attribute(address, name))
    }
}

impl Scope for BlockScope<'_, '_> {
    fn resolve(&self, steps: &[Step], span: Option<&Span>) -> Result<(Value, usize), Box<Diagnostic>> {
        let evaluator = self.evaluator;
        let facts = match self.owner.resource() {
            Some(owner) => evaluator.facts_of(owner),
            None => &*self.here().facts,
        };
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
            ["var", name, ..] => self.variable(name, steps, span),
            ["module", name, ..] => self.module(name, steps, span),
            ["remote", name, ..] => self.remote(name, steps, span),
            ["env", ..] => Ok((facts.environment.clone().into(), 1)),
            ["stack", "name", ..] => Ok((facts.stack.clone().into(), 2)),
            ["stack", name, ..] => Err(of(&["name"], name, "stack")),
            ["aws", "account_id", ..] => Ok((facts.account_id.clone().into(), 2)),
            ["aws", "region", ..] => Ok((facts.region.clone().into(), 2)),
            ["aws", "partition", ..] => Ok((facts.partition.clone().into(), 2)),
            ["aws", name, ..] => Err(of(&["account_id", "region", "partition"], name, "aws")),
            ["each", name, ..] => match (&self.each, *name) {
                (Some(each), "key") => Ok((each.key.clone().into(), 2)),
                (Some(each), "value") => Ok(self.each_value(each, steps)),
                (Some(_), name) => Err(of(&["key", "value"], name, "each")),
                (None, _) => Err(self.missing(span, "`each` stands for one of several, and here is one".into(), None)),
            },
            ["self", name, ..] => match self.owner.resource() {
                Some(owner) => Ok((self.member(owner, name, span)?, 2)),
                None => Err(self.missing(span, "`self` stands for a resource, and here is none".into(), None)),
            },
            ["lookup", service, kind, name, rest @ ..] => {
                let plain = Address::root(format!("{service}.{kind}"), *name);
                let address = Address::new(Parts { lookup: true, ..Parts::clone(&plain) });
                self.resource(&address, rest, span).map(|(value, used)| (value, used + 1))
            }
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
        answer(&self.here().files(self.evaluator.inputs.files), question, path)
    }
}

/// A value, and how many steps it took from the root.
type Found = Result<(Value, usize), Box<Diagnostic>>;

/// What a resource is worth while it is being found out which there are.
fn undecided() -> Value {
    Value::from(Unknown::Expression { source: "…".to_owned(), scope: Map::new() })
}

/// The part of a value that plain steps lead to, and how many of them: a copy of the part is cheaper than one of the
/// whole. Where they lead nowhere, the one who goes on from there says so.
fn part(value: &Value, steps: &[Step]) -> (Value, usize) {
    let (mut part, mut used) = (value, 0);
    for step in steps {
        let next = match (part, step) {
            (Value::Map(map), Step::Key(key)) => map.get(key),
            (Value::List(list), Step::Index(index)) => list.get(*index),
            _ => None,
        };
        let Some(next) = next else { break };
        (part, used) = (next, used + 1);
    }
    (part.clone(), used)
}

/// What to do about a key that nothing has.
fn no_key(block: &str, key: &str, keys: Vec<&str>) -> String {
    match did_you_mean(key, keys.iter().copied()) {
        _ if keys.is_empty() => "its `for_each` is empty, or its `when` leaves none".to_owned(),
        Some(near) => format!("did you mean `{block}[\"{near}\"]`?"),
        None => {
            let some: Vec<String> = keys.iter().take(8).map(|key| format!("\"{key}\"")).collect();
            format!("its keys are {}{}", some.join(", "), if keys.len() > 8 { " and more" } else { "" })
        }
    }
}
