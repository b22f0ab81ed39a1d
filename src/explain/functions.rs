//! The functions of the expression language.

use s3stack_engine::expression::functions::{Function, GROUPS};

use super::page::{Entry, Page, Part};

/// All functions, grouped.
pub(super) fn index() -> Page {
    let groups = GROUPS.iter().map(|(name, functions)| {
        let functions = functions.iter().map(|function| Entry::new(function.signature, function.doc));
        Part::new("functions", *name, functions.collect())
    });
    Page {
        topic: "functions",
        name: "functions".into(),
        text:
            "What `${…}` may call. They are pure: a stack file gives the same plan whenever and wherever it is read. \
               A parameter in brackets may be left out; one that ends in `...` may be repeated, or left out."
                .into(),
        parts: groups.flatten().collect(),
        next: Some("`s3stack explain NAME` shows what one gives.".into()),
        ..Page::default()
    }
}

/// One function.
pub(super) fn page(function: &Function) -> Page {
    Page {
        topic: "function",
        name: function.name().into(),
        text: format!("`{}`\n\n{}", function.signature, function.doc),
        example: Some(example(function)),
        ..Page::default()
    }
}

/// A call and what it gives, in the notation of expressions.
pub(super) fn example(function: &Function) -> String {
    format!("{} = {}", function.example, function.result)
}
