//! `s3.bucket`.

use aws_sdk_s3::primitives::ByteStream;
use s3stack::resources::Depth;
use s3stack_engine::fault::FaultKind;
use s3stack_engine::plan::Observation;
use s3stack_engine::value::{Map, Value};

use crate::stage::{LINEAGE, Stage};
use crate::support::emulator;
use crate::support::proxy::{Action, Proxy, Reply, Request};

async fn stage() -> Stage {
    Stage::new("s3.bucket", "eu-west-1").await
}

/// A name that no other account has.
fn name(stage: &Stage, what: &str) -> String {
    format!("{what}-{}", stage.context.facts.account_id)
}

/// Everything at once.
const FULL: &str = r#"
versioning = true
encryption = { algorithm = "aws:kms", key = "arn:aws:kms:eu-west-1:123456789012:key/k", bucket_key = true }
ownership = "BucketOwnerPreferred"
public_access_block = { block_public_acls = false }
logging = { bucket = "arn:aws:s3:::logs", prefix = "it/" }
eventbridge = true
tags = { Team = "a & <b>", Other = "ü" }
cors = [{ allowed_methods = ["PUT", "GET"], allowed_origins = ["https://a.example"], max_age_seconds = 60 }]

[statements.Account]
principals = ["123456789012"]
actions = ["s3:GetObject"]
resources = ["arn:aws:s3:::BUCKET/*"]

[lifecycle.old]
prefix = "old/"
transitions = [{ days = 90, storage_class = "GLACIER" }, { days = 30, storage_class = "STANDARD_IA" }]
expiration = { days = 365 }
noncurrent_expiration = { days = 30, newer_versions = 3 }

[lifecycle.uploads]
abort_incomplete_multipart_upload = 7
"#;

#[tokio::test]
async fn what_is_made_is_read_back_exactly() {
    for region in ["eu-west-1", "us-east-1"] {
        let stage = Stage::new("s3.bucket", region).await;
        let id = name(&stage, "full");
        let text = format!("name = '{id}'\n{}", FULL.replace("BUCKET", &id));
        stage.create(&id, &text).await.unwrap();
        let managed = stage.managed(&text);
        for depth in [Depth::Sweep, Depth::Point] {
            let Observation::Found(live) = stage.read(&id, &managed, depth).await else { panic!("not found") };
            assert_eq!(live.managed, managed);
            assert_eq!(live.owner.as_deref(), Some(LINEAGE));
            assert_eq!(live.attributes["arn"], format!("arn:aws:s3:::{id}").into());
        }
    }
}

#[tokio::test]
async fn each_setting_is_changed_and_taken_away_alone() {
    let stage = stage().await;
    let id = name(&stage, "steps");
    let bare = format!("name = '{id}'\ntls_only = false\ntags = {{ Keep = 'me' }}");
    stage.create(&id, &bare).await.unwrap();
    for (property, first, second) in [
        ("versioning", "versioning = true", "versioning = false"),
        ("encryption", "encryption = 'aws:kms'", "encryption = 'AES256'"),
        ("ownership", "ownership = 'ObjectWriter'", "ownership = 'BucketOwnerPreferred'"),
        ("eventbridge", "eventbridge = true", "eventbridge = false"),
        ("logging", "logging = { bucket = 'arn:aws:s3:::a' }", "logging = { bucket = 'arn:aws:s3:::b', prefix = 'x' }"),
        ("lifecycle", "lifecycle.a.expiration.days = 1", "lifecycle.b.expiration.days = 2"),
        (
            "cors",
            "cors = [{ allowed_methods = ['GET'], allowed_origins = ['*'] }]",
            "cors = [{ allowed_methods = ['PUT'], allowed_origins = ['*'] }]",
        ),
        (
            "policy",
            "statements.A = { actions = 's3:GetObject', principals = ['123456789012'], resources = 'arn:aws:s3:::BUCKET/*' }",
            "statements.A = { actions = 's3:PutObject', principals = ['123456789012'], resources = 'arn:aws:s3:::BUCKET/*' }",
        ),
    ] {
        let [first, second] = [first, second].map(|line| format!("{bare}\n{}", line.replace("BUCKET", &id)));
        assert_eq!(stage.update(&id, &bare, &first).await, [property]);
        let (changed, calls) = stage.calls_of(stage.update(&id, &first, &second)).await;
        assert_eq!(changed, [property]);
        let writes: Vec<_> = calls.iter().filter(|call| !call.starts_with("Get") && *call != "HeadBucket").collect();
        assert_eq!(writes.len(), 1, "{property}: {calls:?}");
        stage.update(&id, &second, &bare).await;
        assert_eq!(stage.update(&id, &bare, &bare).await, [""; 0], "{property}");
    }
    let pab = "public_access_block.block_public_policy = false";
    assert_eq!(stage.update(&id, &bare, &format!("{bare}\n{pab}")).await, ["public_access_block"]);
}

