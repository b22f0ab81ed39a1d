//! The types of variables: how they are written, and what fits them.

use indexmap::IndexMap;

use super::super::model::{Node, NodeKind, VariableType};
use crate::address::{Address, ModulePath, Path};
use crate::diagnostic::did_you_mean;
use crate::schema::{Items, Property, ReferenceRules, Shape};
use crate::value::{Map, Secret, Value};

/// Deepest nesting of a type.
const DEPTH: usize = 32;

/// A type as it was read.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) enum ParsedType {
    /// It is one.
    Type(VariableType),
    /// It is none.
    Wrong {
        /// What is wrong.
        message: String,
        /// The next step.
        help: String,
    },
}

/// Reads a type: `string`, `number`, `bool`, `any`, `list(T)`, `set(T)`, `map(T)`, `object({a = T, b = optional(T)})`,
/// `ref(s3.bucket)`.
pub(in super::super) fn parse(text: &str, is_type: &dyn Fn(&str) -> bool) -> ParsedType {
    let mut parser = Parser { rest: text, is_type, depth: 0 };
    let parsed = parser.of_type().and_then(|shape| match parser.rest.trim() {
        "" => Ok(shape),
        rest => Err((format!("the type ends before `{rest}`"), "take that out".to_owned())),
    });
    match parsed {
        Ok(shape) => ParsedType::Type(shape),
        Err((message, help)) => ParsedType::Wrong { message: format!("`{text}` is no type: {message}"), help },
    }
}

type Read<T> = Result<T, (String, String)>;

struct Parser<'a> {
    rest: &'a str,
    is_type: &'a dyn Fn(&str) -> bool,
    depth: usize,
}

const NAMES: [&str; 9] = ["string", "number", "bool", "any", "list", "set", "map", "object", "ref"];

impl<'a> Parser<'a> {
    fn word(&mut self) -> &'a str {
        self.rest = self.rest.trim_start();
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        word
    }

    fn eat(&mut self, c: char) -> bool {
        match self.rest.trim_start().strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, c: char) -> Read<()> {
        match self.eat(c) {
            true => Ok(()),
            false => Err((format!("`{c}` is missing"), "write it as `list(string)` or `object({a = string})`".into())),
        }
    }

    fn of_type(&mut self) -> Read<VariableType> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err((format!("it is more than {DEPTH} deep"), "use any".into()));
        }
        let word = self.word();
        let shape = match word {
            "string" => VariableType::String,
            "number" => VariableType::Number,
            "bool" => VariableType::Bool,
            "any" => VariableType::Any,
            "list" => VariableType::List(Box::new(self.argument()?)),
            "set" => VariableType::Set(Box::new(self.argument()?)),
            "map" => VariableType::Map(Box::new(self.argument()?)),
            "object" => self.object()?,
            "ref" => self.reference()?,
            "boolean" => return Err(("it is called bool here".into(), "write `bool`".into())),
            "integer" | "int" | "float" => return Err(("it is called number here".into(), "write `number`".into())),
            "" => return Err(("a name is missing".into(), format!("there are {}", NAMES.join(", ")))),
            word => {
                let help = match did_you_mean(word, NAMES) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("there are {}", NAMES.join(", ")),
                };
                return Err((format!("there is no `{word}`"), help));
            }
        };
        self.depth -= 1;
        Ok(shape)
    }

    fn argument(&mut self) -> Read<VariableType> {
        self.expect('(')?;
        let shape = self.of_type()?;
        self.expect(')')?;
        Ok(shape)
    }

    fn reference(&mut self) -> Read<VariableType> {
        self.expect('(')?;
        let name = self.word();
        self.expect(')')?;
        match (self.is_type)(name) {
            true => Ok(VariableType::Ref(name.to_owned())),
            false => {
                Err((format!("there is no resource type `{name}`"), "write a type such as `ref(s3.bucket)`".into()))
            }
        }
    }

    fn object(&mut self) -> Read<VariableType> {
        self.expect('(')?;
        self.expect('{')?;
        let mut fields = IndexMap::new();
        while !self.eat('}') {
            let name = self.word();
            if name.is_empty() {
                return Err(("a key is missing".into(), "write it as `object({a = string})`".into()));
            }
            self.expect('=')?;
            let before = self.rest;
            let optional = self.word() == "optional";
            let shape = if optional {
                self.argument()?
            } else {
                self.rest = before;
                self.of_type()?
            };
            if fields.insert(name.to_owned(), (shape, optional)).is_some() {
                return Err((format!("the key `{name}` is there twice"), "take one of them out".into()));
            }
            if !self.eat(',') && !self.rest.trim_start().starts_with('}') {
                return Err(("`,` or `}` is missing".into(), "put `,` between the keys".into()));
            }
        }
        self.expect(')')?;
        Ok(VariableType::Object(fields))
    }
}

