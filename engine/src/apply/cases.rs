//! One case for each rule of the apply, made by hand.

use super::recover::{Circumstances, fold, questions};
use super::*;
use crate::address::Address;
use crate::fault::FaultKind;
use crate::plan::Observation;
use crate::state::Verb;
use crate::testing::cloud::fault;
use crate::testing::driver::{Course, Ended};
use crate::testing::faults::{Schedule, StoreStrike, Strike};
use crate::testing::stack::{Note, Stack, attachment, bucket, credential, key};
use crate::testing::store::CANARY;
use crate::testing::types::{BUCKET, CREDENTIAL, Fakes, KEY};
use crate::testing::world::World;
use crate::value::{Map, Value};

fn apply(world: &mut World, stack: &Stack, schedule: &Schedule) -> Course {
    world.apply(Some(stack), schedule).expect("a plan is possible")
}

fn summary(course: &Course) -> &Summary {
    match &course.ended {
        Ended::Done(summary) => summary,
        Ended::Crashed => panic!("it crashed"),
    }
}

fn settled(world: &mut World, stack: &Stack) {
    let course = apply(world, stack, &Schedule::calm());
    assert!(summary(&course).is_success(), "{:?}", summary(&course).failed);
    assert_eq!(world.unlike(stack), Vec::<String>::new());
}

fn has(world: &World, type_name: &str, id: &str) -> bool {
    world.cloud.objects.contains_key(&(type_name.to_owned(), id.to_owned()))
}

fn verbs(course: &Course) -> Vec<String> {
    let done = summary(course).done.iter();
    done.map(|done| format!("{} {}", schedule::name(done.verb), done.address)).collect()
}

fn pair() -> Stack {
    Stack::default().with(bucket("a"), |_| {}).with(bucket("b"), |block| block.peers = [bucket("a")].into())
}

#[test]
fn a_lost_write_stops_everything_and_nothing_done_is_forgotten() {
    for write in 0..3 {
        let mut world = World::default();
        let stack = pair().with(key("k"), |block| block.size = Some(1));
        let course = apply(&mut world, &stack, &Schedule::strike_write(write, StoreStrike::Stolen));
        assert!(matches!(summary(&course).stopped, Some(Stopped::Lost(_))), "write {write}");
        assert!(!summary(&course).is_success());
        assert!(write > 0 || course.calls == 0, "a call precedes the first write");
        settled(&mut world, &stack);
    }
}

#[test]
fn a_store_that_is_out_of_order_for_a_while_is_waited_for_and_one_that_stays_so_ends_the_apply() {
    let mut world = World::default();
    let fails = |writes: std::ops::Range<u32>| Schedule {
        writes: writes.map(|write| (write, StoreStrike::Fails)).collect(),
        ..Schedule::calm()
    };
    let course = apply(&mut world, &pair(), &fails(0..3));
    assert!(summary(&course).is_success());
    let next = pair().with(bucket("c"), |_| {});
    let course = apply(&mut world, &next, &fails(0..99));
    assert!(matches!(summary(&course).stopped, Some(Stopped::Unwritable(_))));
    assert_eq!(course.calls, 0);
}

#[test]
fn a_failure_skips_what_waits_for_it_and_names_it_and_the_rest_goes_on() {
    let mut world = World::default();
    let stack = pair().with(bucket("z"), |_| {});
    let mut schedule = Schedule::strike(0, Strike::Before(FaultKind::Denied));
    schedule.parallelism = 1;
    let course = apply(&mut world, &stack, &schedule);
    let summary = summary(&course);
    assert_eq!(summary.failed.iter().map(|failed| &failed.address).collect::<Vec<_>>(), [&bucket("a")]);
    assert_eq!(summary.failed[0].fault.request_id.as_deref(), Some("r-1"));
    let skipped = Skipped { address: bucket("b"), verb: Verb::Create, because: bucket("a") };
    assert_eq!(summary.skipped, [skipped]);
    assert_eq!(verbs(&course), ["create fake.bucket.z"]);
    assert!(world.store.state().pending.is_empty(), "what surely failed stays pending");
    settled(&mut world, &stack);
}

#[test]
fn cancelling_finishes_what_is_in_flight_and_starts_nothing() {
    for turn in 0..20 {
        let mut world = World::default();
        let schedule = Schedule { cancel_at: Some(turn), parallelism: 1, ..Schedule::default() };
        let course = apply(&mut world, &pair(), &schedule);
        let summary = summary(&course);
        assert!(summary.failed.is_empty() && summary.in_flight.is_empty());
        assert_eq!(summary.done.len() + summary.not_started.len(), 2);
        assert_eq!(summary.done.len(), world.cloud.objects.len());
        assert!(world.store.state().pending.is_empty() && world.store.state().run.is_none());
        settled(&mut world, &pair());
    }
}

