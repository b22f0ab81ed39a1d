//! From stack to graph.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use super::evaluate::Evaluator;
use super::instances::Declared;
use super::lookups::Looked;
use super::model::{Graph, Node};
use super::scope::Owner;
use super::world::World;
use super::{instances, names, order};
use crate::address::{Address, Path};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::file::Files;
use crate::resource::{Account, Contribution, Facts, Registry, Resource, ResourceType};
use crate::schema::validate::{Problem, validate};
use crate::stack::{Block, MAX_DIAGNOSTICS, Node as SourceNode, Stack, is_broken, locate, name_owners};
use crate::state::State;
use crate::value::{Map, Secret, Value};

/// Everything a graph is made from.
pub struct Inputs<'a> {
    /// The stack's files.
    pub stack: &'a Stack,
    /// The values of its variables.
    pub variables: &'a IndexMap<String, Value>,
    /// Where and as whom it runs.
    pub facts: Facts,
    /// The accounts that resources may be in beside that one, by the names that the stack gives them.
    pub accounts: &'a BTreeMap<String, Account>,
    /// The tags of stack and environment.
    pub tags: Map,
    /// The types there are.
    pub registry: &'a dyn Registry,
    /// The stack folder.
    pub files: &'a dyn Files,
    /// The outputs of other stacks; absent where they were not read, and then nothing follows from them.
    pub remotes: &'a BTreeMap<String, Map>,
    /// What was looked up, as far as it was.
    pub lookups: &'a BTreeMap<Address, Looked>,
    /// What was made before: it knows attributes that AWS made and the default names in use.
    pub state: &'a State,
    /// The resources whose AWS-made attributes in state must not be used, because they will be made anew.
    pub forget: &'a BTreeSet<Address>,
}

/// Evaluates the whole stack. The graph is complete only if there is no error.
pub fn build(inputs: &Inputs<'_>) -> (Graph, Diagnostics) {
    let mut evaluator = Evaluator::new(inputs);
    instances::declare(&mut evaluator);
    moves(&evaluator);
    evaluator.report_lookups();
    let mut resources = resources(&evaluator);
    resources.extend(evaluator.sought_resources());
    let contributions = contributions(&evaluator, &resources);
    let world = World {
        facts: &inputs.facts,
        evaluator: &evaluator,
        resources: &resources,
        contributions: &contributions,
        registry: inputs.registry,
        files: inputs.files,
    };
    // Of properties that do not fit the schema, only nonsense could be said beyond that.
    let misfits: BTreeSet<Address> = evaluator
        .diagnostics
        .borrow()
        .0
        .iter()
        .filter(|one| is_misfit(one))
        .filter_map(|one| one.address.as_ref().map(Address::block))
        .collect();
    let mut nodes = BTreeMap::new();
    for (address, declared) in &evaluator.declared {
        if let (Some(kind), Some(resource)) = (evaluator.kind(address), resources.get(address)) {
            nodes.insert(address.clone(), node(&evaluator, &world, kind, declared, resource, &misfits));
        }
    }
    let outputs = outputs(&evaluator);
    let more = evaluator.more.get();
    let mut diagnostics = evaluator.diagnostics.take();
    names::unique(&nodes, inputs.registry, &mut diagnostics);
    names::claimed_once(&nodes, inputs.registry, &mut diagnostics);
    order::cycles(&nodes, &mut diagnostics);
    diagnostics.limit(MAX_DIAGNOSTICS, more);
    // Each file once, wherever it is used first.
    let mut seen: Vec<*const Stack> = Vec::new();
    for frame in &evaluator.frames {
        if !diagnostics.0.is_empty() && !seen.contains(&std::ptr::from_ref(frame.stack)) {
            seen.push(frame.stack);
            name_owners(frame.stack, &frame.path, &mut diagnostics);
        }
    }
    (Graph { nodes, outputs }, diagnostics)
}

