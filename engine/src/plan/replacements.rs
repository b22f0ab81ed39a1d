//! Replacements that get another name: what holds that name is looked at before anything is called, as for any creation.
//!
//! The question about an address is asked under the identifier that state has, so the identifier to come needs one of
//! its own. That it was free is also what proves later, where a resource carries no tags, that a half-made one is ours.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Action, Change, Observation, Plan};
use super::questions::{Question, question};
use crate::address::Address;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::graph::Graph;
use crate::state::Instance;

/// The questions about the identifiers that replacements will have, where those are known and are not the old ones.
pub fn probes(plan: &Plan) -> Vec<Question> {
    plan.changes
        .values()
        .filter_map(|change| Some((change, target(change)?)))
        .map(|(change, after)| question(&change.address, after, BTreeSet::new(), false))
        .collect()
}

/// Notes which of those identifiers are free; those that are somebody else's are refused.
pub fn settle(plan: &mut Plan, answers: &BTreeMap<Address, Observation>, graph: Option<&Graph>) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    let ours: BTreeSet<(String, String)> = plan
        .deposed
        .iter()
        .map(|deposed| &deposed.instance)
        .chain(plan.changes.values().filter_map(|change| change.before.as_ref()))
        .map(|instance| (instance.type_name.clone(), instance.physical_id.clone()))
        .collect();
    for change in plan.changes.values_mut() {
        let (Some(after), Some(answer)) = (target(change), answers.get(&change.address)) else { continue };
        let how = match answer {
            Observation::Missing => {
                change.seen_missing = true;
                continue;
            }
            Observation::Found(live) if live.owner.as_deref() == Some(&plan.lineage) => continue,
            // It makes room first.
            Observation::Found(_) if ours.contains(&(after.type_name.clone(), after.physical_id.clone())) => continue,
            Observation::Found(live) => match &live.owner {
                Some(other) => format!("its s3stack:id tag names another state, {other}"),
                None => "it carries no s3stack:id tag".into(),
            },
            Observation::Foreign(how) => how.clone(),
            // The creation will say what is the matter.
            Observation::Unreadable(_) => continue,
        };
        let (address, id) = (&change.address, &after.physical_id);
        let span = graph.and_then(|graph| graph.nodes.get(address)).and_then(|node| node.span.clone());
        diagnostics.push(
            Diagnostic::error("S3S-O1", format!("{} {id} exists and is not this stack's", address.type_name))
                .at(span)
                .on(address)
                .note(how)
                .help(format!("{address} is to be made anew under that name: give it another one")),
        );
    }
    diagnostics
}

/// What a replacement will be, if that has a known identifier of its own.
fn target(change: &Change) -> Option<&Instance> {
    let Action::Replace { .. } = change.action else { return None };
    let (before, after) = (change.before.as_ref()?, change.after.as_ref()?);
    (!after.physical_id.is_empty() && after.physical_id != before.physical_id).then_some(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::faults::Schedule;
    use crate::testing::stack::{Stack, bucket};
    use crate::testing::types::BUCKET;
    use crate::testing::world::World;
    use crate::value::Map;

    fn named(name: &str) -> Stack {
        Stack::default().with(bucket("a"), |block| block.name = name.into())
    }

    /// A world with a bucket `one`, in which somebody else's `other` exists.
    fn world(owner: Option<&str>) -> World {
        let mut world = World::default();
        world.apply(Some(&named("one")), &Schedule::calm()).unwrap();
        if let Some(owner) = owner {
            world.cloud.plant(BUCKET, "other", (!owner.is_empty()).then_some(owner), Map::new());
        }
        world
    }

    fn plan(world: &World, name: &str) -> Result<Plan, Diagnostics> {
        world.plan(Some(&named(name)), world.store.state())
    }

    #[test]
    fn the_new_name_of_a_replacement_is_seen_to_be_free() {
        let plan = plan(&world(None), "other").unwrap();
        assert_eq!(plan.changes[&bucket("a")].action, Action::Replace { delete_first: false });
        assert!(plan.changes[&bucket("a")].seen_missing);
    }

    #[test]
    fn a_new_name_that_is_somebody_elses_is_refused_before_anything_is_called() {
        for owner in ["", "lineage-of-others"] {
            let refused = plan(&world(Some(owner)), "other").unwrap_err();
            assert_eq!(refused.0.iter().map(|one| one.code).collect::<Vec<_>>(), ["S3S-O1"], "{owner}");
        }
    }

    #[test]
    fn what_an_earlier_run_of_ours_left_under_the_new_name_is_none_of_others() {
        let plan = plan(&world(Some("lineage-1")), "other").unwrap();
        assert!(!plan.changes[&bucket("a")].seen_missing);
    }

    #[test]
    fn a_replacement_that_keeps_its_name_asks_for_nothing_more() {
        let world = world(None);
        let stack = Stack::default().with(bucket("a"), |block| {
            block.name = "one".into();
            block.zone = "elsewhere".into();
        });
        let plan = world.plan(Some(&stack), world.store.state()).unwrap();
        assert_eq!(plan.changes[&bucket("a")].action, Action::Replace { delete_first: true });
        assert!(probes(&plan).is_empty());
    }
}
