//! Buckets and objects by their providers, against the private AWS of `--local`.

#[path = "../support/mod.rs"]
mod support;

mod bucket;
mod object;
mod stage;
