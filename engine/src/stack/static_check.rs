//! Everything that can be said of a stack before an expression is evaluated.

use std::collections::BTreeMap;

use super::load::Types;
use super::model::*;
use super::problems::Site;
use super::references::{Names, Place, Rewriter, Several};
use super::sections::Whole;
use super::variables::types;
use super::{fields, sketch};
use crate::address::Path;
use crate::diagnostic::{Diagnostic, Diagnostics, Span, did_you_mean};
use crate::schema::Shape;
use crate::schema::validate::Problem;

/// Checks literals against the schemas and names against what there is; writes bare references as expressions.
pub(super) fn check(
    stack: &mut Stack,
    whole: Whole,
    headers: &[Span],
    types: &dyn Types,
    diagnostics: &mut Diagnostics,
) {
    let is_type = |name: &str| types.schema(name).is_some();
    for module in stack.modules.values_mut() {
        inputs(module, types, diagnostics);
    }
    for block in stack.blocks.values_mut() {
        let Some(schema) = types.schema(block.address.type_name.as_str()) else { continue };
        let mut rewriter = Rewriter { types, problems: Vec::new() };
        rewriter.body(&mut block.body, schema);
        let name = block.address.to_string();
        let site = Site {
            name: &name,
            span: &block.span,
            table: &block.body,
            fields: &schema.properties,
            address: Some(&block.address),
            headers,
            is_type: &is_type,
        };
        check_site(&site, rewriter.problems, diagnostics);
    }
    for lookup in stack.lookups.values_mut() {
        let Some(schema) = types.schema(lookup.address.type_name.as_str()) else { continue };
        let mut rewriter = Rewriter { types, problems: Vec::new() };
        rewriter.body(&mut lookup.body, schema);
        let name = lookup.address.to_string();
        let fields = fields::lookup(schema, &types.identified_by(lookup.address.type_name.as_str()));
        let site = Site {
            name: &name,
            span: &lookup.span,
            table: &lookup.body,
            fields: &fields,
            address: Some(&lookup.address),
            headers,
            is_type: &is_type,
        };
        check_site(&site, rewriter.problems, diagnostics);
    }
    let names = Names::new(types, stack, whole);
    early(stack, &names, diagnostics);
    for (place, node) in stack.outputs.values().map(|output| (Place::Output, &output.value)) {
        texts(node, place, &names, diagnostics);
    }
    for module in stack.modules.values() {
        for entry in module.inputs.values() {
            texts(&entry.node, Place::Module(module), &names, diagnostics);
        }
        let (for_each, when) = (&module.for_each, &module.when);
        let decided =
            [("for_each", for_each), ("when", when), ("account", &module.account), ("region", &module.region)];
        for (key, node) in decided {
            if let Some(node) = node {
                texts(node, Place::Decided(Several::Module(module), key), &names, diagnostics);
            }
        }
        for (target, span) in &module.depends_on {
            if let Some(diagnostic) = names.no_target(target) {
                diagnostics.push(diagnostic.at(span.clone()));
            }
        }
    }
    for lookup in stack.lookups.values() {
        table_texts(&lookup.body, &Path::default(), &mut |_, template| {
            names.check(template, Place::Lookup(lookup), diagnostics);
        });
        let LookupBlock { for_each, when, account, region, .. } = lookup;
        for (key, node) in [("for_each", for_each), ("when", when), ("account", account), ("region", region)] {
            if let Some(node) = node {
                texts(node, Place::Decided(Several::Lookup(lookup), key), &names, diagnostics);
            }
        }
    }
    let mut moved = BTreeMap::new();
    for block in stack.blocks.values() {
        let Some(schema) = types.schema(block.address.type_name.as_str()) else { continue };
        let place = Place::Block(block, schema);
        block.texts(&mut |_, template| names.check(template, place, diagnostics));
        let reserved = &block.reserved;
        for node in [&reserved.protect, &reserved.retain, &reserved.import].into_iter().flatten() {
            texts(node, place, &names, diagnostics);
        }
        let (for_each, when) = (&reserved.for_each, &reserved.when);
        let decided =
            [("for_each", for_each), ("when", when), ("account", &reserved.account), ("region", &reserved.region)];
        for (key, node) in decided {
            if let Some(node) = node {
                texts(node, Place::Decided(Several::Block(block), key), &names, diagnostics);
            }
        }
        for (target, span) in &reserved.depends_on {
            if let Some(diagnostic) = names.no_target(target) {
                diagnostics.push(diagnostic.at(span.clone()).on(&block.address));
            }
        }
        for (address, span) in reserved.moved_from.iter().chain(reserved.moved_keys.values()) {
            let wrong = |message: String| Diagnostic::error("S3S-P8", message).at(span.clone()).on(&block.address);
            let block_of = stack.blocks.get(&address.block());
            let is_instance = reserved.moved_from.iter().any(|(from, _)| from == address) && address.key.is_some();
            if is_instance && reserved.for_each.is_some() {
                let message = format!("{address} is one instance, and this block has several");
                let help = "write `moved_from = { KEY = \"…\" }`, or the old block's address without a key";
                diagnostics.push(wrong(message).help(help));
            } else if reserved.for_each.is_none() && !reserved.moved_keys.is_empty() {
                let message = format!("{} has no `for_each`, so nothing in it has a key", block.address);
                diagnostics.push(wrong(message).help(format!("write `moved_from = \"{address}\"`")));
            } else if let Some(other) = block_of.filter(|other| other.address != block.address) {
                let message = format!("{address} cannot be where this comes from: it is still in the stack");
                let diagnostic = wrong(message).label(Some(other.span.clone()), "here");
                diagnostics.push(diagnostic.help("rename the block, or take `moved_from` out"));
            } else if address.type_name != block.address.type_name {
                let message = format!("{} cannot come from {address}, which is of another type", block.address);
                diagnostics.push(wrong(message).help("write the address that this block had before, or take it out"));
            }
            match moved.insert(address, (&block.address, span)) {
                Some((first, place)) if *first != block.address => diagnostics.push(
                    wrong(format!("{address} cannot have become both {first} and this"))
                        .label(Some(place.clone()), "the first")
                        .help("leave it with the one that it became"),
                ),
                _ => {}
            }
        }
    }
    if whole == Whole::Module {
        unused(stack, &names, diagnostics);
    }
    for (address, members) in names.members.take() {
        if let Some(lookup) = stack.lookups.get_mut(&address) {
            lookup.members = members;
        }
    }
}

