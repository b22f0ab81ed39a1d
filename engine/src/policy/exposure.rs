//! What a document allows too widely, and whom it locks out.

use std::collections::BTreeMap;

use super::action;
use super::check::Kind;
use super::document::{Conditions, Document, Effect, PrincipalKind, Principals, Statement};
use super::principal::{self, Word};
use super::problem::{Problem, code};
use super::text;
use super::trust::claim_names;
use crate::address::Path;
use crate::value::Value;

/// The findings of a document of a kind; paths start at the document in AWS's shape.
pub fn find(document: &Document, kind: Kind) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, statement) in document.statements.iter().enumerate() {
        let path = Path::of("Statement").index(index);
        match (kind, statement.effect) {
            (Kind::Identity, Effect::Allow) => broad(statement, &path, &mut problems),
            (Kind::Trust, Effect::Allow) => {
                if is_public(statement) {
                    let message = "everybody with an AWS account may assume this role";
                    let problem = Problem::error(code::PRINCIPAL, path.key("Principal"), message);
                    problems.push(problem.help("name accounts, roles or users, or bind it by a condition"));
                }
                web_identity(statement, &path, &mut problems);
            }
            (Kind::Bucket | Kind::Resource, Effect::Allow) if is_public(statement) => {
                let what =
                    if kind == Kind::Bucket { "this opens the bucket to the public" } else { "this allows everybody" };
                let problem = Problem::warning(code::PUBLIC, path.key("Principal"), what);
                problems.push(
                    problem.help("name who may, or bind it by a condition such as `aws:SourceArn` with a fixed value"),
                );
            }
            (Kind::Bucket, Effect::Deny) => lockout(statement, &path, &mut problems),
            _ => {}
        }
    }
    problems
}

/// Condition keys that bind a statement to somebody when their value is fixed, in lower case: AWS's list for bucket
/// policies (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>,
/// "The meaning of public"), and the principal's account and ARN, which bind no less.
const BINDING_KEYS: [&str; 12] = [
    "aws:principalarn",
    "aws:principalaccount",
    "aws:principalorgid",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
];

/// Whether a statement allows something to everybody, with no condition that binds it to somebody.
///
/// With S3's public access block on, AWS refuses a bucket policy that has such a statement. Values that are not known yet
/// count as fixed: they will be one value.
pub fn is_public(statement: &Statement) -> bool {
    let everyone = match &statement.principals {
        Some(Principals::Everyone) => true,
        Some(Principals::Listed(kinds)) => {
            kinds.get(&PrincipalKind::Aws).into_iter().flatten().any(|value| text::exposed(value) == Some("*"))
        }
        None => statement.not_principals.is_some(),
    };
    statement.effect == Effect::Allow && everyone && !is_bound(&statement.conditions)
}

/// Whether a condition binds a statement to somebody.
fn is_bound(conditions: &Conditions) -> bool {
    conditions.iter().any(|(operator, keys)| {
        // `…IfExists` and `ForAllValues:` hold where the key is missing, and negations hold for all others.
        let positive = matches!(
            operator.trim_start_matches("ForAnyValue:"),
            "StringEquals" | "StringEqualsIgnoreCase" | "StringLike" | "ArnEquals" | "ArnLike" | "IpAddress"
        );
        positive
            && keys.iter().any(|(key, values)| {
                let key = key.to_ascii_lowercase();
                !values.is_empty()
                    && match (operator.as_str(), key.as_str()) {
                        ("IpAddress", "aws:sourceip") => !values.iter().any(is_wide_range),
                        (_, key) => BINDING_KEYS.contains(&key) && !values.iter().any(|value| is_loose(key, value)),
                    }
            })
    })
}

/// Whether a value of a binding key leaves it open to whom it binds.
fn is_loose(key: &str, value: &Value) -> bool {
    let Some(text) = text::exposed(value) else { return false };
    if text.contains("${") {
        return true;
    }
    // A source ARN may have wildcards once its account or its bucket is fixed; a unique id, once the role's is.
    match key {
        "aws:sourcearn" | "aws:principalarn" => {
            let arn = principal::Arn::parse(text);
            arn.is_none_or(|arn| {
                let fixed_account = principal::is_account(arn.account);
                let fixed_bucket = arn.service == "s3" && !arn.resource.contains(['*', '?']);
                !(fixed_account || fixed_bucket)
            })
        }
        "aws:userid" => text.split(':').next().is_none_or(action::is_pattern),
        _ => action::is_pattern(text),
    }
}

/// Whether a range of addresses is as good as all of them: AWS draws the line at /8 for IPv4 and /32 for IPv6.
fn is_wide_range(value: &Value) -> bool {
    let Some(text) = text::exposed(value) else { return false };
    let Some((address, bits)) = text.split_once('/') else { return false };
    let least = if address.contains(':') { 32 } else { 8 };
    bits.parse::<u8>().is_ok_and(|bits| bits < least)
}

