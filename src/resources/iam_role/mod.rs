//! `iam.role`: a role with who may assume it and what it may do.

mod properties;
mod read;
mod role;
mod trust;
mod verbs;

pub use role::{Role, TYPE};