/// Checks what is literal in a block. What the rewriter says of a text is better than what the validator says of it.
fn check_site(site: &Site<'_>, told: Vec<Problem>, diagnostics: &mut Diagnostics) {
    let mut found = Diagnostics::default();
    site.check(&mut found);
    for problem in told {
        let better = site.diagnostic(problem);
        found.0.retain(|one| one.span != better.span);
        found.push(better);
    }
    diagnostics.extend(found);
}

/// Says which variables of a module nothing uses. One mistake may be all that kept a variable from being used, so nothing is said of
/// a stack with errors.
fn unused(stack: &Stack, names: &Names<'_>, diagnostics: &mut Diagnostics) {
    if diagnostics.has_errors() {
        return;
    }
    let used = names.used.borrow();
    for (name, variable) in stack.variables.iter().filter(|(name, _)| !used.contains(*name)) {
        let message = format!("nothing uses the variable `{name}`");
        let diagnostic = Diagnostic::warning("S3S-W20", message).at(variable.span.clone());
        diagnostics.push(diagnostic.help(format!("take it out, or write ${{var.{name}}} where it belongs")));
    }
}

/// Checks what a module is given against its variables, and writes bare references in it as expressions.
fn inputs(module: &mut ModuleBlock, types: &dyn Types, diagnostics: &mut Diagnostics) {
    let Some(content) = &module.content else { return };
    let is_type = |name: &str| types.schema(name).is_some();
    // What is broken was told.
    for (name, entry) in module.inputs.iter_mut().filter(|(_, entry)| !matches!(entry.node.kind, NodeKind::Broken)) {
        let Some(variable) = content.variables.get(name) else {
            let message = format!("module.{} has no variable `{name}`", module.name);
            let diagnostic = Diagnostic::error("S3S-W12", message).at(entry.key_span.clone());
            let known = || content.variables.keys().map(String::as_str);
            diagnostics.push(match did_you_mean(name, known()) {
                Some(near) => diagnostic.help(format!("did you mean `var.{near}`?")),
                None if content.variables.is_empty() => diagnostic.help("it has none: take this out"),
                None => diagnostic.help(format!("there are {}", known().collect::<Vec<_>>().join(", "))),
            });
            continue;
        };
        let mut rewriter = Rewriter { types, problems: Vec::new() };
        rewriter.node(&mut entry.node, &variable.shape.shape(), &Path::default());
        let wrong = rewriter.problems.into_iter().map(|problem| (problem.message, problem.help)).next();
        let wrong = wrong.or_else(|| {
            let value = sketch::node(&entry.node, &Shape::Document, &is_type);
            let wrong = types::fit(value, &variable.shape).err()?;
            let help = wrong.help.unwrap_or_else(|| format!("its type is {}", variable.shape));
            Some((wrong.message, Some(help)))
        });
        if let Some((message, help)) = wrong {
            let message = format!("`{name}` of module.{} does not fit: {message}", module.name);
            let diagnostic = Diagnostic::error("S3S-W13", message).at(entry.node.span.clone());
            let diagnostic = diagnostic.label(Some(variable.span.clone()), "the variable");
            diagnostics.push(diagnostic.help(help.unwrap_or_else(|| format!("its type is {}", variable.shape))));
        }
    }
    for (name, variable) in &content.variables {
        if variable.default.is_none() && !module.inputs.contains_key(name) {
            let what = variable.description.as_ref().map_or_else(String::new, |text| format!(" ({text})"));
            let message = format!("module.{} gets no value for its variable `{name}`{what}", module.name);
            let diagnostic = Diagnostic::error("S3S-W11", message).at(module.span.clone());
            let diagnostic = diagnostic.label(Some(variable.span.clone()), "the variable");
            diagnostics.push(diagnostic.help(format!("write `var.{name} = …` there; its type is {}", variable.shape)));
        }
    }
}

