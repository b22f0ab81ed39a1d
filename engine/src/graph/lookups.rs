//! Lookups: what is to be found before a plan is made, and what it was found to be.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::build::Inputs;
use super::evaluate::Evaluator;
use super::frames::{Each, FrameId};
use super::instances;
use super::scope::Owner;
use crate::address::{Address, Path};
use crate::diagnostic::{Diagnostic, Span};
use crate::fault::Fault;
use crate::resource::{Facts, Resource, ResourceType, identified_by};
use crate::schema::Property;
use crate::stack::{LookupBlock, broken, is_broken};
use crate::value::{Map, Value};

/// One resource that somebody else made.
#[derive(Clone)]
pub struct Sought<'a> {
    /// The block.
    pub block: &'a LookupBlock,
    /// Where the block stands.
    pub frame: FrameId,
    /// Where the resource is.
    pub facts: Rc<Facts>,
    /// Under `for_each`.
    pub each: Option<Rc<Each>>,
}

/// What AWS is to be asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The lookup.
    pub address: Address,
    /// `s3.bucket`.
    pub type_name: String,
    /// The account, twelve digits.
    pub account: String,
    /// The region; empty for global types.
    pub region: String,
    /// What it is found by.
    pub by: By,
    /// The properties that something names.
    pub properties: Vec<String>,
}

/// What a resource is found by.
#[derive(Debug, Clone, PartialEq)]
pub enum By {
    /// AWS's identifier.
    Id(String),
    /// Tags that it has.
    Tags(BTreeMap<String, String>),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Looked {
    /// It is there.
    Found {
        /// AWS's identifier.
        physical_id: String,
        /// The properties that were asked for, in the vocabulary of `managed`.
        managed: Map,
        /// The attributes.
        attributes: Map,
    },
    /// There is none.
    Missing,
    /// It is there, and cannot be had: it is in another region or account.
    Elsewhere(String),
    /// There are several of these tags, with these identifiers.
    Several(Vec<String>),
    /// Nobody knows.
    Unreadable(Fault),
}

/// What has to be looked up, as far as that can be said with what was found already. Whatever is wrong with the stack is
/// told when it is built.
pub fn queries(inputs: &Inputs<'_>) -> Vec<Query> {
    let mut evaluator = Evaluator::new(inputs);
    instances::declare(&mut evaluator);
    evaluator
        .sought
        .keys()
        .filter(|address| !inputs.lookups.contains_key(address))
        .filter_map(|address| evaluator.query(address))
        .collect()
}

impl<'a> Evaluator<'a> {
    /// What AWS is to be asked for; none where it is not known yet, or wrong.
    fn query(&self, address: &Address) -> Option<Query> {
        let sought = self.sought.get(address)?;
        let kind = self.kind(address)?;
        let body = &sought.block.body;
        let by = if body.contains_key("tags") {
            let Value::Map(tags) = self.sought_value(address, "tags") else { return None };
            let text = |(key, value): (String, Value)| Some((key, value.as_str()?.to_owned()));
            By::Tags(tags.into_iter().map(text).collect::<Option<_>>()?)
        } else if body.contains_key("id") {
            By::Id(self.sought_value(address, "id").as_str().filter(|id| !id.is_empty())?.to_owned())
        } else {
            By::Id(self.predicted(kind, sought, address, kind.descriptor().physical_id).as_str()?.to_owned())
        };
        let is_property = |name: &&String| !kind.schema().attributes.contains_key(*name);
        Some(Query {
            address: address.clone(),
            type_name: address.type_name.to_string(),
            account: sought.facts.account_id.clone(),
            region: if kind.descriptor().global { String::new() } else { sought.facts.region.clone() },
            by,
            properties: sought.block.members.iter().filter(is_property).cloned().collect(),
        })
    }

    /// What a lookup says of a key; references stand for their attributes.
    fn sought_value(&self, address: &Address, key: &str) -> Value {
        self.once(address, key, || {
            let Some(sought) = self.sought.get(address) else { return Value::Null };
            let Some(entry) = sought.block.body.get(key) else { return Value::Null };
            let path = Path::of(key);
            let value = self.evaluate(&entry.node, &path, &Owner::Nobody, sought.frame, sought.each.as_ref());
            let property = self.kind(address).and_then(|kind| kind.schema().properties.get(key));
            match property {
                Some(property) => self.resolve_references(value, property, &path, address),
                None => value,
            }
        })
    }

    /// An attribute, or a property, before anybody looked.
    fn predicted(&self, kind: &dyn ResourceType, sought: &Sought<'_>, address: &Address, name: &str) -> Value {
        let property = |property: &str| {
            let default = |property: &Property| property.default.clone().unwrap_or_default();
            match self.sought_value(address, property) {
                Value::Null if property == kind.descriptor().physical_id => self.sought_value(address, "id"),
                Value::Null => kind.schema().properties.get(property).map(default).unwrap_or_default(),
                value => value,
            }
        };
        let made_by_aws = kind.schema().attributes.get(name).map(|attribute| attribute.made_by_aws);
        let by_name = identified_by(kind).iter().any(|key| sought.block.body.contains_key(key));
        let is_id = name == kind.descriptor().physical_id;
        let value = match made_by_aws {
            _ if is_id && sought.block.body.contains_key("id") => self.sought_value(address, "id"),
            Some(false) if by_name || sought.block.body.contains_key("id") => {
                kind.predict(name, &sought.facts, &mut |name| property(name))
            }
            None if by_name || is_id => property(name),
            _ => Value::Null,
        };
        // What only AWS can say is there once it was asked; without it nothing is said of what follows.
        if value.is_null() { broken() } else { value }
    }

