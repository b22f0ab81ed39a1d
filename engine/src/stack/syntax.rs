//! TOML to drafts: what one file says, with the place of every key and value, before anything is looked for in it.
//!
//! `toml_parser` reads the tokens and recovers from errors; the tables are put together here and not by `toml`, because
//! that drops the place of the earlier of two equal keys, the order of keys and the headers, and bounds nothing but depth.

use indexmap::map::Entry as Slot;
use toml_parser::decoder::{Encoding, ScalarKind};
use toml_parser::parser::{EventReceiver, parse_document, parse_value};
use toml_parser::{ErrorSink, ParseError, Source};

use std::ops::Range;
use std::sync::Arc;

use super::draft::{Document, Draft, DraftEntry, DraftKind, DraftTable, Key, Made, descend};
use super::syntax_error;
use crate::diagnostic::{Diagnostic, Diagnostics, SourceFile, Span};

/// Most bytes of one file.
pub const MAX_BYTES: usize = 10 * 1024 * 1024;
/// Deepest nesting, headers and dotted keys included.
pub const MAX_DEPTH: usize = 64;
/// Most values in all files of a stack.
pub const MAX_VALUES: usize = 100_000;
/// Most tokens of one file; a token takes 24 bytes, so this keeps the reader under the memory bound.
const MAX_TOKENS: usize = 2_000_000;
/// Most syntax errors that are told of one file.
const MAX_ERRORS: usize = 100;

/// How many values may still be read; shared by all files of a stack.
#[derive(Debug)]
pub(super) struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Self(MAX_VALUES)
    }
}

/// Reads a file; all that is wrong is in the diagnostics. `None` when there is a syntax error or a bound is broken, since
/// nobody knows then what the rest means. Values that are none and keys that are there twice hinder no further check.
pub(super) fn read(file: &Arc<SourceFile>, budget: &mut Budget, diagnostics: &mut Diagnostics) -> Option<Document> {
    let tokens = tokens(file, diagnostics)?;
    let source = Source::new(&file.text);
    let mut reader = Reader::new(file, source, budget);
    let mut errors = Errors::new(file);
    parse_document(&tokens, &mut reader, &mut errors);
    drop(tokens);
    reader.finish_header();
    let whole = errors.found.0.is_empty() && !reader.too_deep && !reader.full && !reader.lost;
    let document = Document { root: reader.root, headers: reader.headers };
    errors.report(reader.errors, diagnostics);
    whole.then_some(document)
}

/// Reads one TOML value, such as the text of `--var`.
pub(super) fn read_value(file: &Arc<SourceFile>, diagnostics: &mut Diagnostics) -> Option<Draft> {
    let tokens = tokens(file, diagnostics)?;
    let source = Source::new(&file.text);
    let mut budget = Budget::default();
    let mut reader = Reader::new(file, source, &mut budget);
    let mut errors = Errors::new(file);
    reader.bare_value = true;
    parse_value(&tokens, &mut reader, &mut errors);
    let clean = errors.found.0.is_empty() && reader.errors.found.0.is_empty();
    let value = reader.value.take();
    errors.report(reader.errors, diagnostics);
    if clean { value } else { None }
}

/// The tokens, if the file is within its bounds.
fn tokens(file: &Arc<SourceFile>, diagnostics: &mut Diagnostics) -> Option<Vec<toml_parser::lexer::Token>> {
    let refuse = |message: String| {
        let span = Span { file: file.clone(), start: 0, end: 0 };
        Diagnostic::error("S3S-P2", message).at(span).help("split the stack into several")
    };
    if file.text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes, and may have at most {MAX_BYTES}", file.text.len());
        diagnostics.push(refuse(message));
        return None;
    }
    let tokens: Vec<_> = Source::new(&file.text).lex().take(MAX_TOKENS + 1).collect();
    if tokens.len() > MAX_TOKENS {
        diagnostics.push(refuse(format!("the file has more than {MAX_TOKENS} words, signs and spaces")));
        return None;
    }
    Some(tokens)
}

/// The errors of one file, up to a bound.
struct Errors<'a> {
    file: &'a Arc<SourceFile>,
    found: Diagnostics,
    more: usize,
}

