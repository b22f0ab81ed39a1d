//! What the stack comes to.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{Address, Path};
use crate::diagnostic::Span;
use crate::resource::Resource;
use crate::value::{Map, Value};

/// The stack's resources and outputs.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    /// The resources by address.
    pub nodes: BTreeMap<Address, Node>,
    /// The outputs; sensitive ones are secrets.
    pub outputs: Map,
}

/// One resource of the stack.
#[derive(Debug, Clone)]
pub struct Node {
    /// What its block comes to.
    pub resource: Resource,
    /// What AWS shall hold.
    pub managed: Map,
    /// The top-level managed properties that are there by a default and not by the file.
    pub defaulted: BTreeSet<String>,
    /// Properties for the tool alone.
    pub memory: Map,
    /// AWS's identifier: a string, or unknown where AWS makes it.
    pub physical_id: Value,
    /// Whether the file chose the physical name itself.
    pub named: bool,
    /// The account, twelve digits.
    pub account: String,
    /// The region; empty for global types.
    pub region: String,
    /// The resources that come before this one, and the property that says so.
    pub waits_for: BTreeMap<Address, Path>,
    /// The resources that it names without waiting for them, and the first property that does.
    pub names: BTreeMap<Address, Path>,
    /// The resources that this one binds itself to: made anew, they mean writing this again.
    pub binds: BTreeSet<Address>,
    /// The other resources whose wishes stand in a managed property, by its name: a log target's policy, say.
    pub contributors: BTreeMap<String, BTreeSet<Address>>,
    /// Whether it may not be deleted or replaced.
    pub protect: bool,
    /// Whether taking its block out leaves it in AWS.
    pub retain: bool,
    /// Properties whose drift and changes are left alone.
    pub ignore_changes: Vec<Path>,
    /// Earlier addresses.
    pub moved_from: Vec<Address>,
    /// The physical id of an existing resource to take over.
    pub import: Option<String>,
    /// The block's place.
    pub span: Option<Span>,
    /// The places of its properties, for findings that come late.
    pub property_spans: BTreeMap<String, Span>,
}
