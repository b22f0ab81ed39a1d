//! The schema model.

use indexmap::IndexMap;

use crate::address::{Path, Step};
use crate::value::Value;

/// What a resource type's blocks may say and what its resources expose.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// What the type is, in documentation form; the first line is one sentence.
    pub doc: String,
    /// The properties in the order of documentation.
    pub properties: IndexMap<String, Property>,
    /// What `${address.NAME}` gives, beyond the properties.
    pub attributes: IndexMap<String, Attribute>,
}

/// One property.
#[derive(Debug, Clone, PartialEq)]
pub struct Property {
    /// What values it takes.
    pub shape: Shape,
    /// Its documentation.
    pub doc: String,
    /// Whether a block must have it.
    pub required: bool,
    /// The value it has when the file says nothing: a secure default is managed like a written value.
    pub default: Option<Value>,
    /// Whether another value means another resource.
    pub create_only: bool,
    /// What taking it out of the file does.
    pub removal: Removal,
    /// Whether a reference in it makes this resource wait for the other. False for names, tags, and for Resource and
    /// Condition of identity policies, which AWS doesn't check.
    pub delaying: bool,
    /// Whether a reference in it binds the other resource itself and not its name (a principal in a policy, whose unique
    /// id AWS keeps; an attached policy; the role of an instance profile): when the other one is made anew, this must
    /// be written again even if the text is equal.
    pub principal: bool,
    /// Whether its value is never shown.
    pub sensitive: bool,
    /// Whether AWS never tells its value; drift cannot be seen.
    pub write_only: bool,
    /// Whether it is computed from other properties and may not be written in a file. It exists so that plan and
    /// state speak of what AWS keeps, such as a merged policy document.
    pub derived: bool,
    /// For a map: whether keys that were never ours are left alone, as with tags.
    pub open: bool,
    /// Whether it is for the tool alone (`force_destroy`): remembered in state, never compared with AWS.
    pub memory: bool,
    /// Whether it is the path of a file or folder, relative to that of the file that says it. Only where it is for the tool
    /// alone: memory keeps it relative to the stack folder.
    pub file: bool,
    /// AWS's own name, where it differs from the snake-case one.
    pub aws_name: Option<String>,
}

/// What taking a property out of the file does.
#[derive(Debug, Clone, PartialEq)]
pub enum Removal {
    /// AWS's own default is put back.
    Reset(Value),
    /// AWS keeps what it has, and the tool forgets the property.
    Keep,
    /// The resource is made anew.
    Replace,
}

/// What values a property takes.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Text.
    String(StringRules),
    /// true or false.
    Bool,
    /// A number.
    Number {
        /// Whether fractions are refused.
        integer: bool,
        /// Least value.
        min: Option<f64>,
        /// Greatest value.
        max: Option<f64>,
    },
    /// A list whose order matters.
    List(Items),
    /// A list whose order and duplicates mean nothing.
    Set(Items),
    /// A table with keys of the user's choice.
    Map {
        /// What each value is.
        value: Box<Property>,
        /// What each key must look like (a regular expression; anchor it).
        key_pattern: Option<String>,
        /// Beginnings that keys may not have, in any case.
        reserved: Vec<String>,
        /// Most entries.
        max: Option<usize>,
    },
    /// A table with known keys.
    Object(IndexMap<String, Property>),
    /// One of several shapes, told apart by the TOML type alone: never two of one type.
    Choice(Vec<Shape>),
    /// A resource, by bare address; or, where `literal` allows, a text.
    Reference(ReferenceRules),
    /// A document in AWS's own words whose keys are never renamed: event patterns, conditions.
    Document,
}

/// What text is allowed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StringRules {
    /// The only values, when not empty.
    pub allowed: Vec<String>,
    /// What each of them means, in their order; empty where its name says it.
    pub meanings: Vec<String>,
    /// A regular expression the text must match somewhere; anchor it.
    pub pattern: Option<String>,
    /// Fewest characters.
    pub min: Option<usize>,
    /// Most characters.
    pub max: Option<usize>,
}

/// What a list holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Items {
    /// What each item is.
    pub item: Box<Property>,
    /// Fewest items.
    pub min: Option<usize>,
    /// Most items.
    pub max: Option<usize>,
}

/// What a reference may name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReferenceRules {
    /// The types it may name; empty for any.
    pub types: Vec<String>,
    /// The attribute that stands for the resource in what is sent to AWS; without one the type gets the resource
    /// itself (grants, which need its type).
    pub attribute: Option<String>,
    /// What a text that is no address must match to be taken literally, such as an ARN or a service name; without one
    /// only addresses are taken.
    pub literal: Option<String>,
}

/// What a resource exposes beyond its properties.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribute {
    /// Its documentation.
    pub doc: String,
    /// Whether only AWS can say it; otherwise it is predicted before anything exists.
    pub made_by_aws: bool,
    /// Whether it is never shown nor stored.
    pub sensitive: bool,
    /// Whether it is the type's own note about the resource, of no use in a file and not listed as made by AWS.
    pub note: bool,
}

impl Attribute {
    /// An attribute that is known before anything exists.
    pub fn predicted(doc: impl Into<String>) -> Self {
        Self { doc: doc.into(), made_by_aws: false, sensitive: false, note: false }
    }

