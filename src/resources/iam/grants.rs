//! The one document that a role, user, group or policy of the stack comes to: its `statements`, and what its `grants` give.

use s3stack_engine::address::{Path, Step};
use s3stack_engine::policy::action;
use s3stack_engine::policy::check::{self, Kind, Limit};
use s3stack_engine::policy::grant::{self, Access, AccessLevel, ActionShapes, Grant, Key, Shape, Target, TargetName};
use s3stack_engine::policy::merge::{self, Derived};
use s3stack_engine::policy::principal::Arn;
use s3stack_engine::policy::problem::code;
use s3stack_engine::policy::s3::BUCKET_ACCESS;
use s3stack_engine::policy::{Document, Problem as PolicyProblem, statements};
use s3stack_engine::resource::{Facts, Resource, Surroundings};
use s3stack_engine::schema::validate::Problem;
use s3stack_engine::value::Value;

/// What may be granted on a role.
pub static ROLE_ACCESS: Access = Access {
    levels: &[AccessLevel {
        name: "assume",
        doc: "Assume the role, which must trust whoever does.",
        includes: &[],
        actions: &["sts:AssumeRole"],
    }],
    shapes: &[ActionShapes { actions: &["sts:*", "iam:*"], shapes: ROLE }],
    otherwise: ROLE,
    key: None,
};

const ROLE: &[Shape] = &[Shape { label: "Role", resource: "{arn}", prefix_key: None }];

/// The document; absent where there are neither statements nor grants.
///
/// # Errors
/// Everything that is wrong with the words, at their places.
pub fn document(resource: &Resource, around: &dyn Surroundings) -> Result<Option<Document>, Vec<Problem>> {
    let mut problems = Vec::new();
    let written = match written(resource, around) {
        Ok(written) => written,
        Err(found) => {
            problems.extend(found);
            None
        }
    };
    let granted = match granted(resource, around) {
        Ok(granted) => granted,
        Err(found) => {
            problems.extend(found.into_iter().map(|problem| problem.below(&Path::of("grants")).into()));
            Vec::new()
        }
    };
    if !problems.is_empty() {
        return Err(problems);
    }
    let document = merge::merge(written, granted).map_err(|found| {
        found.into_iter().map(|problem| problem.below(&Path::of("statements")).into()).collect::<Vec<_>>()
    })?;
    Ok(Some(document).filter(|document| !document.statements.is_empty()))
}

/// The document of `statements`; absent where there are none.
fn written(resource: &Resource, around: &dyn Surroundings) -> Result<Option<Document>, Vec<Problem>> {
    let words = resource.property("statements");
    if words.is_null() {
        return Ok(None);
    }
    let file = file(statements::file_of(words), "statements", around)?;
    let below = |problem: PolicyProblem| problem.below(&Path::of("statements")).into();
    statements::document(words, file.as_deref()).map(Some).map_err(|found| found.into_iter().map(below).collect())
}

/// The text of the file that a property takes its document from.
pub fn file(path: Option<&Value>, property: &str, around: &dyn Surroundings) -> Result<Option<String>, Vec<Problem>> {
    let at = Path::of(property).key("file");
    let wrong = |message: String| {
        vec![
            Problem::new(code::SHAPE, &at, message).help("name a file in the stack folder that holds a policy as JSON"),
        ]
    };
    match path {
        None => Ok(None),
        Some(Value::String(path)) => {
            let content = around.file(path).map_err(wrong)?;
            match content.text() {
                Some(text) => Ok(Some(text.to_owned())),
                None if content.files.is_some() => Err(wrong(format!("`{path}` is a folder"))),
                None => Err(wrong(format!("`{path}` is no policy: it has {} bytes, or is not text", content.size))),
            }
        }
        Some(other) => Err(wrong(format!("a file is named by a text that is known, this is {}", other.kind()))),
    }
}

