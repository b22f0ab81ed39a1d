//! The bucket policy: one document, merged of the file's statements, the refusal of plain HTTP, and what other resources
//! need of the bucket.

use async_trait::async_trait;
use s3stack_engine::address::{Address, Path, Step};
use s3stack_engine::fault::Fault;
use s3stack_engine::policy::s3::{TLS_ONLY, tls_only};
use s3stack_engine::policy::{Document, Problem as PolicyProblem, sid, statements};
use s3stack_engine::resource::{Resource, Surroundings};
use s3stack_engine::schema::validate::Problem;
use s3stack_engine::value::Value;

use super::bucket::arn;
use super::setting::{Setting, Target, at, unbuildable, unless_absent};
use crate::aws::{Operation, rules};

const GET: Operation = Operation::read("s3", "GetBucketPolicy");
const PUT: Operation = Operation::idempotent("s3", "PutBucketPolicy").retrying(rules::BUCKET_POLICY);
const DELETE: Operation = Operation::idempotent("s3", "DeleteBucketPolicy").retrying(rules::BUCKET_SETTING);

/// The longest policy that S3 takes.
const MOST_BYTES: usize = 20 * 1024;

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
        match merged(resource, around) {
            Err(found) => problems.extend(found),
            Ok(document) if document.size() > MOST_BYTES => {
                let message = format!("the bucket policy has {} bytes; S3 takes {MOST_BYTES}", document.size());
                let problem = Problem::new("S3S-N7", &at("statements"), message);
                problems.push(problem.help("merge statements, or use wildcards or access points"));
            }
            Ok(_) => {}
        }
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
pub(super) fn merged(resource: &Resource, around: &dyn Surroundings) -> Result<Document, Vec<Problem>> {
    let words = resource.property("statements");
    let file = match statements::file_of(words) {
        Some(Value::String(path)) => {
            let content = around.file(path).map_err(|why| vec![in_file(why)])?;
            let text = content.text.clone();
            Some(text.ok_or_else(|| vec![in_file(format!("{path} is no text of a policy's size"))])?)
        }
        _ => None,
    };
    let mut document = match words {
        Value::Null => Document::new(Vec::new()),
        words => statements::document(words, file.as_deref())
            .map_err(|found| found.into_iter().map(written_at_statements).collect::<Vec<_>>())?,
    };
    let mut problems = Vec::new();
    if resource.property("tls_only").as_bool() == Some(true) {
        match document.statement(TLS_ONLY) {
            None => document.statements.push(tls_only(&own_arn(resource, around))),
            Some(_) => {
                let message = format!("`tls_only` makes the statement `{TLS_ONLY}`, which stands here too");
                let problem = Problem::new("S3S-P2", &at("statements").key(TLS_ONLY), message);
                problems.push(problem.help("take it out, or write `tls_only = false`"));
            }
        }
    }
    for (key, from, value) in contributed(resource, around) {
        if document.statement(&key).is_some() {
            let message = format!("{from} adds a statement `{key}` to this bucket's policy, which stands here too");
            let problem = Problem::new("S3S-P2", &at("statements").key(&key), message);
            problems.push(problem.help("give this one another name"));
            continue;
        }
        match statement(&key, &value) {
            Ok(statement) => document.statements.push(statement),
            Err(why) => problems.push(Problem::new("S3S-P1", &at("statements"), format!("{from}: {why}"))),
        }
    }
    if problems.is_empty() { Ok(document) } else { Err(problems) }
}

fn own_arn(resource: &Resource, around: &dyn Surroundings) -> Value {
    match resource.property("name") {
        Value::String(name) => arn(around.facts(), name).into(),
        other => other.clone(),
    }
}

/// What others add: Sid, who adds it, and the statement, in the order of the Sids. Two that want one Sid get digests.
fn contributed(resource: &Resource, around: &dyn Surroundings) -> Vec<(String, Address, Value)> {
    let all = around.contributions(&resource.address).iter().filter(|one| one.document == "policy");
    let all: Vec<_> = all.collect();
    let wanted: Vec<_> = all.iter().map(|one| (one.key.clone(), one.from.to_string())).collect();
    let sids = sid::unique(&wanted);
    let mut named: Vec<_> =
        all.into_iter().zip(sids).map(|(one, sid)| (sid, one.from.clone(), one.value.clone())).collect();
    named.sort_by(|a, b| a.0.cmp(&b.0));
    named
}

/// A contributed statement, under its Sid.
fn statement(sid: &str, value: &Value) -> Result<s3stack_engine::policy::Statement, String> {
    let document = Value::map([("Version", "2012-10-17".into()), ("Statement", Value::List(vec![value.clone()]))]);
    let parsed = Document::parse(&document).map_err(|found| {
        found.into_iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect::<Vec<_>>().join("; ")
    })?;
    let first = parsed.statements.into_iter().next().ok_or("a statement is missing")?;
    Ok(s3stack_engine::policy::Statement { sid: Some(sid.to_owned()), ..first })
}

fn in_file(why: String) -> Problem {
    Problem::new("S3S-P1", &at("statements").key("file"), why)
}

fn written_at_statements(problem: PolicyProblem) -> Problem {
    let steps = std::iter::once(Step::Key("statements".into())).chain(problem.path.0);
    Problem {
        code: problem.code,
        path: Path(steps.collect()),
        message: problem.message,
        help: problem.help.or(problem.note),
    }
}
