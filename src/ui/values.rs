//! Values as text: TOML-like for people, JSON and environment files for programs.
//!
//! Nothing here shows a secret but where its caller says `reveal`, which is the user's own word on the command line.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use s3stack_engine::address::{Address, Path};
use s3stack_engine::value::{Map, NotJson, Unknown, Value};
use serde_json::Value as Json;

use super::text::{Layout, Role, cut, number, pad, plain, steers, width};

/// What stands for a secret.
pub const SECRET: &str = "(secret)";

/// Most items of a list that are shown unless everything is.
const ITEMS: usize = 12;

/// An address, fit for a terminal: keys may hold any character.
pub fn address(address: &Address) -> String {
    plain(&address.to_string()).into_owned()
}

/// A value on one line, whole.
pub fn inline(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Float(value) => format!("{value:?}"),
        Value::String(text) if is_seal(text) => SECRET.into(),
        Value::String(text) => quoted(text),
        Value::List(list) => format!("[{}]", list.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Map(map) if map.is_empty() => "{}".into(),
        Value::Map(map) => {
            let pairs: Vec<_> = map.iter().map(|(name, value)| format!("{} = {}", key(name), inline(value))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        Value::Reference(to) => address(to),
        Value::Unknown(unknown) => made_by_aws(unknown),
        Value::Secret(_) => SECRET.into(),
    }
}

/// Whether a text is what state holds in a secret's place, [`crate::seal`].
fn is_seal(text: &str) -> bool {
    text.strip_prefix("hmac-sha256:").is_some_and(|digest| digest.len() == 64)
}

/// Whether a value is or holds a secret, or what state holds in a secret's place.
pub fn is_secret(value: &Value) -> bool {
    let mut sealed = false;
    value.walk(&Path::default(), &mut |_, part| sealed |= part.as_str().is_some_and(is_seal));
    sealed || value.is_sensitive()
}

fn made_by_aws(unknown: &Unknown) -> String {
    let sources: BTreeSet<String> =
        unknown.waits_for().into_iter().map(|(of, name)| format!("{}.{name}", address(of))).collect();
    let sources = Vec::from_iter(sources).join(", ");
    let secret = if unknown.is_sensitive() { "secret, " } else { "" };
    match (sources.is_empty(), unknown) {
        // What was looked up nowhere: only where AWS is not asked at all.
        (true, Unknown::Expression { source, .. }) if source.is_empty() => "(not asked)".into(),
        (true, Unknown::Expression { source, .. }) => format!("({secret}not asked: {})", plain(source)),
        _ => format!("({secret}made by AWS: {sources})"),
    }
}

/// A text in quotes, as TOML's basic strings are written.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if steers(c) => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A key of a table, in quotes only where TOML wants them.
pub fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { name.to_owned() } else { quoted(name) }
}

/// Lines of text, and whether something was left out of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines {
    /// The lines, without indentation.
    pub lines: Vec<String>,
    /// Whether a verbose layout would show more.
    pub shortened: bool,
}

impl Lines {
    /// One line.
    pub fn one(line: impl Into<String>) -> Self {
        Self { lines: vec![line.into()], shortened: false }
    }

    /// Adds other lines, indented.
    pub fn append(&mut self, other: Lines, indent: usize) {
        self.shortened |= other.shortened;
        self.lines.extend(other.lines.into_iter().map(|line| format!("{}{line}", " ".repeat(indent))));
    }
}

/// A value in as few lines as the width allows. A table is written without braces at the outermost level.
pub fn block(value: &Value, layout: &Layout) -> Lines {
    let whole = inline(value);
    if width(&whole) <= layout.width {
        return Lines::one(whole);
    }
    match value {
        Value::Map(map) => members(map, layout),
        value => nested(value, layout),
    }
}

/// A value in as few lines as the width allows, with nothing left out.
pub fn whole(value: &Value, layout: &Layout) -> Lines {
    nested(value, &Layout { verbose: true, ..*layout })
}

/// A text, shortened to the width unless everything is to be shown.
pub fn shortened(text: &str, layout: &Layout) -> Lines {
    let whole = quoted(text);
    if layout.verbose || width(&whole) <= layout.width {
        return Lines::one(whole);
    }
    let size = format!(" ({} characters)", number(text.chars().count() as u64));
    let kept = cut(&whole, layout.width.saturating_sub(width(&size) + 1)).into_owned();
    Lines { lines: vec![format!("{kept}\"{size}")], shortened: true }
}

