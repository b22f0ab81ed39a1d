//! The pure side of `iam.user`.

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

use super::groups;
use super::properties::Properties;
use crate::resources::iam::{attachments, grants, inline, names, tags};

/// The type `iam.user`.
pub struct User;

/// The type's one value.
pub static TYPE: User = User;

static DESCRIPTOR: Descriptor = Descriptor {
    name: "iam.user",
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
            "iam:GetUser",
            "iam:ListAttachedUserPolicies",
            "iam:ListUserPolicies",
            "iam:GetUserPolicy",
            "iam:ListGroupsForUser",
        ],
        create: &[
            "iam:CreateUser",
            "iam:TagUser",
            // For a boundary that goes into the creation.
            "iam:PutUserPermissionsBoundary",
            "iam:AttachUserPolicy",
            "iam:PutUserPolicy",
            "iam:AddUserToGroup",
        ],
        update: &[
            "iam:PutUserPermissionsBoundary",
            "iam:DeleteUserPermissionsBoundary",
            "iam:AttachUserPolicy",
            "iam:DetachUserPolicy",
            "iam:PutUserPolicy",
            "iam:DeleteUserPolicy",
            "iam:AddUserToGroup",
            "iam:RemoveUserFromGroup",
            "iam:TagUser",
            "iam:UntagUser",
        ],
        delete: &[
            "iam:DetachUserPolicy",
            "iam:DeleteUserPolicy",
            "iam:RemoveUserFromGroup",
            "iam:DeleteUser",
            "iam:ListAttachedUserPolicies",
            "iam:ListUserPolicies",
            "iam:ListGroupsForUser",
            "iam:ListAccessKeys",
            "iam:DeleteAccessKey",
            "iam:GetLoginProfile",
            "iam:DeleteLoginProfile",
            "iam:ListMFADevices",
            "iam:DeactivateMFADevice",
            "iam:DeleteVirtualMFADevice",
            "iam:ListSigningCertificates",
            "iam:DeleteSigningCertificate",
            "iam:ListSSHPublicKeys",
            "iam:DeleteSSHPublicKey",
            "iam:ListServiceSpecificCredentials",
            "iam:DeleteServiceSpecificCredential",
        ],
    },
};

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let arn = Attribute::predicted("The ARN, `arn:aws:iam::ACCOUNT:user/PATH/NAME`.");
    derive::schema::<Properties>(&[("arn", arn)])
        .expect("the properties are of shapes that the model knows, which a test sees to")
});

impl ResourceType for User {
    fn descriptor(&self) -> &'static Descriptor {
        &DESCRIPTOR
    }

    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn predict(&self, _: &str, facts: &Facts, property: &mut PropertyReader<'_>) -> Value {
        names::predict_arn("user", facts, property)
    }

    fn managed(&self, resource: &Resource, around: &dyn Surroundings) -> Result<Map, Vec<Problem>> {
        let document = grants::document(resource, around)?;
        let mut managed = Map::from([
            ("name".to_owned(), resource.property("name").clone()),
            ("path".to_owned(), resource.property("path").clone()),
            ("inline_policies".to_owned(), inline::managed(document.as_ref())),
            ("policies".to_owned(), attachments::managed(resource.property("policies"))),
            ("groups".to_owned(), groups::managed(resource.property("groups"))),
            ("tags".to_owned(), tags::managed(resource.property("tags"))),
        ]);
        let boundary = resource.property("boundary");
        if !boundary.is_null() {
            managed.insert("boundary".to_owned(), boundary.clone());
        }
        Ok(managed)
    }

    fn equal(&self, path: &Path, desired: &Value, live: &Value) -> bool {
        match path.head() {
            Some("inline_policies") if path.0.len() == 1 => inline::same(desired, live),
            Some("inline_policies") => equivalent(desired, live),
            Some("tags") if path.0.len() == 1 => tags::same(desired, live),
            _ => s3stack_engine::diff::same(self.schema(), path, desired, live),
        }
    }

    fn check(&self, resource: &Resource, around: &dyn Surroundings) -> Vec<Problem> {
        let mut problems = Vec::new();
        grants::check(resource, around, Limit::USER, &mut problems);
        attachments::check(resource.property("policies"), &mut problems);
        groups::check(resource.property("groups"), &mut problems);
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
