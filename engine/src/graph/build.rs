//! From stack to graph.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use super::evaluate::Evaluator;
use super::instances::Declared;
use super::model::{Graph, Node};
use super::world::World;
use super::{instances, names, order};
use crate::address::{Address, Path};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::file::Files;
use crate::resource::{Contribution, Facts, Registry, Resource, ResourceType};
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
    /// The tags of stack and environment.
    pub tags: Map,
    /// The types there are.
    pub registry: &'a dyn Registry,
    /// The stack folder.
    pub files: &'a dyn Files,
    /// What was made before: it knows attributes that AWS made and the default names in use.
    pub state: &'a State,
    /// The resources whose AWS-made attributes in state must not be used, because they will be made anew.
    pub forget: &'a BTreeSet<Address>,
}

/// Evaluates the whole stack. The graph is complete only if there is no error.
pub fn build(inputs: &Inputs<'_>) -> (Graph, Diagnostics) {
    let mut evaluator = Evaluator::new(inputs);
    evaluator.declared = instances::all(&evaluator);
    let resources = resources(&evaluator);
    let contributions = contributions(&evaluator, &resources);
    let world = World {
        facts: evaluator.facts(),
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
    let mut diagnostics = evaluator.diagnostics.into_inner();
    names::unique(&nodes, inputs.registry, &mut diagnostics);
    names::claimed_once(&nodes, inputs.registry, &mut diagnostics);
    order::cycles(&nodes, &mut diagnostics);
    diagnostics.limit(MAX_DIAGNOSTICS, more);
    name_owners(inputs.stack, &mut diagnostics);
    (Graph { nodes, outputs }, diagnostics)
}

/// What evaluation finds in a stack of which something is wrong already, so that all of it is told at once. What may
/// only follow from that is left out: of a block that is wrong, just the errors of its expressions are told.
pub fn further(inputs: &Inputs<'_>, told: &Diagnostics) -> Diagnostics {
    let wrong: BTreeSet<&Address> = told.0.iter().filter_map(|diagnostic| diagnostic.address.as_ref()).collect();
    let (_, mut found) = build(inputs);
    found.0.retain(|one| {
        one.address.as_ref().is_none_or(|address| !wrong.contains(&address.block())) || one.code.starts_with("S3S-E")
    });
    found
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
            raw.insert(key.clone(), evaluator.reserved(&entry.node, key, declared.each.as_ref()));
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
        facts: evaluator.facts(),
        resources,
        contributions: &none,
        registry: evaluator.inputs.registry,
        files: evaluator.inputs.files,
    };
    let mut all: BTreeMap<Address, Vec<Contribution>> = BTreeMap::new();
    for (address, resource) in resources {
        let Some(kind) = evaluator.kind(address) else { continue };
        for contribution in kind.contributions(resource, &world) {
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
    let mut waits_for = BTreeMap::new();
    let mut binds = BTreeSet::new();
    for (other, paths) in evaluator.edges_of(address) {
        if paths.iter().any(|path| schema.names_principal(path)) {
            binds.insert(other.clone());
        }
        if let Some(path) = paths.into_iter().find(|path| schema.delays(path)) {
            waits_for.insert(other, path);
        }
    }
    for (other, span) in &block.reserved.depends_on {
        if evaluator.is_several(other) {
            for (_, one) in evaluator.each_of(other) {
                waits_for.entry(one.clone()).or_insert_with(|| Path::of("depends_on"));
            }
        } else if evaluator.declared.contains_key(other) {
            waits_for.entry(other.clone()).or_insert_with(|| Path::of("depends_on"));
        } else {
            let off = evaluator.inputs.stack.blocks.contains_key(other);
            let what = if off { "is switched off by its `when`" } else { "is not in this stack" };
            let help = match &other.key {
                Some(_) => "write a key that its `for_each` has, or the block alone for all of them",
                None => "switch this block off by the same `when`, or take it out of `depends_on`",
            };
            let diagnostic = Diagnostic::error("S3S-R1", format!("{other} {what}")).at(span.clone()).on(address);
            evaluator.report(diagnostic.help(help));
        }
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
        .map(|node| (node, evaluator.reserved(node, name, declared.each.as_ref())))
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
        match evaluator.reserved(node, "import", declared.each.as_ref()) {
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
            .map(|(name, _)| (name.clone(), resource.property(name).clone()))
            .filter(|(_, value)| !value.is_null())
            .collect(),
        physical_id: evaluator.attribute(address, descriptor.physical_id),
        named: name_given,
        region: if descriptor.global { String::new() } else { evaluator.facts().region.clone() },
        waits_for,
        binds,
        contributors: contributors(world, address),
        protect: flag(&block.reserved.protect, "protect"),
        retain: flag(&block.reserved.retain, "retain"),
        ignore_changes: block.reserved.ignore_changes.iter().map(|(path, _)| path.clone()).collect(),
        moved_from: declared.moved_from(),
        import,
        span: Some(block.span.clone()),
        property_spans: block.body.iter().map(|(name, entry)| (name.clone(), entry.node.span.clone())).collect(),
        resource: resource.clone(),
    }
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
        let value = evaluator.node(&output.value, &Path::of(name.clone()), None);
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
