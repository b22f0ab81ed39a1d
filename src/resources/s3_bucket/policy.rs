//! The bucket policy: one document, merged of the file's statements, the refusal of plain HTTP, and what other resources
//! need of the bucket.

use async_trait::async_trait;
use s3stack_engine::address::Path;
use s3stack_engine::diagnostic::Severity;
use s3stack_engine::fault::Fault;
use s3stack_engine::policy::check::{Kind, Limit, check};
use s3stack_engine::policy::merge::{Derived, merge};
use s3stack_engine::policy::principal::Arn;
use s3stack_engine::policy::problem::code;
use s3stack_engine::policy::s3::tls_only;
use s3stack_engine::policy::{Document, Problem as PolicyProblem, statements};
use s3stack_engine::resource::{Resource, Surroundings};
use s3stack_engine::schema::validate::Problem;
use s3stack_engine::value::Value;

use super::bucket::arn;
use super::public_access_block;
use super::setting::{Setting, Target, at, unbuildable, unless_absent};
use crate::aws::{Operation, rules};
use crate::resources::iam::grants::file;

const GET: Operation = Operation::read("s3", "GetBucketPolicy");
const PUT: Operation = Operation::idempotent("s3", "PutBucketPolicy").retrying(rules::BUCKET_POLICY);
const DELETE: Operation = Operation::idempotent("s3", "DeleteBucketPolicy").retrying(rules::BUCKET_SETTING);

/// The setting.
pub(super) struct Policy;

#[async_trait]
impl Setting for Policy {
    fn property(&self) -> &'static str {
        "policy"
    }

    fn managed(&self, resource: &Resource, around: &dyn Surroundings) -> Result<Option<Value>, Vec<Problem>> {
        let document = merged(resource, around)?;
        Ok(if document.statements.is_empty() { None } else { Some(document.to_value()) })
    }

    fn check(&self, resource: &Resource, around: &dyn Surroundings, problems: &mut Vec<Problem>) {
        let document = match merged(resource, around) {
            Err(found) => return problems.extend(found),
            Ok(document) if document.statements.is_empty() => return,
            Ok(document) => document,
        };
        let elsewhere = of_other_buckets(&document, resource.property("name"));
        let found = check(&document, Kind::Bucket, Limit::BUCKET).into_iter().chain(elsewhere).map(|problem| {
            let path = statements::written_path(&document, &problem.path);
            match problem.code {
                // S3 refuses the whole policy then.
                code::PUBLIC if blocks_public_policy(resource) => PolicyProblem {
                    severity: Severity::Error,
                    help: Some("name who may, bind it by a condition, or write `public_access_block.block_public_policy = false`".into()),
                    path,
                    ..problem
                },
                _ => PolicyProblem { path, ..problem },
            }
        });
        problems.extend(written(found.collect()));
    }

    async fn get(&self, bucket: &Target<'_>) -> Result<Value, Fault> {
        let send = || {
            let call = bucket.session.s3().get_bucket_policy().bucket(bucket.name);
            call.expected_bucket_owner(bucket.account_id).send()
        };
        let answer = unless_absent(bucket.session.call(GET, send).await, "NoSuchBucketPolicy")?;
        let Some(text) = answer.and_then(|answer| answer.policy).filter(|text| !text.is_empty()) else {
            return Ok(Value::Null);
        };
        // A text that is no JSON still has to be shown, and to differ from every document.
        Ok(serde_json::from_str(&text).map_or_else(|_| Value::String(text), Value::from_json))
    }

    async fn put(&self, bucket: &Target<'_>, value: &Value) -> Result<(), Fault> {
        let s3 = bucket.session.s3();
        if value.is_null() {
            let send =
                || s3.delete_bucket_policy().bucket(bucket.name).expected_bucket_owner(bucket.account_id).send();
            return bucket.session.call(DELETE, send).await.map(drop);
        }
        let document = Document::parse(value).map_err(|found| {
            unbuildable(PUT.name, found.first().map_or("no policy", |problem| problem.message.as_str()))
        })?;
        let text = document.to_json_exposed().map_err(|e| unbuildable(PUT.name, e))?;
        let send = || {
            let call = s3.put_bucket_policy().bucket(bucket.name).policy(text.clone());
            call.expected_bucket_owner(bucket.account_id).send()
        };
        bucket.session.call(PUT, send).await.map(drop)
    }
}

/// The whole document. Fails with everything that is wrong with the file's part.
fn merged(resource: &Resource, around: &dyn Surroundings) -> Result<Document, Vec<Problem>> {
    let mut derived = Vec::new();
    if resource.property("tls_only").as_bool() == Some(true) {
        derived.push(Derived::new("`tls_only`", tls_only(&own_arn(resource, around))));
    }
    for contribution in around.contributions(&resource.address).iter().filter(|one| one.document == "policy") {
        derived.push(Derived::from_contribution(contribution).map_err(written)?);
    }
    merge(Some(in_file(resource, around)?), derived).map_err(written)
}

/// The document of the file's statements alone.
fn in_file(resource: &Resource, around: &dyn Surroundings) -> Result<Document, Vec<Problem>> {
    let words = resource.property("statements");
    if words.is_null() {
        return Ok(Document::new(Vec::new()));
    }
    let text = file(statements::file_of(words), "statements", around)?;
    statements::document(words, text.as_deref()).map_err(written)
}

