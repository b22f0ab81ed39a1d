//! Which resources there are: one for a block, or one for each key of its `for_each`, where `when` does not switch it off.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::evaluate::Evaluator;
use crate::address::{Address, Parts, Path};
use crate::diagnostic::{Diagnostic, Span};
use crate::stack::{Block, MAX_VALUES, Node, is_broken};
use crate::value::Value;

/// One of several: what `each` stands for.
#[derive(Debug)]
pub struct Each {
    pub key: String,
    pub value: Value,
}

/// One resource as its block declares it, before anything of it is evaluated.
#[derive(Clone)]
pub struct Declared<'a> {
    pub block: &'a Block,
    /// Under `for_each`.
    pub each: Option<Rc<Each>>,
}

impl Declared<'_> {
    /// The addresses that this resource had before.
    pub fn moved_from(&self) -> Vec<Address> {
        let reserved = &self.block.reserved;
        let Some(each) = &self.each else {
            return reserved.moved_from.iter().map(|(from, _)| from.clone()).collect();
        };
        let own = reserved.moved_keys.get(&each.key).map(|(from, _)| from.clone());
        let keyed = reserved.moved_from.iter().map(|(from, _)| instance(from, &each.key));
        own.into_iter().chain(keyed).collect()
    }
}

/// The address of a block's instance.
pub fn instance(block: &Address, key: &str) -> Address {
    Address::new(Parts { key: Some(key.to_owned()), ..Parts::clone(block) })
}

/// All resources of the stack.
pub fn all<'a>(evaluator: &Evaluator<'a>) -> BTreeMap<Address, Declared<'a>> {
    let mut declared = BTreeMap::new();
    for (address, block) in &evaluator.inputs.stack.blocks {
        let Some(for_each) = &block.reserved.for_each else {
            if is_on(evaluator, block, None) {
                declared.insert(address.clone(), Declared { block, each: None });
            }
            continue;
        };
        let value = evaluator.reserved(for_each, "for_each", None);
        if is_broken(&value) {
            continue;
        }
        match instances(value) {
            Ok(instances) if declared.len().saturating_add(instances.len()) > MAX_VALUES => {
                let message = format!("the stack has more than {MAX_VALUES} resources");
                refuse(evaluator, block, for_each, ("S3S-P2", message, "split the stack into several".into()));
                return declared;
            }
            Ok(instances) => {
                for each in instances.into_iter().map(Rc::new) {
                    if is_on(evaluator, block, Some(&each)) {
                        let address = instance(address, &each.key);
                        declared.insert(address, Declared { block, each: Some(each) });
                    }
                }
            }
            Err(wrong) => refuse(evaluator, block, for_each, wrong),
        }
    }
    declared
}

/// Code, message and next step.
type Wrong = (&'static str, String, String);

fn refuse(evaluator: &Evaluator<'_>, block: &Block, node: &Node, (code, message, help): Wrong) {
    let place: Span = node.span.clone();
    let diagnostic = Diagnostic::error(code, message).at(place).on(&block.address).property(&Path::of("for_each"));
    evaluator.report(diagnostic.help(help));
}

/// What `for_each` makes of a value: the keys and values of a map, or the texts of a list, each its own key.
fn instances(value: Value) -> Result<Vec<Each>, Wrong> {
    const CODE: &str = "S3S-R10";
    let wrong = |message: String, help: &str| Err((CODE, message, help.to_owned()));
    const MAP: &str =
        "give it a map, or a list of texts; `{ for one in list : one.name => one }` makes a map of a list";
    let each = match value {
        Value::Map(map) => map.into_iter().map(|(key, value)| Each { key, value }).collect::<Vec<_>>(),
        Value::List(list) => {
            let mut seen = BTreeSet::new();
            let mut each = Vec::with_capacity(list.len());
            for value in list {
                let Value::String(key) = &value else {
                    let kind = value.kind();
                    return match value.is_known() && !value.is_sensitive() {
                        true => wrong(format!("`for_each` takes a list of texts, and in this one is {kind}"), MAP),
                        false => wrong("`for_each` must be known, and no secret, in all its parts".into(), KNOWN),
                    };
                };
                if !seen.insert(key.clone()) {
                    let message = format!("`for_each` has \"{key}\" twice, and each is the name of one resource");
                    return wrong(message, "take one of them out, or write `distinct(…)` round the list");
                }
                each.push(Each { key: key.clone(), value });
            }
            each
        }
        Value::Null => return wrong("`for_each` is null".into(), "an empty map, `{}`, makes no resource"),
        Value::Unknown(_) => return wrong("`for_each` must be known before anything is planned".into(), KNOWN),
        Value::Secret(_) => return wrong("`for_each` is a secret, and its keys are shown in addresses".into(), KNOWN),
        other => return wrong(format!("`for_each` takes a map, and this is {}", other.kind()), MAP),
    };
    if each.iter().any(|one| one.key.is_empty()) {
        return wrong("`for_each` has an empty key".into(), "a key is part of the resource's address and name");
    }
    Ok(each)
}

const KNOWN: &str = "make it from variables and texts that the stack says";

/// Whether `when` leaves a resource in the stack. What it says wrong was told, and leaves it in.
fn is_on(evaluator: &Evaluator<'_>, block: &Block, each: Option<&Rc<Each>>) -> bool {
    let Some(when) = &block.reserved.when else { return true };
    match evaluator.reserved(when, "when", each) {
        Value::Bool(on) => on,
        other if is_broken(&other) => true,
        other => {
            evaluator.report(
                Diagnostic::error("S3S-R6", format!("`when` must be true or false, this is {}", other.kind()))
                    .at(when.span.clone())
                    .on(&block.address)
                    .note("It is decided before anything is planned, so it may use var, env, stack and aws only.")
                    .help("write true or false, or a comparison such as ${env == \"prod\"}"),
            );
            true
        }
    }
}
