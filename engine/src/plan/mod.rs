//! A plan: what will be done and why, as a value. Planning is one pure function of graph, state and live.

pub mod compare;
pub mod decide;
mod gone;
pub mod model;
pub mod moves;
pub mod questions;
pub mod replacements;
pub mod reread;
#[cfg(test)]
mod reread_tests;
mod unreadable;

pub use decide::{Inputs, plan};
pub use model::*;
