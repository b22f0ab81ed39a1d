//! Cloud, store and tool together: what a user's `apply` is, in memory.

use std::collections::{BTreeMap, BTreeSet};

use super::cloud::{Cloud, Key, Object};
use super::driver::{Course, run};
use super::faults::Schedule;
use super::stack::Stack;
use super::store::Store;
use super::types::{CREDENTIAL, Fakes};
use crate::address::Address;
use crate::apply::recover::{Circumstances, Recovered, fold, questions};
use crate::apply::{Apply, ApplyError, Options};
use crate::diagnostic::Diagnostics;
use crate::plan::decide::{first_questions, remade};
use crate::plan::reread::follow_up;
use crate::plan::{Action, Inputs, Observation, Plan, plan, replacements};
use crate::resource::Facts;
use crate::state::{Run, State};
use crate::value::{Map, Value};

/// A user's account and state.
#[derive(Debug, Clone)]
pub struct World {
    /// The account.
    pub cloud: Cloud,
    /// Where the state is.
    pub store: Store,
    /// What happened so far, for findings.
    pub log: Vec<String>,
    runs: u32,
}

impl Default for World {
    fn default() -> Self {
        let state = State::new("lineage-1".into(), "stack".into(), "default".into());
        Self { cloud: Cloud::default(), store: Store::new(&state), log: Vec::new(), runs: 0 }
    }
}

/// What stands for a secret in state: as good as an HMAC here, and without its text.
pub fn seal(value: &Value) -> Value {
    let text = match value {
        Value::Secret(secret) => format!("{:?}", secret.expose()),
        value => format!("{value:?}"),
    };
    let sum = text.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    Value::map([("sealed", Value::from(format!("{sum:016x}")))])
}

impl World {
    /// The state after recovery, and what recovery did.
    pub fn recovered(&self) -> (State, Vec<Recovered>) {
        let state = self.store.state().clone();
        let answers: BTreeMap<String, Observation> = questions(&state)
            .into_iter()
            .map(|(token, request)| {
                let mut work = super::cloud::Work::new(crate::apply::CallId(0), request);
                let observation = match self.cloud.clone().step(&mut work, &state.lineage) {
                    super::cloud::Stepped::Returned(Ok(crate::apply::Reply::Read(observation))) => observation,
                    other => panic!("a read answers {other:?}"),
                };
                (token, observation)
            })
            .collect();
        // Whose run never ended left its lease, which is taken over.
        let taken_over = state.run.is_some();
        let circumstances = Circumstances { registry: &Fakes, wall: 1_000_000, taken_over };
        let once = fold(&state, &answers, circumstances);
        assert_eq!(fold(&once.0, &answers, circumstances).0, once.0, "recovering twice is recovering once");
        once.0.verify().unwrap_or_else(|why| panic!("recovery made a state that contradicts itself: {why}"));
        once
    }

    /// The plan of a stack on a state; of nothing at all for a destroy.
    pub fn plan(&self, stack: Option<&Stack>, state: &State) -> Result<Plan, Diagnostics> {
        let facts = Facts {
            partition: "fake".into(),
            account_id: "000000000001".into(),
            region: "region-1".into(),
            stack: "stack".into(),
            environment: "default".into(),
        };
        let mut made = BTreeSet::new();
        loop {
            let graph = stack.map(|stack| stack.graph(state, &made));
            let mut observations: BTreeMap<_, _> = BTreeMap::new();
            let inputs = |observations: &BTreeMap<Address, Observation>, ask: &mut dyn FnMut(&Inputs<'_>)| {
                let graph = graph.as_ref();
                let (registry, destroy) = (&Fakes, stack.is_none());
                ask(&Inputs {
                    graph,
                    state,
                    observations,
                    registry,
                    facts: &facts,
                    destroy,
                    is_sound: true,
                    seal: &seal,
                });
            };
            let mut asked = Vec::new();
            inputs(&observations, &mut |inputs| asked = first_questions(inputs));
            for question in asked {
                let answer = self.cloud.sweep(&question);
                observations.insert(question.address.clone(), answer);
            }
            let mut confirmed = BTreeSet::new();
            loop {
                let mut again = Vec::new();
                inputs(&observations, &mut |inputs| again = follow_up(inputs, &confirmed));
                if again.is_empty() {
                    break;
                }
                for question in again {
                    let answer = self.cloud.read(&question);
                    confirmed.insert(question.address.clone());
                    observations.insert(question.address, answer);
                }
            }
            let mut planned = None;
            inputs(&observations, &mut |inputs| planned = Some(plan(inputs)));
            let mut plan = planned.expect("it was planned")?;
            let now = remade(&plan);
            if now.is_subset(&made) {
                let answers = replacements::probes(&plan).into_iter();
                let answers = answers.map(|asked| (asked.address.clone(), self.cloud.read(&asked))).collect();
                let refused = replacements::settle(&mut plan, &answers, graph.as_ref());
                if refused.has_errors() {
                    return Err(refused);
                }
                return Ok(plan);
            }
            made.extend(now);
        }
    }

    /// An apply, from the recovery to the end.
    pub fn apply(&mut self, stack: Option<&Stack>, schedule: &Schedule) -> Result<Course, Diagnostics> {
        self.store.heal();
        let (state, recovered) = self.recovered();
        self.log.extend(recovered.iter().map(|recovered| format!("recovery: {}", recovered.what)));
        let plan = self.plan(stack, &state)?;
        let changes = plan.changes.values().filter(|change| change.action != Action::NoOp);
        self.log.extend(changes.map(|change| format!("plan: {} {:?}", change.address, change.action)));
        Ok(self.carry_out(plan, state, !recovered.is_empty(), schedule).expect("the plan can be applied"))
    }

