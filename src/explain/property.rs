//! A property, of a type or of a section, and what is inside it.

use s3stack_engine::schema::{Property, Removal, Shape};
use s3stack_engine::stack::fields::Fields;
use s3stack_engine::value::Value;

use super::page::{Entry, Fact, Page, Part};
use super::words::{inline_code, type_words};
use crate::ui::values::inline;

/// Where a property stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Directly in a block: it has a default and can be taken out by itself.
    OfBlock {
        /// Whether it holds the name, which has a default of another kind.
        is_name: bool,
    },
    /// Somewhere in such a property.
    Within,
    /// In the language: a section or a reserved key. A document is any value there.
    OfLanguage,
}

/// The properties along a path, each with its name.
pub(super) type Along<'p> = Vec<(&'p str, &'p Property)>;

/// The properties along a path below some properties, map keys left out; else the step that leads nowhere, and what there
/// is at its place.
pub(super) fn along<'p>(fields: &'p Fields, path: &[&str]) -> Result<Along<'p>, (usize, Vec<&'p str>)> {
    let mut along = Along::new();
    let mut tables = vec![fields];
    for (step, name) in path.iter().enumerate() {
        let is_field = |name: &str| tables.iter().any(|fields| fields.contains_key(name));
        match tables.iter().find_map(|fields| fields.get_key_value(*name)) {
            Some((name, property)) => {
                tables = tables_in(&property.shape).into_iter().map(|(_, fields)| fields).collect();
                along.push((name, property));
            }
            // A key of the user's own choice, as it stands in a file.
            None if along.last().is_some_and(|(_, one)| is_map(&one.shape))
                && path.get(step + 1).is_some_and(|next| is_field(next)) => {}
            None => return Err((step, tables.iter().flat_map(|fields| fields.keys().map(String::as_str)).collect())),
        }
    }
    Ok(along)
}

fn is_map(shape: &Shape) -> bool {
    match shape {
        Shape::Map { .. } => true,
        Shape::Choice(shapes) => shapes.iter().any(is_map),
        _ => false,
    }
}

/// The tables with known keys that a property holds, each with the words that say where.
pub(super) fn tables_in(shape: &Shape) -> Vec<(&'static str, &Fields)> {
    // What each item or entry is may be a choice in its turn.
    let each = |inner: &'_ Shape, always, perhaps| if matches!(inner, Shape::Object(_)) { always } else { perhaps };
    match shape {
        Shape::Object(fields) => vec![("It has", fields)],
        Shape::List(items) | Shape::Set(items) => {
            let words = each(&items.item.shape, "Each item has", "An item that is a table has");
            tables_in(&items.item.shape).into_iter().map(|(_, fields)| (words, fields)).collect()
        }
        Shape::Map { value, .. } => {
            let words = each(&value.shape, "Each entry has", "An entry that is a table has");
            tables_in(&value.shape).into_iter().map(|(_, fields)| (words, fields)).collect()
        }
        Shape::Choice(shapes) => {
            let tables = shapes.iter().flat_map(tables_in);
            tables.map(|(words, fields)| (if words == "It has" { "A table has" } else { words }, fields)).collect()
        }
        _ => Vec::new(),
    }
}

/// The page of the last property along a path below something.
pub(super) fn page(above: &str, along: &Along<'_>, place: Place) -> Page {
    let Some((_, property)) = along.last() else { return Page::default() };
    let name = name(above, along);
    let mut parts = Vec::new();
    let words = words_in(&property.shape);
    parts.extend(Part::new("words", "The words", words));
    for (heading, fields) in tables_in(&property.shape) {
        parts.extend(Part::new("properties", heading, entries(fields, place == Place::OfLanguage)));
    }
    let next = parts.iter().any(|part| part.key == "properties" && has_more(&property.shape));
    Page {
        topic: if place == Place::OfLanguage { "key" } else { "property" },
        text: property.doc.clone(),
        facts: facts(property, along.iter().any(|(_, one)| one.create_only), place),
        parts,
        example: None,
        next: next.then(|| format!("`s3stack explain {name}.KEY` tells more of each.")),
        name,
    }
}

/// `s3.bucket.lifecycle.transitions`.
fn name(above: &str, along: &Along<'_>) -> String {
    let steps = along.iter().map(|(name, _)| *name);
    Some(above).filter(|above| !above.is_empty()).into_iter().chain(steps).collect::<Vec<_>>().join(".")
}

