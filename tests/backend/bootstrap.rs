//! The bucket that `s3stack init --backend` makes.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use s3stack::backend::bootstrap::{BootstrapError, Made, Wanted, make_bucket};

use crate::s3::client;
use crate::support::emulator;
use crate::support::proxy::{Action, Proxy, Reply};

struct Place {
    account: String,
    direct: Client,
    proxied: Client,
    proxy: Proxy,
    region: &'static str,
}

impl Place {
    async fn new(region: &'static str) -> Self {
        let account = emulator::account();
        let address = tokio::task::spawn_blocking(emulator::address).await.unwrap();
        let proxy = Proxy::start(address).await;
        let direct = client(&format!("http://{address}"), &account, region);
        let proxied = client(&proxy.url(), &account, region);
        Self { account, direct, proxied, proxy, region }
    }

    fn wanted(&self, name: &str) -> Wanted {
        Wanted {
            name: format!("{name}-{}", self.account),
            region: self.region.into(),
            account: self.account.clone(),
            partition: "aws".into(),
            tags: BTreeMap::from([("team".to_owned(), "shop".to_owned())]),
        }
    }

    /// Everything that was set, as text.
    async fn settings(&self, wanted: &Wanted) -> String {
        let (client, name) = (&self.direct, &wanted.name);
        let tags = client.get_bucket_tagging().bucket(name).send().await.unwrap();
        let access = client.get_public_access_block().bucket(name).send().await.unwrap();
        let versioning = client.get_bucket_versioning().bucket(name).send().await.unwrap();
        let encryption = client.get_bucket_encryption().bucket(name).send().await.unwrap();
        let policy = client.get_bucket_policy().bucket(name).send().await.unwrap();
        let lifecycle = client.get_bucket_lifecycle_configuration().bucket(name).send().await.unwrap();
        format!(
            "{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}",
            tags.tag_set(),
            access.public_access_block_configuration(),
            versioning.status(),
            encryption.server_side_encryption_configuration(),
            policy.policy(),
            lifecycle.rules()
        )
    }
}

#[tokio::test]
async fn a_bucket_is_made_once_and_completed() {
    for region in ["us-east-1", "eu-west-1"] {
        let place = Place::new(region).await;
        let wanted = place.wanted("fresh");
        let made = make_bucket(&place.direct, &wanted).await.unwrap();
        assert!(made.created);
        let settings = place.settings(&wanted).await;
        for part in [
            "s3stack:backend",
            "\"shop\"",
            "restrict_public_buckets: Some(true)",
            "Some(Enabled)",
            "aws:SecureTransport",
            "\"lease/\"",
            "noncurrent_days: Some(1)",
            "\"steps/\"",
            "days: Some(90)",
        ] {
            assert!(settings.contains(part), "{part} is not in {settings}");
        }
        let again = make_bucket(&place.direct, &wanted).await.unwrap();
        assert_eq!(again, Made::default(), "the second run writes nothing");

        // What was loosened behind our back is put right; what is stricter stays.
        place.direct.delete_bucket_policy().bucket(&wanted.name).send().await.unwrap();
        place.direct.delete_public_access_block().bucket(&wanted.name).send().await.unwrap();
        place.direct.put_object().bucket(&wanted.name).key("state/a/b.json").send().await.unwrap();
        let repaired = make_bucket(&place.direct, &wanted).await.unwrap();
        assert_eq!(repaired.written, ["public access block", "TLS-only policy"]);
        assert_eq!(place.settings(&wanted).await, settings);
    }
}

#[tokio::test]
async fn what_is_there_already_stays() {
    let place = Place::new("us-east-1").await;
    let wanted = place.wanted("adopted");
    let (client, name) = (&place.direct, &wanted.name);
    client.create_bucket().bucket(name).send().await.unwrap();
    let mine = r#"{"Version": "2012-10-17", "Statement": [{"Sid": "Mine", "Effect": "Deny", "Principal": "*",
        "Action": "s3:DeleteBucket", "Resource": "arn:aws:s3:::B"}]}"#;
    client.put_bucket_policy().bucket(name).policy(mine.replace('B', name)).send().await.unwrap();
    let rule = |id: &str, prefix: &str, days| {
        aws_sdk_s3::types::LifecycleRule::builder()
            .id(id)
            .status(aws_sdk_s3::types::ExpirationStatus::Enabled)
            .filter(aws_sdk_s3::types::LifecycleRuleFilter::builder().prefix(prefix).build())
            .noncurrent_version_expiration(
                aws_sdk_s3::types::NoncurrentVersionExpiration::builder().noncurrent_days(days).build(),
            )
            .build()
            .unwrap()
    };
    let rules = aws_sdk_s3::types::BucketLifecycleConfiguration::builder()
        .rules(rule("mine", "logs/", 7))
        .rules(rule("s3stack-state", "state/", 3650))
        .build()
        .unwrap();
    client.put_bucket_lifecycle_configuration().bucket(name).lifecycle_configuration(rules).send().await.unwrap();

    let made = make_bucket(client, &wanted).await.unwrap();
    assert!(!made.created);
    let settings = place.settings(&wanted).await;
    for part in ["Mine", "aws:SecureTransport", "\"logs/\"", "noncurrent_days: Some(3650)", "\"lease/\"", "\"steps/\""]
    {
        assert!(settings.contains(part), "{part} is not in {settings}");
    }
    assert!(!settings.contains("noncurrent_days: Some(90)"), "ten years were wanted: {settings}");
    assert_eq!(make_bucket(client, &wanted).await.unwrap(), Made::default());
}

