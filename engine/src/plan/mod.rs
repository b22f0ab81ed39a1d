//! A plan: what will be done and why, as a value. Planning is one pure function of stack, state and live.

pub mod model;

pub use model::*;
