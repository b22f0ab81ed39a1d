//! Names of things in a stack: resource types, addresses, paths into properties.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The name of a resource type, `s3.bucket`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TypeName(String);

impl TypeName {
    /// A type name as written; whether such a type exists is the registry's to say.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// `s3.bucket`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the dot, `s3`.
    pub fn service(&self) -> &str {
        self.0.split('.').next().unwrap_or_default()
    }
}

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One module on the way to a block, `module.core["eu"]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModuleStep {
    /// The module block's name.
    pub name: String,
    /// The instance key under `for_each`.
    pub key: Option<String>,
}

/// The modules from the root to a block; empty for the root.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModulePath(pub Vec<ModuleStep>);

impl ModulePath {
    /// The path of a module inside this one.
    pub fn join(&self, inner: &ModulePath) -> ModulePath {
        ModulePath(self.0.iter().chain(&inner.0).cloned().collect())
    }

    /// The path of a block's instance inside this one.
    pub fn step(&self, name: &str, key: Option<&str>) -> ModulePath {
        let step = ModuleStep { name: name.to_owned(), key: key.map(str::to_owned) };
        ModulePath(self.0.iter().cloned().chain([step]).collect())
    }
}

/// The address of one resource: `s3.bucket.data`, `module.core.logs.group.this["lambda"]`,
/// `events.rule.on_upload/permission.process`.
///
/// Cheap to clone: every part of the program keys by it, and it stands inside of values.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address(Arc<Parts>);

/// What an address is made of; addresses are in the order of these.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Parts {
    /// Where the block stands.
    pub module: ModulePath,
    /// Whether it is something that is only looked up: nothing of it is made, changed or kept in state.
    pub lookup: bool,
    /// The resource type.
    pub type_name: TypeName,
    /// The block's name, `[a-z][a-z0-9_]*`.
    pub name: String,
    /// The instance key under `for_each`.
    pub key: Option<String>,
    /// For a companion: what it is to its parent and its own name, `permission.process`.
    pub companion: Option<(String, String)>,
}

impl Address {
    /// The address of a block in the root module.
    pub fn root(type_name: impl Into<String>, name: impl Into<String>) -> Self {
        Self::new(Parts {
            module: ModulePath::default(),
            lookup: false,
            type_name: TypeName::new(type_name),
            name: name.into(),
            key: None,
            companion: None,
        })
    }

    /// The address of these parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The block's address without instance key and companion.
    pub fn block(&self) -> Address {
        Self::new(Parts { key: None, companion: None, ..Parts::clone(self) })
    }

    /// The block as its file says it: the keys of the modules' instances are left out too.
    pub fn written(&self) -> Address {
        let module = self.module.0.iter().map(|step| ModuleStep { key: None, ..step.clone() }).collect();
        Self::new(Parts { module: ModulePath(module), key: None, companion: None, ..Parts::clone(self) })
    }

    /// The address seen from inside its module.
    pub fn inside(&self) -> Address {
        match self.module.0.is_empty() {
            true => self.clone(),
            false => Self::new(Parts { module: ModulePath::default(), ..Parts::clone(self) }),
        }
    }

    /// What stands at this address inside a module, seen from outside of it.
    pub fn within(&self, module: &ModulePath) -> Address {
        match module.0.is_empty() {
            true => self.clone(),
            false => Self::new(Parts { module: module.join(&self.module), ..Parts::clone(self) }),
        }
    }

    /// The address of the resource that implies this one; itself when it is no companion.
    pub fn parent(&self) -> Address {
        Self::new(Parts { companion: None, ..Parts::clone(self) })
    }
}

impl Deref for Address {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl DerefMut for Address {
    fn deref_mut(&mut self) -> &mut Parts {
        Arc::make_mut(&mut self.0)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// Writes an instance key so that it can be read back: quotes, backslashes and line ends are escaped.
fn write_key(f: &mut fmt::Formatter<'_>, key: &str) -> fmt::Result {
    f.write_str("[\"")?;
    for c in key.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("\"]")
}

impl fmt::Display for ModulePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.0 {
            write!(f, "module.{}", step.name)?;
            if let Some(key) = &step.key {
                write_key(f, key)?;
            }
            f.write_str(".")?;
        }
        Ok(())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lookup = if self.lookup { "lookup." } else { "" };
        write!(f, "{}{lookup}{}.{}", self.module, self.type_name, self.name)?;
        if let Some(key) = &self.key {
            write_key(f, key)?;
        }
        if let Some((kind, name)) = &self.companion {
            write!(f, "/{kind}.{name}")?;
        }
        Ok(())
    }
}

/// A resource, or all of a module: `s3.bucket.data`, `module.core`, `module.core["eu"]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// A resource, or all instances of a block.
    Resource(Address),
    /// Everything in a module.
    Module(ModulePath),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resource(address) => write!(f, "{address}"),
            Self::Module(path) => f.write_str(path.to_string().trim_end_matches('.')),
        }
    }
}

impl FromStr for Target {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match parse_module(text) {
            Some(path) => Ok(Self::Module(path)),
            None => text.parse().map(Self::Resource),
        }
    }
}

/// Why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not an address: expected `service.type.name`, optionally after `module.name.` and before `[\"key\"]`"
)]
pub struct AddressError {
    /// The text as given.
    pub text: String,
}

