//! Calling a function.

use super::{Arguments, Function, Refusal, Run};
use crate::diagnostic::Diagnostic;
use crate::expression::ast::{Call, Expr};
use crate::expression::evaluate::{Evaluator, Outcome, fault, hide, reveal, strip};
use crate::expression::{KIND, REFUSED, UNREAD};
use crate::value::Value;

/// Evaluated arguments, and whether the call cannot be known or must be secret because of them.
#[derive(Default)]
struct Given {
    values: Vec<Value>,
    unknown: bool,
    secret: bool,
}

impl<'a> Evaluator<'a> {
    pub(in crate::expression) fn call(&mut self, expr: &'a Expr, call: &'a Call) -> Outcome {
        match call.function.run {
            Run::Whole(run) => {
                let mut given = Given::default();
                for value in self.arguments(call, true)? {
                    let (value, secret) = reveal(value);
                    given.secret |= secret;
                    given.unknown |= !value.is_known();
                    given.values.push(value);
                }
                self.run(expr, call, run, given)
            }
            Run::Through(run) => {
                let mut given = Given::default();
                for value in self.arguments(call, false)? {
                    let (value, secret) = strip(value);
                    given.secret |= secret;
                    given.unknown |= matches!(value, Value::Unknown(_));
                    given.values.push(value);
                }
                self.run(expr, call, run, given)
            }
            Run::File(question) => self.about_file(expr, call, question),
            Run::Template => self.template_file(expr, call),
            Run::Try => self.attempt(expr, &call.arguments, |_, value| value, None),
            Run::Can => self.attempt(expr, &call.arguments, |_, _| Value::Bool(true), Some(Value::Bool(false))),
            Run::Sensitive => match call.arguments.first() {
                Some(argument) => Ok(hide(self.expression(argument)?, true)),
                None => Ok(Value::Null),
            },
            Run::Nonsensitive => match call.arguments.first() {
                Some(argument) => match reveal(self.operand(argument)?).0 {
                    value if value.is_known() => Ok(value),
                    _ => self.unknown(expr, false),
                },
                None => Ok(Value::Null),
            },
        }
    }

    /// The arguments, the last one spread where the call says so.
    fn arguments(&mut self, call: &'a Call, held: bool) -> Result<Vec<Value>, Box<Diagnostic>> {
        let mut values = Vec::with_capacity(call.arguments.len());
        for argument in &call.arguments {
            values.push(if held { self.operand(argument)? } else { self.expression(argument)? });
        }
        if call.spread
            && let (Some(last), Some(argument)) = (values.pop(), call.arguments.last())
        {
            match strip(last) {
                (Value::List(list), secret) => values.extend(list.into_iter().map(|value| hide(value, secret))),
                // It stands for any number of arguments; the call is unknown whatever that number is.
                (value @ Value::Unknown(_), secret) => {
                    values.push(hide(value, secret));
                    return Ok(values);
                }
                (other, _) => {
                    let message = format!("`...` spreads a list, not {}", other.kind());
                    return Err(self.placed(fault(KIND, message), argument));
                }
            }
            let function = call.function;
            if values.len() < function.least() || function.most().is_some_and(|most| values.len() > most) {
                let given = super::arguments_in_words(values.len());
                let fault = fault(KIND, format!("`{}` was given {given}", function.name()));
                return Err(Box::new(fault.help(format!("it is {}", function.signature))));
            }
        }
        Ok(values)
    }

    fn run(
        &mut self,
        expr: &'a Expr,
        call: &'a Call,
        run: fn(&mut Arguments) -> Result<Value, Refusal>,
        given: Given,
    ) -> Outcome {
        if given.unknown {
            return self.unknown(expr, given.secret);
        }
        let mut arguments = Arguments::new(call.function, given.values, self.budget);
        match run(&mut arguments) {
            Ok(value) => {
                self.budget.made(&value)?;
                Ok(hide(value, given.secret))
            }
            Err(refusal) => Err(self.refused(call, refusal, given.secret)),
        }
    }

    fn refused(&self, call: &Call, refusal: Refusal, secret: bool) -> Box<Diagnostic> {
        let Function { signature, .. } = call.function;
        let name = call.function.name();
        let message = match secret && refusal.code == REFUSED {
            true => format!("`{name}` cannot do that with these values, which are secret"),
            false => refusal.message,
        };
        let diagnostic = fault(refusal.code, message).help(format!("it is {signature}"));
        let argument = refusal.argument.filter(|_| !call.spread).and_then(|at| call.arguments.get(at));
        match argument {
            Some(argument) => self.placed(Box::new(diagnostic), argument),
            None => Box::new(diagnostic),
        }
    }

    /// Evaluates one argument after the other until one has a value.
    fn attempt(
        &mut self,
        expr: &'a Expr,
        arguments: &'a [Expr],
        then: fn(&mut Self, Value) -> Value,
        otherwise: Option<Value>,
    ) -> Outcome {
        let mut last = None;
        for (at, argument) in arguments.iter().enumerate() {
            let deferred = self.deferred;
            match self.operand(argument) {
                Ok(value) if value.is_known() && self.deferred == deferred => return Ok(then(self, value)),
                Ok(_) => {
                    // Once all of it is known, even a part that was not used, it may fail, and the next one count.
                    arguments.iter().skip(at + 1).for_each(|argument| self.explore(argument));
                    return self.unknown(expr, false);
                }
                // Only once the file is known can it be known whether there is a value.
                Err(fault) if fault.code == UNREAD => return Err(fault),
                Err(fault) => last = Some(fault),
            }
            if let Some(spent) = self.budget.spent() {
                return Err(spent.into());
            }
        }
        match (otherwise, last) {
            (Some(value), _) => Ok(value),
            (None, Some(fault)) => {
                Err(Box::new(fault.note("No argument of `try` has a value; this is why the last one has none")))
            }
            (None, None) => Err(fault(KIND, "`try` takes at least one argument")),
        }
    }
}
