//! The text of a `.env` file. What is not asked for stays as it is, byte for byte.
//!
//! Shells and the `dotenv` libraries agree on this much, and only this is written: `NAME=value`, with `'…'` or `"…"`
//! round values that hold other characters than plain ones. Quoted values may span lines.

use std::ops::Range;

/// Stands at the top of files that were not there before; a file that has nothing else any more may go again.
const HEADER: &[u8] = b"# Made by s3stack, which keeps its own lines below up to date; any other line is yours.";
/// Begins a line that was put out of use because it held something of somebody else.
const SHELVED: &[u8] = b"# kept by s3stack: ";

/// A file's text, line by line.
#[derive(Clone, PartialEq, Eq)]
pub struct EnvText {
    lines: Vec<Line>,
}

#[derive(Clone, PartialEq, Eq)]
struct Line {
    /// With its line ending; more than one line of text where a quoted value spans several.
    bytes: Vec<u8>,
    assignment: Option<Assignment>,
}

#[derive(Clone, PartialEq, Eq)]
struct Assignment {
    name: String,
    /// Where in the line the value stands, quotes included.
    place: Range<usize>,
    quotes: Quotes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quotes {
    None,
    Single,
    Double,
}

impl EnvText {
    /// Reads a text. Any bytes are a text; what is no assignment is just kept.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut lines = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (line, after) = Line::first_of(rest);
            lines.push(line);
            rest = after;
        }
        Self { lines }
    }

    /// The text of a file that is not there yet.
    pub fn new_file() -> Self {
        let mut header = HEADER.to_vec();
        header.push(b'\n');
        Self { lines: vec![Line { bytes: header, assignment: None }] }
    }

    /// The whole text.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.lines.iter().flat_map(|line| line.bytes.iter().copied()).collect()
    }

    /// The value of a name, without quotes; where a name stands twice the last one counts, as in a shell. `None` also for
    /// a value that is no UTF-8, which nothing that is written here could be.
    pub fn get(&self, name: &str) -> Option<String> {
        self.lines.iter().rev().find(|line| line.is(name))?.value()
    }

    /// Gives a name a value. A line that has it keeps its place, `export`, quotes and comment; otherwise one is added at
    /// the end.
    pub fn set(&mut self, name: &str, value: &str) {
        let mut found = false;
        for line in self.lines.iter_mut().filter(|line| line.is(name)) {
            found = true;
            line.replace(value);
        }
        if !found {
            let newline = self.newline();
            self.end_last_line(newline);
            let mut bytes = format!("{name}=").into_bytes();
            bytes.extend(encode(value, Quotes::None));
            bytes.extend(newline);
            self.lines.push(Line::first_of(&bytes).0);
        }
    }

    /// Takes a name out.
    pub fn remove(&mut self, name: &str) {
        self.lines.retain(|line| !line.is(name));
    }

    /// Turns the lines of a name into comments, so that what they hold is not lost.
    pub fn shelve(&mut self, name: &str) {
        for line in self.lines.iter_mut().filter(|line| line.is(name)) {
            // Each line of a value that spans several.
            let shelved = line.bytes.split_inclusive(|byte| *byte == b'\n').flat_map(|part| [SHELVED, part].concat());
            *line = Line { bytes: shelved.collect(), assignment: None };
        }
    }

    /// Whether this is what is left of a text from [`Self::new_file`] when everything that was set is taken out.
    pub fn is_only_ours(&self) -> bool {
        let has_header = self.lines.iter().any(|line| line.bytes.trim_ascii() == HEADER);
        has_header && self.lines.iter().all(|line| matches!(line.bytes.trim_ascii(), b"" | HEADER))
    }

    /// Whether there is a NUL character in it, which no program could be handed.
    pub fn has_nul(&self) -> bool {
        self.lines.iter().any(|line| line.bytes.contains(&0))
    }

    /// Whether a reader of the whole text sees each line as it is here. A quote that somebody left open may swallow what is
    /// added below it.
    pub fn is_read_as_meant(&self) -> bool {
        Self::parse(&self.to_bytes()) == *self
    }

    fn newline(&self) -> &'static [u8] {
        let first = self.lines.iter().find(|line| line.bytes.ends_with(b"\n"));
        if first.is_some_and(|line| line.bytes.ends_with(b"\r\n")) { b"\r\n" } else { b"\n" }
    }

    fn end_last_line(&mut self, newline: &[u8]) {
        if let Some(last) = self.lines.last_mut()
            && !last.bytes.ends_with(b"\n")
        {
            last.bytes.extend(newline);
        }
    }
}