#[tokio::test]
async fn tags_of_others_stay_and_ours_come_and_go() {
    let stage = stage().await;
    let id = name(&stage, "tags");
    let text = |tags: &str| format!("name = '{id}'\ntags = {{ {tags} }}");
    stage.create(&id, &text("A = '1', B = '2'")).await.unwrap();
    let s3 = stage.context.session.s3();
    let tag = |key: &str, value: &str| aws_sdk_s3::types::Tag::builder().key(key).value(value).build().unwrap();
    let held = [("A", "1"), ("B", "2"), ("s3stack:id", LINEAGE), ("Theirs", "x")];
    let tags = held.map(|(key, value)| tag(key, value));
    let tagging = aws_sdk_s3::types::Tagging::builder().set_tag_set(Some(tags.to_vec())).build().unwrap();
    s3.put_bucket_tagging().bucket(&id).tagging(tagging).send().await.unwrap();
    assert_eq!(stage.update(&id, &text("A = '1', B = '2'"), &text("A = '3'")).await, ["tags"]);
    let live = stage.live(&id, &stage.managed(&text("A = '3'"))).await;
    assert_eq!(live.managed["tags"], Value::map([("A", Value::from("3")), ("Theirs", "x".into())]));
}

#[tokio::test]
async fn a_mark_that_was_taken_off_is_put_back() {
    let stage = stage().await;
    let id = name(&stage, "mark");
    let text = format!("name = '{id}'");
    stage.create(&id, &text).await.unwrap();
    stage.context.session.s3().delete_bucket_tagging().bucket(&id).send().await.unwrap();
    assert_eq!(stage.live(&id, &stage.managed(&text)).await.owner, None);
    assert_eq!(stage.update(&id, &text, &text).await, ["tags"]);
}

#[tokio::test]
async fn requests_are_as_few_as_the_budget_says() {
    let stage = stage().await;
    let id = name(&stage, "budget");
    let text = format!(
        "name = '{id}'\nversioning = true\nencryption = 'AES256'\ntls_only = false\npublic_access_block = true\ntags = {{ a = 'b' }}"
    );
    let (made, calls) = stage.calls_of(stage.create(&id, &text)).await;
    made.unwrap();
    assert_eq!(calls, ["CreateBucket", "PutBucketVersioning", "PutPublicAccessBlock"]);
    let managed = stage.managed(&text);
    let (_, calls) = stage.calls_of(stage.read(&id, &managed, Depth::Sweep)).await;
    assert_eq!(
        calls,
        ["GetBucketEncryption", "GetBucketTagging", "GetBucketVersioning", "GetPublicAccessBlock", "ListBuckets"]
    );
    let (deleted, calls) = stage.calls_of(stage.delete(&id, managed, &[])).await;
    deleted.unwrap();
    assert_eq!(calls, ["DeleteBucket"]);
}

#[tokio::test]
async fn one_listing_serves_every_bucket_of_a_refresh() {
    let stage = stage().await;
    let ids = ["one", "two", "three"].map(|what| name(&stage, what));
    let questions = ids.clone().map(|id| stage.question(&id, Map::new()));
    stage.create(&ids[0], &format!("name = '{}'", ids[0])).await.unwrap();
    let read = stage.provider.read(&stage.context, &questions, Depth::Sweep);
    let (answers, calls) = stage.calls_of(read).await;
    assert!(matches!(answers[..], [Observation::Found(_), Observation::Missing, Observation::Missing]));
    assert_eq!(calls, ["GetBucketTagging", "ListBuckets"]);
}

