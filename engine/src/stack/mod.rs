//! The stack file: from TOML to blocks with every place kept.

pub mod model;

pub use model::*;
