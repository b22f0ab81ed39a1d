//! Ctrl-C and its relatives in the middle of an apply.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use tokio::sync::watch;

use super::stacks::BUCKET;
use crate::support::proxy::{Action, Request};
use crate::support::stack::{Running, Stack, writes};

/// Two buckets, one after the other.
fn text() -> String {
    format!("{BUCKET}\n[s3.bucket.second]\ndepends_on = [\"s3.bucket.data\"]\n")
}

fn makes_bucket(request: &Request) -> bool {
    request.method == "PUT" && request.query.is_empty() && request.path.contains("/live-data-")
}

/// An apply whose first creation is under way until the sender says so.
async fn held(stack: &Stack) -> (Running, watch::Sender<bool>) {
    let (open, gate) = watch::channel(false);
    stack.proxy.once(makes_bucket, Action::Hold(gate));
    let running = stack.start(&["apply", "--yes"]);
    stack.until("a creation is under way", |requests| requests.iter().any(makes_bucket)).await;
    (running, open)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_signal_finishes_what_is_in_flight_and_records_it() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let stack = Stack::new(&text()).await;
        let (running, open) = held(&stack).await;
        running.signal(signal);
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!running.is_over(), "it waits for the call under way");
        open.send(true).unwrap();
        let ran = running.ends().await.exits(1).says(&["stopping", "s3.bucket.second"]);
        let state = stack.state();
        assert_eq!(state["instances"].as_object().unwrap().keys().collect::<Vec<_>>(), ["s3.bucket.data"], "{ran}");
        assert_eq!((&state["run"], &state["pending"]), (&json!(null), &json!([])), "{ran}");
        assert_eq!(stack.sweep().await, Stack::stated(&state));
        stack.apply().await;
        stack.settled().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_signal_stops_at_once_and_leaves_what_was_begun_pending() {
    let stack = Stack::new(&text()).await;
    let (running, open) = held(&stack).await;
    running.signal(Signal::INT);
    tokio::time::sleep(Duration::from_millis(200)).await;
    running.signal(Signal::INT);
    let ran = running.ends().await.exits(130).says(&["stopped at once"]);
    let state = stack.state();
    assert!(state["run"].is_object(), "{ran}");
    let pending = state["pending"].as_array().unwrap();
    assert!(pending.iter().any(|one| one["address"] == "s3.bucket.data"), "{state:#}");
    // What was on its way arrives after the program is gone.
    open.send(true).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    stack.run(&["plan"]).await.exits(0).says(&["cut short"]);
    stack.apply().await.says(&["s3.bucket.data"]);
    stack.settled().await;
    assert_eq!(stack.sweep().await, Stack::stated(&stack.state()));
    assert_eq!(stack.proxy.effects(writes), stack.proxy.count(writes));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_while_planning_changes_nothing() {
    let stack = super::together::with_bucket(BUCKET).await;
    stack.proxy.reset();
    let (_open, gate) = watch::channel(false);
    let reads = |request: &Request| request.path.contains("/live-data-");
    stack.proxy.once(reads, Action::Hold(gate));
    let running = stack.start(&["apply", "--yes"]);
    stack.until("it plans", move |requests| requests.iter().any(reads)).await;
    running.signal(Signal::INT);
    let ran = running.ends().await;
    assert_ne!(ran.code, Some(0), "{ran}");
    assert_eq!(stack.proxy.count(writes), 0, "{ran}");
    stack.proxy.behave();
    // It has given its lease back: nobody waits for it.
    stack.apply().await;
}