/// Reads identifiers, dots and bracketed keys off the front of a text.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn eat(&mut self, c: char) -> bool {
        match self.0.strip_prefix(c) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn identifier(&mut self) -> Option<&'a str> {
        let end = self.0.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-')).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        if word.is_empty() {
            return None;
        }
        self.0 = rest;
        Some(word)
    }

    /// `Some(None)`: no key here; `None`: a malformed key.
    fn key(&mut self) -> Option<Option<String>> {
        let Some(rest) = self.0.strip_prefix("[\"") else { return Some(None) };
        let mut key = String::new();
        let mut chars = rest.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.0 = rest.get(at + 1..)?.strip_prefix(']')?;
                    return Some(Some(key));
                }
                '\\' => key.push(match chars.next()?.1 {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    c @ ('"' | '\\') => c,
                    _ => return None,
                }),
                c => key.push(c),
            }
        }
        None
    }
}

impl Cursor<'_> {
    /// What follows `module`: `.core["eu"]`.
    fn module_step(&mut self) -> Option<ModuleStep> {
        self.eat('.').then_some(())?;
        Some(ModuleStep { name: self.identifier()?.to_owned(), key: self.key()? })
    }
}

/// Reads `module.core["eu"].module.inner`.
fn parse_module(text: &str) -> Option<ModulePath> {
    let mut cursor = Cursor(text);
    let mut steps = Vec::new();
    loop {
        if cursor.identifier()? != "module" {
            return None;
        }
        steps.push(cursor.module_step()?);
        if cursor.0.is_empty() {
            return Some(ModulePath(steps));
        }
        cursor.eat('.').then_some(())?;
    }
}

fn parse(text: &str) -> Option<Address> {
    let mut cursor = Cursor(text);
    let mut module = Vec::new();
    let mut service = cursor.identifier()?;
    while service == "module" {
        module.push(cursor.module_step()?);
        cursor.eat('.').then_some(())?;
        service = cursor.identifier()?;
    }
    let lookup = service == "lookup";
    if lookup {
        cursor.eat('.').then_some(())?;
        service = cursor.identifier()?;
    }
    cursor.eat('.').then_some(())?;
    let kind = cursor.identifier()?;
    cursor.eat('.').then_some(())?;
    let name = cursor.identifier()?.to_owned();
    let key = cursor.key()?;
    let companion = if cursor.eat('/') {
        let kind = cursor.identifier()?.to_owned();
        cursor.eat('.').then_some(())?;
        Some((kind, std::mem::take(&mut cursor.0).to_owned()))
    } else {
        None
    };
    cursor.0.is_empty().then(|| {
        let type_name = TypeName::new(format!("{service}.{kind}"));
        Address::new(Parts { module: ModulePath(module), lookup, type_name, name, key, companion })
    })
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| AddressError { text: text.to_owned() })
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// One step into a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A key of a map or object.
    Key(String),
    /// An index of a list.
    Index(usize),
}

/// A path into a resource's properties, `lifecycle.expire.transitions[0].days`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Path(pub Vec<Step>);

impl Path {
    /// The path of a top-level property.
    pub fn of(key: impl Into<String>) -> Self {
        Self(vec![Step::Key(key.into())])
    }

    /// This path and one key more.
    pub fn key(&self, key: impl Into<String>) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Key(key.into()));
        Self(steps)
    }

    /// This path and one index more.
    pub fn index(&self, index: usize) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Index(index));
        Self(steps)
    }

    /// The first key: the top-level property this path is in.
    pub fn head(&self) -> Option<&str> {
        match self.0.first() {
            Some(Step::Key(key)) => Some(key),
            _ => None,
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) => {
                    let plain = !key.is_empty()
                        && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':' | '/'));
                    match (at, plain) {
                        (0, true) => f.write_str(key)?,
                        (_, true) => write!(f, ".{key}")?,
                        (_, false) => write_key(f, key)?,
                    }
                }
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_documented_forms_are_read_and_written_back() {
        for text in [
            "s3.bucket.data",
            "module.core.s3.bucket.data",
            "module.core[\"eu\"].module.inner.s3.bucket.data",
            "ec2.flow_log.vpc[\"vpc-1\"]",
            "events.rule.on_upload/permission.process",
            "logs.group.this[\"a\\\"b]\\n\\\\\"]",
            "lookup.s3.bucket.data",
            "module.core.lookup.s3.bucket.data[\"k\"]",
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn a_target_is_a_resource_or_a_module() {
        for text in ["s3.bucket.data", "module.core", "module.core[\"a.b\"].module.x", "module.core.s3.bucket.data"] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        for text in ["module", "module.", "module.core.", "module.core.x", "module.core.s3.bucket", "core"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_is_seen_from_inside_and_outside_of_modules() {
        let inside: Address = "module.b.s3.bucket.data[\"k\"]".parse().unwrap();
        let outside = inside.within(&ModulePath::default().step("a", Some("eu")));
        assert_eq!(outside.to_string(), "module.a[\"eu\"].module.b.s3.bucket.data[\"k\"]");
        assert_eq!(outside.written().to_string(), "module.a.module.b.s3.bucket.data");
        assert_eq!(outside.inside().to_string(), "s3.bucket.data[\"k\"]");
    }

    #[test]
    fn other_texts_are_no_addresses() {
        for text in [
            "",
            "s3",
            "s3.bucket",
            "s3.bucket.data.arn",
            "module.core",
            "s3.bucket.d[\"x\"",
            "s3.bucket.d[x]",
            "arn:aws:s3:::x",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_key_survives_writing_and_reading(key in ".*") {
            let mut address = Address::root("logs.group", "this");
            address.key = Some(key);
            prop_assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
        }
    }
}
