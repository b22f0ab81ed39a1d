//! The pure side of `iam.role`.

use std::sync::LazyLock;

use s3stack_engine::address::Path;
use s3stack_engine::policy::check::Limit;
use s3stack_engine::policy::equal::equivalent;
use s3stack_engine::policy::grant::Access;
use s3stack_engine::resource::{
    Actions, Descriptor, Facts, Fixtures, Identity, PropertyReader, Resource, ResourceType, Surroundings,
};
use s3stack_engine::schema::validate::Problem;
use s3stack_engine::schema::{Attribute, Schema, derive};
use s3stack_engine::value::{Map, Value};

use super::properties::Properties;
use super::trust;
use crate::resources::iam::grants::ROLE_ACCESS;
use crate::resources::iam::{attachments, grants, inline, names, tags};

/// The type `iam.role`.
pub struct Role;

/// The type's one value.
pub static TYPE: Role = Role;

static DESCRIPTOR: Descriptor = Descriptor {
    name: "iam.role",
    physical_id: "name",
    naming: Some(names::naming(64)),
    identity: Identity::Name,
    taggable: true,
    global: true,
    stateful: false,
    parent: None,
    example: include_str!("example.toml"),
    actions: Actions {
        read: &[
            "iam:GetAccountAuthorizationDetails",
            "iam:ListRoles",
            "iam:GetRole",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:GetRolePolicy",
        ],
        create: &["iam:CreateRole", "iam:TagRole", "iam:AttachRolePolicy", "iam:PutRolePolicy"],
        update: &[
            "iam:UpdateAssumeRolePolicy",
            "iam:PutRolePermissionsBoundary",
            "iam:DeleteRolePermissionsBoundary",
            "iam:AttachRolePolicy",
            "iam:DetachRolePolicy",
            "iam:PutRolePolicy",
            "iam:DeleteRolePolicy",
            "iam:UpdateRole",
            "iam:UpdateRoleDescription",
            "iam:TagRole",
            "iam:UntagRole",
        ],
        delete: &[
            "iam:DetachRolePolicy",
            "iam:DeleteRolePolicy",
            "iam:DeleteRole",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:ListInstanceProfilesForRole",
            "iam:RemoveRoleFromInstanceProfile",
        ],
    },
};

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let arn = Attribute::predicted("The ARN, `arn:aws:iam::ACCOUNT:role/PATH/NAME`.");
    derive::schema::<Properties>(&[("arn", arn)])
        .expect("the properties are of shapes that the model knows, which a test sees to")
});

impl ResourceType for Role {
    fn descriptor(&self) -> &'static Descriptor {
        &DESCRIPTOR
    }

    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn predict(&self, _: &str, facts: &Facts, property: &mut PropertyReader<'_>) -> Value {
        names::predict_arn("role", facts, property)
    }

    fn managed(&self, resource: &Resource, around: &dyn Surroundings) -> Result<Map, Vec<Problem>> {
        let mut problems = Vec::new();
        let trust = trust::managed(resource, around).unwrap_or_else(|found| {
            problems.extend(found);
            Value::Null
        });
        let document = grants::document(resource, around).unwrap_or_else(|found| {
            problems.extend(found);
            None
        });
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut managed = Map::from([
            ("name".to_owned(), resource.property("name").clone()),
            ("path".to_owned(), resource.property("path").clone()),
            ("trust_policy".to_owned(), trust),
            ("inline_policies".to_owned(), inline::managed(document.as_ref())),
            ("policies".to_owned(), attachments::managed(resource.property("policies"))),
            ("tags".to_owned(), tags::managed(resource.property("tags"))),
        ]);
        for name in ["description", "max_session_duration", "boundary"] {
            let value = resource.property(name);
            // AWS knows no empty description: it is none.
            if !value.is_null() && value.as_str() != Some("") {
                managed.insert(name.to_owned(), value.clone());
            }
        }
        Ok(managed)
    }

    fn access(&self) -> Option<&'static Access> {
        Some(&ROLE_ACCESS)
    }

    fn equal(&self, path: &Path, desired: &Value, live: &Value) -> bool {
        match path.head() {
            Some("trust_policy") => equivalent(desired, live),
            Some("inline_policies") if path.0.len() == 1 => inline::same(desired, live),
            Some("inline_policies") => equivalent(desired, live),
            Some("tags") if path.0.len() == 1 => tags::same(desired, live),
            _ => s3stack_engine::diff::same(self.schema(), path, desired, live),
        }
    }

    fn check(&self, resource: &Resource, around: &dyn Surroundings) -> Vec<Problem> {
        let mut problems = Vec::new();
        trust::check(resource, around, &mut problems);
        grants::check(resource, around, Limit::ROLE, &mut problems);
        attachments::check(resource.property("policies"), &mut problems);
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
