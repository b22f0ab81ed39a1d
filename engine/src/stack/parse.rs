//! Files to one table: drafts become nodes, texts become templates, several files become one stack.

use std::sync::Arc;

use indexmap::map::Entry as Slot;

use super::draft::{Document, Draft, DraftKind, DraftTable};
use super::model::{Entry, Node, NodeKind, Table};
use super::syntax::{self, Budget};
use super::{MAX_DIAGNOSTICS, syntax_error};
use crate::diagnostic::{Diagnostics, SourceFile, Span};
use crate::expression::{Origin, Template};

/// What all files say, and where the headers stand.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    /// The root table.
    pub root: Table,
    /// The place of every `[header]`, in the order of the files.
    pub headers: Vec<Span>,
}

/// Reads and merges files; `None` when one of them is no TOML or breaks a bound. All errors of all files are told.
pub(super) fn parse(files: &[Arc<SourceFile>], diagnostics: &mut Diagnostics) -> Option<Parsed> {
    let mut budget = Budget::default();
    let documents: Vec<_> = files
        .iter()
        .map(|file| syntax::read(file, &mut budget, diagnostics).map(|document| (file, document)))
        .collect();
    let mut parsed = Parsed::default();
    for read in documents {
        let (file, Document { root, headers }) = read?;
        let span = |range: std::ops::Range<usize>| Span { file: file.clone(), start: range.start, end: range.end };
        parsed.headers.extend(headers.into_iter().map(span));
        merge(&mut parsed.root, table(file, root, diagnostics), &[], 0, diagnostics);
    }
    Some(parsed)
}

/// One file by itself, such as a file of variables.
pub(super) fn parse_table(file: &Arc<SourceFile>, diagnostics: &mut Diagnostics) -> Option<Table> {
    syntax::read(file, &mut Budget::default(), diagnostics).map(|document| table(file, document.root, diagnostics))
}

/// How many levels of the file stand above what one file must say as a whole: `[stack]` itself, `[var.x]`,
/// `[s3.bucket.logs]`.
fn shared_levels(section: &str) -> usize {
    match section {
        "stack" | "backend" => 0,
        "var" | "output" | "env" | "module" | "remote" | "account" => 1,
        "lookup" => 3,
        _ => 2,
    }
}

/// Adds one file's table to that of the files before it.
fn merge(into: &mut Table, from: Table, way: &[&str], level: usize, diagnostics: &mut Diagnostics) {
    for (name, entry) in from {
        match into.entry(name) {
            Slot::Vacant(slot) => {
                slot.insert(entry);
            }
            Slot::Occupied(mut slot) => {
                let name = slot.key().clone();
                // Below the root `level` counts down what may still be shared.
                let shared = if level == 0 { shared_levels(&name) + 1 } else { level };
                match (&mut slot.get_mut().node.kind, entry.node.kind) {
                    (NodeKind::Table(into), NodeKind::Table(from)) if shared > 1 => {
                        merge(into, from, &[way, &[&name]].concat(), shared - 1, diagnostics);
                    }
                    _ => {
                        if diagnostics.0.len() < MAX_DIAGNOSTICS {
                            let earlier = slot.get().key_span.clone();
                            let name = [way, &[&name]].concat().join(".");
                            diagnostics.push(syntax_error::twice(entry.key_span, earlier, &name, "key"));
                        }
                    }
                }
            }
        }
    }
}

fn table(file: &Arc<SourceFile>, draft: DraftTable, diagnostics: &mut Diagnostics) -> Table {
    let mut table = Table::with_capacity(draft.entries.len());
    for (name, entry) in draft.entries {
        let key_span = Span { file: file.clone(), start: entry.key.start, end: entry.key.end };
        let key = template(&name, &key_span, diagnostics);
        let node = node(file, entry.value, diagnostics);
        // A key that could not be parsed was told, and is gone.
        if let Some(key) = key {
            table.insert(name, Entry { key_span, key, node });
        }
    }
    table
}

fn node(file: &Arc<SourceFile>, draft: Draft, diagnostics: &mut Diagnostics) -> Node {
    let span = Span { file: file.clone(), start: draft.range.start, end: draft.range.end };
    let kind = match draft.kind {
        DraftKind::Broken => NodeKind::Broken,
        DraftKind::Bool(value) => NodeKind::Bool(value),
        DraftKind::Integer(value) => NodeKind::Integer(value),
        DraftKind::Float(value) => NodeKind::Float(value),
        DraftKind::Text(text) => template(&text, &span, diagnostics).map_or(NodeKind::Broken, NodeKind::Text),
        DraftKind::List(list) | DraftKind::Tables(list) => {
            NodeKind::List(list.into_iter().map(|draft| node(file, draft, diagnostics)).collect())
        }
        DraftKind::Table(draft) => NodeKind::Table(table(file, draft, diagnostics)),
    };
    Node { span, kind }
}

/// Parses the expressions in a text; `None` if that failed, which is told.
fn template(text: &str, token: &Span, diagnostics: &mut Diagnostics) -> Option<Template> {
    Template::parse(text, &Origin::of_toml_string(token.clone())).map_err(|errors| diagnostics.extend(errors)).ok()
}