    /// An attribute that only AWS can say.
    pub fn made_by_aws(doc: impl Into<String>) -> Self {
        Self { made_by_aws: true, ..Self::predicted(doc) }
    }

    /// A secret that AWS makes.
    pub fn secret(doc: impl Into<String>) -> Self {
        Self { sensitive: true, ..Self::made_by_aws(doc) }
    }

    /// What a type notes about a resource when it is made, for itself.
    pub fn note(doc: impl Into<String>) -> Self {
        Self { note: true, ..Self::made_by_aws(doc) }
    }
}

impl Property {
    /// An optional property without rules, for building schemas in code.
    pub fn new(shape: Shape) -> Self {
        Self {
            shape,
            doc: String::new(),
            required: false,
            default: None,
            create_only: false,
            removal: Removal::Reset(Value::Null),
            delaying: true,
            principal: false,
            sensitive: false,
            write_only: false,
            derived: false,
            open: false,
            memory: false,
            file: false,
            aws_name: None,
        }
    }
}

impl Property {
    /// The first sentence of its documentation, in one line.
    pub fn purpose(&self) -> Option<String> {
        let paragraph = self.doc.split("\n\n").next().unwrap_or_default();
        let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        let end = line.find(". ").unwrap_or(line.len());
        let sentence = line.get(..end)?.trim_end_matches('.');
        (!sentence.is_empty()).then(|| sentence.to_owned())
    }
}

impl Shape {
    /// Any text.
    pub fn string() -> Self {
        Self::String(StringRules::default())
    }

    /// The shape in the words of messages: `a list of strings`.
    pub fn describe(&self) -> String {
        match self {
            Self::String(rules) if !rules.allowed.is_empty() => {
                format!(
                    "one of {}",
                    rules.allowed.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
                )
            }
            Self::String(_) => "a string".into(),
            Self::Bool => "true or false".into(),
            Self::Number { integer: true, .. } => "a whole number".into(),
            Self::Number { .. } => "a number".into(),
            Self::List(items) | Self::Set(items) => format!("a list of {}", items.item.shape.plural()),
            Self::Map { value, .. } => format!("a table of {}", value.shape.plural()),
            Self::Object(_) => "a table".into(),
            Self::Choice(shapes) => shapes.iter().map(Shape::describe).collect::<Vec<_>>().join(" or "),
            Self::Reference(rules) => match (rules.types.as_slice(), &rules.literal) {
                ([], None) => "the address of a resource".into(),
                ([], Some(pattern)) => format!("the address of a resource or {}", literal(pattern)),
                (types, None) => format!("the address of {}", types.join(" or ")),
                (types, Some(pattern)) => format!("the address of {} or {}", types.join(" or "), literal(pattern)),
            },
            Self::Document => "a document in AWS's own words".into(),
        }
    }

    fn plural(&self) -> String {
        match self {
            Self::String(_) => "strings".into(),
            Self::Bool => "bools".into(),
            Self::Number { .. } => "numbers".into(),
            Self::List(_) | Self::Set(_) => "lists".into(),
            Self::Map { .. } | Self::Object(_) => "tables".into(),
            Self::Choice(shapes) => shapes.iter().map(Shape::plural).collect::<Vec<_>>().join(" or "),
            Self::Reference(_) => "references".into(),
            Self::Document => "documents".into(),
        }
    }

    /// The property one step inside, whatever the choice.
    pub fn step(&self, step: &Step) -> Option<&Property> {
        match (self, step) {
            (Self::List(items) | Self::Set(items), Step::Index(_)) => Some(&items.item),
            (Self::Map { value, .. }, Step::Key(_)) => Some(value),
            (Self::Object(properties), Step::Key(key)) => properties.get(key),
            (Self::Choice(shapes), step) => shapes.iter().find_map(|shape| shape.step(step)),
            _ => None,
        }
    }
}

/// What a text is that is taken literally where a reference may stand.
fn literal(pattern: &str) -> &'static str {
    if pattern.starts_with("^arn") { "an ARN" } else { "a name" }
}

impl Schema {
    /// The property a path leads to, or the deepest one on the way (a path into a document).
    pub fn nearest<'a>(&'a self, path: &'a Path) -> Option<&'a Property> {
        self.along(path).last()
    }

    /// The properties along a path, from the top.
    pub fn along<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = &'a Property> {
        let first = path.head().and_then(|key| self.properties.get(key));
        let mut steps = path.0.iter().skip(1);
        std::iter::successors(first, move |property| steps.next().and_then(|step| property.shape.step(step)))
    }

    /// What the property at a path is for, in one sentence: where nothing better can be said, that helps to choose another
    /// value.
    pub fn purpose(&self, path: &Path) -> Option<String> {
        let sentence = self.along(path).filter_map(|property| property.purpose()).last()?;
        Some(format!("`{path}`: {sentence}"))
    }

    /// Whether a reference at `path` delays: every property on the way must.
    pub fn delays(&self, path: &Path) -> bool {
        self.along(path).all(|property| property.delaying)
    }

    /// Whether a reference at `path` binds the other resource itself.
    pub fn names_principal(&self, path: &Path) -> bool {
        self.along(path).any(|property| property.principal)
    }

    /// Whether another value at `path` means another resource.
    pub fn create_only(&self, path: &Path) -> bool {
        self.along(path).any(|property| property.create_only)
    }
}
