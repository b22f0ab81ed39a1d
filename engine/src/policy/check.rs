//! What AWS would refuse in a document, or accept and never act on. [`super::exposure`] tells what is allowed too widely.

use super::action;
use super::document::{Document, Effect, PrincipalKind, Principals, Statement, Version};
use super::exposure;
use super::principal::{self, Arn, Word};
use super::problem::{Problem, code};
use super::s3::{self, WorksOn};
use super::text;
use crate::address::Path;
use crate::value::Value;

/// What a document is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What a user, role or group may do.
    Identity,
    /// Who may assume a role.
    Trust,
    /// Who may do what with a bucket.
    Bucket,
    /// Who may do what with another resource.
    Resource,
}

/// AWS's limit of a document's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// What has the limit, in messages.
    pub of: &'static str,
    /// Characters, white space between elements not counted; bytes where AWS counts those.
    pub characters: usize,
    /// The way out.
    pub help: &'static str,
}

impl Limit {
    /// A managed policy.
    pub const MANAGED: Self = Self::new("a managed policy", 6_144, "split it into several policies");
    /// All inline policies of a role together.
    pub const ROLE: Self = Self::new("all inline policies of a role", 10_240, "move statements into managed policies");
    /// All inline policies of a user together.
    pub const USER: Self = Self::new("all inline policies of a user", 2_048, "move statements into managed policies");
    /// All inline policies of a group together.
    pub const GROUP: Self = Self::new("all inline policies of a group", 5_120, "move statements into managed policies");
    /// A trust policy, unless AWS raised it for the account.
    pub const TRUST: Self = Self::new(
        "a trust policy",
        2_048,
        "trust whole accounts and narrow that with one condition, or ask AWS for 4,096",
    );
    /// A bucket policy.
    pub const BUCKET: Self =
        Self::new("a bucket policy", 20 * 1024, "use wildcards or conditions instead of long lists");
    /// The policy of a topic.
    pub const TOPIC: Self = Self::new("a topic's policy", 30 * 1024, "use conditions instead of long lists");
    /// The policy of a key.
    pub const KEY: Self = Self::new("a key's policy", 32 * 1024, "let IAM policies allow what they can");

    const fn new(of: &'static str, characters: usize, help: &'static str) -> Self {
        Self { of, characters, help }
    }
}

/// Everything wrong with a document of a kind. Paths start at the document in AWS's shape;
/// [`super::statements::written_path`] leads to the stack file. What is not known yet, or secret, is taken to be right: messages quote.
pub fn check(document: &Document, kind: Kind, limit: Limit) -> Vec<Problem> {
    let mut problems = Vec::new();
    if document.statements.is_empty() {
        problems.push(Problem::error(
            code::SHAPE,
            Path::default(),
            "this document has no statement, and AWS takes none",
        ));
    }
    if document.version != Some(Version::V2012) && has_variables(document) {
        let message = "`${…}` is plain text in this document, because its version is not \"2012-10-17\"";
        problems.push(Problem::warning(code::VARIABLES, Path::of("Version"), message));
    }
    for (index, statement) in document.statements.iter().enumerate() {
        let path = Path::of("Statement").index(index);
        shape(statement, kind, &path, &mut problems);
        principals(statement, kind, &path, &mut problems);
        actions(statement, kind, &path, &mut problems);
        resources(statement, kind, &path, &mut problems);
        mismatch(statement, kind, &path, &mut problems);
    }
    problems.extend(exposure::find(document, kind));
    problems.extend(characters(document, kind));
    problems.extend(fits(&[document], limit));
    problems
}

/// The problem of documents that together are beyond a limit.
pub fn fits(documents: &[&Document], limit: Limit) -> Option<Problem> {
    let size: usize = documents.iter().map(|document| document.size()).sum();
    let code = if limit == Limit::TRUST { code::TRUST_SIZE } else { code::SIZE };
    let message = format!("{} has at most {} characters, and this has {size}", limit.of, limit.characters);
    (size > limit.characters).then(|| Problem::error(code, Path::default(), message).help(limit.help))
}

fn has_variables(document: &Document) -> bool {
    let has = |value: &Value| text::exposed(value).is_some_and(|text| text.contains("${"));
    document.statements.iter().any(|statement| {
        let values = statement.conditions.values().flat_map(|keys| keys.values()).flatten();
        statement.resources.iter().chain(&statement.not_resources).chain(values).any(has)
    })
}

