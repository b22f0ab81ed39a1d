//! The codes of findings, as `docs/codes.md` lists them.

use super::page::{Entry, Fact, Page, Part};

const PAGE: &str = include_str!("../../docs/codes.md");

/// A code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// `S3S-N1`.
    pub code: &'static str,
    /// What it means, one sentence.
    pub meaning: &'static str,
    /// The heading that it stands under.
    pub group: &'static str,
}

/// All codes, in the order of the page.
pub fn all() -> impl Iterator<Item = Code> {
    read(PAGE)
}

/// The rows of the tables of a page: a code in backticks and its meaning.
fn read(page: &'static str) -> impl Iterator<Item = Code> {
    let mut group = "";
    page.lines().filter_map(move |line| {
        group = line.strip_prefix("## ").unwrap_or(group);
        let row = line.strip_prefix("| `")?.strip_suffix(" |")?;
        let (code, meaning) = row.split_once("` | ")?;
        Some(Code { code, meaning, group })
    })
}

/// All codes, as a page.
pub(super) fn index() -> Page {
    let mut parts: Vec<Part> = Vec::new();
    for Code { code, meaning, group } in all() {
        let entry = Entry::new(code, meaning);
        match parts.last_mut().filter(|part| part.heading == group) {
            Some(part) => part.entries.push(entry),
            None => parts.extend(Part::new("codes", group, vec![entry])),
        }
    }
    let text = "Every finding has a code, which keeps its meaning.".into();
    Page { topic: "codes", name: "codes".into(), text, parts, ..Page::default() }
}

/// One code.
pub(super) fn page(code: &Code) -> Page {
    Page {
        topic: "code",
        name: code.code.into(),
        text: code.meaning.into(),
        facts: vec![Fact::new("about", code.group)],
        next: Some("`s3stack explain codes` lists them all.".into()),
        ..Page::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_page_is_read() {
        let rows = PAGE.lines().filter(|line| line.starts_with("| `S3S-")).count();
        assert_eq!(all().count(), rows);
        let first = Code { code: "S3S-P1", meaning: "The file is not TOML, or not UTF-8.", group: "The files" };
        assert_eq!(all().next(), Some(first));
        assert!(all().all(|code| !code.group.is_empty() && code.meaning.ends_with('.')));
    }

    #[test]
    fn meanings_may_hold_code_and_bars_end_no_row_early() {
        let page = "## A\n| code | meaning |\n|---|---|\n| `S3S-A1` | `when` is a \\| b. |\n\nText | `S3S-A2` |\n";
        let codes: Vec<Code> = read(page).collect();
        assert_eq!(codes, [Code { code: "S3S-A1", meaning: "`when` is a \\| b.", group: "A" }]);
    }
}
