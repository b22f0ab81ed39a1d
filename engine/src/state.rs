//! The state document: what the tool made, what it is about to do, and whose it is.
//!
//! State is one JSON document. Intent is in it, not beside it: `run` and `pending` are written before the first call to
//! AWS, so whatever happens afterwards, the next run knows where to look. It holds no secret.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::value::Map;

/// The format this version writes. A newer one is refused; an older one is upgraded by [`State::from_json`].
pub const FORMAT: u32 = 1;

/// The state of one stack in one environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The document's format.
    pub format: u32,
    /// The version of the tool that wrote it.
    pub tool: String,
    /// Made once, when the state is: the mark of ownership on every resource.
    pub lineage: String,
    /// One more with every write.
    pub serial: u64,
    /// Differs with every write, so that a writer can tell after an ambiguous answer whether the document is its own.
    pub write_id: String,
    /// The stack's name.
    pub stack: String,
    /// The environment.
    pub environment: String,
    /// The stack's own account when it was last applied: one that moves would leave its resources behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The stack's own region then, for the same reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// How to get into the accounts that resources are in beside the stack's own, by id: their blocks may be gone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub accounts: BTreeMap<String, SignIn>,
    /// The resources by address.
    pub instances: BTreeMap<Address, Instance>,
    /// Resources that were replaced and still have to be deleted.
    #[serde(default)]
    pub deposed: Vec<Deposed>,
    /// The run that is applying, or that was cut short.
    #[serde(default)]
    pub run: Option<Run>,
    /// Operations begun and not known to have ended. An entry outlives its run where nobody could tell at the run's end
    /// whether it took effect; the next run looks.
    #[serde(default)]
    pub pending: Vec<Pending>,
    /// The outputs of the last apply that was done; sensitive ones are not stored.
    #[serde(default)]
    pub outputs: Map,
}

/// How to get into an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The profile whose credentials lead there, or that may take the role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The role to take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// What the role's trust policy wants to hear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// What the session is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_name: Option<String>,
    /// The region of resources there that say none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The twelve digits that it must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
}

/// A resource in state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    /// `s3.bucket`.
    #[serde(rename = "type")]
    pub type_name: String,
    /// AWS's identifier.
    pub physical_id: String,
    /// The account it is in.
    pub account: String,
    /// The region it is in; the partition's main region for global types.
    pub region: String,
    /// The managed properties as last applied *or tried*: a property stays here until its reset was confirmed.
    pub managed: Map,
    /// The attributes, without secrets.
    pub attributes: Map,
    /// The resources this one pointed to with a delaying reference: they are deleted after it.
    #[serde(default)]
    pub waits_for: BTreeSet<Address>,
    /// Whether it may not be deleted or replaced.
    #[serde(default)]
    pub protect: bool,
    /// Whether deleting its block leaves it in AWS.
    #[serde(default)]
    pub retain: bool,
    /// Whether the file chose the physical name itself.
    #[serde(default)]
    pub named: bool,
    /// Properties for the tool alone, such as `force_destroy`.
    #[serde(default)]
    pub memory: Map,
    /// Seconds since 1970 of the last write to it: bulk answers about it are not trusted for a minute.
    #[serde(default)]
    pub written_at: u64,
}

/// A replaced resource that still has to be deleted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deposed {
    /// The address it had.
    pub address: Address,
    /// The resource.
    pub instance: Instance,
}

/// Who is applying.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Unique.
    pub id: String,
    /// `user@host pid 123`.
    pub who: String,
    /// Seconds since 1970.
    pub since: u64,
    /// `apply`, `destroy`.
    pub command: String,
}

/// What an operation does to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Makes it.
    Create,
    /// Changes it in place.
    Update,
    /// Takes it away.
    Delete,
}

/// An operation begun, or about to begin, and not known to have ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// The run it belongs to.
    pub run: String,
    /// What it does.
    pub verb: Verb,
    /// To which resource.
    pub address: Address,
    /// Its idempotency token: the same for every attempt of this operation.
    pub token: String,
    /// Whether the physical id was seen to be free before this was written: then what is found there now is ours.
    #[serde(default)]
    pub seen_missing: bool,
    /// The resource as it will be if all goes well; for a delete, as it was. The physical id is empty where AWS makes it
    /// and has not said it yet.
    pub instance: Instance,
    /// What recovery needs to know of the time before: the access keys that a user had.
    #[serde(default)]
    pub before: Map,
}

