//! The pure side of a resource type: what it is, what can be known of a resource before it exists, how its documents
//! compare. The side that calls AWS is the root package's `Provider`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::address::{Address, Path};
use crate::file::FileContent;
use crate::policy::grant::Access;
use crate::schema::Schema;
use crate::schema::validate::Problem;
use crate::value::{Map, Value};

/// Where and as whom the stack runs: the facts every name and ARN is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    /// Twelve digits.
    pub account_id: String,
    /// The region of the resource at hand.
    pub region: String,
    /// The stack's name.
    pub stack: String,
    /// The environment; `default` without `--env`.
    pub environment: String,
}

/// An account that resources may be in beside the stack's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    /// Twelve digits.
    pub account_id: String,
    /// The region of resources in it that say none; without one the stack's.
    pub region: Option<String>,
}

/// Where a physical name must be unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameScope {
    /// In all accounts of a partition (buckets).
    Partition,
    /// In an account (IAM).
    Account,
    /// In an account and region.
    Region,
    /// Inside another resource: the property that names the parent.
    Parent(&'static str),
}

/// How physical names of a type are made and compared, FACTS section 10.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Naming {
    /// The property that holds the name.
    pub property: &'static str,
    /// Most characters.
    pub max: usize,
    /// Whether the account id ends the default name, for names that strangers compete for.
    pub account_suffix: bool,
    /// Where it must be unique.
    pub scope: NameScope,
    /// Whether AWS ignores case when it compares names.
    pub ignore_case: bool,
}

/// How a resource whose creation was cut short is found again, DESIGN section 7 "Identity".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// By the name the file or the tool chose.
    Name,
    /// By an idempotency token made of run and address, given with the create call.
    Token,
    /// By a tag given with the create call, listed at the service itself.
    TagAtCreate,
    /// By listing the parent's children and leaving out those known before.
    ParentList,
}

/// What a resource type tells about itself.
#[derive(Debug, Clone, Copy)]
pub struct Descriptor {
    /// `s3.bucket`.
    pub name: &'static str,
    /// The property or attribute that is AWS's identifier in calls.
    pub physical_id: &'static str,
    /// How names are made; absent where resources of the type have none.
    pub naming: Option<Naming>,
    /// How a half-made resource is found again.
    pub identity: Identity,
    /// Whether it carries tags, the owner's mark among them. An untaggable resource is ours by its parent or by state.
    pub taggable: bool,
    /// Whether it lives in no region (IAM).
    pub global: bool,
    /// Whether deleting it can lose what nobody can make again.
    pub stateful: bool,
    /// The property that names the resource this one is a child of: it follows the parent's replacement.
    pub parent: Option<&'static str>,
    /// Blocks that show how the type is written, as part of a stack file, for its documentation: the first as it usually
    /// is, and in one or the other each property once.
    pub example: &'static str,
    /// The IAM actions of each verb, for least privilege.
    pub actions: Actions,
}

/// The IAM actions of each verb.
#[derive(Debug, Clone, Copy)]
pub struct Actions {
    /// Reading, sweeps included.
    pub read: &'static [&'static str],
    /// Creating.
    pub create: &'static [&'static str],
    /// Updating.
    pub update: &'static [&'static str],
    /// Deleting.
    pub delete: &'static [&'static str],
}

/// A block with everything evaluated that can be known.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// Its address.
    pub address: Address,
    /// The properties as evaluated: references with an attribute are replaced by it, the others are [`Value::Reference`].
    pub properties: Map,
    /// The attributes: predicted, known from state, or [`Value::Unknown`].
    pub attributes: Map,
    /// Which resource stands at which path, for properties that are references.
    pub references: BTreeMap<Path, Address>,
}

impl Resource {
    /// A property; null when the file does not say it and it has no default.
    pub fn property(&self, name: &str) -> &Value {
        const NULL: &Value = &Value::Null;
        self.properties.get(name).unwrap_or(NULL)
    }

    /// An attribute; null when there is none.
    pub fn attribute(&self, name: &str) -> &Value {
        const NULL: &Value = &Value::Null;
        self.attributes.get(name).unwrap_or(NULL)
    }
}

/// Reads a property of the resource whose attribute is being predicted, evaluating only what is asked for: that is why
/// two buckets may name each other.
pub type PropertyReader<'a> = dyn FnMut(&str) -> Value + 'a;

/// What a type may ask about the rest of the stack.
pub trait Surroundings {
    /// Where the resource at hand is, and as whom this runs there.
    fn facts(&self) -> &Facts;

    /// Where another resource is.
    fn facts_of(&self, address: &Address) -> &Facts {
        let _ = address;
        self.facts()
    }

    /// Another resource of the stack with its type.
    fn resource(&self, address: &Address) -> Option<(&Resource, &dyn ResourceType)>;

    /// What other resources add to a document of this one, keyed by the document.
    fn contributions(&self, address: &Address) -> &[Contribution];

    /// The text of a file of the stack folder, which was read before planning; the error says why it can't be used.
    fn file(&self, path: &str) -> Result<Arc<FileContent>, String>;
}

