//! `s3.object`.

use std::fs;

use aws_sdk_s3::primitives::ByteStream;
use s3stack::resources::Depth;
use s3stack_engine::fault::FaultKind;
use s3stack_engine::plan::Observation;
use s3stack_engine::value::{Map, Secret, Value};

use crate::stage::{LINEAGE, Stage};
use crate::support::emulator;
use crate::support::proxy::{Action, Proxy, Reply, Request};

/// A stage with a bucket, and the bucket's name.
async fn stage() -> (Stage, String) {
    let stage = Stage::new("s3.object", "us-east-1").await;
    let bucket = format!("objects-{}", stage.context.facts.account_id);
    stage.context.session.s3().create_bucket().bucket(&bucket).send().await.unwrap();
    (stage, bucket)
}

fn block(bucket: &str, key: &str, rest: &str) -> String {
    format!("bucket = 'arn:aws:s3:::{bucket}'\nkey = '{key}'\n{rest}")
}

async fn text_of(stage: &Stage, bucket: &str, key: &str) -> String {
    let got = stage.context.session.s3().get_object().bucket(bucket).key(key).send().await.unwrap();
    String::from_utf8(got.body.collect().await.unwrap().to_vec()).unwrap()
}

const FULL: &str = r#"
cache_control = "max-age=60"
storage_class = "STANDARD_IA"
metadata = { a = "b c", d = "" }
tags = { Team = "a & <b>=ü", Other = "" }
"#;

#[tokio::test]
async fn a_text_is_written_read_changed_and_deleted() {
    let (stage, bucket) = stage().await;
    let id = format!("{bucket}/a/ü b&<c>.json");
    let first = block(&bucket, "a/ü b&<c>.json", &format!("content = '{{}}'\n{FULL}"));
    stage.create(&id, &first).await.unwrap();
    let managed = stage.managed(&first);
    let live = stage.live(&id, &managed).await;
    assert_eq!(live.owner.as_deref(), Some(LINEAGE));
    let mut readable = managed.clone();
    readable.remove("content");
    assert_eq!(live.managed, readable);

    let second = block(&bucket, "a/ü b&<c>.json", "content = '[]'\ncontent_type = 'text/x'\ntags = { Team = 'c' }");
    stage.update(&id, &first, &second).await;
    assert_eq!(text_of(&stage, &bucket, "a/ü b&<c>.json").await, "[]");
    let live = stage.live(&id, &managed).await;
    assert_eq!(live.managed["tags"], Value::map([("Team", Value::from("c"))]));
    assert_eq!(live.managed["metadata"], Value::Map(Map::new()));
    assert_eq!(live.managed["storage_class"], "STANDARD".into());

    let retagged = second.replace("'c'", "'d'");
    let (changed, calls) = stage.calls_of(stage.update(&id, &second, &retagged)).await;
    assert_eq!(changed, ["tags"]);
    assert!(calls.contains(&"PutObjectTagging".into()) && !calls.contains(&"PutObject".into()), "{calls:?}");
    stage.delete(&id, managed.clone(), &[]).await.unwrap();
    assert_eq!(stage.read(&id, &managed, Depth::Point).await, Observation::Missing);
    stage.delete(&id, managed, &[]).await.unwrap();
}

#[tokio::test]
async fn what_somebody_else_wrote_is_not_overwritten_by_a_creation() {
    let (stage, bucket) = stage().await;
    let id = format!("{bucket}/taken");
    let s3 = stage.context.session.s3();
    s3.put_object().bucket(&bucket).key("taken").body(ByteStream::from_static(b"theirs")).send().await.unwrap();
    let text = block(&bucket, "taken", "content = 'ours'");
    let fault = stage.create(&id, &text).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Conflict, "{fault}");
    assert_eq!(text_of(&stage, &bucket, "taken").await, "theirs");
    assert_eq!(stage.live(&id, &stage.managed(&text)).await.owner, None);
}

