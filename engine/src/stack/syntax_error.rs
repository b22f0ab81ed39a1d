//! Syntax errors in the words of a person who has the file open: what stands there, and what to write instead.

use std::sync::Arc;

use toml_parser::{Expected, ParseError};

use crate::diagnostic::{Diagnostic, SourceFile, Span};

/// The parser's error at its place, with the next step.
pub(super) fn diagnostic(file: &Arc<SourceFile>, error: &ParseError) -> Diagnostic {
    let span = |span: toml_parser::Span| Span { file: file.clone(), start: span.start(), end: span.end() };
    let place = error.unexpected().or(error.context()).unwrap_or_default();
    let found = file.text.get(place.start()..place.end()).unwrap_or_default();
    let (message, help) = match error.description() {
        "string values must be quoted" if found.is_empty() => ("a value is missing", "write it after `=`"),
        // `[1 2]` is one word to the parser.
        "string values must be quoted" if found.contains(' ') => {
            ("string values must be quoted", "put quotes round the text, or `,` between two values")
        }
        "string values must be quoted" => ("string values must be quoted", "put quotes round the text: \"…\""),
        "invalid basic string" | "invalid literal string" if expects_quote(error) => {
            ("the string is not closed", "end it with the quote it began with, on the same line")
        }
        "invalid multi-line basic string" | "invalid multi-line literal string" if expects_quote(error) => {
            ("the string is not closed", "end it with the three quotes it began with")
        }
        description => (description, ""),
    };
    let mut diagnostic = Diagnostic::error("S3S-P1", message.to_owned()).at(span(place));
    if let Some(context) = error.context().filter(|context| error.unexpected().is_some_and(|at| at != *context)) {
        diagnostic = diagnostic.label(Some(span(context)), "");
    }
    match (help, self::help(error)) {
        ("", None) => diagnostic,
        ("", Some(help)) => diagnostic.help(help),
        (help, _) => diagnostic.help(help),
    }
}

/// Whether what is missing is a closing quote.
fn expects_quote(error: &ParseError) -> bool {
    error.expected().unwrap_or_default().iter().any(|expected| match expected {
        Expected::Literal(literal) => literal.chars().all(|c| c == '"' || c == '\''),
        _ => false,
    })
}

/// Two keys or tables of one name.
pub(super) fn twice(at: Span, earlier: Span, name: &str, what: &str) -> Diagnostic {
    let (line, _) = earlier.line_column();
    let file = if at.file == earlier.file { String::new() } else { format!(" of {}", earlier.file.name) };
    Diagnostic::error("S3S-P3", format!("`{name}` is already there, on line {line}{file}"))
        .at(at)
        .label(Some(earlier), "the first")
        .help(match what {
            "table" => "write its keys under one header",
            _ => "take one of them out, or give one another name",
        })
}

fn help(error: &ParseError) -> Option<String> {
    let known = match error.description() {
        "key with no value" | "missing value for key" => Some("write `key = value`"),
        "unclosed table" => Some("end the header with `]`"),
        "unclosed array table" => Some("end the header with `]]`"),
        "unclosed array" => Some("end the list with `]`"),
        "unclosed inline table" => Some("end the table with `}`"),
        "unexpected key or value" => Some("begin a new line here"),
        "missing comma between array elements" | "missing comma between key-value pairs" => Some("write `,` here"),
        "extra comma in array" | "extra comma in inline table" => Some("take one `,` out"),
        "invalid unquoted key" => {
            Some("put quotes round the key; without them it may have letters, digits, `_` and `-`")
        }
        "missing table open" => Some("begin the header with `[`"),
        _ => None,
    };
    if let Some(known) = known {
        return Some(known.to_owned());
    }
    let words: Vec<String> = error
        .expected()?
        .iter()
        .filter_map(|expected| match expected {
            Expected::Literal("\n") => Some("the end of the line".to_owned()),
            Expected::Literal(literal) => Some(format!("`{}`", literal.escape_debug())),
            Expected::Description(words) => Some((*words).to_owned()),
            _ => None,
        })
        .collect();
    match words.as_slice() {
        [] => Some("take this out".to_owned()),
        words => Some(format!("expected {}", words.join(" or "))),
    }
}
