//! Explanations as Markdown, for the reference pages of the repository.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::explain::{brief, joined, paragraphs};
use crate::explain::Page;
use crate::explain::reference::Document;

/// Not to be edited, and how it is renewed.
const GENERATED: &str = "<!-- Made by `cargo run -- docs docs`. -->";

/// A reference page.
pub fn render_document(document: &Document) -> String {
    let headings: BTreeSet<&str> = document.pages.iter().map(|(_, page)| page.name.as_str()).collect();
    let pages = document.pages.iter().map(|(level, page)| self::page(page, *level, &headings));
    format!("{GENERATED}\n\n{}", pages.collect::<Vec<_>>().join("\n"))
}

/// A page under a heading of some level.
fn page(page: &Page, level: usize, headings: &BTreeSet<&str>) -> String {
    let mut text = format!("{} {}\n\n", "#".repeat(level), page.name);
    paragraphs(&page.text).for_each(|one| {
        let _ = writeln!(text, "{one}\n");
    });
    for fact in &page.facts {
        let _ = writeln!(text, "- **{}**: {}", fact.label(), fact.text);
    }
    if !page.facts.is_empty() {
        text.push('\n');
    }
    if let Some(example) = &page.example {
        let _ = writeln!(text, "```toml\n{example}\n```\n");
    }
    for part in &page.parts {
        // Below a type its parts are chapters, below a property they are tables that belong to it.
        match level {
            1 => drop(writeln!(text, "## {}\n", part.heading)),
            _ => drop(writeln!(text, "{}:\n", part.heading)),
        }
        let has_facts = part.entries.iter().any(|entry| !entry.facts.is_empty());
        text.push_str(if has_facts { "| | | |\n|---|---|---|\n" } else { "| | |\n|---|---|\n" });
        for entry in &part.entries {
            let heading = match level {
                1 => entry.name.clone(),
                _ => format!("{}.{}", page.name, entry.name),
            };
            let name = match part.key == "properties" && headings.contains(heading.as_str()) {
                true => format!("[`{}`](#{})", entry.name, anchor(&heading)),
                false => format!("`{}`", entry.name),
            };
            let facts = if has_facts { format!(" {} |", cell(&brief(&entry.facts))) } else { String::new() };
            let _ = writeln!(text, "| {name} | {} |{facts}", cell(&joined(&entry.text)));
        }
        text.push('\n');
    }
    text.trim_end().to_owned() + "\n"
}

/// A text in a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// How a heading is linked to.
fn anchor(heading: &str) -> String {
    heading.to_lowercase().chars().filter(|c| c.is_alphanumeric() || matches!(c, '_' | '-')).collect()
}
