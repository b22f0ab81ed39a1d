//! The keys that every resource may have, DESIGN section 4 "Reserved keys".

use indexmap::IndexMap;

use super::fields;
use super::model::{Node, NodeKind, Reserved, Table};
use super::problems::Site;
use crate::address::{Address, AddressError, Path, Step, Target};
use crate::diagnostic::{Diagnostic, Diagnostics, Span, did_you_mean};
use crate::schema::{Property, Schema, Shape};

/// The reserved keys of this version.
const KEYS: [&str; 11] = [
    "for_each",
    "depends_on",
    "when",
    "account",
    "region",
    "protect",
    "retain",
    "ignore_changes",
    "moved_from",
    "import",
    "allow",
];

/// Whether a key of a block is no property.
pub(super) fn is_reserved(key: &str) -> bool {
    KEYS.contains(&key)
}

/// Takes the reserved keys out of a block's body, so that its properties are left.
pub(super) fn take(
    address: &Address,
    span: &Span,
    body: &mut Table,
    schema: &Schema,
    is_type: &dyn Fn(&str) -> bool,
    diagnostics: &mut Diagnostics,
) -> Reserved {
    let mut taken = Table::new();
    for key in KEYS {
        // Where the type itself has a property of that name, that is what is meant.
        if !schema.properties.contains_key(key)
            && let Some((name, entry)) = body.shift_remove_entry(key)
        {
            taken.insert(name, entry);
        }
    }
    if taken.is_empty() {
        return Reserved::default();
    }
    // What is wrong with it is told where resources are made of it, of a literal as of what an expression gives.
    let for_each = taken.shift_remove("for_each").map(|entry| entry.node);
    let fields = fields::reserved();
    let name = address.to_string();
    let mut found = Diagnostics::default();
    Site { name: &name, span, table: &taken, fields: &fields, address: Some(address), headers: &[], is_type }
        .check(&mut found);

    let mut told = Diagnostics::default();
    let mut reader = Reader { address, diagnostics: &mut told };
    let mut reserved = Reserved {
        depends_on: reader.targets(taken.get("depends_on").map(|entry| &entry.node)),
        moved_from: reader.addresses(taken.get("moved_from").map(|entry| &entry.node), MOVED_FROM),
        moved_keys: reader.moved_keys(taken.get("moved_from").map(|entry| &entry.node)),
        ignore_changes: reader.paths(taken.get("ignore_changes").map(|entry| &entry.node), schema),
        allow: reader.allow(taken.get("allow").map(|entry| &entry.node)),
        ..Reserved::default()
    };
    // What is said here of a text is better than that its kind is wrong.
    found.0.retain(|one| !told.0.iter().any(|better| better.span == one.span));
    diagnostics.extend(found);
    diagnostics.extend(told);
    let mut node = |key: &str| taken.shift_remove(key).map(|entry| entry.node);
    reserved.for_each = for_each;
    reserved.when = node("when");
    reserved.account = node("account");
    reserved.region = node("region");
    reserved.protect = node("protect");
    reserved.retain = node("retain");
    reserved.import = node("import");
    reserved
}

/// What stands under `moved_from`.
const MOVED_FROM: &str = "the address that this block had before";

/// A text and its place.
type Written<'n> = (&'n str, &'n Span);

/// The texts of a text or a list of them: those that are written out, and those with an expression in them.
pub(super) fn written_texts(node: &Node) -> (Vec<Written<'_>>, Vec<Written<'_>>) {
    let nodes = match &node.kind {
        NodeKind::List(list) => list.iter().collect(),
        _ => vec![node],
    };
    let (mut written, mut computed) = (Vec::new(), Vec::new());
    for node in nodes {
        match (&node.kind, node.literal()) {
            (_, Some(text)) => written.push((text, &node.span)),
            (NodeKind::Text(template), None) => computed.push((template.text(), &node.span)),
            _ => {}
        }
    }
    (written, computed)
}

