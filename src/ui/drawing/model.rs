//! What is drawn, whatever the format: boxes in groups, and arrows between them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use s3stack_engine::address::{Address, ModulePath, ModuleStep, Parts, Path, Step};
use s3stack_engine::graph::Graph;
use s3stack_engine::plan::{Change, Plan};
use s3stack_engine::value::Value;
use serde_json::{Value as Json, json};

use super::super::plan::Kind;
use super::super::text::{cut_middle, plain};
use super::super::values::SECRET;

/// What stands in names for the account as long as AWS was not asked which it is.
const SOME_ACCOUNT: &str = "ACCOUNT";

/// Widest label of an arrow.
const LABEL: usize = 24;

/// A stack's graph as it is drawn.
#[derive(Debug, Clone, Default)]
pub struct Drawing {
    /// The stack, and the environment where it is not the default one.
    pub title: String,
    /// The groups; outer ones come first.
    pub groups: Vec<Group>,
    /// The boxes.
    pub nodes: Vec<Node>,
    /// The arrows.
    pub edges: Vec<Edge>,
}

/// What belongs together: the resources of a module, or of a service in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// `module.core["eu"]`, `s3`.
    pub title: String,
    /// The group that it stands in.
    pub parent: Option<usize>,
}

/// A resource.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its address; what an earlier replacement left over says so, as it shares the address.
    pub id: String,
    /// The address without its modules, which the groups say.
    pub short: String,
    /// Its name in AWS; `None` where it has none, or none yet.
    pub name: Option<String>,
    /// AWS's identifier; `None` where AWS will make it.
    pub physical_id: Option<String>,
    /// The group.
    pub group: usize,
    /// What the plan does to it.
    pub status: Option<Status>,
    /// The address it had.
    pub moved_from: Option<String>,
}

/// An arrow from what names to what is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Who names, an index of [`Drawing::nodes`].
    pub from: usize,
    /// Who is named.
    pub to: usize,
    /// The property that names it; empty for a resource whose block is gone.
    pub property: String,
    /// The property as far as it helps to read a picture.
    pub label: String,
    /// Whether it waits for what it names.
    pub delays: bool,
}

/// What a plan does to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// This.
    Planned(Kind),
    /// Nobody knows: it, or what it waits for, could not be read.
    Unplanned,
}

impl Status {
    /// The sign that plans show, for who sees no colours.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Planned(kind) => kind.sign().0,
            Self::Unplanned => "?",
        }
    }

    /// The same in a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Planned(Kind::Unchanged) => "no change",
            Self::Planned(Kind::Create) => "create",
            Self::Planned(Kind::Change) => "change",
            Self::Planned(Kind::PutBack) => "put back",
            Self::Planned(Kind::Replace) => "replace",
            Self::Planned(Kind::Delete) => "delete",
            Self::Planned(Kind::Forget) => "forget",
            Self::Planned(Kind::Adopt) => "adopt",
            Self::Planned(Kind::Move) => "move",
            Self::Planned(Kind::Accept) => "accept drift",
            Self::Unplanned => "not planned",
        }
    }

    /// What decides its colour.
    pub fn tone(self) -> Tone {
        match self {
            Self::Planned(Kind::Unchanged) => Tone::Unchanged,
            Self::Planned(Kind::Create) => Tone::Create,
            Self::Planned(Kind::Change) => Tone::Change,
            Self::Planned(Kind::PutBack | Kind::Accept) => Tone::Drift,
            Self::Planned(Kind::Replace | Kind::Delete) => Tone::Delete,
            Self::Planned(Kind::Forget | Kind::Adopt | Kind::Move) => Tone::Move,
            Self::Unplanned => Tone::Unplanned,
        }
    }
}

/// A colour by its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    /// Something comes.
    Create,
    /// Something changes.
    Change,
    /// AWS differs from the file.
    Drift,
    /// Something goes.
    Delete,
    /// No data is touched.
    Move,
    /// Nothing happens.
    Unchanged,
    /// Nobody knows what happens.
    Unplanned,
}

impl Tone {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Create, Self::Change, Self::Drift, Self::Delete, Self::Move, Self::Unchanged, Self::Unplanned];

    /// Its name in style sheets.
    pub fn class(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Change => "change",
            Self::Drift => "drift",
            Self::Delete => "delete",
            Self::Move => "move",
            Self::Unchanged => "unchanged",
            Self::Unplanned => "unplanned",
        }
    }

    /// Line and area on a light ground.
    pub fn light(self) -> (&'static str, &'static str) {
        match self {
            Self::Create => ("#1a7f37", "#e6f6ea"),
            Self::Change => ("#9a6700", "#fff6d6"),
            Self::Drift => ("#8250df", "#f4ecff"),
            Self::Delete => ("#cf222e", "#ffebe9"),
            Self::Move => ("#0969da", "#e3f1ff"),
            Self::Unchanged => ("#8c959f", "#ffffff"),
            Self::Unplanned => ("#cf222e", "#ffffff"),
        }
    }

    /// Line and area on a dark ground.
    pub fn dark(self) -> (&'static str, &'static str) {
        match self {
            Self::Create => ("#3fb950", "#12261a"),
            Self::Change => ("#d29922", "#2a2111"),
            Self::Drift => ("#a371f7", "#221a33"),
            Self::Delete => ("#f85149", "#301618"),
            Self::Move => ("#58a6ff", "#12233a"),
            Self::Unchanged => ("#6e7681", "#161b22"),
            Self::Unplanned => ("#f85149", "#161b22"),
        }
    }
}

