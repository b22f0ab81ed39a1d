//! From places in a decoded TOML string back to places in the file.

use std::ops::Range;
use std::sync::Arc;

use crate::diagnostic::{SourceFile, Span};

/// Where a decoded string stands in a file.
///
/// A TOML string is not its source text: escapes, the newline after `"""` and line-ending backslashes are gone once it
/// is decoded. This keeps, for each stretch of the decoded text, the bytes of the file it came from.
#[derive(Debug, Clone)]
pub struct Origin {
    span: Option<Span>,
    runs: Vec<Run>,
    /// Where the content ends, before the closing quotes; relative to the token.
    end: usize,
    /// How many bytes stand before the decoded text that the file does not have.
    lead: usize,
}

/// A stretch of decoded text: copied byte by byte where both lengths agree, else one escape.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    decoded: Range<usize>,
    raw: Range<usize>,
}

impl Run {
    fn is_copy(&self) -> bool {
        self.decoded.len() == self.raw.len()
    }
}

impl Origin {
    /// The origin of a TOML string; `span` is its token with the quotes. A token that is no string (a bare key) maps
    /// byte by byte.
    pub fn of_toml_string(span: Span) -> Self {
        let raw = span.file.text.get(span.start..span.end).unwrap_or_default();
        let Decoded { runs, end, .. } = decode(raw);
        Self { span: Some(span), runs, end, lead: 0 }
    }

    /// The origin of a text that is a whole file.
    pub fn of_file(file: Arc<SourceFile>) -> Self {
        let end = file.text.len();
        Self::of_text(Span { file, start: 0, end })
    }

    /// The origin of a text that stands in a file as it is, without quotes or escapes.
    pub fn of_text(span: Span) -> Self {
        let end = span.end - span.start;
        let runs = vec![Run { decoded: 0..end, raw: 0..end }];
        Self { span: Some(span), runs, end, lead: 0 }
    }

    /// The origin of a text that stands in no file: its diagnostics have no place.
    pub fn nowhere() -> Self {
        Self { span: None, runs: Vec::new(), end: 0, lead: 0 }
    }

    /// The same for a text that begins with `lead` bytes which the file does not have, such as the `${` of a bare
    /// reference.
    pub fn led_by(self, lead: usize) -> Self {
        Self { lead, ..self }
    }

    /// The whole token, quotes included.
    pub fn token(&self) -> Option<&Span> {
        self.span.as_ref()
    }

    /// The place in the file of a range of the decoded text.
    pub fn span(&self, decoded: Range<usize>) -> Option<Span> {
        let decoded = decoded.start.saturating_sub(self.lead)..decoded.end.saturating_sub(self.lead);
        let start = self.start(decoded.start);
        let end = if decoded.end > decoded.start { self.stop(decoded.end) } else { start };
        self.span.as_ref().map(|span| span.part(start, end.max(start)))
    }

    /// The raw offset at which the decoded byte at `at` begins.
    fn start(&self, at: usize) -> usize {
        match self.runs.get(self.runs.partition_point(|run| run.decoded.end <= at)) {
            Some(run) if run.is_copy() => run.raw.start + at.saturating_sub(run.decoded.start),
            Some(run) => run.raw.start,
            None => self.end,
        }
    }

    /// The raw offset at which the decoded byte before `at` ends.
    fn stop(&self, at: usize) -> usize {
        match self.runs.get(self.runs.partition_point(|run| run.decoded.end < at)) {
            Some(run) if run.is_copy() => run.raw.start + at.saturating_sub(run.decoded.start),
            Some(run) => run.raw.end,
            None => self.end,
        }
    }
}

struct Decoded {
    text: String,
    runs: Vec<Run>,
    end: usize,
}

impl Decoded {
    fn copy(&mut self, raw_at: usize, text: &str) {
        self.push(raw_at..raw_at + text.len(), text);
    }

    fn push(&mut self, raw: Range<usize>, text: &str) {
        if text.is_empty() {
            return;
        }
        let decoded = self.text.len()..self.text.len() + text.len();
        self.text.push_str(text);
        match self.runs.last_mut() {
            Some(last) if last.is_copy() && last.raw.end == raw.start && decoded.len() == raw.len() => {
                last.decoded.end = decoded.end;
                last.raw.end = raw.end;
            }
            _ => self.runs.push(Run { decoded, raw }),
        }
    }
}

/// Decodes a TOML string token as the `toml` crate does (a property test holds the two together). What is malformed is
/// copied: the TOML parser has reported it, and the columns near it are still right.
fn decode(raw: &str) -> Decoded {
    let mut decoded = Decoded { text: String::new(), runs: Vec::new(), end: raw.len() };
    let (quotes, multiline, basic) = match raw.as_bytes() {
        [b'"', b'"', b'"', .., b'"', b'"', b'"'] if raw.len() >= 6 => (3, true, true),
        [b'\'', b'\'', b'\'', .., b'\'', b'\'', b'\''] if raw.len() >= 6 => (3, true, false),
        [b'"', .., b'"'] => (1, false, true),
        [b'\'', .., b'\''] => (1, false, false),
        _ => (0, false, false),
    };
    decoded.end = raw.len() - quotes;
    let mut at = quotes;
    if multiline {
        let body = raw.get(at..decoded.end).unwrap_or_default();
        at += if body.starts_with("\r\n") { 2 } else { usize::from(body.starts_with('\n')) };
    }
    loop {
        let rest = raw.get(at..decoded.end).unwrap_or_default();
        let plain = if basic { rest.find('\\').unwrap_or(rest.len()) } else { rest.len() };
        decoded.copy(at, rest.get(..plain).unwrap_or_default());
        at += plain;
        let Some(escape) = rest.get(plain..).filter(|escape| !escape.is_empty()) else { return decoded };
        let length = match one_escape(escape, multiline) {
            Some((Some(c), length)) => {
                decoded.push(at..at + length, c.encode_utf8(&mut [0; 4]));
                length
            }
            Some((None, length)) => length,
            None => {
                decoded.copy(at, "\\");
                1
            }
        };
        at += length;
    }
}

