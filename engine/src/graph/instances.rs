//! Which resources there are: one for a block, or one for each key of its `for_each`, where `when` does not switch it
//! off; and the same for the modules, whose blocks are there as often as the module is used.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::evaluate::Evaluator;
use super::frames::{Call, Each, Frame, FrameId, Uses};
use super::lookups::Sought;
use crate::address::{Address, ModulePath, Parts, Path, Target};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::resource::Facts;
use crate::stack::{Block, MAX_VALUES, ModuleBlock, Node, is_broken, is_region};
use crate::value::Value;

/// One resource as its block declares it, before anything of it is evaluated.
#[derive(Clone)]
pub struct Declared<'a> {
    /// The block.
    pub block: &'a Block,
    /// Where the block stands.
    pub frame: FrameId,
    /// Where it is.
    pub facts: Rc<Facts>,
    /// Under `for_each`.
    pub each: Option<Rc<Each>>,
}

/// The address of a block's instance.
pub fn instance(block: &Address, key: &str) -> Address {
    Address::new(Parts { key: Some(key.to_owned()), ..Parts::clone(block) })
}

/// Finds all frames and all resources of the stack.
pub fn declare(evaluator: &mut Evaluator<'_>) {
    let mut next = 0;
    while next < evaluator.frames.len() {
        // Modules in modules in modules: each level may double what there is.
        if evaluator.frames.len() + evaluator.declared.len() > MAX_VALUES {
            let call = evaluator.frames.get(next).and_then(|frame| frame.call.as_ref());
            let diagnostic = Diagnostic::error("S3S-P2", too_many()).help("split the stack into several");
            evaluator.report(diagnostic.at(call.map(|call| call.block.span.clone())));
            break;
        }
        // A `for_each` may go over what was looked up.
        let sought = Search { evaluator, frame: next, found: Found::default() }.lookups();
        evaluator.sought.extend(sought);
        let Found { declared, modules } = Search { evaluator, frame: next, found: Found::default() }.run();
        evaluator.declared.extend(declared);
        for (name, uses) in modules {
            let made = evaluator.add_frames(next, uses);
            if let Some(frame) = evaluator.frames.get_mut(next) {
                frame.modules.insert(name, made);
            }
        }
        next += 1;
    }
    evaluator.decided();
}

/// The uses of a module block.
pub enum Wanted<'a> {
    Off,
    One(Call<'a>),
    Several(Vec<Call<'a>>),
}

impl<'a> Evaluator<'a> {
    /// Makes the frames of one module block.
    fn add_frames(&mut self, around: FrameId, wanted: Wanted<'a>) -> Uses {
        let path = self.frames.get(around).map(|frame| frame.path.clone()).unwrap_or_default();
        let mut add = |call: Call<'a>, stack| {
            self.frames.push(Frame::of_call(call, &path, stack));
            self.frames.len() - 1
        };
        match wanted {
            Wanted::One(call) => match call.block.content.as_deref() {
                Some(stack) => Uses::One(add(call, stack)),
                None => Uses::Off,
            },
            Wanted::Several(calls) => Uses::Several(
                calls
                    .into_iter()
                    .filter_map(|call| {
                        let stack = call.block.content.as_deref()?;
                        let key = call.each.as_ref()?.key.clone();
                        Some((key, add(call, stack)))
                    })
                    .collect(),
            ),
            Wanted::Off => Uses::Off,
        }
    }
}

/// What one frame holds.
#[derive(Default)]
struct Found<'a> {
    declared: BTreeMap<Address, Declared<'a>>,
    modules: Vec<(&'a str, Wanted<'a>)>,
}

/// One instance of a block: its address, where it is, and which of several.
type Placed = (Address, Rc<Facts>, Option<Rc<Each>>);

/// Looks through one frame.
struct Search<'e, 'a> {
    evaluator: &'e Evaluator<'a>,
    frame: FrameId,
    found: Found<'a>,
}

/// A block of either kind, as far as it decides what there is.
struct Deciding<'a> {
    target: Target,
    for_each: Option<&'a Node>,
    when: Option<&'a Node>,
    account: Option<&'a Node>,
    region: Option<&'a Node>,
}

