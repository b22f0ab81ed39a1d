//! The stacks and examples of this repository, each from plan to destroy with the real program, and what the two seeds'
//! documents promise about access.

#[path = "../support/mod.rs"]
mod support;

mod access;
mod language;
mod whole;
