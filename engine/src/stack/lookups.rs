//! `[lookup.TYPE.name]`: resources that somebody else made.

use std::collections::BTreeSet;

use super::load::Types;
use super::model::{Entry, LookupBlock, NodeKind, Stack};
use super::names::{is_name, not_a_name};
use super::sections::Section;
use super::{MAX_DIAGNOSTICS, fields};
use crate::address::{Address, Parts};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::schema::Schema;

impl Section<'_> {
    /// Reads everything under `[lookup]`.
    pub(super) fn lookups(&mut self, entry: Entry, types: &dyn Types, stack: &mut Stack) {
        let Some((services, _)) = self.table("lookup", entry) else { return };
        for (service, entry) in services {
            let Some((kinds, _)) = self.table(&format!("lookup.{service}"), entry) else { continue };
            for (kind, entry) in kinds {
                if self.diagnostics.0.len() > MAX_DIAGNOSTICS {
                    return;
                }
                let type_name = format!("{service}.{kind}");
                let Some(schema) = types.schema(&type_name) else {
                    let message = format!("there is no resource type {type_name}");
                    let diagnostic = Diagnostic::error("S3S-P6", message).at(entry.key_span);
                    self.diagnostics.push(match did_you_mean(&type_name, types.names()) {
                        Some(near) => diagnostic.help(format!("did you mean [lookup.{near}.…]?")),
                        None => diagnostic.help("write [lookup.SERVICE.TYPE.NAME], such as [lookup.s3.bucket.logs]"),
                    });
                    continue;
                };
                let Some((blocks, _)) = self.table(&format!("lookup.{type_name}"), entry) else { continue };
                for (name, entry) in blocks {
                    self.lookup(&type_name, name, schema, entry, types, stack);
                }
            }
        }
    }

    fn lookup(
        &mut self,
        type_name: &str,
        name: String,
        schema: &Schema,
        entry: Entry,
        types: &dyn Types,
        stack: &mut Stack,
    ) {
        let is_table = matches!(entry.node.kind, NodeKind::Table(_));
        if is_table && !is_name(&name) {
            self.diagnostics.push(not_a_name("a lookup", &name, &entry.key_span));
            return;
        }
        let called = format!("lookup.{type_name}.{name}");
        let Some((mut body, span)) = self.table(&called, entry) else { return };
        let address = Address::new(Parts { lookup: true, ..Parts::clone(&Address::root(type_name, name)) });
        let identified_by = types.identified_by(type_name);
        let known = fields::lookup(schema, &identified_by);
        if !known.contains_key("tags")
            && let Some(entry) = body.shift_remove("tags")
        {
            let diagnostic = Diagnostic::error("S3S-W1", format!("{type_name} carries no tags")).at(entry.key_span);
            self.diagnostics.push(diagnostic.on(&address).help("look for it by its name or id"));
            return;
        }
        let for_each = body.shift_remove("for_each").map(|entry| entry.node);
        let mut take = |key: &str| body.shift_remove(key).map(|entry| entry.node);
        let (when, account, region) = (take("when"), take("account"), take("region"));
        let by_name = identified_by.iter().any(|key| body.contains_key(key));
        let ways = [body.contains_key("id"), body.contains_key("tags"), by_name].into_iter().filter(|way| *way).count();
        if ways != 1 {
            let what =
                if ways == 0 { "does not say what is looked for" } else { "says in several ways what is looked for" };
            let all: Vec<String> = ["id", "tags"]
                .into_iter()
                .filter(|key| known.contains_key(*key))
                .map(str::to_owned)
                .chain((!identified_by.is_empty()).then(|| identified_by.join(" and ")))
                .collect();
            let diagnostic = Diagnostic::error("S3S-P8", format!("{called} {what}")).at(span.clone()).on(&address);
            self.diagnostics.push(diagnostic.help(match &*all {
                [one] => format!("write `{one}`"),
                all => format!("write one of {}", all.join(", ")),
            }));
        }
        let block = LookupBlock {
            address: address.clone(),
            span,
            body,
            for_each,
            when,
            account,
            region,
            members: BTreeSet::new(),
        };
        stack.lookups.insert(address, block);
    }
}
