//! More than one run on one stack.

use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use rustix::process::{Signal, kill_process};
use tokio::sync::watch;

use super::stacks::BUCKET;
use crate::support::proxy::{Action, Request};
use crate::support::stack::{Stack, described, writes};
use crate::support::terminal::Terminal;

/// A stack with its state in a bucket, which is made.
pub async fn with_bucket(text: &str) -> Stack {
    let stack = Stack::new("").await;
    stack.write("stack.toml", &format!("{text}\n[backend.s3]\nbucket = \"state-{}\"\n", stack.account));
    stack.ok(&["init", "--backend"]).await;
    stack
}

fn makes_bucket(request: &Request) -> bool {
    request.method == "PUT"
        && request.query.is_empty()
        && request.path.contains("/live-data-")
        && request.path.matches('/').count() <= 2
}

async fn two_at_once(stack: Stack) {
    let (open, gate) = watch::channel(false);
    stack.proxy.once(makes_bucket, Action::Hold(gate));
    let first = stack.start(&["apply", "--yes"]);
    stack.until("the first is at work", |requests| requests.iter().any(makes_bucket)).await;
    let second = stack.refused(&["apply", "--yes"]).await;
    let owner = format!("ada@{} pid {}", rustix::system::uname().nodename().to_string_lossy(), first.pid);
    second.says(&[&owner, "s3stack apply", "--lock-timeout"]);
    stack.refused(&["destroy", "--yes"]).await.says(&[&owner]);
    // A plan takes no lock; it says that somebody is at work.
    stack.run(&["plan"]).await.exits(0).says(&["under way", "ada@"]);
    let mark = stack.proxy.requests().len();
    let waiting = stack.start(&["apply", "--yes", "--lock-timeout", "60s"]);
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(!waiting.is_over());
    open.send(true).unwrap();
    first.ends().await.exits(0);
    let waited = waiting.ends().await.exits(0);
    let made = stack.proxy.requests()[mark..].iter().filter(|one| makes_bucket(one)).count();
    assert_eq!(made, 0, "the one who waited sees what the first made: {waited}");
    stack.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_of_two_applies_names_the_owner_or_waits_with_state_in_a_folder() {
    two_at_once(Stack::new(BUCKET).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_of_two_applies_names_the_owner_or_waits_with_state_in_a_bucket() {
    two_at_once(with_bucket(BUCKET).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn yes_at_the_prompt_applies_and_anything_else_does_not() {
    let stack = Stack::new(BUCKET).await;
    let mut terminal = Terminal::run(stack.command(&["apply"]));
    terminal.until_it_shows(PROMPT).await;
    terminal.types("no\n");
    let (code, shown) = terminal.ends().await;
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("nothing was changed"), "{shown}");
    assert_eq!(stack.proxy.count(writes), 0, "{shown}");
    let mut terminal = Terminal::run(stack.command(&["apply"]));
    terminal.until_it_shows(PROMPT).await;
    terminal.types("yes\n");
    let (code, shown) = terminal.ends().await;
    assert_eq!(code, Some(0), "{shown}");
    stack.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_and_without_yes_nothing_is_applied() {
    let stack = Stack::new(BUCKET).await;
    stack.refused(&["apply"]).await.says(&["--yes"]);
    stack.refused(&["apply", "--no-input"]).await.says(&["--yes"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_at_the_prompt_changes_nothing_and_leaves_no_lease() {
    let stack = with_bucket(BUCKET).await;
    stack.proxy.reset();
    let terminal = Terminal::run(stack.command(&["apply"]));
    terminal.until_it_shows(PROMPT).await;
    kill_process(terminal.pid(), Signal::INT).unwrap();
    let (code, shown) = terminal.ends().await;
    assert_ne!(code, Some(0), "{shown}");
    assert_eq!(stack.proxy.count(writes), 0, "{shown}");
    // Nobody waits 120 s for somebody who said no.
    stack.apply().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_is_stale_at_the_prompt_makes_no_call() {
    for bucket in [false, true] {
        let stack = if bucket { with_bucket(BUCKET).await } else { Stack::new(BUCKET).await };
        stack.apply().await;
        let changed = stack.read("stack.toml").replace("versioning = true", "versioning = false");
        stack.write("stack.toml", &changed);
        stack.proxy.reset();
        let mut terminal = Terminal::run(stack.command(&["apply"]));
        terminal.until_it_shows(PROMPT).await;
        // Somebody who keeps no rules: what follows the question must not rest on what was read before it.
        let pulled = stack.ok(&["state", "pull"]).await.stdout;
        let other = pulled.replace("\"write_id\"", "  \"write_id\"");
        assert_ne!(other, pulled);
        if bucket {
            let (s3, name) = (stack.s3().await, format!("state-{}", stack.account));
            s3.put_object()
                .bucket(name)
                .key("state/live/default.json")
                .body(ByteStream::from(other.into_bytes()))
                .send()
                .await
                .unwrap();
        } else {
            stack.write(".s3stack/state/default/state.json", &other);
        }
        terminal.types("yes\n");
        let (code, shown) = terminal.ends().await;
        assert_eq!(code, Some(1), "{shown}");
        assert_eq!(stack.proxy.count(writes), 0, "{shown}");
        stack.apply().await;
        stack.settled().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_checkout_with_state_in_a_folder_is_refused() {
    let stack = Stack::new(BUCKET).await;
    stack.apply().await;
    let other = Stack::of(stack.account.clone(), BUCKET).await;
    let ran = other.refused(&["apply", "--yes"]).await;
    ran.says(&["s3.bucket.data", &format!("live-data-{}", stack.account)]);
    other.refused(&["plan"]).await;
    other.run(&["destroy", "--yes"]).await.exits(0);
    stack.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_stacks_with_one_name_and_one_bucket_do_not_share_state() {
    let stack = with_bucket(BUCKET).await;
    stack.apply().await;
    let text = format!("{BUCKET}\n[backend.s3]\nbucket = \"state-{}\"\n", stack.account);
    let other = Stack::of(stack.account.clone(), &text).await;
    other.ok(&["init", "--backend"]).await;
    for command in [&["plan"][..], &["apply", "--yes"], &["destroy", "--yes"], &["state", "rm", "s3.bucket.data"]] {
        other.refused(command).await.says(&["another stack of the same name", "id"]);
    }
    stack.settled().await;
}

/// Stopped in the middle of an apply, taken over, and woken: it may finish the call under way, and nothing more.
///
/// Its renewal is due 15 s after it began, and tells it that the lease is lost before the held call is answered.
#[tokio::test(flavor = "multi_thread")]
async fn a_paused_run_that_wakes_after_a_takeover_starts_no_call_and_writes_no_state() {
    let text = format!("{BUCKET}\n[s3.bucket.second]\ndepends_on = [\"s3.bucket.data\"]\n");
    let stack = with_bucket(&text).await;
    let (open, gate) = watch::channel(false);
    stack.proxy.once(makes_bucket, Action::Hold(gate));
    let paused = stack.start(&["apply", "--yes"]);
    stack.until("the first is at work", |requests| requests.iter().any(makes_bucket)).await;
    let began = tokio::time::Instant::now();
    kill_process(paused.pid, Signal::STOP).unwrap();

    // Who comes next sees a lease as old as one is after 120 s.
    let old = ("last-modified".to_owned(), "Mon, 23 Nov 2020 00:00:00 GMT".to_owned());
    stack
        .proxy
        .always(|request| request.method == "GET" && request.path.contains("/lease/"), Action::Headers(vec![old]));
    stack.apply().await.says(&["took over"]);
    stack.settled().await;
    let state = stack.ok(&["state", "pull"]).await.stdout;
    stack.proxy.behave();

    // Past the time at which the paused run's next renewal is due.
    tokio::time::sleep_until(began + Duration::from_secs(16)).await;
    let mark = stack.proxy.requests().len();
    kill_process(paused.pid, Signal::CONT).unwrap();
    stack
        .until("it hears that its lease is lost", |requests| {
            requests[mark..].iter().any(|one| one.method == "PUT" && one.path.contains("/lease/"))
        })
        .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    open.send(true).unwrap();
    let woken = paused.ends().await.exits(1);
    let after: Vec<Request> = stack.proxy.requests().split_off(mark);
    let sent: Vec<String> = after.iter().map(described).collect();
    assert!(!after.iter().any(writes), "it starts no call: {sent:#?}\n{woken}");
    assert!(!after.iter().any(|one| one.method == "PUT" && one.path.contains("/state/")), "{sent:#?}\n{woken}");
    assert_eq!(stack.ok(&["state", "pull"]).await.stdout, state, "it writes no state: {woken}");
    stack.settled().await;
    assert_eq!(stack.proxy.count(|request| request.method == "DELETE" && request.path.contains("/live-")), 0);
}

/// The start of every question.
const PROMPT: &str = "Type yes";
