//! `[service.type.name]`: the resource blocks.

use std::collections::BTreeSet;

use super::load::Types;
use super::model::{Block, Entry, Node, NodeKind, Stack, Table};
use super::names::{is_name, not_a_name};
use super::sections::SECTIONS;
use super::{MAX_DIAGNOSTICS, reserved};
use crate::address::Address;
use crate::diagnostic::{Diagnostic, Diagnostics, did_you_mean};

/// Words of other tools, and what they are called here.
const OTHER_WORDS: [(&str, &str); 17] = [
    ("variable", "var"),
    ("variables", "var"),
    ("vars", "var"),
    ("locals", "var"),
    ("parameters", "var"),
    ("inputs", "var"),
    ("outputs", "output"),
    ("environment", "env"),
    ("environments", "env"),
    ("envs", "env"),
    ("workspace", "env"),
    ("stacks", "stack"),
    ("terraform", "stack"),
    ("provider", "stack"),
    ("backends", "backend"),
    ("modules", "module"),
    ("data", "lookup"),
];

/// Reads everything under `[service]`.
pub(super) fn read_service(
    service: &str,
    entry: Entry,
    types: &dyn Types,
    stack: &mut Stack,
    diagnostics: &mut Diagnostics,
) {
    let NodeKind::Table(kinds) = entry.node.kind else {
        diagnostics.push(not_a_block(service, &entry));
        return;
    };
    for (kind, entry) in kinds {
        let type_name = format!("{service}.{kind}");
        let known = types.schema(&type_name).is_some();
        match entry.node.kind {
            NodeKind::Table(blocks) if known => {
                for (name, entry) in blocks {
                    read_block(&type_name, &name, entry, types, stack, diagnostics);
                }
            }
            // Looking for what was meant costs, and nobody reads that many.
            _ if diagnostics.0.len() > MAX_DIAGNOSTICS => break,
            _ => diagnostics.push(unknown_type(&type_name, &entry, types)),
        }
    }
}

fn read_block(
    type_name: &str,
    name: &str,
    entry: Entry,
    types: &dyn Types,
    stack: &mut Stack,
    diagnostics: &mut Diagnostics,
) {
    let Some(schema) = types.schema(type_name) else { return };
    let NodeKind::Table(mut body) = entry.node.kind else {
        let is_list = matches!(entry.node.kind, NodeKind::List(_));
        let diagnostic = if is_list {
            Diagnostic::error("S3S-P5", format!("a block is one table, and {type_name}.{name} is a list"))
                .help(format!("write [{type_name}.{name}], with single brackets"))
        } else if schema.properties.contains_key(name) || reserved::is_reserved(name) {
            Diagnostic::error("S3S-P5", format!("`{name}` stands in no block: [{type_name}] has no name"))
                .help(format!("write [{type_name}.NAME] above it"))
        } else {
            Diagnostic::error("S3S-P5", format!("{type_name}.{name} must be a table, and is {}", entry.node.describe()))
                .help(format!("write [{type_name}.{name}]"))
        };
        diagnostics.push(diagnostic.at(entry.key_span));
        return;
    };
    if !is_name(name) {
        diagnostics.push(not_a_name("a block", name, &entry.key_span));
        return;
    }
    let address = Address::root(type_name, name);
    let is_type = |name: &str| types.schema(name).is_some();
    let span = entry.node.span;
    let reserved = reserved::take(&address, &span, &mut body, schema, &is_type, diagnostics);
    stack.blocks.insert(address.clone(), Block { address, span, body, reserved });
}

fn not_a_block(name: &str, entry: &Entry) -> Diagnostic {
    Diagnostic::error("S3S-P5", format!("`{name}` stands above every header")).at(entry.key_span.clone()).help(
        match super::sections::SETTINGS.contains(&name) {
            true => "write it under [stack]".to_owned(),
            false => "write it under the header it belongs to".to_owned(),
        },
    )
}

