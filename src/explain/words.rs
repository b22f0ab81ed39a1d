//! What values there may be, in words.

use s3stack_engine::schema::{Items, Property, Shape, StringRules};

/// The type of a property with its limits: `a list of strings, at most 10`.
pub(super) fn type_words(shape: &Shape, of_language: bool) -> String {
    match shape {
        Shape::String(rules) => text(shape, rules),
        Shape::Number { min, max, .. } => {
            // The greatest number of 32 bits is no limit that anybody means.
            let max = max.filter(|max| *max < f64::from(i32::MAX));
            let range = match (min, max) {
                (Some(min), Some(max)) => format!(" from {min} to {max}"),
                (Some(min), None) => format!(", {min} or more"),
                (None, Some(max)) => format!(", at most {max}"),
                (None, None) => String::new(),
            };
            format!("{}{range}", shape.describe())
        }
        Shape::List(items) | Shape::Set(items) => list(shape, items, of_language),
        Shape::Map { value, key_pattern, reserved, max } => {
            let keys = key_pattern.as_ref().map(|pattern| match lengths(pattern) {
                Some((min, max)) => format!("keys of {min} to {max} characters"),
                None => format!("keys match {}", inline_code(pattern)),
            });
            let begin = (!reserved.is_empty()).then(|| {
                let words: Vec<String> = reserved.iter().map(|word| inline_code(word)).collect();
                format!("keys may not begin with {}", words.join(" or "))
            });
            let what = match (&value.shape, of_language) {
                (Shape::Document, true) => "a table of any values".into(),
                (Shape::Choice(shapes), true) if shapes.contains(&Shape::Document) => "a table of any values".into(),
                _ => shape.describe(),
            };
            with_limits(what, [max.map(|max| format!("at most {max} entries")), keys, begin])
        }
        Shape::Choice(shapes) => {
            shapes.iter().map(|shape| type_words(shape, of_language)).collect::<Vec<_>>().join(", or ")
        }
        Shape::Document if of_language => "any value".into(),
        _ => shape.describe(),
    }
}

fn text(shape: &Shape, rules: &StringRules) -> String {
    let length = match (rules.min, rules.max) {
        (Some(1), None) => Some("not empty".into()),
        (min, max) => bounds(min, max).map(|bounds| format!("{bounds} characters")),
    };
    let pattern = rules.pattern.as_ref().map(|pattern| format!("matches {}", inline_code(pattern)));
    with_limits(shape.describe(), [length, pattern])
}

fn list(shape: &Shape, items: &Items, of_language: bool) -> String {
    let what = match &*items.item {
        Property { shape: Shape::String(rules), .. } if !rules.allowed.is_empty() => {
            format!("a list, each {}", Shape::String(rules.clone()).describe())
        }
        Property { shape: Shape::Document, .. } if of_language => "a list of any values".into(),
        _ => shape.describe(),
    };
    let in_any_order = matches!(shape, Shape::Set(_)).then(|| "in any order".to_owned());
    with_limits(what, [bounds(items.min, items.max), in_any_order])
}

fn bounds(min: Option<usize>, max: Option<usize>) -> Option<String> {
    match (min, max) {
        (None, None) => None,
        (Some(min), None) => Some(format!("at least {min}")),
        (None, Some(max)) => Some(format!("at most {max}")),
        (Some(min), Some(max)) => Some(format!("{min} to {max}")),
    }
}

/// The bounds of a pattern that asks for a number of characters and nothing else.
fn lengths(pattern: &str) -> Option<(&str, &str)> {
    let (min, max) = pattern.strip_prefix("^.{")?.strip_suffix("}$")?.split_once(',')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(min) && is_number(max)).then_some((min, max))
}

fn with_limits<const N: usize>(what: String, limits: [Option<String>; N]) -> String {
    limits.into_iter().flatten().fold(what, |words, limit| format!("{words}, {limit}"))
}

/// A text as code, also where it holds backticks.
pub(super) fn inline_code(text: &str) -> String {
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}
