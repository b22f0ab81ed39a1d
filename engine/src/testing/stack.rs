//! Stacks of fake resources, and the graph that a stack file with them would come to.

use std::collections::{BTreeMap, BTreeSet};

use super::store::CANARY;
use super::types::{ATTACHMENT, BUCKET, CREDENTIAL, KEY};
use crate::address::{Address, Path};
use crate::graph::{Graph, Node};
use crate::resource::Resource;
use crate::state::State;
use crate::value::{Map, Secret, Unknown, Value};

/// A stack of fake resources by address.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stack {
    /// The blocks.
    pub blocks: BTreeMap<Address, Block>,
}

/// What a block says. What its type has no property for is ignored.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Block {
    /// The name; for keys and credentials AWS makes it.
    pub name: String,
    /// Create-only.
    pub zone: String,
    /// Optional.
    pub size: Option<i64>,
    /// Optional, by key.
    pub labels: BTreeMap<String, String>,
    /// Resources whose ARNs it names, and must exist.
    pub peers: BTreeSet<Address>,
    /// The bucket it is a child of.
    pub parent: Option<Address>,
    /// The bucket it logs into, whose document names it.
    pub log_target: Option<Address>,
    /// A secret.
    pub note: Note,
    /// For the tool alone.
    pub force: bool,
    /// Whether it stays in AWS when its block goes.
    pub retain: bool,
    /// Earlier addresses.
    pub moved_from: Vec<Address>,
    /// An existing resource to take over.
    pub import: Option<String>,
}

/// A secret property.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Note {
    /// None.
    #[default]
    Absent,
    /// Written in a variable.
    Text(String),
    /// What a credential was given at its creation.
    SecretOf(Address),
}

/// The address of a bucket.
pub fn bucket(name: &str) -> Address {
    Address::root(BUCKET, name)
}

/// The address of a key.
pub fn key(name: &str) -> Address {
    Address::root(KEY, name)
}

/// The address of an attachment.
pub fn attachment(name: &str) -> Address {
    Address::root(ATTACHMENT, name)
}

/// The address of a credential.
pub fn credential(name: &str) -> Address {
    Address::root(CREDENTIAL, name)
}

impl Stack {
    /// Adds a block; a bucket or attachment without a name gets that of its block.
    pub fn with(mut self, address: Address, change: impl FnOnce(&mut Block)) -> Self {
        let mut block = self.blocks.remove(&address).unwrap_or_else(|| Block {
            name: address.name.clone(),
            zone: "a".into(),
            ..Block::default()
        });
        change(&mut block);
        self.blocks.insert(address, block);
        self
    }

    /// Takes a block out.
    pub fn without(mut self, address: &Address) -> Self {
        self.blocks.remove(address);
        self
    }

    /// What the stack comes to. Attributes that AWS made are known from `state`, but for those in `remade`.
    pub fn graph(&self, state: &State, remade: &BTreeSet<Address>) -> Graph {
        let nodes: BTreeMap<Address, Node> = self
            .blocks
            .iter()
            .map(|(address, block)| (address.clone(), self.node(address, block, state, remade)))
            .collect();
        let outputs = self
            .blocks
            .keys()
            .map(|address| {
                let name = if address.type_name.as_str() == CREDENTIAL { "secret" } else { "arn" };
                (address.to_string(), self.attribute(address, name, state, remade))
            })
            .collect();
        Graph { nodes, outputs }
    }

    fn name(&self, address: &Address) -> String {
        self.blocks.get(address).map(|block| block.name.clone()).unwrap_or_default()
    }

    fn attribute(&self, address: &Address, name: &str, state: &State, remade: &BTreeSet<Address>) -> Value {
        match address.type_name.as_str() {
            BUCKET => format!("arn:fake:{}", self.name(address)).into(),
            ATTACHMENT => self.path(address).into(),
            _ => {
                let moved_from = self.blocks.get(address).map(|block| block.moved_from.clone()).unwrap_or_default();
                let mut known =
                    std::iter::once(address).chain(&moved_from).filter_map(|from| state.instances.get(from));
                let known = known.next().and_then(|instance| instance.attributes.get(name));
                match known.filter(|_| !remade.contains(address)) {
                    Some(known) => known.clone(),
                    None => Value::from(Unknown::Attribute {
                        address: address.clone(),
                        name: name.to_owned(),
                        sensitive: name == "secret",
                    }),
                }
            }
        }
    }

