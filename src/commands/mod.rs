//! The commands: one thin file each. What they do lives below them.

pub mod apply;
pub mod completions;
pub mod console;
pub mod destroy;
pub mod docs;
pub mod env;
pub mod explain;
pub mod fmt;
pub mod graph;
pub mod init;
pub mod local;
pub mod output;
pub mod plan;
pub mod schema;
pub mod state;
pub mod unlock;
pub mod validate;

mod dispatch;
mod run;
mod saved;
mod signals;

pub use dispatch::run;
