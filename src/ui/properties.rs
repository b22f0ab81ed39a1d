//! The properties of a change: what a new resource gets, what differs, and why.

use std::collections::BTreeSet;

use s3stack_engine::address::Path;
use s3stack_engine::plan::{Cause, Change, Difference};
use s3stack_engine::value::{Map, Secret, Value};

use super::policy;
use super::text::{Layout, Role, cut, pad, plain, width};
use super::values::{Lines, SECRET, block, inline, is_secret, members, quoted};

/// The indentation of properties below their resource.
const INDENT: usize = 6;

/// Narrowest and widest column of names.
const NAMES: (usize, usize) = (16, 28);

/// One line, or a few, below a resource: a name and what is said of it.
pub(super) struct Entry {
    name: String,
    role: Option<Role>,
    content: Content,
    note: String,
}

enum Content {
    /// Said in words.
    Words(String),
    /// A value that a new resource gets.
    Given(Value),
    /// A value that becomes another.
    Turns(Value, Value),
    /// As before, but AWS is put right again.
    PutBack(Path, Value, Value),
}

impl Entry {
    /// A remark.
    pub(super) fn words(name: &str, role: Option<Role>, words: impl Into<String>) -> Self {
        Self { name: name.into(), role, content: Content::Words(words.into()), note: String::new() }
    }
}

/// What a new resource gets. What is empty, and the name that already stands beside the address, come only to who wants
/// everything.
pub(super) fn given(change: &Change, layout: &Layout, note: &dyn Fn(&Path) -> String) -> Vec<Entry> {
    let id = change.after.as_ref().map(|after| after.physical_id.as_str());
    let tells = |value: &Value| match value {
        Value::Null => false,
        _ if layout.verbose => true,
        Value::Map(map) => !map.is_empty(),
        Value::List(list) => !list.is_empty(),
        Value::String(text) => id != Some(text),
        _ => true,
    };
    let present = change.desired.iter().filter(|(_, value)| tells(value));
    present
        .map(|(name, value)| Entry {
            name: plain(name).into_owned(),
            role: None,
            content: Content::Given(value.clone()),
            note: note(&Path::of(name.clone())),
        })
        .collect()
}

/// What differs, property by property; tables member by member.
pub(super) fn different(change: &Change, note: &dyn Fn(&Difference) -> String) -> Vec<Entry> {
    let mut entries = Vec::new();
    for difference in &change.differences {
        let (from, to) = veiled(change, difference);
        let content = |path: Path, from: Value, to: Value| match difference.cause {
            Cause::Drift => (drift(), Content::PutBack(path, from, to)),
            _ => (None, Content::Turns(from, to)),
        };
        if difference.from == difference.to {
            let (name, words) = (path_text(&difference.path), "written again as it is");
            entries.push(Entry { note: note(difference), ..Entry::words(&name, None, words) });
            continue;
        }
        for (at, (path, from, to)) in parted(&difference.path, &from, &to).into_iter().enumerate() {
            let name = path_text(&path);
            let (role, content) = content(path, from, to);
            let name = if role.is_some() { "drift".into() } else { name };
            let note = if at == 0 { note(difference) } else { String::new() };
            entries.push(Entry { name, role, content, note });
        }
    }
    entries
}

/// What somebody changed in AWS and state takes over.
pub(super) fn accepted(change: &Change) -> Vec<Entry> {
    let mut entries = Vec::new();
    for difference in &change.accepted {
        let (from, to) = veiled(change, difference);
        for (path, from, to) in parted(&difference.path, &from, &to) {
            let (path, from, to) = (path_text(&path), told(&from), told(&to));
            let words = format!("{path} was {from} and is {to} in AWS; state takes that over");
            entries.push(Entry::words("drift", drift(), words));
        }
    }
    entries
}

fn drift() -> Option<Role> {
    Some(Role::Drift)
}

/// A path, fit for a terminal.
fn path_text(path: &Path) -> String {
    plain(&path.to_string()).into_owned()
}

/// Both sides of a difference, with what AWS holds in a secret's place made a secret: the live side comes in clear.
pub(super) fn veiled(change: &Change, difference: &Difference) -> (Value, Value) {
    let nothing = Map::new();
    let remembered = Value::Map(change.before.as_ref().map_or(&nothing, |before| &before.managed).clone());
    let known = |value: &Value| veil(value, nearest(&remembered, &difference.path), Some(&difference.to));
    (known(&difference.from), known(&difference.to))
}