/// Whether there is more to say of what is inside than a list of it says.
fn has_more(shape: &Shape) -> bool {
    tables_in(shape).iter().any(|(_, fields)| fields.values().any(|one| !tables_in(&one.shape).is_empty()))
}

/// Properties as a list.
pub(super) fn entries(fields: &Fields, of_language: bool) -> Vec<Entry> {
    let written = fields.iter().filter(|(_, property)| !property.derived);
    written.map(|(name, property)| entry(name, property, of_language)).collect()
}

/// The properties that no file says, as a list.
pub(super) fn computed(fields: &Fields) -> Vec<Entry> {
    let derived = fields.iter().filter(|(_, property)| property.derived);
    derived.map(|(name, property)| Entry::new(name, property.doc.clone())).collect()
}

fn entry(name: &str, property: &Property, of_language: bool) -> Entry {
    let mut facts = vec![Fact::new("type", type_words(&property.shape, of_language))];
    let flags = [("required", property.required), ("create_only", property.create_only)];
    facts.extend(flags.into_iter().filter(|(_, holds)| *holds).map(|(key, _)| Fact::new(key, "yes")));
    facts.extend(property.default.as_ref().map(|default| Fact::new("default", inline_code(&inline(default)))));
    Entry { name: name.to_owned(), facts, text: property.doc.clone() }
}

/// Allowed words that mean more than they say.
fn words_in(shape: &Shape) -> Vec<Entry> {
    match shape {
        Shape::String(rules) => rules
            .allowed
            .iter()
            .zip(&rules.meanings)
            .map(|(word, meaning)| Entry::new(format!("\"{word}\""), meaning))
            .collect(),
        Shape::List(items) | Shape::Set(items) => words_in(&items.item.shape),
        Shape::Choice(shapes) => shapes.iter().flat_map(words_in).collect(),
        _ => Vec::new(),
    }
}

fn facts(property: &Property, create_only: bool, place: Place) -> Vec<Fact> {
    let mut facts = vec![Fact::new("type", type_words(&property.shape, place == Place::OfLanguage))];
    let mut say = |key, text: String| facts.push(Fact::new(key, text));
    if property.required {
        say("required", "yes".into());
    }
    if property.derived {
        say("made", "by s3stack, of other properties; no file may say it".into());
    } else if let Place::OfBlock { is_name } = place {
        if let Some(default) = default(property, is_name) {
            say("default", default);
        }
        say("changed", changed(property).into());
        if !property.required {
            say("taken_out", removed(property, is_name));
        }
    } else {
        if let Some(default) = &property.default {
            say("default", inline_code(&inline(default)));
        }
        if create_only {
            say("changed", REPLACED.into());
        }
    }
    if property.sensitive {
        say("secret", "never shown or stored".into());
    }
    if property.write_only {
        say("read_back", "no: AWS does not tell it, so what was applied last counts".into());
    }
    if let Some(name) = &property.aws_name {
        say("in_aws", inline_code(name));
    }
    facts
}

const REPLACED: &str = "the resource is replaced: AWS has no way to change it";

fn changed(property: &Property) -> &'static str {
    match property {
        Property { create_only: true, .. } => REPLACED,
        Property { memory: true, .. } => "s3stack remembers it; AWS does not know it",
        _ => "in place",
    }
}

fn default(property: &Property, is_name: bool) -> Option<String> {
    match &property.default {
        Some(default) => Some(inline_code(&inline(default))),
        None if is_name => Some("made of the names of stack, environment and block".into()),
        None if property.required || property.memory => None,
        None => Some("none".into()),
    }
}

/// What taking it out of the file does.
fn removed(property: &Property, is_name: bool) -> String {
    if let Some(default) = &property.default {
        return format!("{} again", inline_code(&inline(default)));
    }
    match &property.removal {
        _ if is_name => "the default name again, which is another resource".into(),
        _ if property.memory => "s3stack forgets it".into(),
        Removal::Keep => "AWS keeps what it has".into(),
        Removal::Replace => "the resource is replaced".into(),
        Removal::Reset(Value::Null) if property.open => "the keys that were set here go, others stay".into(),
        Removal::Reset(Value::Null) => "AWS has none any more".into(),
        Removal::Reset(default) => format!("{}, which is AWS's default", inline_code(&inline(default))),
    }
}