    /// An attribute or a property of what is looked up.
    pub fn looked_up(&self, address: &Address, name: &str) -> Value {
        let (Some(sought), Some(kind)) = (self.sought.get(address), self.kind(address)) else { return Value::Null };
        match self.inputs.lookups.get(address) {
            Some(Looked::Found { physical_id, managed, attributes }) => {
                let found = attributes.get(name).or_else(|| managed.get(name)).cloned();
                let found =
                    found.or_else(|| (name == kind.descriptor().physical_id).then(|| physical_id.as_str().into()));
                // What was read and is not there is null.
                let is_read = sought.block.members.contains(name) && !kind.schema().attributes.contains_key(name);
                found.unwrap_or_else(|| match is_read {
                    true => Value::Null,
                    false => self.predicted(kind, sought, address, name),
                })
            }
            // What is wrong was told where it is looked up.
            Some(_) => broken(),
            None => self.predicted(kind, sought, address, name),
        }
    }

    /// What others may know of what is looked up.
    pub fn sought_resources(&self) -> BTreeMap<Address, Resource> {
        let resource = |address: &Address| {
            let schema = self.kind(address)?.schema();
            let attributes = schema.attributes.keys().map(|name| (name.clone(), self.looked_up(address, name)));
            let attributes = attributes.filter(|(_, value)| !value.is_null()).collect();
            let found = match self.inputs.lookups.get(address) {
                Some(Looked::Found { managed, .. }) => managed.clone(),
                _ => Map::new(),
            };
            let said = self.sought.get(address)?.block.body.keys().filter(|key| schema.properties.contains_key(*key));
            let properties =
                found.into_iter().chain(said.map(|key| (key.clone(), self.sought_value(address, key)))).collect();
            Some(Resource { address: address.clone(), properties, attributes, references: BTreeMap::new() })
        };
        self.sought.keys().filter_map(|address| Some((address.clone(), resource(address)?))).collect()
    }

    /// Says of each lookup what is wrong with what was found, or why nothing could be looked for.
    pub fn report_lookups(&self) {
        for (address, sought) in &self.sought {
            let place: &Span = &sought.block.span;
            let wrong = |message: String| Diagnostic::error("S3S-X3", message).at(place.clone()).on(address);
            let by = || match self.query(address).map(|query| query.by) {
                Some(By::Id(id)) => format!("{} {id}", address.type_name),
                Some(By::Tags(tags)) => {
                    let tags: Vec<String> = tags.iter().map(|(key, value)| format!("{key} = {value}")).collect();
                    format!("{} with {}", address.type_name, tags.join(", "))
                }
                None => address.type_name.to_string(),
            };
            let is_global = self.kind(address).is_some_and(|kind| kind.descriptor().global);
            let there = match is_global {
                true => format!("in account {}", sought.facts.account_id),
                false => format!("in account {}, {}", sought.facts.account_id, sought.facts.region),
            };
            match self.inputs.lookups.get(address) {
                Some(Looked::Found { .. }) => {}
                Some(Looked::Missing) => self.report(
                    wrong(format!("there is no {} {there}", by()))
                        .help("see that it is there, and that `account` and `region` of the lookup are its own"),
                ),
                Some(Looked::Elsewhere(why)) => {
                    self.report(
                        wrong(format!("{} cannot be looked up {there}: {why}", by()))
                            .help("say where it is: `region = …`, or `account = …` with an [account] that leads there"),
                    );
                }
                Some(Looked::Several(ids)) => {
                    let some: Vec<&str> = ids.iter().take(5).map(String::as_str).collect();
                    let more = if ids.len() > some.len() { " and more" } else { "" };
                    let message = format!("there are {} {} {there}: {}{more}", ids.len(), by(), some.join(", "));
                    self.report(wrong(message).help("name more tags, or its `id`"));
                }
                Some(Looked::Unreadable(fault)) => {
                    self.report(
                        wrong(format!("{} could not be looked up: {fault}", by()))
                            .help("let the caller read it, or write what is needed of it as a variable"),
                    );
                }
                None => {
                    // Without AWS nothing is looked up; what can never be looked up is told even so.
                    let keys = sought.block.body.keys();
                    for (key, value) in keys.map(|key| (key, self.sought_value(address, key))) {
                        if !value.is_known() && !is_broken(&value) {
                            let message = format!("what `{key}` is depends on what AWS makes, and lookups come before");
                            let at = sought.block.body.get(key).map(|entry| entry.node.span.clone());
                            let diagnostic = wrong(message).at(at).property(&Path::of(key));
                            self.report(
                                diagnostic.help("name the resource itself, or look for what the stack can say"),
                            );
                        }
                    }
                }
            }
        }
    }
}
