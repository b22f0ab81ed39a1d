//! What an apply promises, whatever goes wrong: random stacks, random faults, every order of events.
//!
//! The driver and the store of [`crate::testing`] check at every step that no call precedes its stored entry, that no
//! state contradicts itself or holds a secret, that one write is in flight at a time, and that a run that lost the state
//! stops. `S3STACK_CASES`, set when the tests are compiled, runs that many other cases.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::*;
use crate::fault::FaultKind;
use crate::state::Verb;
use crate::testing::driver::{Course, Ended};
use crate::testing::faults::Schedule;
use crate::testing::generate;
use crate::testing::stack::Stack;
use crate::testing::world::World;

/// The same cases in every run; with `S3STACK_CASES` set when this is compiled, so many, others each time.
fn runner(usual: u32) -> TestRunner {
    let asked = option_env!("S3STACK_CASES").and_then(|text| text.parse().ok());
    let config =
        Config { cases: asked.unwrap_or(usual), failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    match asked {
        Some(_) => TestRunner::new(config),
        None => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
    }
}

/// What went wrong, in few words.
fn brief(summary: &Summary) -> String {
    let failed = summary.failed.iter().map(|failed| format!("{} {:?}: {}", failed.address, failed.verb, failed.fault));
    let skipped = summary.skipped.iter().map(|skipped| format!("{} because of {}", skipped.address, skipped.because));
    format!(
        "failed {:?}, skipped {:?}, stopped {:?}",
        failed.collect::<Vec<_>>(),
        skipped.collect::<Vec<_>>(),
        summary.stopped
    )
}

fn summary(course: &Course) -> Option<&Summary> {
    match &course.ended {
        Ended::Done(summary) => Some(summary),
        Ended::Crashed => None,
    }
}

/// Applies `stack` without faults. One apply is enough, but where state had to be so careful after an update of unknown
/// effect that its edges form a circle: then the cloud may refuse a deletion, and the next apply does it.
fn converge(world: &mut World, stack: &Stack) -> Result<(), TestCaseError> {
    for _ in 0..4 {
        let course = world.apply(Some(stack), &Schedule::calm()).expect("a plan is possible");
        let summary = summary(&course).expect("without faults it ends");
        if summary.is_success() {
            // What a run that died had tried may be remembered once more after the run that took over: to forget it
            // takes a write of the state and no call.
            if course.writes == 0 {
                break;
            }
            continue;
        }
        let refused = |failed: &Failed| failed.verb == Verb::Delete && failed.fault.kind == FaultKind::Dependency;
        prop_assert!(summary.failed.iter().all(refused), "{}\n{}", brief(summary), world.log.join("\n"));
    }
    unlike(world, stack)
}

/// The cloud is as the stack wants it, and a further apply does nothing.
fn unlike(world: &mut World, stack: &Stack) -> Result<(), TestCaseError> {
    let unlike = world.unlike(stack);
    prop_assert!(unlike.is_empty(), "{}\n{}", unlike.join("\n"), world.log.join("\n"));
    let course = world.apply(Some(stack), &Schedule::calm()).expect("a plan is possible");
    prop_assert_eq!((course.calls, course.writes), (0, 0), "the second apply does something: {:?}", course.events);
    Ok(())
}

/// What the summary says is what the cloud has.
fn is_truthful(world: &World, summary: &Summary) -> Result<(), TestCaseError> {
    let state = world.store.state();
    let exists = |id: &str, kind: &str| world.cloud.objects.contains_key(&(kind.to_owned(), id.to_owned()));
    for done in summary.done.iter().filter(|_| summary.recorded) {
        if done.verb == Verb::Delete {
            continue;
        }
        let replaced = summary.done.iter().any(|other| other.address == done.address && other.verb == Verb::Delete);
        let instance = state.instances.get(&done.address);
        prop_assert!(instance.is_some() || replaced, "{} is said to be done and is not in state", done.address);
        if let Some(instance) = instance {
            let there = exists(&instance.physical_id, &instance.type_name);
            prop_assert!(there, "{} is said to be done and does not exist", done.address);
        }
    }
    for skipped in &summary.skipped {
        let failed = summary.failed.iter().any(|failed| failed.address == skipped.because);
        prop_assert!(failed, "{} is skipped because of {}, which did not fail", skipped.address, skipped.because);
    }
    for failed in summary.failed.iter().filter(|failed| failed.uncertain && summary.recorded) {
        let stays = state.pending.iter().any(|entry| entry.address == failed.address);
        prop_assert!(stays, "{} is uncertain and nothing makes the next run look", failed.address);
    }
    Ok(())
}

#[test]
fn without_faults_one_apply_is_enough_and_a_second_does_nothing() {
    let mut runner = runner(150);
    let strategy = (generate::stack(), generate::stack(), generate::order());
    runner
        .run(&strategy, |(first, second, order)| {
            let mut world = World::default();
            for stack in [&first, &second] {
                let course = world.apply(Some(stack), &order).expect("a plan is possible");
                let summary = summary(&course).expect("it ends");
                prop_assert!(summary.is_success(), "{}", brief(summary));
                is_truthful(&world, summary)?;
                unlike(&mut world, stack)?;
            }
            let course = world.apply(None, &order).expect("a plan is possible");
            let summary = summary(&course).expect("it ends");
            prop_assert!(summary.is_success(), "{}", brief(summary));
            prop_assert!(world.cloud.objects.is_empty(), "left over: {:?}", world.cloud.objects);
            Ok(())
        })
        .unwrap();
}

#[test]
fn after_any_course_of_events_the_next_applies_converge() {
    let mut runner = runner(350);
    let strategy = (
        generate::stack(),
        generate::stack(),
        generate::stack(),
        proptest::collection::vec(generate::schedule(), 1..4),
    );
    runner
        .run(&strategy, |(first, second, last, schedules)| {
            let mut world = World::default();
            let stacks = [&first, &second, &second, &first];
            for (schedule, stack) in schedules.iter().zip(stacks) {
                let course = world.apply(Some(stack), schedule).expect("a plan is possible");
                if let Some(summary) = summary(&course) {
                    is_truthful(&world, summary)?;
                }
            }
            converge(&mut world, &last)
        })
        .unwrap();
}