impl Line {
    /// The first line of a text that is not empty, and what comes after it.
    fn first_of(text: &[u8]) -> (Self, &[u8]) {
        let (assignment, length) = match assignment(text) {
            Some((assignment, length)) => (Some(assignment), length),
            None => (None, line_length(text)),
        };
        let (bytes, rest) = text.split_at(length);
        (Self { bytes: bytes.to_vec(), assignment }, rest)
    }

    fn is(&self, name: &str) -> bool {
        self.assignment.as_ref().is_some_and(|assignment| assignment.name == name)
    }

    fn value(&self) -> Option<String> {
        let assignment = self.assignment.as_ref()?;
        let text = std::str::from_utf8(self.bytes.get(assignment.place.clone())?).ok()?;
        Some(match assignment.quotes {
            Quotes::None => text.to_owned(),
            Quotes::Single => text.strip_prefix('\'')?.strip_suffix('\'')?.to_owned(),
            Quotes::Double => unescape(text.strip_prefix('"')?.strip_suffix('"')?),
        })
    }

    fn replace(&mut self, value: &str) {
        if self.value().as_deref() == Some(value) {
            return;
        }
        if let Some(assignment) = &self.assignment {
            let mut bytes = self.bytes.clone();
            let mut encoded = encode(value, assignment.quotes);
            if self.bytes.get(assignment.place.end) == Some(&b'#') {
                encoded.push(b' ');
            }
            bytes.splice(assignment.place.clone(), encoded);
            *self = Self::first_of(&bytes).0;
        }
    }
}

/// The assignment that a text begins with, and how long its line is.
fn assignment(text: &[u8]) -> Option<(Assignment, usize)> {
    let byte = |at: usize| text.get(at).copied();
    let blank = |from: usize| (from..).find(|at| !matches!(byte(*at), Some(b' ' | b'\t'))).unwrap_or(from);
    let start = if text.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    let mut at = blank(start);
    if text.get(at..).is_some_and(|rest| rest.starts_with(b"export"))
        && matches!(byte(at + b"export".len()), Some(b' ' | b'\t'))
    {
        at = blank(at + b"export".len());
    }
    let is_name = |byte: u8, first: bool| byte == b'_' || byte.is_ascii_alphabetic() || (!first && is_inner(byte));
    let end = (at..).find(|index| !byte(*index).is_some_and(|byte| is_name(byte, *index == at)))?;
    let name = std::str::from_utf8(text.get(at..end)?).ok().filter(|name| !name.is_empty())?.to_owned();
    let equals = blank(end);
    if byte(equals) != Some(b'=') {
        return None;
    }
    let value = blank(equals + 1);
    let quotes = match byte(value) {
        Some(b'\'') => Quotes::Single,
        Some(b'"') => Quotes::Double,
        _ => Quotes::None,
    };
    if quotes != Quotes::None
        && let Some(closing) = closing(text, value, quotes)
    {
        let rest = text.get(closing + 1..).unwrap_or_default();
        let length = line_length(rest);
        // Anything but a comment after the quotes belongs to the value in ways that readers disagree on.
        let after = rest.get(..length).unwrap_or_default().trim_ascii();
        if after.is_empty() || after.starts_with(b"#") {
            return Some((Assignment { name, place: value..closing + 1, quotes }, closing + 1 + length));
        }
    }
    let length = value + line_length(text.get(value..).unwrap_or_default());
    let line = text.get(value..length).unwrap_or_default();
    let starts_comment = |at: usize| byte(at) == Some(b'#') && matches!(byte(at - 1), Some(b' ' | b'\t'));
    let comment = (0..line.len()).find(|at| starts_comment(value + at));
    let plain = line.get(..comment.unwrap_or(line.len())).unwrap_or_default().trim_ascii_end();
    Some((Assignment { name, place: value..value + plain.len(), quotes: Quotes::None }, length))
}

/// Letters of names beyond the first; some libraries allow dots and hyphens.
fn is_inner(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'.' | b'-')
}

