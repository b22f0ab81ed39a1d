//! A scope for tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::address::{Address, Step};
use crate::diagnostic::{Diagnostic, Diagnostics, SourceFile, Span};
use crate::expression::{Budget, MISSING, Origin, Question, Scope, Template, answer};
use crate::testing::files::InMemory;
use crate::value::{Unknown, Value};

/// Roots by name, the attributes of resources, and files.
#[derive(Debug, Clone)]
pub struct Names {
    pub roots: BTreeMap<String, Value>,
    pub attributes: BTreeMap<(Address, String), Value>,
    pub files: InMemory,
}

/// The files that the examples of functions read.
const FILES: &[(&str, &str)] = &[
    ("hello.txt", "Hello\n"),
    ("greeting.tpl", "Hello ${name}!\n"),
    ("site/index.html", "<h1>"),
    ("site/logo.svg", "<svg/>"),
    ("site/sub/page.html", "<h2>"),
];

impl Default for Names {
    fn default() -> Self {
        Self { roots: BTreeMap::new(), attributes: BTreeMap::new(), files: InMemory::of(FILES) }
    }
}

impl Names {
    pub fn of<'a>(roots: impl IntoIterator<Item = (&'a str, Value)>) -> Self {
        let roots = roots.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { roots, ..Self::default() }
    }

    pub fn with(mut self, address: &Address, name: &str, value: Value) -> Self {
        self.attributes.insert((address.clone(), name.to_owned()), value);
        self
    }
}

impl Scope for Names {
    fn resolve(&self, steps: &[Step], span: Option<&Span>) -> Result<(Value, usize), Box<Diagnostic>> {
        let Some(Step::Key(root)) = steps.first() else { panic!("a traversal begins with a name") };
        match self.roots.get(root) {
            // As the real scope does for `var.x`: the second step belongs to the name.
            Some(Value::Map(map)) if root == "var" => match steps.get(1) {
                Some(Step::Key(name)) if map.contains_key(name) => Ok((map[name].clone(), 2)),
                _ => Err(Box::new(Diagnostic::error(MISSING, "no such variable").at(span.cloned()))),
            },
            Some(value) => Ok((value.clone(), 1)),
            None => Err(Box::new(Diagnostic::error(MISSING, format!("no {root}")).at(span.cloned()))),
        }
    }

    fn attribute(&self, resource: &Address, name: &str, span: Option<&Span>) -> Result<Value, Box<Diagnostic>> {
        let found = self.attributes.get(&(resource.clone(), name.to_owned())).cloned();
        found.ok_or_else(|| Box::new(Diagnostic::error(MISSING, format!("no {name} of {resource}")).at(span.cloned())))
    }

    fn file(&self, question: Question, path: &str) -> Result<Value, Box<Diagnostic>> {
        answer(&self.files, question, path)
    }
}

/// The origin of a text that stands as it is in a literal string of a one-line file; its column is the text's plus 1.
pub fn literal_origin(text: &str) -> Origin {
    let file = Arc::new(SourceFile { name: "t".into(), text: format!("'''{text}'''") });
    let end = file.text.len();
    Origin::of_toml_string(Span { file, start: 0, end })
}

pub fn evaluate(text: &str, scope: &dyn Scope) -> Result<Value, Diagnostics> {
    Template::parse(text, &literal_origin(text))?.evaluate(scope, &Budget::default())
}

/// `[code, column in the text, message]` of the first error.
pub fn error(text: &str, scope: &dyn Scope) -> (&'static str, usize, String) {
    let found = evaluate(text, scope).expect_err(text);
    let first = &found.0[0];
    let column = first.span.as_ref().map_or(0, |span| span.line_column().1 - 3);
    (first.code, column, first.message.clone())
}

pub fn unknown(address: &Address, name: &str, sensitive: bool) -> Value {
    Value::from(Unknown::Attribute { address: address.clone(), name: name.into(), sensitive })
}
