//! Which resource and which of its properties a place in a file belongs to.

use std::sync::Arc;

use super::model::{Block, Node, NodeKind, Stack, Table};
use crate::address::{ModulePath, Path};
use crate::diagnostic::{Diagnostics, Span};

/// Adds the resource and the property to diagnostics that do not say theirs: whoever reads a text does not know what it
/// is for. `module` is where the stack's files are used.
pub fn name_owners(stack: &Stack, module: &ModulePath, diagnostics: &mut Diagnostics) {
    for diagnostic in &mut diagnostics.0 {
        // A key under the wrong header is no part of what it stands in.
        if (diagnostic.address.is_some() && diagnostic.path.is_some()) || diagnostic.code == "S3S-P9" {
            continue;
        }
        let Some(place) = diagnostic.span.clone() else { continue };
        let within = |block: &Block| {
            let path = in_reserved(block, &place).or_else(|| in_table(&block.body, &Path::default(), &place))?;
            Some((block.address.clone(), path))
        };
        let found = match &diagnostic.address {
            // Where the place is not in the block, neither is what is wrong.
            Some(address) => stack.blocks.get(&address.block().inside()).and_then(within),
            None => stack.blocks.values().find_map(within),
        };
        if let Some((address, path)) = found {
            diagnostic.address.get_or_insert_with(|| address.within(module));
            diagnostic.path.get_or_insert(path);
        }
    }
}

fn holds(outer: &Span, inner: &Span) -> bool {
    Arc::ptr_eq(&outer.file, &inner.file) && outer.start <= inner.start && inner.end <= outer.end
}

fn in_reserved(block: &Block, place: &Span) -> Option<Path> {
    let reserved = &block.reserved;
    let nodes = [
        ("for_each", &reserved.for_each),
        ("when", &reserved.when),
        ("account", &reserved.account),
        ("region", &reserved.region),
        ("protect", &reserved.protect),
        ("retain", &reserved.retain),
        ("import", &reserved.import),
    ];
    let nodes = nodes.into_iter().filter_map(|(name, node)| Some((name, &node.as_ref()?.span)));
    let depends_on = reserved.depends_on.iter().map(|(_, span)| ("depends_on", span));
    let moved_from =
        reserved.moved_from.iter().chain(reserved.moved_keys.values()).map(|(_, span)| ("moved_from", span));
    let ignored = reserved.ignore_changes.iter().map(|(_, span)| ("ignore_changes", span));
    let mut all = nodes.chain(depends_on).chain(moved_from).chain(ignored);
    all.find(|(_, span)| holds(span, place)).map(|(name, _)| Path::of(name))
}

fn in_table(table: &Table, path: &Path, place: &Span) -> Option<Path> {
    table.iter().find_map(|(name, entry)| {
        let path = path.key(name);
        in_node(&entry.node, &path, place).or_else(|| holds(&entry.key_span, place).then_some(path))
    })
}

fn in_node(node: &Node, path: &Path, place: &Span) -> Option<Path> {
    // A table with a header stands where its header does, and its keys elsewhere.
    let inner = match &node.kind {
        NodeKind::Table(table) => in_table(table, path, place),
        NodeKind::List(list) => list.iter().enumerate().find_map(|(at, item)| in_node(item, &path.index(at), place)),
        _ => None,
    };
    inner.or_else(|| holds(&node.span, place).then(|| path.clone()))
}
