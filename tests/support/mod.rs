//! What the test binaries share. Each uses some of it.
#![allow(dead_code)]

pub mod emulator;
pub mod proxy;
pub mod stack;
pub mod terminal;
