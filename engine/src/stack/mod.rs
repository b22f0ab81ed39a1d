//! The stack file: from TOML to blocks with every place kept.
//!
//! `syntax` reads tokens and puts tables together, `parse` makes nodes and templates of them and merges the files,
//! `sections` and `blocks` know what the tables mean, `static_check` checks everything that is known before an
//! expression is evaluated. [`variables`] finds the value of each variable; `evaluate` evaluates nodes.
//!
//! | code | meaning |
//! |---|---|
//! | `S3S-P1` | no TOML |
//! | `S3S-P2` | more than the bounds allow |
//! | `S3S-P3` | something is there twice |
//! | `S3S-P4` | a kind of value that is refused: dates, NaN, infinity, numbers beyond 64 bits |
//! | `S3S-P5` | a table, a name or a header is missing |
//! | `S3S-P6` | no such section or resource type |
//! | `S3S-P7` | must be written out, without expressions |
//! | `S3S-P8` | a reserved key or a definition says something that cannot be |
//! | `S3S-P9` | a key stands under the wrong header |
//! | `S3S-P12` | a name that is not allowed |
//! | `S3S-P13` | a module that cannot be read |
//! | `S3S-P14` | a module that includes itself |
//! | `S3S-W1` to `S3S-W9` | the value does not fit the schema, see [`crate::schema::validate`] |
//! | `S3S-W10` | a type that cannot be read |
//! | `S3S-W11` | a variable without value |
//! | `S3S-W12` | a value for a variable that is not declared |
//! | `S3S-W13` | a variable's value does not fit its type or its rules |
//! | `S3S-W14` | variables whose values need each other |
//! | `S3S-W20` | a variable that nothing uses |
//! | `S3S-R1` | nothing of that name is in scope |
//! | `S3S-R2` | no such variable |
//! | `S3S-R3` | no such resource in the stack |
//! | `S3S-R4` | a resource has no such property or attribute |
//! | `S3S-R5` | in scope elsewhere, but not here |
//! | `S3S-R9` | made from itself |
//! | `S3S-R10` | what `for_each` cannot be |
//! | `S3S-R12` | no such module, or no such output of one |
//! | `S3S-R13` | no such account |
//! | `S3S-R14` | no such remote, or no such output of one |

mod blocks;
mod draft;
mod editor;
mod evaluate;
pub mod fields;
mod load;
mod lookups;
pub mod model;
mod modules;
mod names;
mod owner;
mod parse;
mod problems;
mod references;
mod reserved;
mod sections;
mod sketch;
mod static_check;
mod syntax;
mod syntax_error;
pub mod variables;

#[cfg(test)]
mod tests;

pub use editor::editor_schema;
pub use evaluate::{ScopeAt, evaluate, evaluate_at, evaluate_table};
pub use fields::is_region;
pub use load::{Modules, NoModules, Types, load, syntax_of};
pub use model::*;
pub use owner::name_owners;
pub use references::check_output;
pub use sections::check_setting;
pub use syntax::{MAX_BYTES, MAX_DEPTH, MAX_VALUES};

pub use crate::value::{broken, is_broken};

/// Most diagnostics that one reading of a stack gives; nobody reads more, and making each costs.
pub const MAX_DIAGNOSTICS: usize = 200;
