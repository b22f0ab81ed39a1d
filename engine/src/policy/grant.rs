//! Grants: from `{ to = "s3.bucket.data", access = "read" }` to the statements that give just that.
//!
//! A resource type declares its access levels and the shapes of its resources as data, [`Access`]; [`expand`] does the
//! rest. Every statement is bound to the account of its resource, so that a name somebody else takes over gives nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::action;
use super::document::{Conditions, Effect, Reader, Statement};
use super::principal::Arn;
use super::problem::{Problem, code};
use super::{sid, text};
use crate::address::{Address, Path};
use crate::diagnostic::did_you_mean;
use crate::value::Value;

/// What may be granted on a type of resource.
#[derive(Debug)]
pub struct Access {
    /// The levels, weakest first.
    pub levels: &'static [AccessLevel],
    /// Which actions work on which resources; the first that covers an action holds.
    pub shapes: &'static [ActionShapes],
    /// The resources of any other action of the type's services.
    pub otherwise: &'static [Shape],
    /// What encryption with a customer's key takes in addition; absent where it takes nothing.
    pub key: Option<KeyAccess>,
}

/// A level of access.
#[derive(Debug)]
pub struct AccessLevel {
    /// The word in `access`.
    pub name: &'static str,
    /// What it lets do, one sentence.
    pub doc: &'static str,
    /// Levels that are part of it.
    pub includes: &'static [&'static str],
    /// Its own actions.
    pub actions: &'static [&'static str],
}

/// The resources that some actions work on.
#[derive(Debug)]
pub struct ActionShapes {
    /// Actions or patterns of them.
    pub actions: &'static [&'static str],
    /// The resources; each gets a statement of its own.
    pub shapes: &'static [Shape],
}

/// A shape of resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// What it is, as a part of a Sid: `Objects`.
    pub label: &'static str,
    /// The ARN, of `{arn}` (the target's) and `{prefix}` (the grant's, empty without one): `{arn}/{prefix}*`. `*` for
    /// actions that know no resource.
    pub resource: &'static str,
    /// The condition key that a prefix limits where the ARN cannot: `s3:prefix`.
    pub prefix_key: Option<&'static str>,
}

/// What a customer's key takes.
#[derive(Debug)]
pub struct KeyAccess {
    /// The service that uses the key, in the form of `kms:ViaService` without region: `s3`.
    pub via: &'static str,
    /// What the granted actions need of the key.
    pub rules: &'static [KeyRule],
}

/// What some actions need of the key.
#[derive(Debug)]
pub struct KeyRule {
    /// Granted actions.
    pub actions: &'static [&'static str],
    /// Actions of KMS that they need.
    pub needs: &'static [&'static str],
}

/// A grant's words, as they stand in the stack file.
#[derive(Debug, Clone, PartialEq)]
pub struct Words {
    /// The target: a reference or an ARN.
    pub to: Value,
    /// Levels and actions.
    pub access: Vec<String>,
    /// The prefix, null without one.
    pub prefix: Value,
}

/// A grant, its target looked up.
#[derive(Debug, Clone)]
pub struct Grant<'a> {
    /// What it is about.
    pub target: Target<'a>,
    /// Levels and actions.
    pub access: Vec<String>,
    /// What names begin with that it covers; null or empty is everything. May hold policy variables.
    pub prefix: Value,
}

/// The resource that a grant is about.
#[derive(Debug, Clone)]
pub struct Target<'a> {
    /// How the stack names it.
    pub name: TargetName,
    /// Its type, in messages: `s3.bucket`.
    pub type_name: &'a str,
    /// Its ARN.
    pub arn: Value,
    /// The account it is in; null where that cannot be told, which leaves the condition out.
    pub account: Value,
    /// What may be granted on it.
    pub access: &'a Access,
    /// The customer's key that it is encrypted with.
    ///
    /// None for keys that AWS owns or manages (`aws/s3` and the like): their policies let in everybody in the account whom
    /// the service itself lets in.
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#aws-managed-cmk>
    pub key: Option<Key>,
}

/// How the stack names a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetName {
    /// A block of the stack.
    Address(Address),
    /// The ARN of something outside.
    Arn(String),
}

/// A customer's key.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its ARN; an alias's ARN does not work in policies.
    pub arn: Value,
    /// The account it is in; null where that cannot be told.
    pub account: Value,
    /// The region it is used in.
    pub region: String,
}

