//! Going on where evaluation had to stop because AWS had not made a value yet.

use super::budget::Budget;
use super::capture::{attribute_key, file_key, refusal_key, traversal_key};
use super::evaluate::{Scope, hide};
use super::files::{self, Question};
use super::offsets::Origin;
use super::template::Template;
use super::{MISSING, UNSEEN};
use crate::address::{Address, Step};
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::value::{Map, Unknown, Value};

/// What AWS made, as far as it is known: the attribute of a resource.
type Known<'a> = dyn Fn(&Address, &str) -> Option<Value> + 'a;

/// The value with every unknown in it replaced that `known` can answer now, and every expression that was closed over
/// one evaluated again. What still cannot be known stays unknown.
///
/// Where evaluating with those values from the start gives a value, this gives the same, in one step or in several.
///
/// An attribute that its type declares sensitive becomes a secret, whether `known` answers with one or not. Fails with
/// what evaluation fails with; the diagnostics have no place, but say which expression they are about.
pub fn settle(value: Value, known: &Known<'_>) -> Result<Value, Diagnostics> {
    let mut settler = Settler { known, budget: Budget::default(), found: Diagnostics::default() };
    let (value, _) = settler.value(value);
    if settler.found.has_errors() { Err(settler.found) } else { Ok(value) }
}

struct Settler<'a> {
    known: &'a Known<'a>,
    budget: Budget,
    found: Diagnostics,
}

impl Settler<'_> {
    /// The settled value, and whether it is another.
    fn value(&mut self, value: Value) -> (Value, bool) {
        match value {
            Value::List(list) => {
                let mut changed = false;
                let list = list
                    .into_iter()
                    .map(|value| {
                        let (value, new) = self.value(value);
                        changed |= new;
                        value
                    })
                    .collect();
                (Value::List(list), changed)
            }
            Value::Map(map) => {
                let (map, changed) = self.map(map);
                (Value::Map(map), changed)
            }
            Value::Secret(secret) => {
                let (value, changed) = self.value(secret.expose().clone());
                (hide(value, true), changed)
            }
            Value::Unknown(unknown) => self.unknown(*unknown),
            value => (value, false),
        }
    }

    fn map(&mut self, map: Map) -> (Map, bool) {
        let mut changed = false;
        let map = map
            .into_iter()
            .map(|(key, value)| {
                let (value, new) = self.value(value);
                changed |= new;
                (key, value)
            })
            .collect();
        (map, changed)
    }

    fn unknown(&mut self, unknown: Unknown) -> (Value, bool) {
        match unknown {
            Unknown::Attribute { address, name, sensitive } => match (self.known)(&address, &name) {
                Some(value) => (hide(value, sensitive), true),
                None => (Value::from(Unknown::Attribute { address, name, sensitive }), false),
            },
            Unknown::Expression { source, scope } => {
                let (scope, changed) = self.map(scope);
                if !changed {
                    return (Value::from(Unknown::Expression { source, scope }), false);
                }
                (self.again(&source, &scope), true)
            }
        }
    }

    fn again(&mut self, source: &str, scope: &Map) -> Value {
        let captured = Captured { scope, known: self.known };
        let outcome =
            Template::parse(source, &Origin::nowhere()).and_then(|template| template.evaluate(&captured, &self.budget));
        outcome.unwrap_or_else(|found| {
            for diagnostic in found.0 {
                self.found.push(diagnostic.note(format!("In the expression `{source}`")));
            }
            Value::Null
        })
    }
}

/// The scope an expression was closed over.
struct Captured<'a> {
    scope: &'a Map,
    known: &'a Known<'a>,
}

impl Scope for Captured<'_> {
    fn resolve(&self, steps: &[Step], _: Option<&Span>) -> Result<(Value, usize), Box<Diagnostic>> {
        (1..=steps.len())
            .rev()
            .find_map(|used| Some((self.scope.get(&traversal_key(steps.get(..used)?))?.clone(), used)))
            .ok_or_else(|| {
                Box::new(Diagnostic::error(MISSING, format!("`{}` has no value here", traversal_key(steps))))
            })
    }

    fn attribute(&self, resource: &Address, name: &str, _: Option<&Span>) -> Result<Value, Box<Diagnostic>> {
        let captured = self.scope.get(&attribute_key(resource, name)).cloned();
        captured.or_else(|| (self.known)(resource, name)).ok_or_else(|| {
            Box::new(
                Diagnostic::error(UNSEEN, format!("`{resource}.{name}` is not known"))
                    .on(resource)
                    .note("Which resource is meant here depends on a value that AWS made, so nothing waited for it")
                    .help("name the resource itself, or add it to depends_on"),
            )
        })
    }

    fn file(&self, question: Question, path: &str) -> Result<Value, Box<Diagnostic>> {
        match (self.scope.get(&file_key(question, path)), self.scope.get(&refusal_key(question, path))) {
            (Some(value), _) => Ok(value.clone()),
            (None, Some(Value::String(why))) => Err(files::refused(why)),
            _ => Err(files::unread()),
        }
    }
}