/// Why a text is no state this version can use.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Not JSON, or not in the form of a state.
    #[error("the state cannot be read")]
    Malformed(#[source] serde_json::Error),
    /// Written by a later version.
    #[error("the state has format {found}, written by s3stack {tool}; this version reads up to {FORMAT}")]
    Newer {
        /// Its format.
        found: u64,
        /// Its writer.
        tool: String,
    },
    /// Contradicts itself.
    #[error("the state contradicts itself: {0}")]
    Inconsistent(String),
}

impl State {
    /// The state of a stack that was never applied. `lineage` and `write_id` are made by the caller.
    pub fn new(lineage: String, stack: String, environment: String) -> Self {
        Self {
            format: FORMAT,
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            lineage,
            serial: 0,
            write_id: String::new(),
            stack,
            environment,
            account: None,
            region: None,
            accounts: BTreeMap::new(),
            instances: BTreeMap::new(),
            deposed: Vec::new(),
            run: None,
            pending: Vec::new(),
            outputs: Map::new(),
        }
    }

    /// Reads a state. A newer format is refused before its fields are looked at.
    pub fn from_json(bytes: &[u8]) -> Result<Self, StateError> {
        #[derive(Deserialize)]
        struct Head {
            format: u64,
            #[serde(default)]
            tool: String,
        }
        let head: Head = serde_json::from_slice(bytes).map_err(StateError::Malformed)?;
        if head.format > u64::from(FORMAT) {
            return Err(StateError::Newer { found: head.format, tool: head.tool });
        }
        let state: Self = serde_json::from_slice(bytes).map_err(StateError::Malformed)?;
        state.verify().map_err(StateError::Inconsistent)?;
        Ok(state)
    }

    /// The document's bytes. Fails if a secret got into it, which [`crate::apply`] never lets happen.
    pub fn to_json(&self) -> Result<Vec<u8>, StateError> {
        self.verify().map_err(StateError::Inconsistent)?;
        serde_json::to_vec_pretty(self).map_err(StateError::Malformed)
    }

    /// Whether the state agrees with itself; checked at every read and write.
    pub fn verify(&self) -> Result<(), String> {
        for (address, instance) in &self.instances {
            if instance.physical_id.is_empty() {
                return Err(format!("{address} has no physical id"));
            }
            if instance.type_name != address.type_name.as_str() {
                return Err(format!("{address} has type {}", instance.type_name));
            }
        }
        let mut owners = BTreeMap::new();
        for (address, instance) in &self.instances {
            let key = (&instance.type_name, &instance.account, &instance.region, &instance.physical_id);
            if let Some(other) = owners.insert(key, address) {
                return Err(format!(
                    "{address} and {other} are the same {} {}",
                    instance.type_name, instance.physical_id
                ));
            }
        }
        for deposed in &self.deposed {
            if deposed.instance.physical_id.is_empty() {
                return Err(format!("the replaced {} has no physical id", deposed.address));
            }
        }
        for pending in &self.pending {
            if pending.verb != Verb::Create && pending.instance.physical_id.is_empty() {
                return Err(format!("the pending {:?} of {} has no physical id", pending.verb, pending.address));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_format_is_refused_by_name_even_if_its_fields_are_unknown() {
        let error = State::from_json(br#"{"format": 9, "tool": "7.0.0", "future": true}"#).unwrap_err();
        assert_eq!(error.to_string(), "the state has format 9, written by s3stack 7.0.0; this version reads up to 1");
    }

    #[test]
    fn what_is_written_is_read_back() {
        let state = State::new("l".into(), "s".into(), "default".into());
        assert_eq!(State::from_json(&state.to_json().unwrap()).unwrap(), state);
    }

    /// States outlive versions: this file stays as it is while the format has this number.
    #[test]
    fn a_state_of_this_format_is_read_and_written_to_the_last_byte() {
        let written = include_str!("testdata/state-format-1.json").trim_end();
        let state = State::from_json(written.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(state.to_json().unwrap()).unwrap(), written);
    }

    #[test]
    fn a_truncated_state_is_malformed_and_an_empty_one_too() {
        let bytes = State::new("l".into(), "s".into(), "default".into()).to_json().unwrap();
        assert!(matches!(State::from_json(&bytes[..bytes.len() - 2]), Err(StateError::Malformed(_))));
        assert!(matches!(State::from_json(b""), Err(StateError::Malformed(_))));
    }
}
