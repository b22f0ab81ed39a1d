//! The pure side of `s3.bucket`.

use std::sync::LazyLock;

use s3stack_engine::address::{Path, Step};
use s3stack_engine::policy::equal::equivalent;
use s3stack_engine::policy::grant::Access;
use s3stack_engine::policy::s3::BUCKET_ACCESS;
use s3stack_engine::resource::{
    Actions, Contribution, Descriptor, Facts, Fixtures, Identity, NameScope, Naming, PropertyReader, Resource,
    ResourceType, Surroundings,
};
use s3stack_engine::schema::validate::Problem;
use s3stack_engine::schema::{Attribute, Schema, derive};
use s3stack_engine::value::{Map, Value};

use super::properties::Properties;
use super::setting::SETTINGS;
use super::{check, logging};

/// The type `s3.bucket`.
pub struct Bucket;

/// The type's one value.
pub static TYPE: Bucket = Bucket;

static DESCRIPTOR: Descriptor = Descriptor {
    name: "s3.bucket",
    physical_id: "name",
    naming: Some(Naming {
        property: "name",
        max: 63,
        account_suffix: true,
        scope: NameScope::Partition,
        ignore_case: false,
    }),
    identity: Identity::Name,
    taggable: true,
    global: false,
    stateful: true,
    parent: None,
    example: include_str!("example.toml"),
    actions: Actions {
        read: &[
            "s3:ListAllMyBuckets",
            "s3:ListBucket",
            "s3:GetBucketTagging",
            "s3:GetBucketOwnershipControls",
            "s3:GetBucketPublicAccessBlock",
            "s3:GetBucketVersioning",
            "s3:GetEncryptionConfiguration",
            "s3:GetBucketPolicy",
            "s3:GetLifecycleConfiguration",
            "s3:GetBucketCORS",
            "s3:GetBucketLogging",
            "s3:GetBucketNotification",
            "s3:ListBucketVersions",
        ],
        create: &[
            "s3:CreateBucket",
            // In us-east-1, to see that the name is free.
            "s3:ListBucket",
            // With the tags and the ownership that go into the creation, or right after it.
            "s3:TagResource",
            "s3:PutBucketTagging",
            "s3:PutBucketOwnershipControls",
            "s3:PutBucketPublicAccessBlock",
            "s3:PutBucketVersioning",
            "s3:GetEncryptionConfiguration",
            "s3:PutEncryptionConfiguration",
            "s3:PutBucketPolicy",
            "s3:PutLifecycleConfiguration",
            "s3:PutBucketCORS",
            "s3:PutBucketLogging",
            "s3:PutBucketNotification",
        ],
        update: &[
            "s3:GetBucketTagging",
            "s3:PutBucketTagging",
            "s3:PutBucketOwnershipControls",
            "s3:PutBucketPublicAccessBlock",
            "s3:PutBucketVersioning",
            "s3:GetEncryptionConfiguration",
            "s3:PutEncryptionConfiguration",
            "s3:PutBucketPolicy",
            "s3:DeleteBucketPolicy",
            "s3:GetLifecycleConfiguration",
            "s3:PutLifecycleConfiguration",
            "s3:PutBucketCORS",
            "s3:GetBucketLogging",
            "s3:PutBucketLogging",
            "s3:GetBucketNotification",
            "s3:PutBucketNotification",
        ],
        delete: &[
            "s3:DeleteBucket",
            "s3:ListBucketVersions",
            "s3:DeleteObject",
            "s3:DeleteObjectVersion",
            "s3:ListBucketMultipartUploads",
            "s3:AbortMultipartUpload",
        ],
    },
};

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let attribute = |doc: &str| Attribute::predicted(doc);
    derive::schema::<Properties>(&[
        ("arn", attribute("The ARN, `arn:aws:s3:::NAME`.")),
        ("id", attribute("The name.")),
        ("domain_name", attribute("The bucket's host in no region, `NAME.s3.amazonaws.com`.")),
        ("regional_domain_name", attribute("The bucket's host in its region, `NAME.s3.REGION.amazonaws.com`.")),
    ])
    .expect("the properties are of shapes that the model knows, which a test sees to")
});

