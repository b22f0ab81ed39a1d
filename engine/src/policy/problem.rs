//! What is wrong with a policy, with the place inside it.

use crate::address::{Path, Step};
use crate::diagnostic::{Diagnostic, Severity};

/// The rules' codes; those that the wiring catalogue numbers carry its number.
pub mod code {
    /// The value is not a policy document, or not the words of one.
    pub const SHAPE: &str = "S3S-I21";
    /// A Sid occurs twice or has characters that AWS refuses.
    pub const SID: &str = "S3S-I22";
    /// A grant that cannot be given.
    pub const GRANT: &str = "S3S-I23";
    /// `${…}` in a document whose version knows no policy variables.
    pub const VARIABLES: &str = "S3S-I24";
    /// An action that is none.
    pub const ACTION: &str = "S3S-I6";
    /// A principal that AWS refuses, or everybody.
    pub const PRINCIPAL: &str = "S3S-I2";
    /// Trust in an identity provider without saying in whom.
    pub const WEB_IDENTITY: &str = "S3S-I3";
    /// Actions whose resource has another shape.
    pub const MISMATCH: &str = "S3S-I5";
    /// More is allowed than anything needs.
    pub const BROAD: &str = "S3S-I15";
    /// A policy beyond AWS's size limit.
    pub const SIZE: &str = "S3S-N7";
    /// A trust policy beyond AWS's size limit.
    pub const TRUST_SIZE: &str = "S3S-N8";
    /// A bucket policy that opens the bucket to the public.
    pub const PUBLIC: &str = "S3S-B1";
    /// A bucket policy that locks out whoever could change it.
    pub const LOCKOUT: &str = "S3S-B8";
}

/// One thing that is wrong with a policy, or worth knowing about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The rule's code, one of [`code`].
    pub code: &'static str,
    /// Whether AWS would refuse it or it would never do what it says (error), or it is a risk (warning).
    pub severity: Severity,
    /// Where, relative to the value that was examined.
    pub path: Path,
    /// What is wrong, in one line without a final period.
    pub message: String,
    /// Why it matters.
    pub note: Option<String>,
    /// The next step.
    pub help: Option<String>,
}

impl Problem {
    /// An error.
    pub fn error(code: &'static str, path: Path, message: impl Into<String>) -> Self {
        Self { code, severity: Severity::Error, path, message: message.into(), note: None, help: None }
    }

    /// A warning.
    pub fn warning(code: &'static str, path: Path, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, path, message) }
    }

    /// The same, with a reason.
    pub fn note(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }

    /// The same, with the next step.
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// The same, below a path.
    pub fn below(self, base: &Path) -> Self {
        Self { path: join(base, &self.path), ..self }
    }

    /// The problem as a diagnostic about the property at `base`.
    pub fn diagnostic(self, base: &Path) -> Diagnostic {
        let path = join(base, &self.path);
        let diagnostic = Diagnostic {
            notes: self.note.into_iter().collect(),
            help: self.help,
            ..Diagnostic::error(self.code, self.message)
        };
        Diagnostic { severity: self.severity, ..diagnostic }.property(&path)
    }
}

impl From<Problem> for crate::schema::validate::Problem {
    /// For the properties' own list of problems: reason and next step become one.
    fn from(problem: Problem) -> Self {
        let help: Vec<String> = problem.note.into_iter().chain(problem.help).collect();
        let help = (!help.is_empty()).then(|| help.join("; "));
        Self { code: problem.code, severity: problem.severity, path: problem.path, message: problem.message, help }
    }
}

/// `base` followed by `rest`.
pub(crate) fn join(base: &Path, rest: &Path) -> Path {
    Path(base.0.iter().chain(&rest.0).cloned().collect::<Vec<Step>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnostic_keeps_everything_and_stands_below_the_property() {
        let problem = Problem::warning(code::BROAD, Path::of("Action").index(1), "too much").note("why").help("less");
        let diagnostic = problem.diagnostic(&Path::of("policy"));
        assert_eq!(diagnostic.to_string(), "warning[S3S-I15]: too much policy.Action[1]; less");
        assert_eq!(diagnostic.notes, ["why"]);
    }
}
