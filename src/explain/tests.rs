//! That everything can be asked for, and has something to say.

use s3stack_engine::expression::functions;
use s3stack_engine::stack::fields;

use super::page::Page;
use super::{codes, example, find, sections};
use crate::resources::TYPES;

/// The page of a name, and what is wrong with it.
fn page(name: &str) -> (Page, Option<String>) {
    match find(Some(name)) {
        Ok(page) if page.text.is_empty() => (page, Some(format!("{name} has no documentation"))),
        Ok(page) if !page.text.ends_with(['.', '?', '…']) => (page, Some(format!("{name} ends in no sentence"))),
        Ok(page) => (page, None),
        Err(unknown) => (Page::default(), Some(unknown.message)),
    }
}

#[test]
fn every_page_can_be_asked_for_and_so_can_what_it_lists() {
    let mut open: Vec<String> = TYPES.iter().map(|kind| kind.descriptor().name.to_owned()).collect();
    open.extend(fields::sections().into_keys());
    open.extend(fields::reserved().into_keys());
    open.extend(functions::all().map(|function| function.name().to_owned()));
    open.extend(codes::all().map(|code| code.code.to_owned()));
    open.extend(["types", "keys", "functions", "codes", "s3", "iam"].map(str::to_owned));
    let (mut wrong, mut seen) = (Vec::new(), 0);
    while let Some(name) = open.pop() {
        let (page, problem) = page(&name);
        wrong.extend(problem);
        seen += 1;
        let below = page.parts.iter().filter(|part| ["properties", "attributes", "computed"].contains(&part.key));
        open.extend(below.flat_map(|part| &part.entries).map(|entry| format!("{name}.{}", entry.name)));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen > 400, "{seen} pages");
}

#[test]
fn each_property_has_an_example() {
    let mut missing = Vec::new();
    for kind in TYPES {
        let descriptor = kind.descriptor();
        assert!(example::of_type(descriptor.example, descriptor.name).is_some(), "{} has no example", descriptor.name);
        let written = kind.schema().properties.iter().filter(|(_, property)| !property.derived);
        let has_none = |name: &str| example::of_path(descriptor.example, descriptor.name, &[name]).is_none();
        missing
            .extend(written.filter(|(name, _)| has_none(name)).map(|(name, _)| format!("{}.{name}", descriptor.name)));
    }
    let sections = fields::sections();
    missing.extend(sections.keys().filter(|name| example::of_section(sections::EXAMPLE, &[name]).is_none()).cloned());
    let reserved = fields::reserved();
    let has_none = |name: &&String| example::of_path(sections::EXAMPLE, "s3.bucket", &[name]).is_none();
    missing.extend(reserved.keys().filter(has_none).cloned());
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn an_example_shows_one_thing_in_its_place() {
    let text = "# One.\n[s3.bucket.a]\nversioning = true\nname       = \"a\"\n\n[s3.bucket.b.lifecycle.x]\nprefix = \"p\"\n\n\
                [s3.bucket.b.lifecycle.y]\nexpiration = { days = 1 }\n";
    let of = |path: &[&str]| example::of_path(text, "s3.bucket", path).unwrap_or_default();
    assert_eq!(of(&["name"]), "# One.\n[s3.bucket.a]\nname = \"a\"");
    assert_eq!(of(&["lifecycle", "expiration", "days"]), "[s3.bucket.b.lifecycle.y]\nexpiration = { days = 1 }");
    // What is nowhere shown by itself is shown with what it is part of.
    assert_eq!(of(&["lifecycle", "tags"]).matches("lifecycle").count(), 2);
    assert_eq!(of(&["cors"]), "");
    assert_eq!(example::of_type(text, "s3.bucket").unwrap_or_default().matches('[').count(), 1);
}

#[test]
fn names_in_a_path_may_be_keys_of_ones_own() {
    let rule = find(Some("s3.bucket.lifecycle.my-rule.expiration.days")).map(|page| page.name);
    assert_eq!(rule.as_deref(), Ok("s3.bucket.lifecycle.expiration.days"));
    assert!(find(Some("s3.bucket.lifecycle.my-rule")).is_err());
}