impl<'a> Search<'_, 'a> {
    fn run(mut self) -> Found<'a> {
        let Some(frame) = self.evaluator.frames.get(self.frame) else { return self.found };
        let stack = frame.stack;
        for (address, block) in &stack.blocks {
            let reserved = &block.reserved;
            let deciding = Deciding {
                target: Target::Resource(address.clone()),
                for_each: reserved.for_each.as_ref(),
                when: reserved.when.as_ref(),
                account: reserved.account.as_ref(),
                region: reserved.region.as_ref(),
            };
            let Some(places) = self.placed(address, &deciding) else { return self.found };
            for (address, facts, each) in places {
                self.found.declared.insert(address, Declared { block, frame: self.frame, facts, each });
            }
        }
        for (name, block) in &stack.modules {
            if block.content.is_none() {
                continue;
            }
            let Some(wanted) = self.module(block) else { return self.found };
            self.found.modules.push((name, wanted));
        }
        self.found
    }

    fn lookups(self) -> BTreeMap<Address, Sought<'a>> {
        let mut sought = BTreeMap::new();
        let Some(frame) = self.evaluator.frames.get(self.frame) else { return sought };
        for (address, block) in &frame.stack.lookups {
            let deciding = Deciding {
                target: Target::Resource(address.clone()),
                for_each: block.for_each.as_ref(),
                when: block.when.as_ref(),
                account: block.account.as_ref(),
                region: block.region.as_ref(),
            };
            let Some(places) = self.placed(address, &deciding) else { break };
            for (address, facts, each) in places {
                sought.insert(address, Sought { block, frame: self.frame, facts, each });
            }
        }
        sought
    }

    /// The address of each instance of a block, where it is, and which of several. None when there are too many of
    /// everything.
    fn placed(&self, local: &Address, deciding: &Deciding<'a>) -> Option<Vec<Placed>> {
        let path = &self.evaluator.frames.get(self.frame)?.path;
        let outer = local.within(path);
        let placed = self.uses(deciding)?.into_iter().map(|each| {
            let address = each.as_ref().map_or_else(|| outer.clone(), |each| instance(&outer, &each.key));
            (address, self.facts(deciding, each.as_ref()), each)
        });
        Some(placed.collect())
    }

    fn module(&self, block: &'a ModuleBlock) -> Option<Wanted<'a>> {
        let deciding = Deciding {
            target: Target::Module(ModulePath::default().step(&block.name, None)),
            for_each: block.for_each.as_ref(),
            when: block.when.as_ref(),
            account: block.account.as_ref(),
            region: block.region.as_ref(),
        };
        let uses = self.uses(&deciding)?;
        let call = |each: Option<Rc<Each>>| Call {
            frame: self.frame,
            block,
            facts: self.facts(&deciding, each.as_ref()),
            each,
        };
        let calls = uses.into_iter().map(call);
        Some(match &block.for_each {
            Some(_) => Wanted::Several(calls.collect()),
            None => calls.map(Wanted::One).next().unwrap_or(Wanted::Off),
        })
    }

    /// The instances of a block: one without key, or one for each key. None when there are too many of everything.
    fn uses(&self, deciding: &Deciding<'a>) -> Option<Vec<Option<Rc<Each>>>> {
        let Some(for_each) = deciding.for_each else {
            return Some(if self.is_on(deciding, None) { vec![None] } else { Vec::new() });
        };
        let value = self.evaluator.collection(self.frame, &deciding.target, for_each);
        if is_broken(&value.value) {
            return Some(Vec::new());
        }
        let keys = match keys(&value.value) {
            Ok(keys) => keys,
            Err(wrong) => {
                self.refuse(deciding, for_each, wrong);
                return Some(Vec::new());
            }
        };
        let there = self.evaluator.declared.len() + self.evaluator.frames.len() + self.found.declared.len();
        if there.saturating_add(keys.len()) > MAX_VALUES {
            self.refuse(deciding, for_each, ("S3S-P2", too_many(), "split the stack into several".into()));
            return None;
        }
        let each = |key| Rc::new(Each { key, frame: self.frame, of: deciding.target.clone() });
        let on = keys.into_iter().map(each).filter(|each| self.is_on(deciding, Some(each)));
        Some(on.map(Some).collect())
    }

    /// Where a block is: where its frame is, unless it says otherwise.
    fn facts(&self, deciding: &Deciding<'a>, each: Option<&Rc<Each>>) -> Rc<Facts> {
        let evaluator = self.evaluator;
        let around = evaluator.frames.get(self.frame).map(|frame| frame.facts.clone());
        let around = around.unwrap_or_else(|| Rc::new(evaluator.inputs.facts.clone()));
        let mut facts = Facts::clone(&around);
        if let Some((name, node)) = self.place(deciding, "account", deciding.account, each) {
            let Some(account) = evaluator.inputs.accounts.get(&name) else {
                let known = evaluator.inputs.accounts.keys().map(String::as_str);
                let help = match did_you_mean(&name, known) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => format!("add [account.{name}] to stack.toml, with the profile or role that leads there"),
                };
                let message = format!("there is no account `{name}`");
                let diagnostic = Diagnostic::error("S3S-R13", message).at(node.span.clone());
                self.told(deciding, diagnostic.property(&Path::of("account")).help(help));
                return around;
            };
            facts.partition.clone_from(&account.partition);
            facts.account_id.clone_from(&account.account_id);
            if let Some(region) = &account.region {
                facts.region.clone_from(region);
            }
        }
        if let Some((region, node)) = self.place(deciding, "region", deciding.region, each) {
            if is_region(&region) {
                facts.region = region;
            } else {
                let message = format!("\"{region}\" is no region of AWS");
                let diagnostic = Diagnostic::error("S3S-W8", message).at(node.span.clone());
                let diagnostic = diagnostic.property(&Path::of("region"));
                self.told(deciding, diagnostic.help("write one such as \"eu-west-1\""));
            }
        }
        if facts == *around { around } else { Rc::new(facts) }
    }

    /// What `account` or `region` says; null is as if it were not written.
    fn place<'n>(
        &self,
        deciding: &Deciding<'_>,
        key: &str,
        node: Option<&'n Node>,
        each: Option<&Rc<Each>>,
    ) -> Option<(String, &'n Node)> {
        let node = node?;
        match self.evaluator.reserved(node, key, self.frame, each) {
            Value::String(text) => Some((text, node)),
            other if other.is_null() || is_broken(&other) => None,
            other => {
                let message = format!("`{key}` must be a text that is known, this is {}", other.kind());
                let diagnostic = Diagnostic::error("S3S-W2", message).at(node.span.clone());
                self.told(deciding, diagnostic.property(&Path::of(key)).help("write a text, or one made of variables"));
                None
            }
        }
    }

    fn told(&self, deciding: &Deciding<'_>, diagnostic: Diagnostic) {
        let diagnostic = match (&deciding.target, self.evaluator.frames.get(self.frame)) {
            (Target::Resource(address), Some(frame)) => diagnostic.on(&address.within(&frame.path)),
            _ => diagnostic,
        };
        self.evaluator.report(diagnostic);
    }

    fn refuse(&self, deciding: &Deciding<'_>, node: &Node, (code, message, help): Wrong) {
        let diagnostic = Diagnostic::error(code, message).at(node.span.clone()).property(&Path::of("for_each"));
        self.told(deciding, diagnostic.help(help));
    }

    /// Whether `when` leaves a block in the stack. What it says wrong was told, and leaves it in.
    fn is_on(&self, deciding: &Deciding<'_>, each: Option<&Rc<Each>>) -> bool {
        let Some(when) = deciding.when else { return true };
        match self.evaluator.reserved(when, "when", self.frame, each) {
            Value::Bool(on) => on,
            other if is_broken(&other) => true,
            other => {
                let message = format!("`when` must be true or false, this is {}", other.kind());
                let diagnostic = Diagnostic::error("S3S-R6", message)
                    .at(when.span.clone())
                    .note("It is decided before anything is planned, so it may use var, env, stack and aws only.")
                    .help("write true or false, or a comparison such as ${env == \"prod\"}");
                self.told(deciding, diagnostic);
                true
            }
        }
    }
}

