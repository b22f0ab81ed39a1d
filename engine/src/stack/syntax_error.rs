//! Syntax errors in the words of a person who has the file open: what stands there, and what to write instead.

use std::sync::Arc;

use toml_parser::{Expected, ParseError};

use crate::diagnostic::{Diagnostic, SourceFile, Span, did_you_mean};

/// The parser's error at its place, with the next step.
pub(super) fn diagnostic(file: &Arc<SourceFile>, error: &ParseError) -> Diagnostic {
    let span = |span: toml_parser::Span| Span { file: file.clone(), start: span.start(), end: span.end() };
    let place = error.unexpected().or(error.context()).unwrap_or_default();
    let found = file.text.get(place.start()..place.end()).unwrap_or_default();
    let next = file.text.get(place.start()..).and_then(|rest| rest.chars().next());
    let (message, help) = words(error, found, next, line(&file.text, place.start()));
    let mut diagnostic = Diagnostic::error("S3S-P1", message).at(span(place)).help(help);
    if let Some(context) = error.context().filter(|context| error.unexpected().is_some_and(|at| at != *context)) {
        diagnostic = diagnostic.label(Some(span(context)), "");
    }
    diagnostic
}

/// What is wrong and what to do about it: the parser names the rule that was broken, people broke it by some habit.
fn words(error: &ParseError, found: &str, next: Option<char>, line: &str) -> (String, String) {
    let said = |message: &str, help: &str| (message.to_owned(), help.to_owned());
    let description = error.description();
    if let Some(c) = found.chars().next().filter(|c| is_invisible(*c)) {
        return (
            format!("there is an invisible character here, U+{:04X}", u32::from(c)),
            "delete it: it often comes along with text that is copied from elsewhere".into(),
        );
    }
    let in_string = description.contains("basic string") || description.contains("literal string");
    if let Some(c) = next.filter(|c| in_string && c.is_control() && !matches!(c, '\n' | '\r')) {
        return (
            format!("a string cannot hold the control character U+{:04X} as it is", u32::from(c)),
            format!("take it out, or write it as \\u{:04X} in double quotes", u32::from(c)),
        );
    }
    match description {
        "string values must be quoted" if found.is_empty() => said(NO_VALUE, "write it after `=`"),
        // `[1 2]` is one word to the parser.
        "string values must be quoted" if found.contains(' ') => {
            said(description, "put quotes round the text, or `,` between two values")
        }
        "string values must be quoted" | "invalid boolean" | "invalid float" if begins_with_letter(found) => {
            word(found)
        }
        "string values must be quoted" => said(description, "put quotes round the text: \"…\""),
        "invalid basic string" | "invalid literal string" if expects_quote(error) => {
            said("the string is not closed", "end it with the quote it began with, on the same line")
        }
        "invalid multi-line basic string" | "invalid multi-line literal string" if expects_quote(error) => {
            said("the string is not closed", "end it with the three quotes it began with")
        }
        "missing escaped value" => (
            format!(
                "`\\{}` is no escape sequence",
                next.filter(|c| !c.is_control()).map_or_else(String::new, String::from)
            ),
            "write `\\\\` for a backslash, or put the text into single quotes, where a backslash is one".into(),
        ),
        "too few unicode value digits" | "invalid value" => said(
            "this escape sequence is no character",
            "`\\x` takes 2 hexadecimal digits, `\\u` 4 and `\\U` 8, of a Unicode character",
        ),
        "invalid unquoted key" if found.starts_with(':') => {
            said("`:` does not stand between a key and its value", "write `key = value`")
        }
        "key with no value" if line.trim_start().starts_with("- ") => said(YAML_ITEM, "write [\"a\", \"b\"]"),
        "key with no value" if line.trim_end().ends_with('{') => said(
            HCL_BLOCK,
            "write [service.type.name], such as [s3.bucket.data], and its keys below, each `key = value`",
        ),
        "invalid key-value pair" => said(NONSENSE, "write one of these, or take it out"),
        "carriage return must be followed by newline" => {
            said("a carriage return stands alone", "end lines as Unix or as Windows does")
        }
        _ => said(description, &help(error)),
    }
}

const NO_VALUE: &str = "a value is missing";
const NONSENSE: &str = "this is neither `key = value` nor a [header] nor a # comment";
const HCL_BLOCK: &str = "a block has a header and no braces";
const YAML_ITEM: &str = "a list stands in brackets";

