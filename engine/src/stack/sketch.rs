//! Nodes as values before anything is evaluated: literals as they are, expressions as unknowns.

use indexmap::IndexMap;

use super::model::{Node, NodeKind, Table};
use crate::address::{Address, Path, Step};
use crate::expression::Template;
use crate::schema::validate::{self, Problem};
use crate::schema::{Property, Shape};
use crate::value::{Map, Unknown, Value};

/// Checks what is literal in a table against its fields.
pub(super) fn check(
    table: &Table,
    fields: &IndexMap<String, Property>,
    is_type: &dyn Fn(&str) -> bool,
) -> Vec<Problem> {
    let mut sketch = Sketch { is_type, problems: Vec::new() };
    let value = sketch.fields(table, fields);
    let mut problems = validate::validate_fields(fields, &value);
    problems.append(&mut sketch.problems);
    problems
}

/// The sketch of one node of a shape.
pub(super) fn node(node: &Node, shape: &Shape, is_type: &dyn Fn(&str) -> bool) -> Value {
    Sketch { is_type, problems: Vec::new() }.node(node, Some(shape), &Path::default())
}

struct Sketch<'a> {
    is_type: &'a dyn Fn(&str) -> bool,
    problems: Vec<Problem>,
}

impl Sketch<'_> {
    fn fields(&mut self, table: &Table, fields: &IndexMap<String, Property>) -> Value {
        let mut map = Map::new();
        for (name, entry) in table {
            let path = Path::of(name);
            if entry.key.is_literal() {
                let shape = fields.get(name).map(|property| &property.shape);
                map.insert(name.clone(), self.node(&entry.node, shape, &path));
            } else {
                self.computed_name(&path);
            }
        }
        Value::Map(map)
    }

    fn node(&mut self, node: &Node, shape: Option<&Shape>, path: &Path) -> Value {
        match &node.kind {
            NodeKind::Bool(value) => Value::Bool(*value),
            NodeKind::Integer(value) => Value::Integer(*value),
            NodeKind::Float(value) => Value::Float(*value),
            NodeKind::Broken => unknown(""),
            NodeKind::Text(template) => self.text(template, shape, path),
            NodeKind::List(list) => {
                let item = |at: usize| shape.and_then(|shape| shape.step(&Step::Index(at))).map(|item| &item.shape);
                Value::List(
                    list.iter().enumerate().map(|(at, one)| self.node(one, item(at), &path.index(at))).collect(),
                )
            }
            NodeKind::Table(table) => self.table(table, shape, path),
        }
    }

    fn table(&mut self, table: &Table, shape: Option<&Shape>, path: &Path) -> Value {
        let mut map = Map::new();
        for (name, entry) in table {
            let at = path.key(name);
            let inner = shape.and_then(|shape| shape.step(&Step::Key(name.clone()))).map(|inner| &inner.shape);
            let value = self.node(&entry.node, inner, &at);
            match entry.key.literal() {
                Some(key) => {
                    map.insert(key.to_owned(), value);
                }
                // What the key will be is not known, but what it holds is.
                None if is_object(shape) => self.computed_name(&at),
                None => {
                    if let Some(inner) = inner {
                        validate::check(inner, &value, &at, &mut self.problems);
                    }
                }
            }
        }
        Value::Map(map)
    }

    fn text(&mut self, template: &Template, shape: Option<&Shape>, path: &Path) -> Value {
        if let Some(text) = template.literal() {
            return Value::String(text.to_owned());
        }
        if let Some(address) = whole_address(template, self.is_type) {
            if shape.is_none_or(takes_resource) {
                return Value::Reference(address);
            }
            let expected = shape.map(Shape::describe).unwrap_or_default();
            self.problems.push(
                Problem::new("S3S-W2", path, format!("expected {expected}, found {address}, a resource"))
                    .help(format!("say which of its attributes is meant, such as ${{{address}.arn}}")),
            );
        }
        // Text round an expression makes the whole a text, whatever the expression gives.
        if !is_whole(template) && shape.is_some_and(|shape| !takes_text(shape)) {
            let expected = shape.map(Shape::describe).unwrap_or_default();
            self.problems.push(
                Problem::new("S3S-W2", path, format!("expected {expected}, found a string with an expression in it"))
                    .help("write the expression alone: \"${…}\""),
            );
        }
        unknown(template.text())
    }

    fn computed_name(&mut self, path: &Path) {
        self.problems.push(
            Problem::new("S3S-P7", path, "the name of a property must be written out")
                .help("choose the value with an expression, not the name"),
        );
    }
}

fn unknown(source: &str) -> Value {
    Value::from(Unknown::Expression { source: source.to_owned(), scope: Default::default() })
}

fn is_object(shape: Option<&Shape>) -> bool {
    match shape {
        Some(Shape::Object(_)) => true,
        Some(Shape::Choice(shapes)) => shapes.iter().any(|shape| is_object(Some(shape))),
        _ => false,
    }
}

fn takes_text(shape: &Shape) -> bool {
    match shape {
        Shape::String(_) | Shape::Reference(_) | Shape::Document => true,
        Shape::Choice(shapes) => shapes.iter().any(takes_text),
        Shape::Bool | Shape::Number { .. } | Shape::List(_) | Shape::Set(_) | Shape::Map { .. } | Shape::Object(_) => {
            false
        }
    }
}

fn takes_resource(shape: &Shape) -> bool {
    match shape {
        Shape::Reference(_) | Shape::Document => true,
        Shape::Choice(shapes) => shapes.iter().any(takes_resource),
        _ => false,
    }
}

/// Whether the text may be one expression and nothing else, so that it keeps the expression's type.
fn is_whole(template: &Template) -> bool {
    template.text().starts_with("${") && template.text().ends_with('}')
}

/// The address, if the text is `${address}` and nothing else.
pub(super) fn whole_address(template: &Template, is_type: &dyn Fn(&str) -> bool) -> Option<Address> {
    let inside = template.text().strip_prefix("${")?.strip_suffix('}')?.trim();
    let address: Address = inside.parse().ok()?;
    is_type(address.type_name.as_str()).then_some(address)
}
