use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use s3stack_engine::diagnostic::SourceFile;
use s3stack_engine::fault::{Fault, FaultKind};
use s3stack_engine::state::{Deposed, Instance};
use s3stack_engine::value::{Map, Secret, Unknown, Value};

use super::*;

pub(crate) fn instance(type_name: &str, id: &str) -> Instance {
    Instance {
        type_name: type_name.into(),
        physical_id: id.into(),
        account: "123456789012".into(),
        region: "us-east-1".into(),
        managed: Map::new(),
        attributes: Map::new(),
        waits_for: BTreeSet::new(),
        protect: false,
        retain: false,
        named: false,
        memory: Map::new(),
        written_at: 0,
    }
}

pub(crate) fn change(address: &str, action: Action, id: &str) -> Change {
    let address: Address = address.parse().unwrap();
    let there = instance(address.type_name.as_str(), id);
    let gone = matches!(action, Action::Delete | Action::Forget);
    Change {
        action,
        moved_from: None,
        before: (action != Action::Create).then(|| there.clone()),
        after: (!gone).then_some(there),
        desired: Map::new(),
        differences: Vec::new(),
        accepted: Vec::new(),
        reason: String::new(),
        loss: Vec::new(),
        waits_for: BTreeSet::new(),
        seen_missing: false,
        live_digest: String::new(),
        address,
    }
}

pub(crate) fn differs(path: &Path, from: impl Into<Value>, to: impl Into<Value>) -> Difference {
    Difference { path: path.clone(), from: from.into(), to: to.into(), cause: Cause::File, replaces: false }
}

pub(crate) fn plan(changes: impl IntoIterator<Item = Change>) -> Plan {
    Plan {
        lineage: "lineage".into(),
        serial: 7,
        stack: "eventpulse".into(),
        environment: "prod".into(),
        account_id: "123456789012".into(),
        region: "us-east-1".into(),
        destroy: false,
        changes: changes.into_iter().map(|change| (change.address.clone(), change)).collect(),
        deposed: Vec::new(),
        unplanned: Vec::new(),
        outputs: Map::new(),
        made_by_aws: BTreeMap::new(),
    }
}

fn shown(plan: &Plan) -> String {
    render_plan(plan, &PlanOptions::default())
}

fn json(text: &str) -> Value {
    Value::from_json(serde_json::from_str(text).unwrap())
}

fn key_id() -> Value {
    let address = Address::root("iam.access_key", "app");
    Value::from(Unknown::Attribute { address, name: "id".into(), sensitive: false })
}