/// Where the quote that opens at `open` closes.
fn closing(text: &[u8], open: usize, quotes: Quotes) -> Option<usize> {
    let quote = *text.get(open)?;
    let mut at = open + 1;
    loop {
        match *text.get(at)? {
            b'\\' if quotes == Quotes::Double => at += 2,
            byte if byte == quote => return Some(at),
            _ => at += 1,
        }
    }
}

/// The length of the first line, its ending included.
fn line_length(text: &[u8]) -> usize {
    text.iter().position(|byte| *byte == b'\n').map_or(text.len(), |at| at + 1)
}

/// A value as it is written, in the quotes that stand there already if it can be.
fn encode(value: &str, quotes: Quotes) -> Vec<u8> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_./:@%+=,-".contains(&byte);
    let quotes = match quotes {
        Quotes::None if value.bytes().all(plain) => Quotes::None,
        Quotes::None | Quotes::Single if !value.contains('\'') => Quotes::Single,
        _ => Quotes::Double,
    };
    match quotes {
        Quotes::None => value.as_bytes().to_vec(),
        Quotes::Single => format!("'{value}'").into_bytes(),
        Quotes::Double => {
            let mut text = String::from('"');
            for character in value.chars() {
                if matches!(character, '"' | '\\' | '$' | '`') {
                    text.push('\\');
                }
                text.push(character);
            }
            text.push('"');
            text.into_bytes()
        }
    }
}

