//! The way from files to a checked stack.

use std::sync::Arc;

use super::model::Stack;
use super::owner::name_owners;
use super::{MAX_DIAGNOSTICS, parse, sections, static_check};
use crate::diagnostic::{Diagnostic, Diagnostics, SourceFile, Span};
use crate::resource::Registry;
use crate::schema::Schema;

/// What the stack file needs to know of the resource types there are.
pub trait Types {
    /// All type names, `s3.bucket`.
    fn names(&self) -> Vec<&str>;

    /// The schema of a type.
    fn schema(&self, name: &str) -> Option<&Schema>;
}

impl<R: Registry + ?Sized> Types for R {
    fn names(&self) -> Vec<&str> {
        Registry::names(self)
    }

    fn schema(&self, name: &str) -> Option<&Schema> {
        self.get(name).map(|resource_type| resource_type.schema())
    }
}

/// What is wrong with a file as TOML, whatever it says.
pub fn syntax_of(file: &SourceFile) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    let file = Arc::new(SourceFile { name: file.name.clone(), text: file.text.clone() });
    parse::parse(&[file], &mut diagnostics);
    diagnostics.limit(MAX_DIAGNOSTICS, 0);
    diagnostics
}

/// Reads a stack: `stack.toml` and every `*.stack.toml` beside it, in the order in which they shall be told about.
///
/// Everything wrong with them is told at once, in the order of the files. The stack is absent when a file is no TOML or
/// breaks the bounds; where there are errors it is for further checks alone, never for a plan.
pub fn load(files: &[Arc<SourceFile>], types: &dyn Types) -> (Option<Stack>, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    let stack = parse::parse(files, &mut diagnostics).map(|parsed| {
        let headers = parsed.headers;
        let mut stack = sections::read(parsed.root, &headers, types, &mut diagnostics);
        if stack.settings.span.is_none() {
            let start = files.first().map(|file| Span { file: file.clone(), start: 0, end: 0 });
            let diagnostic = Diagnostic::error("S3S-P5", "the stack has no name").at(start);
            diagnostics.push(diagnostic.help("begin stack.toml with [stack] and `name = \"…\"`"));
        }
        static_check::check(&mut stack, &headers, types, &mut diagnostics);
        name_owners(&stack, &mut diagnostics);
        stack
    });
    let place = |diagnostic: &Diagnostic| {
        let span = diagnostic.span.as_ref()?;
        Some((files.iter().position(|file| Arc::ptr_eq(file, &span.file)), span.start))
    };
    diagnostics.0.sort_by_cached_key(place);
    diagnostics.limit(MAX_DIAGNOSTICS, 0);
    (stack, diagnostics)
}