#[tokio::test]
async fn a_bucket_with_something_else_in_it_is_refused() {
    let place = Place::new("us-east-1").await;
    let wanted = place.wanted("photos");
    let (client, name) = (&place.direct, &wanted.name);
    client.create_bucket().bucket(name).send().await.unwrap();
    client.put_object().bucket(name).key("cat.jpg").body(ByteStream::from_static(b"cat")).send().await.unwrap();
    let error = make_bucket(client, &wanted).await.unwrap_err();
    assert!(matches!(error, BootstrapError::InUse { .. }), "{error:?}");
    assert!(error.help().contains("tag that one s3stack:backend = state"), "{}", error.help());
    assert!(client.get_bucket_policy().bucket(name).send().await.is_err(), "nothing was written");
}

#[tokio::test]
async fn a_name_that_is_taken_is_named_with_the_next_step() {
    let place = Place::new("eu-west-1").await;
    let wanted = place.wanted("taken");
    place
        .proxy
        .once(|request| request.method == "HEAD", Action::Refuse(Reply { body: String::new(), ..Reply::xml(403, "") }));
    let error = make_bucket(&place.proxied, &wanted).await.unwrap_err();
    assert!(matches!(error, BootstrapError::Taken { .. }), "{error:?}");
    assert!(error.help().contains("choose another"));

    // It looked free, and then somebody else was faster.
    place.proxy.once(|request| request.method == "PUT", Action::Refuse(Reply::xml(409, "BucketAlreadyExists")));
    let error = make_bucket(&place.proxied, &wanted).await.unwrap_err();
    assert!(matches!(error, BootstrapError::Taken { .. }), "{error:?}");

    let mut redirect = Reply { body: String::new(), ..Reply::xml(301, "") };
    redirect.headers.push(("x-amz-bucket-region".into(), "us-west-2".into()));
    place.proxy.once(|request| request.method == "HEAD", Action::Refuse(redirect));
    let error = make_bucket(&place.proxied, &wanted).await.unwrap_err();
    assert!(matches!(&error, BootstrapError::Elsewhere { found, .. } if found == "us-west-2"), "{error:?}");
    assert!(error.help().contains("region = \"us-west-2\""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_anywhere_the_next_run_ends_the_same() {
    let place = Place::new("eu-west-1").await;
    let wanted = place.wanted("undisturbed");
    make_bucket(&place.proxied, &wanted).await.unwrap();
    let expected = place.settings(&wanted).await.replace(&wanted.name, "B");
    let requests = place.proxy.requests().len();
    assert!(requests > 12, "{requests}");
    for index in 0..requests {
        for action in [Action::HangBefore, Action::HangAfter] {
            let name = format!("{index}-{action:?}").to_lowercase();
            let wanted = place.wanted(&name);
            place.proxy.reset();
            place.proxy.at(index, action);
            let killed = tokio::spawn({
                let (client, wanted) = (place.proxied.clone(), wanted.clone());
                async move { make_bucket(&client, &wanted).await }
            });
            while place.proxy.count(|_| true) <= index {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            // Time for the effect, if it is to have one.
            tokio::time::sleep(Duration::from_millis(20)).await;
            killed.abort();
            make_bucket(&place.direct, &wanted).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
            assert_eq!(place.settings(&wanted).await.replace(&wanted.name, "B"), expected, "{name}");
            assert_eq!(make_bucket(&place.direct, &wanted).await.unwrap(), Made::default(), "{name}");
        }
    }
}

#[tokio::test]
async fn whatever_passes_is_waited_out() {
    let place = Place::new("eu-west-1").await;
    let requests = {
        let wanted = place.wanted("counted");
        make_bucket(&place.proxied, &wanted).await.unwrap();
        place.proxy.requests().len()
    };
    let wanted = place.wanted("rough");
    place.proxy.reset();
    // Every call is refused for now, then cut off after it took effect, then made well. The first is HEAD, whose answers
    // have no code.
    place.proxy.at(0, Action::Refuse(Reply { body: String::new(), ..Reply::xml(503, "") }));
    for index in 1..requests * 3 {
        match index % 3 {
            0 => place.proxy.at(index, Action::Refuse(Reply::xml(409, "OperationAborted"))),
            1 => place.proxy.at(index, Action::CutAfter),
            _ => {}
        }
    }
    let made = make_bucket(&place.proxied, &wanted).await.unwrap();
    assert!(made.created);
    assert_eq!(make_bucket(&place.direct, &wanted).await.unwrap(), Made::default());
    // S3 encrypts new buckets by itself.
    let settings = ["tags", "public access block", "versioning", "TLS-only policy", "lifecycle"];
    assert!(settings.iter().all(|setting| made.written.contains(setting)), "{made:?}");
}