/// What is drawn of a graph, with what a plan does to its resources if there is one. `unknown_account` is what stands for
/// the account in names where it is not known.
pub fn draw(title: &str, graph: &Graph, plan: Option<&Plan>, unknown_account: Option<&str>) -> Drawing {
    let mut sketch =
        Sketch { drawing: Drawing { title: line(title).into_owned(), ..Drawing::default() }, ..Sketch::default() };
    for (address, node) in &graph.nodes {
        let text = |value: &Value| text_of(value, unknown_account);
        let index = sketch.node(address, text(&node.physical_id));
        let name = text(node.resource.attribute("name")).or_else(|| text(node.resource.property("name")));
        if let Some(drawn) = sketch.drawing.nodes.get_mut(index) {
            drawn.name = name;
        }
    }
    if let Some(plan) = plan {
        sketch.plan(plan);
    }
    for (address, node) in &graph.nodes {
        for (other, path) in &node.waits_for {
            sketch.edge(address, other, path, true);
        }
        for (other, path) in &node.names {
            sketch.edge(address, other, path, false);
        }
    }
    // What adds to a document of another mostly names it as well.
    for (address, node) in &graph.nodes {
        for (property, others) in &node.contributors {
            others.iter().for_each(|other| sketch.edge(other, address, &Path::of(property.clone()), false));
        }
    }
    // What the files no longer have is deleted before what it pointed to.
    let gone =
        plan.into_iter().flat_map(|plan| &plan.changes).filter(|(address, _)| !graph.nodes.contains_key(*address));
    for (address, change) in gone {
        for other in change.before.iter().flat_map(|instance| &instance.waits_for) {
            sketch.edge(address, other, &Path::default(), true);
        }
    }
    sketch.drawing
}

/// A text in one line, with nothing in it that steers a terminal or a viewer.
fn line(text: &str) -> Cow<'_, str> {
    match plain(text) {
        text if text.contains('\n') => Cow::Owned(text.replace('\n', "\\u{a}")),
        text => text,
    }
}

fn address_of(address: &Address) -> String {
    line(&address.to_string()).into_owned()
}

/// A drawing in the making.
#[derive(Default)]
struct Sketch {
    drawing: Drawing,
    by_address: BTreeMap<Address, usize>,
    groups: BTreeMap<(Vec<ModuleStep>, Option<String>), usize>,
    /// Between whom there is an arrow.
    ends: BTreeSet<(usize, usize)>,
}

impl Sketch {
    fn node(&mut self, address: &Address, physical_id: Option<String>) -> usize {
        if let Some(index) = self.by_address.get(address) {
            return *index;
        }
        let index = self.push(address, address_of(address), physical_id);
        self.by_address.insert(address.clone(), index);
        index
    }

    fn push(&mut self, address: &Address, id: String, physical_id: Option<String>) -> usize {
        let bare = Address::new(Parts { module: ModulePath::default(), ..Parts::clone(address) });
        let group = self.group(&address.module.0, Some(address.type_name.service()));
        let short = address_of(&bare);
        self.drawing.nodes.push(Node { id, short, name: None, physical_id, group, status: None, moved_from: None });
        self.drawing.nodes.len() - 1
    }

    /// The group of a service in a module; without a service that of the module itself.
    fn group(&mut self, module: &[ModuleStep], service: Option<&str>) -> usize {
        let key = (module.to_vec(), service.map(str::to_owned));
        if let Some(index) = self.groups.get(&key) {
            return *index;
        }
        let (title, parent) = match (service, module.split_last()) {
            (Some(service), None) => (service.to_owned(), None),
            (Some(service), Some(_)) => (service.to_owned(), Some(self.group(module, None))),
            (None, Some((last, outer))) => {
                let title = ModulePath(vec![last.clone()]).to_string();
                let parent = (!outer.is_empty()).then(|| self.group(outer, None));
                (line(title.trim_end_matches('.')).into_owned(), parent)
            }
            // Who stands in no module has a service.
            (None, None) => (String::new(), None),
        };
        self.drawing.groups.push(Group { title, parent });
        let index = self.drawing.groups.len() - 1;
        self.groups.insert(key, index);
        index
    }

