//! What the two seeds' identities may do: as documents, and enforced.

use std::path::Path;

use aws_sdk_s3::primitives::ByteStream;
use s3stack::local::{Options, Owned};
use s3stack_engine::policy::Document;
use s3stack_engine::policy::equal::equivalent;
use s3stack_engine::value::Value;
use serde_json::json;

use super::whole::copied;
use crate::support::stack::Stack;

async fn repository(name: &str) -> Stack {
    copied(&Path::new(env!("CARGO_MANIFEST_DIR")).join("stacks").join(name)).await
}

async fn default_document(stack: &Stack, arn: &str) -> Value {
    let iam = stack.iam().await;
    let policy = iam.get_policy().policy_arn(arn).send().await.unwrap().policy.unwrap();
    let version = iam
        .get_policy_version()
        .policy_arn(arn)
        .version_id(policy.default_version_id().unwrap())
        .send()
        .await
        .unwrap()
        .policy_version
        .unwrap();
    let text = percent_encoding::percent_decode_str(version.document().unwrap()).decode_utf8().unwrap().into_owned();
    Value::from_json(serde_json::from_str(&text).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn pulse_reads_the_data_and_reads_and_writes_the_results_and_nothing_else() {
    let stack = repository("pulse-retrodiction").await;
    stack.apply().await;
    let account = stack.account.clone();
    let arn = format!("arn:aws:iam::{account}:policy/pulse-retrodiction-poc-s3-access");
    let document = Document::parse(&default_document(&stack, &arn).await).unwrap();
    let data = format!("arn:aws:s3:::pulse-data-poc-{account}");
    let results = format!("arn:aws:s3:::pulse-results-poc-{account}");
    let mut allowed = std::collections::BTreeSet::new();
    for statement in document.to_value().get("Statement").as_list().unwrap() {
        assert_eq!(statement.get("Effect").as_str(), Some("Allow"));
        let list = |key: &str| match statement.get(key) {
            Value::String(one) => vec![one.clone()],
            Value::List(many) => many.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect(),
            other => panic!("{key} is {other:?}"),
        };
        for action in list("Action") {
            for resource in list("Resource") {
                allowed.insert(format!("{action} {resource}"));
            }
        }
    }
    for one in &allowed {
        let (action, resource) = one.split_once(' ').unwrap();
        let reads = action.starts_with("s3:Get") || action.starts_with("s3:List");
        let writes = ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"].contains(&action);
        let on_data = resource.starts_with(&data) && reads && !writes;
        let on_results = resource.starts_with(&results) && (reads || writes);
        assert!(on_data || on_results, "{one} is more than the document promises");
    }
    for needed in [
        format!("s3:ListBucket {data}"),
        format!("s3:GetObject {data}/*"),
        format!("s3:ListBucket {results}"),
        format!("s3:GetObject {results}/*"),
        format!("s3:PutObject {results}/*"),
    ] {
        assert!(allowed.contains(&needed), "{needed} is missing in {allowed:?}");
    }
    stack.destroy().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_upload_policy_is_the_guides() {
    let stack = repository("training-logs").await;
    stack.apply().await;
    let arn = format!("arn:aws:iam::{}:policy/training-logs-upload", stack.account);
    let guide = json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "TrainingLogsUpload",
                "Effect": "Allow",
                "Action": ["s3:PutObject", "s3:GetObject"],
                "Resource": "arn:aws:s3:::your-company-training-logs/training-logs/*"
            },
            {
                "Sid": "ListBucket",
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": "arn:aws:s3:::your-company-training-logs",
                "Condition": { "StringLike": { "s3:prefix": "training-logs/*" } }
            }
        ]
    });
    assert!(equivalent(&default_document(&stack, &arn).await, &Value::from_json(guide)));
    stack.destroy().await;
}

/// A client that signs with what the application finds in its `.env`.
async fn application(stack: &Stack, endpoint: &str) -> aws_sdk_s3::Client {
    let env = stack.read(".env");
    let line = |name: &str| {
        let found = env.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
        found.unwrap_or_else(|| panic!("{name} is missing")).to_owned()
    };
    let credentials = aws_sdk_s3::config::Credentials::new(
        line("AWS_ACCESS_KEY_ID"),
        line("AWS_SECRET_ACCESS_KEY"),
        None,
        None,
        "env file",
    );
    let config = aws_sdk_s3::Config::builder()
        .behavior_version_latest()
        .credentials_provider(credentials)
        .region(aws_sdk_s3::config::Region::new(line("AWS_REGION")))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

fn is_denied<T: std::fmt::Debug, E, R>(result: Result<T, aws_sdk_s3::error::SdkError<E, R>>) -> bool
where
    E: aws_sdk_s3::error::ProvideErrorMetadata + std::error::Error,
    aws_sdk_s3::error::SdkError<E, R>: aws_sdk_s3::error::ProvideErrorMetadata,
{
    use aws_sdk_s3::error::ProvideErrorMetadata as _;
    match result {
        Ok(answer) => panic!("allowed: {answer:?}"),
        Err(error) => error.code() == Some("AccessDenied"),
    }
}

/// With an emulator that enforces policies, the application can do what the guide says and is denied the rest.
#[tokio::test(flavor = "multi_thread")]
async fn the_application_may_do_what_the_guide_says_and_no_more() {
    let stack = repository("training-logs").await;
    let emulator =
        tokio::task::spawn_blocking(|| Owned::start(Options { authorize: true, tls: false })).await.unwrap().unwrap();
    let endpoint = emulator.endpoint().url.clone();
    // `tls_only` would refuse everything here: this emulator speaks plain HTTP.
    let text = stack
        .read("stack.toml")
        .replace("versioning          = true\n", "versioning          = true\ntls_only            = false\n");
    assert!(text.contains("tls_only"));
    stack.write("stack.toml", &text);
    let mut apply = stack.command(&["apply", "--yes", "--no-input"]);
    apply.env("AWS_ENDPOINT_URL", &endpoint);
    Stack::start_command(apply).ends().await.exits(0);

    let client = application(&stack, &endpoint).await;
    let (bucket, other) = ("your-company-training-logs", "your-company-training-logs-access-logs");
    let body = || ByteStream::from_static(b"{}");
    let key = "training-logs/2026/11/session.log";
    client.put_object().bucket(bucket).key(key).body(body()).send().await.unwrap();
    client.get_object().bucket(bucket).key(key).send().await.unwrap();
    client.list_objects_v2().bucket(bucket).prefix("training-logs/2026").send().await.unwrap();
    assert!(is_denied(client.put_object().bucket(bucket).key("elsewhere/x").body(body()).send().await));
    assert!(is_denied(client.get_object().bucket(bucket).key("elsewhere/x").send().await));
    assert!(is_denied(client.list_objects_v2().bucket(bucket).send().await));
    assert!(is_denied(client.delete_object().bucket(bucket).key(key).send().await));
    assert!(is_denied(client.put_object().bucket(other).key("s3/x").body(body()).send().await));
    assert!(is_denied(client.get_bucket_policy().bucket(bucket).send().await));
    assert!(is_denied(client.list_buckets().send().await));
}
