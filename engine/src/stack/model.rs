//! What a stack's files say, before any expression is evaluated. Every part knows its place.

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::address::{Address, ModulePath, Path, Step, Target};
use crate::diagnostic::Span;
use crate::expression::Template;

/// A parsed value with its place.
#[derive(Debug, Clone)]
pub struct Node {
    /// The value's place; for a table written as `[header]`, the header's.
    pub span: Span,
    /// The value.
    pub kind: NodeKind,
}

/// What stands in a place of the file.
#[derive(Debug, Clone)]
pub enum NodeKind {
    /// true or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A finite number.
    Float(f64),
    /// A text, perhaps with `${…}` in it.
    Text(Template),
    /// An array.
    List(Vec<Node>),
    /// A table.
    Table(Table),
    /// What could not be read, such as a text whose expressions could not be parsed. That was told; it evaluates to an
    /// unknown, so that it causes no more.
    Broken,
}

impl Node {
    /// What stands here, in the words of messages.
    pub fn describe(&self) -> &'static str {
        match &self.kind {
            NodeKind::Bool(_) => "a bool",
            NodeKind::Integer(_) | NodeKind::Float(_) => "a number",
            NodeKind::Text(_) | NodeKind::Broken => "a string",
            NodeKind::List(_) => "a list",
            NodeKind::Table(_) => "a table",
        }
    }

    /// The text, if this is one without expressions.
    pub fn literal(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Text(template) => template.literal(),
            _ => None,
        }
    }

    /// Whether there is no expression in it, keys included.
    pub fn is_literal(&self) -> bool {
        let mut literal = !matches!(self.kind, NodeKind::Broken);
        self.texts(&Path::default(), &mut |_, template| literal &= template.is_literal());
        literal
    }

    /// The table, if this is one.
    pub fn table(&self) -> Option<&Table> {
        match &self.kind {
            NodeKind::Table(table) => Some(table),
            _ => None,
        }
    }

    /// Whether this is a table or an array of tables with a `[header]` of its own.
    pub fn has_header(&self) -> bool {
        matches!(self.kind, NodeKind::Table(_))
            && self.span.file.text.get(self.span.start..).is_some_and(|text| text.starts_with('['))
    }

    /// Calls `visit` for every text in this value, those of keys included, with its path from here.
    pub fn texts<'a>(&'a self, path: &Path, visit: &mut dyn FnMut(&Path, &'a Template)) {
        match &self.kind {
            NodeKind::Text(template) => visit(path, template),
            NodeKind::List(list) => {
                list.iter().enumerate().for_each(|(at, item)| item.texts(&path.index(at), visit));
            }
            NodeKind::Table(table) => table_texts(table, path, visit),
            NodeKind::Bool(_) | NodeKind::Integer(_) | NodeKind::Float(_) | NodeKind::Broken => {}
        }
    }
}

/// Calls `visit` for every text in a table, those of keys included, with its path from here.
pub fn table_texts<'a>(table: &'a Table, path: &Path, visit: &mut dyn FnMut(&Path, &'a Template)) {
    for (name, entry) in table {
        let path = path.key(name);
        visit(&path, &entry.key);
        entry.node.texts(&path, visit);
    }
}

/// A table in the order of the file.
pub type Table = IndexMap<String, Entry>;

/// One key of a table and what it holds.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key's place.
    pub key_span: Span,
    /// The key as an expression: keys of tags, env maps and free documents may hold `${…}`.
    pub key: Template,
    /// The value.
    pub node: Node,
}

