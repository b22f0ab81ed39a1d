//! The side of a resource type that calls AWS.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use s3stack_engine::address::{Address, Path};
use s3stack_engine::fault::Fault;
use s3stack_engine::plan::Observation;
use s3stack_engine::resource::{Facts, ResourceType};
use s3stack_engine::value::{Map, Value};

use super::sweep::Sweeps;
use crate::aws::Session;
use crate::folder::Folder;

/// What every verb gets.
#[derive(Clone)]
pub struct Context {
    /// The way to AWS in the account and region at hand.
    pub session: Session,
    /// Where and as whom this runs.
    pub facts: Facts,
    /// The state's lineage: the mark of ownership.
    pub lineage: String,
    /// The stack folder, which paths are relative to.
    pub files: Arc<Folder>,
    /// Bulk answers of this refresh, shared by the types that one call answers for.
    pub sweeps: Arc<Sweeps>,
}

impl Context {
    /// The tags that mark a resource as this stack's: the name is for people, only the id decides.
    pub fn owner_tags(&self) -> [(String, String); 2] {
        [
            ("s3stack:stack".into(), format!("{}/{}", self.facts.stack, self.facts.environment)),
            (OWNER_TAG.into(), self.lineage.clone()),
        ]
    }
}

/// The tag whose value is the owner's lineage.
pub const OWNER_TAG: &str = "s3stack:id";

/// How thorough a read is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Bulk calls where AWS has them; existence from a listing is enough. Answers are hints where they may lag.
    Sweep,
    /// Each resource by calls of its own; the answer enters plans.
    Point,
}

/// One resource to read.
#[derive(Debug, Clone)]
pub struct Question {
    /// Its address, for messages.
    pub address: Address,
    /// AWS's identifier; empty where AWS makes it and it is not known (a create that was cut short).
    pub physical_id: String,
    /// The managed properties that matter: what nobody manages need not be read.
    pub properties: BTreeSet<String>,
    /// What state knows of it: the managed properties as last applied or, for a resource to be made, as desired.
    pub managed: Map,
    /// The attributes as state knows them or as they are predicted.
    pub attributes: Map,
    /// Whether to count what a deletion would lose (objects, versions, bytes).
    pub loss: bool,
    /// For a create that was cut short: what was noted before it.
    pub before: Map,
}

impl Question {
    /// Whether a bulk answer that does not tell `property` has to be completed by a call: the property matters, and has a
    /// value that could differ.
    pub fn asks_for(&self, property: &str) -> bool {
        let is_nothing = |value: &Value| value.is_null() || value.as_map().is_some_and(|map| map.is_empty());
        self.properties.contains(property) && self.managed.get(property).is_some_and(|value| !is_nothing(value))
    }
}

/// A resource to make.
#[derive(Debug, Clone)]
pub struct Create {
    /// Its address.
    pub address: Address,
    /// AWS's identifier, where it is the client who chooses.
    pub physical_id: String,
    /// The managed properties. Everything is known, except what only this creation can tell of itself.
    pub desired: Map,
    /// The predicted attributes.
    pub attributes: Map,
    /// Properties for the tool alone.
    pub memory: Map,
    /// The same for every attempt of this creation.
    pub token: String,
    /// What was noted before the first attempt, see [`Provider::before`].
    pub before: Map,
}

/// A resource to change in place.
#[derive(Debug, Clone)]
pub struct Update {
    /// Its address.
    pub address: Address,
    /// AWS's identifier.
    pub physical_id: String,
    /// All managed properties as they shall be; null where AWS's default is to be put back.
    pub desired: Map,
    /// What differs. Only this is written.
    pub changed: Vec<Path>,
    /// The managed properties as AWS has them.
    pub live: Map,
    /// The attributes.
    pub attributes: Map,
    /// Properties for the tool alone.
    pub memory: Map,
    /// Whether this takes over a resource that may not carry the owner's mark yet: it is to be written, whatever differs.
    pub adopts: bool,
}

impl Update {
    /// Whether anything in a top-level property differs.
    pub fn touches(&self, property: &str) -> bool {
        self.changed.iter().any(|path| path.head() == Some(property))
    }

    /// Whether the owner's mark is to be written: the resource is taken over, or the mark was taken off.
    pub fn marks(&self) -> bool {
        self.adopts || self.changed.contains(&Path::of("tags").key(OWNER_TAG))
    }
}

/// A resource to take away.
#[derive(Debug, Clone)]
pub struct Delete {
    /// Its address.
    pub address: Address,
    /// AWS's identifier.
    pub physical_id: String,
    /// The managed properties as state knows them.
    pub managed: Map,
    /// The attributes.
    pub attributes: Map,
    /// Properties for the tool alone, `force_destroy` among them.
    pub memory: Map,
    /// The type and identifier of each resource in state that waits for this one: what may be detached from it.
    pub dependents: Vec<(String, String)>,
}

/// What a create or update learned.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// AWS's identifier.
    pub physical_id: String,
    /// Attributes; secrets as [`s3stack_engine::value::Value::Secret`].
    pub attributes: Map,
}

/// Tells of progress inside a verb.
#[async_trait]
pub trait Progress: Send + Sync {
    /// An identifier that AWS made. It returns once the identifier is in the stored state: call it before the next call,
    /// so that whatever happens then, the resource is not lost. An error means that this run may write no more: stop.
    async fn identified(&self, physical_id: &str, attributes: Map) -> Result<(), Fault>;
}

/// The side of a resource type that calls AWS. Verbs are idempotent: each may be repeated after any answer.
#[async_trait]
pub trait Provider: ResourceType {
    /// Reads resources of one account and region; answers in the order of the questions. Never swallows an error into
    /// "missing" or "empty": what was denied or failed to the end is [`Observation::Unreadable`].
    async fn read(&self, context: &Context, questions: &[Question], depth: Depth) -> Vec<Observation>;

    /// Makes a resource that was seen to be missing. "Exists already" is a Conflict fault: the caller reads and decides.
    async fn create(&self, context: &Context, create: &Create, progress: &dyn Progress) -> Result<Reply, Fault>;

    /// Writes what differs, and nothing else.
    async fn update(&self, context: &Context, update: &Update, progress: &dyn Progress) -> Result<Reply, Fault>;

    /// Takes a resource away with what AWS wants gone before; a missing one is success.
    async fn delete(&self, context: &Context, delete: &Delete) -> Result<(), Fault>;

    /// The identifiers of all resources of the type that the account and region have; none where they cannot be listed,
    /// or carry no tags to tell them apart.
    async fn list(&self, context: &Context) -> Result<Option<Vec<String>>, Fault> {
        let _ = context;
        Ok(None)
    }

    /// What recovery will need to know of the time before a create whose identifier AWS makes, noted in state before
    /// the first call. Empty for all others.
    async fn before(&self, context: &Context, create: &Create) -> Result<Map, Fault> {
        let _ = (context, create);
        Ok(Map::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_a_value_is_worth_a_call() {
        let question = Question {
            address: Address::root("iam.policy", "p"),
            physical_id: "arn".into(),
            properties: ["tags", "description", "session"].map(str::to_owned).into(),
            managed: [
                ("tags".to_owned(), Value::Map(Map::new())),
                ("description".to_owned(), Value::from("d")),
                ("other".to_owned(), Value::from("o")),
            ]
            .into(),
            attributes: Map::new(),
            loss: false,
            before: Map::new(),
        };
        let asked: Vec<_> =
            ["tags", "description", "session", "other"].into_iter().filter(|name| question.asks_for(name)).collect();
        assert_eq!(asked, ["description"]);
    }
}
