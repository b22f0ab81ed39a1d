//! What is known about an operation before it is called: its name, its effect, and which refusals will pass.

use std::time::Duration;

/// What a second, equal call would do; this decides whether an attempt without an answer may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Changes nothing.
    Read,
    /// Writes, and writing the same again leaves the same behind (`Put…`, `Attach…`, `Tag…`, `Delete…`).
    ///
    /// A repeated deletion may answer that the thing is not found: the caller takes that for done.
    Idempotent,
    /// Writes, and a second call would make a second thing, or be refused because of the first (`CreateRole`,
    /// `CreateAccessKey`, anything with `If-Match`).
    Once,
}

/// An operation of a service, as a constant beside the code that calls it.
///
/// ```
/// use s3stack::aws::{Operation, rules};
/// const PUT_POLICY: Operation = Operation::idempotent("s3", "PutBucketPolicy").retrying(rules::BUCKET_POLICY);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// The service as IAM actions spell it: `s3`, `iam`, `logs`.
    pub service: &'static str,
    /// The operation as the API spells it: `PutBucketPolicy`.
    pub name: &'static str,
    /// What a second call would do.
    pub effect: Effect,
    /// The refusals that pass by themselves; tried in order, the first that matches counts.
    pub retry: &'static [RetryRule],
}

impl Operation {
    /// An operation that changes nothing.
    pub const fn read(service: &'static str, name: &'static str) -> Self {
        Self { service, name, effect: Effect::Read, retry: &[] }
    }

    /// A write that may be repeated as it is; see [`Effect::Idempotent`].
    pub const fn idempotent(service: &'static str, name: &'static str) -> Self {
        Self { service, name, effect: Effect::Idempotent, retry: &[] }
    }

    /// A write that may not be repeated once it may have taken effect; see [`Effect::Once`].
    pub const fn once(service: &'static str, name: &'static str) -> Self {
        Self { service, name, effect: Effect::Once, retry: &[] }
    }

    /// The same operation with the refusals that pass by themselves.
    pub const fn retrying(self, rules: &'static [RetryRule]) -> Self {
        Self { retry: rules, ..self }
    }
}

/// A refusal that passes by itself, known by AWS's exact code and, where the code says too little, a phrase.
///
/// Only for definite refusals: nothing has taken effect, so even an [`Effect::Once`] operation is called again.
#[derive(Debug, Clone, Copy)]
pub struct RetryRule {
    /// What is being waited for, for people: `the new role to be visible`.
    pub awaits: &'static str,
    /// The error codes, of which one must match.
    pub codes: &'static [&'static str],
    /// Parts of the message, of which one must occur; empty where the code is enough. A part must not be text that a
    /// resource's own name could hold.
    pub says: &'static [&'static str],
    /// The pause between attempts (jittered by a fifth). Steady: visibility comes after seconds, not under less load.
    pub every: Duration,
    /// How long the refusal is waited out, from its first occurrence.
    pub up_to: Duration,
}

impl RetryRule {
    /// Whether this rule is about an answer with this code and message.
    pub fn matches(&self, code: Option<&str>, message: &str) -> bool {
        code.is_some_and(|code| self.codes.contains(&code))
            && (self.says.is_empty() || self.says.iter().any(|part| message.contains(part)))
    }
}
