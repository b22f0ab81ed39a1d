//! The AWS edge, with real SDK clients against scripted answers.

mod environment;
mod server;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use s3stack::aws::{
    CallEvent, Clients, Failed, Failure, Gate, Observer, Operation, Policy, RetryRule, Session, Settings,
};
use s3stack_engine::fault::{Fault, FaultKind};
use server::{Reply, Server};
use tokio::sync::Barrier;

const ACCOUNT: &str = "123456789012";

/// Retries as on AWS, but without the waiting.
fn hasty() -> Policy {
    Policy {
        throttle_first: Duration::from_millis(1),
        throttle_longest: Duration::from_millis(2),
        trouble_first: Duration::from_millis(1),
        trouble_longest: Duration::from_millis(2),
        ..Policy::default()
    }
}

fn settings(url: &str) -> Settings {
    Settings { endpoint: Some(url.into()), local_account: Some(ACCOUNT.into()), policy: hasty(), ..Settings::default() }
}

async fn session(url: &str) -> Session {
    Clients::load(settings(url)).await.unwrap().home().unwrap()
}

const GET_VERSIONING: Operation = Operation::read("s3", "GetBucketVersioning");
const HEAD_BUCKET: Operation = Operation::read("s3", "HeadBucket");
const DELETE_TAGGING: Operation = Operation::idempotent("s3", "DeleteBucketTagging");
const CREATE_BUCKET: Operation = Operation::once("s3", "CreateBucket");
const CREATE_ROLE: Operation = Operation::once("iam", "CreateRole");

async fn get_versioning(session: &Session) -> Result<(), Fault> {
    session.call(GET_VERSIONING, || session.s3().get_bucket_versioning().bucket("bucket").send()).await.map(drop)
}

async fn head_bucket(session: &Session) -> Result<(), Fault> {
    session.call(HEAD_BUCKET, || session.s3().head_bucket().bucket("bucket").send()).await.map(drop)
}

async fn delete_tagging(session: &Session) -> Result<(), Fault> {
    session.call(DELETE_TAGGING, || session.s3().delete_bucket_tagging().bucket("bucket").send()).await.map(drop)
}

async fn create_bucket(session: &Session) -> Result<(), Fault> {
    session.call(CREATE_BUCKET, || session.s3().create_bucket().bucket("bucket").send()).await.map(drop)
}

async fn create_role(session: &Session, operation: Operation) -> Result<(), Fault> {
    let call = || session.iam().create_role().role_name("r").assume_role_policy_document("{}").send();
    session.call(operation, call).await.map(drop)
}

const ROLE: &str = "<CreateRoleResponse><CreateRoleResult><Role><Path>/</Path><RoleName>r</RoleName><RoleId>AROA</RoleId>\
    <Arn>arn:aws:iam::123456789012:role/r</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate></Role></CreateRoleResult>\
    </CreateRoleResponse>";

#[tokio::test]
async fn a_throttled_write_is_repeated_and_every_attempt_is_counted() {
    let server =
        Server::start(vec![Reply::s3(503, "SlowDown", "Reduce your request rate."), Reply::xml(200, "")]).await;
    let session = session(&server.url).await;
    create_bucket(&session).await.unwrap();
    assert_eq!(server.requests().len(), 2);
    let calls = session.clients().calls();
    assert_eq!(calls.total, 2);
    assert_eq!(calls.by_operation[&("s3", "CreateBucket".to_owned())], 2);
}

