//! What is read again before a plan may be believed.

use std::collections::{BTreeMap, BTreeSet};

use super::decide::{Inputs, first_questions};
use super::reread::{SETTLES_WITHIN, follow_up, unsettled};
use super::{Live, Observation};
use crate::address::Path;
use crate::graph::Graph;
use crate::resource::Facts;
use crate::state::{Instance, State};
use crate::testing::stack::{Stack, bucket};
use crate::testing::types::{BUCKET, Fakes};
use crate::value::{Map, Value};

/// When the instance of [`Case`] was written.
const WRITTEN: u64 = 1_000_000;

fn facts() -> Facts {
    Facts {
        partition: "fake".into(),
        account_id: "000000000001".into(),
        region: "region-1".into(),
        stack: "stack".into(),
        environment: "default".into(),
    }
}

/// A bucket whose size three sides know: the file (absent: no block), state, and AWS (absent: missing there).
struct Case {
    file: Option<i64>,
    state: i64,
    live: Option<i64>,
    hint: bool,
    ignored: bool,
}

impl Case {
    /// State and AWS agree with the file.
    fn agreed() -> Self {
        Self { file: Some(1), state: 1, live: Some(1), hint: true, ignored: false }
    }

    fn with<T>(&self, look: impl FnOnce(&Inputs<'_>) -> T) -> T {
        let address = bucket("it");
        let managed = |size: i64| -> Map {
            [("name".to_owned(), "it".into()), ("zone".to_owned(), "a".into()), ("size".to_owned(), size.into())].into()
        };
        let mut state = State::new("lineage-1".into(), "stack".into(), "default".into());
        let instance = Instance {
            type_name: BUCKET.into(),
            physical_id: "it".into(),
            account: "000000000001".into(),
            region: "region-1".into(),
            managed: managed(self.state),
            attributes: [("arn".to_owned(), Value::from("arn:fake:it"))].into(),
            waits_for: BTreeSet::new(),
            protect: false,
            retain: false,
            named: true,
            memory: Map::new(),
            written_at: WRITTEN,
        };
        state.instances.insert(address.clone(), instance);
        let observation = match self.live {
            None => Observation::Missing,
            Some(size) => Observation::Found(Live {
                physical_id: "it".into(),
                managed: managed(size),
                attributes: Map::new(),
                owner: Some("lineage-1".into()),
                loss: vec!["3 objects".into()],
                hint: self.hint,
            }),
        };
        let mut graph = match self.file {
            None => Graph::default(),
            Some(size) => {
                let stack = Stack::default().with(address.clone(), |block| block.size = Some(size));
                stack.graph(&state, &BTreeSet::new())
            }
        };
        if self.ignored {
            graph.nodes.values_mut().for_each(|node| node.ignore_changes = vec![Path::of("size")]);
        }
        look(&Inputs {
            graph: Some(&graph),
            state: &state,
            observations: &BTreeMap::from([(address, observation)]),
            registry: &Fakes,
            facts: &facts(),
            destroy: false,
            is_sound: true,
            seal: &Clone::clone,
        })
    }

    /// Whether it is read again, and if so, whether what it holds is counted.
    fn read_again(&self) -> Option<bool> {
        let asked = self.with(|inputs| follow_up(inputs, &BTreeSet::new()));
        asked.first().map(|question| question.loss)
    }

    fn is_unsettled(&self, wall: u64) -> bool {
        !self.with(|inputs| unsettled(inputs, wall)).is_empty()
    }
}

#[test]
fn what_goes_and_was_counted_by_a_point_read_is_not_read_again() {
    let gone = Case { file: None, hint: false, ..Case::agreed() };
    assert!(gone.with(first_questions).iter().all(|question| question.loss), "what it holds is asked for at once");
    assert_eq!(gone.read_again(), None);
}

#[test]
fn what_a_bulk_answer_says_of_a_loss_is_counted_again() {
    assert_eq!(Case { file: None, ..Case::agreed() }.read_again(), Some(true));
}

#[test]
fn a_bulk_answer_that_agrees_is_believed() {
    assert_eq!(Case::agreed().read_again(), None);
}

#[test]
fn a_bulk_answer_that_differs_from_the_file_is_not_believed() {
    assert_eq!(Case { live: Some(2), ..Case::agreed() }.read_again(), Some(false));
    assert_eq!(Case { live: Some(2), hint: false, ..Case::agreed() }.read_again(), None, "a point read is");
}

#[test]
fn an_old_bulk_answer_that_happens_to_be_what_the_file_says_is_not_believed() {
    assert_eq!(Case { file: Some(1), state: 2, live: Some(1), ..Case::agreed() }.read_again(), Some(false));
}

#[test]
fn for_a_minute_after_a_write_another_answer_is_not_the_last_word() {
    let differs = Case { live: Some(2), hint: false, ..Case::agreed() };
    let missing = Case { live: None, ..Case::agreed() };
    let gone = Case { file: None, live: None, ..Case::agreed() };
    for case in [differs, missing, gone] {
        assert!(case.is_unsettled(WRITTEN));
        assert!(case.is_unsettled(WRITTEN + SETTLES_WITHIN - 1));
        assert!(!case.is_unsettled(WRITTEN + SETTLES_WITHIN));
        assert!(case.is_unsettled(WRITTEN - 5), "another machine's clock may be ahead");
    }
}

#[test]
fn what_agrees_or_is_nobodys_business_is_settled() {
    let file_only = Case { file: Some(2), hint: false, ..Case::agreed() };
    let gone = Case { file: None, hint: false, ..Case::agreed() };
    let ignored = Case { live: Some(2), hint: false, ignored: true, ..Case::agreed() };
    for case in [Case::agreed(), file_only, gone, ignored] {
        assert!(!case.is_unsettled(WRITTEN));
    }
}
