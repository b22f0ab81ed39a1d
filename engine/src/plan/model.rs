//! What a plan says.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::address::{Address, Path};
use crate::fault::Fault;
use crate::state::Instance;
use crate::value::{Map, Value};

/// What AWS answered about a resource.
#[derive(Debug, Clone, PartialEq)]
pub enum Observation {
    /// It exists.
    Found(Live),
    /// It does not exist.
    Missing,
    /// Something of that name exists and is not ours to touch; the text says how that was seen.
    Foreign(String),
    /// Nobody knows: the read was denied or failed to the end. Never taken for missing, nor for equal.
    Unreadable(Fault),
}

/// A resource as AWS has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    /// AWS's identifier.
    pub physical_id: String,
    /// The properties in the vocabulary of `managed`; what a bulk answer does not tell is absent.
    pub managed: Map,
    /// The attributes.
    pub attributes: Map,
    /// The lineage in its `s3stack:id` tag; `None` when it carries none or can carry none.
    pub owner: Option<String>,
    /// What deleting it would lose; empty where nothing or not asked.
    pub loss: Vec<String>,
    /// Whether this came from a bulk answer, which may lag: a difference must be confirmed by a point read.
    pub hint: bool,
}

/// What is done to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing.
    NoOp,
    /// It is made.
    Create,
    /// It is changed in place.
    Update,
    /// It is deleted and made anew, in the order that its name allows.
    Replace {
        /// Whether the old one goes first, because both would have one name.
        delete_first: bool,
    },
    /// It is deleted.
    Delete,
    /// State forgets it; AWS keeps it (`retain`), or has none any more.
    Forget,
    /// An existing resource is taken into state, and changed where it differs.
    Adopt,
}

/// Why a property differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The file says something new.
    File,
    /// The file no longer says it.
    Removed,
    /// Somebody changed it in AWS.
    Drift,
    /// This version of the tool has another default.
    Default,
    /// A principal it names was made anew: AWS keeps unique ids, so the same text must be written again.
    Principal,
}

/// One property that will change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Which.
    pub path: Path,
    /// What AWS has.
    pub from: Value,
    /// What it will have.
    pub to: Value,
    /// Why.
    pub cause: Cause,
    /// Whether this alone makes the resource be replaced.
    pub replaces: bool,
}

/// What will be done to one resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Which.
    pub address: Address,
    /// What.
    pub action: Action,
    /// The address it had; a move makes no call.
    pub moved_from: Option<Address>,
    /// The resource as state has it, or as it was found for an adoption.
    pub before: Option<Instance>,
    /// The resource as state will have it; unknown values stand where AWS decides. Absent for delete and forget.
    pub after: Option<Instance>,
    /// The managed properties to be reached, unknowns and secrets included (a secret is never stored: see
    /// [`crate::value::Value`]); equal to `after.managed` where there are none.
    pub desired: Map,
    /// What differs, for update, adopt and replace.
    pub differences: Vec<Difference>,
    /// What differs between state and AWS without the file having a say: shown, and accepted into state.
    pub accepted: Vec<Difference>,
    /// Why it is replaced, created again or deleted, in words; may be empty.
    pub reason: String,
    /// What is lost; consent is bound to these words.
    pub loss: Vec<String>,
    /// The resources whose operations come before this one's create or update.
    pub waits_for: BTreeSet<Address>,
    /// Whether the resource was seen to be missing before this plan: then a create that is cut short can be known as ours.
    pub seen_missing: bool,
    /// Names the live side that this plan was made from; a saved plan checks it again.
    pub live_digest: String,
}

/// A resource that could not be planned, because it, or something it waits for, could not be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unplanned {
    /// Which.
    pub address: Address,
    /// What the read said; absent when it only waits for another.
    pub fault: Option<Fault>,
    /// What it waits for.
    pub waits_for: Option<Address>,
}

/// What will be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The state's lineage.
    pub lineage: String,
    /// The state's serial.
    pub serial: u64,
    /// The stack.
    pub stack: String,
    /// The environment.
    pub environment: String,
    /// The account of the caller.
    pub account_id: String,
    /// The stack's region.
    pub region: String,
    /// Whether everything is to be destroyed.
    pub destroy: bool,
    /// What happens to each resource, no-ops included, in the order of addresses.
    pub changes: BTreeMap<Address, Change>,
    /// Replaced resources of earlier runs that are still there, to be deleted.
    pub deposed: Vec<crate::state::Deposed>,
    /// What could not be planned.
    pub unplanned: Vec<Unplanned>,
    /// The outputs, as far as they are known; sensitive ones are [`Value::Secret`] and never stored.
    pub outputs: Map,
    /// Values of attributes that AWS will make, by address: what "known after apply" is listed from.
    pub made_by_aws: BTreeMap<Address, Vec<String>>,
}

impl Plan {
    /// Whether applying this would make no call and change nothing in state that matters.
    pub fn is_empty(&self) -> bool {
        self.deposed.is_empty()
            && self.changes.values().all(|change| change.action == Action::NoOp && change.moved_from.is_none())
    }
}
