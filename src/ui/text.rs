//! Text for people: roles instead of colours, widths, numbers and durations in words.

use std::borrow::Cow;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

/// What a piece of text is, from which follows how it is coloured. No role says anything that the text does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Something comes.
    Create,
    /// Something changes.
    Change,
    /// Something goes, or is lost.
    Delete,
    /// Something moves, is adopted or forgotten: no data is touched.
    Move,
    /// AWS differs from the file.
    Drift,
    /// An error.
    Error,
    /// A warning.
    Warning,
    /// What the eye shall find.
    Strong,
    /// What matters less.
    Faint,
}

impl Role {
    fn style(self) -> Style {
        let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
        match self {
            Self::Create => colour(AnsiColor::Green),
            Self::Change | Self::Warning => colour(AnsiColor::Yellow),
            Self::Delete => colour(AnsiColor::Red),
            Self::Move => colour(AnsiColor::Cyan),
            Self::Drift => colour(AnsiColor::Magenta),
            Self::Error => colour(AnsiColor::Red).bold(),
            Self::Strong => Style::new().bold(),
            Self::Faint => Style::new().dimmed(),
        }
    }
}

/// How wide, how coloured and how complete a text shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Characters in a line; longer lines happen where nothing can be shortened.
    pub width: usize,
    /// Whether escape codes may be used.
    pub colour: bool,
    /// Whether nothing is left out or shortened.
    pub verbose: bool,
}

impl Default for Layout {
    /// As for a pipe: 100 characters, no colour, not verbose.
    fn default() -> Self {
        Self { width: 100, colour: false, verbose: false }
    }
}

impl Layout {
    /// The text in the colour of its role.
    pub fn paint(&self, role: Role, text: &str) -> String {
        if !self.colour || text.is_empty() {
            return text.to_owned();
        }
        let style = role.style();
        format!("{style}{text}{style:#}")
    }

    /// The same layout for text that is indented.
    pub fn narrower(&self, by: usize) -> Self {
        Self { width: self.width.saturating_sub(by).max(24), ..*self }
    }
}

/// The text with everything that could steer a terminal or hide text made visible; line ends and tabs stay.
///
/// Names, tags and messages come from AWS and from other people's files.
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.chars().any(steers) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) { clean.extend(c.escape_unicode()) } else { clean.push(c) }
    }
    Cow::Owned(clean)
}

/// Whether a character steers a terminal: controls, and the marks that turn the direction of text.
pub(super) fn steers(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// How many characters wide a text is.
pub fn width(text: &str) -> usize {
    text.chars().count()
}

/// The text with blanks up to a width.
pub fn pad(text: &str, to: usize) -> String {
    let blanks = to.saturating_sub(width(text));
    format!("{text}{}", " ".repeat(blanks))
}

/// The text, shortened to a width with an ellipsis.
pub fn cut(text: &str, to: usize) -> Cow<'_, str> {
    if width(text) <= to {
        return Cow::Borrowed(text);
    }
    let kept: String = text.chars().take(to.saturating_sub(1)).collect();
    Cow::Owned(format!("{kept}…"))
}

/// The text, shortened to a width with an ellipsis in its middle: names differ at their ends.
pub fn cut_middle(text: &str, to: usize) -> Cow<'_, str> {
    let all = width(text);
    if all <= to {
        return Cow::Borrowed(text);
    }
    let kept = to.saturating_sub(1);
    let (head, tail) = (kept.div_ceil(2), kept / 2);
    let (head, tail): (String, String) = (text.chars().take(head).collect(), text.chars().skip(all - tail).collect());
    Cow::Owned(format!("{head}…{tail}"))
}

/// Sentences, broken at blanks into lines of at most a width; longer words stand alone, and what stands in backticks is
/// one word.
pub fn wrap(text: &str, to: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let (mut line, mut word) = (String::new(), String::new());
        for part in paragraph.split_whitespace() {
            if !word.is_empty() {
                word.push(' ');
            }
            word.push_str(part);
            if word.matches('`').count() % 2 == 0 {
                add_word(&std::mem::take(&mut word), to, &mut line, &mut lines);
            }
        }
        // A backtick that is never closed.
        word.split_whitespace().for_each(|word| add_word(word, to, &mut line, &mut lines));
        lines.push(line);
    }
    lines
}

fn add_word(word: &str, to: usize, line: &mut String, lines: &mut Vec<String>) {
    if !line.is_empty() && width(line) + 1 + width(word) > to {
        lines.push(std::mem::take(line));
    }
    if !line.is_empty() {
        line.push(' ');
    }
    line.push_str(word);
}

/// A number with separated thousands, `1,204,331`.
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things, `1 resource`, `2 resources`.
pub fn count(value: usize, one: &str, many: &str) -> String {
    format!("{} {}", number(value as u64), if value == 1 { one } else { many })
}

/// A duration in words, `41 ms`, `0.4 s`, `12 s`, `3 min 5 s`.
pub fn duration(took: Duration) -> String {
    let seconds = took.as_secs();
    match seconds {
        0 if took.as_millis() < 100 => format!("{} ms", took.as_millis()),
        0..10 => format!("{:.1} s", took.as_secs_f64()),
        10..120 => format!("{seconds} s"),
        120..7200 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_durations_read_well() {
        assert_eq!(["0", "999", "1,000", "1,204,331"], [0, 999, 1000, 1_204_331].map(number).each_ref().map(|n| &**n));
        let told = [41, 400, 9_940, 12_600, 185_000, 7_260_000].map(|ms| duration(Duration::from_millis(ms)));
        assert_eq!(told, ["41 ms", "0.4 s", "9.9 s", "12 s", "3 min 5 s", "2 h 1 min"]);
        assert_eq!(count(1, "bucket", "buckets"), "1 bucket");
        assert_eq!(count(0, "bucket", "buckets"), "0 buckets");
    }

    #[test]
    fn escape_codes_of_others_do_not_reach_the_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\u{202e}c\nd"), "a\\u{1b}[2Jb\\u{202e}c\nd");
    }

    #[test]
    fn texts_are_cut_and_wrapped_at_the_width() {
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(["abcdef", "äöüßx", "ab"].map(|text| cut_middle(text, 4).into_owned()), ["ab…f", "äö…x", "ab"]);
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("a-very-long-word b", 4), ["a-very-long-word", "b"]);
        assert_eq!(wrap("run `s3stack apply` now", 12), ["run", "`s3stack apply`", "now"]);
        assert_eq!(wrap("a `b c d", 3), ["a", "`b", "c d"]);
    }

    #[test]
    fn colour_adds_codes_and_changes_no_character() {
        let layout = Layout { colour: true, ..Layout::default() };
        let painted = layout.paint(Role::Create, "+ x");
        assert!(painted.starts_with('\u{1b}') && painted.contains("+ x"));
        assert_eq!(Layout::default().paint(Role::Create, "+ x"), "+ x");
    }
}
