//! Finds out which blocks are resources that state knows under another address.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::graph::{Graph, Node};
use crate::state::{Deposed, Instance, State};
use crate::value::{Map, Value};

/// Moves by new address.
pub type Moves = BTreeMap<Address, Address>;

/// The moves of a stack: those the file declares with `moved_from`, and those that equal type, account, region and
/// physical id prove. A block without a name of its own whose address changed would get another default name, so a
/// deletion and a creation of equal properties is refused: the user says whether it is a move.
pub fn moves(graph: &Graph, state: &State) -> (Moves, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    let mut moves = Moves::new();
    let mut taken = BTreeSet::new();
    let is_gone = |address: &Address| state.instances.contains_key(address) && !graph.nodes.contains_key(address);
    let fresh = || graph.nodes.iter().filter(|(address, _)| !state.instances.contains_key(*address));

    for (address, node) in fresh() {
        let Some(from) = node.moved_from.iter().find(|from| is_gone(from)) else { continue };
        if from.type_name != address.type_name {
            diagnostics.push(
                Diagnostic::error("S3S-M1", format!("{address} cannot have been {from}: their types differ"))
                    .at(node.span.clone())
                    .on(address),
            );
        } else if !taken.insert(from.clone()) {
            diagnostics.push(
                Diagnostic::error("S3S-M2", format!("two blocks say that they were {from}"))
                    .at(node.span.clone())
                    .on(address)
                    .help("leave `moved_from` in one of them"),
            );
        } else {
            moves.insert(address.clone(), from.clone());
        }
    }
    for (address, node) in fresh().filter(|(address, _)| !moves.contains_key(*address)).collect::<Vec<_>>() {
        let same = state.instances.iter().find(|(from, instance)| {
            is_gone(from) && !taken.contains(*from) && same_thing(address, node, from, instance)
        });
        if let Some((from, _)) = same {
            taken.insert(from.clone());
            moves.insert(address.clone(), from.clone());
        }
    }
    for (address, node) in fresh().filter(|(address, node)| !moves.contains_key(*address) && !node.named) {
        let twin = state.instances.iter().find(|(from, instance)| {
            is_gone(from)
                && !taken.contains(*from)
                && !instance.named
                && from.type_name == address.type_name
                && same_but_for_names(instance, node)
        });
        if let Some((from, _)) = twin {
            diagnostics.push(
                Diagnostic::error("S3S-M3", format!("is {address} the old {from}, or a new resource?"))
                    .at(node.span.clone())
                    .on(address)
                    .note(format!(
                        "{from} is gone from the file and {address} is new with the same properties. Its name was made from \
                         its address, so without a word from you the old one would be deleted with all it holds."
                    ))
                    .help(format!(
                        "if it was renamed, write `moved_from = \"{from}\"` into the block; if it is new, give it a `name`"
                    )),
            );
        }
    }
    (moves, diagnostics)
}

/// The state with replaced resources put back under their address where the file wants their physical id again (a rename
/// that was cut short and then taken back): what had taken their place is to be deleted instead. Without this, making the
/// name anew would wait for deleting what still has all its children.
pub fn reinstated<'a>(mut state: Cow<'a, State>, graph: &Graph) -> Cow<'a, State> {
    for (address, node) in &graph.nodes {
        let wanted = |deposed: &Deposed| {
            deposed.address == *address && same_thing(address, node, &deposed.address, &deposed.instance)
        };
        let Some(at) = state.deposed.iter().position(wanted) else { continue };
        let state = state.to_mut();
        let old = state.deposed.remove(at);
        if let Some(current) = state.instances.insert(address.clone(), old.instance) {
            state.deposed.push(Deposed { address: address.clone(), instance: current });
        }
    }
    state
}

fn same_thing(address: &Address, node: &Node, from: &Address, instance: &Instance) -> bool {
    from.type_name == address.type_name
        && node.account == instance.account
        && (node.region.is_empty() || node.region == instance.region)
        && matches!(&node.physical_id, Value::String(id) if *id == instance.physical_id)
}

/// Whether state and file say the same of two resources, each under its own default name. That name stands in other
/// properties too (a bucket's policy holds its ARN), and a secret is only a mark in state: neither tells two apart.
fn same_but_for_names(instance: &Instance, node: &Node) -> bool {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let mut names: Vec<(String, String)> = instance
        .attributes
        .iter()
        .filter_map(|(key, old)| Some((text(Some(old))?, text(node.resource.attributes.get(key))?)))
        .chain(text(Some(&node.physical_id)).map(|new| (instance.physical_id.clone(), new)))
        .filter(|(old, new)| !old.is_empty() && old != new)
        .collect();
    // An ARN before the name that it ends with.
    names.sort_by_key(|(old, _)| std::cmp::Reverse(old.len()));
    let mut unnamed = |value: Value| match value {
        Value::Secret(_) => Value::Null,
        Value::String(text) if text.starts_with(SEALED) => Value::Null,
        Value::String(text) => {
            Value::String(names.iter().fold(text, |text, (old, new)| text.replace(old.as_str(), new.as_str())))
        }
        value => value,
    };
    let mut plain = |map: Map| match Value::Map(map).rebuild(&mut unnamed) {
        Value::Map(map) => map,
        _ => Map::new(),
    };
    plain(instance.managed.clone()) == plain(stored_form(node))
}

/// How the mark of a secret begins.
const SEALED: &str = "hmac-sha256:";

fn stored_form(node: &Node) -> Map {
    node.managed.iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The state with the moves carried out: what the rest of planning compares with.
pub fn moved(state: &State, moves: &Moves) -> State {
    let mut state = state.clone();
    let back: BTreeMap<&Address, &Address> = moves.iter().map(|(to, from)| (from, to)).collect();
    let instances = std::mem::take(&mut state.instances);
    for (address, mut instance) in instances {
        instance.waits_for =
            instance.waits_for.iter().map(|other| (*back.get(other).unwrap_or(&other)).clone()).collect();
        let address = back.get(&address).map_or(address.clone(), |to| (*to).clone());
        state.instances.insert(address, instance);
    }
    state
}
