//! What is read again before a plan may be believed: bulk answers are hints, and for a while after a write AWS may answer
//! with what was there before it.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::contradicts;
use super::decide::{Inputs, Planner};
use super::model::{Action, Change, Observation};
use super::questions::{Question, needs_confirmation, questions};
use crate::address::Address;
use crate::diagnostic::Diagnostics;
use crate::state::Instance;

/// How long AWS may take until its answers show what was written, in seconds.
pub const SETTLES_WITHIN: u64 = 60;

/// What to read again before the plan may be believed: each resource of which a bulk answer says that it is missing, or
/// differs from file or state, and each that would be deleted or replaced, for what that would lose, unless the first
/// question asked for that. Empty once all of that is in `confirmed`.
pub fn follow_up(inputs: &Inputs<'_>, confirmed: &BTreeSet<Address>) -> Vec<Question> {
    let again = Again::new(inputs);
    let mut asked = Vec::new();
    for (address, observation) in inputs.observations.iter().filter(|(address, _)| !confirmed.contains(*address)) {
        let Some(kind) = inputs.registry.get(address.type_name.as_str()) else { continue };
        let Some(first) = again.first.get(address) else { continue };
        let known = again.planner.state.instances.get(address);
        // An old answer may also happen to be what the file says now, and hide what there is to do.
        let differs = again.decided.get(address).is_some_and(|change| !change.differences.is_empty())
            || known.is_some_and(|instance| again.is_contradicted(address, instance));
        // What is gone from the file was asked for its loss at once; a bulk answer's word is not enough for that.
        let is_hint = matches!(observation, Observation::Found(live) if live.hint);
        let uncounted = again.loses(address) && (!first.loss || is_hint);
        if needs_confirmation(known, observation, differs, kind) || uncounted {
            asked.extend(again.question(address));
        }
    }
    asked
}

/// What AWS may not have settled on at `wall` (seconds since 1970): resources that were written a moment ago and of which
/// it says something else. They are read again until AWS says what was written, or the time for that is over.
pub fn unsettled(inputs: &Inputs<'_>, wall: u64) -> Vec<Question> {
    let again = Again::new(inputs);
    let instances = again.planner.state.instances.iter();
    instances
        .filter(|(_, instance)| wall.saturating_sub(instance.written_at) < SETTLES_WITHIN)
        .filter(|(address, instance)| again.is_contradicted(address, instance))
        .filter_map(|(address, _)| again.question(address))
        .collect()
}

/// What a second question is made from.
struct Again<'a> {
    planner: Planner<'a>,
    first: BTreeMap<Address, Question>,
    decided: BTreeMap<Address, Change>,
}

impl<'a> Again<'a> {
    fn new(inputs: &'a Inputs<'a>) -> Self {
        let (planner, _) = Planner::new(inputs);
        let first = questions(planner.graph, &planner.state, inputs.registry);
        let first = first.into_iter().map(|asked| (asked.address.clone(), asked)).collect();
        let decided = planner.decide_all(&mut Diagnostics::default());
        Self { planner, first, decided }
    }

    /// Whether it goes, and something that nobody can make again with it.
    fn loses(&self, address: &Address) -> bool {
        let goes = self
            .decided
            .get(address)
            .is_some_and(|change| matches!(change.action, Action::Delete | Action::Replace { .. }));
        let kind = self.planner.inputs.registry.get(address.type_name.as_str());
        goes && kind.is_some_and(|kind| kind.descriptor().stateful)
    }

    /// Whether AWS says of an instance something else than what was applied last.
    fn is_contradicted(&self, address: &Address, instance: &Instance) -> bool {
        let inputs = self.planner.inputs;
        let Some(kind) = inputs.registry.get(address.type_name.as_str()) else { return false };
        let node = self.planner.graph.and_then(|graph| graph.nodes.get(address));
        match inputs.observations.get(address) {
            Some(Observation::Missing) => true,
            // What has no block any more is read only for whether it is there.
            Some(Observation::Found(live)) => {
                node.is_some_and(|node| contradicts(kind, instance, live, &node.ignore_changes, inputs.seal))
            }
            Some(Observation::Foreign(_) | Observation::Unreadable(_)) | None => false,
        }
    }

    fn question(&self, address: &Address) -> Option<Question> {
        self.first.get(address).map(|first| Question { loss: self.loses(address), ..first.clone() })
    }
}