#[tokio::test]
async fn a_creation_may_be_repeated() {
    let (stage, bucket) = stage().await;
    let id = format!("{bucket}/again");
    let text = block(&bucket, "again", "content = 'x'");
    stage.create(&id, &text).await.unwrap();
    stage.create(&id, &text).await.unwrap();
}

#[tokio::test]
async fn what_somebody_changed_is_seen() {
    let (stage, bucket) = stage().await;
    let id = format!("{bucket}/drift");
    let text = block(&bucket, "drift", "content = 'x'");
    stage.create(&id, &text).await.unwrap();
    let s3 = stage.context.session.s3();
    s3.put_object().bucket(&bucket).key("drift").body(ByteStream::from_static(b"y")).send().await.unwrap();
    let changed = stage.update(&id, &text, &text).await;
    assert!(changed.contains(&"checksum".into()), "{changed:?}");
    assert_eq!(text_of(&stage, &bucket, "drift").await, "x");
    // The same content without the mark is written again too.
    let put = s3.put_object().bucket(&bucket).key("drift").content_type("application/octet-stream");
    let put = put.checksum_algorithm(aws_sdk_s3::types::ChecksumAlgorithm::Sha256);
    put.body(ByteStream::from_static(b"x")).send().await.unwrap();
    assert_eq!(stage.update(&id, &text, &text).await, ["tags"]);
}

#[tokio::test]
async fn a_secret_reaches_the_bucket_and_no_digest_of_it_is_kept() {
    let (stage, bucket) = stage().await;
    let id = format!("{bucket}/secret");
    let mut desired = stage.managed(&block(&bucket, "secret", "content = 'x'"));
    desired.remove("checksum");
    desired.insert("content".into(), Value::Secret(Secret::new("canary".into())));
    stage.create_desired(&id, desired, Map::new()).await.unwrap();
    assert_eq!(text_of(&stage, &bucket, "secret").await, "canary");
}

#[tokio::test]
async fn a_file_is_uploaded_as_the_plan_saw_it_or_not_at_all() {
    let (mut stage, bucket) = stage().await;
    fs::write(stage.folder().join("data.csv"), "a,b\n").unwrap();
    let text = block(&bucket, "data.csv", "source = 'data.csv'");
    let id = format!("{bucket}/data.csv");
    let desired = stage.managed(&text);
    assert_eq!(desired["content_type"], "text/csv".into());
    fs::write(stage.folder().join("data.csv"), "c,d\n").unwrap();
    let fault = stage.create_desired(&id, desired, stage.memory(&text)).await.unwrap_err();
    assert!(fault.message.contains("data.csv changed since the plan"), "{fault}");
    assert_eq!(stage.read(&id, &Map::new(), Depth::Point).await, Observation::Missing);

    stage.read_files_again();
    stage.create(&id, &text).await.unwrap();
    assert_eq!(text_of(&stage, &bucket, "data.csv").await, "c,d\n");
}

#[tokio::test]
async fn a_link_out_of_the_stack_folder_is_not_followed() {
    let (stage, bucket) = stage().await;
    let outside = tempfile::NamedTempFile::new().unwrap();
    fs::write(stage.folder().join("fine"), "x").unwrap();
    let text = block(&bucket, "k", "source = 'fine'");
    let (desired, memory) = (stage.managed(&text), stage.memory(&text));
    fs::remove_file(stage.folder().join("fine")).unwrap();
    std::os::unix::fs::symlink(outside.path(), stage.folder().join("fine")).unwrap();
    let fault = stage.create_desired(&format!("{bucket}/k"), desired, memory).await.unwrap_err();
    assert!(fault.message.contains("symbolic link"), "{fault}");
}