/// The type that a default gives: what its TOML type says, and any where that says too little.
pub(in super::super) fn of_default(node: &Node) -> VariableType {
    match &node.kind {
        NodeKind::Bool(_) => VariableType::Bool,
        NodeKind::Integer(_) | NodeKind::Float(_) => VariableType::Number,
        NodeKind::Text(template) => {
            let whole = template.text().starts_with("${") && template.text().ends_with('}');
            if !template.is_literal() && whole { VariableType::Any } else { VariableType::String }
        }
        NodeKind::List(list) => VariableType::List(Box::new(common(list.iter()))),
        NodeKind::Table(table) => VariableType::Map(Box::new(common(table.values().map(|entry| &entry.node)))),
        NodeKind::Broken => VariableType::Any,
    }
}

fn common<'a>(mut nodes: impl Iterator<Item = &'a Node>) -> VariableType {
    let Some(first) = nodes.next().map(of_default) else { return VariableType::Any };
    if nodes.all(|node| of_default(node) == first) { first } else { VariableType::Any }
}

/// Why a value does not fit a type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Misfit {
    /// Where in the value.
    pub path: Path,
    /// What was expected there and what is there.
    pub message: String,
    /// The next step.
    pub help: Option<String>,
}

/// The value as one of the type, or why it is none. Secrets stay secret, and no message shows a value.
pub(crate) fn fit(value: Value, shape: &VariableType) -> Result<Value, Misfit> {
    fit_at(value, shape, &Path::default())
}

fn fit_at(value: Value, shape: &VariableType, path: &Path) -> Result<Value, Misfit> {
    let misfit = |found: &Value| Misfit {
        path: path.clone(),
        message: match found {
            Value::Reference(address) => format!("expected {}, found {address}", shape.describe()),
            found => format!("expected {}, found {}", shape.describe(), found.kind()),
        },
        help: match (shape, found) {
            (VariableType::String, Value::Integer(_) | Value::Float(_) | Value::Bool(_)) => {
                Some("put quotes round it".into())
            }
            (VariableType::Number, Value::String(text)) if text.parse::<f64>().is_err() => {
                Some("write a number".into())
            }
            (VariableType::Bool, Value::String(text)) if !matches!(text.as_str(), "true" | "false") => {
                Some("write true or false".into())
            }
            (VariableType::Number | VariableType::Bool, Value::String(_)) => Some("write it without quotes".into()),
            _ => None,
        },
    };
    match (shape, value) {
        (shape, Value::Secret(secret)) => {
            fit_at(secret.expose().clone(), shape, path).map(|value| Value::Secret(Secret::new(value)))
        }
        // Nothing is unknown once variables are resolved; before that an expression may turn out to fit.
        (VariableType::Any, value) | (_, value @ (Value::Null | Value::Unknown(_))) => Ok(value),
        (VariableType::String, value @ Value::String(_))
        | (VariableType::Number, value @ (Value::Integer(_) | Value::Float(_)))
        | (VariableType::Bool, value @ Value::Bool(_)) => Ok(value),
        (VariableType::List(item), Value::List(list)) => items(list, item, path).map(Value::List),
        (VariableType::Set(item), Value::List(list)) => {
            let mut unique: Vec<Value> = Vec::new();
            for value in items(list, item, path)? {
                // Sets are small: what they hold is listed in somebody's file.
                if !unique.contains(&value) {
                    unique.push(value);
                }
            }
            Ok(Value::List(unique))
        }
        (VariableType::Map(item), Value::Map(map)) => {
            let fitted = map.into_iter().map(|(key, value)| {
                let value = fit_at(value, item, &path.key(&key))?;
                Ok((key, value))
            });
            fitted.collect::<Result<Map, _>>().map(Value::Map)
        }
        (VariableType::Object(fields), Value::Map(map)) => object(map, fields, path),
        (VariableType::Ref(type_name), Value::String(text)) => match text.parse::<Address>() {
            Ok(address) if address.type_name.as_str() == type_name => Ok(Value::Reference(address)),
            _ => Err(misfit(&Value::String(text))),
        },
        (VariableType::Ref(type_name), Value::Reference(address)) if address.type_name.as_str() == type_name => {
            Ok(Value::Reference(address))
        }
        (_, value) => Err(misfit(&value)),
    }
}