/// What evaluation finds in a stack of which something is wrong already, so that all of it is told at once. What may
/// only follow from that is left out: of a block that is wrong, just the errors of its expressions are told.
pub fn further(inputs: &Inputs<'_>, told: &Diagnostics) -> Diagnostics {
    // A module that is used twice is told about once, so it is the file that counts.
    let block = |one: &Diagnostic| {
        let file = one.span.as_ref().map(|span| span.file.name.clone());
        Some((file, one.address.as_ref()?.block().inside()))
    };
    let wrong: BTreeSet<_> = told.0.iter().filter_map(block).collect();
    let (_, mut found) = build(inputs);
    found.0.retain(|one| block(one).is_none_or(|block| !wrong.contains(&block)) || one.code.starts_with("S3S-E"));
    found
}

/// Says where an earlier address is still in use, or would have become two resources.
fn moves(evaluator: &Evaluator<'_>) {
    let mut claimed: BTreeMap<Address, &Address> = BTreeMap::new();
    for address in evaluator.declared.keys() {
        for (from, span) in evaluator.earlier(address) {
            let wrong = |message: String| Diagnostic::error("S3S-P8", message).at(span.clone()).on(address);
            if evaluator.declared.contains_key(&from) {
                let message = format!("{from} cannot be where this comes from: it is still in the stack");
                evaluator.report(wrong(message).help("rename the block, or take `moved_from` out"));
            } else if let Some(first) = claimed.insert(from.clone(), address) {
                let message = format!("{from} cannot have become both {first} and this");
                evaluator.report(wrong(message).help("leave it with the one that it became"));
            }
        }
    }
}

fn resources(evaluator: &Evaluator<'_>) -> BTreeMap<Address, Resource> {
    let mut resources = BTreeMap::new();
    for (address, declared) in &evaluator.declared {
        let block = declared.block;
        let Some(kind) = evaluator.kind(address) else { continue };
        let schema = kind.schema();
        let names = || schema.properties.iter().filter(|(_, property)| !property.derived).map(|(name, _)| name);
        let mut raw: Map = names().map(|name| (name.clone(), evaluator.raw_of(address, name))).collect();
        // Keys that the schema does not know are reported by validation too, at their places.
        for (key, entry) in block.body.iter().filter(|(key, _)| !schema.properties.contains_key(*key)) {
            raw.insert(key.clone(), evaluator.reserved(&entry.node, key, declared.frame, declared.each.as_ref()));
        }
        raw.retain(|_, value| !value.is_null());
        for problem in validate(schema, &Value::Map(raw)) {
            evaluator.report(located(&problem.of_expression(), address, block));
        }
        let properties: Map = names()
            .map(|name| (name.clone(), evaluator.property(address, name)))
            .filter(|(_, value)| !value.is_null())
            .collect();
        let attributes =
            schema.attributes.keys().map(|name| (name.clone(), evaluator.attribute(address, name))).collect();
        let references = evaluator.references_of(address);
        resources.insert(address.clone(), Resource { address: address.clone(), properties, attributes, references });
    }
    resources
}

fn contributions(
    evaluator: &Evaluator<'_>,
    resources: &BTreeMap<Address, Resource>,
) -> BTreeMap<Address, Vec<Contribution>> {
    let none = BTreeMap::new();
    let world = World {
        facts: &evaluator.inputs.facts,
        evaluator,
        resources,
        contributions: &none,
        registry: evaluator.inputs.registry,
        files: evaluator.inputs.files,
    };
    let mut all: BTreeMap<Address, Vec<Contribution>> = BTreeMap::new();
    for (address, resource) in resources {
        let Some(kind) = evaluator.kind(address).filter(|_| !address.lookup) else { continue };
        let files = evaluator.files_of(address);
        let here = World { files: &files, facts: evaluator.facts_of(address), ..world };
        for contribution in kind.contributions(resource, &here) {
            all.entry(contribution.to.clone()).or_default().push(contribution);
        }
    }
    all
}

