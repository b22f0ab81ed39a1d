//! What the tests of types share: a stack in memory, evaluated as a plan does it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use s3stack_engine::address::Address;
use s3stack_engine::diagnostic::{Diagnostic, Diagnostics, Severity, SourceFile};
use s3stack_engine::file::{FileContent, Files};
use s3stack_engine::graph::{Graph, Inputs, Looked, build};
use s3stack_engine::resource::{Account, Facts};
use s3stack_engine::stack::{Modules, Node, NodeKind, Variable, load};
use s3stack_engine::state::State;
use s3stack_engine::value::{Map, Value};

use crate::resources::Types;

/// The files of the stack folder.
#[derive(Default)]
struct InMemory(BTreeMap<String, String>);

impl Files for InMemory {
    fn content(&self, path: &str) -> Result<Arc<FileContent>, String> {
        let text = self.0.get(path).ok_or_else(|| format!("there is no {path}"))?;
        let content = FileContent {
            bytes: Some(text.clone().into_bytes()),
            sha256: String::new(),
            size: text.len() as u64,
            files: None,
        };
        Ok(Arc::new(content))
    }

    fn exists(&self, path: &str) -> Result<bool, String> {
        Ok(self.0.contains_key(path))
    }

    fn list(&self, _: &str) -> Result<Arc<Vec<String>>, String> {
        Ok(Arc::new(self.0.keys().cloned().collect()))
    }
}

impl Modules for InMemory {
    fn files(&self, folder: &str) -> Result<Vec<Arc<SourceFile>>, Diagnostics> {
        let name = format!("{folder}/module.toml");
        match self.0.get(&name) {
            Some(text) => Ok(vec![Arc::new(SourceFile { name, text: text.clone() })]),
            None => Err(Diagnostics(vec![Diagnostic::error("S3S-P13", format!("there is no folder {folder}"))])),
        }
    }
}

/// What a stack comes to in account 123456789012, with a file `x.json` of that content, and what is wrong with it.
pub fn graph(text: &str, json: &str) -> (Graph, Diagnostics) {
    graph_of(text, &[("x.json", json)], &State::new("l".into(), "t".into(), "default".into()))
}

/// What a stack comes to with other files, and a state.
pub fn graph_of(text: &str, files: &[(&str, &str)], state: &State) -> (Graph, Diagnostics) {
    with(text, files, state, &BTreeMap::new(), build)
}

/// What is made of a stack of which something was looked up.
pub fn with<T: Default>(
    text: &str,
    files: &[(&str, &str)],
    state: &State,
    lookups: &BTreeMap<Address, Looked>,
    then: impl FnOnce(&Inputs<'_>) -> (T, Diagnostics),
) -> (T, Diagnostics) {
    let source = SourceFile { name: "stack.toml".into(), text: format!("[stack]\nname = \"t\"\n\n{text}") };
    let files = InMemory(files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect());
    let (stack, diagnostics) = load(&[Arc::new(source)], &Types, &files);
    let Some(stack) = stack.filter(|_| !diagnostics.has_errors()) else {
        return (T::default(), diagnostics);
    };
    let facts = Facts {
        partition: "aws".into(),
        account_id: "123456789012".into(),
        region: "eu-west-1".into(),
        stack: "t".into(),
        environment: "default".into(),
    };
    let value = |variable: &Variable| match variable.default.as_ref().map(|node| &node.kind) {
        Some(NodeKind::List(list)) => Value::strings(list.iter().filter_map(Node::literal)),
        Some(NodeKind::Text(template)) => template.literal().map(Value::from).unwrap_or_default(),
        _ => Value::Null,
    };
    let variables = stack.variables.iter().map(|(name, variable)| (name.clone(), value(variable))).collect();
    let other =
        Account { partition: "aws".into(), account_id: "210987654321".into(), region: Some("eu-north-1".into()) };
    let china =
        Account { partition: "aws-cn".into(), account_id: "310987654321".into(), region: Some("cn-north-1".into()) };
    let accounts = BTreeMap::from([("other".to_owned(), other), ("china".to_owned(), china)]);
    let (made, mut found) = then(&Inputs {
        stack: &stack,
        variables: &variables,
        facts,
        accounts: &accounts,
        remotes: &BTreeMap::from([(
            "core".to_owned(),
            Map::from([("arn".to_owned(), Value::from("arn:x")), ("zones".to_owned(), Value::strings(["a", "b"]))]),
        )]),
        lookups,
        tags: Map::new(),
        registry: &Types,
        files: &files,
        state,
        forget: &BTreeSet::new(),
    });
    found.0.splice(0..0, diagnostics.0);
    (made, found)
}

/// What AWS shall hold of the block `it` of a type.
#[track_caller]
pub fn managed(type_name: &str, text: &str) -> Map {
    let (graph, diagnostics) = graph(text, "");
    assert!(!diagnostics.has_errors(), "{diagnostics:#?}");
    graph.nodes[&Address::root(type_name, "it")].managed.clone()
}

/// What is wrong with a stack, `error S3S-I2 trust: message`.
pub fn problems(text: &str, json: &str) -> Vec<String> {
    let (_, diagnostics) = graph(text, json);
    let told = diagnostics.0.into_iter().map(|one| {
        let property = one.path.map(|path| path.to_string()).unwrap_or_default();
        let word = if one.severity == Severity::Error { "error" } else { "warning" };
        format!("{word} {} {property}: {}", one.code, one.message)
    });
    told.collect()
}

/// A policy document as compact JSON.
pub fn json(value: &Value) -> String {
    value.to_json().unwrap().to_string()
}
