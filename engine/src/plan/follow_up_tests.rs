//! What is read again before a deletion may be believed.

use std::collections::{BTreeMap, BTreeSet};

use super::decide::{Inputs, first_questions, follow_up};
use super::{Live, Observation};
use crate::address::Address;
use crate::resource::Facts;
use crate::state::{Instance, State};
use crate::testing::types::{BUCKET, Fakes};
use crate::value::Map;

fn read_again(hint: bool) -> Vec<bool> {
    let address: Address = format!("{BUCKET}.it").parse().unwrap();
    let mut state = State::new("lineage-1".into(), "stack".into(), "default".into());
    let instance = Instance {
        type_name: BUCKET.into(),
        physical_id: "it".into(),
        account: "000000000001".into(),
        region: "region-1".into(),
        managed: Map::new(),
        attributes: Map::new(),
        waits_for: BTreeSet::new(),
        protect: false,
        retain: false,
        named: false,
        memory: Map::new(),
        written_at: 0,
    };
    state.instances.insert(address.clone(), instance);
    let live = Live {
        physical_id: "it".into(),
        managed: Map::new(),
        attributes: Map::new(),
        owner: Some("lineage-1".into()),
        loss: vec!["3 objects".into()],
        hint,
    };
    let facts = Facts {
        partition: "fake".into(),
        account_id: "000000000001".into(),
        region: "region-1".into(),
        stack: "stack".into(),
        environment: "default".into(),
    };
    let inputs = Inputs {
        graph: None,
        state: &state,
        observations: &BTreeMap::from([(address, Observation::Found(live))]),
        registry: &Fakes,
        facts: &facts,
        destroy: true,
        seal: &Clone::clone,
    };
    assert!(first_questions(&inputs).iter().all(|question| question.loss), "what it holds is asked for at once");
    follow_up(&inputs, &BTreeSet::new()).iter().map(|question| question.loss).collect()
}

#[test]
fn what_goes_and_was_counted_by_a_point_read_is_not_read_again() {
    assert_eq!(read_again(false), [false; 0]);
}

#[test]
fn what_a_bulk_answer_says_of_a_loss_is_counted_again() {
    assert_eq!(read_again(true), [true]);
}