#[test]
fn a_creation_shows_all_that_it_sets_and_who_wants_it() {
    let mut bucket = change("s3.bucket.processing", Action::Create, "eventpulse-prod-processing");
    bucket.desired = [
        ("versioning".into(), Value::from(true)),
        ("encryption".into(), "AES256".into()),
        ("eventbridge".into(), true.into()),
        ("website".into(), Value::Null),
        ("tags".into(), Value::map([("team", Value::from("data")), ("a key", "x".into())])),
        (
            "lifecycle".into(),
            Value::map(["expire", "archive"].map(|name| {
                (
                    name,
                    json(
                        r#"{"prefix": "tmp/", "days": 30, "transitions": [{"days": 10, "storage_class": "GLACIER"}]}"#,
                    ),
                )
            })),
        ),
        (
            "policy".into(),
            json(
                r#"{"Version": "2012-10-17", "Statement": [{"Sid": "TlsOnly", "Effect": "Deny", "Principal": "*",
                "Action": "s3:*", "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}"#,
            ),
        ),
    ]
    .into();
    let mut function = change("lambda.function.process", Action::Create, "eventpulse-prod-process");
    function.desired = [(
        "environment".into(),
        Value::map([
            ("KEY", key_id()),
            ("PASSWORD", Value::Secret(Secret::new("canary".into()))),
            ("ESCAPE", "\u{1b}[2J".into()),
        ]),
    )]
    .into();
    let mut plan = plan([bucket, function, change("iam.access_key.app", Action::Create, "")]);
    plan.made_by_aws.insert(Address::root("iam.access_key", "app"), vec!["id".into(), "secret".into()]);
    let because = |address: &Address, path: &Path| match (address.name.as_str(), path.head()) {
        ("processing", Some("eventbridge")) => vec![Address::root("events.rule", "on_upload")],
        _ => Vec::new(),
    };
    let options = PlanOptions {
        because: Some(&because),
        calls: Some((23, Duration::from_millis(412))),
        ..PlanOptions::default()
    };
    let text = render_plan(&plan, &options);
    assert!(!text.contains("canary") && !text.contains('\u{1b}'));
    insta::assert_snapshot!(text, @r#"
    eventpulse (prod) · us-east-1 · account 123456789012 · 3 resources · 23 calls in 0.4 s

      + iam.access_key.app       (named by AWS)
          made by AWS       id, secret
      + lambda.function.process  eventpulse-prod-process
          environment       ESCAPE = "\u001B[2J"
                            KEY = (made by AWS: iam.access_key.app.id)
                            PASSWORD = (secret)
      + s3.bucket.processing     eventpulse-prod-processing
          encryption        "AES256"
          eventbridge       true  because of events.rule.on_upload
          lifecycle         archive = {
                              days = 30
                              prefix = "tmp/"
                              transitions = [{ days = 10, storage_class = "GLACIER" }]
                            }
                            expire = {
                              days = 30
                              prefix = "tmp/"
                              transitions = [{ days = 10, storage_class = "GLACIER" }]
                            }
          policy            + TlsOnly: deny s3:*
                                to everyone
                                on arn:aws:s3:::b, arn:aws:s3:::b/*
                                if aws:SecureTransport = false
          tags              { "a key" = "x", team = "data" }
          versioning        true

    3 to create.
    "#);
}

#[test]
fn what_tells_nothing_new_about_a_creation_comes_with_verbose() {
    let mut bucket = change("s3.bucket.data", Action::Create, "data-1");
    let empty = Value::List(Vec::new());
    bucket.desired = [("name".into(), "data-1".into()), ("list".into(), empty), ("website".into(), Value::Null)].into();
    let plan = plan([bucket]);
    assert!(!shown(&plan).contains("list") && !shown(&plan).contains("name"));
    let layout = Layout { verbose: true, ..Layout::default() };
    let text = render_plan(&plan, &PlanOptions { layout, ..PlanOptions::default() });
    assert!(text.contains("list              []\n") && text.contains("name              \"data-1\"\n"), "{text}");
    assert!(!text.contains("website"));
}

#[test]
fn an_update_tells_old_and_new_and_policies_by_statement() {
    let mut role = change("iam.role.process", Action::Update, "eventpulse-prod-process");
    let grants = |action: &str| {
        json(&format!(
            r#"{{"grants": {{"Version": "2012-10-17", "Statement": [{{"Sid": "Quarantine", "Effect": "Allow",
            "Action": {action}, "Resource": "arn:aws:s3:::eventpulse-prod-quarantine/*"}}]}}}}"#
        ))
    };
    role.before.as_mut().unwrap().managed =
        [("token".into(), Value::from(format!("hmac-sha256:{}", "0".repeat(64))))].into();
    role.differences = vec![
        differs(
            &Path::of("inline_policies"),
            grants(r#"["s3:GetObject"]"#),
            grants(r#"["s3:GetObject", "s3:PutObject"]"#),
        ),
        differs(&Path::of("max_session_duration"), Value::Null, 7200_i64),
        differs(
            &Path::of("tags"),
            json(r#"{"team": "data", "cost": "7"}"#),
            json(r#"{"team": "events", "stage": "prod"}"#),
        ),
        Difference { cause: Cause::Removed, ..differs(&Path::of("description"), "old", Value::Null) },
        Difference { cause: Cause::Principal, ..differs(&Path::of("trust"), "same", "same") },
        differs(&Path::of("token"), "canary", Value::Null),
        differs(&Path::of("code"), "8f3a".repeat(16), format!("8f3b{}", "21cc".repeat(15))),
        differs(
            &Path::of("managed_policies"),
            Value::strings(["arn:aws:iam::aws:policy/A", "arn:aws:iam::aws:policy/Common"]),
            Value::strings(["arn:aws:iam::aws:policy/Common", "arn:aws:iam::aws:policy/B"]),
        ),
    ];
    let text = shown(&plan([role, change("s3.bucket.raw", Action::NoOp, "raw")]));
    assert!(!text.contains("canary"));
    insta::assert_snapshot!(text, @r#"
    eventpulse (prod) · us-east-1 · account 123456789012 · 2 resources

      ~ iam.role.process  eventpulse-prod-process
          inline_policies.grants  ~ Quarantine:
                                      Action + s3:PutObject
          max_session_duration    not set → 7200
          tags.cost               "7" → not set
          tags.stage              not set → "prod"
          tags.team               "data" → "events"
          description             "old" → not set  the file no longer says it
          trust                   written again as it is  because a principal it names is made anew
          token                   (secret) → not set
          code                    - "8f3a8f3a8f3a8f3a8f3a8f3a8f3a8f3a8f3a8f3a8f3a8f3a8f3a8f3a8f3a8f3a"
                                  + "8f3b21cc21cc21cc21cc21cc21cc21cc21cc21cc21cc21cc21cc21cc21cc21cc"
          managed_policies        - "arn:aws:iam::aws:policy/A"
                                  + "arn:aws:iam::aws:policy/B"

    1 to change; 1 unchanged.
    "#);
}

#[test]
fn a_replacement_says_why_where_and_what_is_lost() {
    let mut table = change("dynamodb.table.music", Action::Replace { delete_first: true }, "music");
    table.reason = "hash_key cannot be changed in place".into();
    table.differences = vec![
        Difference { replaces: true, ..differs(&Path::of("hash_key"), "Id", "ArtistID") },
        differs(&Path::of("billing_mode"), "PROVISIONED", "PAY_PER_REQUEST"),
    ];
    table.loss = vec!["1,204,331 items".into(), "2.1 GB".into()];
    let mut child = change("lambda.permission.p", Action::Replace { delete_first: false }, "");
    child.reason = "lambda.function.process, which it is part of, is replaced".into();
    let file =
        Arc::new(SourceFile { name: "stack.toml".into(), text: "[dynamodb.table.music]\nhash_key = 1\n".into() });
    let places = |address: &Address, path: Option<&Path>| {
        let start = if path.is_some() { 23 } else { 0 };
        (address.name == "music").then(|| Span { file: file.clone(), start, end: start + 8 })
    };
    let mut plan = plan([table, child]);
    let old = instance("s3.bucket", "data-old");
    plan.deposed.push(Deposed { address: Address::root("s3.bucket", "data"), instance: old });
    let options = PlanOptions { places: Some(&places), ..PlanOptions::default() };
    insta::assert_snapshot!(render_plan(&plan, &options), @r#"
    eventpulse (prod) · us-east-1 · account 123456789012 · 2 resources

      ± dynamodb.table.music  music
          replaced          the old one is deleted first, because both have one name
          hash_key          "Id" → "ArtistID"  cannot be changed in place (stack.toml:2:1)
          billing_mode      "PROVISIONED" → "PAY_PER_REQUEST"
          loses             1,204,331 items, 2.1 GB
      ± lambda.permission.p   (named by AWS)
          replaced          the new one is made first, then the old one is deleted
          because           lambda.function.process, which it is part of, is replaced
      - s3.bucket.data        data-old
          because           an earlier run replaced it and could not delete it

    2 to replace, 1 to delete.
    Data is lost in 1 resource: dynamodb.table.music.
    "#);
}

#[test]
fn drift_is_put_back_or_accepted_and_said() {
    let drifted =
        |path: &str, from: Value, to: Value| Difference { cause: Cause::Drift, ..differs(&Path::of(path), from, to) };
    let mut bucket = change("s3.bucket.results", Action::Update, "results");
    bucket.differences = vec![
        drifted("versioning", false.into(), true.into()),
        drifted("website", json(r#"{"index": "i.html"}"#), Value::Null),
    ];
    let mut mixed = change("s3.bucket.mixed", Action::Update, "mixed");
    mixed.differences =
        vec![differs(&Path::of("eventbridge"), false, true), drifted("versioning", false.into(), true.into())];
    let mut table = change("dynamodb.table.t", Action::NoOp, "t");
    table.accepted = vec![drifted("tags", json(r#"{"team": "a"}"#), json(r#"{"team": "b"}"#))];
    insta::assert_snapshot!(shown(&plan([bucket, mixed, table])), @r#"
    eventpulse (prod) · us-east-1 · account 123456789012 · 3 resources

      ≠ dynamodb.table.t   t
          drift             tags.team was "a" and is "b" in AWS; state takes that over
      ~ s3.bucket.mixed    mixed
          eventbridge       false → true
          drift             versioning is false, the file says true; apply puts it back
      ≠ s3.bucket.results  results
          drift             versioning is false, the file says true; apply puts it back
          drift             website is { index = "i.html" }, the file does not say it; apply takes it
                            away

    1 to change, 1 to put back, 1 drifted and accepted.
    "#);
}

#[test]
fn moves_adoptions_forgetting_and_deletions_are_told_apart() {
    let mut moved = change("s3.bucket.raw", Action::NoOp, "raw");
    moved.moved_from = Some(Address::root("s3.bucket", "raw_logs"));
    let mut moved_and_changed = change("s3.bucket.new", Action::Update, "new");
    moved_and_changed.moved_from = Some(Address::root("s3.bucket", "old"));
    moved_and_changed.differences = vec![differs(&Path::of("versioning"), false, true)];
    let mut adopted = change("sns.topic.alerts", Action::Adopt, "arn:aws:sns:us-east-1:123456789012:alerts");
    adopted.reason = "it is imported".into();
    adopted.differences = vec![differs(&Path::of("display_name"), Value::Null, "Alerts")];
    let mut forgotten = change("logs.group.old", Action::Forget, "/aws/lambda/old");
    forgotten.reason = "`retain` keeps it in AWS".into();
    let mut deleted = change("module.core.s3.bucket.tmp", Action::Delete, "tmp");
    deleted.loss = vec!["3 objects".into()];
    insta::assert_snapshot!(shown(&plan([moved, moved_and_changed, adopted, forgotten, deleted])), @r#"
    eventpulse (prod) · us-east-1 · account 123456789012 · 5 resources

      × logs.group.old             /aws/lambda/old
          because           `retain` keeps it in AWS
      ~ s3.bucket.new              new
          moved from        s3.bucket.old
          versioning        false → true
      ↪ s3.bucket.raw              raw
          moved from        s3.bucket.raw_logs; no call is made for that
      ← sns.topic.alerts           arn:aws:sns:us-east-1:123456789012:alerts
          because           it is imported
          display_name      not set → "Alerts"
      - module.core.s3.bucket.tmp  tmp
          loses             3 objects

    1 to change, 1 to delete, 1 to adopt, 1 to forget, 2 moved.
    Data is lost in 1 resource: module.core.s3.bucket.tmp.
    "#);
}

#[test]
fn what_could_not_be_planned_keeps_its_fault_whole() {
    let mut plan = plan([change("s3.bucket.raw", Action::NoOp, "raw")]);
    plan.unplanned = vec![
        Unplanned {
            address: Address::root("s3.bucket", "data"),
            fault: Some(Fault {
                kind: FaultKind::Denied,
                service: "s3".into(),
                operation: "GetBucketLifecycleConfiguration".into(),
                code: Some("AccessDenied".into()),
                message: "User: arn:aws:iam::123456789012:user/ci is not authorized".into(),
                request_id: Some("REQ1".into()),
            }),
            waits_for: None,
        },
        Unplanned {
            address: Address::root("lambda.function", "process"),
            fault: None,
            waits_for: Some(Address::root("s3.bucket", "data")),
        },
    ];
    insta::assert_snapshot!(shown(&plan), @"
    eventpulse (prod) · us-east-1 · account 123456789012 · 3 resources

    Not planned, because AWS could not be asked:
      ? s3.bucket.data
          because           s3:GetBucketLifecycleConfiguration answered AccessDenied: User:
                            arn:aws:iam::123456789012:user/ci is not authorized (request REQ1)
          help              allow s3:GetLifecycleConfiguration to the principal that runs this, if it
                            shall do so
      ? lambda.function.process
          waits for         s3.bucket.data

    2 not planned; 1 unchanged.
    ");
}

#[test]
fn nothing_to_do_is_said_in_two_words() {
    let nothing = plan([change("s3.bucket.raw", Action::NoOp, "raw")]);
    insta::assert_snapshot!(shown(&nothing), @"
    eventpulse (prod) · us-east-1 · account 123456789012 · 1 resource

    No changes.
    ");
    let verbose = PlanOptions { layout: Layout { verbose: true, ..Layout::default() }, ..PlanOptions::default() };
    assert!(render_plan(&nothing, &verbose).contains("· s3.bucket.raw"));
    let destroy = Plan { destroy: true, ..plan([]) };
    insta::assert_snapshot!(shown(&destroy), @"
    destroy eventpulse (prod) · us-east-1 · account 123456789012 · 0 resources

    Nothing to destroy.
    ");
}

#[test]
fn colour_changes_nothing_but_colour() {
    let mut role = change("iam.role.r", Action::Update, "r");
    role.differences = vec![
        differs(&Path::of("list"), Value::strings(["a".repeat(60)]), Value::strings(["b".repeat(60)])),
        Difference { cause: Cause::Removed, ..differs(&Path::of("description"), "old", Value::Null) },
    ];
    let plan = plan([role]);
    let coloured = PlanOptions { layout: Layout { colour: true, ..Layout::default() }, ..PlanOptions::default() };
    let text = render_plan(&plan, &coloured);
    assert!(text.contains('\u{1b}'));
    assert_eq!(anstream::adapter::strip_str(&text).to_string(), shown(&plan));
}
