//! The pure side of `iam.instance_profile`.

use std::sync::LazyLock;

use s3stack_engine::address::Path;
use s3stack_engine::resource::{
    Actions, Descriptor, Facts, Fixtures, Identity, PropertyReader, Resource, ResourceType, Surroundings,
};
use s3stack_engine::schema::validate::Problem;
use s3stack_engine::schema::{Attribute, Schema, derive};
use s3stack_engine::value::{Map, Value};

use super::properties::Properties;
use crate::resources::iam::{names, tags};

/// The type `iam.instance_profile`.
pub struct InstanceProfile;

/// The type's one value.
pub static TYPE: InstanceProfile = InstanceProfile;

static DESCRIPTOR: Descriptor = Descriptor {
    name: "iam.instance_profile",
    physical_id: "name",
    naming: Some(names::naming(128)),
    identity: Identity::Name,
    taggable: true,
    global: true,
    stateful: false,
    parent: None,
    example: include_str!("example.toml"),
    actions: Actions {
        read: &["iam:GetAccountAuthorizationDetails", "iam:GetInstanceProfile"],
        create: &[
            "iam:CreateInstanceProfile",
            "iam:TagInstanceProfile",
            "iam:AddRoleToInstanceProfile",
            // AWS asks for it when a role is put into a profile.
            "iam:PassRole",
        ],
        update: &[
            "iam:GetInstanceProfile",
            "iam:RemoveRoleFromInstanceProfile",
            "iam:AddRoleToInstanceProfile",
            "iam:PassRole",
            "iam:TagInstanceProfile",
            "iam:UntagInstanceProfile",
        ],
        delete: &["iam:GetInstanceProfile", "iam:RemoveRoleFromInstanceProfile", "iam:DeleteInstanceProfile"],
    },
};

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let arn = Attribute::predicted("The ARN, `arn:aws:iam::ACCOUNT:instance-profile/PATH/NAME`.");
    derive::schema::<Properties>(&[("arn", arn)])
        .expect("the properties are of shapes that the model knows, which a test sees to")
});

impl ResourceType for InstanceProfile {
    fn descriptor(&self) -> &'static Descriptor {
        &DESCRIPTOR
    }

    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn predict(&self, _: &str, facts: &Facts, property: &mut PropertyReader<'_>) -> Value {
        names::predict_arn("instance-profile", facts, property)
    }

    fn managed(&self, resource: &Resource, _: &dyn Surroundings) -> Result<Map, Vec<Problem>> {
        let mut managed = Map::from([
            ("name".to_owned(), resource.property("name").clone()),
            ("path".to_owned(), resource.property("path").clone()),
            ("tags".to_owned(), tags::managed(resource.property("tags"))),
        ]);
        if !resource.property("role").is_null() {
            managed.insert("role".to_owned(), resource.property("role").clone());
        }
        Ok(managed)
    }

    fn equal(&self, path: &Path, desired: &Value, live: &Value) -> bool {
        match path.head() {
            Some("tags") if path.0.len() == 1 => tags::same(desired, live),
            // AWS takes names that differ in case alone for one, and gives back the one the role was made with.
            Some("role") => names::same(desired, live),
            _ => s3stack_engine::diff::same(self.schema(), path, desired, live),
        }
    }

    fn check(&self, resource: &Resource, _: &dyn Surroundings) -> Vec<Problem> {
        let mut problems = Vec::new();
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