#[tokio::test]
async fn a_bucket_with_objects_stays_unless_told_otherwise() {
    let stage = stage().await;
    let id = name(&stage, "full-of");
    stage.create(&id, &format!("name = '{id}'\nversioning = true")).await.unwrap();
    let s3 = stage.context.session.s3();
    for at in 0..3 {
        let body = ByteStream::from(vec![at; 100]);
        s3.put_object().bucket(&id).key("a b&<c>").body(body).send().await.unwrap();
    }
    s3.put_object().bucket(&id).key("gone").body(ByteStream::from_static(b"x")).send().await.unwrap();
    s3.delete_object().bucket(&id).key("gone").send().await.unwrap();
    s3.create_multipart_upload().bucket(&id).key("unfinished").send().await.unwrap();

    let question = s3stack::resources::Question { loss: true, ..stage.question(&id, Map::new()) };
    let answer = stage.provider.read(&stage.context, &[question], Depth::Point).await.remove(0);
    let Observation::Found(live) = answer else { panic!("{answer:?}") };
    assert_eq!(live.loss, ["1 object", "3 former versions", "1 delete marker", "301 bytes"]);

    let fault = stage.delete(&id, Map::new(), &[]).await.unwrap_err();
    assert_eq!(fault.code.as_deref(), Some("BucketNotEmpty"));
    assert!(fault.message.contains("3 former versions") && fault.message.contains("force_destroy = true"), "{fault}");
    assert!(fault.message.contains("s3.bucket.it") && fault.request_id.is_some());

    let force = [("force_destroy", Value::Bool(true))];
    stage.delete(&id, Map::new(), &force).await.unwrap();
    assert_eq!(stage.read(&id, &Map::new(), Depth::Point).await, Observation::Missing);
    stage.delete(&id, Map::new(), &force).await.unwrap();
}

#[tokio::test]
async fn more_than_a_page_of_objects_is_emptied() {
    let stage = stage().await;
    let id = name(&stage, "pages");
    stage.create(&id, &format!("name = '{id}'")).await.unwrap();
    let s3 = stage.context.session.s3();
    let put = |at: usize| s3.put_object().bucket(&id).key(format!("{at:05}")).body(ByteStream::from_static(b"")).send();
    for chunk in (0..2100).collect::<Vec<_>>().chunks(100) {
        for done in futures_util::future::join_all(chunk.iter().map(|at| put(*at))).await {
            done.unwrap();
        }
    }
    stage.delete(&id, Map::new(), &[("force_destroy", Value::Bool(true))]).await.unwrap();
    assert_eq!(stage.read(&id, &Map::new(), Depth::Point).await, Observation::Missing);
}

#[tokio::test]
async fn a_bucket_of_another_account_is_foreign_and_one_of_another_stack_is_told_by_its_mark() {
    let (ours, theirs) = (stage().await, stage().await);
    let id = name(&theirs, "taken");
    theirs.create(&id, &format!("name = '{id}'")).await.unwrap();
    let answer = ours.read(&id, &Map::new(), Depth::Point).await;
    assert!(matches!(&answer, Observation::Foreign(how) if how.contains("another account")), "{answer:?}");
    assert_eq!(ours.read(&id, &Map::new(), Depth::Sweep).await, Observation::Missing);
    let fault = ours.create(&id, &format!("name = '{id}'")).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Conflict, "{fault}");

    let mut other = Stage::in_account("s3.bucket", "eu-west-1", &theirs.context.facts.account_id).await;
    other.context.lineage = "another".into();
    assert_eq!(other.live(&id, &Map::new()).await.owner.as_deref(), Some(LINEAGE));
    let fault = other.create(&id, &format!("name = '{id}'")).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Conflict, "{fault}");
}

#[tokio::test]
async fn a_bucket_of_another_region_is_foreign() {
    let account = emulator::account();
    let here = Stage::in_account("s3.bucket", "eu-west-1", &account).await;
    let there = Stage::in_account("s3.bucket", "eu-central-1", &account).await;
    let id = name(&there, "elsewhere");
    there.create(&id, &format!("name = '{id}'")).await.unwrap();
    for depth in [Depth::Sweep, Depth::Point] {
        let answer = here.read(&id, &Map::new(), depth).await;
        assert!(matches!(&answer, Observation::Foreign(how) if how.contains("eu-central-1")), "{answer:?}");
    }
}

