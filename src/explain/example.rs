//! Examples: the part of a text in TOML that shows one thing.

use toml_edit::{DocumentMut, Item, Table, TableLike};

/// The first block of a type, whole.
pub(super) fn of_type(text: &str, type_name: &str) -> Option<String> {
    cut(text, type_name, |_| true)
}

/// The first block of a type that has a property, whole.
pub(super) fn of_block_with(text: &str, type_name: &str, property: &str) -> Option<String> {
    cut(text, type_name, |block| block.contains_key(property))
}

/// The first block of a type that has something at a path, less its other properties; what stands at the nearest
/// property above, if no block has it.
pub(super) fn of_path(text: &str, type_name: &str, path: &[&str]) -> Option<String> {
    (1..=path.len()).rev().find_map(|length| {
        let path = path.get(..length)?;
        cut(text, type_name, |block| narrow(block, path))
    })
}

/// A section, as far as it has something at a path.
pub(super) fn of_section(text: &str, path: &[&str]) -> Option<String> {
    let mut document: DocumentMut = text.parse().ok()?;
    let root = document.as_table_mut();
    (1..=path.len()).rev().find(|length| path.get(..*length).is_some_and(|path| narrow(root, path)))?;
    Some(document.to_string().trim().to_owned())
}

/// The text less all blocks but the first of a type that `keep` keeps.
fn cut(text: &str, type_name: &str, keep: impl Fn(&mut Table) -> bool) -> Option<String> {
    let (service, kind) = type_name.split_once('.')?;
    let whole: DocumentMut = text.parse().ok()?;
    let names = whole.get(service)?.get(kind)?.as_table_like()?.iter().map(|(name, _)| name.to_owned());
    names.collect::<Vec<_>>().iter().find_map(|name| {
        let mut document = whole.clone();
        document.as_table_mut().retain(|key, _| key == service);
        let kinds = document.get_mut(service)?.as_table_like_mut()?;
        retain(kinds, kind);
        let blocks = kinds.get_mut(kind)?.as_table_like_mut()?;
        retain(blocks, name);
        let block = blocks.get_mut(name)?.as_table_mut()?;
        keep(block).then(|| document.to_string().trim().to_owned())
    })
}

/// Takes all out of a table but what leads to the end of a path; answers whether something stands there.
fn narrow(table: &mut Table, path: &[&str]) -> bool {
    let Some((head, rest)) = path.split_first() else { return true };
    if !table.get_mut(head).is_some_and(|item| lead(item, rest)) {
        return false;
    }
    retain(table, head);
    if let Some((mut key, item)) = table.get_key_value_mut(head) {
        if item.is_value() {
            // It was aligned with others that are gone.
            key.fmt();
            key.leaf_decor_mut().set_suffix(" ");
        } else {
            table.set_implicit(true);
        }
    }
    true
}

/// Whether something stands at the end of a path below an item. Of a map with keys of the user's choice the first entry
/// that leads there is kept; tables with known keys stay whole, since their other keys make the example clear.
fn lead(item: &mut Item, path: &[&str]) -> bool {
    let Some((head, rest)) = path.split_first() else { return true };
    if let Some(table) = item.as_table_like_mut() {
        if let Some(inner) = table.get_mut(head) {
            return lead(inner, rest);
        }
        let names: Vec<String> = table.iter().map(|(name, _)| name.to_owned()).collect();
        let found = names.into_iter().find(|name| {
            table.get_mut(name).filter(|inner| inner.is_table_like()).is_some_and(|inner| lead(inner, path))
        });
        return found.inspect(|name| retain(table, name)).is_some();
    }
    if let Some(tables) = item.as_array_of_tables_mut() {
        return tables.iter_mut().any(|table| table.contains_key(head));
    }
    let mut items = item.as_array().into_iter().flatten();
    items.any(|one| one.as_inline_table().is_some_and(|table| table.contains_key(head)))
}

fn retain(table: &mut dyn TableLike, name: &str) {
    let others: Vec<String> = table.iter().map(|(key, _)| key.to_owned()).filter(|key| key != name).collect();
    others.iter().for_each(|key| drop(table.remove(key)));
}