/// All files of one stack, or of one module.
#[derive(Debug, Clone, Default)]
pub struct Stack {
    /// Where the files are, relative to the stack folder: empty for the stack's own, else `modules/core` or `../core`.
    pub folder: String,
    /// `[stack]`: its keys are checked, its values evaluated later with `var` and `env` only.
    pub settings: Settings,
    /// `[backend.KIND]`.
    pub backend: Option<BackendBlock>,
    /// `[var]`, in the order of the file.
    pub variables: IndexMap<String, Variable>,
    /// `[output]`.
    pub outputs: IndexMap<String, Output>,
    /// `[env.NAME]`.
    pub environments: IndexMap<String, Environment>,
    /// `[module.NAME]`.
    pub modules: IndexMap<String, ModuleBlock>,
    /// `[lookup.TYPE.NAME]`, by address.
    pub lookups: IndexMap<Address, LookupBlock>,
    /// `[remote.NAME]`.
    pub remotes: IndexMap<String, RemoteBlock>,
    /// `[account.NAME]`.
    pub accounts: IndexMap<String, AccountBlock>,
    /// Resource blocks by address, which in a module is the one inside it.
    pub blocks: IndexMap<Address, Block>,
}

impl Stack {
    /// What the `for_each` of a block, a module or a lookup goes over; addresses are those inside these files.
    pub fn for_each_of(&self, target: &Target) -> Option<&Node> {
        match target {
            Target::Resource(address) if address.lookup => self.lookups.get(address)?.for_each.as_ref(),
            Target::Resource(address) => self.blocks.get(address)?.reserved.for_each.as_ref(),
            Target::Module(path) => self.modules.get(&path.0.first()?.name)?.for_each.as_ref(),
        }
    }

    /// Whether anything in it is looked up, in its modules too.
    pub fn has_lookups(&self) -> bool {
        let below = || self.modules.values().filter_map(|module| module.content.as_deref());
        !self.lookups.is_empty() || below().any(Stack::has_lookups)
    }

    /// The folders of all modules in it, relative to the stack folder.
    pub fn folders(&self) -> BTreeSet<String> {
        let mut folders = BTreeSet::new();
        let mut left: Vec<&Stack> = vec![self];
        while let Some(stack) = left.pop() {
            for content in stack.modules.values().filter_map(|module| module.content.as_deref()) {
                if folders.insert(content.folder.clone()) {
                    left.push(content);
                }
            }
        }
        folders
    }
}

/// `[lookup.TYPE.NAME]`: a resource that somebody else made, read when a plan is made.
#[derive(Debug, Clone)]
pub struct LookupBlock {
    /// Its address, without instance key.
    pub address: Address,
    /// The header's place.
    pub span: Span,
    /// What it is found by: `id`, `tags`, or the properties that its identifier is made of.
    pub body: Table,
    /// One lookup for each key.
    pub for_each: Option<Node>,
    /// Whether it counts at all; under `for_each`, each instance of it.
    pub when: Option<Node>,
    /// The name of the account that it is in.
    pub account: Option<Node>,
    /// The region that it is in.
    pub region: Option<Node>,
    /// The properties and attributes that something names.
    pub members: BTreeSet<String>,
}

/// `[remote.NAME]`: another stack, whose outputs are read.
#[derive(Debug, Clone)]
pub struct RemoteBlock {
    /// The header's place.
    pub span: Span,
    /// Its keys, checked: path, or key with bucket, region and profile; env.
    pub body: Table,
}

/// `[account.NAME]`: an account beside the stack's own, and how to get into it.
#[derive(Debug, Clone)]
pub struct AccountBlock {
    /// The header's place.
    pub span: Span,
    /// Its keys, checked: profile, or role_arn with external_id and session_name; account_id, region.
    pub body: Table,
}

/// `[module.NAME]`: the blocks of a folder, used as a whole.
#[derive(Debug, Clone)]
pub struct ModuleBlock {
    /// `NAME`.
    pub name: String,
    /// The header's place.
    pub span: Span,
    /// The folder as it is written, relative to that of this file.
    pub source: Option<(String, Span)>,
    /// `var.x = …`: the values of the module's variables. Where one is a reference, a bare address stands as `${address}`.
    pub inputs: Table,
    /// One instance of the whole module for each key.
    pub for_each: Option<Node>,
    /// Whether the module counts at all; under `for_each`, each instance of it.
    pub when: Option<Node>,
    /// The name of the account that its resources are in, unless they say otherwise.
    pub account: Option<Node>,
    /// The region that its resources are in, unless they say otherwise.
    pub region: Option<Node>,
    /// What all of its resources wait for beyond their references.
    pub depends_on: Vec<(Target, Span)>,
    /// Where its resources were before.
    pub moved_from: MovedModule,
    /// What its files say; absent where they could not be read, which was told.
    pub content: Option<Arc<Stack>>,
}

