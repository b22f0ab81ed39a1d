//! The expression language: `${…}` in the strings of a stack file.
//!
//! A string goes through four steps. `scanner` finds the expressions and bounds their size, `hcl-edit` parses each,
//! `parse` turns its tree into our own `ast`, and `evaluate` computes it against a [`Scope`]. `settle` goes on
//! where evaluation had to stop because AWS had not made a value yet. `offsets` maps places in the decoded string to
//! places in the file.
//!
//! Three things set this apart from other evaluators of HCL:
//! - Values may be unknown. What is known stays known; a function, operator or condition with an unknown in it becomes
//!   an [`Unknown::Expression`](crate::value::Unknown) that is closed over what it names.
//! - Values may be secret, and whatever is computed from a secret is secret, error messages included.
//! - Everything is bounded by a [`Budget`]: a stack file is not trusted.
//!
//! Files are asked for through the [`Scope`] and read while the plan is made. Where a call waits for something else, what
//! the file says is kept with it; so which file it is must be known from the start ([`Question`]).
//!
//! Diagnostic codes:
//!
//! | code | meaning |
//! |---|---|
//! | `S3S-E01` | syntax |
//! | `S3S-E02` | unknown function |
//! | `S3S-E03` | wrong kind of value, or wrong number of arguments |
//! | `S3S-E04` | arithmetic: overflow, division by zero |
//! | `S3S-E05` | a limit on size, depth or work |
//! | `S3S-E06` | no such key, index or attribute |
//! | `S3S-E07` | a function cannot do that with this value |
//! | `S3S-E08` | needs an attribute that was out of sight when the plan was made |
//! | `S3S-E09` | which file is read depends on what AWS makes |

mod ast;
mod budget;
mod capture;
mod compare;
mod evaluate;
mod files;
pub mod functions;
mod offsets;
mod operate;
mod parse;
mod references;
mod scanner;
mod settle;
mod template;
mod templatefile;
mod text;
mod traverse;

#[cfg(test)]
mod tests;

pub use self::budget::Budget;
pub use self::evaluate::Scope;
pub use self::files::{Question, answer};
pub use self::offsets::Origin;
pub use self::references::{Segment, SegmentKind, Traversal};
pub use self::settle::settle;
pub use self::template::Template;

const SYNTAX: &str = "S3S-E01";
const UNKNOWN_FUNCTION: &str = "S3S-E02";
const KIND: &str = "S3S-E03";
const ARITHMETIC: &str = "S3S-E04";
const LIMIT: &str = "S3S-E05";
const MISSING: &str = "S3S-E06";
const REFUSED: &str = "S3S-E07";
const UNSEEN: &str = "S3S-E08";
const UNREAD: &str = "S3S-E09";

/// Most errors that are told of one text; nobody reads more, and each costs.
const MOST_ERRORS: usize = 20;

/// What to do about an error of a kind, where whoever found it knows nothing better.
fn next_step(code: &str) -> Option<&'static str> {
    Some(match code {
        SYNTAX => {
            "an expression is written as in ${var.name}, ${upper(var.name)} or ${s3.bucket.data.arn}; `$${` is the text `${`"
        }
        KIND => "`type(…)` tells what a value is; tostring, tonumber, tobool, tolist, toset and tomap convert one",
        ARITHMETIC => "numbers have 64 bits: make it smaller, or write it as a string, in quotes",
        LIMIT => "make less of it, or write the value out",
        MISSING => "where it may be absent, `try(…, other)` gives another value",
        _ => return None,
    })
}
