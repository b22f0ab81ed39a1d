//! The three-way comparison of one resource: what the file says, what state remembers, what AWS has.

use crate::address::{Address, Path, Step};
use crate::diff::{Mismatch, mismatches};
use crate::graph::Node;
use crate::plan::model::{Cause, Difference, Live};
use crate::resource::ResourceType;
use crate::schema::{Property, Removal, Shape};
use crate::state::Instance;
use crate::value::{Map, Value};

/// Replaces secrets by marks that tell whether they changed; the root keeps the key.
pub type Seal<'a> = &'a dyn Fn(&Value) -> Value;

/// What comparing came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// What AWS shall hold, resets included.
    pub desired: Map,
    /// What has to be written.
    pub differences: Vec<Difference>,
    /// What somebody changed in AWS to what the file says now, or what nobody says any more.
    pub accepted: Vec<Difference>,
}

/// Compares one resource. `is_made` tells whether a resource is made in this plan: an unknown attribute of one that is
/// not stays as it is (a secret that was handed out once).
pub fn compare(
    kind: &dyn ResourceType,
    node: &Node,
    instance: Option<&Instance>,
    live: &Live,
    seal: Seal<'_>,
    is_made: &dyn Fn(&Address) -> bool,
) -> Comparison {
    let schema = kind.schema();
    let mut held = live.managed.clone();
    let mut desired = node.managed.clone();
    let remembered = instance.map(|instance| instance.managed.clone()).unwrap_or_default();
    for (name, old) in &remembered {
        let Some(property) = schema.properties.get(name) else { continue };
        match desired.get_mut(name) {
            Some(new) => reset_missing(property, old, new),
            None => match &property.removal {
                Removal::Keep => {}
                Removal::Reset(default) => {
                    desired.insert(name.clone(), default.clone());
                }
                Removal::Replace => {
                    desired.insert(name.clone(), Value::Null);
                }
            },
        }
    }
    for (name, property) in &schema.properties {
        if property.write_only && desired.contains_key(name) {
            held.insert(name.clone(), remembered.get(name).cloned().unwrap_or_default());
        }
        if property.open
            && let (Some(Value::Map(ours)), Some(Value::Map(theirs))) = (desired.get(name), held.get_mut(name))
        {
            theirs.retain(|key, _| ours.contains_key(key));
        }
    }
    for path in &node.ignore_changes {
        keep_live(&mut desired, &held, path);
    }
    let stays = |mismatch: &Mismatch| {
        instance.is_some()
            && (waits_for_nothing_made(&mismatch.desired, is_made)
                || sealed_alike(&mismatch.desired, at(&remembered, &mismatch.path), seal))
    };
    let differences: Vec<Difference> = mismatches(kind, &desired, &held)
        .into_iter()
        .filter(|mismatch| !stays(mismatch))
        .map(|mismatch| {
            let cause = cause(kind, node, &remembered, &mismatch);
            let replaces = schema.create_only(&mismatch.path)
                || (cause == Cause::Removed
                    && schema.nearest(&mismatch.path).is_some_and(|property| property.removal == Removal::Replace));
            Difference { path: mismatch.path, from: mismatch.live, to: mismatch.desired, cause, replaces }
        })
        .collect();
    let accepted = mismatches(kind, &told(&remembered, &held), &held)
        .into_iter()
        .filter(|mismatch| !differences.iter().any(|difference| overlap(&difference.path, &mismatch.path)))
        .filter(|mismatch| !sealed_alike(&mismatch.desired, Some(&mismatch.live), seal))
        .map(|mismatch| Difference {
            path: mismatch.path,
            from: mismatch.desired,
            to: mismatch.live,
            cause: Cause::Drift,
            replaces: false,
        })
        .collect();
    Comparison { desired, differences, accepted }
}