/// Where the resources of a module were before. What was before is seen from the file that says it.
#[derive(Debug, Clone, Default)]
pub struct MovedModule {
    /// Earlier names of the whole module; under `for_each` each instance comes from the one with its key.
    pub whole: Vec<(ModulePath, Span)>,
    /// Earlier names of instances, by their keys.
    pub keys: IndexMap<String, (ModulePath, Span)>,
    /// Earlier addresses of single blocks and modules in it, each with what it is now, seen from inside the module.
    pub parts: Vec<MovedPart>,
}

/// A block or a module that became part of a module.
#[derive(Debug, Clone)]
pub struct MovedPart {
    /// The instance of the module, where it has several.
    pub key: Option<String>,
    /// What it is now, seen from inside the module.
    pub now: Target,
    /// What it was, seen from outside.
    pub before: Target,
    /// The place of what it was.
    pub span: Span,
}

/// `[stack]`.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The header's place; absent when there is no `[stack]`.
    pub span: Option<Span>,
    /// `name`, `[a-z][a-z0-9-]*`.
    pub name: Option<Node>,
    /// `region`.
    pub region: Option<Node>,
    /// `tags`, put on everything that can carry them.
    pub tags: Option<Node>,
    /// `requires`: the versions of the tool that may read this, `>=0.1`.
    pub requires: Option<Node>,
    /// `account_id`: the only account this may be applied to.
    pub account_id: Option<Node>,
    /// `id`, written by `init`: the lineage that the state must have.
    pub id: Option<Node>,
}

/// `[backend.s3]` or `[backend.file]`.
#[derive(Debug, Clone)]
pub struct BackendBlock {
    /// `s3` or `file`.
    pub kind: String,
    /// The header's place.
    pub span: Span,
    /// Its keys, checked: s3 takes bucket, key, region, profile; file takes path.
    pub body: Table,
}

/// `[var.NAME]`.
#[derive(Debug, Clone)]
pub struct Variable {
    /// The name's place.
    pub span: Span,
    /// The declared type, or the type of the default; any, if the default is an expression.
    pub shape: VariableType,
    /// The default; absent means that a value must be given.
    pub default: Option<Node>,
    /// What it is for.
    pub description: Option<String>,
    /// The only values.
    pub allowed: Option<Vec<Node>>,
    /// A regular expression that a string must match.
    pub pattern: Option<(String, Span)>,
    /// Least number, or fewest characters or items.
    pub min: Option<f64>,
    /// Greatest number, or most characters or items.
    pub max: Option<f64>,
    /// Whether it is never shown.
    pub sensitive: bool,
    /// Whether its type could not be read, which was told: then nothing can be said of its values.
    pub unreadable: bool,
}

/// The type of a variable, as it is written: `string`, `list(string)`, `ref(s3.bucket)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VariableType {
    /// Anything.
    Any,
    /// Text.
    String,
    /// A number.
    Number,
    /// true or false.
    Bool,
    /// A list of one type.
    List(Box<VariableType>),
    /// A list of unique items.
    Set(Box<VariableType>),
    /// A map of one type.
    Map(Box<VariableType>),
    /// A table with known keys; the flag says whether a key may be absent.
    Object(IndexMap<String, (VariableType, bool)>),
    /// A resource of a type.
    Ref(String),
}

/// One key under `[output]`.
#[derive(Debug, Clone)]
pub struct Output {
    /// The name's place.
    pub span: Span,
    /// The value.
    pub value: Node,
    /// Whether it is shown only when asked for.
    pub sensitive: bool,
    /// What it is for.
    pub description: Option<String>,
}