impl<'a> Errors<'a> {
    fn new(file: &'a Arc<SourceFile>) -> Self {
        Self { file, found: Diagnostics::default(), more: 0 }
    }

    fn push(&mut self, error: impl FnOnce() -> Diagnostic) {
        if self.found.0.len() < MAX_ERRORS {
            self.found.push(error());
        } else {
            self.more += 1;
        }
    }

    /// How many there were.
    fn count(&self) -> usize {
        self.found.0.len() + self.more
    }

    /// Tells these and those, in the order of the file.
    fn report(self, other: Errors<'_>, diagnostics: &mut Diagnostics) {
        let file = self.file;
        let mut all = self.found.0;
        all.extend(other.found.0);
        all.sort_by_key(|one| one.span.as_ref().map(|span| span.start));
        let more = self.more + other.more + all.len().saturating_sub(MAX_ERRORS);
        all.truncate(MAX_ERRORS);
        // One slip makes the parser stumble several times at one place; the first report is the one that says why.
        all.dedup_by_key(|one| one.span.as_ref().map(|span| span.start));
        // What makes no sense as a line is told once, not sign by sign.
        all.dedup_by(|later, first| {
            (later.message == first.message || later.message == "key with no value") && same_line(later, first)
        });
        syntax_error::tell_once(&mut all);
        diagnostics.0.extend(all);
        if more > 0 {
            let end = file.text.len();
            let span = Span { file: file.clone(), start: end, end };
            let message = format!("the file has {more} more syntax errors");
            diagnostics.push(Diagnostic::error("S3S-P1", message).at(span));
        }
    }
}

fn same_line(later: &Diagnostic, first: &Diagnostic) -> bool {
    let (Some(later), Some(first)) = (&later.span, &first.span) else { return false };
    let between = first.file.text.get(first.start..later.start);
    between.is_some_and(|text| !text.contains('\n'))
}

impl ErrorSink for Errors<'_> {
    fn report_error(&mut self, error: ParseError) {
        let file = self.file;
        self.push(|| syntax_error::diagnostic(file, &error));
    }
}

/// A container that is being read.
enum Open {
    List { start: usize, items: Vec<Draft> },
    Inline { start: usize, table: DraftTable },
}

/// Puts the tables together while the parser walks the tokens. Never fails: with errors its result is not used.
struct Reader<'a, 'i> {
    file: &'a Arc<SourceFile>,
    source: Source<'i>,
    budget: &'a mut Budget,
    errors: Errors<'a>,
    root: DraftTable,
    headers: Vec<Range<usize>>,
    /// The header being read: where it starts and whether it is `[[`.
    opening: Option<(usize, bool)>,
    /// The path of the table that keys go into, and that table until the next header.
    header: Vec<Key>,
    /// The key being read.
    key: Vec<Key>,
    /// Whether a dot was read, so that the next part belongs to the same key.
    dotted: bool,
    /// Keys whose values are being read, outermost first.
    keys: Vec<Vec<Key>>,
    open: Vec<Open>,
    /// Containers that were too deep, and are skipped until they close.
    refused: usize,
    /// How deep the current place is.
    depth: usize,
    too_deep: bool,
    full: bool,
    /// Whether a string of several lines was not closed, so that the rest of the file went into it.
    lost: bool,
    /// Whether the header was refused, so that its keys would only be refused again.
    skip: bool,
    /// Whether a value stands alone, without document round it.
    bare_value: bool,
    value: Option<Draft>,
}

impl<'a, 'i> Reader<'a, 'i> {
    fn new(file: &'a Arc<SourceFile>, source: Source<'i>, budget: &'a mut Budget) -> Self {
        Self {
            file,
            source,
            budget,
            errors: Errors::new(file),
            root: DraftTable::new(Made::Header),
            headers: Vec::new(),
            opening: None,
            header: Vec::new(),
            key: Vec::new(),
            dotted: false,
            keys: Vec::new(),
            open: Vec::new(),
            refused: 0,
            depth: 0,
            too_deep: false,
            full: false,
            lost: false,
            skip: false,
            bare_value: false,
            value: None,
        }
    }

    fn span(&self, range: &Range<usize>) -> Span {
        Span { file: self.file.clone(), start: range.start, end: range.end }
    }