#[tokio::test]
async fn a_server_error_on_a_write_is_uncertain_and_not_repeated() {
    let server = Server::start(vec![Reply::s3(500, "InternalError", "We encountered an internal error.")]).await;
    let fault = create_bucket(&session(&server.url).await).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Uncertain);
    assert_eq!(fault.code.as_deref(), Some("InternalError"));
    assert_eq!(fault.request_id.as_deref(), Some("S3REQUEST"));
    assert_eq!(fault.message, "We encountered an internal error.");
    assert_eq!((fault.service.as_str(), fault.operation.as_str()), ("s3", "CreateBucket"));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_server_error_on_an_idempotent_write_is_repeated() {
    let server = Server::start(vec![Reply::s3(500, "InternalError", ""), Reply::bare(204, vec![])]).await;
    delete_tagging(&session(&server.url).await).await.unwrap();
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_cut_connection_is_uncertain_for_a_write_and_repeated_for_a_read() {
    let server = Server::start(vec![Reply::Cut]).await;
    let fault = create_bucket(&session(&server.url).await).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Uncertain, "{fault}");
    assert_eq!(fault.code, None);
    assert_eq!(server.requests().len(), 1);

    let server = Server::start(vec![Reply::Cut, Reply::CutInside, Reply::xml(200, "<VersioningConfiguration/>")]).await;
    get_versioning(&session(&server.url).await).await.unwrap();
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn an_answer_cut_in_its_middle_is_uncertain() {
    let server = Server::start(vec![Reply::CutInside]).await;
    let session = session(&server.url).await;
    let fault = create_role(&session, CREATE_ROLE).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Uncertain, "{fault}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_page_that_is_not_of_the_service_is_uncertain_for_a_write() {
    let page = Reply::Answer {
        status: 200,
        headers: vec![("content-type", "text/html".into())],
        body: "<html><body>Sign in to the network</body></html>".into(),
    };
    let server = Server::start(vec![page]).await;
    let session = session(&server.url).await;
    let fault = create_role(&session, CREATE_ROLE).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Uncertain, "{fault}");
}

#[tokio::test]
async fn expired_credentials_are_final() {
    let server = Server::start(vec![Reply::s3(400, "ExpiredToken", "The provided token has expired.")]).await;
    let fault = get_versioning(&session(&server.url).await).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Expired);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_denied_call_keeps_what_iam_said() {
    let text = "User: arn:aws:iam::123456789012:user/u is not authorized to perform: iam:CreateRole";
    let server = Server::start(vec![Reply::query(403, "AccessDenied", text)]).await;
    let session = session(&server.url).await;
    let fault = create_role(&session, CREATE_ROLE).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Denied);
    assert_eq!(fault.code.as_deref(), Some("AccessDenied"));
    assert_eq!(fault.message, text);
    assert_eq!(fault.request_id.as_deref(), Some("AWSREQUEST"));
}

#[tokio::test]
async fn a_modelled_error_and_an_unmodelled_one_are_read_alike() {
    for (code, kind) in [("EntityAlreadyExists", FaultKind::Conflict), ("SomethingNew", FaultKind::Invalid)] {
        let status = if kind == FaultKind::Conflict { 409 } else { 400 };
        let server = Server::start(vec![Reply::query(status, code, "text")]).await;
        let session = session(&server.url).await;
        let fault = create_role(&session, CREATE_ROLE).await.unwrap_err();
        assert_eq!((fault.kind, fault.code.as_deref(), fault.message.as_str()), (kind, Some(code), "text"));
    }
}

#[tokio::test]
async fn an_error_in_json_is_read_alike() {
    const CREATE: Operation = Operation::once("logs", "CreateLogGroup");
    let server = Server::start(vec![Reply::Answer {
        status: 400,
        headers: vec![("x-amzn-requestid", "AWSREQUEST".into())],
        body: r#"{"__type":"ResourceAlreadyExistsException","message":"The specified log group already exists"}"#
            .into(),
    }])
    .await;
    let session = session(&server.url).await;
    let call = || session.logs().create_log_group().log_group_name("g").send();
    let fault = session.call(CREATE, call).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Conflict);
    assert_eq!(fault.code.as_deref(), Some("ResourceAlreadyExistsException"));
    assert_eq!(fault.request_id.as_deref(), Some("AWSREQUEST"));
    assert_eq!(session.clients().calls().actions().first().map(String::as_str), Some("logs:CreateLogGroup"));
}

