//! The edge to AWS: clients and credentials, and the one way in which a call is made.
//!
//! A provider holds a [`Session`] (one account, one region) and hands every request to [`Session::call`], which waits
//! for its turn, makes the attempt, writes the call log, classifies what came back and repeats what may be repeated.
//! The SDK's own retries are off: whether a repetition is safe depends on the operation, which the SDK does not know.

mod accounts;
pub mod actions;
pub mod call;
pub mod clients;
pub mod credentials;
mod endpoint;
pub mod fault;
pub mod http;
pub mod limiter;
pub mod log;
pub mod operation;
pub mod retry;
pub mod rules;

pub use actions::iam_action;
pub use call::Gate;
pub use clients::{Caller, Clients, ClientsError, Session, Settings, Target};
pub use fault::{Failed, Failure, fault, is_unknown_key};
pub use log::{CallEvent, CallRecord, CallSummary, Observer, WaitRecord};
pub use operation::{Effect, Operation, RetryRule};
pub use retry::Policy;
