//! What the two seeds' identities may do: as documents, and enforced.

use std::fmt::Debug;
use std::fs;
use std::path::Path;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use s3stack::local::{Endpoint, Options, Owned, SECRET_ACCESS_KEY};
use s3stack_engine::policy::Document;
use s3stack_engine::policy::equal::equivalent;
use s3stack_engine::value::Value;
use serde_json::json;

use super::whole::{FIXED_NAMES, copied};
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
    let _held = FIXED_NAMES.lock().await;
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
    let _held = FIXED_NAMES.lock().await;
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

/// An emulator that enforces policies, as one stack's account sees it.
struct Enforcing {
    _emulator: Owned,
    endpoint: Endpoint,
}

impl Enforcing {
    async fn start(stack: &Stack, tls: bool) -> Self {
        let options = Options { authorize: true, tls };
        let emulator = tokio::task::spawn_blocking(move || Owned::start(options)).await.unwrap().unwrap();
        let endpoint = emulator.endpoint().for_account(&stack.account);
        Self { _emulator: emulator, endpoint }
    }

    /// Applies the stack as it is, as the account's root.
    async fn apply(&self, stack: &Stack) {
        let mut apply = stack.command(&["apply", "--yes", "--no-input"]);
        apply.envs(self.endpoint.environment_variables("us-east-1"));
        Stack::start_command(apply).ends().await.exits(0);
    }

    /// The account's root, who may do everything.
    fn root(&self) -> SdkConfig {
        self.config(&self.endpoint.account_id, SECRET_ACCESS_KEY, None)
    }

    fn config(&self, key_id: &str, secret: &str, token: Option<&str>) -> SdkConfig {
        let http = match &self.endpoint.certificate {
            Some(certificate) => {
                let trust = TrustStore::empty().with_pem_certificate(fs::read(certificate).unwrap());
                let context = TlsContext::builder().with_trust_store(trust).build().unwrap();
                aws_smithy_http_client::Builder::new()
                    .tls_provider(Provider::rustls(CryptoMode::Ring))
                    .tls_context(context)
                    .build_https()
            }
            None => aws_smithy_http_client::Builder::new().build_http(),
        };
        let credentials = Credentials::new(key_id, secret, token.map(str::to_owned), None, "test");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .region(Region::new("us-east-1"))
            .endpoint_url(&self.endpoint.url)
            .http_client(http)
            .build()
    }

    /// Signs with what the application finds in its `.env`.
    fn application(&self, stack: &Stack) -> aws_sdk_s3::Client {
        let env = stack.read(".env");
        let line = |name: &str| {
            let found = env.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
            found.unwrap_or_else(|| panic!("{name} is missing")).to_owned()
        };
        assert_eq!(line("AWS_REGION"), "us-east-1");
        s3(&self.config(&line("AWS_ACCESS_KEY_ID"), &line("AWS_SECRET_ACCESS_KEY"), None))
    }
}

fn s3(config: &SdkConfig) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(config).force_path_style(true).build())
}

fn body() -> ByteStream {
    ByteStream::from_static(b"{}")
}

#[track_caller]
fn denied<T, E, R>(result: Result<T, SdkError<E, R>>)
where
    T: Debug,
    E: ProvideErrorMetadata + Debug,
    R: Debug,
{
    match result {
        Ok(answer) => panic!("allowed: {answer:?}"),
        Err(error) => {
            let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
            assert_eq!(code, Some("AccessDenied"), "{error:?}");
        }
    }
}

/// The application can do what the guide says and is denied the rest: the stack as it is, over TLS.
#[tokio::test(flavor = "multi_thread")]
async fn the_application_may_do_what_the_guide_says_and_no_more() {
    let stack = repository("training-logs").await;
    let aws = Enforcing::start(&stack, true).await;
    aws.apply(&stack).await;

    let client = aws.application(&stack);
    let (bucket, other) = ("your-company-training-logs", "your-company-training-logs-access-logs");
    let key = "training-logs/2026/11/session.log";
    client.put_object().bucket(bucket).key(key).body(body()).send().await.unwrap();
    client.get_object().bucket(bucket).key(key).send().await.unwrap();
    client.list_objects_v2().bucket(bucket).prefix("training-logs/2026").send().await.unwrap();
    denied(client.put_object().bucket(bucket).key("elsewhere/x").body(body()).send().await);
    denied(client.get_object().bucket(bucket).key("elsewhere/x").send().await);
    denied(client.list_objects_v2().bucket(bucket).send().await);
    denied(client.delete_object().bucket(bucket).key(key).send().await);
    denied(client.put_object().bucket(other).key("s3/x").body(body()).send().await);
    denied(client.get_bucket_policy().bucket(bucket).send().await);
    denied(client.list_buckets().send().await);
}

