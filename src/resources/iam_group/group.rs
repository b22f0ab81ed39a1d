//! The pure side of `iam.group`.

use std::sync::LazyLock;

use s3stack_engine::address::Path;
use s3stack_engine::policy::check::Limit;
use s3stack_engine::policy::equal::equivalent;
use s3stack_engine::resource::{
    Actions, Descriptor, Facts, Fixtures, Identity, PropertyReader, Resource, ResourceType, Surroundings,
};
use s3stack_engine::schema::validate::Problem;
use s3stack_engine::schema::{Attribute, Schema, derive};
use s3stack_engine::value::{Map, Value};

use super::properties::Properties;
use crate::resources::iam::{attachments, grants, inline, names};

/// The type `iam.group`.
pub struct Group;

/// The type's one value.
pub static TYPE: Group = Group;

static DESCRIPTOR: Descriptor = Descriptor {
    name: "iam.group",
    physical_id: "name",
    naming: Some(names::naming(128)),
    identity: Identity::Name,
    taggable: false,
    global: true,
    stateful: false,
    parent: None,
    example: include_str!("example.toml"),
    actions: Actions {
        read: &[
            "iam:GetAccountAuthorizationDetails",
            "iam:GetGroup",
            "iam:ListAttachedGroupPolicies",
            "iam:ListGroupPolicies",
            "iam:GetGroupPolicy",
        ],
        create: &["iam:CreateGroup", "iam:AttachGroupPolicy", "iam:PutGroupPolicy"],
        update: &["iam:AttachGroupPolicy", "iam:DetachGroupPolicy", "iam:PutGroupPolicy", "iam:DeleteGroupPolicy"],
        delete: &[
            "iam:DetachGroupPolicy",
            "iam:DeleteGroupPolicy",
            "iam:GetGroup",
            "iam:RemoveUserFromGroup",
            "iam:DeleteGroup",
            "iam:ListAttachedGroupPolicies",
            "iam:ListGroupPolicies",
        ],
    },
};

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let arn = Attribute::predicted("The ARN, `arn:aws:iam::ACCOUNT:group/PATH/NAME`.");
    derive::schema::<Properties>(&[("arn", arn)])
        .expect("the properties are of shapes that the model knows, which a test sees to")
});

impl ResourceType for Group {
    fn descriptor(&self) -> &'static Descriptor {
        &DESCRIPTOR
    }

    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn predict(&self, _: &str, facts: &Facts, property: &mut PropertyReader<'_>) -> Value {
        names::predict_arn("group", facts, property)
    }

    fn managed(&self, resource: &Resource, around: &dyn Surroundings) -> Result<Map, Vec<Problem>> {
        let document = grants::document(resource, around)?;
        Ok(Map::from([
            ("name".to_owned(), resource.property("name").clone()),
            ("path".to_owned(), resource.property("path").clone()),
            ("inline_policies".to_owned(), inline::managed(document.as_ref())),
            ("policies".to_owned(), attachments::managed(resource.property("policies"))),
        ]))
    }

    fn equal(&self, path: &Path, desired: &Value, live: &Value) -> bool {
        match path.head() {
            Some("inline_policies") if path.0.len() == 1 => inline::same(desired, live),
            Some("inline_policies") => equivalent(desired, live),
            _ => s3stack_engine::diff::same(self.schema(), path, desired, live),
        }
    }

    fn check(&self, resource: &Resource, around: &dyn Surroundings) -> Vec<Problem> {
        let mut problems = Vec::new();
        grants::check(resource, around, Limit::GROUP, &mut problems);
        attachments::check(resource.property("policies"), &mut problems);
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
