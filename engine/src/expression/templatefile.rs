//! The functions that read files, `templatefile` above all.

use std::cell::RefCell;
use std::sync::Arc;

use super::ast::{Call, Expr};
use super::capture::{attribute_key, note_file};
use super::evaluate::{Evaluator, Outcome, Scope, fault, hide, strip};
use super::files::{self, Question};
use super::offsets::Origin;
use super::template::Template;
use super::{KIND, LIMIT, MISSING, REFUSED, SYNTAX};
use crate::address::{Address, Step};
use crate::diagnostic::{Diagnostic, SourceFile, Span, did_you_mean};
use crate::value::{Map, Value, is_broken};

/// How deep in an expression a template may be read: what is in it comes on top.
const DEPTH: usize = 40;

impl<'a> Evaluator<'a> {
    /// `file(path)` and the others that answer one question.
    pub(super) fn about_file(&mut self, expr: &'a Expr, call: &'a Call, question: Question) -> Outcome {
        let Some(argument) = call.arguments.first() else { return Ok(Value::Null) };
        match self.path(call, argument)? {
            Some(path) => self.file(question, &path).map_err(|fault| self.placed(fault, argument)),
            None => self.unknown(expr, false),
        }
    }

    /// `templatefile(path, variables)`. Where the text cannot be known yet, it is closed over its own variables, so the
    /// file is not needed again.
    pub(super) fn template_file(&mut self, expr: &'a Expr, call: &'a Call) -> Outcome {
        let [at, variables] = call.arguments.as_slice() else { return Ok(Value::Null) };
        if self.is_file {
            let help = "read the other one where this one is read, and give it its text as a variable";
            return Err(Box::new(fault(REFUSED, "a template cannot read another one").help(help)));
        }
        if self.depth > DEPTH {
            return Err(Box::new(
                fault(LIMIT, "a template cannot be read this deep in an expression").help("move it out"),
            ));
        }
        let Some(path) = self.path(call, at)? else { return self.unknown(expr, false) };
        let text = match self.file(Question::Text, &path).map_err(|fault| self.placed(fault, at))? {
            Value::String(text) => text,
            _ => return Ok(Value::Null),
        };
        let (given, secret) = strip(self.expression(variables)?);
        let given = match given {
            Value::Map(map) => map.into_iter().map(|(name, value)| (name, hide(value, secret))).collect(),
            Value::Unknown(_) => return self.unknown(expr, secret),
            other => {
                let message = format!("`templatefile` takes a map as `variables`, not {}", other.kind());
                return Err(self.placed(fault(KIND, message), variables));
            }
        };
        // To parse it takes time that what it comes to does not show.
        self.budget.step(text.len() / 4)?;
        let read_here = self.origin.span(expr.range.clone());
        let file = Arc::new(SourceFile { name: path, text });
        match self.rendered(&file, given, secret) {
            Ok(value) => {
                self.budget.made(&value)?;
                Ok(hide(value, secret))
            }
            Err(fault) => Err(Box::new(fault.label(read_here, "the template is read here"))),
        }
    }

    fn rendered(&mut self, file: &Arc<SourceFile>, given: Map, is_secret: bool) -> Outcome {
        directive(file)?;
        let origin = Origin::of_file(file.clone());
        let first = |mut found: Vec<Diagnostic>| match found.is_empty() {
            true => fault(SYNTAX, "this template has no value"),
            false => Box::new(found.swap_remove(0)),
        };
        let template = Template::parse(&file.text, &origin).map_err(|found| first(found.0))?;
        if let Some(text) = template.literal() {
            return Ok(text.into());
        }
        let scope = Given { given, is_secret, around: self.scope, asked: RefCell::default() };
        let mut inner = Evaluator::new(&scope, self.budget, &file.text, &origin);
        inner.is_file = true;
        let outcome = inner.joined(template.parts()).map_err(first);
        self.deferred += inner.deferred;
        self.record_all(scope.asked.into_inner());
        outcome
    }

