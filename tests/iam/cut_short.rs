//! Runs that end in the middle, at every call in turn: the next one finishes what was begun.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use s3stack::resources::provider;

use crate::stage::{Run, Stage};
use crate::support::emulator;
use crate::support::proxy::{Action, Proxy, Request};

const TYPES: [&str; 3] = ["iam.role", "iam.policy", "iam.instance_profile"];

/// What a test does before the run that is cut short, and with which stack file.
#[derive(Clone, Copy, Debug)]
enum Step {
    Create,
    Update,
    Reduce,
    Replace,
    Destroy,
}

/// Brings a stack to where the step begins.
async fn prepare(stage: &Stage, type_name: &str, step: Step) {
    let fixtures = provider(type_name).unwrap().fixtures();
    match step {
        Step::Create => stage.write(fixtures.base),
        Step::Update | Step::Replace | Step::Destroy => drop(stage.apply(fixtures.base).await),
        Step::Reduce => drop(stage.apply(fixtures.updated).await),
    }
    match step {
        Step::Update => stage.write(fixtures.updated),
        Step::Replace => stage.write(fixtures.replaced),
        Step::Reduce => stage.write(fixtures.base),
        Step::Create | Step::Destroy => {}
    }
}

async fn finished(stage: &Stage, step: Step, what: &str) {
    let destroy = matches!(step, Step::Destroy);
    let run = stage.run(destroy, usize::MAX).await;
    assert!(run.summary.is_success(), "{what}: {:#?}", run.summary);
    if !destroy {
        assert_eq!(stage.plan().await.0, [""; 0], "{what}");
    }
    stage.destroy().await;
    let left = stage.everything().await;
    assert_eq!(left, [""; 0], "{what} leaves something behind");
}

async fn cut_everywhere(step: Step) {
    for type_name in TYPES {
        let stage = Stage::new();
        prepare(&stage, type_name, step).await;
        let whole: Run = stage.run(matches!(step, Step::Destroy), usize::MAX).await.succeeded();
        let cut = async |calls: usize| {
            let stage = Stage::new();
            prepare(&stage, type_name, step).await;
            let run = stage.run(matches!(step, Step::Destroy), calls).await;
            finished(&stage, step, &format!("{type_name} {step:?} ended after {:?}", run.calls)).await;
        };
        // The stacks have nothing in common, so they need not wait for one another.
        join_all((0..whole.calls.len()).map(cut)).await;
    }
}

#[tokio::test]
async fn a_creation_cut_short_is_finished() {
    cut_everywhere(Step::Create).await;
}

#[tokio::test]
async fn an_update_cut_short_is_finished() {
    cut_everywhere(Step::Update).await;
}

#[tokio::test]
async fn a_reduction_cut_short_is_finished() {
    cut_everywhere(Step::Reduce).await;
}

#[tokio::test]
async fn a_replacement_cut_short_is_finished() {
    cut_everywhere(Step::Replace).await;
}

#[tokio::test]
async fn a_deletion_cut_short_is_finished() {
    cut_everywhere(Step::Destroy).await;
}

/// The answer is lost after the call took effect: whether it did nobody knows, and nothing may be made twice or lost.
#[tokio::test]
async fn lost_answers_neither_lose_nor_double_anything() {
    for type_name in TYPES {
        let whole = {
            let stage = Stage::new();
            prepare(&stage, type_name, Step::Create).await;
            stage.run(false, usize::MAX).await.succeeded().writes().len()
        };
        let lose = async |index: usize| {
            let proxy = Proxy::start(emulator::address()).await;
            let stage = Stage::at(&proxy.url());
            prepare(&stage, type_name, Step::Create).await;
            let earlier = AtomicUsize::new(0);
            let fits = move |request: &Request| is_write(request) && earlier.fetch_add(1, Ordering::SeqCst) == index;
            proxy.once(fits, Action::CutAfter);
            let run = stage.run(false, usize::MAX).await;
            finished(&stage, Step::Create, &format!("{type_name}, answer {index} lost, {:?}", run.faults)).await;
        };
        join_all((0..whole).map(lose)).await;
    }
}

fn is_write(request: &Request) -> bool {
    let body = String::from_utf8_lossy(&request.body);
    body.strip_prefix("Action=").is_some_and(|call| !call.starts_with("Get") && !call.starts_with("List"))
}
