//! The resource graph: every block evaluated as far as anything can be known before it exists.

mod asked;
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

pub use asked::evaluate;
pub use build::{Inputs, build, further};
pub use lookups::{By, Looked, Query, queries};
pub use model::*;
