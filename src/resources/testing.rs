//! What the tests of types share: a stack in memory, evaluated as a plan does it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexMap;
use s3stack_engine::address::Address;
use s3stack_engine::diagnostic::{Diagnostics, Severity, SourceFile};
use s3stack_engine::file::{FileContent, Files};
use s3stack_engine::graph::{Graph, Inputs, build};
use s3stack_engine::resource::Facts;
use s3stack_engine::stack::{NoModules, load};
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

/// What a stack comes to in account 123456789012, with a file `x.json` of that content, and what is wrong with it.
pub fn graph(text: &str, json: &str) -> (Graph, Diagnostics) {
    let source = SourceFile { name: "stack.toml".into(), text: format!("[stack]\nname = \"t\"\n\n{text}") };
    let (stack, diagnostics) = load(&[Arc::new(source)], &Types, &NoModules);
    let Some(stack) = stack.filter(|_| !diagnostics.has_errors()) else {
        return (Graph::default(), diagnostics);
    };
    let facts = Facts {
        partition: "aws".into(),
        account_id: "123456789012".into(),
        region: "eu-west-1".into(),
        stack: "t".into(),
        environment: "default".into(),
    };
    build(&Inputs {
        stack: &stack,
        variables: &IndexMap::new(),
        facts,
        tags: Map::new(),
        registry: &Types,
        files: &InMemory([("x.json".to_owned(), json.to_owned())].into()),
        state: &State::new("l".into(), "t".into(), "default".into()),
        forget: &BTreeSet::new(),
    })
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
