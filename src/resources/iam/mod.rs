//! What the types of IAM share: reading the whole account at once, policies attached to and written into users, groups
//! and roles, tags, names.

pub mod attachments;
pub mod documents;
pub mod grants;
pub mod holder;
pub mod inline;
pub mod names;
pub mod properties;
pub mod sweep;
pub mod tags;
