//! The pure core of s3stack. It does no I/O and knows no AWS, file, clock, environment, randomness or terminal.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod address;
pub mod apply;
pub mod conditional;
pub mod diagnostic;
pub mod diff;
pub mod expression;
pub mod fault;
pub mod file;
pub mod graph;
pub mod lease;
pub mod plan;
pub mod policy;
pub mod resource;
pub mod schema;
pub mod stack;
pub mod state;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod value;
