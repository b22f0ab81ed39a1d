//! `iam.group`: what several users may do. It can carry no tags, so it is ours by state, by a pending creation, or by
//! `import`.

mod group;
mod properties;
mod verbs;

pub use group::{Group, TYPE};
