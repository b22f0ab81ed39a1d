//! SIGKILL at every request of an apply and of a destroy.
//!
//! The default run takes a seeded sample; `S3STACK_FAULTS=full` takes every request at each of the three moments, with
//! state in a folder and in a bucket. `S3STACK_FAULTS_SEED` chooses another sample.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use rustix::process::Signal;

use super::stacks::TEN;
use crate::support::proxy::Action;
use crate::support::stack::{Ran, Stack, described, files};

/// When a run dies, as seen from one of its requests.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Moment {
    /// It has been sent and has not arrived.
    BeforeEffect,
    /// It took effect, and nobody heard.
    BeforeAnswer,
    /// It was answered, and no later request arrives.
    AfterAnswer,
}

const MOMENTS: [Moment; 3] = [Moment::BeforeEffect, Moment::BeforeAnswer, Moment::AfterAnswer];

/// What is cut short, and what is run afterwards.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Verb {
    Apply,
    Destroy,
}

#[derive(Debug, Clone, Copy)]
struct Case {
    backend: Backend,
    killed: Verb,
    request: usize,
    moment: Moment,
    next: Verb,
    /// How long after the answer the program lives on: it may be writing a file.
    delay: Duration,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Backend {
    Folder,
    Bucket,
}

/// xorshift64*: nothing here needs more than that the same seed gives the same cases.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap() % limit
    }
}

fn is_full() -> bool {
    std::env::var("S3STACK_FAULTS").is_ok_and(|value| value == "full")
}

fn dice() -> Dice {
    let seed = std::env::var("S3STACK_FAULTS_SEED").ok().and_then(|seed| seed.parse().ok());
    Dice(seed.unwrap_or(20_261_123))
}

async fn stack(backend: Backend) -> Stack {
    let stack = Stack::new(TEN).await;
    if backend == Backend::Bucket {
        let text = TEN.replace("[s3.bucket.data]", "[backend.s3]\nbucket = \"state-${X}\"\n\n[s3.bucket.data]");
        stack.write("stack.toml", &text.replacen("${X}", &stack.account, 1));
        stack.ok(&["init", "--backend"]).await;
    }
    stack
}

/// Whether the request is the backend's own look at a lease.
fn reads_lease(request: &crate::support::proxy::Request) -> bool {
    request.method == "GET" && request.path.contains("/lease/")
}

/// Makes the lease of whoever died look old, so that nobody waits for its age.
fn age_lease(stack: &Stack) {
    let old = ("last-modified".to_owned(), "Mon, 23 Nov 2020 00:00:00 GMT".to_owned());
    stack.proxy.always(reads_lease, Action::Headers(vec![old]));
}

async fn run(stack: &Stack, verb: Verb) -> Ran {
    match verb {
        Verb::Apply => stack.run(&["apply", "--yes", "--no-input"]).await,
        Verb::Destroy => stack.run(&["destroy", "--yes", "--no-input"]).await,
    }
}

/// Runs a verb until the case's moment, and kills it there. Answers what it sent.
async fn kill(stack: &Stack, case: Case) -> Vec<String> {
    stack.proxy.reset();
    let at = case.request;
    match case.moment {
        Moment::BeforeEffect => stack.proxy.at(at, Action::HangBefore),
        Moment::BeforeAnswer => stack.proxy.at(at, Action::HangAfter),
        Moment::AfterAnswer => stack.proxy.always(move |request| request.index > at, Action::HangBefore),
    }
    let verb = if case.killed == Verb::Apply { "apply" } else { "destroy" };
    let running = stack.start(&[verb, "--yes", "--no-input"]);
    let reached = || match case.moment {
        Moment::BeforeEffect => stack.proxy.requests().len() > at,
        Moment::BeforeAnswer | Moment::AfterAnswer => stack.proxy.status(at).is_some(),
    };
    while !reached() && !running.is_over() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    if case.moment == Moment::AfterAnswer {
        tokio::time::sleep(case.delay).await;
    }
    running.signal(Signal::KILL);
    let ran = running.ends().await;
    // What had arrived goes on to take effect: as AWS would, the emulator does not know who died.
    assert!(ran.signal == Some(9) || ran.code == Some(0), "{case}: {ran}");
    let sent = stack.proxy.requests().iter().map(described).collect();
    stack.proxy.behave();
    sent
}

/// The state; that of a stack that was never applied is an empty one.
async fn state(stack: &Stack) -> serde_json::Value {
    serde_json::from_str(&stack.ok(&["state", "pull"]).await.stdout).unwrap()
}

