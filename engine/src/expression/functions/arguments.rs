//! What a function gets and how it says no.

use super::Function;
use crate::diagnostic::Diagnostic;
use crate::expression::budget::{Budget, Spent};
use crate::expression::compare::Number;
use crate::expression::{ARITHMETIC, KIND, LIMIT, REFUSED, text};
use crate::value::{Map, Value};

/// The arguments of a call, evaluated; there are as many as the signature allows.
pub(super) struct Arguments<'a> {
    function: &'static Function,
    values: Vec<Value>,
    budget: &'a Budget,
}

/// Why a function has no result.
pub(super) struct Refusal {
    pub code: &'static str,
    /// May tell values, unless the code is that of a wrong kind.
    pub message: String,
    /// The argument at fault.
    pub argument: Option<usize>,
}

impl Refusal {
    /// Something about the values.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { code: REFUSED, message: message.into(), argument: None }
    }

    /// Something about a number.
    pub(super) fn arithmetic(message: impl Into<String>) -> Self {
        Self { code: ARITHMETIC, ..Self::new(message) }
    }

    /// The same, about one argument.
    pub(super) fn about(self, argument: usize) -> Self {
        Self { argument: Some(argument), ..self }
    }
}

impl From<Spent> for Refusal {
    fn from(Spent(why): Spent) -> Self {
        Self { code: LIMIT, ..Self::new(why) }
    }
}

impl From<Box<Diagnostic>> for Refusal {
    fn from(diagnostic: Box<Diagnostic>) -> Self {
        Self { code: diagnostic.code, ..Self::new(diagnostic.message) }
    }
}

impl<'a> Arguments<'a> {
    pub(super) fn new(function: &'static Function, values: Vec<Value>, budget: &'a Budget) -> Self {
        Self { function, values, budget }
    }

    pub(super) fn count(&self) -> usize {
        self.values.len()
    }

    pub(super) fn has(&self, at: usize) -> bool {
        at < self.values.len()
    }

    /// The argument itself; null when there is none. Each can be taken once.
    pub(super) fn value(&mut self, at: usize) -> Value {
        self.values.get_mut(at).map(std::mem::take).unwrap_or_default()
    }

    /// All arguments.
    pub(super) fn all(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.values)
    }

    pub(super) fn wrong(&self, at: usize, expected: &str, found: &Value) -> Refusal {
        let name = self.function.name();
        let parameter = self.function.parameter(at);
        let message = format!("`{name}` takes {expected} as `{parameter}`, not {}", found.kind());
        Refusal { code: KIND, ..Refusal::new(message).about(at) }
    }

    /// A text; numbers and bools are one too, as in a template.
    pub(super) fn text(&mut self, at: usize) -> Result<String, Refusal> {
        let value = self.value(at);
        text::of(&value).ok_or_else(|| self.wrong(at, "a string", &value))
    }

    pub(super) fn number(&mut self, at: usize) -> Result<Number, Refusal> {
        let value = self.value(at);
        Number::of(&value).ok_or_else(|| self.wrong(at, "a number", &value))
    }

    pub(super) fn integer(&mut self, at: usize) -> Result<i64, Refusal> {
        match self.value(at) {
            Value::Integer(value) => Ok(value),
            Value::Float(value) if value.fract() == 0.0 && value.abs() < 1e15 => Ok(value as i64),
            value @ Value::Float(_) => Err(Refusal {
                message: format!(
                    "`{}` takes a whole number as `{}`",
                    self.function.name(),
                    self.function.parameter(at)
                ),
                ..self.wrong(at, "", &value)
            }),
            value => Err(self.wrong(at, "a number", &value)),
        }
    }

    /// A whole number that counts something.
    pub(super) fn size(&mut self, at: usize) -> Result<usize, Refusal> {
        let value = self.integer(at)?;
        let name = self.function.parameter(at);
        usize::try_from(value).map_err(|_| Refusal::new(format!("`{name}` must not be negative")).about(at))
    }

    pub(super) fn list(&mut self, at: usize) -> Result<Vec<Value>, Refusal> {
        match self.value(at) {
            Value::List(list) => Ok(list),
            value => Err(self.wrong(at, "a list", &value)),
        }
    }

    pub(super) fn texts(&mut self, at: usize) -> Result<Vec<String>, Refusal> {
        let list = self.list(at)?;
        list.iter().map(|value| text::of(value).ok_or_else(|| self.wrong(at, "a list of strings", value))).collect()
    }

    pub(super) fn map(&mut self, at: usize) -> Result<Map, Refusal> {
        match self.value(at) {
            Value::Map(map) => Ok(map),
            value => Err(self.wrong(at, "a map", &value)),
        }
    }

    /// Asks for room before so many bytes of text are made.
    pub(super) fn room_for_text(&mut self, bytes: usize) -> Result<(), Refusal> {
        Ok(self.budget.room_for_text(bytes)?)
    }

    /// Asks for room before so many copies of a value are made.
    pub(super) fn room_for_copies(&mut self, value: &Value, copies: usize) -> Result<(), Refusal> {
        Ok(self.budget.room_for_copies(value, copies)?)
    }

    /// Asks for room before so many values are made.
    pub(super) fn room_for_values(&mut self, count: usize) -> Result<(), Refusal> {
        Ok(self.budget.room_for_values(count)?)
    }

    /// Takes steps for work that is out of proportion to the result.
    pub(super) fn work(&mut self, steps: usize) -> Result<(), Refusal> {
        Ok(self.budget.step(steps)?)
    }
}