/// `[env.NAME]`.
#[derive(Debug, Clone)]
pub struct Environment {
    /// The header's place.
    pub span: Span,
    /// `var.x = …`.
    pub variables: IndexMap<String, Entry>,
    /// `region`.
    pub region: Option<Node>,
    /// `tags`, over those of the stack.
    pub tags: Option<Node>,
    /// `account`: the name of the account that the stack is in.
    pub account: Option<Node>,
    /// `account_id`.
    pub account_id: Option<Node>,
    /// Keys of the backend that differ.
    pub backend: Option<Table>,
    /// `confirm`: destroy asks for the environment's name.
    pub confirm: bool,
}

/// One resource block.
#[derive(Debug, Clone)]
pub struct Block {
    /// Its address, without instance key.
    pub address: Address,
    /// The header's place.
    pub span: Span,
    /// Its properties. Where the schema wants a reference, a bare address stands as the expression `${address}`.
    pub body: Table,
    /// The keys that every resource may have.
    pub reserved: Reserved,
}

impl Block {
    /// Calls `visit` for every text of the properties, those of keys included, with its path.
    pub fn texts<'a>(&'a self, visit: &mut dyn FnMut(&Path, &'a Template)) {
        table_texts(&self.body, &Path::default(), visit);
    }
}

/// The node at a path in a table, or the deepest one on the way; absent when not even the first step leads anywhere.
pub fn nearest<'a>(table: &'a Table, path: &Path) -> Option<&'a Node> {
    let (first, rest) = path.0.split_first()?;
    let Step::Key(first) = first else { return None };
    let mut node = &table.get(first)?.node;
    for step in rest {
        let next = match (&node.kind, step) {
            (NodeKind::Table(table), Step::Key(key)) => table.get(key).map(|entry| &entry.node),
            (NodeKind::List(list), Step::Index(index)) => list.get(*index),
            _ => None,
        };
        match next {
            Some(next) => node = next,
            None => break,
        }
    }
    Some(node)
}

/// The place of the key that a path in a table ends in; absent when it leads nowhere.
pub fn key_place<'a>(table: &'a Table, path: &Path) -> Option<&'a Span> {
    let (Step::Key(last), way) = path.0.split_last()? else { return None };
    let table = match way {
        [] => table,
        way => nearest(table, &Path(way.to_vec()))?.table()?,
    };
    table.get(last).map(|entry| &entry.key_span)
}

/// The place of the value at a path of a block, or of the nearest thing round it: at worst the block's header.
pub fn locate(block: &Block, path: &Path) -> Span {
    nearest(&block.body, path).map_or_else(|| block.span.clone(), |node| node.span.clone())
}

/// The place of the key that a path of a block ends in, or else of the value.
pub fn locate_key(block: &Block, path: &Path) -> Span {
    key_place(&block.body, path).cloned().unwrap_or_else(|| locate(block, path))
}

/// The keys that every resource may have, DESIGN section 4.
#[derive(Debug, Clone, Default)]
pub struct Reserved {
    /// What this one waits for beyond its references.
    pub depends_on: Vec<(Target, Span)>,
    /// A map, or a list of texts: one instance of the block for each key or text.
    pub for_each: Option<Node>,
    /// Whether the block counts at all; under `for_each`, each instance of it.
    pub when: Option<Node>,
    /// The name of the account that it is in.
    pub account: Option<Node>,
    /// The region that it is in.
    pub region: Option<Node>,
    /// Whether it may not be deleted or replaced.
    pub protect: Option<Node>,
    /// Whether taking the block out leaves the resource in AWS.
    pub retain: Option<Node>,
    /// Properties whose drift and changes are left alone.
    pub ignore_changes: Vec<(Path, Span)>,
    /// Earlier addresses of this block; under `for_each` each instance comes from the one with its key.
    pub moved_from: Vec<(Address, Span)>,
    /// Earlier addresses of instances, by their keys.
    pub moved_keys: IndexMap<String, (Address, Span)>,
    /// The physical id of an existing resource to take over.
    pub import: Option<Node>,
    /// Findings that are allowed here: code and reason.
    pub allow: Vec<(String, String, Span)>,
}
