use std::sync::Arc;

use s3stack_engine::address::Path;
use s3stack_engine::diagnostic::SourceFile;
use s3stack_engine::fault::FaultKind;
use s3stack_engine::plan::Cause;
use s3stack_engine::value::{Secret, Unknown};

use super::super::plan::tests::{change as planned, differs, plan as plan_of};
use super::*;

fn lines(events: &[Json]) -> String {
    events.iter().map(|event| format!("{event}\n")).collect()
}

fn denied() -> Fault {
    Fault {
        kind: FaultKind::Denied,
        service: "s3".into(),
        operation: "PutBucketPolicy".into(),
        code: Some("AccessDenied".into()),
        message: "no".into(),
        request_id: Some("REQ1".into()),
    }
}

#[test]
fn a_plan_is_a_stream_and_holds_no_secret() {
    let mut bucket = planned("s3.bucket.data", Action::Create, "data");
    let made = Address::root("iam.access_key", "app");
    bucket.desired = [
        ("versioning".into(), Value::from(true)),
        ("password".into(), Value::Secret(Secret::new("canary".into()))),
        ("key".into(), Value::from(Unknown::Attribute { address: made, name: "id".into(), sensitive: false })),
        ("marked".into(), Value::map([(MARK, Value::Reference(Address::root("iam.role", "r")))])),
    ]
    .into();
    let mut function = planned("lambda.function.f", Action::Update, "f");
    let sealed = format!("hmac-sha256:{}", "0".repeat(64));
    function.before.as_mut().unwrap().managed =
        [("environment".into(), Value::map([("A", Value::from("1")), ("TOKEN", sealed.into())]))].into();
    let live = Value::map([("A", Value::from("1")), ("TOKEN", "canary".into())]);
    function.differences = vec![
        Difference { cause: Cause::Removed, ..differs(&Path::of("environment"), live, Value::Null) },
        differs(&Path::of("environment").key("TOKEN"), "canary", Value::Null),
        differs(&Path::of("timeout"), 3_i64, 30_i64),
    ];
    let mut plan = plan_of([bucket, function, planned("s3.bucket.raw", Action::NoOp, "raw")]);
    plan.unplanned =
        vec![Unplanned { address: Address::root("sns.topic", "t"), fault: Some(denied()), waits_for: None }];
    let text = lines(&self::plan(&plan, &PlanOptions::default()));
    assert!(!text.contains("canary"));
    insta::assert_snapshot!(text, @r#"
    {"v":1,"type":"plan.begin","stack":"eventpulse","environment":"prod","region":"us-east-1","account_id":"123456789012","lineage":"lineage","serial":7,"destroy":false,"resources":4,"calls":null,"seconds":null}
    {"v":1,"type":"plan.change","address":"lambda.function.f","resource_type":"lambda.function","action":"update","delete_first":null,"moved_from":null,"physical_id":"f","at":null,"properties":null,"differences":[{"path":"environment","from":{"A":"1","TOKEN":{"$s3stack":"secret"}},"to":null,"cause":"removed","replaces":false,"at":null},{"path":"environment.TOKEN","from":{"$s3stack":"secret"},"to":null,"cause":"file","replaces":false,"at":null},{"path":"timeout","from":3,"to":30,"cause":"file","replaces":false,"at":null}],"accepted":[],"reason":"","loses":[],"waits_for":[],"because":{},"made_by_aws":null}
    {"v":1,"type":"plan.change","address":"s3.bucket.data","resource_type":"s3.bucket","action":"create","delete_first":null,"moved_from":null,"physical_id":"data","at":null,"properties":{"key":{"$s3stack":{"made_by_aws":["iam.access_key.app.id"],"secret":false}},"marked":{"$s3stack":{"map":{"$s3stack":{"$s3stack":{"reference":"iam.role.r"}}}}},"password":{"$s3stack":"secret"},"versioning":true},"differences":[],"accepted":[],"reason":"","loses":[],"waits_for":[],"because":{},"made_by_aws":null}
    {"v":1,"type":"plan.unplanned","address":"sns.topic.t","fault":{"kind":"denied","service":"s3","operation":"PutBucketPolicy","code":"AccessDenied","message":"no","request_id":"REQ1","help":"allow s3:PutBucketPolicy to the principal that runs this, if it shall do so"},"waits_for":null}
    {"v":1,"type":"plan.end","empty":false,"create":1,"change":1,"put_back":0,"replace":0,"delete":0,"adopt":0,"forget":0,"moved":0,"accepted":0,"unchanged":1,"unplanned":1,"outputs":{}}
    "#);
}

#[test]
fn a_diagnostic_has_its_place_in_fields() {
    let file = Arc::new(SourceFile { name: "stack.toml".into(), text: "a = 1\nb = 2\n".into() });
    let span = Span { file, start: 10, end: 11 };
    let one = Diagnostic::error("S3S-T1", "wrong")
        .at(span.clone())
        .on(&Address::root("s3.bucket", "data"))
        .property(&Path::of("b"))
        .label(Some(span), "here")
        .note("because")
        .help("do this");
    let all = Diagnostics(vec![one.clone(), one, Diagnostic::warning("S3S-W1", "hm")]);
    insta::assert_snapshot!(lines(&diagnostics(&all)), @r#"
    {"v":1,"type":"diagnostic","code":"S3S-W1","severity":"warning","message":"hm","file":null,"line":null,"column":null,"end_line":null,"end_column":null,"address":null,"path":null,"labels":[],"notes":[],"help":null}
    {"v":1,"type":"diagnostic","code":"S3S-T1","severity":"error","message":"wrong","file":"stack.toml","line":2,"column":5,"end_line":2,"end_column":6,"address":"s3.bucket.data","path":"b","labels":[{"at":{"file":"stack.toml","line":2,"column":5,"end_line":2,"end_column":6},"text":"here"}],"notes":["because"],"help":"do this"}
    {"v":1,"type":"diagnostic.end","errors":1,"warnings":1}
    "#);
}

#[test]
fn an_apply_is_a_stream_and_loses_nothing_of_a_fault() {
    let (data, role) = (Address::root("s3.bucket", "data"), Address::root("iam.role", "app"));
    let took = Duration::from_millis(412);
    let happened = [
        Event::Moved { from: role.clone(), to: data.clone() },
        Event::Started { address: data.clone(), verb: Verb::Create },
        Event::Retrying { address: data.clone(), verb: Verb::Create, fault: denied(), after: took },
        Event::Done { address: data.clone(), verb: Verb::Create, took },
        Event::Failed { address: role.clone(), verb: Verb::Delete, fault: denied(), uncertain: true },
        Event::Persisted { serial: 8, took },
        Event::Stopping,
    ];
    let mut events: Vec<Json> = happened.iter().map(apply_event).collect();
    let summary = Summary {
        failed: vec![s3stack_engine::apply::Failed {
            address: role.clone(),
            verb: Verb::Delete,
            fault: denied(),
            uncertain: true,
        }],
        not_started: vec![(role, Verb::Create)],
        stopped: Some(Stopped::Lost("somebody else".into())),
        outputs: [("token".into(), Value::Secret(Secret::new("canary".into())))].into(),
        ..Summary::default()
    };
    events.push(apply_end(&summary, &Effort { command: "s3stack apply", calls: 3, took }));
    let text = lines(&events);
    assert!(!text.contains("canary"));
    insta::assert_snapshot!(text, @r#"
    {"v":1,"type":"apply.moved","from":"iam.role.app","to":"s3.bucket.data"}
    {"v":1,"type":"apply.started","address":"s3.bucket.data","verb":"create"}
    {"v":1,"type":"apply.retrying","address":"s3.bucket.data","verb":"create","fault":{"kind":"denied","service":"s3","operation":"PutBucketPolicy","code":"AccessDenied","message":"no","request_id":"REQ1","help":"allow s3:PutBucketPolicy to the principal that runs this, if it shall do so"},"after_seconds":0.412}
    {"v":1,"type":"apply.done","address":"s3.bucket.data","verb":"create","seconds":0.412}
    {"v":1,"type":"apply.failed","address":"iam.role.app","verb":"delete","fault":{"kind":"denied","service":"s3","operation":"PutBucketPolicy","code":"AccessDenied","message":"no","request_id":"REQ1","help":"allow s3:PutBucketPolicy to the principal that runs this, if it shall do so"},"uncertain":true}
    {"v":1,"type":"apply.persisted","serial":8,"seconds":0.412}
    {"v":1,"type":"apply.stopping"}
    {"v":1,"type":"apply.end","success":false,"recorded":false,"stopped":"lost","why":"somebody else","done":[],"failed":[{"address":"iam.role.app","verb":"delete","fault":{"kind":"denied","service":"s3","operation":"PutBucketPolicy","code":"AccessDenied","message":"no","request_id":"REQ1","help":"allow s3:PutBucketPolicy to the principal that runs this, if it shall do so"},"uncertain":true}],"skipped":[],"not_started":[{"address":"iam.role.app","verb":"create"}],"in_flight":[],"outputs":{"token":{"$s3stack":"secret"}},"calls":3,"seconds":0.412}
    "#);
}

#[test]
fn the_reference_lists_the_events_in_their_order() {
    let reference = include_str!("../../../docs/json.md");
    let documented: Vec<&str> =
        reference.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`')).collect();
    assert_eq!(documented, TYPES);
}