#[test]
fn a_create_whose_answer_was_lost_is_looked_for_and_finished() {
    let mut world = World::default();
    let stack = Stack::default().with(bucket("a"), |block| block.size = Some(1));
    let course = apply(&mut world, &stack, &Schedule::strike(0, Strike::AnswerLost));
    assert!(summary(&course).is_success());
    assert_eq!(verbs(&course), ["create fake.bucket.a"]);
    assert_eq!(world.unlike(&stack), Vec::<String>::new());
}

#[test]
fn a_name_that_a_stranger_took_after_the_plan_is_refused_with_what_to_write() {
    let mut world = World::default();
    let stack = Stack::default().with(bucket("a"), |_| {});
    let (state, _) = world.recovered();
    let plan = world.plan(Some(&stack), &state).unwrap();
    world.cloud.plant(BUCKET, "a", Some("lineage-2"), Map::new());
    let course = world.carry_out(plan, state, false, &Schedule::calm()).unwrap();
    let [failed] = summary(&course).failed.as_slice() else { panic!("it did not fail") };
    assert_eq!(failed.fault.kind, FaultKind::Conflict);
    assert!(failed.fault.message.contains("import = \"a\""), "{}", failed.fault.message);
    assert!(!failed.uncertain && world.store.state().instances.is_empty());
    assert_eq!(world.cloud.objects.values().next().and_then(|object| object.owner.as_deref()), Some("lineage-2"));
}

#[test]
fn a_plan_from_another_serial_is_refused() {
    let mut world = World::default();
    let (state, _) = world.recovered();
    let plan = world.plan(Some(&pair()), &state).unwrap();
    settled(&mut world, &pair());
    let state = world.store.state().clone();
    let serial = state.serial;
    let refused = world.carry_out(plan, state, false, &Schedule::calm()).unwrap_err();
    assert_eq!(refused, ApplyError::Stale { plan: 0, state: serial });
}

#[test]
fn deletions_follow_the_edges_in_state_backwards() {
    let mut world = World::default();
    settled(&mut world, &pair());
    let course = world.apply(None, &Schedule::calm()).unwrap();
    assert_eq!(verbs(&course), ["delete fake.bucket.b", "delete fake.bucket.a"]);
    assert!(world.cloud.objects.is_empty());
}

#[test]
fn what_pointed_to_something_is_updated_before_that_is_deleted() {
    let mut world = World::default();
    settled(&mut world, &pair());
    let next = Stack::default().with(bucket("b"), |_| {});
    let course = apply(&mut world, &next, &Schedule::calm());
    assert_eq!(verbs(&course), ["update fake.bucket.b", "delete fake.bucket.a"]);
}

#[test]
fn another_name_is_made_first_and_the_same_name_deleted_first() {
    let mut world = World::default();
    settled(&mut world, &pair());
    let renamed = pair().with(bucket("a"), |block| block.name = "other".into());
    let course = apply(&mut world, &renamed, &Schedule::calm());
    assert_eq!(verbs(&course), ["create fake.bucket.a", "update fake.bucket.b", "delete fake.bucket.a"]);
    let elsewhere = renamed.clone().with(bucket("a"), |block| block.zone = "b".into());
    let course = apply(&mut world, &elsewhere, &Schedule::calm());
    assert_eq!(verbs(&course), ["delete fake.bucket.a", "create fake.bucket.a"]);
    assert_eq!(world.unlike(&elsewhere), Vec::<String>::new());
}

#[test]
fn a_child_follows_its_parent_through_a_replacement() {
    let mut world = World::default();
    let stack =
        Stack::default().with(bucket("p"), |_| {}).with(attachment("c"), |block| block.parent = Some(bucket("p")));
    settled(&mut world, &stack);
    let next = stack.with(bucket("p"), |block| block.zone = "b".into());
    let course = apply(&mut world, &next, &Schedule::calm());
    let order =
        ["delete fake.attachment.c", "delete fake.bucket.p", "create fake.bucket.p", "create fake.attachment.c"];
    assert_eq!(verbs(&course), order);
}

#[test]
fn a_move_makes_no_call() {
    let mut world = World::default();
    settled(&mut world, &pair());
    let next = Stack::default()
        .with(bucket("new"), |block| block.name = "a".into())
        .with(bucket("b"), |block| block.peers = [bucket("new")].into());
    let course = apply(&mut world, &next, &Schedule::calm());
    assert_eq!((course.calls, course.writes), (0, 1));
    assert!(course.events.contains(&Event::Moved { from: bucket("a"), to: bucket("new") }));
    let state = world.store.state();
    assert!(state.instances[&bucket("b")].waits_for.contains(&bucket("new")), "an edge points to the old address");
    assert_eq!(world.unlike(&next), Vec::<String>::new());
}

