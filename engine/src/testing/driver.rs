//! Drives an apply against the cloud and the store of this module, one thing at a time, in an order and with faults that
//! a schedule decides. Its clock is its own.

use std::time::Duration;

use super::cloud::{Cloud, Stepped, Work, fault};
use super::faults::{Schedule, Strike};
use super::store::{Store, Written};
use crate::apply::{Apply, Event, Poll, Reply, Request, Stopped, Summary};
use crate::fault::FaultKind;
use crate::plan::Observation;
use crate::state::State;

/// The time one thing takes.
const TURN: Duration = Duration::from_millis(50);
/// Turns after which an apply is taken to hang.
const MOST_TURNS: u32 = 20_000;

/// How an apply came to its end.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// By itself.
    Done(Box<Summary>),
    /// The process died.
    Crashed,
}

/// What an apply did.
#[derive(Debug, Clone)]
pub struct Course {
    /// How it ended.
    pub ended: Ended,
    /// Calls started.
    pub calls: u32,
    /// States written, or tried to.
    pub writes: u32,
    /// What it said.
    pub events: Vec<Event>,
    /// The steps in the cloud.
    pub steps: u32,
    /// The steps in words.
    pub trace: Vec<String>,
}

/// Runs an apply to its end.
pub fn run(apply: &mut Apply<'_>, cloud: &mut Cloud, store: &mut Store, schedule: &Schedule) -> Course {
    let lineage = store.state().lineage.clone();
    let mut course =
        Course { ended: Ended::Crashed, calls: 0, writes: 0, events: Vec::new(), steps: 0, trace: Vec::new() };
    let mut now = Duration::ZERO;
    let mut work: Vec<Work> = Vec::new();
    let mut writing: Option<(Box<State>, Duration)> = None;
    let first_write = store.writes;
    let mut is_lost = false;
    for turn in 0..MOST_TURNS {
        if schedule.cancel_at == Some(turn) {
            apply.cancel();
        }
        let wall = 1_000_000 + now.as_secs();
        let poll = apply.poll(now, wall);
        course.events.extend(apply.events());
        if is_lost {
            assert!(matches!(poll, Poll::Done(_)), "a run that lost the state goes on: {poll:?}");
        }
        let until = match poll {
            Poll::Done(summary) => {
                let dropped = matches!(summary.stopped, Some(Stopped::Lost(_) | Stopped::Unwritable(_)));
                assert!(dropped || work.is_empty(), "it ends with calls in flight");
                assert!(writing.is_none(), "it ends with a write in flight");
                course.ended = Ended::Done(summary);
                return course;
            }
            Poll::Persist(mut state) => {
                assert!(writing.is_none(), "two writes at a time");
                course.writes += 1;
                state.write_id = format!("w{}", store.writes);
                writing = Some((state, now));
                continue;
            }
            Poll::Start(id, request) => {
                course.calls += 1;
                let stored = store.state();
                let token = match &*request {
                    Request::Create { token, .. }
                    | Request::Update { token, .. }
                    | Request::Delete { token, .. }
                    | Request::Read { token, .. } => token,
                };
                assert!(
                    stored.pending.iter().any(|entry| entry.token == *token && entry.address == *request.address()),
                    "{} is called and no entry is stored",
                    request.address()
                );
                assert!(stored.run.is_some(), "a call is started and no run is stored");
                assert!(work.len() < schedule.parallelism, "too many calls at a time");
                work.push(Work::new(id, *request));
                continue;
            }
            Poll::Continue(id) => {
                let parked = work.iter_mut().find(|work| work.id == id).expect("a call that is in flight goes on");
                assert!(parked.is_parked, "a call goes on that did not stop");
                parked.is_parked = false;
                let stored = store.state();
                let known = |address: &crate::address::Address| stored.instances.contains_key(address);
                assert!(known(parked.request.address()), "a call goes on and its progress is not stored");
                continue;
            }
            Poll::Wait { until } => until,
        };
        let movable: Vec<usize> =
            work.iter().enumerate().filter(|(_, work)| !work.is_parked).map(|(at, _)| at).collect();
        let mut choices = movable.len() + usize::from(writing.is_some());
        if choices == 0 {
            let until = until.unwrap_or_else(|| panic!("it waits for nothing: {:?}", course.events));
            assert!(until > now, "it waits for what is past");
            now = until;
            continue;
        }
        // Time may also just pass.
        choices += usize::from(until.is_some());
        now += TURN;
        let choice = schedule.choose(turn, choices);
        if let Some(at) = movable.get(choice).copied() {
            let step = course.steps;
            course.steps += 1;
            let mut current = work.swap_remove(at);
            let struck = schedule.steps.get(&step).copied();
            let (stepped, crashed) = strike(cloud, &mut current, struck, &lineage);
            course.trace.push(describe(step, &current, struck, &stepped));
            if crashed {
                return course;
            }
            match stepped {
                Stepped::Again => work.push(current),
                Stepped::Progress(progress) => {
                    apply.progressed(current.id, progress);
                    work.push(current);
                }
                Stepped::Returned(result) => apply.returned(current.id, result),
            }
        } else if let (Some((state, since)), true) = (&writing, choice == movable.len()) {
            let (state, since) = (state.clone(), *since);
            writing = None;
            let written = store.write(&state, schedule);
            course.trace.push(format!("write {}: {written:?}", state.serial));
            match written {
                Written::Yes => apply.persisted(now - since),
                Written::No => apply.persist_failed(false, "out of order".into()),
                Written::Lost => {
                    apply.persist_failed(true, "another run wrote it".into());
                    is_lost = true;
                }
                Written::Crashed => return course,
            }
        } else if let Some(until) = until {
            now = now.max(until);
        }
    }
    panic!("it does not end: {} writes, {:?}", store.writes - first_write, course.events);
}

