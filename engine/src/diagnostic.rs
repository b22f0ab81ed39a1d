//! Findings and errors with a place in a file, a reason and a next step.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::address::{Address, Path};

/// One file of the stack, as it was read.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// The name in messages: the path as the user would write it.
    pub name: String,
    /// The content.
    pub text: String,
}

/// A range of bytes in a file.
#[derive(Clone, PartialEq, Eq)]
pub struct Span {
    /// The file.
    pub file: Arc<SourceFile>,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Span {
    /// Line and column of the start, both from 1; columns count characters.
    pub fn line_column(&self) -> (usize, usize) {
        self.line_column_at(self.start)
    }

    /// Line and column of what comes right after the end.
    pub fn end_line_column(&self) -> (usize, usize) {
        self.line_column_at(self.end.max(self.start))
    }

    fn line_column_at(&self, at: usize) -> (usize, usize) {
        let mut at = at.min(self.file.text.len());
        while !self.file.text.is_char_boundary(at) {
            at -= 1;
        }
        let before = self.file.text.get(..at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }

    /// Whether one of the two lies in the other, or they share a part.
    pub fn overlaps(&self, other: &Span) -> bool {
        Arc::ptr_eq(&self.file, &other.file)
            && (self.start == other.start || (self.start < other.end && other.start < self.end))
    }

    /// The part of this span between two offsets relative to its start.
    pub fn part(&self, start: usize, end: usize) -> Span {
        Span {
            file: self.file.clone(),
            start: (self.start + start).min(self.end),
            end: (self.start + end).min(self.end),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.line_column();
        write!(f, "{}:{line}:{column}", self.file.name)
    }
}

/// How grave a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing is planned or applied.
    Error,
    /// Worth knowing; nothing stops.
    Warning,
}

/// A further place that matters, with what stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is there, in a few words; may be empty.
    pub text: String,
}

/// One thing to tell the user about their files, their state or their account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The rule's code, `S3S-N1`; stable.
    pub code: &'static str,
    /// How grave it is.
    pub severity: Severity,
    /// What is wrong, in one line without a final period.
    pub message: String,
    /// The place; absent where no file is at fault (a call that failed).
    pub span: Option<Span>,
    /// The resource.
    pub address: Option<Address>,
    /// The property.
    pub path: Option<Path>,
    /// Further places.
    pub labels: Vec<Label>,
    /// Why it matters, in sentences.
    pub notes: Vec<String>,
    /// The next step.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            span: None,
            address: None,
            path: None,
            labels: Vec::new(),
            notes: Vec::new(),
            help: None,
        }
    }

    /// A warning.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// The same, at a place.
    pub fn at(self, span: impl Into<Option<Span>>) -> Self {
        Self { span: span.into().or(self.span), ..self }
    }

    /// The same, about a resource.
    pub fn on(self, address: &Address) -> Self {
        Self { address: Some(address.clone()), ..self }
    }

    /// The same, about a property.
    pub fn property(self, path: &Path) -> Self {
        Self { path: Some(path.clone()), ..self }
    }

    /// The same, with a further place.
    pub fn label(mut self, span: Option<Span>, text: impl Into<String>) -> Self {
        if let Some(span) = span {
            self.labels.push(Label { span, text: text.into() });
        }
        self
    }

    /// The same, with a reason.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// The same, with the next step.
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

impl fmt::Display for Diagnostic {
    /// One line, for logs and test output; people get the rendered form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{word}[{}]: {}", self.code, self.message)?;
        if let Some(span) = &self.span {
            write!(f, " at {span}")?;
        }
        if let Some(address) = &self.address {
            write!(f, " in {address}")?;
        }
        if let Some(path) = &self.path {
            write!(f, " {path}")?;
        }
        if let Some(help) = &self.help {
            write!(f, "; {help}")?;
        }
        Ok(())
    }
}

