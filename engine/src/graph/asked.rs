//! Expressions that somebody asks for, beside those of the files.

use super::build::Inputs;
use super::evaluate::Evaluator;
use super::instances;
use super::scope::{BlockScope, Owner};
use crate::address::Path;
use crate::diagnostic::Diagnostics;
use crate::expression::{Budget, Template};
use crate::stack::is_broken;
use crate::value::Value;

/// The value that an expression would have in `[output]`. Fails with what is wrong with it, or with that in the stack
/// from which nothing can be made; what else is wrong with the stack is not told.
pub fn evaluate(inputs: &Inputs<'_>, expression: &Template) -> Result<Value, Diagnostics> {
    let mut evaluator = Evaluator::new(inputs);
    instances::declare(&mut evaluator);
    let before = evaluator.diagnostics.take();
    let scope = BlockScope { evaluator: &evaluator, frame: 0, owner: Owner::Nobody, each: None, path: Path::default() };
    let value = expression.evaluate(&scope, &Budget::default());
    let mut found = evaluator.diagnostics.take();
    match value {
        Err(own) => {
            found.extend_elsewhere(own);
            Err(found)
        }
        Ok(_) if found.has_errors() => Err(found),
        // Of what was told before, something is in it. Else nobody has asked AWS for it.
        Ok(value) if is_broken(&value) && before.has_errors() => Err(before),
        Ok(value) => Ok(value),
    }
}
