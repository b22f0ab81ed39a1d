//! What may be a name, and what to say when something isn't one.

use crate::diagnostic::{Diagnostic, Span};

/// Whether this is the name of a block, a variable or an output: `[a-z][a-z0-9_]*`.
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Whether this is the name of an environment, which may have hyphens too since it goes into physical names only.
pub(super) fn is_environment_name(text: &str) -> bool {
    is_name(&text.replace('-', "_"))
}

/// Says that a name is none, with the nearest one that is.
pub(super) fn not_a_name(what: &str, text: &str, span: &Span) -> Diagnostic {
    let diagnostic = Diagnostic::error(
        "S3S-P12",
        format!("`{text}` cannot be the name of {what}: it must be lower-case letters, digits and `_`, a letter first"),
    )
    .at(span.clone());
    let near: String = text
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '_' })
        .collect();
    match is_name(&near) {
        _ if text.contains("${") => diagnostic
            .help("write it out: no expression can be in it; where one block is to make several, give it a `for_each`"),
        true => diagnostic.help(format!("write `{near}`")),
        false => diagnostic.help("give it another name"),
    }
}
