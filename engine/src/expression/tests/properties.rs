//! Properties that hold for any expression.

use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::scope::{Names, evaluate, unknown};
use crate::address::Address;
use crate::expression::{Budget, Origin, Template, settle};
use crate::value::{Secret, Value};

/// The kinds of expression that [`Writer`] is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Number,
    Text,
    Bool,
    List,
    Map,
}

const KINDS: [Kind; 5] = [Kind::Number, Kind::Text, Kind::Bool, Kind::List, Kind::Map];

/// Writes an expression, each choice made by the next byte; mostly of the kind asked for, so that most have a value.
struct Writer<'a> {
    choices: std::slice::Iter<'a, u8>,
    /// Only what HCL's own evaluator understands and sees the same way.
    plain: bool,
    bound: Vec<String>,
}

impl Writer<'_> {
    fn pick(&mut self, count: u8) -> u8 {
        self.choices.next().map_or(0, |choice| choice % count)
    }

    fn any(&mut self, depth: usize) -> String {
        let kind = KINDS[usize::from(self.pick(5))];
        self.of(kind, depth)
    }

    fn of(&mut self, kind: Kind, depth: usize) -> String {
        if !self.plain && self.pick(20) == 19 {
            return self.any(depth.saturating_sub(1));
        }
        if depth == 0 || self.pick(6) == 0 {
            return self.leaf(kind);
        }
        let depth = depth - 1;
        match self.pick(if self.plain { 2 } else { 5 }) {
            0 => {
                let (condition, yes, no) = (self.of(Kind::Bool, depth), self.of(kind, depth), self.of(kind, depth));
                format!("({condition} ? {yes} : {no})")
            }
            2 => format!("try({}, {})", self.any(depth), self.of(kind, depth)),
            3 if self.pick(3) == 0 => format!("sensitive({})", self.of(kind, depth)),
            3 if self.pick(3) == 0 => format!("nonsensitive({})", self.of(kind, depth)),
            3 => {
                let index = self.of(Kind::Number, 0);
                format!("[{}, {}][{index}]", self.of(kind, depth), self.of(kind, depth))
            }
            _ => self.compound(kind, depth),
        }
    }

    fn leaf(&mut self, kind: Kind) -> String {
        if !self.bound.is_empty() && self.pick(3) == 0 {
            let at = usize::from(self.pick(8)) % self.bound.len();
            return self.bound[at].clone();
        }
        let known: &[&str] = match kind {
            Kind::Number => &["0", "1", "2.5", "-3", "7"],
            Kind::Text => &["\"\"", "\"a\"", "\"é$\"", "\"k\"", "\"1\""],
            Kind::Bool => &["true", "false"],
            Kind::List => &["[]", "[1]", "[\"a\", \"k\"]"],
            Kind::Map => &["{}", "{ a = 1 }", "{ a = true, k = \"x\" }"],
        };
        let named: &[&str] = match kind {
            Kind::Number => &["x.number", "refs.k.number", "n", "secret.number", "object.number"],
            Kind::Text => &["x.text", "refs[\"k\"].text", "t", "secret.text", "x.hidden", "object.text"],
            Kind::Bool => &["x.flag", "b", "refs.k.flag", "secret.flag"],
            Kind::List => &["x.list", "l", "refs[*].text", "refs[*].number", "object.list", "refs"],
            Kind::Map => &["x.map", "object", "secret", "m", "refs"],
        };
        let all = if self.plain { known.to_vec() } else { [known, named, named].concat() };
        all[usize::from(self.pick(60)) % all.len()].to_owned()
    }

    fn compound(&mut self, kind: Kind, depth: usize) -> String {
        let plain = self.plain;
        match kind {
            Kind::Number => match self.pick(if plain { 3 } else { 7 }) {
                0 => format!("({} + {})", self.of(kind, depth), self.of(kind, depth)),
                1 => format!("({} * {})", self.of(kind, depth), self.of(kind, depth)),
                2 => format!("(-({}))", self.of(kind, depth)),
                3 => format!("length({})", self.of(Kind::List, depth)),
                4 => format!("({} / {})", self.of(kind, depth), self.of(kind, depth)),
                5 => format!("max({}...)", self.of(Kind::List, depth)),
                _ => format!("refs[{}].number", self.of(Kind::Text, depth)),
            },
            Kind::Text => match self.pick(if plain { 1 } else { 8 }) {
                0 => format!("\"p${{{}}}-${{{}}}$${{q}}\"", self.of(kind, depth), self.of(Kind::Number, depth)),
                1 => format!("upper({})", self.of(kind, depth)),
                2 => format!("join(\",\", {})", self.of(Kind::List, depth)),
                3 => format!("jsonencode({})", self.any(depth)),
                4 => format!("coalesce({}, {})", self.of(kind, depth), self.of(kind, depth)),
                5 => format!("templatefile(\"greeting.tpl\", {{ name = {} }})", self.of(kind, depth)),
                6 => format!("file(\"{}\")", ["hello.txt", "no.txt"][usize::from(self.pick(2))]),
                _ => format!("\"${{{}}}\"", self.of(kind, depth)),
            },
            Kind::Bool => match self.pick(if plain { 5 } else { 8 }) {
                0 => format!("({} == {})", self.any(depth), self.any(depth)),
                1 => format!("({} < {})", self.of(Kind::Number, depth), self.of(Kind::Number, depth)),
                2 => format!("(!{})", self.of(kind, depth)),
                3 => format!("({} && {})", self.of(kind, depth), self.of(kind, depth)),
                4 => format!("({} || {})", self.of(kind, depth), self.of(kind, depth)),
                5 => format!("can({})", self.any(depth)),
                6 => format!("contains({}, {})", self.of(Kind::List, depth), self.any(depth)),
                _ => format!("({} != {})", self.any(depth), self.any(depth)),
            },
            Kind::List => match self.pick(if plain { 2 } else { 8 }) {
                0 => format!("[{}, {}]", self.any(depth), self.any(depth)),
                1 => self.each(depth, |writer| {
                    let value = writer.any(depth);
                    let condition = if writer.pick(2) == 0 { writer.of(Kind::Bool, depth) } else { "true".into() };
                    (format!("{value} if {condition}"), "[", "]")
                }),
                2 => format!("{}[*]", self.of(kind, depth)),
                3 => format!("concat({}, {})", self.of(kind, depth), self.of(kind, depth)),
                4 => format!("keys({})", self.of(Kind::Map, depth)),
                5 => format!("values({})", self.of(Kind::Map, depth)),
                6 => format!("[{}, {}][*].a", self.of(Kind::Map, depth), self.of(Kind::Map, depth)),
                _ => format!("distinct({})", self.of(kind, depth)),
            },
            Kind::Map => match self.pick(if plain { 2 } else { 5 }) {
                0 => format!("{{ a = {}, b = {} }}", self.any(depth), self.any(depth)),
                1 => self.each(depth, |writer| {
                    let value = writer.any(depth);
                    let key = writer.of(Kind::Text, depth);
                    (format!("{key} => {value}..."), "{", "}")
                }),
                2 => format!("merge({}, {})", self.of(kind, depth), self.of(kind, depth)),
                3 => format!("{{ ({}) = {} }}", self.of(Kind::Text, depth), self.any(depth)),
                _ => format!("lookup({}, \"a\", {})", self.of(kind, depth), self.of(kind, depth)),
            },
        }
    }

    fn each(&mut self, depth: usize, body: impl FnOnce(&mut Self) -> (String, &'static str, &'static str)) -> String {
        let over = if self.pick(2) == 0 { Kind::List } else { Kind::Map };
        let collection = self.of(over, depth);
        let names = [format!("k{}", self.bound.len()), format!("v{}", self.bound.len())];
        let outside = self.bound.len();
        self.bound.extend(names.clone());
        let (body, open, close) = body(self);
        self.bound.truncate(outside);
        format!("{open}for {}, {} in {collection} : {body}{close}", names[0], names[1])
    }
}