fn nested(value: &Value, layout: &Layout) -> Lines {
    let whole = inline(value);
    if width(&whole) <= layout.width {
        return Lines::one(whole);
    }
    match value {
        Value::String(text) if layout.verbose && text.contains('\n') => {
            let mut lines = Lines::one("\"\"\"");
            lines.lines.extend(text.lines().map(|line| plain(line).into_owned()));
            lines.lines.push("\"\"\"".into());
            lines
        }
        Value::String(text) => shortened(text, layout),
        Value::List(list) => {
            let mut lines = Lines::one("[");
            let shown = if layout.verbose || list.len() <= ITEMS + 1 { list.len() } else { ITEMS };
            for item in list.iter().take(shown) {
                lines.append(nested(item, &layout.narrower(2)), 2);
            }
            if shown < list.len() {
                lines.append(Lines::one(format!("… {} more", list.len() - shown)), 2);
                lines.shortened = true;
            }
            lines.lines.push("]".into());
            lines
        }
        Value::Map(map) => {
            let mut lines = Lines::one("{");
            lines.append(members(map, &layout.narrower(2)), 2);
            lines.lines.push("}".into());
            lines
        }
        _ => Lines::one(whole),
    }
}

/// The members of a table, one below the other.
pub fn members(map: &Map, layout: &Layout) -> Lines {
    let mut lines = Lines::default();
    for (name, value) in map {
        let name = format!("{} = ", key(name));
        let inner = nested(value, &layout.narrower(width(&name)));
        lines.shortened |= inner.shortened;
        for (at, line) in inner.lines.into_iter().enumerate() {
            lines.lines.push(if at == 0 { format!("{name}{line}") } else { line });
        }
    }
    lines
}

/// All outputs for people, one line each. Sensitive ones are named, and shown only to who asks.
pub fn render_outputs(outputs: &Map, reveal: bool, layout: &Layout) -> String {
    let names = outputs.keys().map(|name| width(name)).max().unwrap_or_default();
    let mut text = String::new();
    for (name, value) in outputs {
        let value = match value.is_sensitive() && !reveal {
            true => layout.paint(Role::Faint, "(sensitive)"),
            false => inline(&exposed(value)),
        };
        let _ = writeln!(text, "{} = {value}", layout.paint(Role::Strong, &pad(name, names)));
    }
    text
}

/// One output that was asked for by name, sensitive or not: a text as it is, anything else as JSON.
pub fn output_text(value: &Value) -> Result<String, NotJson> {
    match exposed(value) {
        Value::String(text) => Ok(text),
        Value::Reference(to) => Ok(to.to_string()),
        value => Ok(format!("{:#}", output_json(&value)?)),
    }
}

/// One output that was asked for by name, sensitive or not, as JSON; null where AWS has not made it yet.
pub fn output_document(value: &Value) -> Json {
    output_json(&exposed(value)).unwrap_or_default()
}

/// All outputs as a JSON object. Sensitive ones are left out unless `reveal`; what AWS has not made yet is null.
pub fn outputs_json(outputs: &Map, reveal: bool) -> Json {
    let shown = outputs.iter().filter(|(_, value)| reveal || !value.is_sensitive());
    shown.map(|(name, value)| (name.clone(), output_document(value))).collect()
}

/// All outputs as lines of an environment file, `NAME=value`, quoted for a POSIX shell. Sensitive ones are left out unless
/// `reveal`; what AWS has not made yet is left out.
pub fn environment_lines(outputs: &Map, reveal: bool) -> String {
    let mut text = String::new();
    for (name, value) in outputs.iter().filter(|(_, value)| reveal || !value.is_sensitive()) {
        let value = match exposed(value) {
            Value::Null => continue,
            Value::String(text) => text,
            value => match output_json(&value) {
                Ok(Json::String(text)) => text,
                Ok(json) => json.to_string(),
                Err(_) => continue,
            },
        };
        let _ = writeln!(text, "{}={}", name.to_uppercase(), shell_word(&value));
    }
    text
}

/// The sensitive outputs' names: what [`outputs_json`] and [`environment_lines`] leave out.
pub fn sensitive(outputs: &Map) -> Vec<&str> {
    outputs.iter().filter(|(_, value)| value.is_sensitive()).map(|(name, _)| name.as_str()).collect()
}

fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+,=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// An output's JSON: a resource is its address.
fn output_json(value: &Value) -> Result<Json, NotJson> {
    let named = value.clone().rebuild(&mut |value| match value {
        Value::Reference(to) => Value::String(to.to_string()),
        value => value,
    });
    named.to_json()
}

/// The value with its secrets in clear: for a user who asked for exactly that.
fn exposed(value: &Value) -> Value {
    value.clone().rebuild(&mut |value| match value {
        Value::Secret(secret) => exposed(secret.expose()),
        value => value,
    })
}

#[cfg(test)]
mod tests {
    use s3stack_engine::value::Secret;

    use super::*;

    fn secret(text: &str) -> Value {
        Value::Secret(Secret::new(text.into()))
    }

