//! Where blocks stand: in the stack itself, or in a use of a module.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use super::evaluate::Evaluator;
use super::instances::{Declared, instance};
use crate::address::{Address, ModulePath, Target};
use crate::diagnostic::{Diagnostic, Span};
use crate::file::{FileContent, Files};
use crate::resource::Facts;
use crate::stack::{ModuleBlock, MovedPart, Stack};

/// The place of a frame among all of them; that of the stack itself is 0.
pub type FrameId = usize;

/// The stack itself, or one use of a module: what names mean in its blocks.
pub struct Frame<'a> {
    /// Where its blocks are.
    pub path: ModulePath,
    /// What its files say.
    pub stack: &'a Stack,
    /// Where its resources are, unless they say otherwise.
    pub facts: Rc<Facts>,
    /// The block that uses it; absent for the stack itself.
    pub call: Option<Call<'a>>,
    /// The frames of the modules that its blocks use, by the blocks' names. Those that could not be read are absent.
    pub modules: HashMap<&'a str, Uses>,
}

/// The block that makes a frame.
#[derive(Clone)]
pub struct Call<'a> {
    /// Where the block stands.
    pub frame: FrameId,
    /// The block.
    pub block: &'a ModuleBlock,
    /// Where its resources are, unless they say otherwise.
    pub facts: Rc<Facts>,
    /// Which of several it is.
    pub each: Option<Rc<Each>>,
}

/// The frames of one module block.
pub enum Uses {
    /// Its `when` is false.
    Off,
    /// One.
    One(FrameId),
    /// One for each key.
    Several(BTreeMap<String, FrameId>),
}

/// One of several: what `each` stands for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Each {
    /// Its key.
    pub key: String,
    /// Where the `for_each` stands that it is of.
    pub frame: FrameId,
    /// The block of that `for_each`.
    pub of: Target,
}

impl<'a> Frame<'a> {
    /// The stack itself.
    pub fn root(stack: &'a Stack, facts: &Facts) -> Self {
        let facts = Rc::new(facts.clone());
        Self { path: ModulePath::default(), stack, facts, call: None, modules: HashMap::new() }
    }

    /// The frame of a module that `call` uses, in a frame at `around`.
    pub fn of_call(call: Call<'a>, around: &ModulePath, stack: &'a Stack) -> Self {
        let key = call.each.as_ref().map(|each| each.key.as_str());
        let path = around.step(&call.block.name, key);
        Self { path, stack, facts: call.facts.clone(), call: Some(call), modules: HashMap::new() }
    }

    /// The files that its expressions may read.
    pub fn files(&self, files: &'a dyn Files) -> Within<'a> {
        Within::new(files, &self.stack.folder)
    }
}

/// The folder of a module, whose paths are relative to it.
pub struct Within<'a> {
    files: &'a dyn Files,
    folder: &'a str,
}

impl<'a> Within<'a> {
    /// The files of a folder; that of the stack is empty.
    pub fn new(files: &'a dyn Files, folder: &'a str) -> Self {
        Self { files, folder }
    }

    /// The path seen from the stack folder. One that leads out is left as it is: whoever opens it refuses it.
    pub fn outer(&self, path: &str) -> String {
        let leads_out = path.is_empty() || path.starts_with('/') || path.split('/').any(|part| part == "..");
        match (leads_out || self.folder.is_empty(), path) {
            (true, _) => path.to_owned(),
            (false, ".") => self.folder.to_owned(),
            (false, path) => format!("{}/{}", self.folder, path.trim_start_matches("./")),
        }
    }
}

impl Files for Within<'_> {
    fn content(&self, path: &str) -> Result<Arc<FileContent>, String> {
        self.files.content(&self.outer(path))
    }

    fn exists(&self, path: &str) -> Result<bool, String> {
        self.files.exists(&self.outer(path))
    }

    fn list(&self, folder: &str) -> Result<Arc<Vec<String>>, String> {
        let listed = self.files.list(&self.outer(folder))?;
        if self.folder.is_empty() {
            return Ok(listed);
        }
        let inner = |path: &String| path.strip_prefix(self.folder)?.strip_prefix('/').map(str::to_owned);
        Ok(Arc::new(listed.iter().filter_map(inner).collect()))
    }
}