    /// Whether one more level fits; says so once if not.
    fn fits(&mut self, levels: usize, at: &Range<usize>) -> bool {
        if self.depth + levels <= MAX_DEPTH {
            return true;
        }
        if !self.too_deep {
            self.too_deep = true;
            let span = self.span(at);
            self.errors.push(|| {
                Diagnostic::error("S3S-P2", format!("values are nested more than {MAX_DEPTH} deep"))
                    .at(span)
                    .help("flatten what is here")
            });
        }
        false
    }

    /// Counts a value; says so once if there are too many.
    fn count(&mut self, at: &Range<usize>) -> bool {
        self.count_more(1, at)
    }

    fn count_more(&mut self, values: usize, at: &Range<usize>) -> bool {
        if let Some(left) = self.budget.0.checked_sub(values) {
            self.budget.0 = left;
            return true;
        }
        if !self.full {
            self.full = true;
            let span = self.span(at);
            self.errors.push(|| {
                Diagnostic::error("S3S-P2", format!("the stack has more than {MAX_VALUES} values"))
                    .at(span)
                    .help("split the stack into several")
            });
        }
        false
    }

    fn begin_header(&mut self, start: usize, array: bool) {
        self.finish_header();
        self.opening = Some((start, array));
        self.header.clear();
        self.key.clear();
        self.keys.clear();
        self.open.clear();
        self.refused = 0;
        self.depth = 0;
        self.dotted = false;
    }

    /// Makes the table of the header that was read, so that an empty one exists too.
    fn end_header(&mut self, end: usize) {
        let Some((start, array)) = self.opening.take() else { return };
        let path = std::mem::take(&mut self.key);
        let range = start..end;
        self.headers.push(range.clone());
        self.skip = true;
        if !self.count(&range) || !self.fits(path.len(), &range) {
            return;
        }
        self.depth = path.len();
        let span = |range: &Range<usize>| Span { file: self.file.clone(), start: range.start, end: range.end };
        let errors = &mut self.errors;
        let Some((last, way)) = path.split_last() else { return };
        let mut clash = |key: &Key, old: &Range<usize>, what: &str| {
            let (at, earlier, text) = (span(&key.range), span(old), key.text.clone());
            errors.push(|| syntax_error::twice(at, earlier, &text, what));
        };
        let mut made = 0;
        let Some(parent) = descend(&mut self.root, way, false, &mut made, &mut clash) else { return };
        let mut clashed = false;
        match parent.entries.entry(last.text.clone()) {
            Slot::Vacant(slot) => {
                let table = Draft { range: range.clone(), kind: DraftKind::Table(DraftTable::new(Made::Header)) };
                let value = if array { Draft { range, kind: DraftKind::Tables(vec![table]) } } else { table };
                slot.insert(DraftEntry { key: last.range.clone(), value });
            }
            Slot::Occupied(slot) => {
                let entry = slot.into_mut();
                match &mut entry.value.kind {
                    DraftKind::Tables(tables) if array => {
                        tables.push(Draft { range, kind: DraftKind::Table(DraftTable::new(Made::Header)) })
                    }
                    DraftKind::Table(table) if !array && table.made == Made::Implicit => {
                        table.made = Made::Header;
                        entry.value.range = range;
                        entry.key = last.range.clone();
                    }
                    DraftKind::Table(table) if !array && table.made == Made::Header => {
                        clashed = true;
                        let name = path.iter().map(|key| key.text.as_str()).collect::<Vec<_>>().join(".");
                        let whole = Key { text: format!("[{name}]"), range: range.clone() };
                        clash(&whole, &entry.value.range, "table");
                    }
                    _ => {
                        clashed = true;
                        clash(last, &entry.key, "key");
                    }
                }
            }
        }
        self.skip = clashed || !self.count_more(made, &(start..end));
        self.header = path;
    }

    fn finish_header(&mut self) {
        let end = self.key.last().map_or(0, |key| key.range.end);
        self.end_header(end);
    }

