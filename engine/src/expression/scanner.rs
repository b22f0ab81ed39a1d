//! Finds the expressions in a text before any parser sees them.
//!
//! `${` begins an expression, `$${` is the text `${`, `%{` is always text, and a brace whose whole inside is an IAM
//! policy variable is text too. The scanner also bounds what it lets through: the nesting and size of an expression.

use std::borrow::Cow;
use std::ops::Range;

use super::{LIMIT, SYNTAX};

/// How deep brackets and strings may nest in one text.
const DEPTH: usize = 64;
/// How long one expression may be, in bytes.
const EXPRESSION_BYTES: usize = 64 * 1024;
/// How many entries one pair of braces may hold: the parser compares each key with all before it.
const ENTRIES: usize = 2_000;

/// A part of a text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    /// Text, unescaped.
    Literal(String),
    /// An expression.
    Hole(Hole),
}

/// An expression, not yet parsed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hole {
    /// What stands between `${` and `}`.
    pub range: Range<usize>,
    /// The contents of the quoted strings directly in it, without their quotes.
    pub strings: Vec<Range<usize>>,
}

/// A syntax error at a range of the scanned text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mistake {
    pub code: &'static str,
    pub message: String,
    pub range: Range<usize>,
    pub help: Option<Cow<'static, str>>,
    /// Whether the text ends inside of something, so that more text may mend it.
    pub unfinished: bool,
}

impl Mistake {
    pub(super) fn new(range: Range<usize>, message: impl Into<String>) -> Self {
        Self { code: SYNTAX, message: message.into(), range, help: None, unfinished: false }
    }

    pub(super) fn limit(range: Range<usize>, message: impl Into<String>) -> Self {
        Self { code: LIMIT, ..Self::new(range, message) }
    }

    fn unfinished(self) -> Self {
        Self { unfinished: true, ..self }
    }

    pub(super) fn help(self, help: impl Into<Cow<'static, str>>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

/// Splits a text into literals and expressions.
pub(super) fn scan(text: &str) -> Result<Vec<Piece>, Mistake> {
    Scanner { text, depth: 0 }.pieces(0, Literals::Plain).map(|(pieces, _)| pieces)
}

/// Splits the content of a quoted string inside an expression, as the scan of the whole text found it.
pub(super) fn scan_quoted(text: &str, content: Range<usize>) -> Result<Vec<Piece>, Mistake> {
    Scanner { text, depth: 0 }.pieces(content.start, Literals::Quoted).map(|(pieces, _)| pieces)
}

/// Whether a text ends inside a string, a comment or brackets, so that it may go on in the next line. `bare` is one that
/// is an expression itself.
pub(super) fn goes_on(text: &str, bare: bool) -> bool {
    match bare {
        // The `${` in front is never closed, and that alone does not count.
        true => scan(&format!("${{{text}")).is_err_and(|mistake| mistake.unfinished && mistake.range.start > 0),
        false => scan(text).is_err_and(|mistake| mistake.unfinished),
    }
}

/// How literal text is written: as it is, or as in HCL's quoted strings, which have escapes and end at a quote.
#[derive(Clone, Copy, PartialEq)]
enum Literals {
    Plain,
    Quoted,
}

struct Scanner<'a> {
    text: &'a str,
    depth: usize,
}

impl Scanner<'_> {
    fn slice(&self, range: Range<usize>) -> &str {
        self.text.get(range).unwrap_or_default()
    }

    fn rest(&self, at: usize) -> &str {
        self.slice(at..self.text.len())
    }