/// Everything found so far; collected, so that the user sees all of it at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Adds all of another.
    pub fn extend(&mut self, other: Diagnostics) {
        self.0.extend(other.0);
    }

    /// Adds those of another that are at places of which nothing is told yet: one mistake is met by several checks, and
    /// the first of them says it best.
    pub fn extend_elsewhere(&mut self, other: Diagnostics) {
        let told: Vec<Span> = self.0.iter().filter_map(|diagnostic| diagnostic.span.clone()).collect();
        let is_told = |span: &Span| told.iter().any(|one| one.overlaps(span));
        self.0.extend(other.0.into_iter().filter(|one| !one.span.as_ref().is_some_and(is_told)));
    }

    /// Keeps this many, and says how many there were beyond, those included that were left out before: nobody reads more,
    /// and each costs.
    pub fn limit(&mut self, most: usize, left_out: usize) {
        let more = self.0.len().saturating_sub(most) + left_out;
        if more > 0 && self.has_errors() {
            self.0.truncate(most);
            let rest = Diagnostic::error("S3S-P2", format!("there are {more} more errors"));
            self.push(rest.help("correct these first"));
        }
    }

    /// Whether any is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// The candidate nearest to `word`, if one is near enough to be what was meant.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Comparing takes the product of the lengths, and neither is trusted.
    let short = |word: &str| word.len() <= 100;
    candidates
        .into_iter()
        .filter(|candidate| short(word) && short(candidate))
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count().max(word.chars().count()) / 3).max(1))
        // A word of which nothing is left is no slip.
        .filter(|(distance, candidate)| *distance < candidate.chars().count().max(word.chars().count()))
        .min()
        .map(|(_, candidate)| candidate)
}

/// The address that was meant by one that there is not: a near name of the same type, or the same name of another type.
/// Addresses are not compared as a whole, since those of one type are alike whatever their names.
pub fn address_meant<'a>(
    address: &Address,
    known: impl IntoIterator<Item = &'a Address, IntoIter: Clone>,
) -> Option<&'a Address> {
    let known = known.into_iter();
    let of_type = known.clone().filter(|one| one.type_name == address.type_name);
    let near = did_you_mean(&address.name, of_type.clone().map(|one| one.name.as_str()));
    match near {
        Some(near) => of_type.into_iter().find(|one| one.name == near),
        None => known.into_iter().find(|one| one.name == address.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_meant_by_their_names() {
        let known = [Address::root("s3.bucket", "data"), Address::root("iam.role", "reader")];
        let meant = |kind: &str, name: &str| address_meant(&Address::root(kind, name), &known).map(ToString::to_string);
        assert_eq!(meant("s3.bucket", "dta").as_deref(), Some("s3.bucket.data"));
        assert_eq!(meant("iam.user", "reader").as_deref(), Some("iam.role.reader"));
        assert_eq!(meant("s3.bucket", "nope"), None);
    }

    #[test]
    fn columns_count_characters_and_lines_start_at_one() {
        let file = Arc::new(SourceFile { name: "stack.toml".into(), text: "a = 1\nä = \"x\"\n".into() });
        let span = Span { file, start: 11, end: 14 };
        assert_eq!(span.to_string(), "stack.toml:2:5");
        assert_eq!(span.end_line_column(), (2, 8));
    }

    #[test]
    fn near_words_are_offered_and_far_ones_are_not() {
        assert_eq!(did_you_mean("versionning", ["versioning", "encryption"]), Some("versioning"));
        assert_eq!(did_you_mean("colour", ["versioning", "encryption"]), None);
        assert_eq!(did_you_mean("prd", ["prod"]), Some("prod"));
        assert_eq!(did_you_mean("acces", ["accessor", "access"]), Some("access"));
        assert_eq!(did_you_mean("nope", ["one", "name"]), None);
        assert_eq!(did_you_mean("a", ["b"]), None);
    }

    #[test]
    fn errors_are_limited_and_warnings_make_none() {
        let mut many = Diagnostics(vec![Diagnostic::error("S3S-W1", "wrong"); 5]);
        many.limit(3, 4);
        assert_eq!(many.0.len(), 4);
        assert_eq!(many.0[3].message, "there are 6 more errors");
        let mut warnings = Diagnostics(vec![Diagnostic::warning("S3S-W1", "odd"); 5]);
        warnings.limit(3, 0);
        assert!(!warnings.has_errors() && warnings.0.len() == 5);
    }

    #[test]
    fn a_place_is_told_once() {
        let file = Arc::new(SourceFile { name: "stack.toml".into(), text: "name = 1\n".into() });
        let at = |start, end| Diagnostic::error("S3S-W2", "wrong").at(Span { file: file.clone(), start, end });
        let mut told = Diagnostics(vec![at(7, 8)]);
        told.extend_elsewhere(Diagnostics(vec![at(0, 9), at(7, 7), at(0, 4), Diagnostic::error("S3S-X2", "no place")]));
        let spans: Vec<_> = told.0.iter().map(|one| one.span.as_ref().map(|span| (span.start, span.end))).collect();
        assert_eq!(spans, [Some((7, 8)), Some((0, 4)), None]);
    }
}