/// Whether AWS's answer is not what was applied last: somebody changed it, or the answer is older than that. What nobody
/// minds (`ignored`) does not count.
pub fn contradicts(
    kind: &dyn ResourceType,
    instance: &Instance,
    live: &Live,
    ignored: &[Path],
    seal: Seal<'_>,
) -> bool {
    let mut held = live.managed.clone();
    for (name, property) in &kind.schema().properties {
        if property.write_only {
            held.remove(name);
        }
        if property.open
            && let (Some(Value::Map(ours)), Some(Value::Map(theirs))) = (instance.managed.get(name), held.get_mut(name))
        {
            theirs.retain(|key, _| ours.contains_key(key));
        }
    }
    mismatches(kind, &told(&instance.managed, &held), &held).iter().any(|mismatch| {
        !ignored.iter().any(|path| overlap(path, &mismatch.path))
            && !sealed_alike(&mismatch.desired, Some(&mismatch.live), seal)
    })
}

/// What state remembers of the properties that the answer tells.
fn told(remembered: &Map, held: &Map) -> Map {
    remembered.iter().filter(|(name, _)| held.contains_key(*name)).map(|(k, v)| (k.clone(), v.clone())).collect()
}

/// Puts null, or the default of a reset, where an earlier apply had set a member that the file no longer has.
fn reset_missing(property: &Property, old: &Value, new: &mut Value) {
    let (Value::Map(old), Value::Map(new)) = (old, new) else { return };
    for (key, value) in old {
        let Some(inner) = property.shape.step(&Step::Key(key.clone())) else { continue };
        match new.get_mut(key) {
            Some(new) => reset_missing(inner, value, new),
            None => {
                let default = match &inner.removal {
                    Removal::Keep => continue,
                    Removal::Reset(default) if !matches!(property.shape, Shape::Map { .. }) => default.clone(),
                    Removal::Reset(_) | Removal::Replace => Value::Null,
                };
                new.insert(key.clone(), default);
            }
        }
    }
}

/// Takes what AWS has at an ignored path for what shall be.
fn keep_live(desired: &mut Map, live: &Map, path: &Path) {
    fn descend(desired: &mut Map, live: Option<&Map>, steps: &[Step]) {
        let [Step::Key(key), rest @ ..] = steps else { return };
        let held = live.and_then(|live| live.get(key));
        match (rest, desired.get_mut(key), held) {
            ([], _, Some(held)) => {
                desired.insert(key.clone(), held.clone());
            }
            ([], _, None) => {
                desired.remove(key);
            }
            (rest, Some(Value::Map(inner)), held) => descend(inner, held.and_then(Value::as_map), rest),
            _ => {}
        }
    }
    descend(desired, Some(live), &path.0);
}

fn at<'a>(map: &'a Map, path: &Path) -> Option<&'a Value> {
    let (first, rest) = path.0.split_first()?;
    let Step::Key(key) = first else { return None };
    map.get(key)?.at(&Path(rest.to_vec()))
}

/// Whether the value is unknown only for attributes of resources that stay as they are.
fn waits_for_nothing_made(value: &Value, is_made: &dyn Fn(&Address) -> bool) -> bool {
    let Value::Unknown(unknown) = value else { return false };
    !unknown.waits_for().iter().any(|(address, _)| is_made(address))
}

/// Whether a secret is the one that was applied last, by its mark.
fn sealed_alike(desired: &Value, remembered: Option<&Value>, seal: Seal<'_>) -> bool {
    desired.is_sensitive() && desired.is_known() && remembered.is_some_and(|remembered| seal(desired) == *remembered)
}

fn cause(kind: &dyn ResourceType, node: &Node, remembered: &Map, mismatch: &Mismatch) -> Cause {
    let written = at(&node.managed, &mismatch.path);
    let head = mismatch.path.head().unwrap_or_default();
    match at(remembered, &mismatch.path) {
        Some(old) if written.is_some() && kind.equal(&mismatch.path, &mismatch.desired, old) => Cause::Drift,
        Some(_) if written.is_none_or(Value::is_null) => Cause::Removed,
        None if written.is_none() && !remembered.is_empty() => Cause::Drift,
        _ if node.defaulted.contains(head) => Cause::Default,
        _ => Cause::File,
    }
}

/// Whether one path lies within the other.
fn overlap(a: &Path, b: &Path) -> bool {
    a.0.iter().zip(&b.0).all(|(a, b)| a == b)
}
