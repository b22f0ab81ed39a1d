//! Texts made of texts that may be unknown or secret.

use crate::value::{Secret, Unknown, Value};

/// Fills the `{name}` holes of a template.
///
/// A hole that is null is empty. One that is unknown makes the whole unknown, closed over the holes, so that it can be
/// computed when they are known; one that is secret makes the whole secret.
pub(crate) fn fill(template: &str, holes: &[(&str, &Value)]) -> Value {
    let used: Vec<_> = holes.iter().filter(|(name, _)| template.contains(&format!("{{{name}}}"))).collect();
    if let [(name, value)] = used.as_slice()
        && template == format!("{{{name}}}")
    {
        return (*value).clone();
    }
    if used.iter().any(|(_, value)| !value.is_known()) {
        // The source of an unknown is a template of the stack language, its scope what the template names.
        let holed = |source: String, name: &str| source.replace(&format!("{{{name}}}"), &format!("${{{name}}}"));
        let source = used.iter().fold(template.to_owned(), |source, (name, _)| holed(source, name));
        let scope = used.iter().map(|(name, value)| ((*name).to_owned(), or_empty(value))).collect();
        return Value::from(Unknown::Expression { source, scope });
    }
    let mut text = String::new();
    let mut rest = template;
    while let Some(start) = rest.find('{') {
        let (before, from) = rest.split_at(start);
        text.push_str(before);
        // A brace that opens no hole (a policy variable, say) is a character like any other.
        let hole = used.iter().find(|(name, _)| {
            from.get(1..).and_then(|from| from.strip_prefix(*name)).is_some_and(|from| from.starts_with('}'))
        });
        rest = match hole {
            Some((name, value)) => {
                text.push_str(exposed(value).unwrap_or_default());
                from.get(name.len() + 2..).unwrap_or_default()
            }
            None => {
                text.push('{');
                from.get(1..).unwrap_or_default()
            }
        };
    }
    text.push_str(rest);
    match used.iter().any(|(_, value)| value.is_sensitive()) {
        true => Value::Secret(Secret::new(Value::String(text))),
        false => Value::String(text),
    }
}

fn or_empty(value: &Value) -> Value {
    match value {
        Value::Null => Value::from(""),
        value => value.clone(),
    }
}

/// The text with its policy variables, `${…}`, replaced.
pub(crate) fn with_variables_as(replacement: &str, text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, variable)) = rest.split_once("${") {
        let Some((_, after)) = variable.split_once('}') else { break };
        plain.push_str(before);
        plain.push_str(replacement);
        rest = after;
    }
    plain + rest
}

/// The text, also of a secret one. For what leaves no trace of it: lengths and comparisons.
pub(crate) fn exposed(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Secret(secret) => exposed(secret.expose()),
        _ => None,
    }
}

/// Whether the value is a text, or will be one.
pub(crate) fn is_text(value: &Value) -> bool {
    matches!(value, Value::Unknown(_))
        || exposed(value).is_some()
        || matches!(value, Value::Secret(secret) if is_text(secret.expose()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;

    fn unknown() -> Value {
        Value::from(Unknown::Attribute { address: Address::root("kms.key", "k"), name: "arn".into(), sensitive: false })
    }

    #[test]
    fn holes_are_filled_and_policy_variables_are_left_alone() {
        let arn = Value::from("arn:aws:s3:::b");
        let prefix = Value::from("home/${aws:username}/{arn}");
        assert_eq!(
            fill("{arn}/{prefix}*", &[("arn", &arn), ("prefix", &prefix)]),
            Value::from("arn:aws:s3:::b/home/${aws:username}/{arn}*")
        );
        assert_eq!(
            fill("{arn}/{prefix}*", &[("arn", &arn), ("prefix", &Value::Null)]),
            Value::from("arn:aws:s3:::b/*")
        );
        assert_eq!(fill("{arn}/${aws:username}", &[("arn", &arn)]), Value::from("arn:aws:s3:::b/${aws:username}"));
    }

    #[test]
    fn an_unknown_hole_makes_an_unknown_that_waits_for_it() {
        assert_eq!(fill("{arn}", &[("arn", &unknown())]), unknown());
        let Value::Unknown(made) = fill("{arn}/*", &[("arn", &unknown())]) else { panic!("known") };
        assert!(matches!(made.as_ref(), Unknown::Expression { source, .. } if source == "${arn}/*"));
        assert_eq!(made.waits_for(), [(&Address::root("kms.key", "k"), "arn")]);
    }

    #[test]
    fn variables_are_replaced_and_what_is_none_stays() {
        assert_eq!(with_variables_as("*", "a/${aws:username}/${b}${"), "a/*/*${");
    }

    #[test]
    fn a_secret_hole_makes_a_secret() {
        let secret = Value::Secret(Secret::new("canary".into()));
        let made = fill("{prefix}*", &[("prefix", &secret)]);
        assert!(made.is_sensitive());
        assert_eq!(exposed(&made), Some("canary*"));
    }
}