/// Texts as the addresses that they are, where the type wants resources. They were written in a file of `module`.
pub(crate) fn refer(value: Value, shape: &VariableType, module: &ModulePath) -> Value {
    match (shape, value) {
        (VariableType::Ref(_), Value::String(text)) => match text.parse::<Address>() {
            Ok(address) => Value::Reference(address.within(module)),
            Err(_) => Value::String(text),
        },
        (VariableType::List(item) | VariableType::Set(item), Value::List(list)) => {
            Value::List(list.into_iter().map(|value| refer(value, item, module)).collect())
        }
        (VariableType::Map(item), Value::Map(map)) => {
            Value::Map(map.into_iter().map(|(key, value)| (key, refer(value, item, module))).collect())
        }
        (VariableType::Object(fields), Value::Map(map)) => {
            let refer = |(key, value): (String, Value)| match fields.get(&key) {
                Some((shape, _)) => (key, refer(value, shape, module)),
                None => (key, value),
            };
            Value::Map(map.into_iter().map(refer).collect())
        }
        (_, value) => value,
    }
}

fn items(list: Vec<Value>, shape: &VariableType, path: &Path) -> Result<Vec<Value>, Misfit> {
    list.into_iter().enumerate().map(|(at, value)| fit_at(value, shape, &path.index(at))).collect()
}

fn object(mut map: Map, fields: &IndexMap<String, (VariableType, bool)>, path: &Path) -> Result<Value, Misfit> {
    let mut fitted = Map::new();
    for (name, (shape, optional)) in fields {
        match map.remove(name) {
            Some(value) => {
                fitted.insert(name.clone(), fit_at(value, shape, &path.key(name))?);
            }
            None if *optional => {}
            None => {
                return Err(Misfit {
                    path: path.clone(),
                    message: format!("`{name}` is missing"),
                    help: Some(format!("add `{name}`: {}", shape.describe())),
                });
            }
        }
    }
    match map.into_keys().next() {
        None => Ok(Value::Map(fitted)),
        Some(unknown) => Err(Misfit {
            path: path.clone(),
            message: format!("there is no key `{unknown}` in this type"),
            help: Some(match did_you_mean(&unknown, fields.keys().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", fields.keys().cloned().collect::<Vec<_>>().join(", ")),
            }),
        }),
    }
}

impl VariableType {
    /// Where in a value of this type references stand, as a shape: everything else is a document.
    pub(in super::super) fn shape(&self) -> Shape {
        let property = |shape: &Self| Box::new(Property::new(shape.shape()));
        match self {
            Self::Any | Self::String | Self::Number | Self::Bool => Shape::Document,
            Self::Ref(type_name) => {
                Shape::Reference(ReferenceRules { types: vec![type_name.clone()], ..ReferenceRules::default() })
            }
            Self::List(item) | Self::Set(item) => Shape::List(Items { item: property(item), min: None, max: None }),
            Self::Map(item) => Shape::Map { value: property(item), key_pattern: None, reserved: Vec::new(), max: None },
            Self::Object(fields) => {
                let field = |(name, (shape, _)): (&String, &(Self, bool))| (name.clone(), *property(shape));
                Shape::Object(fields.iter().map(field).collect())
            }
        }
    }