#[tokio::test]
async fn a_body_that_breaks_off_while_it_is_read_is_read_again() {
    const GET: Operation = Operation::read("s3", "GetObject");
    let whole = Reply::Answer { status: 200, headers: vec![], body: "state".into() };
    let server = Server::start(vec![Reply::CutInside, whole]).await;
    let session = session(&server.url).await;
    let read = || async {
        let answer = session.s3().get_object().bucket("bucket").key("k").send().await;
        let body = answer.map_err(|error| error.failed(&GET))?.body;
        body.collect().await.map_err(|error| Failed::unread(&GET, &error))
    };
    let body = session.call(GET, read).await.unwrap();
    assert_eq!(&body.into_bytes()[..], b"state");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn an_answer_without_a_body_is_classed_by_status_if_it_is_from_aws() {
    let id = || vec![("x-amz-request-id", "S3REQUEST".to_owned())];
    for (status, headers, kind) in [
        (404, id(), FaultKind::NotFound),
        (403, id(), FaultKind::Denied),
        (404, vec![], FaultKind::Other),
        (403, vec![], FaultKind::Other),
    ] {
        let from_aws = !headers.is_empty();
        let server = Server::start(vec![Reply::bare(status, headers)]).await;
        let fault = head_bucket(&session(&server.url).await).await.unwrap_err();
        assert_eq!(fault.kind, kind, "{status} from AWS: {from_aws}: {fault}");
        assert_eq!(fault.message.contains("proxy"), !from_aws, "{fault}");
    }
}

#[tokio::test]
async fn a_bucket_in_another_region_is_named_with_it() {
    let headers =
        vec![("x-amz-request-id", "S3REQUEST".to_owned()), ("x-amz-bucket-region", "eu-central-1".to_owned())];
    let server = Server::start(vec![Reply::bare(301, headers)]).await;
    let fault = head_bucket(&session(&server.url).await).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Other);
    assert!(fault.message.contains("the bucket is in eu-central-1"), "{fault}");
}

#[tokio::test]
async fn a_declared_refusal_is_waited_out() {
    const RULE: RetryRule = RetryRule {
        awaits: "the new principal to be visible",
        codes: &["MalformedPolicyDocument"],
        says: &["Invalid principal in policy"],
        every: Duration::from_millis(2),
        up_to: Duration::from_secs(60),
    };
    let refused = || Reply::query(400, "MalformedPolicyDocument", "Invalid principal in policy: AWS:arn");
    let server = Server::start(vec![refused(), refused(), refused(), Reply::xml(200, ROLE)]).await;
    let waits = Arc::new(Mutex::new(Vec::new()));
    let observer = Observer::new({
        let waits = Arc::clone(&waits);
        move |event| {
            if let CallEvent::Waits(wait) = event {
                waits.lock().unwrap().push((wait.attempts, wait.awaits));
            }
        }
    });
    let settings = Settings { observer: Some(observer), ..settings(&server.url) };
    let session = Clients::load(settings).await.unwrap().home().unwrap();
    create_role(&session, CREATE_ROLE.retrying(&[RULE])).await.unwrap();
    assert_eq!(server.requests().len(), 4);
    let expected = "the new principal to be visible";
    assert_eq!(*waits.lock().unwrap(), [(1, expected), (2, expected), (3, expected)]);
}

#[tokio::test]
async fn a_refused_connection_is_tried_again_and_never_uncertain() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let session = session(&url).await;
    let fault = create_bucket(&session).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Other, "{fault}");
    assert!(fault.message.contains("nothing was sent"), "{fault}");
    assert!(fault.message.contains("after 4 attempts"), "{fault}");
}

