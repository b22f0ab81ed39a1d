//! What there is to ask for.

use s3stack_engine::resource::Registry;
use s3stack_engine::schema::Schema;
use s3stack_engine::stack::fields;

use super::page::{Entry, Page, Part};
use super::{codes, functions, sections};
use crate::resources::Types;

/// Lists that can be asked for by name.
pub(super) const LISTS: [(&str, List); 4] =
    [("types", types), ("keys", sections::keys), ("functions", functions::index), ("codes", codes::index)];

/// What makes a list.
type List = fn() -> Page;

/// What `s3stack explain` tells when it is asked for nothing.
pub(super) fn page() -> Page {
    let sections = fields::sections();
    let sections = sections.iter().map(|(name, one)| Entry::new(name, first_sentence(&one.doc)));
    let lists = LISTS.iter().skip(1).map(|(name, page)| Entry::new(*name, first_sentence(&page().text)));
    let parts = [
        Part::new("types", "Resource types", of_service(None)),
        Part::new("sections", "Sections of a stack file", sections.collect()),
        Part::new("lists", "Lists", lists.collect()),
    ];
    Page {
        topic: "index",
        name: String::new(),
        text: "Ask for a type, a property (`s3.bucket.lifecycle`), a section, a function or the code of a finding \
               (`S3S-N1`)."
            .into(),
        parts: parts.into_iter().flatten().collect(),
        next: Some("`s3stack explain NAME` tells of one.".into()),
        ..Page::default()
    }
}

fn types() -> Page {
    service(None)
}

/// The types of a service; of all without one.
pub(super) fn service(service: Option<&str>) -> Page {
    Page {
        topic: "types",
        name: service.unwrap_or("types").into(),
        text: "Resource types: a block is written `[service.type.name]`.".into(),
        parts: Part::new("types", "Types", of_service(service)).into_iter().collect(),
        ..Page::default()
    }
}

fn of_service(service: Option<&str>) -> Vec<Entry> {
    let names = Types.names().into_iter();
    let wanted = names.filter(|name| service.is_none_or(|service| name.split('.').next() == Some(service)));
    let entries = wanted.filter_map(|name| Some(Entry::new(name, summary(Types.get(name)?.schema()))));
    entries.collect()
}

/// The first sentence of a type's documentation.
pub(super) fn summary(schema: &Schema) -> String {
    first_sentence(&schema.doc)
}

/// The first sentence of a text.
pub(super) fn first_sentence(text: &str) -> String {
    let paragraph = text.split("\n\n").next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    match paragraph.split_once(". ") {
        Some((sentence, _)) => format!("{sentence}."),
        None => paragraph,
    }
}
