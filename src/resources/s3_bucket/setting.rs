//! What every setting of a bucket has in common: it is read, written and taken away by calls of its own.

use async_trait::async_trait;
use s3stack_engine::address::Path;
use s3stack_engine::fault::{Fault, FaultKind};
use s3stack_engine::resource::{Resource, Surroundings};
use s3stack_engine::schema::validate::Problem;
use s3stack_engine::value::Value;

use super::{
    cors, encryption, eventbridge, lifecycle, logging, ownership, policy, public_access_block, tags, versioning,
};
use crate::aws::Session;

/// The settings in the order in which it is safe to write them: who may reach the bucket before what it holds and sends.
/// AWS answers 409 (`OperationAborted`) to two writes of one bucket at a time, so they go one after another.
pub(super) static SETTINGS: &[&dyn Setting] = &[
    &tags::Tags,
    &ownership::Ownership,
    &public_access_block::PublicAccessBlock,
    &versioning::Versioning,
    &encryption::Encryption,
    &policy::Policy,
    &lifecycle::Lifecycle,
    &cors::Cors,
    &logging::Logging,
    &eventbridge::EventBridge,
];

/// A setting of a bucket.
#[async_trait]
pub(super) trait Setting: Send + Sync {
    /// The managed property that it is.
    fn property(&self) -> &'static str;

    /// What AWS shall hold, in the form that [`Self::get`] gives; `None` where the stack does not manage it, and null
    /// where it shall be absent.
    fn managed(&self, resource: &Resource, around: &dyn Surroundings) -> Result<Option<Value>, Vec<Problem>>;

    /// What is wrong with it beyond its schema.
    fn check(&self, resource: &Resource, around: &dyn Surroundings, problems: &mut Vec<Problem>) {
        let _ = (resource, around, problems);
    }

    /// The value that a bucket of this moment has without a call, as far as AWS guarantees that for every account.
    fn of_new_bucket(&self) -> Option<Value> {
        None
    }

    /// What AWS has; null where there is nothing.
    async fn get(&self, bucket: &Target<'_>) -> Result<Value, Fault>;

    /// Writes a value; null takes the setting away, or puts AWS's default back where it cannot be absent.
    async fn put(&self, bucket: &Target<'_>, value: &Value) -> Result<(), Fault>;
}

/// A bucket that calls are about.
pub(super) struct Target<'a> {
    /// The way to AWS.
    pub session: &'a Session,
    /// The bucket's name.
    pub name: &'a str,
    /// The account that the bucket must belong to. It goes with every call, so that a bucket which somebody else made
    /// under a name we once had is neither read as ours nor written to.
    pub account_id: &'a str,
    /// The tags that mark it as the stack's.
    pub owner_tags: [(String, String); 2],
    /// Whether this run made it a moment ago, so that nobody else can have put anything into its settings.
    pub new: bool,
}

/// An answer, or nothing where the code says that there is no such setting.
pub(super) fn unless_absent<T>(answer: Result<T, Fault>, code: &str) -> Result<Option<T>, Fault> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(fault) if fault.is_code(&[code]) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// A map of what is not null.
pub(super) fn present<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Map(
        members.into_iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key.to_owned(), value)).collect(),
    )
}

/// The members of a map; none for everything else.
pub(super) fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_map().into_iter().flat_map(|map| map.iter())
}

/// The items of a list; none for everything else.
pub(super) fn items(value: &Value) -> &[Value] {
    value.as_list().unwrap_or_default()
}

/// A text, if it is one.
pub(super) fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// The texts of a list, sorted and each once: the form of lists whose order means nothing.
pub(super) fn sorted(value: &Value) -> Value {
    let mut texts: Vec<Value> = items(value).to_vec();
    texts.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    texts.dedup();
    if texts.is_empty() { Value::Null } else { Value::List(texts) }
}

/// A whole number as the SDK takes it; numbers out of range were refused by the schema.
pub(super) fn number(value: &Value) -> Option<i32> {
    value.as_integer().and_then(|number| i32::try_from(number).ok())
}

/// A request that the SDK refuses to build, which the schema should have made impossible.
pub(super) fn unbuildable(operation: &str, error: impl std::fmt::Display) -> Fault {
    Fault::local(FaultKind::Invalid, operation, error.to_string())
}

/// The path of a property.
pub(super) fn at(property: &str) -> Path {
    Path::of(property.to_owned())
}
