//! From syntax tree to value.
//!
//! An expression whose value is not known yet is closed over what it names ([`super::capture`]). That is done once, for
//! the outermost part that cannot be known: what only serves to compute something (operands, arguments, conditions) is
//! evaluated *held*, which makes unknowns without closing over anything.

use super::ast::{BinaryOperator, Expr, For, Node, Part};
use super::budget::{Budget, Spent};
use super::capture::Recorder;
use super::files::Question;
use super::offsets::Origin;
use super::{KIND, MISSING, MOST_ERRORS, operate, text};
use crate::address::{Address, Step};
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::value::{Map, Secret, Value};

/// What the names in expressions mean.
///
/// An expression that cannot be known yet is evaluated more than once, and what it names is remembered; so the answers
/// must not change as long as one evaluation lasts.
pub trait Scope {
    /// Resolves the beginning of a traversal. The first of `steps` is a root's name (`var`, `each`, `s3`), indexes are
    /// computed (so `["a"]` and `.a` are the same), and steps end before a splat or an index that is unknown or
    /// secret. Answers the value and how many steps led to it; the others are applied to the value. Fails with what is
    /// wrong at `span`, the whole traversal's place.
    fn resolve(&self, steps: &[Step], span: Option<&Span>) -> Result<(Value, usize), Box<Diagnostic>>;

    /// An attribute or property of a resource that is held as a value, as in `each.value.arn`, `module.m.out.name` and
    /// after a splat. Fails with what is wrong at `span`, the whole traversal's place.
    fn attribute(&self, resource: &Address, name: &str, span: Option<&Span>) -> Result<Value, Box<Diagnostic>>;

    /// Answers a question about a file, whose path is relative to the folder that the expression belongs to.
    fn file(&self, question: Question, path: &str) -> Result<Value, Box<Diagnostic>>;
}

/// A value, or the first error on the way to it.
pub(super) type Outcome = Result<Value, Box<Diagnostic>>;

/// Evaluates the parts of one template.
pub(super) struct Evaluator<'a> {
    pub(super) scope: &'a dyn Scope,
    pub(super) budget: &'a Budget,
    pub(super) text: &'a str,
    pub(super) origin: &'a Origin,
    /// The variables of the `for`s around, innermost last.
    pub(super) locals: Vec<(&'a str, Value)>,
    /// How many held evaluations are going on.
    pub(super) held: usize,
    /// How many expressions could not be known so far: any of them may still fail.
    pub(super) deferred: usize,
    /// Present while an expression is being closed over what it names.
    pub(super) recorder: Option<Recorder>,
    /// How many expressions are being evaluated around this one.
    pub(super) depth: usize,
    /// Whether the text was read from a file by `templatefile`.
    pub(super) is_file: bool,
}

/// The value without its being secret, and whether it was.
pub(super) fn strip(value: Value) -> (Value, bool) {
    match value {
        Value::Secret(secret) => (secret.expose().clone(), true),
        value => (value, false),
    }
}

/// The value with no secret in it, and whether there was one.
pub(super) fn reveal(value: Value) -> (Value, bool) {
    let mut secret = false;
    let value = reveal_into(value, &mut secret);
    (value, secret)
}

fn reveal_into(value: Value, secret: &mut bool) -> Value {
    match value {
        Value::Secret(inner) => {
            *secret = true;
            reveal_into(inner.expose().clone(), secret)
        }
        Value::List(list) => Value::List(list.into_iter().map(|value| reveal_into(value, secret)).collect()),
        Value::Map(map) => Value::Map(map.into_iter().map(|(key, value)| (key, reveal_into(value, secret))).collect()),
        value => value,
    }
}

/// The value, made secret as a whole if it is to be: then nothing inside is secret by itself.
pub(super) fn hide(value: Value, secret: bool) -> Value {
    if secret { Value::Secret(Secret::new(reveal(value).0)) } else { value }
}

impl From<Spent> for Box<Diagnostic> {
    fn from(spent: Spent) -> Self {
        Box::new(spent.into())
    }
}

