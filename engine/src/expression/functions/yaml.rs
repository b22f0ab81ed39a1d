//! Reads YAML 1.2 with its core schema, and the merge key `<<` of 1.1 that people use with anchors.
//!
//! Values are made from the parser's events one by one, so that what it asks for (depth, copies by alias) is bounded
//! before there is anything.

use std::collections::{BTreeMap, HashMap};

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::{Arguments, Function, Refusal};
use crate::expression::operate;
use crate::value::{Map, Value};

pub(super) const YAMLDECODE: Function = Function::whole(
    "yamldecode(text)",
    "The value that the YAML text stands for: one document, of YAML 1.2.",
    r#"yamldecode("a: &x [1, no]\nb: *x\n")"#,
    r#"{ a = [1, "no"], b = [1, "no"] }"#,
    |arguments| {
        let text = arguments.text(0)?;
        if text.len() > TEXT_BYTES {
            return Err(Refusal::new(format!("the text is longer than {TEXT_BYTES} bytes")).about(0));
        }
        // A plain scalar may take the parser longer than it is long.
        arguments.work(text.len())?;
        Reader { arguments, open: Vec::new(), anchors: HashMap::new(), values: 0, text: 0 }.read(&text)
    },
);

const TEXT_BYTES: usize = 256 * 1024;

/// How deep lists and maps may nest.
const DEPTH: usize = 60;

/// A list or map whose end has not come yet.
struct Open {
    /// The number of its anchor; 0 is none.
    anchor: usize,
    items: Items,
}

enum Items {
    List(Vec<Value>),
    Map {
        /// A [`Map`] would be slow to fill in any other order than its own.
        map: BTreeMap<String, Value>,
        /// The key whose value comes next.
        key: Option<Key>,
        /// What `<<` adds, the keys that win first.
        merged: Vec<Map>,
    },
}

enum Key {
    Text(String),
    Merge,
}

struct Reader<'r, 'a> {
    arguments: &'r mut Arguments<'a>,
    open: Vec<Open>,
    anchors: HashMap<usize, Value>,
    /// How many values were made so far, copies included.
    values: usize,
    /// And how many bytes of text.
    text: usize,
}

impl Reader<'_, '_> {
    fn read(mut self, text: &str) -> Result<Value, Refusal> {
        let mut whole = None;
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| {
                let (line, what) = (error.marker().line(), error.info());
                Refusal::new(format!("the text is not YAML: line {line}: {what}")).about(0)
            })?;
            let done = self.event(event).map_err(|refusal| match refusal.code {
                super::super::LIMIT => refusal,
                _ => {
                    Refusal { message: format!("line {}: {}", span.start.line(), refusal.message), ..refusal.about(0) }
                }
            })?;
            if let Some(value) = done
                && whole.replace(value).is_some()
            {
                return Err(Refusal::new("the text has more than one document; decode each part of it").about(0));
            }
        }
        Ok(whole.unwrap_or_default())
    }

    /// Takes one event; answers a document once it is complete.
    fn event(&mut self, event: Event<'_>) -> Result<Option<Value>, Refusal> {
        match event {
            Event::Alias(anchor) => {
                let value = self.anchors.get(&anchor).cloned();
                let value = value.ok_or_else(|| Refusal::new("an alias stands inside what it stands for"))?;
                self.weigh(&value)?;
                self.place(value)
            }
            Event::Scalar(text, style, anchor, tag) => {
                if self.wants_key() {
                    return self.key(&text, style, anchor).map(|()| None);
                }
                let value = scalar(&text, style, tag.as_deref())?;
                self.weigh(&value)?;
                self.anchor(anchor, &value)?;
                self.place(value)
            }
            Event::SequenceStart(anchor, tag) => self.begin(anchor, tag.as_deref(), "seq", Items::List(Vec::new())),
            Event::MappingStart(anchor, tag) => {
                let items = Items::Map { map: BTreeMap::new(), key: None, merged: Vec::new() };
                self.begin(anchor, tag.as_deref(), "map", items)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(None) };
                let value = match open.items {
                    Items::List(list) => Value::List(list),
                    Items::Map { mut map, merged, .. } => {
                        for (key, value) in merged.into_iter().flatten() {
                            map.entry(key).or_insert(value);
                        }
                        Value::map(map)
                    }
                };
                self.anchor(open.anchor, &value)?;
                self.place(value)
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {
                Ok(None)
            }
        }
    }

    fn begin(
        &mut self,
        anchor: usize,
        tag: Option<&Tag>,
        expected: &str,
        items: Items,
    ) -> Result<Option<Value>, Refusal> {
        if self.wants_key() {
            return Err(Refusal::new("a key must be a text, not a list or map"));
        }
        if self.open.len() >= DEPTH {
            return Err(Refusal::new(format!("this nests more than {DEPTH} deep")));
        }
        match tag {
            Some(tag) if !is_core(tag, expected) => return Err(meaningless(tag)),
            _ => {}
        }
        self.weigh(&Value::Null)?;
        self.open.push(Open { anchor, items });
        Ok(None)
    }

    fn wants_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { items: Items::Map { key: None, .. }, .. }))
    }

    fn key(&mut self, text: &str, style: ScalarStyle, anchor: usize) -> Result<(), Refusal> {
        let value = Value::from(text);
        self.weigh(&value)?;
        self.anchor(anchor, &value)?;
        if let Some(Open { items: Items::Map { map, key, .. }, .. }) = self.open.last_mut() {
            if map.contains_key(text) {
                return Err(Refusal::new(format!("the key `{text}` is there twice")));
            }
            let is_merge = text == "<<" && style == ScalarStyle::Plain;
            *key = Some(if is_merge { Key::Merge } else { Key::Text(text.to_owned()) });
        }
        Ok(())
    }

    /// Puts a value where it belongs; answers it if that is nowhere, as it is the document.
    fn place(&mut self, value: Value) -> Result<Option<Value>, Refusal> {
        match self.open.last_mut().map(|open| &mut open.items) {
            None => return Ok(Some(value)),
            Some(Items::List(list)) => list.push(value),
            Some(Items::Map { map, key, merged }) => match (key.take(), value) {
                (Some(Key::Text(key)), value) => drop(map.insert(key, value)),
                (Some(Key::Merge), Value::Map(map)) => merged.push(map),
                (Some(Key::Merge), Value::List(list)) => {
                    for value in list {
                        let Value::Map(map) = value else { return Err(no_merge()) };
                        merged.push(map);
                    }
                }
                (Some(Key::Merge), _) => return Err(no_merge()),
                // An alias may stand for a key.
                (None, Value::String(text)) => *key = Some(Key::Text(text)),
                (None, _) => return Err(Refusal::new("a key must be a text, not a list or map")),
            },
        }
        Ok(None)
    }

    fn anchor(&mut self, anchor: usize, value: &Value) -> Result<(), Refusal> {
        if anchor != 0 {
            self.weigh(value)?;
            self.anchors.insert(anchor, value.clone());
        }
        Ok(())
    }

    /// Counts a value that is made or copied, and asks whether there is room for all so far.
    fn weigh(&mut self, value: &Value) -> Result<(), Refusal> {
        fn add(value: &Value, values: &mut usize, text: &mut usize) {
            *values += 1;
            match value {
                Value::String(string) => *text += string.len(),
                Value::List(list) => list.iter().for_each(|value| add(value, values, text)),
                Value::Map(map) => map.iter().for_each(|(key, value)| {
                    *text += key.len();
                    add(value, values, text);
                }),
                _ => {}
            }
        }
        add(value, &mut self.values, &mut self.text);
        self.arguments.room_for_values(self.values)?;
        self.arguments.room_for_text(self.text)
    }
}