    /// The parts from `at` to the end, or to the closing quote, whose offset is returned.
    fn pieces(&mut self, start: usize, literals: Literals) -> Result<(Vec<Piece>, usize), Mistake> {
        let quoted = literals == Literals::Quoted;
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let (mut at, mut copied) = (start, start);
        loop {
            match self.text.as_bytes().get(at) {
                None if quoted => {
                    let quote = start.saturating_sub(1)..start;
                    return Err(Mistake::new(quote, "this string is not closed").help("end it with `\"`").unfinished());
                }
                None => break,
                Some(b'"') if quoted => break,
                Some(b'\\') if quoted => {
                    literal.push_str(self.slice(copied..at));
                    let (c, length) = escape(self.rest(at)).ok_or_else(|| {
                        Mistake::new(at..at + 1, "no such escape")
                            .help("known are \\n, \\r, \\t, \\\", \\\\, \\uXXXX and \\UXXXXXXXX")
                    })?;
                    literal.push(c);
                    at += length;
                    copied = at;
                }
                Some(b'$') if self.rest(at).starts_with("$${") => {
                    literal.push_str(self.slice(copied..at));
                    literal.push_str("${");
                    at += 3;
                    copied = at;
                }
                Some(b'$') if self.rest(at).starts_with("${") => match policy_variable(self.rest(at)) {
                    Some(length) => at += length,
                    None => {
                        literal.push_str(self.slice(copied..at));
                        if !literal.is_empty() {
                            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                        }
                        let hole = self.hole(at)?;
                        at = hole.range.end + 1;
                        copied = at;
                        pieces.push(Piece::Hole(hole));
                    }
                },
                Some(_) => at += 1,
            }
        }
        literal.push_str(self.slice(copied..at));
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok((pieces, at))
    }

    /// The expression whose `${` stands at `start`.
    fn hole(&mut self, start: usize) -> Result<Hole, Mistake> {
        struct Open {
            bracket: u8,
            at: usize,
            entries: usize,
        }
        let outside = self.depth;
        let mut strings = Vec::new();
        let mut open = vec![Open { bracket: b'{', at: start, entries: 0 }];
        let mut at = start + 2;
        self.deeper(start)?;
        loop {
            if at - start > EXPRESSION_BYTES {
                return Err(Mistake::limit(start..start + 2, "this expression is longer than 64 KiB"));
            }
            let Some(byte) = self.text.as_bytes().get(at) else {
                return Err(match open.last() {
                    Some(inner) if inner.at > start => unclosed(inner.bracket, inner.at),
                    _ => Mistake::new(start..start + 2, "this `${` is not closed")
                        .help("close it with `}`, or write `$${` for the text `${`"),
                }
                .unfinished());
            };
            match byte {
                b'"' => {
                    self.deeper(at)?;
                    let (_, end) = self.pieces(at + 1, Literals::Quoted)?;
                    self.depth -= 1;
                    strings.push(at + 1..end);
                    at = end;
                }
                b'(' | b'[' | b'{' => {
                    self.deeper(at)?;
                    open.push(Open { bracket: *byte, at, entries: 0 });
                }
                b')' | b']' | b'}' => {
                    let Some(last) = open.pop() else { break };
                    let expected = closing(last.bracket);
                    if *byte != expected {
                        return Err(match open.is_empty() {
                            true => {
                                let message = format!("this `{}` closes nothing", char::from(*byte));
                                Mistake::new(at..at + 1, message).help("take it out, or open it before")
                            }
                            false => unclosed(last.bracket, last.at),
                        });
                    }
                    if open.is_empty() {
                        break;
                    }
                    self.depth -= 1;
                }
                b',' | b'\n' => {
                    if let Some(last) = open.last_mut() {
                        last.entries += 1;
                        if last.bracket == b'{' && last.entries > ENTRIES {
                            return Err(Mistake::limit(last.at..last.at + 1, "this has more than 2,000 entries"));
                        }
                    }
                }
                b'#' => at = self.end_of_line(at),
                b'/' if self.rest(at).starts_with("//") => at = self.end_of_line(at),
                b'/' if self.rest(at).starts_with("/*") => {
                    let Some(length) = self.rest(at).find("*/") else {
                        let mistake = Mistake::new(at..at + 2, "this comment is not closed").help("end it with `*/`");
                        return Err(mistake.unfinished());
                    };
                    at += length + 1;
                }
                b'\'' => {
                    return Err(Mistake::new(at..at + 1, "strings in an expression take double quotes")
                        .help("put the whole value into '…' and write \"…\" inside it"));
                }
                b'<' if self.rest(at).starts_with("<<") => {
                    return Err(Mistake::new(at..at + 2, "heredocs are not supported")
                        .help("write a TOML multi-line string with `${…}` in it"));
                }
                _ => {}
            }
            at += 1;
        }
        self.depth = outside;
        let range = start + 2..at;
        let inside = self.slice(range.clone());
        if inside.trim().is_empty() {
            return Err(Mistake::new(start..at + 1, "there is no expression in this `${…}`")
                .help("write `$${` for the text `${`"));
        }
        if inside.starts_with('~') || inside.ends_with('~') {
            return Err(Mistake::new(start..at + 1, "`~` markers are not supported").help("use trimspace(…)"));
        }
        Ok(Hole { range, strings })
    }