/// What is read before anything else: `var` and `env` only.
fn early(stack: &Stack, names: &Names<'_>, diagnostics: &mut Diagnostics) {
    let settings = &stack.settings;
    for node in [&settings.name, &settings.region, &settings.tags, &settings.account_id].into_iter().flatten() {
        texts(node, Place::Early("[stack]"), names, diagnostics);
    }
    if let Some(backend) = &stack.backend {
        table_texts(&backend.body, &Path::default(), &mut |_, template| {
            names.check(template, Place::Early("[backend]"), diagnostics);
        });
    }
    for variable in stack.variables.values() {
        for node in variable.default.iter().chain(variable.allowed.iter().flatten()) {
            texts(node, Place::Early("[var]"), names, diagnostics);
        }
    }
    let accounts = stack.accounts.values().map(|account| (&account.body, "[account]"));
    for (body, section) in accounts.chain(stack.remotes.values().map(|remote| (&remote.body, "[remote]"))) {
        table_texts(body, &Path::default(), &mut |_, template| {
            names.check(template, Place::Early(section), diagnostics);
        });
    }
    for environment in stack.environments.values() {
        let Environment { region, tags, account, account_id, .. } = environment;
        for node in [region, tags, account, account_id].into_iter().flatten() {
            texts(node, Place::Early("[env]"), names, diagnostics);
        }
        if let Some(backend) = &environment.backend {
            table_texts(backend, &Path::default(), &mut |_, template| {
                names.check(template, Place::Early("[env]"), diagnostics);
            });
            let known = stack.backend.as_ref().and_then(|block| fields::backend(&block.kind));
            for (key, entry) in backend {
                let wrong = match &known {
                    None => Some("the stack has no [backend] whose key this could be".to_owned()),
                    Some(known) if !known.contains_key(key) => {
                        let kind = stack.backend.as_ref().map_or("", |block| &block.kind);
                        Some(format!("[backend.{kind}] has no `{key}`"))
                    }
                    Some(_) => None,
                };
                if let Some(message) = wrong {
                    let diagnostic = Diagnostic::error("S3S-W1", message).at(entry.key_span.clone());
                    diagnostics
                        .push(diagnostic.help("take it out, or write [backend.s3] or [backend.file] for the stack"));
                }
            }
        }
        if let Some(node) = &environment.account
            && let Some(name) = node.literal()
            && !stack.accounts.contains_key(name)
        {
            let diagnostic =
                Diagnostic::error("S3S-R13", format!("there is no account `{name}`")).at(node.span.clone());
            diagnostics.push(match did_you_mean(name, stack.accounts.keys().map(String::as_str)) {
                Some(near) => diagnostic.help(format!("did you mean \"{near}\"?")),
                None => diagnostic.help(format!("add [account.{name}], with the profile or role that leads there")),
            });
        }
        for (name, entry) in &environment.variables {
            texts(&entry.node, Place::Early("[env]"), names, diagnostics);
            if !stack.variables.contains_key(name) {
                let diagnostic =
                    Diagnostic::error("S3S-W12", format!("there is no variable `{name}`")).at(entry.key_span.clone());
                diagnostics.push(match did_you_mean(name, stack.variables.keys().map(String::as_str)) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                    None => diagnostic.help(format!("declare it: {name} = … under [var]")),
                });
            }
        }
    }
}

fn texts(node: &Node, place: Place<'_>, names: &Names<'_>, diagnostics: &mut Diagnostics) {
    node.texts(&Path::default(), &mut |_, template| names.check(template, place, diagnostics));
}
