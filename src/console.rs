//! What the expression prompt knows: the values of expressions, and the names that they may be made of.

use std::sync::Arc;

use s3stack_engine::diagnostic::{Diagnostics, SourceFile, Span};
use s3stack_engine::expression::{Origin, Template, functions};
use s3stack_engine::graph::Graph;
use s3stack_engine::resource::Registry;
use s3stack_engine::state::State;
use s3stack_engine::value::Value;

use crate::project::Project;
use crate::resources::Types;

/// A stack that is asked.
pub struct Console {
    project: Project,
    state: State,
    names: Names,
}

/// The dotted names that expressions may begin with, in order.
pub struct Names(Vec<String>);

impl Console {
    /// A stack, what it comes to, and what was made of it, if that is known.
    pub fn new(project: Project, graph: &Graph, state: Option<State>) -> Self {
        let names = Names::of(&project, graph);
        let state = state.unwrap_or_else(|| project.no_state());
        Self { project, state, names }
    }

    /// The stack.
    pub fn project(&self) -> &Project {
        &self.project
    }

    /// What may be named.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The value of a text that begins on a line of `source`.
    pub fn value(&self, text: &str, source: &str, line: usize) -> Result<Value, Diagnostics> {
        // The lines before it are gone; only that there were so many is told.
        let before = "\n".repeat(line.saturating_sub(1));
        let file = SourceFile { name: source.to_owned(), text: format!("{before}{text}") };
        let span = Span { start: before.len(), end: file.text.len(), file: Arc::new(file) };
        let expression = Template::of_line(text, &Origin::of_text(span))?;
        self.project.value(&expression, &self.state)
    }

    /// Whether a text may be written down: it names no sensitive variable, wherever in it.
    pub fn may_be_kept(&self, text: &str) -> bool {
        let words = || text.split(|c: char| !is_word(c));
        let variables = self.project.stack.variables.iter().filter(|(_, variable)| variable.sensitive);
        !variables.into_iter().any(|(name, _)| words().any(|word| word == name))
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

impl Names {
    fn of(project: &Project, graph: &Graph) -> Self {
        let mut names: Vec<String> =
            ["aws.account_id", "aws.partition", "aws.region", "env", "stack.name"].map(str::to_owned).into();
        names.extend(functions::all().map(|function| format!("{}(", function.name())));
        names.extend(project.stack.variables.keys().map(|name| format!("var.{name}")));
        for (name, module) in &project.stack.modules {
            let outputs = || module.content.iter().flat_map(|content| content.outputs.keys());
            let used =
                graph.nodes.keys().filter_map(|address| address.module.0.first()).filter(|step| step.name == *name);
            let keys = used.map(|step| step.key.as_ref().map(|key| format!("[{key:?}]")).unwrap_or_default());
            let mut uses: Vec<String> = keys.collect();
            uses.push(if module.for_each.is_some() { "[".into() } else { String::new() });
            uses.dedup();
            for used in uses {
                match used.as_str() {
                    "[" => names.push(format!("module.{name}[")),
                    used => names.extend(outputs().map(|output| format!("module.{name}{used}.{output}"))),
                }
            }
        }
        names.extend(project.stack.remotes.keys().map(|name| format!("remote.{name}.")));
        let here = graph.nodes.keys().filter(|address| address.module.0.is_empty());
        for address in here.chain(project.stack.lookups.keys()) {
            let Some(kind) = Types.get(address.type_name.as_str()) else { continue };
            let schema = kind.schema();
            let attributes = schema.attributes.iter().filter(|(_, one)| !one.note).map(|(name, _)| name);
            let properties = schema.properties.iter().filter(|(_, one)| !one.derived).map(|(name, _)| name);
            names.extend(attributes.chain(properties).map(|name| format!("{address}.{name}")));
        }
        names.sort();
        names.dedup();
        Self(names)
    }

    /// How the name at the end of a text may go on, up to its next dot, and where in the text it begins.
    pub fn complete(&self, text: &str) -> (usize, Vec<&str>) {
        let begins =
            |(at, _): &(usize, char)| !text.get(..*at).unwrap_or_default().ends_with(|c| is_word(c) || c == '.');
        let ends = std::iter::once((text.len(), ' '));
        for (at, _) in text.char_indices().chain(ends).filter(begins) {
            let word = text.get(at..).unwrap_or_default();
            let first = self.0.partition_point(|name| name.as_str() < word);
            let known = self.0.iter().skip(first).take_while(|name| name.starts_with(word));
            let mut found: Vec<&str> = known.map(|name| until_dot(name, word.len())).collect();
            found.dedup();
            if !found.is_empty() {
                return (at, found);
            }
        }
        (text.len(), Vec::new())
    }
}

/// A name up to and with the first dot behind `from`; dots in keys do not count.
fn until_dot(name: &str, from: usize) -> &str {
    let mut in_key = false;
    for (at, c) in name.char_indices() {
        in_key ^= c == '"';
        if c == '.' && !in_key && at >= from {
            return name.get(..=at).unwrap_or(name);
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let mut names: Vec<String> = [
            "var.owner",
            "var.other",
            "env",
            "upper(",
            "module.core.arn",
            "s3.bucket.data.arn",
            "s3.bucket.data.name",
            "s3.bucket.logs[\"a.b\"].arn",
        ]
        .map(str::to_owned)
        .into();
        names.sort();
        Names(names)
    }

    #[test]
    fn names_are_completed_dot_by_dot() {
        let names = names();
        for (text, begins, found) in [
            ("va", 0, vec!["var."]),
            ("var.o", 0, vec!["var.other", "var.owner"]),
            ("upper(s3.b", 6, vec!["s3.bucket."]),
            ("[s3.bucket.", 1, vec!["s3.bucket.data.", "s3.bucket.logs[\"a.b\"]."]),
            ("s3.bucket.logs[\"a", 0, vec!["s3.bucket.logs[\"a.b\"]."]),
            ("s3.bucket.data.n", 0, vec!["s3.bucket.data.name"]),
            ("${module.core.", 2, vec!["module.core.arn"]),
            ("x.var", 5, vec![]),
            ("up", 0, vec!["upper("]),
        ] {
            assert_eq!(names.complete(text), (begins, found), "{text}");
        }
        assert_eq!(names.complete("1 + ").1.len(), 5);
    }
}
