//! The verbs of `format`.

use super::{Arguments, Refusal};
use crate::expression::compare::Number;
use crate::expression::text;
use crate::value::Value;

/// One verb, `%-08.3f`.
#[derive(Debug, Default)]
struct Verb {
    left: bool,
    zeros: bool,
    plus: bool,
    space: bool,
    width: usize,
    precision: Option<usize>,
    letter: char,
}

/// `pattern` with its verbs replaced by the values, each of which must be used once.
pub(super) fn format(pattern: &str, values: &[Value], arguments: &mut Arguments) -> Result<String, Refusal> {
    let mut result = String::new();
    let mut values = values.iter().enumerate();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('%') {
        result.push_str(before);
        let (verb, after) = parse(after)?;
        rest = after;
        if verb.letter == '%' {
            result.push('%');
            continue;
        }
        let Some((at, value)) = values.next() else {
            return Err(Refusal::new(format!("there is no value for `%{}`", verb.letter)).about(0));
        };
        arguments.room_for_text(result.len().saturating_add(verb.width))?;
        let written = write(&verb, value).ok_or_else(|| arguments.wrong(at + 1, expected(verb.letter), value))?;
        result.push_str(&pad(&verb, written));
        arguments.room_for_text(result.len())?;
    }
    result.push_str(rest);
    match values.next() {
        Some((at, _)) => Err(Refusal::new("there are more values than verbs").about(at + 1)),
        None => Ok(result),
    }
}

fn parse(text: &str) -> Result<(Verb, &str), Refusal> {
    let mut verb = Verb::default();
    let mut rest = text;
    while let Some(flag) = rest.chars().next().filter(|c| matches!(c, '-' | '0' | '+' | ' ')) {
        match flag {
            '-' => verb.left = true,
            '0' => verb.zeros = true,
            '+' => verb.plus = true,
            _ => verb.space = true,
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    let (width, after) = digits(rest)?;
    verb.width = width.unwrap_or(0);
    rest = after;
    if let Some(after) = rest.strip_prefix('.') {
        let (precision, after) = digits(after)?;
        verb.precision = Some(precision.unwrap_or(0));
        rest = after;
    }
    let Some(letter) = rest.chars().next().filter(|c| "sdfgexXobtqv%".contains(*c)) else {
        return Err(Refusal::new("a `%` begins no verb; for the sign itself write `%%`").about(0));
    };
    verb.letter = letter;
    Ok((verb, rest.get(letter.len_utf8()..).unwrap_or_default()))
}

fn digits(text: &str) -> Result<(Option<usize>, &str), Refusal> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = text.get(..text.len() - rest.len()).unwrap_or_default();
    match digits {
        "" => Ok((None, rest)),
        // A float of a thousand digits is as exact as any.
        digits => match digits.parse() {
            Ok(count) if count <= 1_000 => Ok((Some(count), rest)),
            _ => Err(Refusal::new("a width or precision is at most 1000").about(0)),
        },
    }
}

fn expected(letter: char) -> &'static str {
    match letter {
        'd' | 'x' | 'X' | 'o' | 'b' => "a whole number",
        'f' | 'g' | 'e' => "a number",
        't' => "a bool",
        _ => "a string",
    }
}

fn write(verb: &Verb, value: &Value) -> Option<String> {
    let signed = |text: String| match (verb.plus, verb.space, text.starts_with('-')) {
        (true, _, false) => format!("+{text}"),
        (false, true, false) => format!(" {text}"),
        _ => text,
    };
    let cut = |text: String| match verb.precision {
        Some(precision) => text.chars().take(precision).collect(),
        None => text,
    };
    let whole = || match Number::of(value)? {
        Number::Integer(value) => Some(value),
        Number::Float(value) if value.fract() == 0.0 && value.abs() < 1e15 => Some(value as i64),
        Number::Float(_) => None,
    };
    let based = |digits: fn(u64) -> String| {
        let value = whole()?;
        let sign = if value < 0 { "-" } else { "" };
        Some(signed(format!("{sign}{}", digits(value.unsigned_abs()))))
    };
    match verb.letter {
        's' => text::of(value).map(cut),
        'v' => match value {
            Value::List(_) | Value::Map(_) | Value::Null => value.to_json().ok().map(|json| json.to_string()),
            value => text::of(value),
        },
        'q' => value.as_str().map(|text| serde_json::Value::from(text).to_string()),
        't' => value.as_bool().map(|value| value.to_string()),
        'd' => based(|value| value.to_string()),
        'x' => based(|value| format!("{value:x}")),
        'X' => based(|value| format!("{value:X}")),
        'o' => based(|value| format!("{value:o}")),
        'b' => based(|value| format!("{value:b}")),
        'f' => Some(signed(format!("{:.*}", verb.precision.unwrap_or(6), Number::of(value)?.as_float()))),
        'e' => Some(signed(format!("{:.*e}", verb.precision.unwrap_or(6), Number::of(value)?.as_float()))),
        'g' => Some(signed(text::of_float(Number::of(value)?.as_float()))),
        _ => None,
    }
}

fn pad(verb: &Verb, text: String) -> String {
    let missing = verb.width.saturating_sub(text.chars().count());
    if missing == 0 {
        text
    } else if verb.left {
        text + &" ".repeat(missing)
    } else if verb.zeros && !matches!(verb.letter, 's' | 'v' | 'q' | 't') {
        // Zeros go between the sign and the digits.
        let digits = text.trim_start_matches(['-', '+', ' ']);
        let sign = text.get(..text.len() - digits.len()).unwrap_or_default();
        format!("{sign}{}{digits}", "0".repeat(missing))
    } else {
        " ".repeat(missing) + &text
    }
}
