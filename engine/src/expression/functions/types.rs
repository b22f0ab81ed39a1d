//! Functions that convert, and those that look at an expression rather than a value.

use super::{Arguments, Function, Refusal, Run};
use crate::expression::{compare, operate, text};
use crate::value::Value;

pub(super) const TOSTRING: Function = Function::whole(
    "tostring(value)",
    "The string, number or bool as text; null stays null.",
    "tostring(1.5)",
    r#""1.5""#,
    |arguments| match arguments.value(0) {
        Value::Null => Ok(Value::Null),
        value => {
            text::of(&value).map(Value::from).ok_or_else(|| arguments.wrong(0, "a string, number or bool", &value))
        }
    },
);

pub(super) const TONUMBER: Function = Function::whole(
    "tonumber(value)",
    "The number, or the one that the text writes; null stays null.",
    r#"tonumber("42")"#,
    "42",
    |arguments| match arguments.value(0) {
        value @ (Value::Null | Value::Integer(_) | Value::Float(_)) => Ok(value),
        Value::String(text) => {
            if let Ok(value) = text.parse() {
                return Ok(Value::Integer(value));
            }
            // Rust also reads `inf` and `nan`.
            let number = text.parse::<f64>().ok().filter(|_| text.bytes().any(|b| b.is_ascii_digit()));
            let number = number.ok_or_else(|| Refusal::new(format!("`{text}` is not a number")).about(0))?;
            Ok(operate::number(number)?)
        }
        value => Err(arguments.wrong(0, "a number or a string", &value)),
    },
);

pub(super) const TOBOOL: Function = Function::whole(
    "tobool(value)",
    r#"The bool, or the one that "true" or "false" writes; null stays null."#,
    r#"tobool("true")"#,
    "true",
    |arguments| match arguments.value(0) {
        value @ (Value::Null | Value::Bool(_)) => Ok(value),
        Value::String(text) => match text.as_str() {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(Refusal::new(format!("`{text}` is neither true nor false")).about(0)),
        },
        value => Err(arguments.wrong(0, "a bool or a string", &value)),
    },
);

pub(super) const TOLIST: Function = Function::through(
    "tolist(list)",
    "The list as it is: here lists and sets are one.",
    "tolist([1, 1])",
    "[1, 1]",
    |arguments| Ok(Value::List(arguments.list(0)?)),
);

pub(super) const TOSET: Function = Function::whole(
    "toset(list)",
    "The list's elements in order, each once.",
    r#"toset(["b", "a", "b"])"#,
    r#"["a", "b"]"#,
    |arguments| Ok(Value::List(set(arguments.list(0)?))),
);

pub(super) const TOMAP: Function = Function::through(
    "tomap(map)",
    "The map as it is: here maps and objects are one.",
    "tomap({ a = 1 })",
    "{ a = 1 }",
    |arguments| Ok(Value::Map(arguments.map(0)?)),
);

pub(super) const TYPE: Function = Function::whole(
    "type(value)",
    "The kind of the value: null, bool, number, string, list, map or resource.",
    "type([1])",
    r#""list""#,
    |arguments| {
        let value = arguments.value(0);
        Ok(value.kind().trim_start_matches("a ").into())
    },
);

pub(super) const NONSENSITIVE: Function = Function {
    signature: "nonsensitive(value)",
    doc: "The value, no longer secret: it will be shown and stored.",
    example: r#"nonsensitive(sensitive("a"))"#,
    result: r#""a""#,
    run: Run::Nonsensitive,
};

pub(super) const SENSITIVE: Function = Function {
    signature: "sensitive(value)",
    doc: "The value as a secret: never shown, never stored.",
    example: r#"nonsensitive(sensitive(5) + 1)"#,
    result: "6",
    run: Run::Sensitive,
};

pub(super) const TRY: Function = Function {
    signature: "try(value, others...)",
    doc: "The first of the arguments that has a value.",
    example: r#"try({ a = 1 }.b, 2)"#,
    result: "2",
    run: Run::Try,
};

pub(super) const CAN: Function = Function {
    signature: "can(value)",
    doc: "Whether the argument has a value.",
    example: r#"can(regex("^[a-z]+$", "A"))"#,
    result: "false",
    run: Run::Can,
};

/// The values in order, each once.
pub(super) fn set(mut values: Vec<Value>) -> Vec<Value> {
    values.sort_by(compare::order);
    values.dedup_by(|left, right| compare::equal(left, right));
    values
}

/// The lists of all arguments, as sets.
pub(super) fn sets(arguments: &mut Arguments) -> Result<Vec<Vec<Value>>, Refusal> {
    (0..arguments.count()).map(|at| Ok(set(arguments.list(at)?))).collect()
}