/// Over plain HTTP the same application with the same key can do nothing: every bucket is TLS-only.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_at_the_logs_without_tls() {
    let stack = repository("training-logs").await;
    let aws = Enforcing::start(&stack, false).await;
    aws.apply(&stack).await;

    let client = aws.application(&stack);
    let (bucket, key) = ("your-company-training-logs", "training-logs/2026/11/session.log");
    denied(client.put_object().bucket(bucket).key(key).body(body()).send().await);
    denied(client.get_object().bucket(bucket).key(key).send().await);
    denied(client.list_objects_v2().bucket(bucket).prefix("training-logs/2026").send().await);
}

/// A session of the role, as EC2 has it: it reads the data, reads and writes the results, and is denied the rest.
///
/// The role trusts three services and nobody else. The emulator has no service that takes up the instance profile; its
/// stand-in for a service is the account's root, whom it lets through where a trust policy names one (in AWS, root would
/// be refused). Everybody else is refused, a user who may assume every role included.
#[tokio::test(flavor = "multi_thread")]
async fn the_role_reads_the_data_and_reads_and_writes_the_results_and_nothing_else() {
    let stack = repository("pulse-retrodiction").await;
    let aws = Enforcing::start(&stack, true).await;
    aws.apply(&stack).await;
    let account = &stack.account;
    let role = format!("arn:aws:iam::{account}:role/pulse-retrodiction-poc-s3-access");
    let (data, results) = (format!("pulse-data-poc-{account}"), format!("pulse-results-poc-{account}"));

    let root = s3(&aws.root());
    let foreign = format!("elsewhere-{account}");
    root.create_bucket().bucket(&foreign).send().await.unwrap();
    for bucket in [&data, &results, &foreign] {
        root.put_object().bucket(bucket).key("run/1.json").body(body()).send().await.unwrap();
    }

    let sts = aws_sdk_sts::Client::new(&aws.root());
    let session = sts.assume_role().role_arn(&role).role_session_name("job").send().await.unwrap();
    let session = session.credentials.unwrap();
    let config = aws.config(session.access_key_id(), session.secret_access_key(), Some(session.session_token()));
    let who = aws_sdk_sts::Client::new(&config).get_caller_identity().send().await.unwrap();
    assert!(who.arn().unwrap().contains(":assumed-role/pulse-retrodiction-poc-s3-access/"), "{who:?}");

    let client = s3(&config);
    client.list_objects_v2().bucket(&data).send().await.unwrap();
    client.get_object().bucket(&data).key("run/1.json").send().await.unwrap();
    client.list_objects_v2().bucket(&results).send().await.unwrap();
    client.get_object().bucket(&results).key("run/1.json").send().await.unwrap();
    client.put_object().bucket(&results).key("run/2.json").body(body()).send().await.unwrap();
    denied(client.put_object().bucket(&data).key("run/2.json").body(body()).send().await);
    for bucket in [&data, &results] {
        denied(client.delete_object().bucket(bucket).key("run/1.json").send().await);
        denied(client.get_bucket_policy().bucket(bucket).send().await);
        denied(client.delete_bucket_policy().bucket(bucket).send().await);
        denied(client.delete_bucket().bucket(bucket).send().await);
    }
    denied(client.list_objects_v2().bucket(&foreign).send().await);
    denied(client.get_object().bucket(&foreign).key("run/1.json").send().await);
    denied(client.list_buckets().send().await);
    denied(aws_sdk_iam::Client::new(&config).list_users().send().await);

    let iam = aws_sdk_iam::Client::new(&aws.root());
    let everything = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    iam.create_user().user_name("ada").send().await.unwrap();
    iam.put_user_policy().user_name("ada").policy_name("all").policy_document(everything).send().await.unwrap();
    let key = iam.create_access_key().user_name("ada").send().await.unwrap().access_key.unwrap();
    let ada = aws_sdk_sts::Client::new(&aws.config(key.access_key_id(), key.secret_access_key(), None));
    denied(ada.assume_role().role_arn(&role).role_session_name("job").send().await);
}
