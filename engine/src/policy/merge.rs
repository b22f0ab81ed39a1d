//! One document of what the file says and what follows from the stack: the owner of a document that AWS keeps as one
//! merges it here, keyed by Sid.

use super::document::{Document, Statement, Version};
use super::equal::same_statement;
use super::problem::{Problem, code};
use super::sid;
use crate::address::{Address, Path};
use crate::resource::Contribution;

/// A statement that follows from something in the stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Derived {
    /// What it follows from, after "for": `the access logs of s3.bucket.data`.
    pub because: String,
    /// The statement, with a Sid.
    pub statement: Statement,
}

impl Derived {
    /// A statement of the owner itself.
    pub fn new(because: impl Into<String>, statement: Statement) -> Self {
        Self { because: because.into(), statement }
    }

    /// What another resource adds. Fails if its value is no statement.
    pub fn from_contribution(contribution: &Contribution) -> Result<Self, Vec<Problem>> {
        let statement = Statement::parse(&contribution.value)?;
        let statement = Statement { sid: Some(contribution.key.clone()), ..statement };
        Ok(Self { because: contribution.from.to_string(), statement })
    }

    /// The same as a contribution to the document of another resource.
    pub fn into_contribution(self, from: Address, to: Address, document: &'static str) -> Contribution {
        let key = self.statement.sid.clone().unwrap_or_default();
        Contribution { from, to, document, key, value: self.statement.to_value() }
    }
}

/// The document of an owner: the written statements in their order, then the derived ones in order of their Sids.
///
/// Derived statements that want one Sid get a digest of what they follow from. A written and a derived statement of one
/// Sid are a problem, unless they mean the same. Paths start at `statements`. No statement at all is a document without
/// statements: AWS has none then.
pub fn merge(written: Option<Document>, derived: Vec<Derived>) -> Result<Document, Vec<Problem>> {
    let mut document = written.unwrap_or_else(|| Document::new(Vec::new()));
    let mut problems = Vec::new();
    let mut added = named(derived);
    added.retain(|derived| {
        let clash = derived.statement.sid.as_deref().and_then(|sid| document.statement(sid));
        match clash {
            Some(written) if same_statement(written, &derived.statement) => return false,
            Some(written) => problems.push(clashes(written, derived)),
            None => {}
        }
        true
    });
    let statements: Vec<Statement> = added.into_iter().map(|derived| derived.statement).collect();
    match version(&document, &statements) {
        Ok(version) => document.version = Some(version),
        Err(problem) => problems.push(problem),
    }
    document.statements.extend(statements);
    if problems.is_empty() { Ok(document) } else { Err(problems) }
}

/// The derived statements, each once, with Sids of their own, in order of these.
fn named(derived: Vec<Derived>) -> Vec<Derived> {
    let mut once: Vec<Derived> = Vec::new();
    for derived in derived {
        let same = |other: &Derived| {
            other.statement.sid == derived.statement.sid && same_statement(&other.statement, &derived.statement)
        };
        if !once.iter().any(same) {
            once.push(derived);
        }
    }
    let telling = |derived: &Derived| (derived.statement.sid.clone().unwrap_or_default(), derived.because.clone());
    let sids = sid::unique(&once.iter().map(telling).collect::<Vec<_>>());
    for (derived, sid) in once.iter_mut().zip(sids) {
        derived.statement.sid = Some(sid);
    }
    once.sort_by(|a, b| a.statement.sid.cmp(&b.statement.sid));
    once
}

fn clashes(written: &Statement, derived: &Derived) -> Problem {
    let sid = written.sid.as_deref().unwrap_or_default();
    let message = format!("a statement `{sid}` is also made for {}", derived.because);
    Problem::error(code::SID, Path::of(sid), message).help("give this one another name")
}