/// Leaves out what follows from another error: `all` is in the order of the file.
pub(super) fn tell_once(all: &mut Vec<Diagnostic>) {
    // A quote inside of `"${…}"` ends the text, and what comes then is nothing but strange.
    for diagnostic in all.iter_mut() {
        if let Some(quoted) = diagnostic.span.as_ref().and_then(cut_short) {
            *diagnostic = Diagnostic::error("S3S-P1", "this text ends at the quote inside of its `${…}`")
                .at(quoted)
                .help("put the whole value into single quotes: '${upper(\"x\")}'");
        }
    }
    all.dedup();
    // What stands in a list that is not closed is no mistake of its own. The parser notices at the end of the file.
    let unclosed = |one: &Diagnostic| match (one.message.as_str(), one.labels.first()) {
        ("unclosed array" | "unclosed inline table", Some(label)) => Some(label.span.clone()),
        _ => None,
    };
    if let Some(begins) = all.iter().filter_map(unclosed).min_by_key(|begins| begins.start) {
        let is_it = |one: &Diagnostic| unclosed(one).is_some_and(|other| other == begins);
        all.retain(|one| is_it(one) || one.span.as_ref().is_none_or(|span| span.start < begins.start));
        for one in all.iter_mut().filter(|one| is_it(one)) {
            let what = if one.message == "unclosed array" { "list" } else { "table" };
            one.message = format!("this {what} is not closed");
            one.span = one.labels.pop().map(|label| label.span);
        }
    }
    all.dedup_by(|later, first| later.message == YAML_ITEM && first.message == YAML_ITEM);
    let said = |message: &str| all.iter().any(|one| one.message == message);
    let (hcl, yaml) = (said(HCL_BLOCK), said(YAML_ITEM));
    all.retain(|one| {
        let text = one.span.as_ref().map(|span| line(&span.file.text, span.start).trim()).unwrap_or_default();
        !(hcl && one.message == NONSENSE && text == "}" || yaml && one.message == NO_VALUE && text.ends_with('='))
    });
}

/// The text in double quotes before this place, if it ends inside of a `${…}`: in its line, because such texts have one.
fn cut_short(span: &Span) -> Option<Span> {
    let text = line(&span.file.text, span.start);
    let begin = span.file.text.get(..span.start)?.rfind('\n').map_or(0, |at| at + 1);
    let (mut opened, mut bare, mut escaped) = (None, true, false);
    for (at, c) in text.char_indices() {
        match (opened, c) {
            (Some(_), '\\') => escaped = !escaped,
            (Some(start), '"') if !escaped => {
                let inside = text.get(start..at).unwrap_or_default();
                if inside.rfind("${").is_some_and(|hole| !inside.get(hole..).unwrap_or_default().contains('}')) {
                    return Some(Span { file: span.file.clone(), start: begin + start, end: begin + at + 1 });
                }
                opened = None;
            }
            (Some(_), _) => escaped = false,
            (None, '\'') => bare = !bare,
            (None, '#') if bare => return None,
            (None, '"') if bare => opened = Some(at),
            (None, _) => {}
        }
    }
    None
}

/// What to write instead of a word without quotes.
fn word(found: &str) -> (String, String) {
    let lower = found.to_ascii_lowercase();
    let help = match lower.as_str() {
        "null" | "none" | "nil" | "undefined" => "leave the line out: what is not there is null".to_owned(),
        "yes" | "on" => "write `true`, or put quotes round the text".to_owned(),
        "no" | "off" => "write `false`, or put quotes round the text".to_owned(),
        lower => match did_you_mean(lower, ["true", "false"]) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                return (
                    format!("`{found}` is no value: a text must be quoted"),
                    format!("put quotes round it: \"{found}\""),
                );
            }
        },
    };
    (format!("`{found}` is no value"), help)
}

fn begins_with_letter(text: &str) -> bool {
    text.len() < 100 && text.starts_with(|c: char| c.is_ascii_alphabetic())
}

/// Whether editors show nothing, or a blank, for a character that is no blank in TOML.
fn is_invisible(c: char) -> bool {
    let blank = c.is_whitespace() && !c.is_ascii();
    blank
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

/// The line that an offset is in.
fn line(text: &str, at: usize) -> &str {
    let (Some(before), Some(after)) = (text.get(..at), text.get(at..)) else { return "" };
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let end = at + after.find('\n').unwrap_or(after.len());
    text.get(start..end).unwrap_or_default()
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

/// The next step as far as the parser knows it.
fn help(error: &ParseError) -> String {
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
        return known.to_owned();
    }
    let words: Vec<String> = error
        .expected()
        .unwrap_or_default()
        .iter()
        .filter_map(|expected| match expected {
            Expected::Literal("\n") => Some("the end of the line".to_owned()),
            Expected::Literal(literal) => Some(format!("`{}`", literal.escape_debug())),
            Expected::Description(words) => Some((*words).to_owned()),
            _ => None,
        })
        .collect();
    match words.as_slice() {
        [] => "take this out".to_owned(),
        words => format!("expected {}", words.join(" or ")),
    }
}
