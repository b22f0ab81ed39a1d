//! Where state, history and the lease live. A backend moves bytes under conditions; what they mean is the engine's.

pub mod bootstrap;
pub mod clock;
pub mod file;
pub mod lease;
pub mod s3;
pub mod store;

pub use store::*;