#[test]
fn what_is_retained_is_forgotten_and_stays_in_the_cloud() {
    let mut world = World::default();
    let stack = pair().with(bucket("b"), |block| block.retain = true);
    settled(&mut world, &stack);
    let course = apply(&mut world, &stack.without(&bucket("b")), &Schedule::calm());
    assert_eq!(course.calls, 0);
    assert!(has(&world, BUCKET, "b") && !world.store.state().instances.contains_key(&bucket("b")));
}

#[test]
fn what_only_the_tool_remembers_reaches_state_without_a_call() {
    let mut world = World::default();
    settled(&mut world, &pair());
    let course = apply(&mut world, &pair().with(bucket("a"), |block| block.force = true), &Schedule::calm());
    assert_eq!((course.calls, course.writes), (0, 1));
    assert_eq!(world.store.state().instances[&bucket("a")].memory["force"], Value::Bool(true));
}

#[test]
fn an_import_is_taken_over_and_brought_in_line() {
    let mut world = World::default();
    let found = [("name", "old"), ("zone", "a")].map(|(name, value)| (name.to_owned(), Value::from(value)));
    world.cloud.plant(BUCKET, "old", None, found.into());
    let stack = Stack::default().with(bucket("a"), |block| {
        block.name = "old".into();
        block.size = Some(2);
        block.import = Some("old".into());
    });
    settled(&mut world, &stack);
    assert_eq!(world.cloud.objects[&(BUCKET.to_owned(), "old".to_owned())].owner.as_deref(), Some("lineage-1"));
}

#[test]
fn a_secret_told_once_reaches_what_needs_it_and_no_stored_byte() {
    let mut world = World::default();
    let stack = Stack::default()
        .with(bucket("p"), |_| {})
        .with(credential("c"), |block| block.parent = Some(bucket("p")))
        .with(key("k"), |block| block.note = Note::SecretOf(credential("c")));
    let course = apply(&mut world, &stack, &Schedule::calm());
    assert!(summary(&course).is_success(), "{:?}", summary(&course).failed);
    let note = world.cloud.objects.iter().find(|((kind, _), _)| kind == KEY).map(|(_, key)| &key.properties["note"]);
    assert!(note.and_then(Value::as_str).is_some_and(|note| note.starts_with(CANARY)), "{note:?}");
    assert!(!format!("{:?}", course.events).contains(CANARY));
    assert!(matches!(summary(&course).outputs["fake.credential.c"], Value::Secret(_)));
    assert!(!world.store.state().outputs.contains_key("fake.credential.c"));
    let course = apply(&mut world, &stack, &Schedule::calm());
    assert_eq!((course.calls, course.writes), (0, 0));
}

#[test]
fn a_credential_whose_secret_was_lost_is_deleted_and_made_anew_in_the_same_apply() {
    let mut world = World::default();
    let stack =
        Stack::default().with(bucket("p"), |_| {}).with(credential("c"), |block| block.parent = Some(bucket("p")));
    let course = apply(&mut world, &stack, &Schedule::strike(1, Strike::AnswerLost));
    assert!(summary(&course).is_success(), "{:?}", summary(&course).failed);
    assert_eq!(world.cloud.objects.keys().filter(|(kind, _)| kind == CREDENTIAL).count(), 1);
    assert_eq!(world.unlike(&stack), Vec::<String>::new());
}

#[test]
fn siblings_that_only_their_parents_list_tells_apart_are_made_one_after_another() {
    let mut world = World::default();
    let child = |stack: Stack, name: &str| stack.with(credential(name), |block| block.parent = Some(bucket("p")));
    let stack = child(child(child(Stack::default().with(bucket("p"), |_| {}), "x"), "y"), "z");
    let course = apply(&mut world, &stack, &Schedule { steps: [(1, Strike::CrashAfter)].into(), ..Schedule::calm() });
    assert_eq!(course.ended, Ended::Crashed);
    assert_eq!(world.cloud.objects.keys().filter(|(kind, _)| kind == CREDENTIAL).count(), 1);
    settled(&mut world, &stack);
}

#[test]
fn credentials_that_end_stop_new_calls() {
    let mut world = World::default();
    let stack = pair().with(bucket("z"), |_| {});
    let mut schedule = Schedule::strike(0, Strike::Before(FaultKind::Expired));
    schedule.parallelism = 1;
    let course = apply(&mut world, &stack, &schedule);
    assert_eq!(summary(&course).stopped, Some(Stopped::Expired));
    assert_eq!((course.calls, summary(&course).not_started.len()), (1, 1));
    assert_eq!(world.store.state().pending.len(), 1, "nobody looked whether it was made");
    settled(&mut world, &stack);
}

