//! Closing an expression over what it names, so that it can be evaluated when that is known.
//!
//! The expression is evaluated once more while every answer of the scope is written down under a key that the same
//! question leads to again: the path of a traversal with its indexes computed, or the address of a resource and the
//! name of an attribute. Branches that evaluation does not enter because their condition is unknown are explored: they
//! may be entered later. An error there is none yet; the same question will lead to it again.

use super::ast::{Expr, For, Part};
use super::evaluate::{Evaluator, Outcome, Said, hide};
use super::text;
use crate::address::{Address, Path, Step};
use crate::diagnostic::Diagnostic;
use crate::value::{Map, Unknown, Value};

/// Writes down what an expression names.
pub(super) struct Recorder {
    /// The variables of `for`s below this are named by the expression, the others are its own.
    base: usize,
    scope: Map,
}

/// The key of a traversal's value: `each.value`, `logs.group.this.app.arn`.
pub(super) fn traversal_key(steps: &[Step]) -> String {
    Path(steps.to_vec()).to_string()
}

/// The key of a resource's attribute. No traversal begins with `@`.
pub(super) fn attribute_key(address: &Address, name: &str) -> String {
    format!("@{address}.{name}")
}

/// Stands for a value that is not known, where only that matters.
fn placeholder() -> Value {
    Value::from(Unknown::Expression { source: String::new(), scope: Map::new() })
}

impl<'a> Evaluator<'a> {
    /// An expression that cannot be known yet, closed over what it names; `secret` where it is sure to be.
    pub(super) fn unknown(&mut self, expr: &'a Expr, secret: bool) -> Outcome {
        self.deferred += 1;
        if self.held > 0 {
            return Ok(hide(placeholder(), secret));
        }
        let scope = self.record(std::iter::once(expr))?;
        let source = format!("${{{}}}", self.source(expr));
        Ok(hide(Value::from(Unknown::Expression { source, scope }), secret))
    }

    /// A string that cannot be known yet: what is known and no secret becomes literal text, for people to see.
    pub(super) fn unknown_string(&mut self, parts: &'a [Part], said: Vec<Said>, secret: bool) -> Outcome {
        self.deferred += 1;
        if self.held > 0 {
            return Ok(hide(placeholder(), secret));
        }
        let mut source = String::new();
        let mut literal = String::new();
        let mut open = Vec::new();
        for (part, said) in parts.iter().zip(said) {
            match (part, said) {
                (_, Said::Known(text)) => literal.push_str(&text),
                (Part::Expression(expr), _) => {
                    source.push_str(&text::escape(&std::mem::take(&mut literal)));
                    source.push_str(&format!("${{{}}}", self.source(expr)));
                    open.push(expr);
                }
                (Part::Literal(_), _) => {}
            }
        }
        source.push_str(&text::escape(&literal));
        self.budget.room_for_text(source.len())?;
        let scope = self.record(open.into_iter())?;
        Ok(hide(Value::from(Unknown::Expression { source, scope }), secret))
    }

    fn source(&self, expr: &Expr) -> &'a str {
        self.text.get(expr.range.clone()).unwrap_or_default()
    }

    /// What the expressions name. They are evaluated held, so nothing in them is closed over anything by itself.
    fn record(&mut self, exprs: impl Iterator<Item = &'a Expr>) -> Result<Map, Box<Diagnostic>> {
        self.recorder = Some(Recorder { base: self.locals.len(), scope: Map::new() });
        for expr in exprs {
            self.explore(expr);
        }
        let recorder = self.recorder.take();
        match self.budget.spent() {
            Some(spent) => Err(spent.into()),
            None => Ok(recorder.map(|recorder| recorder.scope).unwrap_or_default()),
        }
    }

    /// Evaluates an expression for what it names only, while that is being written down. A budget that is spent stays
    /// spent, so ignoring errors hides no limit.
    pub(super) fn explore(&mut self, expr: &'a Expr) {
        if self.recorder.is_some() {
            let _ = self.operand(expr);
        }
    }

    /// Explores the inside of a `for` over an unknown collection.
    pub(super) fn explore_each(&mut self, each: &'a For) {
        if self.recorder.is_none() {
            return;
        }
        let outside = self.locals.len();
        self.locals.extend(each.key_name.as_deref().map(|name| (name, placeholder())));
        self.locals.push((&each.value_name, placeholder()));
        for expr in [each.condition.as_ref(), each.key.as_ref(), Some(&each.value)].into_iter().flatten() {
            self.explore(expr);
        }
        self.locals.truncate(outside);
    }

    /// Writes down what a traversal from a root of the scope came to.
    pub(super) fn record_traversal(&mut self, steps: &[Step], value: &Value) {
        if let Some(recorder) = &mut self.recorder {
            recorder.scope.insert(traversal_key(steps), value.clone());
        }
    }

    /// Writes down what a traversal from a variable of a `for` came to, if the expression names it from outside.
    pub(super) fn record_local(&mut self, local: usize, steps: &[Step], value: &Value) {
        if self.recorder.as_ref().is_some_and(|recorder| local < recorder.base) {
            self.record_traversal(steps, value);
        }
    }

    /// Writes down an attribute of a resource.
    pub(super) fn record_attribute(&mut self, address: &Address, name: &str, value: &Value) {
        if let Some(recorder) = &mut self.recorder {
            recorder.scope.insert(attribute_key(address, name), value.clone());
        }
    }
}
