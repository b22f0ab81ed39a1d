//! Nodes to values.

use super::model::{Node, NodeKind, Table};
use crate::address::{Address, Path, Step};
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::expression::{Budget, Question, Scope};
use crate::value::{Map, Value, broken};

/// The scope for the texts at a path: so that whoever evaluates knows which property named what, and can keep an edge
/// with it. It is asked once for each text that has an expression in it.
pub type ScopeAt<'a> = dyn Fn(&Path) -> Box<dyn Scope + 'a> + 'a;

/// Evaluates a node and all in it; `path` is where it stands in its block.
///
/// Every error in it is told, not only the first. Keys are evaluated too: they must be known texts.
pub fn evaluate_at(node: &Node, path: &Path, scope: &ScopeAt<'_>, budget: &Budget) -> Result<Value, Diagnostics> {
    let mut evaluation = Evaluation { scope, budget, errors: Diagnostics::default() };
    let value = evaluation.node(node, path);
    evaluation.finish(value)
}

/// Evaluates all keys and values of a table; `path` is where it stands in its block.
pub fn evaluate_table(table: &Table, path: &Path, scope: &ScopeAt<'_>, budget: &Budget) -> Result<Map, Diagnostics> {
    let mut evaluation = Evaluation { scope, budget, errors: Diagnostics::default() };
    let map = evaluation.table(table, path);
    evaluation.finish(map)
}

/// Evaluates a node in one scope, wherever in it the texts stand.
pub fn evaluate(node: &Node, scope: &dyn Scope, budget: &Budget) -> Result<Value, Diagnostics> {
    evaluate_at(node, &Path::default(), &|_| Box::new(Same(scope)), budget)
}

/// A scope by reference.
struct Same<'a>(&'a dyn Scope);

impl Scope for Same<'_> {
    fn resolve(&self, steps: &[Step], span: Option<&Span>) -> Result<(Value, usize), Box<Diagnostic>> {
        self.0.resolve(steps, span)
    }

    fn attribute(&self, resource: &Address, name: &str, span: Option<&Span>) -> Result<Value, Box<Diagnostic>> {
        self.0.attribute(resource, name, span)
    }

    fn file(&self, question: Question, path: &str) -> Result<Value, Box<Diagnostic>> {
        self.0.file(question, path)
    }
}

struct Evaluation<'a, 's> {
    scope: &'a ScopeAt<'s>,
    budget: &'a Budget,
    errors: Diagnostics,
}

impl Evaluation<'_, '_> {
    fn finish<T>(self, value: T) -> Result<T, Diagnostics> {
        if self.errors.0.is_empty() { Ok(value) } else { Err(self.errors) }
    }

    /// The value; null where there was an error, which is kept.
    fn node(&mut self, node: &Node, path: &Path) -> Value {
        match &node.kind {
            NodeKind::Bool(value) => Value::Bool(*value),
            NodeKind::Integer(value) => Value::Integer(*value),
            NodeKind::Float(value) => Value::Float(*value),
            NodeKind::Broken => broken(),
            NodeKind::Text(template) => match template.literal() {
                Some(text) => Value::String(text.to_owned()),
                None => {
                    let scope = (self.scope)(path);
                    template.evaluate(scope.as_ref(), self.budget).unwrap_or_else(|errors| {
                        self.errors.extend(errors);
                        Value::Null
                    })
                }
            },
            NodeKind::List(list) => {
                Value::List(list.iter().enumerate().map(|(at, item)| self.node(item, &path.index(at))).collect())
            }
            NodeKind::Table(table) => Value::Map(self.table(table, path)),
        }
    }

    fn table(&mut self, table: &Table, path: &Path) -> Map {
        let mut map = Map::new();
        for (name, entry) in table {
            let at = path.key(name);
            let key = match entry.key.literal() {
                Some(key) => Ok(Value::String(key.to_owned())),
                None => entry.key.evaluate((self.scope)(&at).as_ref(), self.budget),
            };
            let key = match key {
                Ok(Value::String(key)) => key,
                Ok(Value::Integer(key)) => key.to_string(),
                Ok(other) => {
                    let message = format!("a key must be a string that is known now, not {}", kind_of_key(&other));
                    self.errors.push(
                        Diagnostic::error("S3S-P8", message)
                            .at(entry.key_span.clone())
                            .help("use a variable, or a name that the file says"),
                    );
                    continue;
                }
                Err(errors) => {
                    self.errors.extend(errors);
                    continue;
                }
            };
            let value = self.node(&entry.node, &at);
            if map.contains_key(&key) {
                let message = format!("two keys of this table are `{key}` once they are evaluated");
                let diagnostic = Diagnostic::error("S3S-P3", message).at(entry.key_span.clone());
                self.errors.push(diagnostic.help("take one of them out"));
                continue;
            }
            map.insert(key, value);
        }
        map
    }
}

fn kind_of_key(value: &Value) -> &'static str {
    match value {
        Value::Secret(_) => "a secret",
        other => other.kind(),
    }
}