#[tokio::test]
async fn a_request_that_cannot_be_built_is_invalid() {
    let server = Server::start(vec![Reply::xml(200, "")]).await;
    let session = session(&server.url).await;
    let fault = session.call(CREATE_BUCKET, || session.s3().create_bucket().send()).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Invalid, "{fault}");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn the_observer_sees_status_request_id_and_no_secret() {
    let server = Server::start(vec![Reply::xml(200, "<VersioningConfiguration/>")]).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let observer = Observer::new({
        let seen = Arc::clone(&seen);
        move |event| seen.lock().unwrap().push(event.clone())
    });
    let settings = Settings { observer: Some(observer), ..settings(&server.url) };
    let session = Clients::load(settings).await.unwrap().home().unwrap();
    get_versioning(&session).await.unwrap();
    let seen = seen.lock().unwrap();
    let [CallEvent::Ended(record)] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!((record.service, record.operation.as_str()), ("s3", "GetBucketVersioning"));
    assert_eq!((record.status, record.request_id.as_deref()), (Some(200), Some("S3REQUEST")));
    assert!(!format!("{record:?}").to_lowercase().contains("signature"));
}

#[tokio::test]
async fn the_caller_is_asked_once() {
    let body = "<GetCallerIdentityResponse><GetCallerIdentityResult>\
        <Arn>arn:aws-cn:sts::123456789012:assumed-role/admin/me</Arn><UserId>AROA:me</UserId>\
        <Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";
    let server = Server::start(vec![Reply::xml(200, body)]).await;
    let clients = Clients::load(settings(&server.url)).await.unwrap();
    let (one, two) = tokio::join!(clients.caller_identity(), clients.caller_identity());
    assert_eq!(one.unwrap(), two.unwrap());
    let caller = clients.clone().caller_identity().await.unwrap().clone();
    assert_eq!((caller.account_id.as_str(), caller.partition.as_str()), (ACCOUNT, "aws-cn"));
    assert_eq!(server.requests().len(), 1);
}

struct Switch(AtomicBool);

impl Gate for Switch {
    fn may_start(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_closed_gate_lets_nothing_out_but_the_ungated_clients_go_on() {
    let server = Server::start(vec![Reply::xml(200, "<VersioningConfiguration/>")]).await;
    let clients = Clients::load(settings(&server.url)).await.unwrap();
    let gate = Arc::new(Switch(AtomicBool::new(true)));
    let gated = clients.gated(gate.clone()).home().unwrap();
    get_versioning(&gated).await.unwrap();
    gate.0.store(false, Ordering::SeqCst);
    let fault = create_bucket(&gated).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Stopped);
    assert_eq!(server.requests().len(), 1);
    get_versioning(&clients.home().unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_stop_leaves_the_write_under_way_uncertain_and_refuses_the_waiting() {
    let server = Server::start(vec![Reply::Hang]).await;
    let settings = Settings { parallelism: Some(1), ..settings(&server.url) };
    let session = Clients::load(settings).await.unwrap().home().unwrap();
    let under_way = tokio::spawn({
        let session = session.clone();
        async move { create_bucket(&session).await }
    });
    while server.requests().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let waiting = tokio::spawn({
        let session = session.clone();
        async move { create_bucket(&session).await }
    });
    tokio::time::sleep(Duration::from_millis(1)).await;
    session.clients().stop();
    assert_eq!(under_way.await.unwrap().unwrap_err().kind, FaultKind::Uncertain);
    assert_eq!(waiting.await.unwrap().unwrap_err().kind, FaultKind::Stopped);
    assert_eq!(create_bucket(&session).await.unwrap_err().kind, FaultKind::Stopped);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_hundred_calls_are_under_way_at_once_and_their_connections_are_used_again() {
    // Every answer waits for all hundred requests: with fewer in flight this would not end.
    let barrier = Arc::new(Barrier::new(100));
    let server = Server::start(vec![Reply::Together(barrier)]).await;
    let session = session(&server.url).await;
    for _ in 0..3 {
        let calls = (0..100).map(|_| head_bucket(&session));
        for answer in futures_util::future::join_all(calls).await {
            answer.unwrap();
        }
    }
    assert_eq!(server.requests().len(), 300);
    assert!(server.connections() <= 110, "{} connections", server.connections());
}