    /// A value was read to its end: it goes into the innermost open container, or into the table of the header.
    fn put(&mut self, value: Draft) {
        if let Some(Open::List { items, .. }) = self.open.last_mut() {
            items.push(value);
            return;
        }
        if self.bare_value && self.open.is_empty() {
            self.value = Some(value);
            return;
        }
        let Some(path) = self.keys.pop() else { return };
        self.depth = self.depth.saturating_sub(path.len());
        let Some((last, way)) = path.split_last() else { return };
        if self.skip && self.open.is_empty() {
            return;
        }
        let (file, errors) = (self.file, &mut self.errors);
        let mut clash = |key: &Key, old: &Range<usize>, what: &str| {
            let span = |range: &Range<usize>| Span { file: file.clone(), start: range.start, end: range.end };
            let (at, earlier, text) = (span(&key.range), span(old), key.text.clone());
            errors.push(|| syntax_error::twice(at, earlier, &text, what));
        };
        let table = match self.open.last_mut() {
            Some(Open::Inline { table, .. }) => table,
            _ => match descend(&mut self.root, &self.header, false, &mut 0, &mut clash) {
                Some(table) => table,
                None => return,
            },
        };
        let mut made = 0;
        let Some(parent) = descend(table, way, true, &mut made, &mut clash) else { return };
        match parent.entries.entry(last.text.clone()) {
            Slot::Vacant(slot) => {
                slot.insert(DraftEntry { key: last.range.clone(), value });
            }
            Slot::Occupied(slot) => clash(last, &slot.get().key, "key"),
        }
        self.count_more(made, &last.range);
    }

    fn scalar_value(&mut self, range: Range<usize>, encoding: Option<Encoding>) -> Draft {
        let span = toml_parser::Span::new_unchecked(range.start, range.end);
        let raw =
            toml_parser::Raw::new_unchecked(self.source.input().get(range.clone()).unwrap_or_default(), encoding, span);
        let mut text = String::new();
        let before = self.errors.count();
        let kind = match raw.decode_scalar(&mut text, &mut self.errors) {
            ScalarKind::String => DraftKind::Text(text),
            ScalarKind::Boolean(value) => DraftKind::Bool(value),
            ScalarKind::Integer(radix) => DraftKind::Integer(self.integer(&text, radix.value(), &range)),
            ScalarKind::Float => DraftKind::Float(self.float(&text, &range)),
            ScalarKind::DateTime => {
                let at = self.span(&range);
                self.errors.push(|| {
                    Diagnostic::error("S3S-P4", "dates and times are not values of the stack language")
                        .at(at)
                        .help("write it as a string, in quotes")
                });
                DraftKind::Broken
            }
        };
        if self.errors.count() == before {
            return Draft { range, kind };
        }
        let lines = matches!(encoding, Some(Encoding::MlBasicString | Encoding::MlLiteralString));
        self.lost |= lines && range.end >= self.file.text.len();
        Draft { range, kind: DraftKind::Broken }
    }

    fn integer(&mut self, text: &str, radix: u32, range: &Range<usize>) -> i64 {
        i64::from_str_radix(text, radix).unwrap_or_else(|error| {
            use std::num::IntErrorKind::{NegOverflow, PosOverflow};
            // Any other error was told by the decoder.
            if matches!(error.kind(), PosOverflow | NegOverflow) {
                let at = self.span(range);
                self.errors.push(|| {
                    Diagnostic::error("S3S-P4", "the number does not fit into 64 bits")
                        .at(at)
                        .help("write it as a string, in quotes")
                });
            }
            0
        })
    }

    fn float(&mut self, text: &str, range: &Range<usize>) -> f64 {
        match text.parse::<f64>() {
            Ok(number) if !number.is_finite() => {
                let at = self.span(range);
                self.errors.push(|| {
                    Diagnostic::error("S3S-P4", "NaN, infinity and numbers beyond 64-bit floats are refused")
                        .at(at)
                        .help("write a finite number")
                });
                0.0
            }
            Ok(number) => number,
            // The decoder told it.
            Err(_) => 0.0,
        }
    }

    fn open_container(&mut self, range: Range<usize>, container: Open) -> bool {
        // A table in braces is as deep as its keys, which are counted as such.
        let levels = usize::from(matches!(container, Open::List { .. }));
        let closed = self.refused > 0 || self.too_deep || self.full;
        if closed || !self.fits(levels, &range) || !self.count(&range) {
            self.refused += 1;
            return false;
        }
        self.depth += levels;
        self.open.push(container);
        true
    }