fn own_arn(resource: &Resource, around: &dyn Surroundings) -> Value {
    match resource.property("name") {
        Value::String(name) => arn(around.facts(), name).into(),
        other => other.clone(),
    }
}

/// Resources in other buckets: S3 refuses the whole policy for one ("Policy has invalid resource").
fn of_other_buckets(document: &Document, own: &Value) -> Vec<PolicyProblem> {
    let Some(own) = own.as_str() else { return Vec::new() };
    let is_other = |text: &str| {
        Arn::parse(text).is_some_and(|arn| {
            let bucket = arn.resource.split('/').next().unwrap_or_default();
            let plain = arn.service == "s3" && arn.region.is_empty() && arn.account.is_empty();
            plain && bucket != own && !bucket.contains(['*', '?', '$'])
        })
    };
    let mut problems = Vec::new();
    for (index, statement) in document.statements.iter().enumerate() {
        let path = Path::of("Statement").index(index).key("Resource");
        let single = statement.resources.len() == 1;
        for (at, text) in statement.resources.iter().enumerate().filter_map(|(at, one)| Some((at, one.as_str()?))) {
            if is_other(text) {
                let path = if single { path.clone() } else { path.index(at) };
                let message = format!("`{text}` is not in this bucket, {own}");
                let problem = PolicyProblem::error(code::SHAPE, path, message).note("AWS refuses the policy");
                problems.push(problem.help("a bucket's policy speaks of its own ARN, and of `ARN/*`"));
            }
        }
    }
    problems
}

/// Whether policies that are public are refused.
fn blocks_public_policy(resource: &Resource) -> bool {
    let switches = public_access_block::switches(resource.property("public_access_block"));
    switches.get("block_public_policy").as_bool() == Some(true)
}

/// Problems of the engine's, as they stand under `statements`.
fn written(problems: Vec<PolicyProblem>) -> Vec<Problem> {
    problems.into_iter().map(|problem| problem.below(&at("statements")).into()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Around, bucket, problems};
    use super::*;
    use s3stack_engine::resource::Contribution;

    fn managed(text: &str, around: &Around) -> Option<String> {
        let document = Policy.managed(&bucket(text), around).unwrap()?;
        Some(document.to_json().unwrap().to_string())
    }

    #[test]
    fn a_bucket_without_anything_to_say_manages_no_policy() {
        assert_eq!(managed("tls_only = false", &Around::default()), None);
        assert!(managed("tls_only = true", &Around::default()).unwrap().contains("DenyInsecureTransport"));
    }

    #[test]
    fn what_others_need_is_merged_in() {
        let statement = r#"{"Effect":"Allow","Principal":{"Service":"x.amazonaws.com"},"Action":"s3:PutObject","Resource":"*"}"#;
        let around = Around {
            contributions: vec![Contribution {
                from: "s3.bucket.other".parse().unwrap(),
                to: "s3.bucket.it".parse().unwrap(),
                document: "policy",
                key: "Logs".into(),
                value: Value::from_json(serde_json::from_str(statement).unwrap()),
            }],
            ..Around::default()
        };
        let text = managed("statements.Own = { actions = 's3:GetObject', principals = ['111122223333'], resources = '*' }", &around);
        let text = text.unwrap();
        assert!(text.contains("\"Sid\":\"Logs\"") && text.contains("\"Sid\":\"Own\""), "{text}");
        let clash = "statements.Logs = { actions = 's3:GetObject', principals = ['111122223333'], resources = '*' }";
        let found = Policy.managed(&bucket(clash), &around).unwrap_err();
        assert_eq!(found[0].path.to_string(), "statements.Logs");
    }

    #[test]
    fn a_public_policy_needs_the_block_off() {
        let public = "tls_only = false\nstatements.Web = { actions = 's3:GetObject', principals = '*', resources = 'arn:aws:s3:::it-bucket/*' }";
        let found = problems(&Policy, public, &Around::default());
        assert!(found.iter().any(|one| one.starts_with("error S3S-B1 statements.Web.principals:")), "{found:?}");
        let open = format!("public_access_block = false\n{public}");
        let found = problems(&Policy, &open, &Around::default());
        assert!(found.iter().all(|one| one.starts_with("warning")), "{found:?}");
    }

    #[test]
    fn a_policy_is_about_its_own_bucket() {
        let found = |resources: &str| {
            let words = format!("actions = 's3:GetObject', principals = ['111122223333'], resources = {resources}");
            problems(&Policy, &format!("statements.A = {{ {words} }}"), &Around::default())
        };
        assert_eq!(
            found("['arn:aws:s3:::it-bucket/*', 'arn:aws:s3:::other/*']"),
            ["error S3S-I21 statements.A.resources[1]: `arn:aws:s3:::other/*` is not in this bucket, it-bucket"]
        );
        for own in ["'*'", "'arn:aws:s3:::*/*'", "'arn:aws:s3:::it-*/*'", "'arn:aws:s3:::it-bucket/${aws:userid}/*'"] {
            assert_eq!(found(own), [""; 0], "{own}");
        }
    }
}