#[tokio::test]
async fn a_large_file_goes_in_parts_and_is_known_by_its_digest() {
    let (mut stage, bucket) = stage().await;
    let large: Vec<u8> = (0..(9 << 20)).map(|at: u32| (at % 251) as u8).collect();
    fs::write(stage.folder().join("large.bin"), &large).unwrap();
    // The emulator forgets tags given with CreateMultipartUpload.
    let extras = "metadata = { a = 'b c' }\ncache_control = 'no-store'\nstorage_class = 'STANDARD_IA'";
    let text = block(&bucket, "large.bin", &format!("source = 'large.bin'\n{extras}"));
    let id = format!("{bucket}/large.bin");
    let (made, calls) = stage.calls_of(stage.create(&id, &text)).await;
    made.unwrap();
    assert_eq!(calls.iter().filter(|call| *call == "UploadPart").count(), 2);
    let managed = stage.managed(&text);
    assert_eq!(stage.live(&id, &managed).await.managed, managed);
    let got = stage.context.session.s3().get_object().bucket(&bucket).key("large.bin").send().await.unwrap();
    assert!(got.body.collect().await.unwrap().to_vec() == large);

    let uploads = stage.context.session.s3().list_multipart_uploads().bucket(&bucket).send().await.unwrap();
    assert!(uploads.uploads().is_empty());
    fs::write(stage.folder().join("large.bin"), &large[1..]).unwrap();
    stage.read_files_again();
    assert_eq!(stage.update_from(&id, &managed, &text).await, ["checksum"]);
}