/// The value at a path, or the value that stands in the way there.
fn nearest<'a>(value: &'a Value, path: &Path) -> Option<&'a Value> {
    match value.at(path) {
        Some(value) => Some(value),
        None => (1..path.0.len()).rev().find_map(|length| value.at(&Path(path.0.get(..length)?.to_vec()))),
    }
}

/// Makes a secret of whatever stands where one of the others has one.
fn veil(value: &Value, remembered: Option<&Value>, desired: Option<&Value>) -> Value {
    let others = [remembered, desired];
    match value {
        Value::Null => Value::Null,
        Value::Map(map) if others.iter().flatten().all(|other| matches!(other, Value::Map(_) | Value::Null)) => {
            let member = |other: Option<&'_ Value>, name: &str| other.map(|other| other.get(name).clone());
            let veiled = map.iter().map(|(name, value)| {
                let (old, new) = (member(remembered, name), member(desired, name));
                (name.clone(), veil(value, old.as_ref(), new.as_ref()))
            });
            Value::Map(veiled.collect())
        }
        value if others.iter().flatten().any(|other| is_secret(other)) => Value::Secret(Secret::new(value.clone())),
        value => value.clone(),
    }
}

fn told(value: &Value) -> String {
    if value.is_null() { "not set".into() } else { inline(value) }
}

/// The members of two tables that differ; the pair itself where one is no table, or a policy document.
fn parted(path: &Path, from: &Value, to: &Value) -> Vec<(Path, Value, Value)> {
    let (Value::Map(old), Value::Map(new)) = (from, to) else {
        return vec![(path.clone(), from.clone(), to.clone())];
    };
    if policy::changes(from, to).is_some() {
        return vec![(path.clone(), from.clone(), to.clone())];
    }
    let of = |map: &Map, name: &str| map.get(name).cloned().unwrap_or_default();
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    names
        .into_iter()
        .map(|name| (path.key(name.clone()), of(old, name), of(new, name)))
        .filter(|(_, old, new)| old != new)
        .flat_map(|(path, old, new)| parted(&path, &old, &new))
        .collect()
}

/// Lays entries out below each other: names in one column, values in the next.
pub(super) fn lay_out(entries: &[Entry], layout: &Layout) -> Lines {
    let longest = entries.iter().map(|entry| width(&entry.name)).max().unwrap_or_default();
    let column = longest.clamp(NAMES.0, NAMES.1) + 2;
    let inner = layout.narrower(INDENT + column);
    let mut lines = Lines::default();
    for entry in entries {
        let mut told = content(&entry.content, &inner);
        lines.shortened |= told.shortened;
        if !entry.note.is_empty() {
            let note = layout.paint(Role::Faint, &entry.note);
            match told.lines.as_mut_slice() {
                [only] if visible_width(only) + width(&entry.note) + 2 <= inner.width => {
                    *only = format!("{only}  {note}");
                }
                _ => told.lines.push(note),
            }
        }
        let name = cut(&entry.name, layout.width.saturating_sub(INDENT).max(column)).into_owned();
        let mut rest = told.lines.into_iter();
        let painted = entry.role.map_or_else(|| name.clone(), |role| layout.paint(role, &name));
        let padding = pad("", column.saturating_sub(width(&name)));
        let indent = " ".repeat(INDENT);
        if width(&name) + 2 > column {
            lines.lines.push(format!("{indent}{painted}"));
        } else {
            let first = rest.next().unwrap_or_default();
            lines.lines.push(format!("{indent}{painted}{padding}{first}").trim_end().to_owned());
        }
        lines.lines.extend(rest.map(|line| format!("{indent}{}{line}", " ".repeat(column))));
    }
    lines
}

/// The width of a text without its escape codes.
fn visible_width(text: &str) -> usize {
    anstream::adapter::strip_str(text).map(width).sum()
}

fn content(content: &Content, layout: &Layout) -> Lines {
    match content {
        Content::Words(words) => Lines { lines: super::text::wrap(words, layout.width), shortened: false },
        Content::Given(value) => match policy::changes(&Value::Null, value) {
            Some(statements) => policy::lines(&statements, layout),
            None => match value {
                Value::Map(map) if !map.is_empty() && inline(value).chars().count() > layout.width => {
                    given_table(map, layout)
                }
                value => block(value, layout),
            },
        },
        Content::Turns(from, to) => turns(from, to, layout),
        Content::PutBack(path, from, to) => put_back(path, from, to, layout),
    }
}

