//! What resource types see of the rest of the stack.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::evaluate::Evaluator;
use crate::address::Address;
use crate::file::{FileContent, Files};
use crate::resource::{Contribution, Facts, Registry, Resource, ResourceType, Surroundings};

/// The evaluated resources, for one of them.
#[derive(Clone, Copy)]
pub struct World<'a> {
    pub facts: &'a Facts,
    pub evaluator: &'a Evaluator<'a>,
    pub resources: &'a BTreeMap<Address, Resource>,
    pub contributions: &'a BTreeMap<Address, Vec<Contribution>>,
    pub registry: &'a dyn Registry,
    pub files: &'a dyn Files,
}

impl Surroundings for World<'_> {
    fn facts(&self) -> &Facts {
        self.facts
    }

    fn facts_of(&self, address: &Address) -> &Facts {
        self.evaluator.facts_of(address)
    }

    fn resource(&self, address: &Address) -> Option<(&Resource, &dyn ResourceType)> {
        Some((self.resources.get(address)?, self.registry.get(address.type_name.as_str())?))
    }

    fn contributions(&self, address: &Address) -> &[Contribution] {
        self.contributions.get(address).map(Vec::as_slice).unwrap_or_default()
    }

    fn file(&self, path: &str) -> Result<Arc<FileContent>, String> {
        self.files.content(path)
    }
}
