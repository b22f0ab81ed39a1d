//! Bounds on what evaluation may cost.

use std::cell::Cell;

use super::LIMIT;
use crate::diagnostic::Diagnostic;
use crate::value::{Map, Unknown, Value};

/// How much evaluation may still do; one for all of a stack's templates.
///
/// Steps bound time, values and text bound memory; one result may also be neither too large nor too deep. Once a bound
/// is reached, the template fails, and no `try` in it can hide that. It is taken from through a shared reference, because a scope that is asked for a name may
/// evaluate other templates with the same budget.
#[derive(Debug, Clone)]
pub struct Budget {
    steps: Cell<usize>,
    values: Cell<usize>,
    text: Cell<usize>,
    spent: Cell<Option<&'static str>>,
}

impl Default for Budget {
    /// 2,000,000 steps that make at most 500,000 values with 64 MiB of text in all.
    fn default() -> Self {
        let (steps, values, text) = (Cell::new(2_000_000), Cell::new(500_000), Cell::new(64 << 20));
        Self { steps, values, text, spent: Cell::new(None) }
    }
}

/// The values in one result.
const RESULT_VALUES: usize = 100_000;
/// The bytes of text in one result.
const RESULT_TEXT: usize = 10 << 20;
/// The depth of one result; an unknown expression is as deep as what it is closed over.
const RESULT_DEPTH: usize = 64;

impl Budget {
    /// A budget of that many steps, with the usual bounds on values and text.
    pub fn of_steps(steps: usize) -> Self {
        Self { steps: Cell::new(steps), ..Self::default() }
    }

    /// Takes steps.
    pub(super) fn step(&self, count: usize) -> Result<(), Spent> {
        self.take(&self.steps, count, "this takes too many steps")
    }

    /// Takes what a value that was made weighs.
    pub(super) fn made(&self, value: &Value) -> Result<(), Spent> {
        let mut size = Size::default();
        size.add(value, 0);
        self.step(size.values / 8)?;
        self.take(&self.values, size.values, "this makes too many values")?;
        self.take(&self.text, size.text, "this makes too much text")
    }

    /// Takes what an empty list or map weighs, or a place in one.
    pub(super) fn made_place(&self) -> Result<(), Spent> {
        self.take(&self.values, 1, "this makes too many values")
    }

    /// Whether so many bytes of text may still be made; to be asked before they are.
    pub(super) fn room_for_text(&self, bytes: usize) -> Result<(), Spent> {
        self.room(bytes, self.text.get().min(RESULT_TEXT), "this makes more than 10 MB of text")
    }

    /// Whether the text in the value may still be made so many times; to be asked before it is.
    pub(super) fn room_for_copies(&self, value: &Value, copies: usize) -> Result<(), Spent> {
        let mut size = Size::default();
        size.add(value, 0);
        self.room_for_text(size.text.saturating_mul(copies))?;
        self.room_for_values(size.values.saturating_mul(copies))
    }

    /// Whether so many values may still be made; to be asked before they are.
    pub(super) fn room_for_values(&self, count: usize) -> Result<(), Spent> {
        self.room(count, self.values.get().min(RESULT_VALUES), "this makes more than 100,000 values")
    }

    /// Checks a result as a whole.
    pub(super) fn check(&self, value: &Value) -> Result<(), Spent> {
        let mut size = Size::default();
        size.add(value, 0);
        self.room_for_values(size.values)?;
        self.room_for_text(size.text)?;
        self.room(size.depth, RESULT_DEPTH, "this value is more than 64 deep")
    }

    /// Why the budget is spent, if it is.
    pub(super) fn spent(&self) -> Option<Spent> {
        self.spent.get().map(Spent)
    }

    /// Lets the next template try with what is left.
    pub(super) fn next(&self) {
        self.spent.set(None);
    }

    fn take(&self, left: &Cell<usize>, count: usize, why: &'static str) -> Result<(), Spent> {
        self.room(count, left.get(), why)?;
        left.set(left.get() - count);
        Ok(())
    }

    fn room(&self, count: usize, left: usize, why: &'static str) -> Result<(), Spent> {
        if count > left && self.spent.get().is_none() {
            self.spent.set(Some(why));
        }
        self.spent().map_or(Ok(()), Err)
    }
}

/// The budget is spent, and why.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spent(pub &'static str);

impl From<Spent> for Diagnostic {
    fn from(Spent(why): Spent) -> Self {
        Diagnostic::error(LIMIT, why).note("Expressions are bounded, so that no stack file can keep s3stack busy")
    }
}

#[derive(Default)]
struct Size {
    values: usize,
    text: usize,
    depth: usize,
}

impl Size {
    fn add(&mut self, value: &Value, depth: usize) {
        self.values += 1;
        self.depth = self.depth.max(depth);
        match value {
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Reference(_) => {}
            Value::String(text) => self.text += text.len(),
            Value::List(list) => list.iter().for_each(|value| self.add(value, depth + 1)),
            Value::Map(map) => self.map(map, depth),
            Value::Secret(secret) => self.add(secret.expose(), depth),
            Value::Unknown(unknown) => {
                if let Unknown::Expression { source, scope } = unknown.as_ref() {
                    self.text += source.len();
                    self.map(scope, depth);
                }
            }
        }
    }

    fn map(&mut self, map: &Map, depth: usize) {
        for (key, value) in map {
            self.text += key.len();
            self.add(value, depth + 1);
        }
    }
}
