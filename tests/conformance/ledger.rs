//! What was done for each type: checks, calls, faults, and which of the declared IAM actions were needed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Result, ensure};
use s3stack::aws::{CallSummary, iam_action};
use s3stack::resources::provider;
use s3stack_engine::resource::Actions;

use crate::tables;

/// What a call was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Read,
    Create,
    Update,
    Delete,
}

impl Part {
    pub const ALL: [Self; 4] = [Self::Read, Self::Create, Self::Update, Self::Delete];

    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    fn of(self, actions: &Actions) -> &'static [&'static str] {
        match self {
            Self::Read => actions.read,
            Self::Create => actions.create,
            Self::Update => actions.update,
            Self::Delete => actions.delete,
        }
    }
}

/// The actions that a type declares for a part.
pub fn declared(type_name: &str, part: Part) -> &'static [&'static str] {
    provider(type_name).map(|provider| part.of(&provider.descriptor().actions)).unwrap_or_default()
}

#[derive(Default)]
struct Record {
    passed: u64,
    failed: u64,
    excused: u64,
    requests: u64,
    faults: u64,
    used: BTreeSet<(Part, &'static str)>,
}

/// What was done, by type. Cheap to clone.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Mutex<BTreeMap<String, Record>>>);

impl Ledger {
    fn records(&self) -> MutexGuard<'_, BTreeMap<String, Record>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, type_name: &str, change: impl FnOnce(&mut Record)) {
        change(self.records().entry(type_name.to_owned()).or_default());
    }

    pub fn passed(&self, type_name: &str) {
        self.note(type_name, |record| record.passed += 1);
    }

    pub fn failed(&self, type_name: &str) {
        self.note(type_name, |record| record.failed += 1);
    }

    pub fn excused(&self, type_name: &str) {
        self.note(type_name, |record| record.excused += 1);
    }

    pub fn requests(&self, type_name: &str, count: u64) {
        self.note(type_name, |record| record.requests += count);
    }

    pub fn fault(&self, type_name: &str) {
        self.note(type_name, |record| record.faults += 1);
    }

    /// How many checks of a type passed.
    pub fn count_passed(&self, type_name: &str) -> u64 {
        self.records().get(type_name).map(|record| record.passed).unwrap_or_default()
    }

    /// Notes which declared actions some calls needed, where it is clear whose call it was; fails if a call needed an
    /// action that none of the verbs under way declares.
    pub fn actions(&self, calls: &CallSummary, under_way: &BTreeSet<(String, Part)>) -> Result<()> {
        for action in calls.actions() {
            let declaring: Vec<(&String, Part, &'static str)> = under_way
                .iter()
                .filter_map(|(type_name, part)| {
                    let declared = declared(type_name, *part).iter().find(|declared| **declared == action)?;
                    Some((type_name, *part, *declared))
                })
                .collect();
            let verbs: Vec<String> =
                under_way.iter().map(|(type_name, part)| format!("{} of {type_name}", part.word())).collect();
            ensure!(!declaring.is_empty(), "{action} was needed, and is not declared by {}", verbs.join(", "));
            if let [(type_name, part, declared)] = declaring.as_slice() {
                self.note(type_name, |record| {
                    record.used.insert((*part, declared));
                });
            }
        }
        Ok(())
    }

    /// The declared actions that nothing used and no line of the table excuses, and the excuses that are not needed.
    pub fn unused_actions(&self, type_name: &str) -> Vec<String> {
        let records = self.records();
        let used = |part: Part, action: &str| {
            records.get(type_name).is_some_and(|record| record.used.iter().any(|(p, a)| *p == part && *a == action))
        };
        let mut complaints = Vec::new();
        for part in Part::ALL {
            for action in declared(type_name, part) {
                let excuse = tables::conditional(type_name, part, action);
                match (used(part, action), excuse) {
                    (false, None) => {
                        complaints.push(format!("{action} is declared for {}, and nothing needed it", part.word()));
                    }
                    (true, Some(_)) => {
                        complaints.push(format!("{action} is excused for {}, and was needed", part.word()));
                    }
                    _ => {}
                }
            }
        }
        complaints
    }

    /// The table at the end.
    pub fn table(&self) -> String {
        let mut text = String::new();
        let mut row = |cells: [&str; 7]| {
            let [name, rest @ ..] = cells;
            let _ = write!(text, "{name:<24}");
            for cell in rest {
                let _ = write!(text, "{cell:>10}");
            }
            text.push('\n');
        };
        row(["type", "passed", "failed", "excused", "requests", "faults", "actions"]);
        for (name, record) in self.records().iter() {
            let counts = [record.passed, record.failed, record.excused, record.requests, record.faults];
            let [passed, failed, excused, requests, faults] = counts.map(|count| count.to_string());
            let all: usize = Part::ALL.iter().map(|part| declared(name, *part).len()).sum();
            let actions = format!("{}/{all}", record.used.len());
            row([name, &passed, &failed, &excused, &requests, &faults, &actions]);
        }
        text
    }
}

/// What of `after` came since `before`.
pub fn since(before: &CallSummary, after: &CallSummary) -> CallSummary {
    let mut difference = CallSummary::default();
    for (operation, count) in &after.by_operation {
        let made = count - before.by_operation.get(operation).copied().unwrap_or_default();
        if made > 0 {
            difference.by_operation.insert(operation.clone(), made);
            difference.total += made;
        }
    }
    difference
}

/// The calls among these that write.
pub fn writes(calls: &CallSummary) -> Vec<String> {
    let reads = ["Get", "List", "Head", "Describe", "Simulate"];
    calls
        .by_operation
        .keys()
        .filter(|(_, operation)| !reads.iter().any(|read| operation.starts_with(read)))
        .map(|(service, operation)| iam_action(service, operation))
        .collect()
}
