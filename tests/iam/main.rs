//! Roles, policies and instance profiles: whole stacks planned and applied against the private AWS of `--local`.

#[path = "../support/mod.rs"]
mod support;

mod cut_short;
mod lifecycle;
mod policy;
mod reading;
mod role;
mod stage;
