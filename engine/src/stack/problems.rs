//! Problems with values, told at their place in the file, and keys that stand under the wrong header.

use indexmap::IndexMap;

use super::model::{Node, Table, key_place, nearest};
use super::sections::{SECTIONS, SETTINGS};
use super::{MAX_DIAGNOSTICS, reserved, sketch};
use crate::address::{Address, Path, Step};
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::schema::validate::{self, Problem};
use crate::schema::{Property, Shape};

/// A table that is checked against fields.
pub(super) struct Site<'a> {
    /// What it is, in messages: `s3.bucket.logs`, `[stack]`.
    pub name: &'a str,
    /// The place of its header.
    pub span: &'a Span,
    /// The table.
    pub table: &'a Table,
    /// What it may hold.
    pub fields: &'a IndexMap<String, Property>,
    /// The resource, if it is a block.
    pub address: Option<&'a Address>,
    /// All headers of all files.
    pub headers: &'a [Span],
    /// Whether a name is a resource type.
    pub is_type: &'a dyn Fn(&str) -> bool,
}

impl Site<'_> {
    /// Checks what is literal, and tells the problems.
    pub fn check(&self, diagnostics: &mut Diagnostics) {
        for problem in sketch::check(self.table, self.fields, self.is_type) {
            if diagnostics.0.len() > MAX_DIAGNOSTICS {
                return;
            }
            diagnostics.push(self.diagnostic(problem));
        }
    }

    /// A problem at its place.
    pub fn diagnostic(&self, problem: Problem) -> Diagnostic {
        let about_key = matches!(problem.code, "S3S-W1" | "S3S-W5" | "S3S-P7");
        let key = key_place(self.table, &problem.path).filter(|_| about_key);
        let value = nearest(self.table, &problem.path).map(|node| &node.span);
        let place = key.or(value).unwrap_or(self.span).clone();
        if let Some(misplaced) = self.misplaced(&problem) {
            return misplaced.at(place);
        }
        if let Some(setting) = self.setting(&problem) {
            return self.about(setting.at(place), &problem.path);
        }
        let diagnostic = Diagnostic { severity: problem.severity, ..Diagnostic::error(problem.code, problem.message) };
        let diagnostic = self.about(diagnostic.at(place), &problem.path);
        match self.habit(problem.code, &problem.path).or(problem.help) {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        }
    }

    /// What a key that other tools have, or that stands in the wrong place, is called here.
    fn habit(&self, code: &str, path: &Path) -> Option<String> {
        let (Step::Key(key), true) = (path.0.last()?, matches!(code, "S3S-W1" | "S3S-W2")) else { return None };
        let is_block = self.address.is_some_and(|address| !address.lookup);
        Some(match key.as_str() {
            "count" if is_block => "write `for_each` with a list of names, or `when` for one or none".into(),
            "provider" if is_block => "`region` and `account` say where a resource is".into(),
            "prevent_destroy" if is_block => {
                format!("write `protect = true` under the header of {} itself", self.name)
            }
            key if code == "S3S-W1" && !is_block && path.0.len() == 1 && SECTIONS.contains(&key) => {
                format!("[{key}] is a section of its own, beside {}", self.name)
            }
            _ => return None,
        })
    }

    fn about(&self, diagnostic: Diagnostic, path: &Path) -> Diagnostic {
        let diagnostic = match self.address {
            Some(address) => diagnostic.on(address),
            None => diagnostic,
        };
        match path.0.is_empty() {
            true => diagnostic,
            false => diagnostic.property(path),
        }
    }

    /// A key that does not fit where it stands, but would fit in a table further up: in TOML every key belongs to the
    /// header above it, and this is how people find out.
    fn misplaced(&self, problem: &Problem) -> Option<Diagnostic> {
        if !matches!(problem.code, "S3S-W1" | "S3S-W2") {
            return None;
        }
        let (Step::Key(key), way) = problem.path.0.split_last()? else { return None };
        // How many steps lead to the table whose header the key stands under.
        let under = (1..=way.len()).rev().find(|depth| self.node(way, *depth).is_some_and(Node::has_header))?;
        let value = &nearest(self.table, &problem.path)?;
        let owner = (0..under).rev().find(|depth| self.takes(way, *depth, key, value))?;
        let place = key_place(self.table, &problem.path)?;
        let header = self.headers.iter().rfind(|header| header.file == place.file && header.start < place.start)?;
        let header_text = header.file.text.get(header.start..header.end).unwrap_or_default();

        let (owner_name, owner_span) = match owner {
            0 => (self.name.to_owned(), self.span),
            owner => (format!("{}.{}", self.name, Path(way.get(..owner)?.to_vec())), &self.node(way, owner)?.span),
        };
        let owner_has_header = owner_span.file.text.get(owner_span.start..)?.starts_with('[');
        let below = |header: &&Span| header.file == owner_span.file && header.start > owner_span.start;
        let help = match self.headers.iter().find(below) {
            Some(next) if owner_has_header => format!("move it above line {}", next.line_column().0),
            _ => format!("write it under a header [{owner_name}] of its own, above line {}", header.line_column().0),
        };
        let message = format!("`{key}` belongs to {owner_name} but stands after {header_text}");
        let diagnostic = Diagnostic::error("S3S-P9", message)
            .label(Some(header.clone()), "the header it stands after")
            .note("in TOML every key belongs to the header above it")
            .help(help);
        Some(match self.address {
            Some(address) => diagnostic.on(address),
            None => diagnostic,
        })
    }

    /// A key of `[stack]` under the header of a block.
    fn setting(&self, problem: &Problem) -> Option<Diagnostic> {
        let Some(Step::Key(key)) = problem.path.0.last() else { return None };
        let unknown = problem.code == "S3S-W1" && !self.fields.contains_key(key);
        let is_setting = self.address.is_some_and(|address| !address.lookup) && SETTINGS.contains(&key.as_str());
        (unknown && is_setting).then(|| {
            let message = format!("`{key}` belongs to [stack] but stands in {}", self.name);
            let note = "in TOML every key belongs to the header above it";
            Diagnostic::error("S3S-P9", message).note(note).help("move it under [stack]")
        })
    }

    /// The node after `depth` steps of a way; none for the table itself.
    fn node(&self, way: &[Step], depth: usize) -> Option<&Node> {
        nearest(self.table, &Path(way.get(..depth)?.to_vec()))
    }

    /// Whether the table after `depth` steps may hold this key with this value.
    fn takes(&self, way: &[Step], depth: usize, key: &str, value: &Node) -> bool {
        let property = match way.get(..depth).and_then(<[Step]>::split_first) {
            None if self.address.is_some() && reserved::is_reserved(key) => return true,
            None => self.fields.get(key),
            Some((Step::Key(first), rest)) => {
                let mut shape = self.fields.get(first).map(|property| &property.shape);
                for step in rest {
                    shape = shape.and_then(|shape| shape.step(step)).map(|property| &property.shape);
                }
                shape.and_then(|shape| match shape {
                    // A map takes any key; that says nothing about where this one belongs.
                    Shape::Map { .. } => None,
                    shape => shape.step(&Step::Key(key.to_owned())),
                })
            }
            Some((Step::Index(_), _)) => None,
        };
        property.filter(|property| !property.derived).is_some_and(|property| {
            let mut problems = Vec::new();
            let value = sketch::node(value, &property.shape, self.is_type);
            validate::check(&property.shape, &value, &Path::default(), &mut problems);
            problems.is_empty()
        })
    }
}