#[tokio::test]
async fn notifications_of_others_survive_the_switch() {
    let stage = stage().await;
    let id = name(&stage, "events");
    let bare = format!("name = '{id}'\ntls_only = false");
    stage.create(&id, &bare).await.unwrap();
    let s3 = stage.context.session.s3();
    let lambda = aws_sdk_s3::types::LambdaFunctionConfiguration::builder()
        .lambda_function_arn(format!("arn:aws:lambda:eu-west-1:{}:function:f", stage.context.facts.account_id))
        .events(aws_sdk_s3::types::Event::S3ObjectCreated)
        .build()
        .unwrap();
    let configuration =
        aws_sdk_s3::types::NotificationConfiguration::builder().lambda_function_configurations(lambda).build();
    let put = s3.put_bucket_notification_configuration().bucket(&id).notification_configuration(configuration);
    put.skip_destination_validation(true).send().await.unwrap();
    let on = format!("{bare}\neventbridge = true");
    stage.update(&id, &bare, &on).await;
    stage.update(&id, &on, &bare).await;
    let held = s3.get_bucket_notification_configuration().bucket(&id).send().await.unwrap();
    assert_eq!(held.lambda_function_configurations().len(), 1);
}

#[tokio::test]
async fn a_bucket_that_is_there_is_not_taken_over_where_s3_would_answer_success() {
    let stage = Stage::new("s3.bucket", "us-east-1").await;
    let id = name(&stage, "there");
    stage.context.session.s3().create_bucket().bucket(&id).send().await.unwrap();
    let (refused, calls) = stage.calls_of(stage.create(&id, &format!("name = '{id}'"))).await;
    let fault = refused.unwrap_err();
    assert_eq!((fault.kind, fault.code.as_deref()), (FaultKind::Conflict, Some("BucketAlreadyOwnedByYou")));
    assert_eq!(calls, ["HeadBucket"]);
}

#[tokio::test]
async fn what_is_read_of_a_new_bucket_may_be_late() {
    let proxy = Proxy::start(emulator::address()).await;
    let stage = Stage::at(&proxy.url(), "s3.bucket", "eu-west-1", &emulator::account()).await;
    let id = name(&stage, "late");
    let reads = |request: &Request| request.method == "GET" && request.query.contains("encryption");
    proxy.once(reads, Action::Refuse(Reply::xml(404, "NoSuchBucket")));
    stage.create(&id, &format!("name = '{id}'\nencryption = 'aws:kms'")).await.unwrap();
    assert_eq!(proxy.count(reads), 2);
}

#[tokio::test]
async fn a_bucket_that_only_seems_empty_says_what_may_be_in_it() {
    let proxy = Proxy::start(emulator::address()).await;
    let stage = Stage::at(&proxy.url(), "s3.bucket", "eu-west-1", &emulator::account()).await;
    let id = name(&stage, "uploads");
    stage.create(&id, &format!("name = '{id}'")).await.unwrap();
    proxy.once(|request| request.method == "DELETE", Action::Refuse(Reply::xml(409, "BucketNotEmpty")));
    let fault = stage.delete(&id, Map::new(), &[]).await.unwrap_err();
    assert!(fault.message.contains("holds unfinished uploads at most;"), "{}", fault.message);
}

#[tokio::test]
async fn a_region_that_takes_no_tags_in_a_creation_gets_them_right_after() {
    let proxy = Proxy::start(emulator::address()).await;
    let stage = Stage::at(&proxy.url(), "s3.bucket", "us-gov-west-1", &emulator::account()).await;
    let id = name(&stage, "untagged");
    let tagged = |request: &Request| {
        request.method == "PUT" && String::from_utf8_lossy(&request.body).contains("<CreateBucketConfiguration")
    };
    proxy.once(tagged, Action::Refuse(Reply::xml(400, "UnsupportedArgument")));
    let text = format!("name = '{id}'\ntags = {{ A = '1' }}");
    let (made, calls) = stage.calls_of(stage.create(&id, &text)).await;
    made.unwrap();
    let expected = ["CreateBucket", "CreateBucket", "PutBucketPolicy", "PutBucketTagging", "PutPublicAccessBlock"];
    assert_eq!(calls, expected);
    let writes = proxy.requests().into_iter().map(|request| request.query).collect::<Vec<_>>();
    assert_eq!(writes.iter().position(|query| query.starts_with("tagging")), Some(2), "{writes:?}");
    let live = stage.live(&id, &stage.managed(&text)).await;
    assert_eq!((live.owner.as_deref(), &live.managed["tags"]), (Some(LINEAGE), &stage.managed(&text)["tags"]));
}