    fn deeper(&mut self, at: usize) -> Result<(), Mistake> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Mistake::limit(at..at + 1, "this nests more than 64 deep"));
        }
        Ok(())
    }

    /// The offset of the last byte of the line.
    fn end_of_line(&self, at: usize) -> usize {
        at + self.rest(at).find('\n').unwrap_or_else(|| self.rest(at).len()).max(1) - 1
    }
}

fn unclosed(bracket: u8, at: usize) -> Mistake {
    let message = format!("this `{}` is not closed", char::from(bracket));
    Mistake::new(at..at + 1, message).help(format!("close it with `{}`", char::from(closing(bracket))))
}

fn closing(bracket: u8) -> u8 {
    match bracket {
        b'(' => b')',
        b'[' => b']',
        _ => b'}',
    }
}

/// One escape of a quoted string, beginning with its backslash: the character and the escape's length in bytes.
fn escape(text: &str) -> Option<(char, usize)> {
    let hex = |digits: usize| {
        let digits = text.get(2..2 + digits).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let c = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32)?;
        Some((c, 2 + digits.len()))
    };
    match text.as_bytes().get(1)? {
        b'n' => Some(('\n', 2)),
        b'r' => Some(('\r', 2)),
        b't' => Some(('\t', 2)),
        b'"' => Some(('"', 2)),
        b'\\' => Some(('\\', 2)),
        b'u' => hex(4),
        b'U' => hex(8),
        _ => None,
    }
}

/// Our own roots: `${var.x:y}` is a mistake to be reported, not a policy variable to be passed on.
const ROOTS: [&str; 6] = ["var.", "each.", "self.", "module.", "lookup.", "remote."];

