//! What the language has besides resource types: sections, and the keys of every block.

use s3stack_engine::schema::Property;
use s3stack_engine::stack::fields;

use super::example;
use super::page::{Page, Part};
use super::property::{self, Place};

/// A stack file that uses all of it.
pub(super) const EXAMPLE: &str = include_str!("sections.toml");

/// The page of what is at a path of the language; else the step that leads nowhere, and what there is at its place.
pub(super) fn page(path: &[&str]) -> Result<Page, (usize, Vec<String>)> {
    let sections = fields::sections();
    let along = property::along(&sections, path)
        .map_err(|(step, known)| (step, known.into_iter().map(str::to_owned).collect()))?;
    let steps: Vec<&str> = along.iter().map(|(name, _)| *name).collect();
    let mut page = property::page("", &along, Place::OfLanguage);
    if path.len() == 1 {
        page.topic = "section";
        // What a section is, its heading says.
        page.facts.clear();
    }
    page.example = example::of_section(EXAMPLE, &steps);
    Ok(page)
}

/// What every block may have.
pub(super) fn keys() -> Page {
    Page {
        topic: "keys",
        name: "keys".into(),
        text: "What every block may have, besides the properties of its type.".into(),
        parts: Part::new("keys", "Keys", property::entries(&fields::reserved(), true)).into_iter().collect(),
        example: example::of_type(EXAMPLE, "s3.bucket"),
        ..Page::default()
    }
}

/// The page of one of them.
pub(super) fn reserved_page(name: &str, key: &Property) -> Page {
    let example = match name {
        // What it is good for, the other properties show: `each` stands in them.
        "for_each" => example::of_block_with(EXAMPLE, "s3.bucket", name),
        _ => example::of_path(EXAMPLE, "s3.bucket", &[name]),
    };
    Page { example, ..property::page("", &vec![(name, key)], Place::OfLanguage) }
}