impl ResourceType for Bucket {
    fn descriptor(&self) -> &'static Descriptor {
        &DESCRIPTOR
    }

    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn predict(&self, attribute: &str, facts: &Facts, property: &mut PropertyReader<'_>) -> Value {
        match property("name") {
            Value::String(name) => attributes(facts, &name).remove(attribute).unwrap_or_default(),
            other => other,
        }
    }

    fn managed(&self, resource: &Resource, around: &dyn Surroundings) -> Result<Map, Vec<Problem>> {
        let mut managed = Map::from([("name".to_owned(), resource.property("name").clone())]);
        let mut problems = Vec::new();
        for setting in SETTINGS {
            match setting.managed(resource, around) {
                Ok(Some(value)) => drop(managed.insert(setting.property().to_owned(), value)),
                Ok(None) => {}
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() { Ok(managed) } else { Err(problems) }
    }

    fn contributions(&self, resource: &Resource, around: &dyn Surroundings) -> Vec<Contribution> {
        logging::contributions(resource, around)
    }

    fn access(&self) -> Option<&'static Access> {
        Some(&BUCKET_ACCESS)
    }

    fn equal(&self, path: &Path, desired: &Value, live: &Value) -> bool {
        match path.0.as_slice() {
            [Step::Key(name)] if name == "policy" => equivalent(desired, live),
            _ => s3stack_engine::diff::same(self.schema(), path, desired, live),
        }
    }

    fn check(&self, resource: &Resource, around: &dyn Surroundings) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Some(name) = resource.property("name").as_str() {
            check::name(name, &mut problems);
        }
        SETTINGS.iter().for_each(|setting| setting.check(resource, around, &mut problems));
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

/// The bucket's ARN.
pub(super) fn arn(facts: &Facts, name: &str) -> String {
    format!("arn:{}:s3:::{name}", facts.partition)
}

/// The attributes, all of which follow from the name.
pub(super) fn attributes(facts: &Facts, name: &str) -> Map {
    let suffix = dns_suffix(&facts.partition);
    Map::from([
        ("arn".to_owned(), arn(facts, name).into()),
        ("id".to_owned(), name.into()),
        ("domain_name".to_owned(), format!("{name}.s3.{suffix}").into()),
        ("regional_domain_name".to_owned(), format!("{name}.s3.{}.{suffix}", facts.region).into()),
    ])
}

/// What the hosts of a partition end with, from the SDK's `partitions.json`.
fn dns_suffix(partition: &str) -> &'static str {
    match partition {
        "aws-cn" => "amazonaws.com.cn",
        "aws-iso" => "c2s.ic.gov",
        "aws-iso-b" => "sc2s.sgov.gov",
        "aws-iso-e" => "cloud.adc-e.uk",
        "aws-iso-f" => "csp.hci.ic.gov",
        "aws-eusc" => "amazonaws.eu",
        _ => "amazonaws.com",
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Around, bucket, facts};
    use super::*;
    use s3stack_engine::schema::Shape;
    use s3stack_engine::schema::validate::validate;

    fn managed(text: &str) -> Map {
        TYPE.managed(&bucket(text), &Around::default()).unwrap()
    }

    fn keys(text: &str) -> Vec<String> {
        managed(text).into_keys().collect()
    }

    #[test]
    fn the_schema_is_whole_and_every_word_of_it_is_documented() {
        let schema = TYPE.schema();
        assert_eq!(schema.properties["name"].removal, s3stack_engine::schema::Removal::Reset(Value::Null));
        assert!(schema.properties["name"].create_only && !schema.properties["name"].delaying);
        assert!(schema.properties["tags"].open && schema.properties["policy"].derived);
        assert!(schema.properties["force_destroy"].memory);
        assert!(matches!(schema.properties["lifecycle"].shape, Shape::Map { max: Some(1000), .. }));
        assert!(schema.properties.values().all(|property| !property.doc.is_empty()));
        let delays = |text: &str| {
            let steps = text.split('.').map(|step| Step::Key(step.to_owned()));
            schema.delays(&Path(steps.collect()))
        };
        assert!(delays("statements.A.principals") && !delays("statements.A.resources") && !delays("name"));
        let principals = Path::of("statements").key("A").key("principals");
        assert!(schema.names_principal(&principals));
    }

    #[test]
    fn everything_the_seeds_write_is_valid() {
        for text in [
            "public_access_block = true\nownership = 'BucketOwnerEnforced'\nencryption = 'AES256'",
            "encryption = { algorithm = 'aws:kms', key = 'arn:aws:kms:eu-west-1:123456789012:key/k', bucket_key = true }",
            "lifecycle.x = { expiration = { days = 365 }, abort_incomplete_multipart_upload = 7 }",
            "statements = { file = 'policy.json' }",
            "statements.A = { actions = ['s3:*'], principals = { AWS = '*' }, condition = { Bool = { 'a:b' = false } } }",
            "statements.A = { actions = 's3:*', principals = ['123456789012'], effect = 'Deny' }",
            "cors = [{ allowed_methods = ['GET'], allowed_origins = ['*'] }]",
        ] {
            let value = Value::from_json(toml::from_str(text).unwrap());
            assert_eq!(validate(TYPE.schema(), &value), [], "{text}");
        }
        for text in ["ownership = 'Me'", "lifecycle.x.expiration.days = 0", "policy = {}", "name = 'Bad'"] {
            let value = Value::from_json(toml::from_str(text).unwrap());
            assert_eq!(validate(TYPE.schema(), &value).len(), 1, "{text}");
        }
    }

    #[test]
    fn what_the_file_does_not_say_costs_no_reading() {
        assert_eq!(keys("tls_only = false\npublic_access_block = true"), ["name", "public_access_block", "tags"]);
        let terraform_like = "tls_only = false\nversioning = true\nencryption = 'AES256'\npublic_access_block = true";
        assert_eq!(keys(terraform_like), ["encryption", "name", "public_access_block", "tags", "versioning"]);
        assert_eq!(keys("tls_only = true"), ["name", "policy", "tags"]);
    }

    #[test]
    fn attributes_are_right_in_every_partition() {
        let facts = Facts { partition: "aws-cn".into(), region: "cn-north-1".into(), ..facts() };
        let mut name = |property: &str| if property == "name" { "logs".into() } else { Value::Null };
        assert_eq!(TYPE.predict("arn", &facts, &mut name), "arn:aws-cn:s3:::logs".into());
        let host = TYPE.predict("regional_domain_name", &facts, &mut name);
        assert_eq!(host, "logs.s3.cn-north-1.amazonaws.com.cn".into());
    }

    #[test]
    fn policies_compare_by_meaning_and_everything_else_by_value() {
        let policy = |action: Value| {
            Value::map([(
                "Statement",
                Value::map([("Effect", Value::from("Allow")), ("Action", action), ("Resource", "*".into())]),
            )])
        };
        let (one, list) = (policy("s3:GetObject".into()), policy(Value::strings(["s3:getobject"])));
        assert!(TYPE.equal(&Path::of("policy"), &one, &list));
        assert!(!TYPE.equal(&Path::of("policy"), &one, &Value::Null));
        assert!(!TYPE.equal(&Path::of("tags"), &one, &list));
    }

    #[test]
    fn the_fixtures_are_stacks() {
        let fixtures = TYPE.fixtures();
        for text in [fixtures.base, fixtures.updated, fixtures.replaced] {
            let _: toml::Table = toml::from_str(text).unwrap();
        }
    }
}