/// The length of the IAM policy variable that begins the text with its `${`; `None` when it is none.
///
/// `${prefix:name}` and `${prefix:name, 'default'}`, and `${*}`, `${?}`, `${$}`:
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>. No HCL expression has that
/// form: outside of brackets a colon stands only in a conditional, whose `?` no prefix may hold.
fn policy_variable(text: &str) -> Option<usize> {
    let inside = text.strip_prefix("${")?;
    if ["*}", "?}", "$}"].iter().any(|special| inside.starts_with(special)) {
        return Some(4);
    }
    let prefix_end =
        inside.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '/' | '_'))).unwrap_or(0);
    let prefix = inside.get(..prefix_end)?;
    if !prefix.starts_with(|c: char| c.is_ascii_alphanumeric()) || ROOTS.iter().any(|root| prefix.starts_with(root)) {
        return None;
    }
    let rest = inside.get(prefix_end..)?.strip_prefix(':')?;
    // Tag keys, `aws:PrincipalTag/cost center`, may hold letters of any script, spaces and these signs.
    let name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | ':' | '/' | '=' | '+' | '-' | '@' | ' ');
    if !rest.starts_with(|c: char| name(c) && c != ':' && c != ' ') {
        return None;
    }
    let rest = rest.trim_start_matches(name);
    let rest = match rest.strip_prefix(',') {
        Some(default) => default.trim_start().strip_prefix('\'')?.split_once('\'')?.1.trim_start(),
        None => rest,
    };
    Some(text.len() - rest.strip_prefix('}')?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> Vec<Piece> {
        vec![Piece::Literal(text.into())]
    }

    fn holes(text: &str) -> Vec<&str> {
        scan(text)
            .unwrap()
            .into_iter()
            .filter_map(|piece| match piece {
                Piece::Hole(hole) => Some(&text[hole.range]),
                Piece::Literal(_) => None,
            })
            .collect()
    }

    fn mistake(text: &str) -> (usize, String) {
        let mistake = scan(text).unwrap_err();
        (mistake.range.start, mistake.message)
    }

    #[test]
    fn escapes_and_directives_are_text() {
        assert_eq!(scan("a $${b} %{if x} 5% $ $$").unwrap(), literal("a ${b} %{if x} 5% $ $$"));
        assert_eq!(scan("$$${a}").unwrap(), literal("$${a}"));
        assert_eq!(scan("").unwrap(), vec![]);
    }

    #[test]
    fn policy_variables_are_text() {
        for text in [
            "${aws:username}",
            "arn:aws:s3:::b/${aws:PrincipalTag/team, 'none'}/*",
            "${aws:PrincipalTag/cost center}",
            "${saml:sub} ${*}${?}${$}",
            "${accounts.google.com:sub}",
            "${oidc.eks.us-east-1.amazonaws.com/id/ABC:sub}",
            "${aws:PrincipalTag/x,'a } b'}",
        ] {
            assert_eq!(scan(text).unwrap(), literal(text), "{text}");
        }
        assert_eq!(scan_quoted("\"a${aws:username}\\n\"", 1..18).unwrap(), literal("a${aws:username}\n"));
    }

    #[test]
    fn expressions_that_look_like_policy_variables_are_expressions() {
        for inside in ["a ? b : c", "a?b:c", "x == 1 ? y : z", "var.x:y", "{a:1}", "n::f(x)", "a:'b'", "a: b"] {
            assert_eq!(policy_variable(&format!("${{{inside}}}")), None, "{inside}");
        }
    }

    #[test]
    fn braces_in_strings_comments_and_brackets_are_matched() {
        assert_eq!(holes(r#"x${ { a = "}" } }y${b}"#), vec![r#" { a = "}" } "#, "b"]);
        assert_eq!(holes(r#"${"a${"}"}b}"}"#), vec![r#""a${"}"}b}""#]);
        assert_eq!(holes(r#"${"\"}"}"#), vec![r#""\"}""#]);
        assert_eq!(holes("${a /* } */ # }\n // }\n}"), vec!["a /* } */ # }\n // }\n"]);
    }

    #[test]
    fn mistakes_stand_where_they_are() {
        assert_eq!(mistake("ab${c"), (2, "this `${` is not closed".into()));
        assert_eq!(mistake("${f(a"), (3, "this `(` is not closed".into()));
        assert_eq!(mistake("${f(a}"), (3, "this `(` is not closed".into()));
        assert_eq!(mistake("${a)}"), (3, "this `)` closes nothing".into()));
        assert_eq!(mistake("${\"a}"), (2, "this string is not closed".into()));
        assert_eq!(mistake("${ }"), (0, "there is no expression in this `${…}`".into()));
        assert_eq!(mistake("${a ? 'b' : c}"), (6, "strings in an expression take double quotes".into()));
        assert_eq!(mistake("${<<EOT\nEOT\n}"), (2, "heredocs are not supported".into()));
        assert_eq!(mistake("${\"\\q\"}"), (3, "no such escape".into()));
        assert_eq!(mistake("${~ a }"), (0, "`~` markers are not supported".into()));
        assert_eq!(mistake("${a # }"), (0, "this `${` is not closed".into()));
    }

    #[test]
    fn nesting_is_bounded_before_it_costs_anything() {
        for open in ["(", "[", "{", "\"${"] {
            let text = format!("${{{}", open.repeat(100_000));
            assert_eq!(scan(&text).unwrap_err().message, "this nests more than 64 deep");
        }
        assert_eq!(scan(&format!("${{{}}}", "1+".repeat(40_000))).unwrap_err().code, LIMIT);
    }
}