struct Reader<'a> {
    address: &'a Address,
    diagnostics: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn refuse(&mut self, message: String, span: &Span, help: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error("S3S-P8", message).at(span.clone()).on(self.address).help(help));
    }

    /// The literal texts of a text or a list of them; kinds were checked before.
    fn texts<'n>(&mut self, node: Option<&'n Node>) -> Vec<(&'n str, &'n Span)> {
        let Some(node) = node else { return Vec::new() };
        let (texts, computed) = written_texts(node);
        for (text, span) in computed {
            let message = format!("`{text}` must be written out, without expressions");
            self.refuse(message, span, "write the bare name, such as \"s3.bucket.data\"");
        }
        texts
    }

    /// What `depends_on` says.
    fn targets(&mut self, node: Option<&Node>) -> Vec<(Target, Span)> {
        let mut targets = Vec::new();
        for (text, span) in self.texts(node) {
            match text.parse() {
                Ok(Target::Resource(address)) if address == *self.address => {
                    self.refuse("a block cannot name itself here".into(), span, "take it out");
                }
                Ok(target) => targets.push((target, span.clone())),
                Err(AddressError { text }) => {
                    let message = format!("`{text}` is neither the address of a resource nor of a module");
                    self.refuse(message, span, "write one of this file, such as \"s3.bucket.data\" or \"module.core\"");
                }
            }
        }
        targets
    }

    fn addresses(&mut self, node: Option<&Node>, what: &str) -> Vec<(Address, Span)> {
        let mut addresses = Vec::new();
        for (text, span) in self.texts(node) {
            match self.address(text, span, what) {
                Some(address) if address == *self.address => {
                    self.refuse("a block cannot name itself here".into(), span, "take it out");
                }
                Some(address) => addresses.push((address, span.clone())),
                None => {}
            }
        }
        addresses
    }

    fn address(&mut self, text: &str, span: &Span, what: &str) -> Option<Address> {
        text.parse()
            .map_err(|error: AddressError| {
                self.refuse(error.to_string(), span, format!("write {what}, such as \"s3.bucket.data\""));
            })
            .ok()
    }

    /// `moved_from = { KEY = "address" }`.
    fn moved_keys(&mut self, node: Option<&Node>) -> IndexMap<String, (Address, Span)> {
        let mut moved = IndexMap::new();
        for (key, entry) in node.and_then(Node::table).into_iter().flatten() {
            // Unlike elsewhere, it may be this block itself, from the time before its `for_each`.
            for (text, span) in self.texts(Some(&entry.node)) {
                if let Some(address) = self.address(text, span, MOVED_FROM) {
                    moved.insert(key.clone(), (address, span.clone()));
                }
            }
        }
        moved
    }

    fn paths(&mut self, node: Option<&Node>, schema: &Schema) -> Vec<(Path, Span)> {
        let mut paths = Vec::new();
        for (text, span) in self.texts(node) {
            match parse_path(text) {
                None => self.refuse(
                    format!("`{text}` is not the path of a property"),
                    span,
                    "write a property, such as \"versioning\" or \"tags.Environment\"",
                ),
                Some(path) => match unknown_step(&path, schema) {
                    None => paths.push((path, span.clone())),
                    Some((key, known)) => {
                        let near = did_you_mean(&key, known.iter().map(String::as_str));
                        let help = match near {
                            Some(near) => format!("did you mean `{near}`?"),
                            None => format!("there are {}", known.join(", ")),
                        };
                        let message = format!("`{text}` leads nowhere: there is no property `{key}`");
                        self.refuse(message, span, help);
                    }
                },
            }
        }
        paths
    }

    fn allow(&mut self, node: Option<&Node>) -> Vec<(String, String, Span)> {
        let mut allowed = Vec::new();
        for (code, entry) in node.and_then(Node::table).into_iter().flatten() {
            let is_code = code.strip_prefix("S3S-").is_some_and(|rest| {
                rest.starts_with(|c: char| c.is_ascii_uppercase()) && rest.ends_with(|c: char| c.is_ascii_digit())
            });
            match entry.node.literal() {
                _ if !is_code => {
                    let message = format!("`{code}` is not the code of a finding");
                    self.refuse(message, &entry.key_span, "write it as it is shown in brackets, such as S3S-T10");
                }
                Some(reason) if !reason.trim().is_empty() => {
                    allowed.push((code.clone(), reason.to_owned(), entry.key_span.clone()));
                }
                _ => self.refuse(
                    format!("{code} is allowed without a reason"),
                    &entry.node.span,
                    "write why, for whoever reads this next",
                ),
            }
        }
        allowed
    }
}

/// Reads `tags.Environment`, `lifecycle["a.b"].transitions[0].days`.
pub(super) fn parse_path(text: &str) -> Option<Path> {
    let mut steps = Vec::new();
    let mut rest = text;
    loop {
        if let Some(inside) = rest.strip_prefix("[\"") {
            let (key, after) = inside.split_once("\"]")?;
            steps.push(Step::Key(key.to_owned()));
            rest = after;
        } else if let Some(inside) = rest.strip_prefix('[') {
            let (index, after) = inside.split_once(']')?;
            steps.push(Step::Index(index.parse().ok()?));
            rest = after;
        } else {
            let word = if steps.is_empty() { rest } else { rest.strip_prefix('.')? };
            let end = word.find(['.', '[']).unwrap_or(word.len());
            let (key, after) = word.split_at_checked(end)?;
            if key.is_empty() || key.contains(['"', ']', ' ']) {
                return None;
            }
            steps.push(Step::Key(key.to_owned()));
            rest = after;
        }
        if rest.is_empty() {
            return matches!(steps.first(), Some(Step::Key(_))).then_some(Path(steps));
        }
    }
}

/// The first step that no property answers to, with those there are.
fn unknown_step(path: &Path, schema: &Schema) -> Option<(String, Vec<String>)> {
    let mut fields = Some(&schema.properties);
    let mut shape: Option<&Shape> = None;
    for step in &path.0 {
        if let (Some(known), Step::Key(key)) = (fields, step)
            && !known.contains_key(key)
        {
            return Some((key.clone(), known.keys().cloned().collect()));
        }
        let property = match (shape, step) {
            (None, Step::Key(key)) => schema.properties.get(key),
            (Some(shape), step) => shape.step(step),
            (None, Step::Index(_)) => None,
        }?;
        shape = Some(&property.shape);
        fields = object_fields(&property.shape);
    }
    None
}

/// The fields of an object, or of the table that a scalar is short for.
pub(super) fn object_fields(shape: &Shape) -> Option<&IndexMap<String, Property>> {
    match shape {
        Shape::Object(fields) => Some(fields),
        Shape::Choice(shapes) => shapes.iter().find_map(object_fields),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reserved_key_is_documented() {
        assert!(fields::reserved().keys().eq(KEYS.iter()));
    }

    #[test]
    fn paths_are_read_as_they_are_written() {
        for text in ["versioning", "tags.Environment", "lifecycle[\"a b.c\"].transitions[0].days", "a[1][2]"] {
            assert_eq!(parse_path(text).unwrap().to_string(), text);
        }
        for text in ["", ".", "a.", "a..b", "[0]", "a[x]", "a[0", "a b", "a[\"x]", "a[0]b"] {
            assert_eq!(parse_path(text), None, "{text}");
        }
    }
}
