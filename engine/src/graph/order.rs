//! Finds resources that wait for each other.

use std::collections::BTreeMap;

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;

use super::model::Node;
use crate::address::Address;
use crate::diagnostic::{Diagnostic, Diagnostics};

/// Reports each group of resources that wait for each other, as a path that comes back to where it began.
pub fn cycles(nodes: &BTreeMap<Address, Node>, diagnostics: &mut Diagnostics) {
    let mut graph: DiGraphMap<&Address, ()> = DiGraphMap::new();
    for (address, node) in nodes {
        for other in node.waits_for.keys() {
            graph.add_edge(address, other, ());
        }
    }
    for group in tarjan_scc(&graph).into_iter().filter(|group| group.len() > 1) {
        let Some(start) = group.iter().min().copied() else { continue };
        let path = around(&graph, start, &group);
        let words: Vec<String> = path.iter().map(ToString::to_string).collect();
        let node = nodes.get(start);
        let mut diagnostic = Diagnostic::error("S3S-R9", format!("these wait for each other: {}", words.join(" → ")))
            .at(node.and_then(|node| node.span.clone()))
            .on(start)
            .help("take one of these references out, or write the name itself where only the name is needed");
        for pair in path.windows(2) {
            if let [from, to] = pair
                && let Some(node) = nodes.get(*from)
                && let Some(via) = node.waits_for.get(*to)
            {
                let place = via.head().and_then(|head| node.property_spans.get(head)).or(node.span.as_ref());
                diagnostic = diagnostic.label(place.cloned(), format!("{from} names {to} in {via}"));
            }
        }
        diagnostics.push(diagnostic);
    }
}

/// A shortest walk from `start` back to itself inside its group.
fn around<'a>(graph: &DiGraphMap<&'a Address, ()>, start: &'a Address, group: &[&'a Address]) -> Vec<&'a Address> {
    let mut came_from: BTreeMap<&Address, &Address> = BTreeMap::new();
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for next in graph.neighbors(at).filter(|next| group.contains(next)) {
            if next == start {
                let mut path = vec![start, at];
                while let Some(before) = path.last().and_then(|last| came_from.get(last)) {
                    path.push(before);
                }
                if path.last() != Some(&start) {
                    path.push(start);
                }
                path.reverse();
                return path;
            }
            if let std::collections::btree_map::Entry::Vacant(entry) = came_from.entry(next) {
                entry.insert(at);
                queue.push_back(next);
            }
        }
    }
    vec![start]
}
