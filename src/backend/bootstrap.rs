//! Makes the bucket.
