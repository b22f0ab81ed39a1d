//! What is known of a log group without asking, and what the verbs ask. The verbs talk to a server that says yes to
//! everything, because the emulator has no `AssociateKmsKey`, no policies of retention and no account full of groups.

use std::sync::{Arc, Mutex};

use s3stack_engine::address::Address;
use s3stack_engine::policy::grant::{Grant, Target, TargetName, expand};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::folder::Folder;
use crate::aws::{Clients, Settings};
use crate::resources::Sweeps;
use crate::resources::testing::{graph, managed, problems};

const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/k";

fn facts() -> Facts {
    Facts {
        partition: "aws".into(),
        account_id: "123456789012".into(),
        region: "eu-west-1".into(),
        stack: "t".into(),
        environment: "default".into(),
    }
}

fn question(name: &str) -> Question {
    Question {
        address: Address::root("logs.group", "it"),
        physical_id: name.into(),
        properties: ["name", "retention", "tags"].map(str::to_owned).into(),
        managed: [("retention".to_owned(), 30.into())].into(),
        attributes: Map::new(),
        loss: false,
        before: Map::new(),
    }
}

/// CloudWatch Logs with so many groups, `g0000` and on, in pages of fifty. Keeps what it was asked, `Operation {body}`.
struct Service {
    context: Context,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Service {
    async fn with(groups: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, groups, log.clone()));
            }
        });
        let settings = Settings {
            local_account: Some("123456789012".into()),
            region: Some("eu-west-1".into()),
            endpoint: Some(url),
            ..Settings::default()
        };
        let context = Context {
            session: Clients::load(settings).await.unwrap().home().unwrap(),
            facts: facts(),
            lineage: "l".into(),
            files: Arc::new(Folder::new(".")),
            sweeps: Arc::new(Sweeps::default()),
        };
        Self { context, asked }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

