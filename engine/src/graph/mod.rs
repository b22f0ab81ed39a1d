//! The resource graph: every block evaluated as far as anything can be known before it exists.

pub mod build;
mod evaluate;
mod frames;
mod instances;
mod lookups;
pub mod model;
mod named;
pub mod names;
mod order;
mod scope;
mod world;

pub use build::{Inputs, build, further};
pub use lookups::{By, Looked, Query, queries};
pub use model::*;
