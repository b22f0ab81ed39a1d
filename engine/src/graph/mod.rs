//! The resource graph: every block evaluated as far as anything can be known before it exists.

pub mod build;
mod evaluate;
mod instances;
pub mod model;
pub mod names;
mod order;
mod world;

pub use build::{Inputs, build, further};
pub use model::*;
