//! A resource type, its properties and its attributes.

use std::collections::BTreeSet;

use s3stack_engine::address::Address;
use s3stack_engine::graph::names::default_name;
use s3stack_engine::policy::grant::Access;
use s3stack_engine::resource::{Actions, Descriptor, Facts, NameScope, Naming, ResourceType};
use s3stack_engine::schema::Attribute;
use s3stack_engine::stack::fields;

use super::page::{Entry, Fact, Page, Part};
use super::property::{self, Place};
use super::words::inline_code;
use super::{example, property::computed};

/// The page of a type.
pub(super) fn page(kind: &dyn ResourceType) -> Page {
    let (descriptor, schema) = (kind.descriptor(), kind.schema());
    let name = descriptor.name;
    let parts = [
        Part::new("properties", "Properties", property::entries(&schema.properties, false)),
        attributes(kind),
        Part::new("computed", "What plans speak of besides", computed(&schema.properties)),
        kind.access().and_then(|access| {
            let heading = format!("Access levels, as in `grants = [{{ to = \"{name}.NAME\", access = \"…\" }}]`");
            Part::new("access", heading, levels(access))
        }),
        Part::new("actions", "What s3stack must be allowed to do", actions(&descriptor.actions)),
    ];
    Page {
        topic: "type",
        name: name.to_owned(),
        text: schema.doc.clone(),
        facts: facts(descriptor),
        parts: parts.into_iter().flatten().collect(),
        example: example::of_type(descriptor.example, name),
        next: Some(format!(
            "`s3stack explain {name}.PROPERTY` tells more of each; `s3stack explain keys` tells what every block may have."
        )),
    }
}

/// The page of what is below a type; else the step that leads nowhere, and what there is at its place.
pub(super) fn below(kind: &dyn ResourceType, path: &[&str]) -> Result<Page, (usize, Vec<String>)> {
    let (descriptor, schema) = (kind.descriptor(), kind.schema());
    if let [one] = path {
        if let Some(attribute) = schema.attributes.get(*one).filter(|attribute| !attribute.note)
            && !schema.properties.contains_key(*one)
        {
            return Ok(attribute_page(format!("{}.{one}", descriptor.name), attribute));
        }
        if let Some(reserved) = fields::reserved().get(*one).filter(|_| !schema.properties.contains_key(*one)) {
            return Ok(super::sections::reserved_page(one, reserved));
        }
    }
    let along = property::along(&schema.properties, path).map_err(|(step, known)| {
        let attributes = schema.attributes.iter().filter(|(_, attribute)| step == 0 && !attribute.note);
        let reserved = fields::reserved().into_keys().filter(|_| step == 0);
        let known = known.into_iter().map(str::to_owned);
        (step, known.chain(attributes.map(|(name, _)| name.clone())).chain(reserved).collect())
    })?;
    let is_name = descriptor.naming.is_some_and(|naming| path == [naming.property]);
    let place = if along.len() == 1 { Place::OfBlock { is_name } } else { Place::Within };
    let steps: Vec<&str> = along.iter().map(|(name, _)| *name).collect();
    let example = example::of_path(descriptor.example, descriptor.name, &steps);
    Ok(Page { example, ..property::page(descriptor.name, &along, place) })
}

fn attribute_page(name: String, attribute: &Attribute) -> Page {
    let text = attribute.doc.clone();
    let next = Some(format!("It is written `${{{}}}`.", name_of_block(&name)));
    Page { topic: "attribute", name, text, facts: attribute_facts(attribute), next, ..Page::default() }
}

/// `s3.bucket.NAME.arn` of `s3.bucket.arn`.
fn name_of_block(name: &str) -> String {
    name.rsplit_once('.').map(|(kind, attribute)| format!("{kind}.NAME.{attribute}")).unwrap_or_default()
}

