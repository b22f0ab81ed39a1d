//! A cloud, a store and a driver in memory, stricter than the real ones and failing on command, for the tests of this
//! package and of others.
//!
//! Panics here are findings: the code under test broke a promise.

pub mod cloud;
pub mod driver;
pub mod faults;
pub mod files;
pub mod generate;
pub mod stack;
pub mod store;
pub mod types;
pub mod world;