    fn path(&self, address: &Address) -> String {
        let block = self.blocks.get(address);
        let parent = block.and_then(|block| block.parent.as_ref()).map(|parent| self.name(parent));
        format!("{}/{}", parent.unwrap_or_default(), self.name(address))
    }

    fn node(&self, address: &Address, block: &Block, state: &State, remade: &BTreeSet<Address>) -> Node {
        let attribute = |of: &Address, name: &str| self.attribute(of, name, state, remade);
        let type_name = address.type_name.as_str();
        let mut managed = Map::new();
        let mut waits_for = BTreeMap::new();
        let mut references = BTreeMap::new();
        let mut put = |name: &str, value: Value| managed.insert(name.to_owned(), value);
        if let Some(size) = block.size {
            put("size", size.into());
        }
        if type_name == BUCKET || type_name == ATTACHMENT {
            put("name", block.name.clone().into());
        }
        if type_name != CREDENTIAL && !block.peers.is_empty() {
            put("peers", Value::List(block.peers.iter().map(|peer| attribute(peer, "arn")).collect()));
            waits_for.extend(block.peers.iter().map(|peer| (peer.clone(), Path::of("peers"))));
        }
        if let (ATTACHMENT | CREDENTIAL, Some(parent)) = (type_name, &block.parent) {
            put("bucket", self.name(parent).into());
            waits_for.insert(parent.clone(), Path::of("bucket"));
            references.insert(Path::of("bucket"), parent.clone());
        }
        if type_name == BUCKET {
            put("zone", block.zone.clone().into());
            if !block.labels.is_empty() {
                put("labels", Value::map(block.labels.iter().map(|(key, value)| (key, Value::from(value.as_str())))));
            }
            if let Some(target) = &block.log_target {
                put("log_target", self.name(target).into());
                if target != address {
                    waits_for.insert(target.clone(), Path::of("log_target"));
                }
            }
            let sources = self.blocks.iter().filter(|(_, other)| other.log_target.as_ref() == Some(address));
            let document: Map = sources.map(|(from, other)| (other.name.clone(), attribute(from, "arn"))).collect();
            if !document.is_empty() {
                put("document", Value::Map(document));
            }
        }
        if type_name == KEY {
            match &block.note {
                Note::Absent => {}
                Note::Text(text) => {
                    put("note", Value::Secret(Secret::new(format!("{CANARY}{text}").into())));
                }
                Note::SecretOf(other) => {
                    put("note", attribute(other, "secret"));
                    waits_for.insert(other.clone(), Path::of("note"));
                }
            }
        }
        let attributes: Map = match type_name {
            BUCKET => [("arn".to_owned(), attribute(address, "arn"))].into(),
            ATTACHMENT => [("path".to_owned(), attribute(address, "path"))].into(),
            KEY => ["id", "arn"].map(|name| (name.to_owned(), attribute(address, name))).into(),
            _ => ["id", "secret"].map(|name| (name.to_owned(), attribute(address, name))).into(),
        };
        let physical_id = match type_name {
            BUCKET => block.name.clone().into(),
            ATTACHMENT => self.path(address).into(),
            _ => Value::from(Unknown::Attribute { address: address.clone(), name: "id".into(), sensitive: false }),
        };
        let memory: Map = match type_name == BUCKET && block.force {
            true => [("force".to_owned(), Value::Bool(true))].into(),
            false => Map::new(),
        };
        let mut properties = managed.clone();
        properties.extend(memory.clone());
        Node {
            resource: Resource { address: address.clone(), properties, attributes, references },
            managed,
            defaulted: BTreeSet::new(),
            memory,
            physical_id,
            named: true,
            account: "000000000001".into(),
            region: "region-1".into(),
            waits_for,
            names: BTreeMap::new(),
            binds: BTreeSet::new(),
            contributors: BTreeMap::new(),
            protect: false,
            retain: block.retain,
            ignore_changes: Vec::new(),
            moved_from: block.moved_from.clone(),
            import: block.import.clone(),
            span: None,
            property_spans: BTreeMap::new(),
        }
    }
}