/// A table of a new resource; a table of policy documents is told by statement.
fn given_table(map: &Map, layout: &Layout) -> Lines {
    let mut lines = Lines::default();
    for (name, value) in map {
        match policy::changes(&Value::Null, value) {
            Some(statements) => {
                lines.lines.push(super::values::key(name));
                lines.append(policy::lines(&statements, &layout.narrower(2)), 2);
            }
            None => lines.append(members(&[(name.clone(), value.clone())].into(), layout), 0),
        }
    }
    lines
}

fn turns(from: &Value, to: &Value, layout: &Layout) -> Lines {
    if (is_secret(from) || is_secret(to)) && !from.is_null() && !to.is_null() {
        return Lines::one(format!("{SECRET} → {SECRET}, another one"));
    }
    if let Some(statements) = policy::changes(from, to) {
        return match statements.is_empty() {
            true => Lines::one("the same statements, written another way"),
            false => policy::lines(&statements, layout),
        };
    }
    let whole = format!("{} → {}", told(from), told(to));
    if width(&whole) <= layout.width {
        return Lines::one(whole);
    }
    let signs = (layout.paint(Role::Delete, "-"), layout.paint(Role::Create, "+"));
    let side = |sign: &str, lines: Lines, all: &mut Lines| {
        all.shortened |= lines.shortened;
        for (at, line) in lines.lines.into_iter().enumerate() {
            all.lines.push(if at == 0 { format!("{sign} {line}") } else { format!("  {line}") });
        }
    };
    let inner = layout.narrower(2);
    let mut lines = Lines::default();
    match (from, to) {
        (Value::List(old), Value::List(new)) => {
            let without = |these: &[Value], those: &[Value]| -> Vec<Value> {
                these.iter().filter(|item| !those.contains(item)).cloned().collect()
            };
            let (gone, come) = (without(old, new), without(new, old));
            if gone.is_empty() && come.is_empty() {
                lines.lines.push("the same items in this order:".into());
                side(&signs.1, block(to, &inner), &mut lines);
            }
            gone.iter().for_each(|item| side(&signs.0, block(item, &inner), &mut lines));
            come.iter().for_each(|item| side(&signs.1, block(item, &inner), &mut lines));
        }
        (Value::String(old), Value::String(new)) if !layout.verbose => {
            let (old, new) = differing_parts(old, new, inner.width);
            lines.shortened = old.contains('…') || new.contains('…');
            lines.lines = vec![format!("{} {old}", signs.0), format!("{} {new}", signs.1)];
        }
        (from, to) => {
            if !from.is_null() {
                side(&signs.0, block(from, &inner), &mut lines);
            }
            if !to.is_null() {
                side(&signs.1, block(to, &inner), &mut lines);
            }
        }
    }
    lines
}

/// Two long texts, each from a little before the first character in which they differ.
fn differing_parts(old: &str, new: &str, to: usize) -> (String, String) {
    let same = old.chars().zip(new.chars()).take_while(|(old, new)| old == new).count();
    let skipped = if same < to / 2 { 0 } else { same - to / 4 };
    let part = |text: &str| {
        let rest: String = text.chars().skip(skipped).collect();
        let whole = quoted(&rest);
        let start = if skipped > 0 { "…" } else { "" };
        let end = if width(&whole) + 2 > to { "\"" } else { "" };
        format!("{start}{}{end}", cut(&whole, to.saturating_sub(2)))
    };
    (part(old), part(new))
}

fn put_back(path: &Path, from: &Value, to: &Value, layout: &Layout) -> Lines {
    let name = path_text(path);
    let wish = match to {
        Value::Null => "the file does not say it; apply takes it away".to_owned(),
        to => format!("the file says {}; apply puts it back", inline(to)),
    };
    let document = policy::changes(from, to).filter(|statements| !statements.is_empty());
    let whole = format!("{name} is {}, {wish}", told(from));
    if document.is_none() && width(&whole) <= layout.width * 3 / 2 {
        return Lines { lines: super::text::wrap(&whole, layout.width), shortened: false };
    }
    let mut lines = Lines::one(format!("{name} differs from the file; apply puts it back:"));
    lines.append(turns(from, to, &layout.narrower(2)), 2);
    lines
}