fn attributes(kind: &dyn ResourceType) -> Option<Part> {
    let told = kind.schema().attributes.iter().filter(|(_, attribute)| !attribute.note);
    // Of most there is nothing to say but that plans know them.
    let facts = |attribute: &Attribute| if attribute.made_by_aws { attribute_facts(attribute) } else { Vec::new() };
    let entries: Vec<Entry> = told
        .map(|(name, attribute)| Entry { name: name.clone(), facts: facts(attribute), text: attribute.doc.clone() })
        .collect();
    let example = entries.iter().find(|entry| entry.name == "arn").or(entries.first())?;
    let heading = format!("Attributes, as in `${{{}.NAME.{}}}`", kind.descriptor().name, example.name);
    Part::new("attributes", heading, entries)
}

fn attribute_facts(attribute: &Attribute) -> Vec<Fact> {
    let made = if attribute.made_by_aws { "by AWS: known after apply" } else { "by s3stack: known in the plan" };
    let secret = attribute.sensitive.then(|| Fact::new("secret", "yes"));
    [Fact::new("made", made)].into_iter().chain(secret).collect()
}

fn levels(access: &Access) -> Vec<Entry> {
    let levels = access.levels.iter().map(|level| {
        let actions = access.actions_of(level.name).unwrap_or_default();
        Entry { name: level.name.into(), facts: vec![Fact::new("actions", list(&actions))], text: level.doc.into() }
    });
    levels.collect()
}

fn actions(actions: &Actions) -> Vec<Entry> {
    let verbs =
        [("read", actions.read), ("create", actions.create), ("update", actions.update), ("delete", actions.delete)];
    let some = verbs.into_iter().filter(|(_, actions)| !actions.is_empty());
    some.map(|(verb, actions)| Entry::new(verb, list(&actions.iter().copied().collect()))).collect()
}

fn list(words: &BTreeSet<&str>) -> String {
    words.iter().map(|word| inline_code(word)).collect::<Vec<_>>().join(", ")
}

fn facts(descriptor: &Descriptor) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Some(naming) = &descriptor.naming {
        facts.push(Fact::new("default_name", naming_words(descriptor.name, naming)));
        facts.push(Fact::new("unique", unique(naming)));
    }
    let tags = if descriptor.taggable { "yes, the stack's mark among them" } else { "none" };
    facts.push(Fact::new("tags", tags));
    if descriptor.global {
        facts.push(Fact::new("region", "none: it is the account's"));
    }
    if let Some(parent) = descriptor.parent {
        let text = format!("belongs to what {} names, and is made anew with it", inline_code(parent));
        facts.push(Fact::new("parent", text));
    }
    if descriptor.stateful {
        facts.push(Fact::new("deleted", "with what is in it, which nobody can make again; the plan says how much"));
    }
    facts.push(Fact::new("import", format!("`import = \"…\"` takes its {}", inline_code(descriptor.physical_id))));
    facts
}

/// How a default name comes about, by the example of the function that makes it.
fn naming_words(type_name: &str, naming: &Naming) -> String {
    let facts = Facts {
        partition: "aws".into(),
        account_id: "123456789012".into(),
        region: "us-east-1".into(),
        stack: "shop".into(),
        environment: "prod".into(),
    };
    let name = default_name(&facts, &Address::root(type_name, "data"), naming);
    let account = if naming.account_suffix { " and account id" } else { "" };
    format!(
        "{} for block `data` of stack `shop` with `--env prod`: stack, environment unless it is the default one, \
         block{account}; over {} characters it is cut and told apart by a digest",
        inline_code(&name),
        naming.max
    )
}

fn unique(naming: &Naming) -> String {
    let scope = match naming.scope {
        NameScope::Partition => "in all accounts of AWS".to_owned(),
        NameScope::Account => "in the account".to_owned(),
        NameScope::Region => "in the account and region".to_owned(),
        NameScope::Parent(parent) => format!("within its {}", inline_code(parent)),
    };
    if naming.ignore_case { format!("{scope}, whatever the case of letters") } else { scope }
}
