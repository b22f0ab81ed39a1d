//! The pure side of `iam.policy`.

use std::sync::LazyLock;

use s3stack_engine::address::Path;
use s3stack_engine::policy::check::Limit;
use s3stack_engine::policy::equal::equivalent;
use s3stack_engine::policy::problem::code;
use s3stack_engine::resource::{
    Actions, Descriptor, Facts, Fixtures, Identity, PropertyReader, Resource, ResourceType, Surroundings,
};
use s3stack_engine::schema::validate::Problem;
use s3stack_engine::schema::{Attribute, Schema, derive};
use s3stack_engine::value::{Map, Value};

use super::properties::Properties;
use crate::resources::iam::{grants, names, tags};

/// The type `iam.policy`.
pub struct Policy;

/// The type's one value.
pub static TYPE: Policy = Policy;

static DESCRIPTOR: Descriptor = Descriptor {
    name: "iam.policy",
    physical_id: "arn",
    naming: Some(names::naming(128)),
    identity: Identity::Name,
    taggable: true,
    global: true,
    stateful: false,
    parent: None,
    example: include_str!("example.toml"),
    actions: Actions {
        read: &["iam:GetAccountAuthorizationDetails", "iam:GetPolicy", "iam:GetPolicyVersion"],
        create: &["iam:CreatePolicy", "iam:TagPolicy"],
        update: &[
            "iam:CreatePolicyVersion",
            "iam:ListPolicyVersions",
            "iam:DeletePolicyVersion",
            "iam:TagPolicy",
            "iam:UntagPolicy",
        ],
        delete: &[
            "iam:DeletePolicy",
            "iam:ListEntitiesForPolicy",
            "iam:DetachRolePolicy",
            "iam:DetachUserPolicy",
            "iam:DetachGroupPolicy",
            "iam:ListPolicyVersions",
            "iam:DeletePolicyVersion",
        ],
    },
};

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let arn = Attribute::predicted("The ARN, `arn:aws:iam::ACCOUNT:policy/PATH/NAME`.");
    derive::schema::<Properties>(&[("arn", arn)])
        .expect("the properties are of shapes that the model knows, which a test sees to")
});

impl ResourceType for Policy {
    fn descriptor(&self) -> &'static Descriptor {
        &DESCRIPTOR
    }

    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn predict(&self, _: &str, facts: &Facts, property: &mut PropertyReader<'_>) -> Value {
        names::predict_arn("policy", facts, property)
    }

    fn managed(&self, resource: &Resource, around: &dyn Surroundings) -> Result<Map, Vec<Problem>> {
        let Some(document) = grants::document(resource, around)? else {
            let problem = Problem::new(code::SHAPE, &Path::default(), "this policy says nothing, and AWS takes no such policy");
            return Err(vec![problem.help("add `statements` or `grants`")]);
        };
        let mut managed = Map::from([
            ("name".to_owned(), resource.property("name").clone()),
            ("path".to_owned(), resource.property("path").clone()),
            ("document".to_owned(), document.to_value()),
            ("tags".to_owned(), tags::managed(resource.property("tags"))),
        ]);
        let description = resource.property("description");
        // AWS knows no empty description: it is none.
        if !description.is_null() && description.as_str() != Some("") {
            managed.insert("description".to_owned(), description.clone());
        }
        Ok(managed)
    }

    fn equal(&self, path: &Path, desired: &Value, live: &Value) -> bool {
        match path.head() {
            Some("document") => equivalent(desired, live),
            Some("tags") if path.0.len() == 1 => tags::same(desired, live),
            _ => s3stack_engine::diff::same(self.schema(), path, desired, live),
        }
    }

    fn check(&self, resource: &Resource, around: &dyn Surroundings) -> Vec<Problem> {
        let mut problems = Vec::new();
        grants::check(resource, around, Limit::MANAGED, &mut problems);
        tags::check(resource.property("tags"), &mut problems);
        problems
    }

    fn fixtures(&self) -> Fixtures {
        Fixtures {
            base: include_str!("fixtures/base.toml"),
            updated: include_str!("fixtures/updated.toml"),
            replaced: include_str!("fixtures/replaced.toml"),
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
