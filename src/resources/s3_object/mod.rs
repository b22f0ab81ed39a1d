//! `s3.object`: an object with content, a file, or all files of a folder.

mod check;
mod live;
mod object;
mod properties;
mod upload;
mod verbs;

pub use object::{Object, TYPE};
