//! The rules that a definition puts on values.

use super::super::model::Variable;
use crate::value::Value;

/// What rule a value breaks, in words that follow "a value that", and never with a value in them that is secret.
pub(crate) fn broken(variable: &Variable, allowed: Option<&[Value]>, value: &Value) -> Option<(String, String)> {
    let secret = variable.sensitive || value.is_sensitive();
    let value = match value {
        Value::Secret(secret) => secret.expose(),
        value => value,
    };
    if value.is_null() {
        return None;
    }
    if let Some(allowed) = allowed
        && !allowed.contains(value)
    {
        let words: Vec<String> = allowed.iter().map(show).collect();
        return Some((is(value, secret, "is not allowed"), format!("give one of {}", words.join(", "))));
    }
    if let (Some((pattern, _)), Value::String(text)) = (&variable.pattern, value)
        && !crate::schema::validate::matches(pattern, text)
    {
        return Some((is(value, secret, &format!("does not match {pattern}")), "give a value that does".into()));
    }
    let (size, what) = match value {
        #[expect(clippy::cast_precision_loss, reason = "bounds are floats; beyond 2^53 nobody counts units")]
        Value::Integer(number) => (*number as f64, ""),
        Value::Float(number) => (*number, ""),
        Value::String(text) => (count(text.chars().count()), " characters"),
        Value::List(list) => (count(list.len()), " items"),
        Value::Map(map) => (count(map.len()), " entries"),
        _ => return None,
    };
    let has = |bound: &str, limit: f64| match (what, secret) {
        ("", true) => format!("is {bound} {limit}"),
        ("", false) => format!("is {size}, {bound} {limit}"),
        (_, true) => format!("has {bound} {limit}{what}"),
        (_, false) => format!("has {bound} {limit}{what}: {size}"),
    };
    if let Some(min) = variable.min.filter(|min| size < *min) {
        return Some((has(if what.is_empty() { "less than" } else { "fewer than" }, min), format!("min is {min}")));
    }
    if let Some(max) = variable.max.filter(|max| size > *max) {
        return Some((has("more than", max), format!("max is {max}")));
    }
    None
}

#[expect(clippy::cast_precision_loss, reason = "no text and no list has 2^53 of anything")]
fn count(length: usize) -> f64 {
    length as f64
}

/// What is wrong with a value, in words that follow "a value that".
fn is(value: &Value, secret: bool, wrong: &str) -> String {
    if secret { wrong.to_owned() } else { format!("is {}, which {wrong}", show(value)) }
}

fn show(value: &Value) -> String {
    match value.to_json() {
        Ok(json) => json.to_string(),
        Err(_) => value.kind().to_owned(),
    }
}
