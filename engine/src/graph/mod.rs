//! The resource graph: every block evaluated as far as anything can be known before it exists.

pub mod model;

pub use model::*;
