//! What a call to a cloud can answer when it does not succeed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The class of a failed call: it alone decides what apply does next.
///
/// A class never loses what the service said: [`Fault`] carries that beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The thing named does not exist.
    NotFound,
    /// It exists already, or another operation on it is in progress.
    Conflict,
    /// The service asks to be called less often.
    Throttled,
    /// The caller may not do this; no retry helps.
    Denied,
    /// The credentials ended. No further call is started.
    Expired,
    /// The request is wrong; no retry helps.
    Invalid,
    /// Something this call relies on is not there or not visible yet.
    Dependency,
    /// The call may or may not have taken effect (timeout, cut connection, 5xx).
    Uncertain,
    /// The run may start no further call: it was cancelled, or its lease is no longer certain. Nothing was sent.
    Stopped,
    /// Anything else.
    Other,
}

/// A failed call, with everything AWS said about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub struct Fault {
    /// The class of the failure.
    pub kind: FaultKind,
    /// The service in AWS's spelling of IAM actions, `s3`, `iam`.
    pub service: String,
    /// The operation in AWS's spelling, `PutBucketPolicy`.
    pub operation: String,
    /// AWS's error code, `NoSuchBucket`; absent when there was no answer.
    pub code: Option<String>,
    /// AWS's message, or what the transport said.
    pub message: String,
    /// AWS's request id; absent when there was no answer.
    pub request_id: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} ", self.service, self.operation)?;
        match (&self.code, &self.request_id) {
            (Some(code), _) => write!(f, "answered {code}")?,
            (None, Some(_)) => write!(f, "was refused")?,
            (None, None) => write!(f, "got no answer")?,
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        if let Some(id) = &self.request_id {
            write!(f, " (request {id})")?;
        }
        Ok(())
    }
}

impl Fault {
    /// A fault that the tool itself found, where no service answered.
    pub fn local(kind: FaultKind, operation: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind,
            service: "s3stack".into(),
            operation: operation.into(),
            code: None,
            message: message.into(),
            request_id: None,
        }
    }

    /// Whether AWS's error code is one of `codes`.
    pub fn is_code(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }

    /// Whether the message contains `part`. Only ask after [`Self::is_code`]: a resource's own name may hold any text.
    pub fn says(&self, part: &str) -> bool {
        self.message.contains(part)
    }
}