fn no_merge() -> Refusal {
    Refusal::new("`<<` takes a map, or a list of maps")
}

fn meaningless(tag: &Tag) -> Refusal {
    Refusal::new(format!("the tag `{tag}` means nothing here"))
}

fn is_core(tag: &Tag, name: &str) -> bool {
    (tag.is_yaml_core_schema() && tag.suffix == name) || is_plain(tag)
}

/// The tag `!`, which says that a scalar is a text.
fn is_plain(tag: &Tag) -> bool {
    (tag.handle.is_empty() && tag.suffix == "!") || (tag.handle == "!" && tag.suffix.is_empty())
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, Refusal> {
    let Some(tag) = tag else {
        return if style == ScalarStyle::Plain { resolved(text) } else { Ok(text.into()) };
    };
    if is_core(tag, "str") {
        return Ok(text.into());
    }
    let value = resolved(text)?;
    let fits = match value {
        Value::Null => is_core(tag, "null"),
        Value::Bool(_) => is_core(tag, "bool"),
        Value::Integer(_) => is_core(tag, "int") || is_core(tag, "float"),
        Value::Float(_) => is_core(tag, "float"),
        _ => false,
    };
    match fits {
        true => Ok(value),
        false if tag.is_yaml_core_schema() => Err(Refusal::new(format!("`{text}` is no {}", tag.suffix))),
        false => Err(meaningless(tag)),
    }
}

/// What a plain scalar means in the core schema.
fn resolved(text: &str) -> Result<Value, Refusal> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let based = |digits: &str, base: u32| {
        let number = i64::from_str_radix(digits, base).ok().filter(|_| !digits.starts_with(['-', '+']));
        number.map(Value::Integer).ok_or_else(|| Refusal::new(format!("`{text}` is no number that fits into 64 bits")))
    };
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Err(Refusal::new(format!("`{text}` is no number here")));
    }
    let is_digits = |text: &str, base: u32| !text.is_empty() && text.chars().all(|c| c.is_digit(base));
    if let Some(digits) = text.strip_prefix("0o").filter(|digits| is_digits(digits, 8)) {
        return based(digits, 8);
    }
    if let Some(digits) = text.strip_prefix("0x").filter(|digits| is_digits(digits, 16)) {
        return based(digits, 16);
    }
    if is_digits(unsigned, 10)
        && let Ok(number) = text.parse()
    {
        return Ok(Value::Integer(number));
    }
    // Rust also reads `inf`, and much that begins with a letter.
    let is_number = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '-' | '+'));
    match text.parse::<f64>() {
        Ok(number) if is_number => Ok(operate::number(number)?),
        _ => Ok(text.into()),
    }
}
