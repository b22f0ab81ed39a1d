//! Our tables are those of the `toml` crate: the same files are TOML, and they say the same.

use proptest::prelude::*;

use super::super::draft::{Draft, DraftKind, plain};
use super::super::syntax::{self, Budget};
use super::file;
use crate::diagnostic::Diagnostics;
use crate::value::Value;

/// Our reading; `None` if the file is refused.
fn ours(text: &str) -> Option<Value> {
    let mut diagnostics = Diagnostics::default();
    let document = syntax::read(&file("stack.toml", text), &mut Budget::default(), &mut diagnostics);
    assert!(document.is_some() || diagnostics.has_errors(), "{text}");
    document
        .filter(|_| diagnostics.0.is_empty())
        .map(|document| plain(Draft { range: 0..0, kind: DraftKind::Table(document.root) }))
}

/// The crate's reading; `None` if it is no TOML, or holds what we refuse.
fn theirs(text: &str) -> Option<Value> {
    fn value(toml: toml::Value) -> Option<Value> {
        Some(match toml {
            toml::Value::String(text) => Value::String(text),
            toml::Value::Integer(number) => Value::Integer(number),
            toml::Value::Float(number) => Value::Float(Some(number).filter(|number| number.is_finite())?),
            toml::Value::Boolean(flag) => Value::Bool(flag),
            toml::Value::Datetime(_) => return None,
            toml::Value::Array(list) => Value::List(list.into_iter().map(value).collect::<Option<_>>()?),
            toml::Value::Table(table) => table_of(table)?,
        })
    }
    fn table_of(table: toml::Table) -> Option<Value> {
        let pairs = table.into_iter().map(|(key, one)| Some((key, value(one)?)));
        pairs.collect::<Option<_>>().map(Value::Map)
    }
    table_of(toml::from_str::<toml::Table>(text).ok()?)
}

#[test]
fn the_rules_of_tables_are_those_of_the_specification() {
    let cases = [
        ("[a]\nx = 1\n[a.b]\ny = 2\n", true),
        ("[a.b]\ny = 2\n[a]\nx = 1\n", true),
        ("[a]\n[a]\n", false),
        ("[a.b]\n[a]\nb = 1\n", false),
        ("[a.b.c]\nz = 9\n[a]\nb.c.t = 1\n", false),
        ("[a]\nb.c = 1\n[a.b]\nd = 2\n", false),
        ("[a]\nb.c = 1\n[a.b.d]\ne = 2\n", true),
        ("a = { b = 1 }\na.c = 2\n", false),
        ("a = { b = 1 }\n[a.c]\n", false),
        ("a.b = 1\na.c = 2\n", true),
        ("a.b = 1\na.b.c = 2\n", false),
        ("[[a]]\nx = 1\n[[a]]\nx = 2\n[a.b]\ny = 3\n", true),
        ("[a]\n[[a]]\n", false),
        ("a = [1]\n[[a]]\n", false),
        ("[[a.b]]\n[a.b]\n", false),
        ("a = { b = 1, b = 2 }\n", false),
        ("a = { b.c = 1, b.d = 2 }\n", true),
        ("a = { b = {}, b.d = 2 }\n", false),
        ("\"\" = 1\n'x y'.z = 2\n", true),
        ("a = 0x1F\nb = 1_000\nc = 0o7\nd = 0b1\ne = -0\nf = 1e3\n", true),
        ("\u{feff}a = 1\r\n", true),
    ];
    for (text, fine) in cases {
        assert_eq!(ours(text).is_some(), fine, "{text}");
        assert_eq!(ours(text), theirs(text), "{text}");
    }
}

#[test]
fn dotted_keys_do_not_reach_into_arrays_of_tables() {
    // As toml-test has it, `invalid/table/append-to-array-with-dotted-keys`; the crate refuses only the first.
    assert_eq!(ours("[[a.b]]\n[a]\nb.x = 1\n"), None);
    assert_eq!(ours("[[a.b]]\n[a]\nb.x.y = 1\n"), None);
}

/// Lines of TOML, right and wrong, that collide often.
fn document() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec!["a", "b", "c", "\"a\"", "'b c'"]);
    let path = prop::collection::vec(key, 1..4).prop_map(|keys| keys.join("."));
    let scalar = prop::sample::select(vec![
        "1",
        "-7",
        "0x2F",
        "1_0",
        "2.5",
        "1e2",
        "true",
        "\"x\"",
        "'y'",
        "\"\"\"\nm\\\n  n\"\"\"",
        "\"\\u00e9\\t\"",
        "nan",
        "1979-05-27",
        "tru",
        "01",
        "",
    ])
    .prop_map(str::to_owned);
    let value = scalar.prop_recursive(3, 12, 4, {
        let path = path.clone();
        move |inner| {
            let pair = (path.clone(), inner.clone()).prop_map(|(key, value)| format!("{key} = {value}"));
            prop_oneof![
                prop::collection::vec(inner, 0..3).prop_map(|items| format!("[{}]", items.join(", "))),
                prop::collection::vec(pair, 0..3).prop_map(|pairs| format!("{{ {} }}", pairs.join(", "))),
            ]
        }
    });
    let line = prop_oneof![
        3 => (path.clone(), value).prop_map(|(key, value)| format!("{key} = {value}")),
        2 => path.clone().prop_map(|key| format!("[{key}]")),
        1 => path.prop_map(|key| format!("[[{key}]]")),
        1 => Just("# a comment".to_owned()),
    ];
    prop::collection::vec(line, 0..8).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_document_is_read_alike(text in document()) {
        let ours = ours(&text);
        // The crate lets dotted keys reach into arrays of tables, see above.
        if ours.is_some() || !text.contains("[[") {
            prop_assert_eq!(ours, theirs(&text));
        }
    }
}