/// Reads `grants`. Fails with everything that is wrong; paths start at the property.
pub fn read(value: &Value) -> Result<Vec<Words>, Vec<Problem>> {
    let mut reader = Reader::default();
    let list = match value {
        Value::Null => &[],
        Value::List(list) => list.as_slice(),
        other => {
            let message = format!("`grants` is a list, found {}", other.kind());
            return Err(vec![Problem::error(code::SHAPE, Path::default(), message)]);
        }
    };
    if !reader.countable(list.len(), &Path::default()) {
        return Err(reader.problems);
    }
    let mut words = Vec::new();
    for (index, item) in list.iter().enumerate() {
        let path = Path::default().index(index);
        let Some(map) = reader.map(item, &path, "a grant") else { continue };
        reader.keys(map, &path, &["to", "access", "prefix"], "a grant");
        let access = reader.texts(item.get("access"), &path.key("access"), "an access level or action");
        for key in ["to", "access"].into_iter().filter(|key| item.get(key).is_null()) {
            reader.problems.push(Problem::error(
                code::SHAPE,
                path.clone(),
                format!("a grant has `{key}`, and this has none"),
            ));
        }
        if access.iter().any(|word| word.as_str().is_none()) {
            let message = "what is granted must be known and no secret";
            reader.problems.push(Problem::error(code::GRANT, path.key("access"), message));
        }
        let access = access.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        words.push(Words { to: item.get("to").clone(), access, prefix: item.get("prefix").clone() });
    }
    if reader.problems.is_empty() { Ok(words) } else { Err(reader.problems) }
}

