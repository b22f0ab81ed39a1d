//! Bounds on what evaluation may cost.

use super::LIMIT;
use crate::diagnostic::Diagnostic;
use crate::value::{Map, Unknown, Value};

/// How much evaluation may still do; one for all of a stack's templates.
///
/// Steps bound time, values and text bound memory. Once it is spent, everything that is evaluated with it fails, so
/// that no `try` can hide it.
#[derive(Debug, Clone)]
pub struct Budget {
    steps: usize,
    values: usize,
    text: usize,
    spent: Option<&'static str>,
}

impl Default for Budget {
    /// 2,000,000 steps that make at most 500,000 values with 64 MiB of text in all.
    fn default() -> Self {
        Self { steps: 2_000_000, values: 500_000, text: 64 << 20, spent: None }
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
        Self { steps, ..Self::default() }
    }

    /// Takes steps.
    pub(super) fn step(&mut self, count: usize) -> Result<(), Spent> {
        Self::take(&mut self.steps, count, &mut self.spent, "this takes too many steps")
    }

    /// Takes what a value that was made weighs.
    pub(super) fn made(&mut self, value: &Value) -> Result<(), Spent> {
        let mut size = Size::default();
        size.add(value, 0);
        self.step(size.values / 8)?;
        Self::take(&mut self.values, size.values, &mut self.spent, "this makes too many values")?;
        Self::take(&mut self.text, size.text, &mut self.spent, "this makes too much text")
    }

    /// Takes what an empty list or map weighs, or a place in one.
    pub(super) fn made_place(&mut self) -> Result<(), Spent> {
        Self::take(&mut self.values, 1, &mut self.spent, "this makes too many values")
    }

    /// Whether so many bytes of text may still be made; to be asked before they are.
    pub(super) fn room_for_text(&mut self, bytes: usize) -> Result<(), Spent> {
        Self::room(bytes, self.text.min(RESULT_TEXT), &mut self.spent, "this makes more than 10 MB of text")
    }

    /// Whether the text in the value may still be made so many times; to be asked before it is.
    pub(super) fn room_for_copies(&mut self, value: &Value, copies: usize) -> Result<(), Spent> {
        let mut size = Size::default();
        size.add(value, 0);
        self.room_for_text(size.text.saturating_mul(copies))?;
        self.room_for_values(size.values.saturating_mul(copies))
    }

    /// Whether so many values may still be made; to be asked before they are.
    pub(super) fn room_for_values(&mut self, count: usize) -> Result<(), Spent> {
        Self::room(count, self.values.min(RESULT_VALUES), &mut self.spent, "this makes more than 100,000 values")
    }

    /// Checks a result as a whole.
    pub(super) fn check(&mut self, value: &Value) -> Result<(), Spent> {
        let mut size = Size::default();
        size.add(value, 0);
        self.room_for_values(size.values)?;
        self.room_for_text(size.text)?;
        Self::room(size.depth, RESULT_DEPTH, &mut self.spent, "this value is more than 64 deep")
    }

    /// Why the budget is spent, if it is.
    pub(super) fn spent(&self) -> Option<Spent> {
        self.spent.map(Spent)
    }

    fn take(left: &mut usize, count: usize, spent: &mut Option<&'static str>, why: &'static str) -> Result<(), Spent> {
        Self::room(count, *left, spent, why)?;
        *left -= count;
        Ok(())
    }

    fn room(count: usize, left: usize, spent: &mut Option<&'static str>, why: &'static str) -> Result<(), Spent> {
        if count > left && spent.is_none() {
            *spent = Some(why);
        }
        match spent {
            Some(why) => Err(Spent(why)),
            None => Ok(()),
        }
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
            Value::Unknown(Unknown::Attribute { .. }) => {}
            Value::Unknown(Unknown::Expression { source, scope }) => {
                self.text += source.len();
                self.map(scope, depth);
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
