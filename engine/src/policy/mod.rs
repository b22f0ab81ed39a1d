//! IAM policy documents: from the stack file's words to AWS's, and back for comparison.

pub mod grant;

pub use grant::{AccessLevel, AccessRule};