/// The statements that give the grants and nothing else: one per target, shape and prefix, in order of their Sids.
///
/// The result does not depend on the order of grants. Fails with everything that is wrong; paths start at the list of
/// grants.
pub fn expand(grants: &[Grant<'_>]) -> Result<Vec<Statement>, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut parts: Vec<Part> = Vec::new();
    for (index, grant) in grants.iter().enumerate() {
        let path = Path::default().index(index);
        let actions = granted_actions(grant, &path, &mut problems);
        check_prefix(grant, &path, &mut problems);
        for action in actions {
            match shapes_of(grant, &action) {
                Ok(shapes) => shapes.iter().for_each(|shape| add(&mut parts, Part::of(grant, *shape, &action))),
                Err(message) => problems.push(
                    Problem::error(code::GRANT, path.key("access"), message)
                        .help("name the actions, or leave the prefix out"),
                ),
            }
            match key_part(grant, &action, &path) {
                Ok(part) => part.into_iter().for_each(|part| add(&mut parts, part)),
                Err(problem) if !problems.contains(&problem) => problems.push(problem),
                Err(_) => {}
            }
        }
    }
    if problems.is_empty() { Ok(statements(parts)) } else { Err(problems) }
}

/// A statement in the making.
struct Part {
    sid: String,
    telling: String,
    actions: BTreeSet<String>,
    resource: Value,
    conditions: Conditions,
}

impl Part {
    fn of(grant: &Grant<'_>, shape: Shape, action: &str) -> Self {
        let target = &grant.target;
        let prefixed = !is_empty(&grant.prefix) && (shape.resource.contains("{prefix}") || shape.prefix_key.is_some());
        let mut conditions = Conditions::new();
        let knows_resource = shape.resource != "*";
        if knows_resource && !target.account.is_null() {
            condition(&mut conditions, "StringEquals", "aws:ResourceAccount", target.account.clone());
        }
        if let (true, Some(key)) = (prefixed, shape.prefix_key) {
            condition(&mut conditions, "StringLike", key, text::fill("{prefix}*", &[("prefix", &grant.prefix)]));
        }
        let prefix_words = if prefixed { text_in_sid(&grant.prefix) } else { String::new() };
        let holes = [("arn", &target.arn), ("prefix", &grant.prefix)];
        Self {
            sid: format!("{}{prefix_words}{}", target.name.in_sid(), shape.label),
            telling: format!("{} {:?} {}", target.name.telling(), prefixed.then_some(&grant.prefix), shape.label),
            actions: [action.to_owned()].into(),
            resource: text::fill(shape.resource, &holes),
            conditions,
        }
    }
}

/// Adds to the part of the same target, resource and conditions, or as a new one.
fn add(parts: &mut Vec<Part>, part: Part) {
    let same = |other: &&mut Part| {
        other.resource == part.resource && other.conditions == part.conditions && other.target() == part.target()
    };
    match parts.iter_mut().find(same) {
        Some(other) => {
            other.actions.extend(part.actions);
            // Two shapes that come out as one resource go by the name that comes first, whichever came first.
            if part.sid < other.sid {
                (other.sid, other.telling) = (part.sid, part.telling);
            }
        }
        None => parts.push(part),
    }
}

impl Part {
    fn target(&self) -> &str {
        self.telling.split(' ').next().unwrap_or_default()
    }
}

fn statements(parts: Vec<Part>) -> Vec<Statement> {
    let wanted: Vec<_> = parts.iter().map(|part| (part.sid.clone(), part.telling.clone())).collect();
    let mut statements: Vec<Statement> = parts
        .into_iter()
        .zip(sid::unique(&wanted))
        .map(|(part, sid)| Statement {
            sid: Some(sid),
            effect: Effect::Allow,
            actions: part.actions.into_iter().map(Value::from).collect(),
            resources: vec![part.resource],
            conditions: part.conditions,
            ..Statement::default()
        })
        .collect();
    statements.sort_by(|a, b| a.sid.cmp(&b.sid));
    statements
}

fn condition(conditions: &mut Conditions, operator: &str, key: &str, value: Value) {
    conditions.entry(operator.to_owned()).or_default().insert(key.to_owned(), vec![value]);
}

/// The actions of a grant's levels and words.
fn granted_actions(grant: &Grant<'_>, path: &Path, problems: &mut Vec<Problem>) -> BTreeSet<String> {
    let (access, type_name) = (grant.target.access, grant.target.type_name);
    let services = access.services();
    let mut actions = BTreeSet::new();
    if grant.access.is_empty() {
        problems.push(Problem::error(code::GRANT, path.key("access"), "this grants nothing"));
    }
    for (index, word) in grant.access.iter().enumerate() {
        let path = path.key("access").index(index);
        match action::service(word) {
            None => match access.actions_of(word) {
                Some(of_level) => actions.extend(of_level.into_iter().map(str::to_owned)),
                None => {
                    let levels: Vec<&str> = access.levels.iter().map(|level| level.name).collect();
                    let problem =
                        Problem::error(code::GRANT, path, format!("{type_name} has no access level `{word}`"));
                    problems.push(match did_you_mean(word, levels.iter().copied()) {
                        Some(near) => problem.help(format!("did you mean `{near}`?")),
                        None => problem.help(format!(
                            "it has {}; an action is written with its service, `{}:…`",
                            levels.join(", "),
                            services.first().unwrap_or(&"service")
                        )),
                    });
                }
            },
            Some(_) if !action::is_action(word) => {
                problems.push(
                    Problem::error(code::ACTION, path, format!("`{word}` is not an action"))
                        .help("an action is `service:Name`"),
                );
            }
            Some(service) if !services.iter().any(|known| known.eq_ignore_ascii_case(service)) => {
                let message = format!("`{word}` does nothing on {type_name}");
                let problem = Problem::error(code::ACTION, path, message);
                problems.push(problem.help(format!("its actions begin with `{}:`", services.join(":` or `"))));
            }
            Some(_) => {
                actions.insert(word.clone());
            }
        }
    }
    actions
}

impl Access {
    /// The actions of a level with those it includes; `None` when there is no such level.
    pub fn actions_of(&self, level: &str) -> Option<BTreeSet<&'static str>> {
        let find = |name: &str| self.levels.iter().find(|level| level.name == name);
        let mut open = vec![find(level)?];
        let (mut seen, mut actions) = (BTreeSet::new(), BTreeSet::new());
        while let Some(level) = open.pop() {
            if seen.insert(level.name) {
                actions.extend(level.actions);
                open.extend(level.includes.iter().filter_map(|name| find(name)));
            }
        }
        Some(actions)
    }

    /// The services whose actions mean something here, in the order of their declaration.
    pub fn services(&self) -> Vec<&'static str> {
        let declared = self.levels.iter().flat_map(|level| level.actions);
        let shaped = self.shapes.iter().flat_map(|shapes| shapes.actions);
        let mut services = Vec::new();
        for service in declared.chain(shaped).filter_map(|action| action::service(action)) {
            if !services.contains(&service) {
                services.push(service);
            }
        }
        services
    }

    /// The resources that an action works on, and whether the declaration knows the action.
    pub fn shapes_of(&self, action: &str) -> (&'static [Shape], bool) {
        let covers = |shapes: &&ActionShapes| shapes.actions.iter().any(|pattern| action::covers(pattern, action));
        match self.shapes.iter().find(covers) {
            Some(found) => (found.shapes, true),
            None => (self.otherwise, false),
        }
    }

    fn knows_prefix(&self) -> bool {
        let shapes = self.shapes.iter().flat_map(|shapes| shapes.shapes).chain(self.otherwise);
        shapes.into_iter().any(|shape| shape.resource.contains("{prefix}"))
    }
}