    fn plan(&mut self, plan: &Plan) {
        for (address, change) in &plan.changes {
            let index = self.node(address, None);
            if let Some(node) = self.drawing.nodes.get_mut(index) {
                node.status = Some(Status::Planned(Kind::of(change)));
                node.moved_from = change.moved_from.as_ref().map(address_of);
                node.physical_id = node.physical_id.take().or_else(|| id_in_state(change));
            }
        }
        for unplanned in &plan.unplanned {
            let index = self.node(&unplanned.address, None);
            if let Some(node) = self.drawing.nodes.get_mut(index) {
                node.status = Some(Status::Unplanned);
            }
        }
        for (at, deposed) in plan.deposed.iter().enumerate() {
            let id = format!("{} (left over {})", address_of(&deposed.address), at + 1);
            let name = line(&deposed.instance.physical_id).into_owned();
            let index = self.push(&deposed.address, id, Some(name));
            if let Some(node) = self.drawing.nodes.get_mut(index) {
                node.short.push_str(" (left over)");
                node.status = Some(Status::Planned(Kind::Delete));
            }
        }
    }

    /// Draws an arrow, unless there is one already.
    fn edge(&mut self, from: &Address, to: &Address, path: &Path, delays: bool) {
        let (Some(from), Some(to)) = (self.by_address.get(from), self.by_address.get(to)) else { return };
        // What names itself has no arrow.
        if from != to && self.ends.insert((*from, *to)) {
            let (property, label) = (line(&path.to_string()).into_owned(), label(path));
            self.drawing.edges.push(Edge { from: *from, to: *to, property, label, delays });
        }
    }
}

/// `policies[0]` is policies, `statements.Read.resources[0]` statements, and `logging.bucket` stays.
fn label(path: &Path) -> String {
    let keys = match path.0.as_slice() {
        [Step::Key(_), Step::Key(_)] => path.to_string(),
        _ => path.head().unwrap_or_default().to_owned(),
    };
    cut_middle(&line(&keys), LABEL).into_owned()
}

fn text_of(value: &Value, unknown_account: Option<&str>) -> Option<String> {
    match value {
        Value::String(text) => {
            let text = unknown_account.map_or_else(|| text.clone(), |account| text.replace(account, SOME_ACCOUNT));
            Some(line(&text).into_owned())
        }
        Value::Secret(_) => Some(SECRET.into()),
        _ => None,
    }
}

fn id_in_state(change: &Change) -> Option<String> {
    let instance = change.after.as_ref().or(change.before.as_ref())?;
    Some(line(&instance.physical_id).into_owned()).filter(|id| !id.is_empty())
}

impl Node {
    /// What it is called in AWS.
    pub fn name(&self) -> &str {
        self.name.as_deref().or(self.physical_id.as_deref()).unwrap_or("(named by AWS)")
    }

    /// Its address, what it is called in AWS, and what is done to it, one line each.
    pub fn lines(&self) -> Vec<String> {
        let status = self.status.map(|status| format!("{} {}", status.sign(), status.word()));
        let moved = self.moved_from.as_ref().map(|from| format!("moved from {from}"));
        [Some(self.id.clone()), Some(self.name().to_owned()), status, moved].into_iter().flatten().collect()
    }
}

impl Drawing {
    /// The groups in a group, or the outermost ones.
    pub fn groups_in(&self, parent: Option<usize>) -> impl Iterator<Item = (usize, &Group)> {
        self.groups.iter().enumerate().filter(move |(_, group)| group.parent == parent)
    }

    /// The boxes that stand in a group itself.
    pub fn nodes_in(&self, group: usize) -> impl Iterator<Item = (usize, &Node)> {
        self.nodes.iter().enumerate().filter(move |(_, node)| node.group == group)
    }

    /// A group and those that it stands in, outermost first.
    pub fn lineage(&self, group: usize) -> Vec<usize> {
        let parent = |at: &usize| self.groups.get(*at).and_then(|group| group.parent);
        let mut all: Vec<usize> = std::iter::successors(Some(group), parent).collect();
        all.reverse();
        all
    }

    /// What an arrow says in words; empty if one of its ends is missing.
    pub fn sentence(&self, edge: &Edge) -> String {
        let (Some(from), Some(to)) = (self.nodes.get(edge.from), self.nodes.get(edge.to)) else { return String::new() };
        let verb = if edge.delays { "waits for" } else { "names" };
        let of = if edge.property.is_empty() { String::new() } else { format!(": {}", edge.property) };
        format!("{} {verb} {}{of}", from.id, to.id)
    }

    /// The drawing as a document.
    pub fn document(&self) -> Json {
        let id = |index: usize| self.nodes.get(index).map(|node| node.id.as_str());
        let nodes = self.nodes.iter().map(|node| {
            json!({
                "address": node.id, "physical_id": node.physical_id, "moved_from": node.moved_from,
                "change": node.status.map(|status| status.word().replace(' ', "_")),
            })
        });
        let edges = self.edges.iter().map(
            |edge| json!({"from": id(edge.from), "to": id(edge.to), "property": edge.property, "waits": edge.delays}),
        );
        json!({"nodes": nodes.collect::<Vec<_>>(), "edges": edges.collect::<Vec<_>>()})
    }
}
