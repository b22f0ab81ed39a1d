//! Takes out of a plan what could not be read.

use std::collections::BTreeMap;

use super::decide::Planner;
use super::model::{Action, Change, Observation, Unplanned};
use crate::address::Address;

impl Planner<'_> {
    /// Takes out what could not be read and all that waits for it.
    pub(super) fn leave_out_unreadable(
        &self,
        mut changes: BTreeMap<Address, Change>,
    ) -> (BTreeMap<Address, Change>, Vec<Unplanned>) {
        let mut unplanned: BTreeMap<Address, Unplanned> = BTreeMap::new();
        for address in changes.keys() {
            if let Some(Observation::Unreadable(fault)) = self.inputs.observations.get(address) {
                let entry = Unplanned { address: address.clone(), fault: Some(fault.clone()), waits_for: None };
                unplanned.insert(address.clone(), entry);
            }
        }
        loop {
            let blocked =
                changes.values().filter(|change| !unplanned.contains_key(&change.address)).find_map(|change| {
                    // What is made waits for what it names; what is deleted waits for what names it.
                    let waits = change.waits_for.iter().find(|other| unplanned.contains_key(*other)).cloned().or_else(
                        || {
                            let goes = matches!(change.action, Action::Delete | Action::Replace { .. });
                            let names_it = |other: &&Address| {
                                self.state
                                    .instances
                                    .get(*other)
                                    .is_some_and(|other| other.waits_for.contains(&change.address))
                            };
                            unplanned.keys().filter(|_| goes).find(names_it).cloned()
                        },
                    )?;
                    (change.action != Action::NoOp).then(|| (change.address.clone(), waits))
                });
            let Some((address, waits_for)) = blocked else { break };
            unplanned.insert(address.clone(), Unplanned { address, fault: None, waits_for: Some(waits_for) });
        }
        changes.retain(|address, _| !unplanned.contains_key(address));
        (changes, unplanned.into_values().collect())
    }
}