    /// An apply of a plan that was made before.
    pub fn carry_out(
        &mut self,
        plan: Plan,
        state: State,
        recovered: bool,
        schedule: &Schedule,
    ) -> Result<Course, ApplyError> {
        self.runs += 1;
        let run_id = Run {
            id: format!("run-{}", self.runs),
            who: "tester@here pid 1".into(),
            since: 1_000_000,
            command: "apply".into(),
        };
        let before = plan
            .changes
            .values()
            .filter(|change| change.address.type_name.as_str() == CREDENTIAL)
            .filter(|change| matches!(change.action, Action::Create | Action::Replace { .. }))
            .filter_map(|change| {
                let known = self.cloud.credentials(change.desired.get("bucket")?);
                let before: Map = [("known".to_owned(), Value::strings(known))].into();
                Some((change.address.clone(), before))
            })
            .collect();
        self.cloud.yielding = yielding(&plan);
        let options =
            Options { registry: &Fakes, seal: &seal, parallelism: schedule.parallelism.max(1), recovered, before };
        let mut apply = Apply::new(plan, state, run_id, options)?;
        let schedule = Schedule { parallelism: schedule.parallelism.max(1), ..schedule.clone() };
        let course = run(&mut apply, &mut self.cloud, &mut self.store, &schedule);
        self.log.extend(course.trace.iter().cloned());
        self.log.push(match &course.ended {
            super::driver::Ended::Done(_) => "end".into(),
            super::driver::Ended::Crashed => "crash".into(),
        });
        Ok(course)
    }

    /// Says what is not as `stack` wants it, in cloud or state.
    pub fn unlike(&self, stack: &Stack) -> Vec<String> {
        let mut found = Vec::new();
        let state = self.store.state();
        if state.run.is_some() || !state.pending.is_empty() || !state.deposed.is_empty() {
            found.push(format!("left over: {:?} {:?} {:?}", state.run, state.pending, state.deposed));
        }
        if state.instances.keys().ne(stack.blocks.keys()) {
            let (has, wants) = (state.instances.keys(), stack.blocks.keys());
            found.push(format!(
                "state has {:?}, wanted {:?}",
                has.map(ToString::to_string).collect::<Vec<_>>(),
                wants.map(ToString::to_string).collect::<Vec<_>>()
            ));
        }
        let ours = self.cloud.objects.iter().filter(|(_, object)| is_ours(object, &state.lineage));
        for (key, object) in ours {
            let holders: Vec<_> = state
                .instances
                .iter()
                .filter(|(_, instance)| (&instance.type_name, &instance.physical_id) == (&key.0, &key.1))
                .collect();
            if holders.len() != 1 {
                found.push(format!("{} {} is held by {} addresses: {object:?}", key.0, key.1, holders.len()));
            }
        }
        let graph = stack.graph(state, &BTreeSet::new());
        for (address, node) in &graph.nodes {
            let Some(instance) = state.instances.get(address) else { continue };
            let key = (instance.type_name.clone(), instance.physical_id.clone());
            let Some(object) = self.cloud.objects.get(&key) else {
                found.push(format!("{address} is {} in state and does not exist", instance.physical_id));
                continue;
            };
            let wanted: Map = node
                .managed
                .iter()
                .filter(|(_, value)| !value.is_null() && value.is_known())
                .map(|(name, value)| (name.clone(), plain(value)))
                .collect();
            let mut has: Map = object.properties.clone();
            has.retain(|name, _| node.managed.get(name).is_none_or(Value::is_known));
            if sorted(&wanted) != sorted(&has) {
                found.push(format!("{address} has {has:?}, wanted {wanted:?}"));
            }
        }
        found
    }
}

/// What a plan deletes and makes again under its name, and what must follow because it names that.
fn yielding(plan: &Plan) -> BTreeSet<Key> {
    let replaced = plan.changes.values().filter(|change| matches!(change.action, Action::Replace { .. }));
    let replaced: Vec<_> = replaced.collect();
    let mut first: BTreeSet<&Address> = BTreeSet::new();
    loop {
        let before = first.len();
        for change in &replaced {
            let follows = change.waits_for.iter().any(|other| first.contains(other));
            if change.action == (Action::Replace { delete_first: true }) || follows {
                first.insert(&change.address);
            }
        }
        if first.len() == before {
            break;
        }
    }
    let old =
        replaced.iter().filter(|change| first.contains(&change.address)).filter_map(|change| change.before.as_ref());
    old.map(|old| (old.type_name.clone(), old.physical_id.clone())).collect()
}

fn is_ours(object: &Object, lineage: &str) -> bool {
    object.owner.as_deref().is_none_or(|owner| owner == lineage)
}

fn plain(value: &Value) -> Value {
    match value {
        Value::Secret(secret) => secret.expose().clone(),
        value => value.clone(),
    }
}

/// Sets have no order.
fn sorted(map: &Map) -> BTreeMap<&String, String> {
    map.iter()
        .map(|(name, value)| match value {
            Value::List(list) => {
                let mut items: Vec<String> = list.iter().map(|item| format!("{item:?}")).collect();
                items.sort();
                (name, items.join(","))
            }
            value => (name, format!("{value:?}")),
        })
        .collect()
}