    /// The type in the words of messages.
    pub fn describe(&self) -> String {
        match self {
            Self::Any => "anything".into(),
            Self::String => "a string".into(),
            Self::Number => "a number".into(),
            Self::Bool => "true or false".into(),
            Self::List(_) => format!("a {self}"),
            Self::Set(_) => format!("a {self}"),
            Self::Map(_) => format!("a {self}"),
            Self::Object(_) => format!("an {self}"),
            Self::Ref(type_name) => format!("the address of {type_name}"),
        }
    }
}

impl std::fmt::Display for VariableType {
    /// As it is written in a file.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::String => f.write_str("string"),
            Self::Number => f.write_str("number"),
            Self::Bool => f.write_str("bool"),
            Self::List(item) => write!(f, "list({item})"),
            Self::Set(item) => write!(f, "set({item})"),
            Self::Map(item) => write!(f, "map({item})"),
            Self::Object(fields) => {
                f.write_str("object({")?;
                for (at, (name, (shape, optional))) in fields.iter().enumerate() {
                    let comma = if at == 0 { "" } else { ", " };
                    match optional {
                        true => write!(f, "{comma}{name} = optional({shape})")?,
                        false => write!(f, "{comma}{name} = {shape}")?,
                    }
                }
                f.write_str("})")
            }
            Self::Ref(type_name) => write!(f, "ref({type_name})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_type(name: &str) -> bool {
        name == "s3.bucket"
    }

    #[test]
    fn types_are_read_as_they_are_written() {
        for text in [
            "string",
            "any",
            "list(number)",
            "set(map(bool))",
            "object({})",
            "object({a = string, b = optional(list(number))})",
            "ref(s3.bucket)",
        ] {
            let ParsedType::Type(shape) = parse(text, &is_type) else { panic!("{text}") };
            assert_eq!(shape.to_string(), text);
        }
        assert!(matches!(parse(" object( {a=string ,b = bool,} ) ", &is_type), ParsedType::Type(_)));
    }

    #[test]
    fn other_texts_are_no_types() {
        let said: Vec<String> = [
            "",
            "sting",
            "boolean",
            "list",
            "list(",
            "list(string",
            "string x",
            "ref(s3.pail)",
            "object({a})",
            "object({a = string b = bool})",
            "object({a = string, a = bool})",
            "optional(string)",
        ]
        .iter()
        .map(|text| match parse(text, &is_type) {
            ParsedType::Type(shape) => panic!("{text} is {shape}"),
            ParsedType::Wrong { message, help } => format!("{message}; {help}"),
        })
        .collect();
        insta::assert_snapshot!(said.join("\n"), @r#"
        `` is no type: a name is missing; there are string, number, bool, any, list, set, map, object, ref
        `sting` is no type: there is no `sting`; did you mean `string`?
        `boolean` is no type: it is called bool here; write `bool`
        `list` is no type: `(` is missing; write it as `list(string)` or `object({a = string})`
        `list(` is no type: a name is missing; there are string, number, bool, any, list, set, map, object, ref
        `list(string` is no type: `)` is missing; write it as `list(string)` or `object({a = string})`
        `string x` is no type: the type ends before `x`; take that out
        `ref(s3.pail)` is no type: there is no resource type `s3.pail`; write a type such as `ref(s3.bucket)`
        `object({a})` is no type: `=` is missing; write it as `list(string)` or `object({a = string})`
        `object({a = string b = bool})` is no type: `,` or `}` is missing; put `,` between the keys
        `object({a = string, a = bool})` is no type: the key `a` is there twice; take one of them out
        `optional(string)` is no type: there is no `optional`; there are string, number, bool, any, list, set, map, object, ref
        "#);
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd_for_a_type(text in "[a-z(){}=,. ]{0,40}|(list\\(){0,200}|.{0,20}") {
            let _ = parse(&text, &is_type);
        }
    }
}
