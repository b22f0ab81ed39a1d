//! Traversals: from a root of the scope, or any value, to what is in it.

use std::ops::Range;

use super::ast::{Expr, Node, Reach, ReachKind};
use super::evaluate::{Evaluator, Outcome, fault, hide, strip};
use super::{KIND, MISSING};
use crate::address::{Address, Step};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::value::Value;

/// A step of a traversal, its index computed.
enum Prepared {
    Step(Step),
    /// An index that nobody may see, so neither may what it leads to.
    Secret(Step),
    Unknown,
    Each,
    EachKey,
}

struct Stepped {
    prepared: Prepared,
    range: Range<usize>,
}

/// Why a traversal stopped.
enum Stop {
    Unknown { secret: bool },
    Fault(Box<Diagnostic>),
}

impl<F: Into<Box<Diagnostic>>> From<F> for Stop {
    fn from(fault: F) -> Self {
        Self::Fault(fault.into())
    }
}

impl<'a> Evaluator<'a> {
    pub(super) fn traverse(&mut self, expr: &'a Expr, base: &'a Expr, reaches: &'a [Reach]) -> Outcome {
        let prepared = reaches.iter().map(|reach| self.prepare(reach)).collect::<Result<Vec<_>, _>>()?;
        let (value, used) = match &base.node {
            Node::Name(name) => self.root(expr, name, &prepared)?,
            _ => (self.expression(base)?, 0),
        };
        match self.reach(value, prepared.get(used..).unwrap_or_default()) {
            Ok(value) => Ok(value),
            Err(Stop::Unknown { secret }) => self.unknown(expr, secret),
            Err(Stop::Fault(fault)) => Err(fault),
        }
    }

    fn prepare(&mut self, reach: &'a Reach) -> Result<Stepped, Box<Diagnostic>> {
        let prepared = match &reach.kind {
            ReachKind::Key(key) => Prepared::Step(Step::Key(key.clone())),
            ReachKind::Each => Prepared::Each,
            ReachKind::EachKey => Prepared::EachKey,
            ReachKind::Index(index) => {
                let (value, secret) = strip(self.operand(index)?);
                let step = match value {
                    Value::Unknown(_) => None,
                    Value::String(key) => Some(Step::Key(key)),
                    Value::Integer(at) => match usize::try_from(at) {
                        Ok(at) => Some(Step::Index(at)),
                        Err(_) => return Err(self.placed(fault(MISSING, "an index counts from 0"), index)),
                    },
                    Value::Float(_) => return Err(self.placed(fault(KIND, "an index is a whole number"), index)),
                    other => {
                        let message = format!("an index is a string or a number, not {}", other.kind());
                        return Err(self.placed(fault(KIND, message), index));
                    }
                };
                match step {
                    None => Prepared::Unknown,
                    Some(step) if secret => Prepared::Secret(step),
                    Some(step) => Prepared::Step(step),
                }
            }
        };
        Ok(Stepped { prepared, range: reach.range.clone() })
    }

    /// What a name and the plain steps after it lead to, and how many of those were used.
    fn root(&mut self, expr: &Expr, name: &str, rest: &[Stepped]) -> Result<(Value, usize), Box<Diagnostic>> {
        let mut steps = vec![Step::Key(name.to_owned())];
        steps.extend(rest.iter().map_while(|stepped| match &stepped.prepared {
            Prepared::Step(step) => Some(step.clone()),
            _ => None,
        }));
        if let Some(local) = self.locals.iter().rposition(|(local, _)| *local == name) {
            let (value, used) = self.local(local, &steps);
            self.budget.made(&value)?;
            self.record_local(local, steps.get(..used).unwrap_or_default(), &value);
            return Ok((value, used - 1));
        }
        let span = self.origin.span(expr.range.clone());
        let (value, used) = self.scope.resolve(&steps, span.as_ref())?;
        let used = used.clamp(1, steps.len());
        self.budget.made(&value)?;
        self.record_traversal(steps.get(..used).unwrap_or_default(), &value);
        Ok((value, used - 1))
    }

    /// The part of a `for` variable that the steps lead to as far as they are plain: a copy of the part is cheaper than
    /// one of the whole.
    fn local(&self, local: usize, steps: &[Step]) -> (Value, usize) {
        let Some((_, mut value)) = self.locals.get(local).map(|(name, value)| (name, value)) else {
            return (Value::Null, 1);
        };
        let mut used = 1;
        for step in steps.iter().skip(1) {
            let next = match (value, step) {
                (Value::Map(map), Step::Key(key)) => map.get(key),
                (Value::List(list), Step::Index(index)) => list.get(*index),
                _ => None,
            };
            let Some(next) = next else { break };
            value = next;
            used += 1;
        }
        (value.clone(), used)
    }

    fn reach(&mut self, mut value: Value, rest: &[Stepped]) -> Result<Value, Stop> {
        for (at, stepped) in rest.iter().enumerate() {
            let after = rest.get(at + 1..).unwrap_or_default();
            value = match &stepped.prepared {
                Prepared::Step(step) => self.one(value, step, false, &stepped.range)?,
                Prepared::Secret(step) => hide(self.one(value, step, true, &stepped.range)?, true),
                Prepared::Unknown => {
                    self.explore_elements(value, after);
                    return Err(Stop::Unknown { secret: false });
                }
                Prepared::Each => return self.each_element(value, after),
                Prepared::EachKey => {
                    let keys =
                        after.iter().take_while(|stepped| matches!(&stepped.prepared, Prepared::Step(Step::Key(_))));
                    let (keys, after) = after.split_at(keys.count());
                    let list = self.each_element(value, keys)?;
                    return self.reach(list, after);
                }
            };
        }
        Ok(value)
    }