    fn close_container(&mut self, end: usize) {
        if self.refused > 0 {
            self.refused -= 1;
            self.skip_value();
            return;
        }
        let Some(open) = self.open.pop() else { return };
        let (start, kind) = match open {
            Open::List { start, items } => {
                self.depth = self.depth.saturating_sub(1);
                (start, DraftKind::List(items))
            }
            Open::Inline { start, table } => (start, DraftKind::Table(table)),
        };
        self.put(Draft { range: start..end, kind });
    }

    /// Forgets the key whose value is not kept.
    fn skip_value(&mut self) {
        if !matches!(self.open.last(), Some(Open::List { .. }))
            && let Some(path) = self.keys.pop()
        {
            self.depth = self.depth.saturating_sub(path.len());
        }
    }
}

fn range(span: toml_parser::Span) -> Range<usize> {
    span.start()..span.end()
}

impl EventReceiver for Reader<'_, '_> {
    fn std_table_open(&mut self, span: toml_parser::Span, _: &mut dyn ErrorSink) {
        self.begin_header(span.start(), false);
    }

    fn std_table_close(&mut self, span: toml_parser::Span, _: &mut dyn ErrorSink) {
        self.end_header(span.end());
    }

    fn array_table_open(&mut self, span: toml_parser::Span, _: &mut dyn ErrorSink) {
        self.begin_header(span.start(), true);
    }

    fn array_table_close(&mut self, span: toml_parser::Span, _: &mut dyn ErrorSink) {
        self.end_header(span.end());
    }

    fn simple_key(&mut self, span: toml_parser::Span, encoding: Option<Encoding>, error: &mut dyn ErrorSink) {
        if !std::mem::take(&mut self.dotted) {
            self.key.clear();
        }
        let range = range(span);
        if !self.fits(self.key.len() + 1, &range) {
            return;
        }
        let raw = self.source.input().get(range.clone()).unwrap_or_default();
        let mut text = String::new();
        toml_parser::Raw::new_unchecked(raw, encoding, span).decode_key(&mut text, error);
        self.key.push(Key { text, range });
    }

    fn key_sep(&mut self, _: toml_parser::Span, _: &mut dyn ErrorSink) {
        self.dotted = true;
    }

    fn key_val_sep(&mut self, _: toml_parser::Span, _: &mut dyn ErrorSink) {
        self.dotted = false;
        if self.refused == 0 {
            let key = std::mem::take(&mut self.key);
            self.depth += key.len();
            self.keys.push(key);
        }
    }

    fn scalar(&mut self, span: toml_parser::Span, encoding: Option<Encoding>, _: &mut dyn ErrorSink) {
        if self.refused > 0 {
            return;
        }
        let range = range(span);
        if !self.count(&range) {
            self.skip_value();
            return;
        }
        let value = self.scalar_value(range, encoding);
        self.put(value);
    }

    fn array_open(&mut self, span: toml_parser::Span, _: &mut dyn ErrorSink) -> bool {
        self.open_container(range(span), Open::List { start: span.start(), items: Vec::new() })
    }

    fn array_close(&mut self, span: toml_parser::Span, _: &mut dyn ErrorSink) {
        self.close_container(span.end());
    }

    fn inline_table_open(&mut self, span: toml_parser::Span, _: &mut dyn ErrorSink) -> bool {
        self.open_container(range(span), Open::Inline { start: span.start(), table: DraftTable::new(Made::Inline) })
    }

    fn inline_table_close(&mut self, span: toml_parser::Span, _: &mut dyn ErrorSink) {
        self.close_container(span.end());
    }

    fn comment(&mut self, span: toml_parser::Span, error: &mut dyn ErrorSink) {
        let raw = self.source.input().get(range(span)).unwrap_or_default();
        toml_parser::Raw::new_unchecked(raw, None, span).decode_comment(error);
    }

    fn newline(&mut self, span: toml_parser::Span, error: &mut dyn ErrorSink) {
        let raw = self.source.input().get(range(span)).unwrap_or_default();
        toml_parser::Raw::new_unchecked(raw, None, span).decode_newline(error);
    }
}
