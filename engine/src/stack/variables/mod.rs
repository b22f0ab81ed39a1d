//! Variables: their types, the places values come from, and the rules values must keep.

mod given;
mod resolve;
mod rules;
pub(super) mod types;

pub use given::{Given, Source};
pub(crate) use rules::broken as broken_rule;
pub(crate) use types::{fit, refer};

pub use resolve::{EarlyScope, Resolved, Variables, resolve};
