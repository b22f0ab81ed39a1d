//! A store for the state that checks what it is given and can lose, fail and be written by somebody else.

use super::faults::{Schedule, StoreStrike};
use crate::state::State;

/// Texts of secrets begin with this; no stored byte may.
pub const CANARY: &str = "canary-";

/// The stored state and every state before it.
#[derive(Debug, Clone)]
pub struct Store {
    /// The document.
    pub bytes: Vec<u8>,
    /// The document as it is read back.
    state: State,
    /// The serial of the document, as a version for conditional writes.
    version: u64,
    /// How many writes were tried.
    pub writes: u32,
}

/// How a write ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// It was done.
    Yes,
    /// It was not done.
    No,
    /// Another run was first.
    Lost,
    /// The process died.
    Crashed,
}

impl Store {
    /// A store that holds `state`.
    pub fn new(state: &State) -> Self {
        let bytes = state.to_json().expect("the first state is sound");
        Self { bytes, state: state.clone(), version: state.serial, writes: 0 }
    }

    /// The stored state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Writes `state` over the version that a run knows of.
    pub fn write(&mut self, state: &State, schedule: &Schedule) -> Written {
        let strike = schedule.writes.get(&self.writes).copied();
        self.writes += 1;
        state.verify().unwrap_or_else(|why| panic!("a state that contradicts itself is written: {why}"));
        let bytes = state.to_json().expect("a state can be written");
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(CANARY), "a secret is stored:\n{text}");
        for (address, instance) in &state.instances {
            for (name, value) in instance.managed.iter().chain(&instance.attributes).chain(&instance.memory) {
                assert!(value.is_known(), "{address}: `{name}` is stored and unknown");
            }
        }
        assert_eq!(state.serial, self.version + 1, "a write skips a serial, or forgets one");
        match strike {
            Some(StoreStrike::Fails) => return Written::No,
            Some(StoreStrike::CrashBefore) => return Written::Crashed,
            Some(StoreStrike::Stolen) => {
                self.version += 1;
                return Written::Lost;
            }
            Some(StoreStrike::CrashAfter) | None => {}
        }
        self.state = State::from_json(&bytes).expect("what is stored can be read");
        self.bytes = bytes;
        self.version = state.serial;
        if strike == Some(StoreStrike::CrashAfter) { Written::Crashed } else { Written::Yes }
    }

    /// Another run's write, which happened to say the same, is made good: the next run starts from what is stored.
    pub fn heal(&mut self) {
        self.version = self.state.serial;
    }
}
