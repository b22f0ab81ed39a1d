//! `s3.bucket`: a bucket and its settings, each of which AWS keeps apart.

mod bucket;
mod check;
mod contents;
mod cors;
mod encryption;
mod eventbridge;
mod lifecycle;
mod lifecycle_check;
mod listing;
mod logging;
mod ownership;
mod policy;
mod properties;
mod public_access_block;
mod setting;
mod tags;
#[cfg(test)]
mod testing;
mod verbs;
mod versioning;

pub use bucket::{Bucket, TYPE};
pub use listing::Listing;