fn too_many() -> String {
    format!("the stack has more than {MAX_VALUES} resources and modules")
}

/// Code, message and next step.
type Wrong = (&'static str, String, String);

/// The keys that `for_each` makes of a value: those of a map, or the texts of a list. What the keys of a map hold may
/// not be known yet.
pub fn keys(value: &Value) -> Result<Vec<String>, Wrong> {
    const CODE: &str = "S3S-R10";
    let wrong = |message: String, help: &str| Err((CODE, message, help.to_owned()));
    const MAP: &str =
        "give it a map, or a list of texts; `{ for one in list : one.name => one }` makes a map of a list";
    let keys = match value {
        Value::Map(map) => map.keys().cloned().collect::<Vec<_>>(),
        Value::List(list) => {
            let mut seen = BTreeSet::new();
            let mut keys = Vec::with_capacity(list.len());
            for value in list {
                let Value::String(key) = &value else {
                    let kind = value.kind();
                    return match value.is_known() && !value.is_sensitive() {
                        true => wrong(format!("`for_each` takes a list of texts, and in this one is {kind}"), MAP),
                        false => wrong("the keys of `for_each` must be known, and no secret".into(), KNOWN),
                    };
                };
                if !seen.insert(key.clone()) {
                    let message = format!("`for_each` has \"{key}\" twice, and each is the name of one resource");
                    return wrong(message, "take one of them out, or write `distinct(…)` round the list");
                }
                keys.push(key.clone());
            }
            keys
        }
        Value::Null => return wrong("`for_each` is null".into(), "an empty map, `{}`, makes no resource"),
        Value::Unknown(_) => {
            return wrong("which keys `for_each` has must be known before anything is planned".into(), KNOWN);
        }
        Value::Secret(_) => return wrong("`for_each` is a secret, and its keys are shown in addresses".into(), KNOWN),
        other => return wrong(format!("`for_each` takes a map or a list of texts, and this is {}", other.kind()), MAP),
    };
    if keys.iter().any(String::is_empty) {
        return wrong("`for_each` has an empty key".into(), "a key is part of the resource's address and name");
    }
    Ok(keys)
}

const KNOWN: &str = "make the keys from variables and texts that the stack says: `{ key = s3.bucket.data.arn }` is a map with a known key";
