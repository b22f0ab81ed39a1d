//! Values as text, and text as templates.

use crate::value::Value;

/// What a value reads like inside a string; `None` for what has no text.
pub(super) fn of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Integer(value) => Some(value.to_string()),
        Value::Float(value) => Some(of_float(*value)),
        _ => None,
    }
}

/// The shortest decimal that reads back as the same number; with an exponent where digits alone would be long.
pub(super) fn of_float(value: f64) -> String {
    match value.abs() {
        size if size == 0.0 || (1e-7..1e21).contains(&size) => value.to_string(),
        _ => format!("{value:e}"),
    }
}

/// Template text that evaluates to `text`, whatever follows it.
pub(super) fn escape(text: &str) -> String {
    let dollars = text.len() - text.trim_end_matches('$').len();
    let body = text.get(..text.len() - dollars).unwrap_or_default().replace("${", "$${");
    match dollars {
        0 => body,
        // A dollar sign before `${` would escape it.
        _ => format!("{body}${{\"{}\"}}", "$".repeat(dollars)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::expression::scanner::{self, Piece};

    #[test]
    fn numbers_read_back() {
        for value in [0.1, -2.5, 1e300, 1e-300, 3.0, 123_456_789.25] {
            assert_eq!(of_float(value).parse::<f64>().unwrap(), value);
        }
        assert_eq!(of_float(1e300), "1e300");
    }

    proptest! {
        #[test]
        fn escaped_text_is_literal_whatever_follows(text in "[$\\{\\}%\"a]{0,12}") {
            let escaped = escape(&text) + "${x}";
            let mut literal = String::new();
            let pieces = scanner::scan(&escaped).unwrap();
            for piece in &pieces[..pieces.len() - 1] {
                match piece {
                    Piece::Literal(text) => literal.push_str(text),
                    Piece::Hole(hole) => literal.push_str(escaped[hole.range.clone()].trim_matches('"')),
                }
            }
            prop_assert_eq!(literal, text);
        }
    }
}
