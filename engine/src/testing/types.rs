//! Four resource types that exist nowhere, one for each way of being found again.
//!
//! | type | physical id | identity | carries tags | of note |
//! |---|---|---|---|---|
//! | `fake.bucket` | its name | name | yes | create-only `zone`, merged `document`, tool-only `force` |
//! | `fake.key` | AWS makes it | token | yes | write-only sensitive `note` |
//! | `fake.attachment` | `bucket/name` | name | no | child of a bucket |
//! | `fake.credential` | AWS makes it | parent's list | no | child of a bucket, tells `secret` once |

use std::sync::OnceLock;

use indexmap::IndexMap;

use crate::resource::{
    Actions, Descriptor, Facts, Fixtures, Identity, NameScope, Naming, PropertyReader, Registry, ResourceType,
};
use crate::schema::{Attribute, Items, Property, Schema, Shape};
use crate::value::Value;

/// `fake.bucket`.
pub const BUCKET: &str = "fake.bucket";
/// `fake.key`.
pub const KEY: &str = "fake.key";
/// `fake.attachment`.
pub const ATTACHMENT: &str = "fake.attachment";
/// `fake.credential`.
pub const CREDENTIAL: &str = "fake.credential";

/// The registry of the fake types.
pub struct Fakes;

struct Fake {
    descriptor: Descriptor,
    schema: OnceLock<Schema>,
    build: fn() -> Schema,
}

const NO_ACTIONS: Actions = Actions { read: &[], create: &[], update: &[], delete: &[] };

const fn descriptor(name: &'static str, physical_id: &'static str, identity: Identity) -> Descriptor {
    Descriptor {
        name,
        physical_id,
        naming: None,
        identity,
        taggable: false,
        global: false,
        stateful: false,
        parent: None,
        example: "",
        actions: NO_ACTIONS,
    }
}

static TYPES: [Fake; 4] = [
    Fake {
        descriptor: Descriptor { parent: Some("bucket"), ..descriptor(ATTACHMENT, "path", Identity::Name) },
        schema: OnceLock::new(),
        build: attachment,
    },
    Fake {
        descriptor: Descriptor {
            naming: Some(Naming {
                property: "name",
                max: 63,
                account_suffix: false,
                scope: NameScope::Account,
                ignore_case: false,
            }),
            taggable: true,
            stateful: true,
            ..descriptor(BUCKET, "name", Identity::Name)
        },
        schema: OnceLock::new(),
        build: bucket,
    },
    Fake {
        descriptor: Descriptor { parent: Some("bucket"), ..descriptor(CREDENTIAL, "id", Identity::ParentList) },
        schema: OnceLock::new(),
        build: credential,
    },
    Fake {
        descriptor: Descriptor { taggable: true, ..descriptor(KEY, "id", Identity::Token) },
        schema: OnceLock::new(),
        build: key,
    },
];

impl Registry for Fakes {
    fn get(&self, name: &str) -> Option<&dyn ResourceType> {
        TYPES.iter().find(|fake| fake.descriptor.name == name).map(|fake| fake as &dyn ResourceType)
    }

    fn names(&self) -> Vec<&'static str> {
        TYPES.iter().map(|fake| fake.descriptor.name).collect()
    }
}

impl ResourceType for Fake {
    fn descriptor(&self) -> &'static Descriptor {
        TYPES.iter().find(|fake| std::ptr::eq(*fake, self)).map_or(&TYPES[0].descriptor, |fake| &fake.descriptor)
    }

    fn schema(&self) -> &'static Schema {
        let fake = TYPES.iter().find(|fake| std::ptr::eq(*fake, self)).unwrap_or(&TYPES[0]);
        fake.schema.get_or_init(fake.build)
    }

    fn predict(&self, attribute: &str, _facts: &Facts, property: &mut PropertyReader<'_>) -> Value {
        match attribute {
            "arn" => format!("arn:fake:{}", property("name").as_str().unwrap_or_default()).into(),
            _ => Value::Null,
        }
    }

    fn fixtures(&self) -> Fixtures {
        Fixtures { base: "", updated: "", replaced: "" }
    }
}

fn property(shape: Shape) -> Property {
    Property::new(shape)
}

fn create_only(shape: Shape) -> Property {
    Property { create_only: true, ..Property::new(shape) }
}

fn schema<const P: usize, const A: usize>(
    properties: [(&str, Property); P],
    attributes: [(&str, bool, bool); A],
) -> Schema {
    Schema {
        doc: "A fake.".into(),
        properties: properties.into_iter().map(|(name, property)| (name.to_owned(), property)).collect(),
        attributes: attributes
            .into_iter()
            .map(|(name, made_by_aws, sensitive)| {
                (name.to_owned(), Attribute { made_by_aws, sensitive, ..Attribute::predicted("") })
            })
            .collect(),
    }
}

fn strings() -> Shape {
    Shape::Set(Items { item: Box::new(property(Shape::string())), min: None, max: None })
}

fn labels() -> Shape {
    Shape::Map { value: Box::new(property(Shape::string())), key_pattern: None, reserved: Vec::new(), max: None }
}

fn size() -> Shape {
    Shape::Number { integer: true, min: None, max: None }
}

fn bucket() -> Schema {
    schema(
        [
            ("name", create_only(Shape::string())),
            ("zone", create_only(Shape::string())),
            ("size", property(size())),
            ("labels", property(labels())),
            ("peers", property(strings())),
            ("log_target", property(Shape::string())),
            ("document", Property { derived: true, delaying: false, ..property(Shape::Document) }),
            ("force", Property { memory: true, ..property(Shape::Bool) }),
        ],
        [("arn", false, false)],
    )
}

fn key() -> Schema {
    schema(
        [
            ("size", property(size())),
            ("peers", property(strings())),
            ("note", Property { write_only: true, sensitive: true, ..property(Shape::string()) }),
        ],
        [("id", true, false), ("arn", true, false)],
    )
}

fn attachment() -> Schema {
    schema(
        [
            ("bucket", create_only(Shape::string())),
            ("name", create_only(Shape::string())),
            ("size", property(size())),
            ("peers", property(strings())),
        ],
        [("path", false, false)],
    )
}

fn credential() -> Schema {
    schema(
        [("bucket", create_only(Shape::string())), ("size", property(size()))],
        [("id", true, false), ("secret", true, true)],
    )
}

/// The properties of a type that are given when it is made; the others are put one by one afterwards.
pub fn first_properties(type_name: &str) -> Vec<String> {
    let Some(kind) = Fakes.get(type_name) else { return Vec::new() };
    let properties: &IndexMap<String, Property> = &kind.schema().properties;
    properties.iter().filter(|(_, property)| property.create_only).map(|(name, _)| name.clone()).collect()
}