fn node(
    evaluator: &Evaluator<'_>,
    world: &World<'_>,
    kind: &dyn ResourceType,
    declared: &Declared<'_>,
    resource: &Resource,
    misfits: &BTreeSet<Address>,
) -> Node {
    let (address, block) = (&resource.address, declared.block);
    let files = evaluator.files_of(address);
    let world = &World { files: &files, facts: &declared.facts, ..*world };
    let descriptor = kind.descriptor();
    let schema = kind.schema();
    let report = |problems: Vec<Problem>| {
        if !misfits.contains(&address.block()) && !resource.properties.values().any(is_broken) {
            for problem in problems {
                let help = problem.help.clone().or_else(|| schema.purpose(&problem.path));
                evaluator.report(located(&Problem { help, ..problem }, address, block));
            }
        }
    };
    report(kind.check(resource, world));
    let managed = kind.managed(resource, world).unwrap_or_else(|problems| {
        report(problems);
        Map::new()
    });
    let (mut waits_for, mut names) = (BTreeMap::new(), BTreeMap::new());
    let mut binds = BTreeSet::new();
    for (other, paths) in evaluator.edges_of(address) {
        if paths.iter().any(|path| schema.names_principal(path)) {
            binds.insert(other.clone());
        }
        let delaying = paths.iter().position(|path| schema.delays(path));
        if let Some(path) = paths.into_iter().nth(delaying.unwrap_or_default()) {
            let kind = if delaying.is_some() { &mut waits_for } else { &mut names };
            kind.insert(other, path);
        }
    }
    for other in awaited(evaluator, declared, address) {
        names.remove(&other);
        waits_for.entry(other).or_insert_with(|| Path::of("depends_on"));
    }
    let name_given = descriptor.naming.is_some_and(|naming| {
        block.body.contains_key(naming.property) && !evaluator.raw_of(address, naming.property).is_null()
    });
    if let Some(naming) = descriptor.naming
        && !resource.property(naming.property).is_known()
        && !is_broken(resource.property(naming.property))
        && !evaluator.diagnostics.borrow().has_errors()
    {
        evaluator.report(
            Diagnostic::error("S3S-W18", format!("the {} cannot depend on what AWS makes", naming.property))
                .at(locate(block, &Path::of(naming.property)))
                .on(address)
                .help("make it from variables and names that the stack says"),
        );
    }
    let flag = |node: &Option<SourceNode>, name: &str| match node
        .as_ref()
        .map(|node| (node, evaluator.reserved(node, name, declared.frame, declared.each.as_ref())))
    {
        None | Some((_, Value::Null)) => false,
        Some((_, Value::Bool(value))) => value,
        Some((_, other)) if is_broken(&other) => false,
        Some((node, other)) => {
            evaluator.report(
                Diagnostic::error("S3S-W2", format!("`{name}` must be true or false, this is {}", other.kind()))
                    .at(node.span.clone())
                    .on(address)
                    .help("write true or false, or a comparison such as ${env == \"prod\"}"),
            );
            false
        }
    };
    let import = block.reserved.import.as_ref().and_then(|node| {
        match evaluator.reserved(node, "import", declared.frame, declared.each.as_ref()) {
            Value::String(id) if !id.is_empty() => Some(id),
            other if is_broken(&other) => None,
            other => {
                let what =
                    if other.is_known() { "a text that is not empty" } else { "known before anything is planned" };
                evaluator.report(
                    Diagnostic::error("S3S-W2", format!("`import` must be {what}"))
                        .at(node.span.clone())
                        .on(address)
                        .help(format!(
                            "write the {} of the existing resource, or take `import` out",
                            descriptor.physical_id
                        )),
                );
                None
            }
        }
    });
    let written =
        |name: &String| block.body.contains_key(name) || schema.properties.get(name).is_some_and(|one| one.derived);
    Node {
        defaulted: managed.keys().filter(|name| !written(name)).cloned().collect(),
        managed,
        memory: schema
            .properties
            .iter()
            .filter(|(_, property)| property.memory)
            .map(|(name, property)| match resource.property(name) {
                // Whoever reads it later knows nothing of modules.
                Value::String(path) if property.file => (name.clone(), files.outer(path).into()),
                value => (name.clone(), value.clone()),
            })
            .filter(|(_, value)| !value.is_null())
            .collect(),
        physical_id: evaluator.attribute(address, descriptor.physical_id),
        named: name_given,
        account: declared.facts.account_id.clone(),
        region: if descriptor.global { String::new() } else { declared.facts.region.clone() },
        waits_for,
        names,
        binds,
        contributors: contributors(world, address),
        protect: flag(&block.reserved.protect, "protect"),
        retain: flag(&block.reserved.retain, "retain"),
        ignore_changes: block.reserved.ignore_changes.iter().map(|(path, _)| path.clone()).collect(),
        moved_from: evaluator.earlier(address).into_iter().map(|(from, _)| from).collect(),
        import,
        span: Some(block.span.clone()),
        property_spans: block.body.iter().map(|(name, entry)| (name.clone(), entry.node.span.clone())).collect(),
        resource: resource.clone(),
    }
}

