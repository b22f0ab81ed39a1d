//! What the tests of settings share.

use std::sync::Arc;

use s3stack_engine::address::Address;
use s3stack_engine::diagnostic::Severity;
use s3stack_engine::file::FileContent;
use s3stack_engine::resource::{Contribution, Facts, Resource, ResourceType, Surroundings};
use s3stack_engine::value::{Map, Value};

use super::bucket::TYPE;
use super::setting::Setting;

/// A stack in which the bucket under test, `s3.bucket.it`, stands.
pub(super) struct Around {
    pub facts: Facts,
    pub contributions: Vec<Contribution>,
    pub others: Vec<(&'static str, Resource)>,
}

impl Default for Around {
    fn default() -> Self {
        Self { facts: facts(), contributions: Vec::new(), others: Vec::new() }
    }
}

impl Surroundings for Around {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn resource(&self, address: &Address) -> Option<(&Resource, &dyn ResourceType)> {
        let found = self.others.iter().find(|(name, _)| *name == address.to_string());
        found.map(|(_, resource)| (resource, &TYPE as &dyn ResourceType))
    }

    fn contributions(&self, _: &Address) -> &[Contribution] {
        &self.contributions
    }

    fn file(&self, path: &str) -> Result<Arc<FileContent>, String> {
        Err(format!("{path} is not there"))
    }
}

pub(super) fn facts() -> Facts {
    Facts {
        partition: "aws".into(),
        account_id: "123456789012".into(),
        region: "eu-west-1".into(),
        stack: "test".into(),
        environment: "default".into(),
    }
}

/// A bucket of the properties in a TOML text, named `it-bucket`.
pub(super) fn bucket(text: &str) -> Resource {
    let Value::Map(mut properties) = Value::from_json(toml::from_str(text).unwrap()) else { unreachable!() };
    properties.entry("name".into()).or_insert_with(|| "it-bucket".into());
    Resource {
        address: Address::root("s3.bucket", "it"),
        properties,
        attributes: Map::new(),
        references: [].into(),
    }
}

/// What a setting's check finds, `error S3S-B1 path: message`.
pub(super) fn problems(setting: &dyn Setting, text: &str, around: &Around) -> Vec<String> {
    let mut found = Vec::new();
    setting.check(&bucket(text), around, &mut found);
    let word = |severity| if severity == Severity::Error { "error" } else { "warning" };
    found
        .into_iter()
        .map(|one| format!("{} {} {}: {}", word(one.severity), one.code, one.path, one.message))
        .collect()
}
