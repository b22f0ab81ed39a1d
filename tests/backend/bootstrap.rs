//! The bucket that `s3stack init --backend` makes.
