//! The async shell round the engine's apply: it makes the calls and writes that the state machine asks for, and tells it
//! what came of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use s3stack_engine::apply::{Apply, CallId, Event, Poll, Progress as Made, Reply, Request, Summary};
use s3stack_engine::fault::{Fault, FaultKind};
use s3stack_engine::plan::Observation;
use s3stack_engine::state::State;
use s3stack_engine::value::Map;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinSet};

use crate::backend::lease::Keeper;
use crate::backend::{Condition, Document, Keep, Store, StoreError};
use crate::cloud::{Cloud, provider};
use crate::resources::{Create, Delete, Depth, Progress, Question, Update};

/// Where an apply's state is written.
pub struct Persistence {
    /// The backend.
    pub store: Arc<dyn Store>,
    /// What the next write is bound to.
    pub condition: Condition,
    /// The lease: without it nothing is written.
    pub keeper: Arc<Keeper>,
}

/// Drives an apply to its end. `stop` turns true when no further operation shall start. `watch` sees every event.
pub async fn drive(
    mut apply: Apply<'_>,
    cloud: &Cloud,
    persistence: Persistence,
    mut stop: watch::Receiver<bool>,
    watch: &mut dyn FnMut(&Event),
) -> Summary {
    let began = Instant::now();
    let (progress_sender, mut progress) = mpsc::channel::<Told>(64);
    let mut calls: JoinSet<(CallId, Result<Reply, Fault>)> = JoinSet::new();
    let mut tasks: HashMap<tokio::task::Id, CallId> = HashMap::new();
    let mut writes: JoinSet<Written> = JoinSet::new();
    let mut waiting: HashMap<CallId, oneshot::Sender<()>> = HashMap::new();
    let Persistence { store, condition, keeper } = persistence;
    let mut base = Base { condition, unsettled: None };
    let mut cancelled = false;
    loop {
        if *stop.borrow() && !cancelled {
            cancelled = true;
            apply.cancel();
        }
        let next = apply.poll(began.elapsed(), seconds_since_1970());
        apply.events().for_each(|event| watch(&event));
        match next {
            Poll::Persist(state) => {
                writes.spawn(write(store.clone(), keeper.clone(), state, base.clone()));
            }
            Poll::Start(id, request) => {
                let progress = Reporter { call: id, sender: progress_sender.clone() };
                let cloud = cloud.clone();
                let task = calls.spawn(async move { (id, call(&cloud, *request, &progress).await) });
                tasks.insert(task.id(), id);
            }
            Poll::Continue(id) => {
                // A call that is gone needs no answer.
                let _ = waiting.remove(&id).map(|sender| sender.send(()));
            }
            Poll::Wait { until } => {
                let pause = until.map_or(Duration::from_secs(3600), |until| until.saturating_sub(began.elapsed()));
                tokio::select! {
                    Some(ended) = calls.join_next_with_id() => {
                        let (id, result) = outcome(ended, &mut tasks);
                        if let Some(id) = id {
                            apply.returned(id, result);
                        }
                    }
                    Some(told) = progress.recv() => {
                        waiting.insert(told.call, told.go_on);
                        apply.progressed(told.call, told.made);
                    }
                    Some(written) = writes.join_next() => record(&mut apply, &mut base, written),
                    changed = stop.changed(), if !cancelled => {
                        // Nobody is left who could stop this: then it runs to its end.
                        cancelled |= changed.is_err();
                    }
                    () = tokio::time::sleep(pause) => {}
                }
            }
            Poll::Done(summary) => {
                apply.events().for_each(|event| watch(&event));
                return *summary;
            }
        }
    }
}

/// What the next write of the state follows.
#[derive(Clone)]
struct Base {
    /// What it is bound to.
    condition: Condition,
    /// A write over this that nobody could tell the fate of. It may have gone through, and would then look like another
    /// run's to any write but itself: so it is sent again, as it was, before the next.
    unsettled: Option<Vec<u8>>,
}

/// What a write came to.
struct Written {
    took: Duration,
    result: Result<(), StoreError>,
    base: Base,
}

async fn write(store: Arc<dyn Store>, keeper: Arc<Keeper>, state: Box<State>, mut base: Base) -> Written {
    let began = Instant::now();
    let result = match keeper.may_write_state() {
        true => write_after(store.as_ref(), state, &mut base).await,
        false => Err(StoreError::Lost { document: Document::State, place: store.place() }),
    };
    Written { took: began.elapsed(), result, base }
}