/// What a resource waits for because its block or a module round it says so.
fn awaited(evaluator: &Evaluator<'_>, declared: &Declared<'_>, address: &Address) -> BTreeSet<Address> {
    let mut awaited = BTreeSet::new();
    let mut said = vec![(declared.frame, &declared.block.reserved.depends_on)];
    let mut frame = evaluator.frames.get(declared.frame);
    while let Some(call) = frame.and_then(|frame| frame.call.as_ref()) {
        said.push((call.frame, &call.block.depends_on));
        frame = evaluator.frames.get(call.frame);
    }
    for (frame, targets) in said {
        for (target, span) in targets {
            match evaluator.all_of(frame, target) {
                Ok(all) => awaited.extend(all),
                Err(diagnostic) => evaluator.report(diagnostic.at(span.clone()).on(address)),
            }
        }
    }
    // What stands in a module that waits for the module's neighbour may be that neighbour's own part.
    awaited.remove(address);
    awaited
}

/// Who adds to which document of a resource; what it asks of itself has no need to be told.
fn contributors(world: &World<'_>, address: &Address) -> BTreeMap<String, BTreeSet<Address>> {
    let mut by_document: BTreeMap<String, BTreeSet<Address>> = BTreeMap::new();
    for contribution in world.contributions.get(address).into_iter().flatten().filter(|one| one.from != *address) {
        by_document.entry(contribution.document.to_owned()).or_default().insert(contribution.from.clone());
    }
    by_document
}

fn outputs(evaluator: &Evaluator<'_>) -> Map {
    let mut outputs = Map::new();
    for (name, output) in &evaluator.inputs.stack.outputs {
        let value = evaluator.evaluate(&output.value, &Path::of(name.clone()), &Owner::Nobody, 0, None);
        if value.is_sensitive() && !output.sensitive {
            evaluator.report(
                Diagnostic::error("S3S-W15", format!("output `{name}` would show a secret"))
                    .at(output.value.span.clone())
                    .help(format!("write it as `{name} = {{ value = …, sensitive = true }}`")),
            );
        }
        outputs.insert(name.clone(), if output.sensitive { Value::Secret(Secret::new(value)) } else { value });
    }
    outputs
}

/// Whether something does not fit the schema, codes `S3S-W1` to `S3S-W9`.
fn is_misfit(diagnostic: &Diagnostic) -> bool {
    diagnostic.severity == Severity::Error && diagnostic.code.starts_with("S3S-W")
}

/// A problem with its place.
fn located(problem: &Problem, address: &Address, block: &Block) -> Diagnostic {
    let diagnostic = Diagnostic::error(problem.code, problem.message.clone());
    let mut diagnostic = Diagnostic { severity: problem.severity, ..diagnostic }
        .at(locate(block, &problem.path))
        .on(address)
        .property(&problem.path);
    diagnostic.help.clone_from(&problem.help);
    diagnostic
}
