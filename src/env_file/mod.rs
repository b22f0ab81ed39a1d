//! Files in the style of `.env`: `NAME=value` lines that people, shells and programs share.
//!
//! [`text`] changes single names and keeps every other byte. [`file`] puts the result on disk in two phases: everything
//! that can fail is tried before there is a secret to write, and then the file is replaced in one step.

mod file;
mod text;

pub use file::{EnvFileError, Prepared, commit, prepare, read, tidy, write_plain};
pub use text::EnvText;