fn describe(step: u32, work: &Work, struck: Option<Strike>, stepped: &Stepped) -> String {
    let verb = work.request.verb().map_or("read".to_owned(), |verb| format!("{verb:?}"));
    let id = &work.request.instance().physical_id;
    let what = match stepped {
        Stepped::Again => "…".to_owned(),
        Stepped::Progress(progress) => format!("made {}", progress.physical_id),
        Stepped::Returned(Ok(Reply::Read(observation))) => match observation {
            Observation::Found(live) => format!("found {}", live.physical_id),
            other => format!("{other:?}"),
        },
        Stepped::Returned(Ok(Reply::Created { physical_id, .. })) => format!("created {physical_id}"),
        Stepped::Returned(Ok(_)) => "done".to_owned(),
        Stepped::Returned(Err(fault)) => fault.to_string(),
    };
    let struck = struck.map(|strike| format!(" struck {strike:?}")).unwrap_or_default();
    format!("step {step}: {verb} {} {id}{struck}: {what}", work.request.address())
}

fn strike(cloud: &mut Cloud, work: &mut Work, strike: Option<Strike>, lineage: &str) -> (Stepped, bool) {
    match strike {
        None => (cloud.step(work, lineage), false),
        Some(Strike::Before(kind)) => {
            let said = fault(kind, "struck");
            let result = match (&work.request, kind) {
                (Request::Read { .. }, _) => Ok(Reply::Read(Observation::Unreadable(said))),
                _ => Err(said),
            };
            (Stepped::Returned(result), false)
        }
        Some(Strike::AnswerLost) => {
            cloud.step(work, lineage);
            (Stepped::Returned(Err(fault(FaultKind::Uncertain, "no answer"))), false)
        }
        Some(Strike::CrashBefore) => (Stepped::Again, true),
        Some(Strike::CrashAfter) => {
            cloud.step(work, lineage);
            (Stepped::Again, true)
        }
    }
}