/// One escape, beginning with its backslash: the character it stands for (none for a line-ending backslash) and its
/// length in bytes.
fn one_escape(escape: &str, multiline: bool) -> Option<(Option<char>, usize)> {
    let hex = |digits: usize| {
        let digits = escape.get(2..2 + digits).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let c = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32)?;
        Some((Some(c), 2 + digits.len()))
    };
    let simple = |c: char| Some((Some(c), 2));
    match escape.chars().nth(1)? {
        'b' => simple('\u{8}'),
        'e' => simple('\u{1b}'),
        'f' => simple('\u{c}'),
        'n' => simple('\n'),
        'r' => simple('\r'),
        't' => simple('\t'),
        '\\' => simple('\\'),
        '"' => simple('"'),
        'x' => hex(2),
        'u' => hex(4),
        'U' => hex(8),
        ' ' | '\t' | '\r' | '\n' if multiline => {
            let blank = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n');
            Some((None, escape.len() - escape.trim_start_matches('\\').trim_start_matches(blank).len()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::diagnostic::SourceFile;

    fn origin(raw: &str) -> Origin {
        let text = format!("key = {raw}\n");
        let end = text.len() - 1;
        let file = Arc::new(SourceFile { name: "stack.toml".into(), text });
        Origin::of_toml_string(Span { file, start: 6, end })
    }

    fn toml_decodes(raw: &str) -> Option<String> {
        let table: toml::Table = toml::from_str(&format!("key = {raw}\n")).ok()?;
        table.get("key")?.as_str().map(str::to_owned)
    }

    #[test]
    fn each_kind_of_string_maps_to_its_characters() {
        let at = |raw: &str, needle: &str| {
            let text = decode(raw).text;
            let start = text.find(needle).unwrap();
            let span = origin(raw).span(start..start + needle.len()).unwrap();
            span.file.text[span.start..span.end].to_owned()
        };
        assert_eq!(at(r#""ab${x}""#, "${x}"), "${x}");
        assert_eq!(at(r#""\u00e9\"${x}""#, "${x}"), "${x}");
        assert_eq!(at(r#""a\tb""#, "\t"), "\\t");
        assert_eq!(at("'''\nab${x}'''", "${x}"), "${x}");
        assert_eq!(at("\"\"\"\r\na \\\n   ${x}\"\"\"", "${x}"), "${x}");
        assert_eq!(at("\"\"\"a\\\n  b\"\"\"", "ab"), "a\\\n  b");
        assert_eq!(at("bare", "are"), "are");
    }

    /// Pieces of basic strings: plain text, escapes, and what only multi-line strings may hold.
    fn pieces(multiline: bool) -> impl Strategy<Value = String> {
        let mut all: Vec<BoxedStrategy<String>> = vec![
            "[a-zäß漢🙂 ${}'.]{0,6}".boxed(),
            prop::sample::select(vec!["\\b", "\\t", "\\n", "\\f", "\\r", "\\\"", "\\\\", "\\u00e9", "\\U0001F642"])
                .prop_map(str::to_owned)
                .boxed(),
        ];
        if multiline {
            all.push(
                prop::sample::select(vec!["\n", "\r\n", "\\\n", "\\ \t\r\n  \n ", "\"", "\"\"x"])
                    .prop_map(str::to_owned)
                    .boxed(),
            );
        }
        prop::collection::vec(prop::strategy::Union::new(all), 0..8).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn decoding_agrees_with_toml_and_every_character_is_found_again(
            raw in prop_oneof![
                pieces(false).prop_map(|body| format!("\"{body}\"")),
                pieces(true).prop_map(|body| format!("\"\"\"{body}\"\"\"")),
                "[a-zäß漢${}\\\\\" ]{0,20}".prop_map(|body| format!("'{body}'")),
                "\n?[a-zäß漢${}\\\\\" \n]{0,20}".prop_map(|body| format!("'''{body}'''")),
            ]
        ) {
            let Some(expected) = toml_decodes(&raw) else { return Ok(()) };
            prop_assert_eq!(&decode(&raw).text, &expected);
            let origin = origin(&raw);
            for (at, c) in expected.char_indices() {
                let span = origin.span(at..at + c.len_utf8()).unwrap();
                let source = &span.file.text[span.start..span.end];
                let again = decode(&format!("\"{source}\"")).text;
                prop_assert!(source == c.to_string() || again == c.to_string(), "{source:?} is not {c:?}");
            }
        }

        #[test]
        fn no_token_is_too_odd(raw in ".{0,40}", start in 0usize..50, end in 0usize..50) {
            let _ = origin(&raw).span(start..end);
        }
    }
}