/// Allowing that no need explains.
fn broad(statement: &Statement, path: &Path, problems: &mut Vec<Problem>) {
    let any = |values: &[Value], test: &dyn Fn(&str) -> bool| values.iter().filter_map(text::exposed).any(test);
    let everywhere = any(&statement.resources, &|text| text == "*") || !statement.not_resources.is_empty();
    let help = "write the actions that are needed, on the resources that they are needed on; grants do both";
    if !statement.not_actions.is_empty() {
        let message = "allowing with `NotAction` allows everything else there is, now and in future";
        problems.push(Problem::warning(code::BROAD, path.key("NotAction"), message).help(help));
    }
    if any(&statement.actions, &|text| text == "*" || text == "*:*") {
        problems.push(Problem::warning(code::BROAD, path.key("Action"), "this allows every action of AWS").help(help));
    } else if everywhere && any(&statement.actions, &|text| text.ends_with(":*")) {
        let message = "this allows everything in a service, on every resource";
        problems.push(Problem::warning(code::BROAD, path.key("Action"), message).help(help));
    }
    let passes = any(&statement.actions, &|text| action::covers(text, "iam:PassRole"));
    let bound = statement
        .conditions
        .values()
        .flat_map(BTreeMap::keys)
        .any(|key| key.eq_ignore_ascii_case("iam:PassedToService"));
    let roles = |text: &str| text == "*" || text.ends_with(":role/*");
    if passes && !bound && any(&statement.resources, &roles) && !any(&statement.actions, &|text| text == "*") {
        let message = "this allows giving any role to any service, and with it whatever that role may do";
        let problem = Problem::warning(code::BROAD, path.key("Action"), message);
        problems.push(problem.help("name the roles, and the service in a condition on `iam:PassedToService`"));
    }
}

/// Providers whose tokens anybody can get, so that AWS refuses trust that does not say whose: host and claim.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_oidc_secure-by-default.html>
const SHARED_ISSUERS: [(&str, &str); 6] = [
    ("agent.buildkite.com", "sub"),
    ("api.pulumi.com/oidc", "aud"),
    ("app.terraform.io", "sub"),
    ("cognito-identity.amazonaws.com", "aud"),
    ("gitlab.com", "sub"),
    ("token.actions.githubusercontent.com", "sub"),
];

/// Trust in an identity provider without saying in whom of those it knows.
fn web_identity(statement: &Statement, path: &Path, problems: &mut Vec<Problem>) {
    let Some(Principals::Listed(kinds)) = &statement.principals else { return };
    for provider in kinds.get(&PrincipalKind::Federated).into_iter().flatten().filter_map(Value::as_str) {
        let path = path.key("Principal").key("Federated");
        let Ok(Word::OpenId { issuer }) = principal::classify(provider, &path) else { continue };
        let issuer = issuer.to_ascii_lowercase();
        let claims: Vec<String> = statement
            .conditions
            .values()
            .flat_map(BTreeMap::keys)
            .filter_map(|key| key.to_ascii_lowercase().strip_prefix(&format!("{issuer}:")).map(str::to_owned))
            .collect();
        let (audience, subject) = claim_names(&issuer);
        let shared = SHARED_ISSUERS.iter().find(|(host, _)| *host == issuer);
        let names_subject = claims.iter().any(|claim| claim != audience);
        match shared {
            Some((_, claim)) if !claims.iter().any(|found| found == claim) => {
                let message = format!("`{issuer}` vouches for anybody, and this does not say for whom it trusts it");
                let problem = Problem::error(code::WEB_IDENTITY, path, message).note("AWS refuses such a trust policy");
                let word = if *claim == "sub" { "subjects" } else { "audience" };
                problems.push(problem.help(format!("add `{word}`, a condition on `{issuer}:{claim}`")));
            }
            Some((_, "aud")) => {}
            _ if !names_subject => {
                let message = format!("this trusts everybody for whom `{issuer}` vouches");
                let problem = Problem::warning(code::WEB_IDENTITY, path, message);
                problems.push(problem.help(format!("add `subjects`, a condition on `{issuer}:{subject}`")));
            }
            _ => {}
        }
    }
}

/// Denying everybody, so also whoever runs s3stack, what it takes to change the policy again.
fn lockout(statement: &Statement, path: &Path, problems: &mut Vec<Problem>) {
    let everyone = match &statement.principals {
        Some(Principals::Everyone) => true,
        Some(Principals::Listed(kinds)) => {
            kinds.get(&PrincipalKind::Aws).into_iter().flatten().any(|value| text::exposed(value) == Some("*"))
        }
        None => false,
    };
    let changes = ["s3:PutBucketPolicy", "s3:DeleteBucketPolicy"];
    let covers = |values: &[Value]| {
        values
            .iter()
            .filter_map(text::exposed)
            .any(|pattern| changes.iter().any(|change| action::covers(pattern, change)))
    };
    let denied = match statement.not_actions.is_empty() {
        true => covers(&statement.actions),
        false => !covers(&statement.not_actions),
    };
    let on_bucket = statement
        .resources
        .iter()
        .filter_map(text::exposed)
        .any(|text| !text::with_variables_as("*", text).contains('/'));
    if everyone && denied && on_bucket && statement.conditions.values().all(BTreeMap::is_empty) {
        let message = "this denies changing the bucket policy to everybody, s3stack included";
        let problem = Problem::warning(code::LOCKOUT, path.clone(), message);
        problems.push(
            problem
                .note("only the account's root user could take it back")
                .help("name the actions on objects, or add a condition"),
        );
    }
}

#[cfg(test)]
#[path = "exposure_tests.rs"]
mod tests;
