//! `[module.NAME]`: the blocks of a folder, used as a whole.

use indexmap::IndexMap;

use super::fields;
use super::model::{Entry, ModuleBlock, MovedModule, MovedPart, Node, NodeKind, Stack, Table};
use super::names::is_name;
use super::reserved::written_texts;
use super::sections::Section;
use crate::address::{ModulePath, Target};
use crate::diagnostic::{Diagnostic, Span, did_you_mean};
use crate::schema::Property;

/// The folder of a module as it is written in a file of another folder, both relative to the stack folder. Absent where
/// it cannot be one: it is absolute, or nothing.
pub(super) fn folder_of(source: &str, from: &str) -> Option<String> {
    if source.is_empty() || source.starts_with(['/', '\\']) || source.contains(['\\', '\0']) {
        return None;
    }
    let mut parts: Vec<&str> = from.split('/').filter(|part| !part.is_empty()).collect();
    for part in source.split('/') {
        match (part, parts.last()) {
            ("" | ".", _) => {}
            ("..", Some(last)) if *last != ".." => drop(parts.pop()),
            (part, _) => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

impl Section<'_> {
    /// Reads everything under `[module]`.
    pub(super) fn modules(&mut self, entry: Entry, stack: &mut Stack) {
        for (name, table, span) in self.named("module", "a module", is_name, entry) {
            let block = self.module(name, span, table);
            stack.modules.insert(block.name.clone(), block);
        }
    }

    fn module(&mut self, name: String, span: Span, mut table: Table) -> ModuleBlock {
        let known = fields::module();
        // What is wrong with it is told where instances are made of it.
        let for_each = table.shift_remove("for_each").map(|entry| entry.node);
        let bare = self.bare_inputs(&name, &mut table, &known);
        self.check(&format!("[module.{name}]"), &span, &table, &known);
        self.written_out(&table, &["source"]);
        let source =
            table.get("source").and_then(|entry| Some((entry.node.literal()?.to_owned(), entry.node.span.clone())));
        let several = for_each.is_some();
        let moved_from = match table.shift_remove("moved_from") {
            Some(entry) => self.moved_module(&name, several, &entry.node),
            None => MovedModule::default(),
        };
        let depends_on = match table.shift_remove("depends_on") {
            Some(entry) => self.targets(&entry.node, "the address of a block or a module of this file"),
            None => Vec::new(),
        };
        let mut inputs = match table.shift_remove("var").map(|entry| entry.node.kind) {
            Some(NodeKind::Table(table)) => table,
            _ => Table::new(),
        };
        for (key, entry) in bare {
            inputs.entry(key).or_insert(entry);
        }
        let mut take = |key: &str| table.shift_remove(key).map(|entry| entry.node);
        let (when, account, region) = (take("when"), take("account"), take("region"));
        ModuleBlock {
            name,
            span,
            source,
            inputs,
            for_each,
            when,
            account,
            region,
            depends_on,
            moved_from,
            content: None,
        }
    }

    /// Takes out the inputs that are written as in other tools, without `var.`, and answers them: that they are missing
    /// too need not be told.
    fn bare_inputs(&mut self, name: &str, table: &mut Table, known: &IndexMap<String, Property>) -> Table {
        let is_input = |key: &str| {
            !known.contains_key(key) && is_name(key) && did_you_mean(key, known.keys().map(String::as_str)).is_none()
        };
        let bare: Vec<String> = table.keys().filter(|key| is_input(key)).cloned().collect();
        let mut taken = Table::new();
        for key in bare {
            let Some(mut entry) = table.shift_remove(&key) else { continue };
            let help = match key.as_str() {
                "count" => "write `for_each` with a list of names, or `when` for one or none".to_owned(),
                "providers" | "provider" => "`account` and `region` say where a resource is".to_owned(),
                "version" => "a module is a folder: its version is that of the files".to_owned(),
                key => format!("if it is a variable of the module write `var.{key} = …`"),
            };
            let message = format!("`{key}` is no key of [module.{name}]");
            self.diagnostics.push(Diagnostic::error("S3S-W1", message).at(entry.key_span.clone()).help(help));
            entry.node.kind = NodeKind::Broken;
            taken.insert(key, entry);
        }
        taken
    }

    /// The texts of a text or a list of them, which must be written out.
    fn literal_texts<'n>(&mut self, node: &'n Node) -> Vec<(&'n str, &'n Span)> {
        let (texts, computed) = written_texts(node);
        for (text, span) in computed {
            let message = format!("`{text}` must be written out, without expressions");
            let diagnostic = Diagnostic::error("S3S-P8", message).at(span.clone());
            self.diagnostics.push(diagnostic.help("write the bare name, such as \"module.core\""));
        }
        texts
    }

    fn targets(&mut self, node: &Node, what: &str) -> Vec<(Target, Span)> {
        let texts = self.literal_texts(node);
        let targets = texts.into_iter().filter_map(|(text, span)| Some((self.target(text, span, what)?, span.clone())));
        targets.collect()
    }

    fn target(&mut self, text: &str, span: &Span, what: &str) -> Option<Target> {
        let target = text.parse().ok();
        if target.is_none() {
            let message = format!("`{text}` is neither the address of a resource nor of a module");
            let diagnostic = Diagnostic::error("S3S-P8", message).at(span.clone());
            self.diagnostics
                .push(diagnostic.help(format!("write {what}, such as \"module.core\" or \"s3.bucket.data\"")));
        }
        target
    }

    fn path(&mut self, text: &str, span: &Span) -> Option<ModulePath> {
        match self.target(text, span, "the name that this module had before")? {
            Target::Module(path) => Some(path),
            Target::Resource(address) => {
                let message = format!("{address} is a resource, and cannot have become a whole module");
                let help =
                    format!("for a block that moved into the module write `moved_from = {{ \"{address}\" = \"…\" }}`");
                self.diagnostics.push(Diagnostic::error("S3S-P8", message).at(span.clone()).help(help));
                None
            }
        }
    }

    /// `moved_from` of a module: the earlier name of the whole, or a table of what became a part of it.
    fn moved_module(&mut self, name: &str, several: bool, node: &Node) -> MovedModule {
        let mut moved = MovedModule::default();
        let Some(table) = node.table() else {
            for (text, span) in self.literal_texts(node) {
                if let Some(path) = self.path(text, span) {
                    moved.whole.push((path, span.clone()));
                }
            }
            return moved;
        };
        for (key, entry) in table {
            let Some(text) = entry.node.literal() else {
                self.literal_texts(&entry.node);
                continue;
            };
            let span = &entry.node.span;
            match part(key, several) {
                Some((key, now)) => {
                    let Some(before) = self.target(text, span, "the address that it had before") else { continue };
                    let is_one_kind = match (&now, &before) {
                        (Target::Resource(now), Target::Resource(before)) => now.type_name == before.type_name,
                        (Target::Module(_), Target::Module(_)) => true,
                        _ => false,
                    };
                    if is_one_kind {
                        moved.parts.push(MovedPart { key, now, before, span: span.clone() });
                    } else {
                        let message = format!("{now} cannot come from {before}, which is of another type");
                        let diagnostic = Diagnostic::error("S3S-P8", message).at(span.clone());
                        self.diagnostics.push(diagnostic.help("write the address that it had before, or take it out"));
                    }
                }
                None if several => {
                    if let Some(path) = self.path(text, span) {
                        moved.keys.insert(key.clone(), (path, span.clone()));
                    }
                }
                None => {
                    let message = format!("`{key}` is no block or module inside module.{name}");
                    let diagnostic = Diagnostic::error("S3S-P8", message).at(entry.key_span.clone());
                    self.diagnostics.push(diagnostic.help(
                        "write `moved_from = { \"s3.bucket.data\" = \"OLD ADDRESS\" }`, or the module's old name alone",
                    ));
                }
            }
        }
        moved
    }
}

/// What a key of `moved_from` is: something inside the module or, where it has several instances, inside one of them:
/// `["eu"].s3.bucket.data`.
fn part(key: &str, several: bool) -> Option<(Option<String>, Target)> {
    if !several {
        return Some((None, key.parse().ok()?));
    }
    // The rest of an address of a module, whatever its name.
    let Ok(Target::Resource(address)) = format!("module.m{key}").parse() else {
        let Ok(Target::Module(path)) = format!("module.m{key}").parse() else { return None };
        let (first, rest) = path.0.split_first()?;
        let inside = ModulePath(rest.to_vec());
        return (!rest.is_empty()).then_some((first.key.clone(), Target::Module(inside)));
    };
    let (first, rest) = address.module.0.split_first()?;
    let inside = address.inside().within(&ModulePath(rest.to_vec()));
    Some((Some(first.key.clone()?), Target::Resource(inside)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_relative_to_the_file_that_names_it() {
        for (source, from, folder) in [
            ("./modules/core", "", Some("modules/core")),
            ("modules//core/", "", Some("modules/core")),
            ("../inner", "modules/core", Some("modules/inner")),
            ("../../shared", "modules", Some("../shared")),
            ("../../x", "../a", Some("../../x")),
            (".", "", Some("")),
            ("/etc", "", None),
            ("", "", None),
        ] {
            assert_eq!(folder_of(source, from).as_deref(), folder, "{source} from {from}");
        }
    }

    #[test]
    fn parts_of_instances_are_told_from_keys_of_instances() {
        let shown = |key: &str, several| part(key, several).map(|(key, now)| (key, now.to_string()));
        assert_eq!(shown("s3.bucket.data", false), Some((None, "s3.bucket.data".into())));
        assert_eq!(shown("module.x", false), Some((None, "module.x".into())));
        assert_eq!(shown("[\"eu\"].s3.bucket.data", true), Some((Some("eu".into()), "s3.bucket.data".into())));
        assert_eq!(shown("[\"eu\"].module.x", true), Some((Some("eu".into()), "module.x".into())));
        assert_eq!(
            shown("[\"eu\"].module.x.s3.bucket.a", true),
            Some((Some("eu".into()), "module.x.s3.bucket.a".into()))
        );
        for key in ["eu", "s3.bucket.data", "", ".x"] {
            assert_eq!(shown(key, true), None, "{key}");
        }
    }
}