/// Which elements the kind wants, and the Sid.
fn shape(statement: &Statement, kind: Kind, path: &Path, problems: &mut Vec<Problem>) {
    let wrong = |path: Path, message: &str, help: &str| Problem::error(code::SHAPE, path, message).help(help);
    let has_principals = statement.principals.is_some() || statement.not_principals.is_some();
    let has_resources = !(statement.resources.is_empty() && statement.not_resources.is_empty());
    match (kind, has_principals) {
        (Kind::Identity, true) => problems.push(wrong(
            path.key("Principal"),
            "a policy of a user, role or group has no principals",
            "it applies to whom it is attached; principals belong into the policy of the resource",
        )),
        (Kind::Trust | Kind::Bucket | Kind::Resource, false) => {
            problems.push(wrong(path.clone(), "this statement does not say to whom it applies", "add principals"));
        }
        _ => {}
    }
    match (kind, has_resources) {
        (Kind::Trust, true) => problems.push(wrong(
            path.key("Resource"),
            "a trust policy has no resources",
            "it is about the role that it belongs to",
        )),
        (Kind::Identity | Kind::Bucket, false) => {
            problems.push(wrong(
                path.clone(),
                "this statement does not say which resources it is about",
                "add resources",
            ));
        }
        _ => {}
    }
    let plain = |sid: &str| sid.chars().all(|c| c.is_ascii_alphanumeric());
    if let Some(sid) = &statement.sid {
        if matches!(kind, Kind::Identity | Kind::Trust) && !plain(sid) {
            let message = format!("IAM takes letters and digits in a Sid, and not `{sid}`");
            let problem = Problem::error(code::SID, path.key("Sid"), message);
            problems.push(problem.help(format!("write `{}`", super::sid::camel(sid))));
        } else if sid.chars().any(char::is_control) {
            problems.push(Problem::error(code::SID, path.key("Sid"), "a Sid has no control characters"));
        }
    }
}

fn principals(statement: &Statement, kind: Kind, path: &Path, problems: &mut Vec<Problem>) {
    if kind == Kind::Identity {
        return;
    }
    for (key, principals) in [("Principal", &statement.principals), ("NotPrincipal", &statement.not_principals)] {
        let Some(Principals::Listed(kinds)) = principals else { continue };
        for (principal_kind, values) in kinds {
            for (index, value) in values.iter().enumerate() {
                let single = values.len() == 1;
                let path = path.key(key).key(principal_kind.as_str());
                let path = if single { path } else { path.index(index) };
                if let Some(text) = value.as_str() {
                    problems.extend(principal(*principal_kind, text, &path));
                }
            }
        }
    }
    if statement.not_principals.is_some() && statement.effect == Effect::Allow {
        let message = "allowing with `NotPrincipal` allows everybody else there is";
        problems.push(Problem::error(code::PRINCIPAL, path.key("NotPrincipal"), message).help("name those who may"));
    }
}

/// What is wrong with a principal of a kind.
fn principal(kind: PrincipalKind, text: &str, path: &Path) -> Option<Problem> {
    if kind == PrincipalKind::CanonicalUser || text == "*" {
        return None;
    }
    match principal::classify(text, path) {
        Err(problem) => Some(problem),
        Ok(word) if word.kind() == kind => None,
        // Federated cognito is also listed among services by its name.
        Ok(Word::OpenId { .. }) if kind == PrincipalKind::Service && text.ends_with(".amazonaws.com") => None,
        Ok(word) => {
            let message = format!("`{text}` stands under `{kind}`");
            Some(
                Problem::error(code::PRINCIPAL, path.clone(), message)
                    .help(format!("it belongs under `{}`", word.kind())),
            )
        }
    }
}

/// Each text of a list with its place in AWS's shape.
fn placed<'a>(values: &'a [Value], path: &Path, key: &str) -> Vec<(Path, &'a str)> {
    let at = |index: usize| if values.len() == 1 { path.key(key) } else { path.key(key).index(index) };
    values.iter().enumerate().filter_map(|(index, value)| value.as_str().map(|text| (at(index), text))).collect()
}

fn actions(statement: &Statement, kind: Kind, path: &Path, problems: &mut Vec<Problem>) {
    for (key, values) in [("Action", &statement.actions), ("NotAction", &statement.not_actions)] {
        for (path, text) in placed(values, path, key) {
            let service = action::service(text).unwrap_or_default();
            if !action::is_action(text) {
                let problem = Problem::error(code::ACTION, path, format!("`{text}` is not an action"));
                problems.push(problem.help("an action is `service:Name`, with wildcards, or `*`"));
            } else if kind == Kind::Trust && !service.eq_ignore_ascii_case("sts") {
                let problem = Problem::error(code::ACTION, path, format!("`{text}` has no place in a trust policy"));
                problems.push(
                    problem
                        .help("there is `sts:AssumeRole` and its kin; what the role may do belongs into its policies"),
                );
            } else if kind == Kind::Bucket && text != "*" && !service.eq_ignore_ascii_case("s3") {
                let problem = Problem::error(code::ACTION, path, format!("`{text}` has no place in a bucket policy"));
                problems.push(problem.help("its actions begin with `s3:`"));
            }
        }
    }
}

