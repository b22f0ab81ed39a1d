//! The reference pages of the repository: the same pages as on the terminal, one document for each type.

use s3stack_engine::resource::{Registry, ResourceType};
use s3stack_engine::stack::fields::Fields;

use super::page::Page;
use super::property::tables_in;
use super::{functions, index, types};
use crate::resources::Types;

/// A file of several pages.
#[derive(Debug, Clone)]
pub struct Document {
    /// Its path in the folder of the documentation.
    pub path: String,
    /// The pages with the levels of their headings.
    pub pages: Vec<(usize, Page)>,
}

/// All of them.
pub fn documents() -> Vec<Document> {
    let types = Types.names().into_iter().filter_map(|name| Types.get(name)).map(of_type);
    let functions = Document { path: "functions.md".into(), pages: vec![(1, with_examples(functions::index()))] };
    types.chain([functions]).collect()
}

/// A type, then each of its properties, then what is inside them.
fn of_type(kind: &dyn ResourceType) -> Document {
    let mut page = types::page(kind);
    for entry in page.parts.iter_mut().filter(|part| part.key == "properties").flat_map(|part| &mut part.entries) {
        // All of it stands further down.
        entry.text = index::first_sentence(&entry.text);
    }
    let path = format!("types/{}.md", page.name);
    let mut pages = vec![(1, page)];
    below(kind, &kind.schema().properties, &[], &mut pages);
    Document { path, pages }
}

fn below(kind: &dyn ResourceType, fields: &Fields, above: &[&str], pages: &mut Vec<(usize, Page)>) {
    for (name, property) in fields.iter().filter(|(_, property)| !property.derived) {
        let path = [above, &[name.as_str()]].concat();
        let Ok(mut page) = types::below(kind, &path) else { continue };
        // Of what is deep inside, the list above says all but what it consists of.
        if !above.is_empty() && page.parts.is_empty() {
            continue;
        }
        page.name = path.join(".");
        if !above.is_empty() {
            page.example = None;
        }
        pages.push((if above.is_empty() { 2 } else { 3 }, page));
        for (_, fields) in tables_in(&property.shape) {
            below(kind, fields, &path, pages);
        }
    }
}

/// The functions with what they give.
fn with_examples(mut page: Page) -> Page {
    for entry in page.parts.iter_mut().flat_map(|part| &mut part.entries) {
        let name = entry.name.split('(').next().unwrap_or_default();
        if let Some(function) = s3stack_engine::expression::functions::find(name) {
            entry.text = format!("{} {}", entry.text, super::words::inline_code(&functions::example(function)));
        }
    }
    page
}
