//! Decides for what goes: resources without a block, and what may not go.

use std::collections::BTreeSet;

use super::decide::{Planner, digest};
use super::model::{Action, Change, Observation};
use crate::address::Address;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::state::Instance;
use crate::value::Map;

impl Planner<'_> {
    pub(super) fn decide_gone(&self, address: &Address, instance: &Instance) -> Change {
        let observation = self.inputs.observations.get(address);
        let mut change = Change {
            address: address.clone(),
            action: Action::Delete,
            moved_from: None,
            before: Some(instance.clone()),
            after: None,
            desired: Map::new(),
            differences: Vec::new(),
            accepted: Vec::new(),
            reason: String::new(),
            loss: Vec::new(),
            waits_for: BTreeSet::new(),
            seen_missing: false,
            live_digest: observation.map(digest).unwrap_or_default(),
        };
        // With a file the block has the last word; state remembers for blocks that are gone, and guards what a file with
        // errors may have let slip.
        let node = self.inputs.graph.and_then(|graph| graph.nodes.get(address));
        if let (Some(node), Some(before)) = (node, &mut change.before) {
            if self.inputs.is_sound {
                before.memory.clone_from(&node.memory);
                (before.protect, before.retain) = (node.protect, node.retain);
            } else {
                before.protect |= node.protect;
                before.retain |= node.retain;
            }
        }
        match observation {
            Some(Observation::Missing) => {
                change.action = Action::Forget;
                change.reason = "it is gone from AWS".into();
            }
            Some(Observation::Foreign(how)) => {
                change.action = Action::Forget;
                change.reason = format!("it is not ours any more: {how}");
            }
            Some(Observation::Found(live)) => change.loss.clone_from(&live.loss),
            Some(Observation::Unreadable(_)) | None => {}
        }
        if change.before.as_ref().is_some_and(|before| before.retain) && change.action == Action::Delete {
            change.action = Action::Forget;
            change.reason = "`retain` keeps it in AWS".into();
        }
        change
    }

    pub(super) fn check_protection(&self, change: &Change, diagnostics: &mut Diagnostics) {
        let goes = matches!(change.action, Action::Delete | Action::Replace { .. });
        let node = self.inputs.graph.and_then(|graph| graph.nodes.get(&change.address));
        let protected = match (node, &change.before) {
            (Some(node), Some(before)) if !self.inputs.is_sound => node.protect || before.protect,
            (Some(node), _) => node.protect,
            (None, Some(before)) => before.protect,
            (None, None) => false,
        };
        if !(goes && protected) {
            return;
        }
        let what = if change.action == Action::Delete { "deleted" } else { "replaced" };
        let mut diagnostic =
            Diagnostic::error("S3S-J1", format!("{} is protected and would be {what}", change.address))
                .at(node.and_then(|node| node.span.clone()))
                .on(&change.address);
        if !change.reason.is_empty() {
            diagnostic = diagnostic.note(change.reason.clone());
        }
        diagnostics.push(match node {
            Some(_) => diagnostic.help("set `protect = false`, apply, and try again, if that is what you want"),
            None => diagnostic.help("put its block back with `protect = false`, apply, and then take it out"),
        });
    }
}
