//! IAM policy documents: from the stack file's words to AWS's document, back for comparison, and what is wrong with one.
//!
//! Every text in a document is a [`crate::value::Value`], because any of them may be one that AWS has yet to make, or a
//! secret. The shape of a document (which statements, elements and keys it has) is always known.

pub mod action;
pub mod check;
pub mod difference;
pub mod document;
pub mod equal;
pub mod exposure;
pub mod grant;
pub mod merge;
pub mod principal;
pub mod problem;
pub mod s3;
pub mod sid;
pub mod statements;
pub mod strict_json;
mod text;
pub mod trust;

pub use document::{Conditions, Document, Effect, PrincipalKind, Principals, Statement, Version};
pub use problem::Problem;