/// What one resource adds to a document that another one owns, DESIGN section 5.
#[derive(Debug, Clone, PartialEq)]
pub struct Contribution {
    /// The resource that asks for it.
    pub from: Address,
    /// The owner of the document.
    pub to: Address,
    /// The owner's derived property, `policy`.
    pub document: &'static str,
    /// The key in the document: a statement's Sid, or the name of a switch.
    pub key: String,
    /// The statement in AWS's shape, or the switch's value.
    pub value: Value,
}

/// A resource that another one implies.
#[derive(Debug, Clone, PartialEq)]
pub struct Companion {
    /// What it is to its parent, `permission`.
    pub kind: String,
    /// Its name among its kind.
    pub name: String,
    /// Its type.
    pub type_name: String,
    /// Its properties.
    pub properties: Map,
}

/// The pure side of a resource type.
pub trait ResourceType: Send + Sync {
    /// What the type tells about itself.
    fn descriptor(&self) -> &'static Descriptor;

    /// Its properties and attributes.
    fn schema(&self) -> &'static Schema;

    /// An attribute before anything exists, `arn`. Only for attributes that are not made by AWS; asks `property` for as
    /// little as it needs.
    fn predict(&self, attribute: &str, facts: &Facts, property: &mut PropertyReader<'_>) -> Value;

    /// What AWS shall hold, in the vocabulary of `read`: the managed properties. By default the properties as they are,
    /// less those for the tool alone. Those that others may write into as well (tags) are always there, if need be empty:
    /// what the file no longer says is then taken away key by key, and not what others put there.
    fn managed(&self, resource: &Resource, around: &dyn Surroundings) -> Result<Map, Vec<Problem>> {
        let _ = around;
        let properties = self.schema().properties.iter().filter(|(_, property)| !property.memory);
        Ok(properties
            .filter_map(|(name, property)| match resource.properties.get(name) {
                Some(value) => Some((name.clone(), value.clone())),
                None => property.open.then(|| (name.clone(), Value::Map(Map::new()))),
            })
            .collect())
    }

    /// What this resource adds to documents of others.
    fn contributions(&self, resource: &Resource, around: &dyn Surroundings) -> Vec<Contribution> {
        let _ = (resource, around);
        Vec::new()
    }

    /// The resources that this one implies.
    fn companions(&self, resource: &Resource, around: &dyn Surroundings) -> Vec<Companion> {
        let _ = (resource, around);
        Vec::new()
    }

    /// What a grant on a resource of this type may give; `None` where nothing can be granted.
    fn access(&self) -> Option<&'static Access> {
        None
    }

    /// Whether a managed property means the same as what AWS holds; by default equal but for the order of sets.
    fn equal(&self, path: &Path, desired: &Value, live: &Value) -> bool {
        crate::diff::same(self.schema(), path, desired, live)
    }

    /// What is wrong with a block beyond its schema: rules across properties, FACTS section 12.
    fn check(&self, resource: &Resource, around: &dyn Surroundings) -> Vec<Problem> {
        let _ = (resource, around);
        Vec::new()
    }

    /// What only one resource of a stack may do, beside having its name in AWS: the words that complete "two resources …",
    /// and the property that says so. As long as two do it, each undoes what the other did.
    fn claims(&self, resource: &Resource) -> Vec<(String, Path)> {
        let _ = resource;
        Vec::new()
    }

    /// Valid properties for the tests that every type goes through.
    fn fixtures(&self) -> Fixtures;
}

/// Three versions of a stack with one resource under test, as TOML: `base`, `updated` (in place), `replaced`.
///
/// The block under test is the one named `it`; others are what it needs.
#[derive(Debug, Clone, Copy)]
pub struct Fixtures {
    /// With as many properties as can stand together.
    pub base: &'static str,
    /// The same resource with each updatable property changed.
    pub updated: &'static str,
    /// A create-only property changed; empty where the type has none.
    pub replaced: &'static str,
}

/// The properties that AWS's identifier of a type is made of; none where AWS makes it.
pub fn identified_by(kind: &dyn ResourceType) -> Vec<String> {
    let (descriptor, schema) = (kind.descriptor(), kind.schema());
    let id = descriptor.physical_id;
    match schema.attributes.get(id) {
        Some(attribute) if attribute.made_by_aws => Vec::new(),
        Some(_) => {
            let facts = Facts {
                partition: "aws".into(),
                account_id: "000000000000".into(),
                region: "us-east-1".into(),
                stack: String::new(),
                environment: String::new(),
            };
            // Whatever it asks for is what the identifier is made of; the value itself is of no interest.
            let mut asked = Vec::new();
            kind.predict(id, &facts, &mut |property| {
                if !asked.iter().any(|one| one == property) {
                    asked.push(property.to_owned());
                }
                Value::from("x")
            });
            asked
        }
        None => vec![id.to_owned()],
    }
}

/// The types there are.
pub trait Registry: Send + Sync {
    /// The type of a name.
    fn get(&self, name: &str) -> Option<&dyn ResourceType>;

    /// All names, sorted.
    fn names(&self) -> Vec<&'static str>;
}
