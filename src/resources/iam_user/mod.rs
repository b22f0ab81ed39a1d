//! `iam.user`: a user with what it may do, for programs and people outside AWS.

mod deletion;
mod groups;
mod properties;
mod read;
mod user;
mod verbs;

pub use user::{TYPE, User};
