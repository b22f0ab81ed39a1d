//! One suite for every backend, and what only one of them can suffer.

#[path = "../support/mod.rs"]
mod support;

mod bootstrap;
mod conformance;
mod file;
mod s3;