pub(super) fn fault(code: &'static str, message: impl Into<String>) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(code, message))
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(scope: &'a dyn Scope, budget: &'a Budget, text: &'a str, origin: &'a Origin) -> Self {
        let (locals, recorder) = (Vec::new(), None);
        Self { scope, budget, text, origin, locals, held: 0, deferred: 0, recorder, depth: 0, is_file: false }
    }

    /// The value of a whole template. Fails with the first error of each part.
    pub(super) fn whole(mut self, parts: &'a [Part]) -> Result<Value, Diagnostics> {
        let outcome = match parts {
            [Part::Expression(expr)] => self.expression(expr).map_err(|fault| Diagnostics(vec![*fault])),
            parts => self.joined(parts).map_err(Diagnostics),
        };
        let outcome = outcome.and_then(|value| match self.budget.check(&value) {
            Ok(()) => Ok(value),
            Err(spent) => Err(Diagnostics(vec![Diagnostic::from(spent).at(self.origin.span(0..self.text.len()))])),
        });
        self.budget.next();
        outcome
    }

    /// The value of an expression.
    pub(super) fn expression(&mut self, expr: &'a Expr) -> Outcome {
        self.depth += 1;
        let outcome = self.dispatch(expr);
        self.depth -= 1;
        outcome.map_err(|fault| self.placed(fault, expr))
    }

    /// The value of an expression that only serves to compute another value.
    pub(super) fn operand(&mut self, expr: &'a Expr) -> Outcome {
        self.held += 1;
        let outcome = self.expression(expr);
        self.held -= 1;
        outcome
    }

    /// The fault, with the place of the expression unless it knows a better one.
    pub(super) fn placed(&self, mut fault: Box<Diagnostic>, expr: &Expr) -> Box<Diagnostic> {
        if fault.span.is_none() {
            fault.span = self.origin.span(expr.range.clone());
        }
        fault
    }

    fn dispatch(&mut self, expr: &'a Expr) -> Outcome {
        self.budget.step(1)?;
        match &expr.node {
            Node::Literal(value) => {
                self.budget.made(value)?;
                Ok(value.clone())
            }
            Node::Template(parts) => self.string(expr, parts),
            Node::List(items) => self.list(items),
            Node::Object(entries) => self.object(expr, entries),
            Node::Name(_) => self.traverse(expr, expr, &[]),
            Node::Traverse { base, reaches } => self.traverse(expr, base, reaches),
            Node::Call(call) => self.call(expr, call),
            Node::Unary { operator, operand } => {
                let (value, secret) = reveal(self.operand(operand)?);
                match value {
                    Value::Unknown(_) => self.unknown(expr, secret),
                    value => Ok(hide(operate::unary(*operator, &value)?, secret)),
                }
            }
            Node::Binary { operator: operator @ (BinaryOperator::And | BinaryOperator::Or), left, right } => {
                self.logic(expr, *operator, left, right)
            }
            Node::Binary { operator, left, right } => self.binary(expr, *operator, left, right),
            Node::Conditional { condition, yes, no } => self.conditional(expr, condition, yes, no),
            Node::For(each) => self.each(expr, each),
        }
    }

    fn string(&mut self, expr: &'a Expr, parts: &'a [Part]) -> Outcome {
        match parts {
            [Part::Expression(only)] => self.expression(only),
            parts => self.joined(parts).map_err(|mut faults| match faults.is_empty() {
                true => fault(KIND, "this string has no value"),
                false => self.placed(Box::new(faults.swap_remove(0)), expr),
            }),
        }
    }

    /// The parts of a string as one text. Fails with the first error of each part.
    pub(super) fn joined(&mut self, parts: &'a [Part]) -> Result<Value, Vec<Diagnostic>> {
        let mut said = Vec::with_capacity(parts.len());
        let mut faults = Vec::new();
        for part in parts {
            match part {
                Part::Literal(text) => said.push(Said::Known(text.clone())),
                Part::Expression(expr) => match self.said(expr) {
                    Ok(value) => said.push(value),
                    Err(fault) => faults.push(*fault),
                },
            }
            if faults.len() >= MOST_ERRORS {
                break;
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let secret = said.iter().any(|part| matches!(part, Said::Secret(_) | Said::Unknown { secret: true }));
        let outcome = if said.iter().any(|part| matches!(part, Said::Unknown { .. })) {
            self.unknown_string(parts, said, secret)
        } else {
            self.known_string(said, secret)
        };
        outcome.map_err(|fault| vec![*fault])
    }

    fn said(&mut self, expr: &'a Expr) -> Result<Said, Box<Diagnostic>> {
        let (value, secret) = strip(self.operand(expr)?);
        match (text::of(&value), &value) {
            (Some(text), _) if secret => Ok(Said::Secret(text)),
            (Some(text), _) => Ok(Said::Known(text)),
            (None, Value::Unknown(_)) => Ok(Said::Unknown { secret }),
            (None, Value::Null) => {
                let fault =
                    fault(KIND, "null cannot be part of a string").help("use coalesce(…) to give another value");
                Err(self.placed(Box::new(fault), expr))
            }
            (None, other) => {
                let diagnostic = fault(KIND, format!("{} cannot be part of a string", other.kind()));
                let diagnostic = match other {
                    Value::Reference(_) => diagnostic.help("say which of its attributes is meant, such as `.arn`"),
                    _ => diagnostic.help("use join(…) or jsonencode(…)"),
                };
                Err(self.placed(Box::new(diagnostic), expr))
            }
        }
    }

    fn known_string(&mut self, said: Vec<Said>, secret: bool) -> Outcome {
        let texts: Vec<String> = said.into_iter().map(Said::into_text).collect();
        self.budget.room_for_text(texts.iter().map(String::len).sum())?;
        let value = Value::String(texts.concat());
        self.budget.made(&value)?;
        Ok(hide(value, secret))
    }

    fn list(&mut self, items: &'a [Expr]) -> Outcome {
        self.budget.made_place()?;
        items.iter().map(|item| self.expression(item)).collect::<Result<_, _>>().map(Value::List)
    }

    fn object(&mut self, expr: &'a Expr, entries: &'a [(Expr, Expr)]) -> Outcome {
        self.budget.made_place()?;
        let mut map = Map::new();
        let (mut secret, mut unknown) = (false, false);
        for (key_expr, value_expr) in entries {
            let key = self.key(key_expr)?;
            let value = self.expression(value_expr)?;
            match key {
                Key::Unknown => unknown = true,
                Key::Known { text, secret: hidden } => {
                    secret |= hidden;
                    if map.insert(text.clone(), value).is_some() {
                        return Err(self.placed(duplicate(&text, secret), key_expr));
                    }
                }
            }
        }
        if unknown { self.unknown(expr, secret) } else { Ok(hide(Value::Map(map), secret)) }
    }

    fn key(&mut self, expr: &'a Expr) -> Result<Key, Box<Diagnostic>> {
        let (value, secret) = strip(self.operand(expr)?);
        match (text::of(&value), value) {
            (Some(text), _) => Ok(Key::Known { text, secret }),
            (None, Value::Unknown(_)) => Ok(Key::Unknown),
            (None, other) => {
                Err(self.placed(fault(KIND, format!("a key must be a string, not {}", other.kind())), expr))
            }
        }
    }

    /// `&&` and `||`: the right side counts only where the left does not decide.
    fn logic(&mut self, expr: &'a Expr, operator: BinaryOperator, left: &'a Expr, right: &'a Expr) -> Outcome {
        let (value, mut secret) = strip(self.operand(left)?);
        match self.truth(value, operator.sign(), left)? {
            None => {
                self.explore(right);
                self.unknown(expr, secret)
            }
            Some(value) if value == (operator == BinaryOperator::Or) => Ok(hide(Value::Bool(value), secret)),
            Some(_) => {
                let (value, hidden) = strip(self.operand(right)?);
                secret |= hidden;
                match self.truth(value, operator.sign(), right)? {
                    None => self.unknown(expr, secret),
                    Some(value) => Ok(hide(Value::Bool(value), secret)),
                }
            }
        }
    }

    /// The bool a value is; `None` when it is unknown.
    fn truth(&self, value: Value, sign: &str, expr: &Expr) -> Result<Option<bool>, Box<Diagnostic>> {
        match value {
            Value::Bool(value) => Ok(Some(value)),
            Value::Unknown(_) => Ok(None),
            other => Err(self.placed(fault(KIND, format!("`{sign}` takes bools, not {}", other.kind())), expr)),
        }
    }

    fn binary(&mut self, expr: &'a Expr, operator: BinaryOperator, left: &'a Expr, right: &'a Expr) -> Outcome {
        let (left, left_secret) = reveal(self.operand(left)?);
        let (right, right_secret) = reveal(self.operand(right)?);
        let secret = left_secret || right_secret;
        if left.is_known() && right.is_known() {
            Ok(hide(operate::binary(operator, &left, &right)?, secret))
        } else {
            self.unknown(expr, secret)
        }
    }

    fn conditional(&mut self, expr: &'a Expr, condition: &'a Expr, yes: &'a Expr, no: &'a Expr) -> Outcome {
        let (value, secret) = strip(self.operand(condition)?);
        match value {
            Value::Bool(value) => Ok(hide(self.expression(if value { yes } else { no })?, secret)),
            Value::Unknown(_) => {
                self.explore(yes);
                self.explore(no);
                self.unknown(expr, secret)
            }
            other => {
                let fault = fault(KIND, format!("a condition must be a bool, not {}", other.kind()));
                Err(self.placed(fault, condition))
            }
        }
    }

    fn each(&mut self, expr: &'a Expr, each: &'a For) -> Outcome {
        let (collection, secret) = strip(self.expression(&each.collection)?);
        let items: Vec<(Value, Value)> = match collection {
            Value::List(list) => (0..).map(Value::Integer).zip(list).collect(),
            Value::Map(map) => map.into_iter().map(|(key, value)| (hide(Value::String(key), secret), value)).collect(),
            Value::Unknown(_) => {
                self.explore_each(each);
                return self.unknown(expr, secret);
            }
            other => {
                let fault = fault(KIND, format!("`for` goes over a list or a map, not {}", other.kind()));
                return Err(self.placed(fault, &each.collection));
            }
        };
        let outside = self.locals.len();
        let mut made = Made { secret, ..Made::default() };
        for (key, value) in items {
            if let Some(name) = &each.key_name {
                self.locals.push((name, key));
            }
            self.locals.push((&each.value_name, hide(value, secret)));
            let outcome = self.item(each, &mut made);
            self.locals.truncate(outside);
            outcome?;
        }
        if made.unknown {
            return self.unknown(expr, made.secret);
        }
        let value = match (&each.key, each.grouping) {
            (None, _) => Value::List(made.list),
            (Some(_), false) => Value::Map(made.map),
            (Some(_), true) => Value::Map(made.groups.into_iter().map(|(k, list)| (k, Value::List(list))).collect()),
        };
        Ok(hide(value, made.secret))
    }

    /// One round of a `for`, whose variables are bound.
    fn item(&mut self, each: &'a For, made: &mut Made) -> Result<(), Box<Diagnostic>> {
        self.budget.step(1)?;
        if let Some(condition) = &each.condition {
            let (value, hidden) = strip(self.operand(condition)?);
            made.secret |= hidden;
            match value {
                Value::Bool(true) => {}
                Value::Bool(false) => return Ok(()),
                Value::Unknown(_) => {
                    made.unknown = true;
                    each.key.iter().for_each(|key| self.explore(key));
                    self.explore(&each.value);
                    return Ok(());
                }
                other => {
                    let fault = fault(KIND, format!("a condition must be a bool, not {}", other.kind()));
                    return Err(self.placed(fault, condition));
                }
            }
        }
        let key = each.key.as_ref().map(|key| self.key(key)).transpose()?;
        let value = self.expression(&each.value)?;
        self.budget.made_place()?;
        match key {
            None => made.list.push(value),
            Some(Key::Unknown) => made.unknown = true,
            Some(Key::Known { text, secret }) => {
                made.secret |= secret;
                if each.grouping {
                    made.groups.entry(text).or_default().push(value);
                } else if made.map.insert(text.clone(), value).is_some() {
                    let fault = duplicate(&text, made.secret).help("write `=> value...` to gather the values of a key");
                    return Err(Box::new(fault));
                }
            }
        }
        Ok(())
    }
}

/// What a `for` has made so far.
#[derive(Default)]
struct Made {
    list: Vec<Value>,
    map: Map,
    groups: std::collections::BTreeMap<String, Vec<Value>>,
    secret: bool,
    unknown: bool,
}

/// A key of an object.
enum Key {
    Known { text: String, secret: bool },
    Unknown,
}

fn duplicate(key: &str, secret: bool) -> Box<Diagnostic> {
    match secret {
        true => fault(MISSING, "two entries have the same key"),
        false => fault(MISSING, format!("two entries have the key `{key}`")),
    }
}

/// A part of a string, evaluated.
pub(super) enum Said {
    /// Literal text, or that of an expression.
    Known(String),
    /// The text of a secret.
    Secret(String),
    /// Not known yet.
    Unknown { secret: bool },
}

impl Said {
    fn into_text(self) -> String {
        match self {
            Self::Known(text) | Self::Secret(text) => text,
            Self::Unknown { .. } => String::new(),
        }
    }
}
