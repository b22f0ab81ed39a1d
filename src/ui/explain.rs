//! Explanations as text for a terminal.

use std::fmt::Write as _;

use super::text::{Layout, Role, pad, width, wrap};
use crate::explain::{Fact, Page};

/// Longer lines are hard to read, however wide the terminal is.
const WIDEST: usize = 100;
/// Names up to this long have their text beside them, longer ones below.
const NAMES: usize = 30;

/// A page for a terminal.
pub fn render_page(page: &Page, layout: &Layout) -> String {
    let mut to = Writer { text: String::new(), layout: Layout { width: layout.width.min(WIDEST), ..*layout } };
    if !page.name.is_empty() {
        to.strong(&page.name);
    }
    let paragraphs: Vec<String> = paragraphs(&page.text).map(|one| wrap(&one, to.layout.width).join("\n")).collect();
    to.line(&paragraphs.join("\n\n"));
    if !page.facts.is_empty() {
        to.line("");
        let column = page.facts.iter().map(|fact| width(&fact.label())).max().unwrap_or_default();
        for fact in &page.facts {
            to.entry(&fact.label(), column, &[(&fact.text, None)]);
        }
    }
    for part in &page.parts {
        to.line("");
        to.strong(&part.heading);
        let fitting = part.entries.iter().map(|entry| width(&entry.name)).filter(|width| *width <= NAMES);
        let column = fitting.max().unwrap_or_default();
        for entry in &part.entries {
            to.entry(&entry.name, column, &[(&joined(&entry.text), None), (&brief(&entry.facts), Some(Role::Faint))]);
        }
    }
    if let Some(example) = &page.example {
        to.line("");
        to.strong("Example");
        example.lines().for_each(|line| to.line(&format!("  {line}")));
    }
    if let Some(next) = &page.next {
        to.line("");
        to.line(&wrap(next, to.layout.width).join("\n"));
    }
    to.text
}

struct Writer {
    text: String,
    layout: Layout,
}

impl Writer {
    fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "{}", line.trim_end());
    }

    fn strong(&mut self, heading: &str) {
        let heading = self.layout.paint(Role::Strong, heading);
        self.line(&heading);
        self.line("");
    }

    /// A name, and beside it what there is to say of it.
    fn entry(&mut self, name: &str, column: usize, texts: &[(&str, Option<Role>)]) {
        let room = self.layout.width.saturating_sub(column + 4).max(24);
        let mut lines = Vec::new();
        for (text, role) in texts.iter().filter(|(text, _)| !text.is_empty()) {
            let painted = |line: String| role.map_or(line.clone(), |role| self.layout.paint(role, &line));
            lines.extend(wrap(text, room).into_iter().map(painted));
        }
        let mut lines = lines.into_iter();
        let beside = if width(name) <= column { lines.next().unwrap_or_default() } else { String::new() };
        self.line(&format!("  {}  {beside}", pad(name, column)));
        lines.for_each(|line| self.line(&format!("{}{line}", " ".repeat(column + 4))));
    }
}

/// The paragraphs of a text, each in one line.
pub(super) fn paragraphs(text: &str) -> impl Iterator<Item = String> {
    text.split("\n\n").map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// All of a text in one line.
pub(super) fn joined(text: &str) -> String {
    paragraphs(text).collect::<Vec<_>>().join(" ")
}

/// Facts in a few words each.
pub(super) fn brief(facts: &[Fact]) -> String {
    facts.iter().map(Fact::brief).collect::<Vec<_>>().join(" · ")
}