impl Evaluator<'_> {
    /// The resources that a target of `depends_on` stands for, seen from a frame; or why it stands for none.
    pub fn all_of(&self, frame: FrameId, target: &Target) -> Result<Vec<Address>, Diagnostic> {
        let Some(here) = self.frames.get(frame) else { return Ok(Vec::new()) };
        let missing =
            |what: &str, help: &str| Err(Diagnostic::error("S3S-R1", format!("{target} {what}")).help(help.to_owned()));
        let off = "is switched off by its `when`";
        let off_help = "switch this block off by the same `when`, or take it out of `depends_on`";
        let no_key = "write a key that its `for_each` has, or the name alone for all of them";
        match target {
            Target::Resource(local) => {
                let address = local.within(&here.path);
                if self.is_several(frame, local) {
                    return Ok(self.each_of(&address).map(|(_, one)| one.clone()).collect());
                }
                match (self.declared.contains_key(&address), &address.key) {
                    (true, _) => Ok(vec![address]),
                    (false, Some(_)) => missing("is not in this stack", no_key),
                    (false, None) if here.stack.blocks.contains_key(local) => missing(off, off_help),
                    // That there is no such block was told when the stack was loaded.
                    (false, None) => Ok(Vec::new()),
                }
            }
            Target::Module(path) => {
                let Some(step) = path.0.first() else { return Ok(Vec::new()) };
                let frames: Vec<FrameId> = match (here.modules.get(step.name.as_str()), &step.key) {
                    (None, _) => Vec::new(),
                    (Some(Uses::Off), _) => return missing(off, off_help),
                    (Some(Uses::One(frame)), None) => vec![*frame],
                    (Some(Uses::Several(all)), None) => all.values().copied().collect(),
                    (Some(Uses::Several(all)), Some(key)) => match all.get(key) {
                        Some(frame) => vec![*frame],
                        None => return missing("is not in this stack", no_key),
                    },
                    (Some(Uses::One(_)), Some(_)) => {
                        return missing("is not in this stack", "the module has no `for_each`: write it without a key");
                    }
                };
                let paths: Vec<&ModulePath> =
                    frames.iter().filter_map(|frame| Some(&self.frames.get(*frame)?.path)).collect();
                let inside = |address: &&Address| paths.iter().any(|path| address.module.0.starts_with(&path.0));
                Ok(self.declared.keys().filter(inside).cloned().collect())
            }
        }
    }
}

/// Most earlier addresses of one resource: modules that were moved in modules that were moved double them.
const MOST_EARLIER: usize = 64;

/// The addresses that a resource had before, and who says so. What a block says is seen from its module, so it is carried
/// outwards through every module round it, each of which may have been elsewhere itself.
pub fn earlier<'a>(frames: &[Frame<'a>], address: &Address, declared: &Declared<'a>) -> Vec<(Address, &'a Span)> {
    let block = declared.block;
    let mut known: Vec<(Address, Option<&'a Span>)> = vec![(address.inside(), None)];
    let reserved = &block.reserved;
    let own = declared.each.as_ref().and_then(|each| reserved.moved_keys.get(&each.key));
    known.extend(own.map(|(from, span)| (from.clone(), Some(span))));
    known.extend(reserved.moved_from.iter().map(|(from, span)| {
        let from = match &declared.each {
            Some(each) => instance(from, &each.key),
            None => from.clone(),
        };
        (from, Some(span))
    }));
    let mut frame = frames.get(declared.frame);
    while let Some(call) = frame.and_then(|frame| frame.call.as_ref()) {
        known = outwards(call, &known);
        frame = frames.get(call.frame);
    }
    let mut seen = BTreeSet::from([address.clone()]);
    known.retain(|(one, _)| seen.insert(one.clone()));
    known.into_iter().filter_map(|(one, span)| Some((one, span?))).collect()
}

/// Addresses inside a module, seen from where it is used.
fn outwards<'a>(call: &Call<'a>, inside: &[(Address, Option<&'a Span>)]) -> Vec<(Address, Option<&'a Span>)> {
    let moved = &call.block.moved_from;
    let key = call.each.as_ref().map(|each| each.key.as_str());
    let here = ModulePath::default().step(&call.block.name, key);
    let mut outside = Vec::new();
    for (address, span) in inside {
        outside.push((address.within(&here), *span));
        let own = key.and_then(|key| moved.keys.get(key)).map(|(path, span)| (path.clone(), span));
        let whole = moved.whole.iter().map(|(path, span)| (with_key(path, key), span));
        outside.extend(own.into_iter().chain(whole).map(|(path, span)| (address.within(&path), Some(span))));
        let parts = moved.parts.iter().filter(|part| part.key.as_deref() == key);
        outside.extend(parts.filter_map(|part| Some((before(part, address)?, Some(&part.span)))));
    }
    outside.truncate(MOST_EARLIER);
    outside
}

/// A module's path, its last step with a key.
fn with_key(path: &ModulePath, key: Option<&str>) -> ModulePath {
    let mut path = path.clone();
    if let (Some(last), Some(key)) = (path.0.last_mut(), key) {
        last.key = Some(key.to_owned());
    }
    path
}

/// What an address inside the module was before the module had it.
fn before(part: &MovedPart, address: &Address) -> Option<Address> {
    match (&part.now, &part.before) {
        (Target::Resource(now), Target::Resource(before)) if now == address => Some(before.clone()),
        // A block with a `for_each` moves with all its instances.
        (Target::Resource(now), Target::Resource(before)) if *now == address.block() => {
            Some(instance(before, address.key.as_deref()?))
        }
        (Target::Module(now), Target::Module(before)) => {
            let rest = address.module.0.strip_prefix(now.0.as_slice())?;
            Some(address.inside().within(&before.join(&ModulePath(rest.to_vec()))))
        }
        _ => None,
    }
}