/// A root table that is no section and no service.
pub(super) fn unknown_section(name: &str, entry: &Entry, types: &dyn Types) -> Diagnostic {
    let NodeKind::Table(table) = &entry.node.kind else { return not_a_block(name, entry) };
    if let Some((_, ours)) = OTHER_WORDS.iter().find(|(theirs, _)| *theirs == name) {
        return Diagnostic::error("S3S-P6", format!("there is no section [{name}]"))
            .at(entry.key_span.clone())
            .help(format!("it is called [{ours}] here"));
    }
    let names = types.names();
    if let Some((message, help)) = foreign_header(name, table, &names) {
        return Diagnostic::error("S3S-P6", message).at(entry.key_span.clone()).help(help);
    }
    let nearest_type = table.keys().find_map(|kind| near_type(&format!("{name}.{kind}"), &names));
    let services: BTreeSet<&str> = names.iter().filter_map(|name| name.split('.').next()).collect();
    // `[bucket.logs]`: the service was left out.
    let without_service = names.iter().find(|known| known.split_once('.').is_some_and(|(_, kind)| kind == name));
    let near = did_you_mean(name, SECTIONS.iter().copied().chain(services));
    let help = match (nearest_type, without_service, near) {
        (Some(known), _, _) => format!("did you mean [{known}.…]?"),
        (_, Some(known), _) => format!("did you mean [{known}.…]?"),
        (_, _, Some(near)) => format!("did you mean [{near}]?"),
        _ => format!("there are {}, and resource types such as s3.bucket", SECTIONS.join(", ")),
    };
    // `[dynamodb.table.music]` is a block of a type that there may well be in AWS.
    if let Some((kind, _)) = table.iter().find(|(_, one)| has_tables(one)).filter(|_| help.starts_with("there are")) {
        return Diagnostic::error("S3S-P6", format!("there is no resource type {name}.{kind}"))
            .at(entry.key_span.clone())
            .help("`s3stack explain types` tells which there are");
    }
    Diagnostic::error("S3S-P6", format!("there is no section and no service `{name}`"))
        .at(entry.key_span.clone())
        .help(help)
}

fn has_tables(entry: &Entry) -> bool {
    let tables = |table: &Table| table.values().any(|one| matches!(one.node.kind, NodeKind::Table(_)));
    matches!(&entry.node.kind, NodeKind::Table(table) if tables(table))
}

/// What is wrong with a header that is written as in another tool, or that is no header at all.
fn foreign_header(name: &str, table: &Table, types: &[&str]) -> Option<(String, String)> {
    if name.contains("${") {
        let help = "write the name out; where one block is to make several, give it a `for_each`";
        return Some((format!("a header is no text with expressions, and `{name}` is one"), help.into()));
    }
    if name.contains('.') {
        let help = format!("write [{name}], without the quotes");
        return Some((format!("there is no section `{name}`: in quotes a dot is part of the name"), help));
    }
    let ours = |theirs: &str| {
        let rest = theirs.strip_prefix("aws_")?;
        types.iter().find(|ours| ours.replace('.', "_") == rest)
    };
    let (theirs, blocks) = match name {
        "resource" => match table.first() {
            Some((theirs, Entry { node: Node { kind: NodeKind::Table(blocks), .. }, .. })) => (theirs.as_str(), blocks),
            _ => return None,
        },
        name if name.starts_with("aws_") => (name, table),
        _ => return None,
    };
    let block = blocks.keys().next().map_or("NAME", String::as_str);
    let help = match ours(theirs) {
        Some(ours) => format!("write [{ours}.{block}]"),
        None => "write [service.type.name], such as [s3.bucket.data]".into(),
    };
    Some((format!("blocks are not called [{name}.…] here"), help))
}

fn near_type<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    did_you_mean(name, names.iter().copied())
}

/// Says that there is no such type, or that a block's name is missing.
fn unknown_type(type_name: &str, entry: &Entry, types: &dyn Types) -> Diagnostic {
    if types.schema(type_name).is_some() {
        let bracket = if matches!(entry.node.kind, NodeKind::List(_)) { ", with single brackets" } else { "" };
        return Diagnostic::error("S3S-P5", format!("{type_name} must be a table of blocks"))
            .at(entry.key_span.clone())
            .help(format!("write [{type_name}.NAME]{bracket}"));
    }
    let names = types.names();
    let help = match near_type(type_name, &names) {
        Some(near) => format!("did you mean {near}?"),
        None => {
            let service = type_name.split('.').next().unwrap_or_default();
            let same: Vec<&str> =
                names.iter().copied().filter(|name| name.split('.').next() == Some(service)).collect();
            format!("there are {}", same.join(", "))
        }
    };
    Diagnostic::error("S3S-P6", format!("there is no resource type {type_name}")).at(entry.key_span.clone()).help(help)
}
