//! `iam.policy`: a managed policy of the account's own.

mod deletion;
mod policy;
mod properties;
mod read;
mod verbs;

pub use policy::{Policy, TYPE};
