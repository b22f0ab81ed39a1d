//! What the types of IAM share: reading the whole account at once, policies attached to and written into users, groups
//! and roles, tags, names.

pub mod attachments;
pub mod documents;
pub mod grants;
pub mod holder;
pub mod inline;
pub mod members;
pub mod names;
pub mod properties;
pub mod sweep;
pub mod tags;

#[cfg(test)]
pub(super) mod testing;