    /// While what an expression names is being written down, an index that is unknown may turn out to be any.
    fn explore_elements(&mut self, value: Value, after: &[Stepped]) {
        if self.recorder.is_none() {
            return;
        }
        let items: Vec<Value> = match strip(value).0 {
            Value::List(list) => list,
            Value::Map(map) => map.into_values().collect(),
            _ => return,
        };
        for item in items {
            let _ = self.reach(item, after);
        }
    }

    /// A splat. A list gives its elements, a map of resources or of tables (a block or a module with `for_each`) its values;
    /// null is no element and any other value is one. HCL has no such rule for maps, since there a block with `count` is
    /// a list.
    fn each_element(&mut self, value: Value, after: &[Stepped]) -> Result<Value, Stop> {
        let (value, secret) = strip(value);
        let items = match value {
            Value::Null => Vec::new(),
            Value::List(list) => list,
            Value::Map(map)
                if map.values().all(|value| matches!(value, Value::Reference(_)))
                    || map.values().all(|value| matches!(value, Value::Map(_))) =>
            {
                map.into_values().collect()
            }
            Value::Unknown(_) => return Err(Stop::Unknown { secret }),
            other => vec![other],
        };
        let mut results = Vec::with_capacity(items.len());
        let mut unknown = false;
        for item in items {
            self.budget.step(1)?;
            match self.reach(hide(item, secret), after) {
                Ok(value) => results.push(value),
                // One secret element does not make the list a secret.
                Err(Stop::Unknown { .. }) => unknown = true,
                Err(stop) => return Err(stop),
            }
        }
        if unknown { Err(Stop::Unknown { secret }) } else { Ok(hide(Value::List(results), secret)) }
    }

    /// One step into a value. `hidden`: no message may tell the step or what there is besides.
    fn one(&mut self, value: Value, step: &Step, hidden: bool, range: &Range<usize>) -> Result<Value, Stop> {
        match (value, step) {
            (Value::Secret(secret), step) => match self.one(secret.expose().clone(), step, true, range) {
                Ok(value) => Ok(hide(value, true)),
                Err(Stop::Unknown { .. }) => Err(Stop::Unknown { secret: true }),
                Err(stop) => Err(stop),
            },
            (Value::Unknown(_), _) => Err(Stop::Unknown { secret: false }),
            (Value::Reference(address), Step::Key(name)) => Ok(self.attribute(&address, name, range)?),
            (Value::Map(mut map), step) => {
                let key = match step {
                    Step::Key(key) => key.clone(),
                    Step::Index(index) => index.to_string(),
                };
                match map.remove(&key) {
                    Some(value) => Ok(value),
                    None if hidden => Err(self.missing("there is no such key".to_owned(), range).into()),
                    None => {
                        let near = did_you_mean(&key, map.keys().take(1_000).map(String::as_str));
                        let message = match near {
                            Some(near) => format!("there is no `{key}`; did you mean `{near}`?"),
                            None => format!("there is no `{key}`"),
                        };
                        let missing = self.missing(message, range);
                        let keys = map.keys().take(8).map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
                        let missing = match map.len() {
                            0 => missing.help("the map is empty"),
                            1..=8 => missing.help(format!("there is {keys}")),
                            _ => missing.help(format!("there is {keys} and more")),
                        };
                        Err(Box::new(missing).into())
                    }
                }
            }
            (Value::List(mut list), Step::Index(index)) => {
                if *index < list.len() {
                    return Ok(list.swap_remove(*index));
                }
                let message = match (hidden, list.len()) {
                    (true, _) => "there is no such element".to_owned(),
                    (false, 0) => "the list is empty".to_owned(),
                    (false, 1) => format!("there is no element {index}: the list has one, element 0"),
                    (false, length) => format!("there is no element {index}: the last of the list is {}", length - 1),
                };
                Err(Box::new((*self.missing(message, range)).help("elements are counted from 0")).into())
            }
            (Value::List(_), Step::Key(_)) => {
                let missing = self.missing("a list has elements, not keys".to_owned(), range);
                Err(Box::new(missing.help("name one, `[0]`, or all of them, `[*]`")).into())
            }
            (other, _) => {
                let fault = fault(KIND, format!("there is nothing inside {}", other.kind()));
                Err(Box::new(fault.at(self.origin.span(range.clone()))).into())
            }
        }
    }

    fn missing(&self, message: String, range: &Range<usize>) -> Box<Diagnostic> {
        Box::new(Diagnostic::error(MISSING, message).at(self.origin.span(range.clone())))
    }

    fn attribute(&mut self, address: &Address, name: &str, range: &Range<usize>) -> Outcome {
        let span = self.origin.span(range.clone());
        let value = self.scope.attribute(address, name, span.as_ref())?;
        self.budget.made(&value)?;
        self.record_attribute(address, name, &value);
        Ok(value)
    }
}