async fn write_after(store: &dyn Store, mut state: Box<State>, base: &mut Base) -> Result<(), StoreError> {
    if let Some(bytes) = &base.unsettled {
        let version = store.write(Document::State, bytes, base.condition.clone()).await?;
        *base = Base { condition: Condition::Unchanged(version), unsettled: None };
    }
    state.write_id = uuid::Uuid::new_v4().to_string();
    let bytes = state.to_json().map_err(|error| StoreError::Fault {
        place: store.place(),
        fault: Box::new(Fault::local(FaultKind::Invalid, "state", format!("{error}; this is a fault of s3stack"))),
    })?;
    let keep = if state.run.is_none() { Keep::RunEnd } else { Keep::Step };
    match store.write(Document::State, &bytes, base.condition.clone()).await {
        Ok(version) => base.condition = Condition::Unchanged(version),
        Err(error) => {
            base.unsettled = Some(bytes);
            return Err(error);
        }
    }
    // History is for people; a state that is written is written.
    let _ = store.keep(state.serial, keep, &bytes).await;
    Ok(())
}

fn record(apply: &mut Apply<'_>, base: &mut Base, written: Result<Written, JoinError>) {
    match written {
        Ok(written) => {
            *base = written.base;
            match written.result {
                Ok(()) => apply.persisted(written.took),
                Err(error) => {
                    let lost = matches!(error, StoreError::Lost { .. });
                    apply.persist_failed(lost, with_causes(&error));
                }
            }
        }
        Err(error) => apply.persist_failed(false, error.to_string()),
    }
}

/// An error with everything below it, on one line.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// The wall clock.
pub fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map(|elapsed| elapsed.as_secs()).unwrap_or_default()
}

type Ended = Result<(tokio::task::Id, (CallId, Result<Reply, Fault>)), JoinError>;

fn outcome(ended: Ended, tasks: &mut HashMap<tokio::task::Id, CallId>) -> (Option<CallId>, Result<Reply, Fault>) {
    match ended {
        Ok((task, (id, result))) => {
            tasks.remove(&task);
            (Some(id), result)
        }
        // A provider that panicked may have done anything before.
        Err(error) => (
            tasks.remove(&error.id()),
            Err(Fault::local(FaultKind::Uncertain, "provider", format!("{error}; this is a fault of s3stack"))),
        ),
    }
}

/// What a provider said before its verb ended.
struct Told {
    call: CallId,
    made: Made,
    go_on: oneshot::Sender<()>,
}

struct Reporter {
    call: CallId,
    sender: mpsc::Sender<Told>,
}

#[async_trait]
impl Progress for Reporter {
    async fn identified(&self, physical_id: &str, attributes: Map) -> Result<(), Fault> {
        let stopped = || Fault::local(FaultKind::Stopped, "state", "this run may write no more state");
        let (go_on, answer) = oneshot::channel();
        let made = Made { physical_id: physical_id.to_owned(), attributes };
        self.sender.send(Told { call: self.call, made, go_on }).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())
    }
}

async fn call(cloud: &Cloud, request: Request, progress: &Reporter) -> Result<Reply, Fault> {
    let provider = provider(&request.instance().type_name)?;
    let place = request.instance();
    let context = cloud.context(&place.account, &place.region).await?;
    match request {
        Request::Create { address, token, instance, desired, before } => {
            let create = Create {
                address,
                physical_id: instance.physical_id,
                desired: without_nulls(desired),
                attributes: instance.attributes,
                memory: instance.memory,
                token,
                before,
            };
            let reply = provider.create(&context, &create, progress).await?;
            Ok(Reply::Created { physical_id: reply.physical_id, attributes: reply.attributes })
        }
        Request::Update { address, token: _, instance, desired, differences, live } => {
            let update = Update {
                // What was found and not made has no property that this stack has ever written.
                adopts: instance.managed.is_empty(),
                address,
                physical_id: instance.physical_id,
                desired,
                changed: differences.into_iter().map(|difference| difference.path).collect(),
                live,
                attributes: instance.attributes,
                memory: instance.memory,
            };
            let reply = provider.update(&context, &update, progress).await?;
            Ok(Reply::Updated { attributes: reply.attributes })
        }
        Request::Delete { address, token: _, instance } => {
            let dependents = cloud.dependents.get(&address).cloned().unwrap_or_default();
            let delete = Delete {
                address,
                physical_id: instance.physical_id,
                managed: instance.managed,
                attributes: instance.attributes,
                memory: instance.memory,
                dependents,
            };
            provider.delete(&context, &delete).await?;
            Ok(Reply::Deleted)
        }
        Request::Read { address, token: _, instance, before } => {
            let question = Question {
                address,
                physical_id: instance.physical_id,
                properties: instance.managed.keys().cloned().collect(),
                managed: instance.managed,
                attributes: instance.attributes,
                loss: false,
                before,
            };
            let mut answers = provider.read(&context, &[question], Depth::Point).await;
            let silent =
                || Fault::local(FaultKind::Other, "read", "the provider gave no answer; this is a fault of s3stack");
            Ok(Reply::Read(answers.pop().unwrap_or_else(|| Observation::Unreadable(silent()))))
        }
    }
}

fn without_nulls(map: Map) -> Map {
    map.into_iter().filter(|(_, value)| !value.is_null()).collect()
}

#[cfg(test)]
mod tests;