fn shapes_of(grant: &Grant<'_>, action: &str) -> Result<&'static [Shape], String> {
    let access = grant.target.access;
    let (shapes, is_known) = access.shapes_of(action);
    // `s3:ListBucket*` has the shape of all the bucket's actions, and covers some that the prefix does limit.
    let covers_others = || {
        let others = access.shapes.iter().filter(|other| other.shapes != shapes);
        others.flat_map(|other| other.actions).any(|other| action::covers(action, other))
    };
    match action::is_pattern(action) && !is_empty(&grant.prefix) {
        true if (!is_known && shapes.len() > 1) || covers_others() => {
            Err(format!("`{action}` covers actions that no prefix limits"))
        }
        _ => Ok(shapes),
    }
}

fn check_prefix(grant: &Grant<'_>, path: &Path, problems: &mut Vec<Problem>) {
    let path = path.key("prefix");
    if is_empty(&grant.prefix) {
        return;
    }
    if !text::is_text(&grant.prefix) {
        let message = format!("a prefix is a string, found {}", grant.prefix.kind());
        problems.push(Problem::error(code::SHAPE, path, message));
    } else if !grant.target.access.knows_prefix() {
        let message = format!("{} knows no prefix", grant.target.type_name);
        problems.push(Problem::error(code::GRANT, path, message).help("leave it out"));
    } else if text::exposed(&grant.prefix)
        .is_some_and(|prefix| action::is_pattern(&text::with_variables_as("", prefix)))
    {
        let problem =
            Problem::error(code::GRANT, path, "a prefix has no wildcards: everything that begins with it is granted");
        problems.push(problem.help("for a pattern, write it out in `statements`"));
    }
}

/// What the target's key takes for an action: access to the data without it is access to nothing.
fn key_part(grant: &Grant<'_>, action: &str, path: &Path) -> Result<Option<Part>, Problem> {
    let target = &grant.target;
    let (Some(key), Some(declared)) = (&target.key, &target.access.key) else { return Ok(None) };
    let needed = |rule: &&KeyRule| rule.actions.iter().any(|needing| action::covers(action, needing));
    let actions: BTreeSet<String> =
        declared.rules.iter().filter(needed).flat_map(|rule| rule.needs).map(|need| (*need).to_owned()).collect();
    if actions.is_empty() {
        return Ok(None);
    }
    if text::exposed(&key.arn).is_some_and(|arn| Arn::parse(arn).is_none_or(|arn| arn.resource.starts_with("alias/"))) {
        let message =
            format!("the key of {} is not named by the key's ARN, and nothing else works in a policy", target.name);
        return Err(Problem::error(code::GRANT, path.key("to"), message)
            .help("encrypt with `${kms.key.NAME.arn}` or the key's own ARN"));
    }
    let mut conditions = Conditions::new();
    if !key.account.is_null() {
        condition(&mut conditions, "StringEquals", "aws:ResourceAccount", key.account.clone());
    }
    // Without this the key could be used past the service, on ciphertext that came from anywhere.
    let suffix = if key.region.starts_with("cn-") { ".cn" } else { "" };
    let service = format!("{}.{}.amazonaws.com{suffix}", declared.via, key.region);
    condition(&mut conditions, "StringEquals", "kms:ViaService", service.into());
    Ok(Some(Part {
        sid: format!("{}Key", target.name.in_sid()),
        telling: format!("{} key", target.name.telling()),
        actions,
        resource: key.arn.clone(),
        conditions,
    }))
}

fn is_empty(prefix: &Value) -> bool {
    prefix.is_null() || text::exposed(prefix) == Some("")
}

/// A prefix as a part of a Sid; long, unknown and secret ones are left to the digest.
fn text_in_sid(prefix: &Value) -> String {
    prefix.as_str().map(sid::camel).filter(|words| words.len() <= 40).unwrap_or_default()
}

impl TargetName {
    fn in_sid(&self) -> String {
        match self {
            Self::Address(address) => {
                sid::camel(&address.name) + &address.key.as_deref().map(sid::camel).unwrap_or_default()
            }
            Self::Arn(arn) => sid::camel(Arn::parse(arn).map_or(arn.as_str(), |arn| arn.resource)),
        }
    }

    /// The name without spaces, so that it can be told from what follows it.
    fn telling(&self) -> String {
        self.to_string().replace(' ', "\u{a0}")
    }
}

impl std::fmt::Display for TargetName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Arn(arn) => f.write_str(arn),
        }
    }
}

/// What each level lets do, for `explain`: level, sentence, actions.
pub fn levels(access: &Access) -> BTreeMap<&'static str, (&'static str, BTreeSet<&'static str>)> {
    access
        .levels
        .iter()
        .map(|level| (level.name, (level.doc, access.actions_of(level.name).unwrap_or_default())))
        .collect()
}

#[cfg(test)]
#[path = "grant_tests.rs"]
mod tests;