    /// The path that an argument says; `None` if it could not be had, which was told.
    fn path(&mut self, call: &'a Call, argument: &'a Expr) -> Result<Option<String>, Box<Diagnostic>> {
        let (value, secret) = strip(self.operand(argument)?);
        match value {
            Value::String(_) if secret => {
                let fault = fault(REFUSED, "the path of a file cannot be secret: plans and errors tell it");
                Err(self.placed(Box::new(fault.help("use a value that is not")), argument))
            }
            Value::String(path) => Ok(Some(path)),
            Value::Unknown(_) => {
                let told = self.recorder.is_none() && self.record(std::iter::once(argument))?.values().any(is_broken);
                if told { Ok(None) } else { Err(self.placed(files::unread(), argument)) }
            }
            other => {
                let message = format!(
                    "`{}` takes a string as `{}`, not {}",
                    call.function.name(),
                    call.function.parameter(0),
                    other.kind()
                );
                let fault = fault(KIND, message).help(format!("it is {}", call.function.signature));
                Err(self.placed(Box::new(fault), argument))
            }
        }
    }

    fn file(&mut self, question: Question, path: &str) -> Outcome {
        self.budget.step(question.steps())?;
        let answer = self.scope.file(question, path);
        if let Ok(value) = &answer {
            self.budget.made(value)?;
        }
        self.record_file(question, path, &answer);
        answer
    }
}

/// Refuses what other template languages write as a directive: here it would be text, and nobody would be told.
fn directive(file: &Arc<SourceFile>) -> Result<(), Box<Diagnostic>> {
    for (at, _) in file.text.match_indices("%{") {
        let inside = file.text.get(at + 2..).unwrap_or_default();
        let word = inside.trim_start_matches(['~', ' ']).split(|c: char| !c.is_alphanumeric()).next();
        if matches!(word, Some("if" | "else" | "endif" | "for" | "endfor")) {
            let place = Span { file: file.clone(), start: at, end: at + 2 };
            return Err(Box::new(
                Diagnostic::error(SYNTAX, "templates have no directives: `%{` is text")
                    .at(place)
                    .help("write ${join(\"\\n\", [for x in list : x])} or ${condition ? \"a\" : \"b\"}; the text is ${\"%{\"}"),
            ));
        }
    }
    Ok(())
}

/// The scope of a template in a file: what it is given, and no more.
struct Given<'a> {
    given: Map,
    /// Whether not even the names may be told.
    is_secret: bool,
    around: &'a dyn Scope,
    /// What it asked beyond that, under the keys by which it is found again.
    asked: RefCell<Map>,
}

impl Scope for Given<'_> {
    fn resolve(&self, steps: &[Step], span: Option<&Span>) -> Result<(Value, usize), Box<Diagnostic>> {
        let name = match steps.first() {
            Some(Step::Key(name)) => name.as_str(),
            _ => "",
        };
        if let Some(value) = self.given.get(name) {
            return Ok((value.clone(), 1));
        }
        let names = || self.given.keys().map(String::as_str);
        let help = match did_you_mean(name, names()) {
            _ if self.is_secret => "its variables are secret, their names too".into(),
            Some(near) => format!("did you mean `{near}`?"),
            None if self.given.is_empty() => "give it as a variable: templatefile(…, { name = value })".into(),
            None => format!("it is given {}", names().take(8).collect::<Vec<_>>().join(", ")),
        };
        let missing = Diagnostic::error(MISSING, format!("the template is not given `{name}`"));
        Err(Box::new(missing.at(span.cloned()).help(help)))
    }

    fn attribute(&self, resource: &Address, name: &str, span: Option<&Span>) -> Result<Value, Box<Diagnostic>> {
        let value = self.around.attribute(resource, name, span)?;
        self.asked.borrow_mut().insert(attribute_key(resource, name), value.clone());
        Ok(value)
    }

    fn file(&self, question: Question, path: &str) -> Result<Value, Box<Diagnostic>> {
        let answer = self.around.file(question, path);
        note_file(&mut self.asked.borrow_mut(), question, path, &answer);
        answer
    }
}