/// The statements that `grants` give; problems start at the property.
fn granted(resource: &Resource, around: &dyn Surroundings) -> Result<Vec<Derived>, Vec<PolicyProblem>> {
    let words = grant::read(resource.property("grants"))?;
    let (mut grants, mut problems) = (Vec::new(), Vec::new());
    for (index, words) in words.into_iter().enumerate() {
        match target(&words.to, &Path::default().index(index).key("to"), around) {
            Ok(target) => grants.push(Grant { target, access: words.access, prefix: words.prefix }),
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let statements = grant::expand(&grants)?;
    Ok(statements.into_iter().map(|statement| Derived::new("a grant", statement)).collect())
}

fn target<'a>(to: &Value, path: &Path, around: &'a dyn Surroundings) -> Result<Target<'a>, PolicyProblem> {
    let wrong = |message: String| PolicyProblem::error(code::GRANT, path.clone(), message);
    match to {
        Value::Reference(address) => {
            let (resource, kind) =
                around.resource(address).ok_or_else(|| wrong(format!("there is no {address} to grant on")))?;
            let type_name = kind.descriptor().name;
            let access = kind.access().ok_or_else(|| {
                wrong(format!("nothing can be granted on {type_name}")).help("write what is allowed in `statements`")
            })?;
            let arn = resource.attribute("arn").clone();
            let there = around.facts_of(address);
            let account = account(&arn, there.account_id.as_str().into());
            let key = key(resource, there);
            Ok(Target { name: TargetName::Address(address.clone()), type_name, arn, account, access, key })
        }
        Value::String(text) => {
            let outside = |type_name, access| Target {
                name: TargetName::Arn(text.clone()),
                type_name,
                arn: text.as_str().into(),
                // A bucket's ARN does not tell whose it is, a role's does.
                account: Value::Null,
                access,
                key: None,
            };
            match Arn::parse(text).filter(|arn| !action::is_pattern(arn.resource)) {
                Some(arn) if arn.service == "s3" && arn.account.is_empty() && !arn.resource.contains('/') => {
                    Ok(outside("s3.bucket", &BUCKET_ACCESS))
                }
                Some(arn) if arn.service == "iam" && arn.resource.starts_with("role/") => {
                    Ok(outside("iam.role", &ROLE_ACCESS))
                }
                _ => Err(wrong(format!("`{text}` is the ARN of neither one bucket nor one role"))
                    .help("write what is allowed in `statements`")),
            }
        }
        other => Err(wrong(format!("a grant is on a resource, this is {}", other.kind()))
            .help("write the address of the resource, or write `statements`")),
    }
}

/// The account to bind a statement to. An ARN of IAM names its account itself.
fn account(arn: &Value, own: Value) -> Value {
    match arn.as_str().and_then(Arn::parse) {
        Some(arn) if arn.service == "iam" => Value::Null,
        _ => own,
    }
}

/// The customer's key that a resource is encrypted with: `encryption = { key = … }`, which all types have in common.
fn key(resource: &Resource, there: &Facts) -> Option<Key> {
    let arn = resource.property("encryption").get("key");
    // Keys that AWS manages let in whom the service lets in.
    if arn.is_null() || arn.as_str().is_some_and(|text| text.contains("alias/aws/")) {
        return None;
    }
    let account = match arn.as_str().and_then(Arn::parse) {
        Some(arn) if !arn.account.is_empty() => arn.account.into(),
        _ => there.account_id.as_str().into(),
    };
    Some(Key { arn: arn.clone(), account, region: there.region.clone() })
}

/// What AWS would refuse in the document of a resource, and what is allowed too widely. What [`document`] itself fails with is not told again.
pub fn check(resource: &Resource, around: &dyn Surroundings, limit: Limit, problems: &mut Vec<Problem>) {
    let Ok(Some(document)) = document(resource, around) else { return };
    let by_hand = written(resource, around).ok().flatten().map_or(0, |document| document.statements.len());
    let found = check::check(&document, Kind::Identity, limit);
    problems.extend(found.into_iter().map(|problem| {
        let path = place(&document, by_hand, &problem.path);
        Problem { path, ..problem.into() }
    }));
}

/// Where a place in the document stands in the stack file; the first `by_hand` statements are those of `statements`.
fn place(document: &Document, by_hand: usize, path: &Path) -> Path {
    let granted = match path.0.get(1) {
        Some(Step::Index(index)) => *index >= by_hand,
        _ => by_hand == 0,
    };
    if granted {
        return Path::of("grants");
    }
    let mut inside = statements::written_path(document, path);
    // In the stack file the Sid is the statement's key.
    inside.0.pop_if(|step| matches!(step, Step::Key(key) if key == "Sid"));
    match inside.0.first() {
        // A statement without a Sid comes from a file.
        Some(Step::Key(key)) if key == "Statement" => Path::of("statements").key("file"),
        _ => Path(Path::of("statements").0.into_iter().chain(inside.0).collect()),
    }
}