#[tokio::test]
async fn a_folder_is_kept_file_by_file() {
    let (mut stage, bucket) = stage().await;
    let site = stage.folder().join("site");
    fs::create_dir_all(site.join("css")).unwrap();
    fs::write(site.join("index.html"), "<p>").unwrap();
    fs::write(site.join("old.txt"), "old").unwrap();
    fs::write(site.join("css/a.css"), "a").unwrap();
    let id = format!("{bucket}/www/");
    let text = block(&bucket, "www/", &format!("folder = 'site'\n{FULL}"));
    assert_eq!(stage.read(&id, &stage.managed(&text), Depth::Sweep).await, Observation::Missing);
    stage.create(&id, &text).await.unwrap();
    let first = stage.managed(&text);
    assert_eq!(stage.live(&id, &first).await.managed, first);

    let s3 = stage.context.session.s3().clone();
    s3.put_object().bucket(&bucket).key("www/theirs").body(ByteStream::from_static(b"x")).send().await.unwrap();
    fs::remove_file(site.join("old.txt")).unwrap();
    fs::write(site.join("index.html"), "<p>new").unwrap();
    fs::write(site.join("new.js"), "n").unwrap();
    stage.read_files_again();
    let (changed, calls) = stage.calls_of(stage.update_from(&id, &first, &text)).await;
    assert_eq!(changed, ["files"]);
    assert_eq!(calls.iter().filter(|call| *call == "PutObject").count(), 2, "{calls:?}");
    assert_eq!(text_of(&stage, &bucket, "www/index.html").await, "<p>new");
    let keys = |listed: aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output| {
        listed.contents().iter().map(|one| one.key().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let listed = s3.list_objects_v2().bucket(&bucket).send().await.unwrap();
    assert_eq!(keys(listed), ["www/css/a.css", "www/index.html", "www/new.js", "www/theirs"]);

    // A file that somebody took away or changed is put back; all get what they have in common.
    s3.delete_object().bucket(&bucket).key("www/new.js").send().await.unwrap();
    s3.put_object().bucket(&bucket).key("www/css/a.css").body(ByteStream::from_static(b"z")).send().await.unwrap();
    let second = stage.managed(&text);
    stage.update_from(&id, &second, &text).await;
    assert_eq!(text_of(&stage, &bucket, "www/css/a.css").await, "a");
    let other = text.replace("max-age=60", "no-store").replace("Other", "Another");
    stage.update(&id, &text, &other).await;

    stage.delete(&id, stage.managed(&other), &[]).await.unwrap();
    let listed = s3.list_objects_v2().bucket(&bucket).send().await.unwrap();
    assert_eq!(keys(listed), ["www/theirs"]);
}

#[tokio::test]
async fn an_object_of_a_bucket_that_is_gone_is_missing_and_deleted() {
    let (stage, _) = stage().await;
    let id = format!("gone-{}/k", stage.context.facts.account_id);
    assert_eq!(stage.read(&id, &Map::new(), Depth::Point).await, Observation::Missing);
    stage.delete(&id, Map::new(), &[]).await.unwrap();
    let files = Map::from([("files".to_owned(), Value::map([("a", Value::map([("checksum", Value::from("x"))]))]))]);
    stage.delete(&id, files, &[]).await.unwrap();
}

#[tokio::test]
async fn what_others_tagged_stays_with_its_file() {
    let (mut stage, bucket) = stage().await;
    let site = stage.folder().join("site");
    fs::create_dir_all(&site).unwrap();
    for file in ["a.txt", "b.txt", "c.txt"] {
        fs::write(site.join(file), file).unwrap();
    }
    let id = format!("{bucket}/www/");
    let text = block(&bucket, "www/", "folder = 'site'\ntags = { Team = 'x' }");
    stage.create(&id, &text).await.unwrap();
    let s3 = stage.context.session.s3().clone();
    for (file, scanned) in [("a.txt", "clean"), ("b.txt", "pending")] {
        let tag = |key: &str, value: &str| aws_sdk_s3::types::Tag::builder().key(key).value(value).build().unwrap();
        let tags = vec![tag("Team", "x"), tag("Scan", scanned)];
        let tagging = aws_sdk_s3::types::Tagging::builder().set_tag_set(Some(tags)).build().unwrap();
        s3.put_object_tagging().bucket(&bucket).key(format!("www/{file}")).tagging(tagging).send().await.unwrap();
    }
    let tags_of = async |file: &str| {
        let held = s3.get_object_tagging().bucket(&bucket).key(format!("www/{file}")).send().await.unwrap();
        let mut tags: Vec<_> = held.tag_set.into_iter().map(|tag| format!("{}={}", tag.key, tag.value)).collect();
        tags.sort();
        tags.join(" ")
    };

    // Files that are written again, …
    let before = stage.managed(&text);
    fs::write(site.join("b.txt"), "new").unwrap();
    fs::write(site.join("c.txt"), "new").unwrap();
    stage.read_files_again();
    assert_eq!(stage.update_from(&id, &before, &text).await, ["files"]);
    let tags = [tags_of("a.txt").await, tags_of("b.txt").await, tags_of("c.txt").await];
    assert_eq!(tags, ["Scan=clean Team=x", "Scan=pending Team=x", "Team=x"]);

    // … and those whose tags alone are.
    let other = text.replace("Team = 'x'", "Group = 'y'");
    assert_eq!(stage.update(&id, &text, &other).await, ["tags"]);
    let tags = [tags_of("a.txt").await, tags_of("b.txt").await, tags_of("c.txt").await];
    assert_eq!(tags, ["Group=y Scan=clean", "Group=y Scan=pending", "Group=y"]);
}

#[tokio::test]
async fn who_may_not_decrypt_still_sees_the_digest_that_was_written_beside() {
    let (own, bucket) = stage().await;
    let (id, text) = (format!("{bucket}/k"), block(&bucket, "k", "content = 'abc'"));
    own.create(&id, &text).await.unwrap();
    let managed = own.managed(&text);

    let proxy = Proxy::start(emulator::address()).await;
    let stage = Stage::at(&proxy.url(), "s3.object", "us-east-1", &own.context.facts.account_id).await;
    let denied = Reply { body: String::new(), ..Reply::xml(403, "") };
    let asks = |request: &Request| request.header("x-amz-checksum-mode").is_some();
    proxy.always(asks, Action::Refuse(denied.clone()));
    assert_eq!(stage.live(&id, &managed).await.managed["checksum"], managed["checksum"]);

    // Who may not read at all is told so.
    proxy.always(|request| request.method == "HEAD", Action::Refuse(denied));
    let Observation::Unreadable(fault) = stage.read(&id, &managed, Depth::Point).await else { panic!("read") };
    assert_eq!(fault.kind, FaultKind::Denied);
}