fn template(choices: &[u8], plain: bool) -> String {
    let mut writer = Writer { choices: choices.iter(), plain, bound: Vec::new() };
    let kind = KINDS[usize::from(writer.pick(5))];
    let expression = writer.of(kind, 4);
    match writer.pick(4) {
        0 if !plain => format!("a$${{${{{expression}}}$${{{expression}}}"),
        _ => format!("${{{expression}}}"),
    }
}

fn resource() -> Address {
    Address::root("kms.key", "main")
}

fn answer(name: &str) -> Option<Value> {
    match name {
        "number" => Some(Value::Integer(1)),
        "text" => Some(Value::from("k")),
        "hidden" => Some(Value::from("a")),
        "flag" => Some(Value::Bool(true)),
        "list" => Some(Value::List(vec![Value::Integer(1), Value::from("a")])),
        "map" => Some(Value::map([("a", Value::Integer(1)), ("k", Value::from("a"))])),
        _ => None,
    }
}

/// The names of the generated expressions; `attribute` says what AWS made, or that it is not known yet.
fn names(attribute: impl Fn(&str) -> Value) -> Names {
    let address = resource();
    let all = ["number", "text", "hidden", "flag", "list", "map"];
    let secret = |value: Value| Value::Secret(Secret::new(value));
    let object = Value::map([
        ("number", attribute("number")),
        ("text", attribute("text")),
        ("list", Value::List(vec![attribute("text"), Value::Integer(2)])),
        ("a", Value::from("k")),
        ("hidden", attribute("hidden")),
    ]);
    let names = Names::of([
        ("x", Value::Reference(address.clone())),
        ("refs", Value::map([("k", Value::Reference(address.clone()))])),
        ("object", object),
        ("n", Value::Integer(1)),
        ("t", Value::from("k")),
        ("b", Value::Bool(true)),
        ("l", Value::List(vec![Value::from("a"), Value::Null, Value::Integer(1)])),
        ("m", Value::map([("a", Value::Integer(1))])),
        (
            "secret",
            Value::map([
                ("number", secret(Value::Integer(1))),
                ("text", secret(Value::from("k"))),
                ("flag", secret(Value::Bool(true))),
            ]),
        ),
    ]);
    all.iter().fold(names, |names, name| names.with(&address, name, attribute(name)))
}

