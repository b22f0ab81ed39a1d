//! The private AWS of `--local`: an emulator (ministack) on this machine that s3stack installs, starts and stops.
//!
//! [`Local`] is one emulator per stack folder, for people: it outlives the command and keeps its data under
//! `.s3stack/local/`. [`Owned`] is one for a test: it ends, in whatever way its owner ends, and leaves nothing.
//! Both run in one Python environment in the user's cache (`environment`), listen on loopback only, and treat a
//! twelve-digit access key id as the account.

mod control;
mod emulator;
mod endpoint;
mod environment;
mod error;
mod python;

pub use control::{Local, Status};
pub use emulator::{Options, Owned};
pub use endpoint::{DEFAULT_ACCOUNT_ID, Endpoint, SECRET_ACCESS_KEY};
pub use environment::{Environment, cache_directory};
pub use error::LocalError;
