//! The one model of what a resource type's properties look like: read from documented Rust structs, used for
//! validation, documentation, editor schemas and planning.

pub mod derive;
pub mod model;
pub mod shapes;
pub mod validate;

pub use model::*;