    fn made(name: &str) -> Value {
        let address = Address::root("iam.access_key", "app");
        Value::from(Unknown::Attribute { address, name: name.into(), sensitive: name == "secret" })
    }

    fn outputs() -> Map {
        [
            ("bucket".to_owned(), Value::from("data-123")),
            ("greeting".to_owned(), "it's a\nline".into()),
            ("key_id".to_owned(), made("id")),
            ("owner".to_owned(), Value::Reference(Address::root("iam.role", "app"))),
            ("password".to_owned(), Value::map([("now", secret("canary"))])),
            ("ports".to_owned(), vec![Value::Integer(80), Value::Integer(443)].into()),
        ]
        .into()
    }

    #[test]
    fn values_read_like_toml() {
        let value = Value::map([
            ("a b", Value::strings(["x\"y", "\u{1b}[2J"])),
            ("float", Value::Float(1.0)),
            ("id", made("id")),
            ("password", secret("canary")),
            ("secret", made("secret")),
        ]);
        insta::assert_snapshot!(inline(&value), @r#"{ "a b" = ["x\"y", "\u001B[2J"], float = 1.0, id = (made by AWS: iam.access_key.app.id), password = (secret), secret = (secret, made by AWS: iam.access_key.app.secret) }"#);
    }

    #[test]
    fn what_is_too_wide_is_laid_out_and_then_shortened() {
        let value = Value::map([
            ("definition", Value::from("{\"StartAt\": \"First\", \"States\": {\"First\": {\"Type\": \"Pass\"}}}")),
            ("days", Value::Integer(30)),
            ("names", Value::List((0..20).map(|n| format!("arn:aws:s3:::bucket-{n}").into()).collect())),
        ]);
        let layout = Layout { width: 40, ..Layout::default() };
        let lines = block(&value, &layout);
        assert!(lines.shortened);
        insta::assert_snapshot!(lines.lines.join("\n"), @r#"
        days = 30
        definition = "{\"Start…" (59 characters)
        names = [
          "arn:aws:s3:::bucket-0"
          "arn:aws:s3:::bucket-1"
          "arn:aws:s3:::bucket-2"
          "arn:aws:s3:::bucket-3"
          "arn:aws:s3:::bucket-4"
          "arn:aws:s3:::bucket-5"
          "arn:aws:s3:::bucket-6"
          "arn:aws:s3:::bucket-7"
          "arn:aws:s3:::bucket-8"
          "arn:aws:s3:::bucket-9"
          "arn:aws:s3:::bucket-10"
          "arn:aws:s3:::bucket-11"
          … 8 more
        ]
        "#);
        let whole = block(&value, &Layout { verbose: true, ..layout });
        assert!(!whole.shortened);
        assert!(whole.lines.iter().any(|line| line.contains("bucket-19")));
    }

    #[test]
    fn a_long_text_with_lines_is_shown_as_lines_when_all_is_asked_for() {
        let layout = Layout { width: 24, verbose: true, ..Layout::default() };
        let lines = block(&Value::from("def handler(event, context):\n    return 1\n"), &layout);
        assert_eq!(lines.lines, ["\"\"\"", "def handler(event, context):", "    return 1", "\"\"\""]);
    }

    #[test]
    fn outputs_hide_what_is_sensitive_unless_asked() {
        insta::assert_snapshot!(render_outputs(&outputs(), false, &Layout::default()), @r#"
        bucket   = "data-123"
        greeting = "it's a\nline"
        key_id   = (made by AWS: iam.access_key.app.id)
        owner    = iam.role.app
        password = (sensitive)
        ports    = [80, 443]
        "#);
        assert!(render_outputs(&outputs(), true, &Layout::default()).contains("canary"));
        insta::assert_snapshot!(outputs_json(&outputs(), false), @r#"{"bucket":"data-123","greeting":"it's a\nline","key_id":null,"owner":"iam.role.app","ports":[80,443]}"#);
        assert!(outputs_json(&outputs(), true).to_string().contains("canary"));
        assert_eq!(sensitive(&outputs()), ["password"]);
    }

    #[test]
    fn environment_lines_survive_a_shell() {
        insta::assert_snapshot!(environment_lines(&outputs(), false), @r"
        BUCKET=data-123
        GREETING='it'\''s a
        line'
        OWNER=iam.role.app
        PORTS='[80,443]'
        ");
        assert!(environment_lines(&outputs(), true).contains(r#"PASSWORD='{"now":"canary"}'"#));
    }

    #[test]
    fn an_output_asked_for_by_name_is_bare() {
        assert_eq!(output_text(&secret("canary")).unwrap(), "canary");
        assert_eq!(output_text(&vec![Value::Integer(1)].into()).unwrap(), "[\n  1\n]");
        assert!(output_text(&made("id")).is_err());
    }
}