/// The version that keeps the meaning of everything: the written statements may come from a file of the old language, in
/// which `${…}` is text.
fn version(written: &Document, derived: &[Statement]) -> Result<Version, Problem> {
    let old = written.version != Some(Version::V2012) && written.may_have_variables();
    match (old, derived.iter().any(Statement::may_have_variables)) {
        (false, _) => Ok(Version::V2012),
        (true, false) => Ok(Version::V2008),
        (true, true) => Err(Problem::error(
            code::VARIABLES,
            Path::of("file"),
            "the file's `${…}` is text in its version, and what is added to it has policy variables",
        )
        .help("write \"Version\": \"2012-10-17\" into the file, and `${$}` where a dollar sign is meant")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::s3;
    use super::*;
    use crate::value::Value;
    use proptest::prelude::*;

    fn read(json: &str) -> Document {
        Document::from_json(json).unwrap()
    }

    fn tls() -> Derived {
        Derived::new("TLS", s3::tls_only(&"arn:aws:s3:::b".into()))
    }

    fn logs(address: &str) -> Derived {
        let source = s3::LogSource {
            address: address.parse().unwrap(),
            arn: format!("arn:aws:s3:::{}", address.replace('.', "-")).into(),
            account: "123456789012".into(),
            prefix: Value::Null,
        };
        Derived::new(address, s3::log_delivery(&"arn:aws:s3:::b".into(), &source))
    }

    fn sids(document: &Document) -> Vec<&str> {
        document.statements.iter().map(|statement| statement.sid.as_deref().unwrap_or("-")).collect()
    }

    #[test]
    fn written_statements_come_first_and_derived_ones_by_sid() {
        let written = read(
            r#"{"Version":"2012-10-17","Id":"x","Statement":[{"Sid":"Z","Effect":"Deny","Action":"a:B"},{"Effect":"Deny","Action":"a:C"}]}"#,
        );
        let made = merge(Some(written), vec![logs("s3.bucket.data"), tls()]).unwrap();
        assert_eq!(sids(&made), ["Z", "-", "DenyInsecureTransport", "S3ServerAccessLogsData"]);
        assert_eq!(made.id, Some("x".into()));
        assert_eq!(merge(None, Vec::new()).unwrap(), Document::new(Vec::new()));
    }

    #[test]
    fn sources_of_one_name_are_told_apart() {
        let made = merge(None, vec![logs("module.a.s3.bucket.raw"), logs("module.b.s3.bucket.raw")]).unwrap();
        let sids = sids(&made);
        assert!(sids.len() == 2 && sids[0] != sids[1], "{sids:?}");
        assert!(sids.iter().all(|sid| sid.starts_with("S3ServerAccessLogsRaw")));
    }

    #[test]
    fn a_written_statement_is_never_overwritten() {
        let other = read(
            r#"{"Version":"2012-10-17","Statement":{"Sid":"DenyInsecureTransport","Effect":"Deny","Action":"a:B"}}"#,
        );
        let found = merge(Some(other), vec![tls()]).unwrap_err();
        assert_eq!(found[0].message, "a statement `DenyInsecureTransport` is also made for TLS");
        assert_eq!(found[0].path, Path::of("DenyInsecureTransport"));
        let same = Document::new(vec![tls().statement]);
        assert_eq!(merge(Some(same.clone()), vec![tls()]).unwrap(), same);
    }

    #[test]
    fn the_old_language_is_left_only_when_that_changes_nothing() {
        let of = |resource: &str| {
            read(&format!(r#"{{"Statement":{{"Effect":"Allow","Action":"a:B","Resource":"{resource}"}}}}"#))
        };
        let variable = Derived::new(
            "x",
            Statement { resources: vec!["${aws:username}".into()], sid: Some("V".into()), ..tls().statement },
        );
        assert_eq!(merge(Some(of("x")), vec![tls()]).unwrap().version, Some(Version::V2012));
        assert_eq!(merge(Some(of("${x}")), vec![tls()]).unwrap().version, Some(Version::V2008));
        assert_eq!(merge(Some(of("${x}")), vec![variable]).unwrap_err()[0].code, code::VARIABLES);
    }

    #[test]
    fn a_contribution_is_read_back_as_what_it_was() {
        let [from, to] = ["s3.bucket.data", "s3.bucket.logs"].map(|address| address.parse::<Address>().unwrap());
        let contribution = logs("s3.bucket.data").into_contribution(from, to, "policy");
        assert_eq!(contribution.key, "S3ServerAccessLogsData");
        assert_eq!(Derived::from_contribution(&contribution).unwrap(), logs("s3.bucket.data"));
    }

    proptest! {
        #[test]
        fn the_order_of_derived_statements_means_nothing(derived in Just(vec![tls(), logs("s3.bucket.a"), logs("module.x.s3.bucket.a"), logs("s3.bucket.b"), tls()]).prop_shuffle()) {
            let turned = derived.iter().rev().cloned().collect();
            prop_assert_eq!(merge(None, derived), merge(None, turned));
        }
    }
}