async fn serve(mut stream: TcpStream, groups: usize, log: Arc<Mutex<Vec<String>>>) {
    let mut buffer = Vec::new();
    loop {
        let (operation, body) = loop {
            if let Some(request) = request(&mut buffer) {
                break request;
            }
            if matches!(stream.read_buf(&mut buffer).await, Ok(0) | Err(_)) {
                return;
            }
        };
        let answer = answer(&operation, &body, groups).to_string();
        // With its members in order: those of maps come in any.
        let body = Value::from_json(body).to_json().unwrap();
        log.lock().unwrap().push(format!("{operation} {body}"));
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\nx-amzn-requestid: r";
        let text = format!("{head}\r\ncontent-length: {}\r\n\r\n{answer}", answer.len());
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Takes a whole request off the buffer.
fn request(buffer: &mut Vec<u8>) -> Option<(String, serde_json::Value)> {
    let end = buffer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&buffer[..end]).to_string();
    let header = |name: &str| {
        let mut pairs = head.lines().filter_map(|line| line.split_once(": "));
        pairs.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    let length: usize = header("content-length")?.parse().unwrap();
    let body = serde_json::from_slice(buffer.get(end..end + length)?).unwrap();
    let operation = header("x-amz-target")?.rsplit('.').next()?.to_owned();
    buffer.drain(..end + length);
    Some((operation, body))
}

fn answer(operation: &str, body: &serde_json::Value, groups: usize) -> serde_json::Value {
    if operation != "DescribeLogGroups" {
        return serde_json::json!({});
    }
    let prefix = body["logGroupNamePrefix"].as_str().unwrap_or_default();
    let names: Vec<String> = (0..groups).map(|n| format!("g{n:04}")).filter(|n| n.starts_with(prefix)).collect();
    let from: usize = body["nextToken"].as_str().map_or(0, |token| token.parse().unwrap());
    let to = names.len().min(from + 50);
    let page: Vec<_> = names[from..to].iter().map(|name| serde_json::json!({ "logGroupName": name })).collect();
    match to < names.len() {
        true => serde_json::json!({ "logGroups": page, "nextToken": to.to_string() }),
        false => serde_json::json!({ "logGroups": page }),
    }
}

#[test]
fn the_schema_is_whole_and_every_word_of_it_is_documented() {
    let schema = TYPE.schema();
    let create_only = schema.properties.iter().filter(|(_, property)| property.create_only).map(|(name, _)| name);
    assert_eq!(create_only.collect::<Vec<_>>(), ["name", "class"]);
    assert!(schema.properties["tags"].open);
    assert!(schema.properties.values().all(|property| !property.doc.is_empty()));
}

#[test]
fn what_the_file_does_not_say_is_left_alone_but_for_the_tags() {
    let keys = |text: &str| managed("logs.group", &format!("[logs.group.it]\n{text}")).into_keys().collect::<Vec<_>>();
    assert_eq!(keys(""), ["name", "tags"]);
    assert_eq!(keys("retention = 30\nclass = 'STANDARD'"), ["class", "name", "retention", "tags"]);
}

#[test]
fn the_arn_is_known_before_the_group_is_made() {
    let (graph, _) = graph("[logs.group.it]\nname = '/app/web'", "");
    let node = &graph.nodes[&Address::root("logs.group", "it")];
    let arn = "arn:aws:logs:eu-west-1:123456789012:log-group:/app/web";
    assert_eq!(node.resource.attribute("arn"), &Value::from(arn));
    let mut unknown = |_: &str| Value::from(Unknown::Expression { source: "x".into(), scope: Map::new() });
    assert!(!TYPE.predict("arn", &facts(), &mut unknown).is_known());
}

#[test]
fn what_aws_would_refuse_is_told() {
    let told = |text: &str| problems(&format!("[logs.group.it]\n{text}"), "");
    assert_eq!(told("retention = 6"), ["error S3S-W7 retention: AWS has no retention of 6 days"]);
    assert_eq!(told("retention = 3653\nclass = 'INFREQUENT_ACCESS'"), [""; 0]);
    assert_eq!(told("retention = 1\nclass = 'DELIVERY'").len(), 1);
    assert_eq!(told("name = 'a b'").len(), 1);
    assert_eq!(told("kms_key = 'arn:aws:kms:eu-west-1:123456789012:alias/a'").len(), 1);
    assert_eq!(told(&format!("kms_key = '{KEY}'\ntags = {{ A = 'b' }}")), [""; 0]);
    assert_eq!(told("tags = { A = 'b&c' }"), ["error S3S-W8 tags.A: CloudWatch Logs takes no `&` in a tag"]);
}

#[test]
fn grants_are_on_the_group_and_its_streams() {
    let arn = "arn:aws:logs:eu-west-1:123456789012:log-group:/app";
    let granted = |level: &str| {
        let target = Target {
            name: TargetName::Address(Address::root("logs.group", "app")),
            type_name: "logs.group",
            arn: arn.into(),
            account: "123456789012".into(),
            access: &ACCESS,
            key: None,
        };
        let statements = expand(&[Grant { target, access: vec![level.into()], prefix: Value::Null }]).unwrap();
        let words = |values: &[Value]| values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ");
        statements.iter().map(|one| (words(&one.actions), words(&one.resources))).collect::<Vec<_>>()
    };
    let streams = format!("{arn}:*");
    assert_eq!(granted("write"), [("logs:CreateLogStream logs:PutLogEvents".into(), streams.clone())]);
    let query = granted("query");
    let read = "logs:DescribeLogStreams logs:FilterLogEvents logs:GetLogEvents logs:StartQuery";
    assert_eq!(query, [(read.to_owned(), streams), ("logs:GetQueryResults".into(), "*".into())]);
    assert_eq!(granted("logs:TagResource")[0].1, arn);
}

#[test]
fn a_group_without_its_tags_is_a_hint() {
    let group = LogGroup::builder().log_group_name("a").retention_in_days(30).stored_bytes(2_147_483_648).build();
    let bare = live(&facts(), &question("a"), &group, None);
    assert!(bare.hint && !bare.managed.contains_key("tags") && bare.loss.is_empty());
    assert_eq!((&bare.managed["retention"], &bare.managed["class"]), (&30.into(), &"STANDARD".into()));
    let tags = Tags::from([("s3stack:id".to_owned(), "l".to_owned()), ("Team".to_owned(), "x".to_owned())]);
    let whole = live(&facts(), &Question { loss: true, ..question("a") }, &group, Some(&tags));
    assert_eq!((whole.hint, whole.owner.as_deref()), (false, Some("l")));
    assert_eq!(whole.managed["tags"], Value::map([("Team", "x".into())]));
    assert_eq!(whole.loss, ["2.1 GB of logs"]);
}

#[test]
fn a_retention_of_the_account_is_not_taken_for_the_groups_own() {
    let group = LogGroup::builder().retention_in_days(7).retention_policy_name("all").build();
    assert_eq!(retention(&question("a"), &group), 30.into());
    let never = Question { managed: Map::new(), ..question("a") };
    assert_eq!(retention(&never, &group), Value::Null);
    assert_eq!(retention(&question("a"), &LogGroup::builder().build()), Value::Null);
}

#[test]
fn names_are_listed_by_what_they_begin_with() {
    let prefix = |names: &[&'static str]| common_prefix(&names.iter().copied().collect());
    assert_eq!(prefix(&["/app/web", "/app/worker", "/app/w"]), "/app/w");
    assert_eq!(prefix(&["/app/web", "app"]), "");
    assert_eq!(prefix(&["a"]), "a");
}

#[tokio::test]
async fn many_groups_are_listed_and_few_are_asked_for() {
    let service = Service::with(60).await;
    let names = ["g0001", "g0002", "g0003", "g0055", "gone"].map(question);
    let seen = TYPE.read(&service.context, &names, Depth::Sweep).await;
    assert_eq!(seen.iter().filter(|one| matches!(one, Observation::Found(live) if live.hint)).count(), 4);
    assert_eq!(seen[4], Observation::Missing);
    assert_eq!(service.asked().len(), 2, "two pages");
    TYPE.read(&service.context, &names[..2], Depth::Sweep).await;
    assert_eq!(service.asked().len(), 2, "one each");
    TYPE.read(&service.context, &names[..1], Depth::Point).await;
    assert_eq!(service.asked().len(), 2, "the group and its tags");
}

#[tokio::test]
async fn a_full_account_is_not_listed_to_its_end() {
    let service = Service::with(1000).await;
    let names = ["g0001", "g0002", "g0500", "g0999"].map(question);
    let seen = TYPE.read(&service.context, &names, Depth::Sweep).await;
    assert!(seen.iter().all(|one| matches!(one, Observation::Found(_))), "{seen:?}");
    let asked = service.asked();
    assert_eq!(asked.len(), 4, "two pages, and those two that were not on them: {asked:?}");
}

#[tokio::test]
async fn only_what_differs_is_written() {
    let service = Service::with(0).await;
    let update = |desired: [(&str, Value); 1], changed: &str| Update {
        address: Address::root("logs.group", "it"),
        physical_id: "a".into(),
        desired: desired.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        changed: vec![Path::of(changed)],
        live: Map::new(),
        attributes: Map::new(),
        memory: Map::new(),
        adopts: false,
    };
    for (desired, asked) in [
        (("retention", 30.into()), r#"PutRetentionPolicy {"logGroupName":"a","retentionInDays":30}"#.to_owned()),
        (("retention", Value::Null), r#"DeleteRetentionPolicy {"logGroupName":"a"}"#.into()),
        (("kms_key", KEY.into()), format!(r#"AssociateKmsKey {{"kmsKeyId":"{KEY}","logGroupName":"a"}}"#)),
        (("kms_key", Value::Null), r#"DisassociateKmsKey {"logGroupName":"a"}"#.into()),
    ] {
        let name = desired.0;
        TYPE.update(&service.context, &update([desired], name), &Silent).await.unwrap();
        assert_eq!(service.asked(), [asked]);
    }
    let adopted = Update { adopts: true, ..update([("tags", Value::Null)], "name") };
    TYPE.update(&service.context, &adopted, &Silent).await.unwrap();
    let arn = "arn:aws:logs:eu-west-1:123456789012:log-group:a";
    let tags = r#"{"s3stack:id":"l","s3stack:stack":"t/default"}"#;
    assert_eq!(service.asked(), [format!(r#"TagResource {{"resourceArn":"{arn}","tags":{tags}}}"#)]);
}

#[tokio::test]
async fn a_group_is_made_with_all_that_the_first_call_takes() {
    let service = Service::with(0).await;
    let desired = [
        ("class", "INFREQUENT_ACCESS".into()),
        ("kms_key", KEY.into()),
        ("retention", 7.into()),
        ("tags", Value::map([("A", "b".into())])),
    ];
    let create = Create {
        address: Address::root("logs.group", "it"),
        physical_id: "a".into(),
        desired: desired.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        attributes: Map::new(),
        memory: Map::new(),
        token: String::new(),
        before: Map::new(),
    };
    let reply = TYPE.create(&service.context, &create, &Silent).await.unwrap();
    assert_eq!(reply.physical_id, "a");
    let tags = r#"{"A":"b","s3stack:id":"l","s3stack:stack":"t/default"}"#;
    let first = format!(
        r#"CreateLogGroup {{"kmsKeyId":"{KEY}","logGroupClass":"INFREQUENT_ACCESS","logGroupName":"a","tags":{tags}}}"#
    );
    assert_eq!(service.asked(), [first, r#"PutRetentionPolicy {"logGroupName":"a","retentionInDays":7}"#.into()]);
}

struct Silent;

#[async_trait]
impl Progress for Silent {
    async fn identified(&self, _: &str, _: Map) -> Result<(), Fault> {
        Ok(())
    }
}
