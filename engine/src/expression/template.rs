//! A string of the stack file.

use std::borrow::Cow;
use std::sync::Arc;

use super::ast::Part;
use super::budget::Budget;
use super::evaluate::{Evaluator, Scope};
use super::offsets::Origin;
use super::references::{self, Traversal};
use super::scanner::{self, Mistake};
use super::{next_step, parse};
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::value::Value;

/// A string of the stack file, parsed: literal text and `${…}` parts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Template(Arc<Parsed>);

#[derive(Debug)]
struct Parsed {
    text: String,
    origin: Origin,
    /// What it is made of; empty where it is its own text, as most strings and all but a few keys are.
    parts: Box<[Part]>,
}

impl Template {
    /// Parses `text`, the decoded TOML string that `origin` places in the file. Fails with every syntax error, unknown
    /// function and wrong number of arguments in it.
    pub fn parse(text: &str, origin: &Origin) -> Result<Template, Diagnostics> {
        match parse::template(text) {
            Ok(parts) => {
                let is_plain = matches!(parts.as_slice(), [Part::Literal(literal)] if literal == text);
                let parts = if is_plain { Box::default() } else { parts.into_boxed_slice() };
                Ok(Self(Arc::new(Parsed { text: text.to_owned(), origin: origin.clone(), parts })))
            }
            Err(mistakes) => {
                Err(Diagnostics(mistakes.into_iter().map(|mistake| diagnostic(mistake, origin)).collect()))
            }
        }
    }

    /// Parses what somebody typed: a text that begins with `${`, or an expression without `${` and `}` round it.
    pub fn of_line(text: &str, origin: &Origin) -> Result<Template, Diagnostics> {
        if is_template(text) { Self::parse(text, origin) } else { Self::expression(text, origin) }
    }

    fn expression(text: &str, origin: &Origin) -> Result<Template, Diagnostics> {
        let wrapped = format!("{OPENING}{text}\n}}");
        let origin = origin.clone().led_by(OPENING.len());
        match parse::expression(&wrapped) {
            Ok(parts) => Ok(Self(Arc::new(Parsed { text: wrapped, origin, parts: parts.into_boxed_slice() }))),
            Err(mut mistakes) => {
                // Nobody sees the brace.
                let end = OPENING.len() + text.len();
                for mistake in mistakes.iter_mut().filter(|mistake| mistake.range.end > end) {
                    mistake.help = Some("write the rest of it".into());
                }
                Err(Diagnostics(mistakes.into_iter().map(|mistake| diagnostic(mistake, &origin)).collect()))
            }
        }
    }

    /// Whether what somebody typed goes on in the next line: it ends inside a string, a comment or brackets.
    pub fn goes_on(text: &str) -> bool {
        scanner::goes_on(text, !is_template(text))
    }

    /// The decoded text it was parsed from, escapes and `${…}` included.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The whole string's place in the file, quotes included.
    pub fn span(&self) -> Option<&Span> {
        self.0.origin.token()
    }

    /// Whether there is no `${…}` in it, so that its value is known without a scope.
    pub fn is_literal(&self) -> bool {
        self.literal().is_some()
    }

    /// The text after unescaping, if there is no `${…}` in it.
    pub fn literal(&self) -> Option<&str> {
        match &*self.0.parts {
            [] => Some(&self.0.text),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.0.parts
    }

    /// Every traversal from a root of the scope, in the order of the text. Variables of a `for` are no roots.
    pub fn references(&self) -> Vec<Traversal> {
        references::of(&self.0.parts, &self.0.origin)
    }

    /// The value. Fails with the first error of each `${…}`.
    pub fn evaluate(&self, scope: &dyn Scope, budget: &Budget) -> Result<Value, Diagnostics> {
        if let Some(text) = self.literal() {
            return Ok(Value::String(text.to_owned()));
        }
        let Parsed { text, origin, parts } = &*self.0;
        Evaluator::new(scope, budget, text, origin).whole(parts).map_err(|mut errors| {
            for error in errors.0.iter_mut().filter(|error| error.help.is_none()) {
                error.help = next_step(error.code).map(str::to_owned);
            }
            errors
        })
    }
}

/// What stands before an expression in a text.
const OPENING: &str = "${";

fn is_template(line: &str) -> bool {
    line.trim_start().starts_with(OPENING)
}

fn diagnostic(mistake: Mistake, origin: &Origin) -> Diagnostic {
    let diagnostic = Diagnostic::error(mistake.code, mistake.message).at(origin.span(mistake.range));
    match mistake.help.or_else(|| next_step(mistake.code).map(Cow::from)) {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}