/// The value between double quotes, as a shell reads it.
fn unescape(text: &str) -> String {
    let mut value = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, characters.peek()) {
            ('\\', Some('"' | '\\' | '$' | '`')) => value.extend(characters.next()),
            _ => value.push(character),
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> EnvText {
        EnvText::parse(text.as_bytes())
    }

    fn shown(text: &EnvText) -> String {
        String::from_utf8(text.to_bytes()).unwrap()
    }

    #[test]
    fn a_name_keeps_its_place_its_export_its_quotes_and_its_comment() {
        let mut env = text("# top\n  export A = \"old\"  # why\nB='x y'\r\nC=1 # c\nA_B=2\n");
        env.set("A", "a$b");
        env.set("B", "it's");
        env.set("C", "two words");
        assert_eq!(shown(&env), "# top\n  export A = \"a\\$b\"  # why\nB=\"it's\"\r\nC='two words' # c\nA_B=2\n");
        assert_eq!(env.get("A").as_deref(), Some("a$b"));
        assert_eq!(env.get("B").as_deref(), Some("it's"));
    }

    #[test]
    fn a_new_name_is_added_at_the_end_in_the_ending_of_the_file() {
        let mut env = text("A=1\r\nB=2");
        env.set("KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCY=");
        assert_eq!(shown(&env), "A=1\r\nB=2\r\nKEY=wJalrXUtnFEMI/K7MDENG+bPxRfiCY=\r\n");
    }

    #[test]
    fn what_looks_like_a_name_inside_a_value_is_none() {
        let before = "PEM=\"line\nSECRET=inner\n\"\nSECRET=outer\n";
        let mut env = text(before);
        assert_eq!(env.get("SECRET").as_deref(), Some("outer"));
        env.remove("SECRET");
        assert_eq!(shown(&env), "PEM=\"line\nSECRET=inner\n\"\n");
    }

    #[test]
    fn an_unbalanced_quote_is_a_value_of_one_line() {
        let env = text("A=\"open\nB=\"x\"\n");
        assert_eq!(env.get("A").as_deref(), Some("\"open"));
        assert_eq!(env.get("B").as_deref(), Some("x"));
    }

    #[test]
    fn an_open_quote_that_would_swallow_a_line_is_noticed() {
        let mut env = text("A='open\n");
        env.set("B", "b b");
        assert!(env.is_read_as_meant());
        let mut env = text("A='open\n");
        env.set("B", " # b");
        assert!(!env.is_read_as_meant());
    }

    #[test]
    fn a_hash_is_a_comment_only_after_a_blank() {
        let mut env = text("A=#a\nB= #b\nC=c#c\n");
        assert_eq!(["A", "B", "C"].map(|name| env.get(name).unwrap()), ["#a", "", "c#c"]);
        env.set("B", "v");
        assert_eq!(shown(&env), "A=#a\nB= v #b\nC=c#c\n");
    }

    #[test]
    fn of_two_lines_the_last_counts_and_both_change() {
        let mut env = text("A=1\nA=2\n");
        assert_eq!(env.get("A").as_deref(), Some("2"));
        env.set("A", "3");
        assert_eq!(shown(&env), "A=3\nA=3\n");
        env.remove("A");
        assert_eq!(shown(&env), "");
    }

    #[test]
    fn a_shelved_line_is_a_comment_that_can_be_read() {
        let mut env = text("A='x\ny'\nB=1\n");
        env.shelve("A");
        assert_eq!(shown(&env), "# kept by s3stack: A='x\n# kept by s3stack: y'\nB=1\n");
        assert_eq!(env.get("A"), None);
    }

    #[test]
    fn only_a_file_that_we_made_is_empty_when_our_lines_are_gone() {
        let mut env = EnvText::new_file();
        env.set("A", "1");
        assert!(!env.is_only_ours());
        env.remove("A");
        assert!(env.is_only_ours());
        assert!(!text("").is_only_ours());
        assert!(!text("# a comment\n").is_only_ours());
        let mut changed = EnvText::new_file();
        changed.set("MINE", "1");
        assert!(!changed.is_only_ours());
    }

    #[test]
    fn a_byte_order_mark_stays_before_the_first_name() {
        let mut env = EnvText::parse(b"\xEF\xBB\xBFA=1\n");
        env.set("A", "2");
        assert_eq!(env.to_bytes(), b"\xEF\xBB\xBFA=2\n");
    }

    /// Lines as people write them, well and badly.
    fn any_line() -> impl Strategy<Value = String> {
        prop_oneof![
            "[A-Z]{1,3}=[a-z0-9]{0,5}",
            "[A-Z]{1,3} ?= ?'[a-z #\"]{0,5}'( # [a-z]{0,3})?",
            "export [A-Z]{1,3}=\"[a-z $\\\\]{0,5}\"",
            "# [A-Z]{1,3}=[a-z]{0,3}",
            "[ \t]{0,3}",
            "[=\"'# A-Z]{0,8}",
        ]
    }

    fn any_text() -> impl Strategy<Value = Vec<u8>> {
        let endings = prop_oneof![Just("\n"), Just("\r\n")];
        let lines = prop::collection::vec((any_line(), endings), 0..12);
        let known = lines
            .prop_map(|lines| lines.into_iter().map(|(line, ending)| line + ending).collect::<String>().into_bytes());
        prop_oneof![4 => known, 1 => prop::collection::vec(any::<u8>(), 0..80)]
    }

    fn others(env: &EnvText, name: &str) -> Vec<Vec<u8>> {
        env.lines.iter().filter(|line| !line.is(name)).map(|line| line.bytes.clone()).collect()
    }

    proptest! {
        #[test]
        fn reading_and_writing_changes_nothing(bytes in any_text()) {
            prop_assert_eq!(EnvText::parse(&bytes).to_bytes(), bytes);
        }

        #[test]
        fn what_is_set_is_read_back_and_every_other_line_is_kept(
            bytes in any_text(), name in "[A-Z]{1,2}", value in "[ -~é\n]{0,12}",
        ) {
            let before = EnvText::parse(&bytes);
            let mut env = before.clone();
            env.set(&name, &value);
            prop_assume!(env.is_read_as_meant());
            let after = EnvText::parse(&env.to_bytes());
            prop_assert_eq!(after.get(&name), Some(value));
            let mut kept = others(&before, &name);
            // A last line without an ending gets one when another follows it.
            if let (Some(last), false) = (kept.last_mut(), before.lines.iter().any(|line| line.is(&name)))
                && !last.ends_with(b"\n")
            {
                last.extend(before.newline());
            }
            prop_assert_eq!(others(&after, &name), kept);
            // What is set once stays as it is.
            let mut again = after.clone();
            again.set(&name, &after.get(&name).unwrap_or_default());
            prop_assert!(again == after);
        }

        #[test]
        fn what_is_removed_is_gone_and_every_other_line_is_kept(bytes in any_text(), name in "[A-Z]{1,2}") {
            let before = EnvText::parse(&bytes);
            let mut env = before.clone();
            env.remove(&name);
            prop_assert_eq!(env.get(&name), None);
            prop_assert_eq!(others(&env, &name), others(&before, &name));
        }
    }
}