fn made(name: &str) -> Value {
    let value = answer(name).unwrap_or_default();
    if name == "hidden" { Value::Secret(Secret::new(value)) } else { value }
}

fn waiting(name: &str) -> Value {
    unknown(&resource(), name, name == "hidden")
}

fn plain_scope() -> Names {
    Names::default()
}

/// The value as HCL's own evaluator has it.
fn hcl_value(value: &hcl::Value) -> Value {
    match value {
        hcl::Value::Null => Value::Null,
        hcl::Value::Bool(value) => Value::Bool(*value),
        hcl::Value::Number(number) => match number.as_i64() {
            Some(value) => Value::Integer(value),
            None => Value::Float(number.as_f64().unwrap()),
        },
        hcl::Value::String(text) => Value::from(text.as_str()),
        hcl::Value::Array(list) => Value::List(list.iter().map(hcl_value).collect()),
        hcl::Value::Object(map) => Value::map(map.iter().map(|(key, value)| (key.as_str(), hcl_value(value)))),
    }
}

#[test]
fn most_generated_expressions_have_a_value() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = prop::collection::vec(any::<u8>(), 0..200);
    let (mut fine, mut open) = (0, 0);
    for _ in 0..1_000 {
        let choices = strategy.new_tree(&mut runner).unwrap().current();
        let text = template(&choices, false);
        fine += usize::from(evaluate(&text, &names(made)).is_ok());
        open += usize::from(evaluate(&text, &names(waiting)).is_ok_and(|value| !value.is_known()));
    }
    assert!(fine > 500, "{fine} of 1000 have a value");
    assert!(open > 150, "{open} of 1000 wait for one");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    /// The promise of `settle`: it makes no difference when a value becomes known.
    #[test]
    fn settling_later_is_evaluating_later(choices in prop::collection::vec(any::<u8>(), 0..200), first in any::<u8>()) {
        let text = template(&choices, false);
        let expected = evaluate(&text, &names(made));
        let known = |_: &Address, name: &str| answer(name);
        let some = |_: &Address, name: &str| answer(name).filter(|_| first & (1 << (name.len() % 8)) != 0);
        let at_once = evaluate(&text, &names(waiting)).and_then(|value| settle(value, &known));
        let in_steps = evaluate(&text, &names(waiting))
            .and_then(|value| settle(value, &some))
            .and_then(|value| settle(value, &known));
        // Nothing is claimed where it fails: an expression that nobody uses (`[a, b][0]`) fails only if it is evaluated.
        if let Ok(expected) = expected {
            prop_assert_eq!(&at_once, &Ok(expected.clone()), "{}", text);
            prop_assert_eq!(&in_steps, &Ok(expected), "{}", text);
        }
    }

    /// HCL's own evaluator agrees wherever both have a value.
    #[test]
    fn the_reference_evaluator_agrees(choices in prop::collection::vec(any::<u8>(), 0..120)) {
        use hcl::eval::{Context, Evaluate};
        let text = template(&choices, true);
        let inner = &text[2..text.len() - 1];
        let theirs = inner.parse::<hcl::Expression>().ok().and_then(|tree| tree.evaluate(&Context::new()).ok());
        let ours = evaluate(&text, &plain_scope());
        if let (Some(theirs), Ok(ours)) = (&theirs, &ours) {
            let theirs = hcl_value(theirs);
            prop_assert!(crate::expression::compare::equal(&theirs, ours), "{}: {:?} and {:?}", text, theirs, ours);
        }
        // They also look at the side of `&&` and `||` that does not count; and they write lists and maps into strings.
        let refused = ours.as_ref().err().is_some_and(|found| found.0[0].message.contains("cannot be part of a string"));
        prop_assert!(ours.is_ok() || refused || theirs.is_none(), "{}: {:?} and {:?}", text, theirs, ours);
    }

    #[test]
    fn no_text_makes_parsing_panic(
        text in prop_oneof![".{0,60}", "[${}()\\[\\]\"a1.,?:*%~<#/ \n'=-]{0,60}"],
    ) {
        let _ = Template::parse(&text, &Origin::nowhere());
        let _ = Template::parse(&format!("${{{text}}}"), &super::scope::literal_origin(&text));
    }

    #[test]
    fn no_expression_makes_evaluation_panic(
        text in "[${}()\\[\\]\"xrn1.,?:*+/ =-]{0,40}",
        choices in prop::collection::vec(any::<u8>(), 0..60),
        at in 0usize..60,
    ) {
        let mut mixed = template(&choices, false);
        if mixed.is_char_boundary(at.min(mixed.len())) {
            mixed.insert_str(at.min(mixed.len()), &text);
        }
        if let Ok(template) = Template::parse(&mixed, &Origin::nowhere()) {
            let _ = template.references();
            let _ = template.evaluate(&names(made), &Budget::default());
            let _ = template.evaluate(&names(waiting), &Budget::default());
        }
    }
}