#[test]
fn an_effect_that_cannot_be_read_stays_pending_and_is_read_by_the_next_run() {
    let mut world = World::default();
    let stack = Stack::default().with(bucket("a"), |_| {});
    let steps = [(0, Strike::AnswerLost), (1, Strike::Before(FaultKind::Denied))].into();
    let course = apply(&mut world, &stack, &Schedule { steps, ..Schedule::calm() });
    let [failed] = summary(&course).failed.as_slice() else { panic!("it did not fail") };
    assert!(failed.uncertain);
    let state = world.store.state().clone();
    assert!(state.run.is_none() && state.pending.len() == 1 && state.instances.is_empty());
    let unreadable = Observation::Unreadable(fault(FaultKind::Denied, "no"));
    let circumstances = Circumstances { registry: &Fakes, wall: 0, taken_over: false };
    let answers = questions(&state).into_keys().map(|token| (token, unreadable.clone())).collect();
    let (folded, said) = fold(&state, &answers, circumstances);
    assert_eq!(folded.pending, state.pending, "unreadable is taken for missing");
    assert!(said[0].stays);
    settled(&mut world, &stack);
}

#[test]
fn after_a_takeover_the_old_entries_stay_until_the_end_of_the_next_apply() {
    let mut world = World::default();
    let stack = pair();
    let course = apply(&mut world, &stack, &Schedule::strike(0, Strike::CrashAfter));
    assert_eq!(course.ended, Ended::Crashed);
    let state = world.store.state().clone();
    let found = world.recovered().0.instances[&bucket("a")].clone();
    let live = crate::plan::Live {
        physical_id: found.physical_id.clone(),
        managed: found.managed.clone(),
        attributes: found.attributes.clone(),
        owner: Some("lineage-1".into()),
        loss: Vec::new(),
        hint: false,
    };
    let answers = questions(&state)
        .into_iter()
        .map(|(token, request)| {
            let is_there = *request.address() == bucket("a");
            (token, if is_there { Observation::Found(live.clone()) } else { Observation::Missing })
        })
        .collect();
    let circumstances = Circumstances { registry: &Fakes, wall: 0, taken_over: true };
    let (folded, _) = fold(&state, &answers, circumstances);
    assert_eq!(folded.pending.len(), 2);
    assert!(folded.instances.contains_key(&bucket("a")));
    let plan = world.plan(Some(&stack), &folded).unwrap();
    let course = world.carry_out(plan, folded, true, &Schedule::calm()).unwrap();
    assert!(summary(&course).is_success());
    let looks = course.trace.iter().filter(|line| line.contains(": read ")).count();
    assert_eq!(looks, 2, "the old run's calls are looked for once more: {:?}", course.trace);
    assert!(world.store.state().pending.is_empty());
    assert_eq!(world.unlike(&stack), Vec::<String>::new());
}

#[test]
fn writes_are_few_where_no_identifier_is_made_by_the_cloud() {
    let mut world = World::default();
    let chain = (0..30).fold(Stack::default(), |stack, at| {
        stack.with(bucket(&format!("b{at:02}")), |block| {
            if at > 0 {
                block.peers = [bucket(&format!("b{:02}", at - 1))].into();
            }
        })
    });
    let course = apply(&mut world, &chain, &Schedule::calm());
    assert!(summary(&course).is_success());
    let writes = course.writes;
    assert!(writes <= 10, "{writes} writes for a chain of thirty buckets");
}

#[test]
fn the_longest_path_starts_first() {
    let mut world = World::default();
    let names = |at: usize| bucket(&format!("z{at}"));
    let stack = (1..4).fold(Stack::default().with(names(0), |_| {}), |stack, at| {
        stack.with(names(at), |block| block.peers = [names(at - 1)].into())
    });
    let stack = stack.with(bucket("a"), |_| {});
    let course = apply(&mut world, &stack, &Schedule { parallelism: 1, ..Schedule::calm() });
    let started: Vec<&Address> = course
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Started { address, .. } => Some(address),
            _ => None,
        })
        .collect();
    assert_eq!(started[0], &names(0));
}

#[test]
fn operations_that_wait_for_each_other_are_an_error_that_names_them() {
    let world = World::default();
    let (state, _) = world.recovered();
    let mut plan = world.plan(Some(&pair()), &state).unwrap();
    plan.changes.get_mut(&bucket("a")).unwrap().waits_for.insert(bucket("b"));
    let refused = World::default().carry_out(plan, state, false, &Schedule::calm()).unwrap_err();
    assert!(refused.to_string().contains("create of fake.bucket.a → create of fake.bucket.b"), "{refused}");
}
