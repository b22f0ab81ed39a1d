//! Closing an expression over what it names, so that it can be evaluated when that is known.
//!
//! The expression is evaluated once more while every answer of the scope is written down under a key that the same
//! question leads to again: the path of a traversal with its indexes computed, or the address of a resource and the
//! name of an attribute. Branches that evaluation does not enter because their condition is unknown are explored: they
//! may be entered later. An error there is none yet; the same question will lead to it again.

use super::ast::{Expr, For, Part};
use super::evaluate::{Evaluator, Outcome, Said, hide};
use super::files::Question;
use super::{UNREAD, text};
use crate::address::{Address, Path, Step};
use crate::diagnostic::Diagnostic;
use crate::value::{Map, Unknown, Value, broken, is_broken};

/// Writes down what an expression names.
pub(super) struct Recorder {
    /// The variables of `for`s below this are named by the expression, the others are its own.
    base: usize,
    scope: Map,
    /// The first file that the expression may read and that cannot be named now.
    unread: Option<Box<Diagnostic>>,
}

/// The key of a traversal's value: `each.value`, `logs.group.this.app.arn`.
pub(super) fn traversal_key(steps: &[Step]) -> String {
    Path(steps.to_vec()).to_string()
}

/// The key of a resource's attribute. No traversal begins with `@`.
pub(super) fn attribute_key(address: &Address, name: &str) -> String {
    format!("@{address}.{name}")
}

/// The key of what is answered about a file.
pub(super) fn file_key(question: Question, path: &str) -> String {
    format!("@{}({path})", question.function())
}

/// The key of why there is no answer about a file.
pub(super) fn refusal_key(question: Question, path: &str) -> String {
    format!("@!{}({path})", question.function())
}

/// Puts what was answered about a file, or why it was not, into what an expression is closed over.
pub(super) fn note_file(scope: &mut Map, question: Question, path: &str, answer: &Outcome) {
    match answer {
        Ok(value) => scope.insert(file_key(question, path), value.clone()),
        Err(fault) if fault.code == UNREAD => None,
        Err(fault) => scope.insert(refusal_key(question, path), fault.message.clone().into()),
    };
}

/// Stands for a value that is not known, where only that matters.
fn placeholder() -> Value {
    broken()
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
    pub(super) fn record(&mut self, exprs: impl Iterator<Item = &'a Expr>) -> Result<Map, Box<Diagnostic>> {
        self.recorder = Some(Recorder { base: self.locals.len(), scope: Map::new(), unread: None });
        for expr in exprs {
            self.explore(expr);
        }
        let recorder = self.recorder.take();
        if let Some(spent) = self.budget.spent() {
            return Err(spent.into());
        }
        match recorder {
            // Where a value could not be had at all, that was told.
            Some(Recorder { scope, unread: Some(unread), .. }) if !scope.values().any(is_broken) => Err(unread),
            recorder => Ok(recorder.map(|recorder| recorder.scope).unwrap_or_default()),
        }
    }

    /// Evaluates an expression for what it names only, while that is being written down. A budget that is spent stays
    /// spent, so ignoring errors hides no limit.
    pub(super) fn explore(&mut self, expr: &'a Expr) {
        if self.recorder.is_none() {
            return;
        }
        if let Err(fault) = self.operand(expr)
            && fault.code == UNREAD
            && let Some(recorder) = &mut self.recorder
        {
            recorder.unread.get_or_insert(fault);
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

    /// Writes down what was answered about a file, or why it was not.
    pub(super) fn record_file(&mut self, question: Question, path: &str, answer: &Outcome) {
        if let Some(recorder) = &mut self.recorder {
            note_file(&mut recorder.scope, question, path, answer);
        }
    }

    /// Writes down what a template that was read from a file asked for.
    pub(super) fn record_all(&mut self, asked: Map) {
        if let Some(recorder) = &mut self.recorder {
            recorder.scope.extend(asked);
        }
    }

    /// Writes down an attribute of a resource.
    pub(super) fn record_attribute(&mut self, address: &Address, name: &str, value: &Value) {
        if let Some(recorder) = &mut self.recorder {
            recorder.scope.insert(attribute_key(address, name), value.clone());
        }
    }
}