fn resources(statement: &Statement, kind: Kind, path: &Path, problems: &mut Vec<Problem>) {
    if kind == Kind::Trust {
        return;
    }
    for (key, values) in [("Resource", &statement.resources), ("NotResource", &statement.not_resources)] {
        for (path, text) in placed(values, path, key) {
            // AWS takes wildcards for whole parts, `*:*:s3:::x`, but nothing that has no parts.
            let is_arn =
                text == "*" || text.starts_with("${") || Arn::parse(text).is_some() || text.starts_with("arn:*");
            if !is_arn {
                let problem = Problem::error(code::SHAPE, path, format!("`{text}` is not an ARN"));
                problems.push(problem.help("a resource is an ARN or `*`; a resource of the stack has `.arn`"));
            }
        }
    }
}

/// Actions of S3 on buckets with ARNs of objects, and the other way round: the statement does nothing.
fn mismatch(statement: &Statement, kind: Kind, path: &Path, problems: &mut Vec<Problem>) {
    let resources: Option<Vec<&str>> = statement.resources.iter().map(text::exposed).collect();
    let Some(resources) = resources.filter(|resources| !resources.is_empty()) else { return };
    let shapes: Option<Vec<Shapes>> = resources.iter().map(|text| s3_shapes(text)).collect();
    // Access points and the like have shapes of their own.
    let Some(shapes) = shapes else { return };
    let (buckets, objects) = (shapes.iter().any(|shape| shape.bucket), shapes.iter().any(|shape| shape.object));
    for (path, action) in placed(&statement.actions, path, "Action") {
        let message = match s3::works_on(action) {
            Some(WorksOn::Object) if !objects => {
                format!("`{action}` works on objects, and the resources of this statement are buckets")
            }
            Some(WorksOn::Bucket) if !buckets => {
                format!("`{action}` works on a bucket, and the resources of this statement are objects")
            }
            _ => continue,
        };
        let (make, help): (fn(_, _, _) -> _, _) = match kind {
            // A bucket policy with it is refused as a whole.
            Kind::Bucket => {
                (|code, path, message: String| Problem::error(code, path, message), "AWS refuses the policy")
            }
            _ => (
                |code, path, message: String| Problem::warning(code, path, message),
                "the statement never takes effect",
            ),
        };
        let problem: Problem = make(code::MISMATCH, path, message);
        problems.push(problem.note(help).help("a bucket is `ARN`, its objects are `ARN/*`"));
    }
}

/// What an ARN of S3 can stand for.
struct Shapes {
    bucket: bool,
    object: bool,
}

/// What a resource stands for among S3's; `None` when it is not plain S3.
fn s3_shapes(text: &str) -> Option<Shapes> {
    if text == "*" {
        return Some(Shapes { bucket: true, object: true });
    }
    let plain = text::with_variables_as("*", text);
    let arn = Arn::parse(&plain)?;
    if arn.service != "s3" || !arn.region.is_empty() || !arn.account.is_empty() {
        return None;
    }
    // A `*` in the bucket's part matches slashes too.
    let bucket_part = arn.resource.split('/').next().unwrap_or_default();
    let has_slash = arn.resource.contains('/');
    Some(Shapes { bucket: !has_slash, object: has_slash || bucket_part.contains('*') })
}

/// Characters that IAM refuses in a policy: those beyond Latin-1, and control characters but tab and line ends.
fn characters(document: &Document, kind: Kind) -> Option<Problem> {
    if !matches!(kind, Kind::Identity | Kind::Trust) {
        return None;
    }
    let (mut found, value) = (None, document.to_value());
    value.walk(&Path::default(), &mut |path, value| {
        let foreign = |c: &char| !matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{ff}');
        let texts = match value {
            Value::Map(map) => map.keys().cloned().collect(),
            value => value.as_str().map(str::to_owned).into_iter().collect::<Vec<_>>(),
        };
        if let Some(c) = texts.iter().flat_map(|text| text.chars()).find(|c| foreign(c)) {
            found.get_or_insert((path.clone(), c));
        }
    });
    let (path, c) = found?;
    let message = format!("IAM takes no `{}` in a policy", c.escape_default());
    Some(Problem::error(code::SHAPE, path, message).help("use characters of Latin-1, or a wildcard in its place"))
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
