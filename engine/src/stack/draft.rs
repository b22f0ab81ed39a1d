//! What was read, before it is known what it means: values with their places, tables with how they came to be.

use std::ops::Range;

use indexmap::IndexMap;

use crate::value::Value;

/// A value as it was read.
#[derive(Debug)]
pub(super) struct Draft {
    /// The value's place; for a table with a header, the header's.
    pub range: Range<usize>,
    /// The value.
    pub kind: DraftKind,
}

/// What was read.
#[derive(Debug)]
pub(super) enum DraftKind {
    /// No value of the stack language; why was told.
    Broken,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Draft>),
    /// `[[name]]`, which more of the same may follow.
    Tables(Vec<Draft>),
    Table(DraftTable),
}

/// How a table came to be, which decides what may still be put into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    /// By its own header.
    Header,
    /// By the header of a table inside it.
    Implicit,
    /// By a dotted key.
    Dotted,
    /// In braces.
    Inline,
}

/// A table in the order of the file.
#[derive(Debug)]
pub(super) struct DraftTable {
    pub made: Made,
    pub entries: IndexMap<String, DraftEntry>,
}

/// A key's place and its value.
#[derive(Debug)]
pub(super) struct DraftEntry {
    pub key: Range<usize>,
    pub value: Draft,
}

impl DraftTable {
    pub fn new(made: Made) -> Self {
        Self { made, entries: IndexMap::new() }
    }
}

/// What one file says.
#[derive(Debug)]
pub(super) struct Document {
    /// The root table.
    pub root: DraftTable,
    /// The places of all `[headers]`, in the order of the file.
    pub headers: Vec<Range<usize>>,
}

/// One part of a key.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub text: String,
    pub range: Range<usize>,
}

/// The table at the end of `way`, made where it isn't there; `made_now` counts the tables that were made.
pub(super) fn descend<'t>(
    mut table: &'t mut DraftTable,
    way: &[Key],
    dotted: bool,
    made_now: &mut usize,
    clash: &mut dyn FnMut(&Key, &Range<usize>, &str),
) -> Option<&'t mut DraftTable> {
    for key in way {
        let entry = table.entries.entry(key.text.clone()).or_insert_with(|| {
            *made_now += 1;
            let made = if dotted { Made::Dotted } else { Made::Implicit };
            let value = Draft { range: key.range.clone(), kind: DraftKind::Table(DraftTable::new(made)) };
            DraftEntry { key: key.range.clone(), value }
        });
        let place = entry.key.clone();
        table = match &mut entry.value.kind {
            DraftKind::Table(inner) => {
                // TOML 1.0, "Table": dotted keys can't add to a table that has a header, and nothing adds to braces.
                let closed = match inner.made {
                    Made::Inline => true,
                    Made::Header => dotted,
                    Made::Implicit | Made::Dotted => false,
                };
                if closed {
                    clash(key, &place, "table");
                    return None;
                }
                if dotted {
                    inner.made = Made::Dotted;
                }
                inner
            }
            DraftKind::Tables(tables) if !dotted => match tables.last_mut().map(|last| &mut last.kind) {
                Some(DraftKind::Table(inner)) => inner,
                _ => return None,
            },
            _ => {
                clash(key, &place, "key");
                return None;
            }
        };
    }
    Some(table)
}

/// A draft as a value; expressions in it are text.
pub(super) fn plain(draft: Draft) -> Value {
    match draft.kind {
        DraftKind::Broken => Value::Null,
        DraftKind::Bool(value) => Value::Bool(value),
        DraftKind::Integer(value) => Value::Integer(value),
        DraftKind::Float(value) => Value::Float(value),
        DraftKind::Text(text) => Value::String(text),
        DraftKind::List(list) | DraftKind::Tables(list) => Value::List(list.into_iter().map(plain).collect()),
        DraftKind::Table(table) => {
            Value::Map(table.entries.into_iter().map(|(key, entry)| (key, plain(entry.value))).collect())
        }
    }
}