async fn survives(case: Case) {
    let stack = stack(case.backend).await;
    if case.killed == Verb::Destroy {
        stack.apply().await;
    }
    let sent = kill(&stack, case).await;
    age_lease(&stack);
    let next = run(&stack, case.next).await;
    let story = format!("{case}\nsent before: {sent:#?}\nthen: {next}");
    assert_eq!(next.code, Some(0), "{story}");
    let found = swept(&stack, case.backend).await;
    let state = state(&stack).await;
    assert_eq!(found, Stack::stated(&state), "what there is and what state says: {story}");
    assert_eq!(found.len(), if case.next == Verb::Apply { 10 } else { 0 }, "{story}");
    for left in ["run", "pending", "deposed"] {
        assert!(state[left].is_null() || state[left] == serde_json::json!([]), "{left} in {state:#}: {story}");
    }
    check_secrets(&stack, &found, &story);
    if case.next == Verb::Apply {
        let plan = stack.run(&["plan", "--detailed-exitcode"]).await;
        assert_eq!(plan.code, Some(0), "{story}{plan}");
    }
}

/// The key that lives is the one in `.env`, with its own secret; a secret that was lost was replaced with its key; and no
/// secret is anywhere else.
fn check_secrets(stack: &Stack, found: &BTreeSet<String>, story: &str) {
    let live: Vec<&str> = found.iter().filter_map(|name| name.strip_prefix("iam.access_key ")).collect();
    let (id, secret) = (stack.env_value(".env", "AWS_ACCESS_KEY_ID"), stack.env_value(".env", "AWS_SECRET_ACCESS_KEY"));
    assert_eq!(id.as_deref().into_iter().collect::<Vec<_>>(), live, "the key in .env is the one that lives: {story}");
    let secrets = stack.secrets();
    assert_eq!(secret.as_ref(), id.as_ref().and_then(|id| secrets.get(id)), "with its own secret: {story}");
    for file in files(&stack.folder).into_iter().filter(|file| !file.ends_with(".env")) {
        let text = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
        assert!(!secrets.values().any(|secret| text.contains(secret)), "a secret is in {}: {story}", file.display());
    }
}

/// What the account has, without the state's own bucket.
async fn swept(stack: &Stack, backend: Backend) -> BTreeSet<String> {
    let mut found = stack.sweep().await;
    if backend == Backend::Bucket {
        assert!(found.remove(&format!("s3.bucket state-{}", stack.account)), "{found:?}");
    }
    found
}

/// How many requests an apply and a destroy make that nobody disturbs.
async fn requests(backend: Backend) -> (usize, usize) {
    let stack = stack(backend).await;
    stack.proxy.reset();
    println!("{}", stack.apply().await);
    let apply = stack.proxy.requests().len();
    stack.settled().await;
    let state = state(&stack).await;
    assert_eq!(swept(&stack, backend).await, Stack::stated(&state));
    stack.proxy.reset();
    stack.destroy().await;
    (apply, stack.proxy.requests().len())
}

async fn every_request(backend: Backend, sample: usize) {
    let (applies, destroys) = requests(backend).await;
    println!("{applies} requests in an apply, {destroys} in a destroy");
    let mut dice = dice();
    let mut cases = Vec::new();
    for (killed, count) in [(Verb::Apply, applies), (Verb::Destroy, destroys)] {
        for request in 0..count {
            for moment in MOMENTS {
                // Now and then the user changes their mind.
                let other = dice.below(4) == 0;
                let next = if (killed == Verb::Apply) == other { Verb::Destroy } else { Verb::Apply };
                let delay = Duration::from_millis(dice.below(12) as u64);
                cases.push(Case { backend, killed, request, moment, next, delay });
            }
        }
    }
    if !is_full() {
        for at in 0..sample.min(cases.len()) {
            let other = at + dice.below(cases.len() - at);
            cases.swap(at, other);
        }
        cases.truncate(sample);
    }
    // Two at a time: what they wait for is mostly the emulator, of which there is one.
    let next = std::sync::Arc::new(std::sync::Mutex::new(cases.into_iter()));
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let next = next.clone();
        workers.spawn(async move {
            loop {
                let case = next.lock().unwrap().next();
                let Some(case) = case else { return };
                survives(case).await;
            }
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_request_with_state_in_a_folder() {
    every_request(Backend::Folder, 16).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_request_with_state_in_a_bucket() {
    every_request(Backend::Bucket, 16).await;
}
