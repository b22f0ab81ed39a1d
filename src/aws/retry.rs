//! Whether and when a failed attempt is followed by another: a decision without clock or randomness, which the caller
//! passes in.

use std::time::Duration;

use s3stack_engine::fault::{Fault, FaultKind};
use tokio::time::Instant;

use super::fault::Failed;
use super::operation::{Effect, Operation};

/// How patient the retries are. The default is for AWS; tests shrink it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// The first pause after a throttle, doubled each time.
    pub throttle_first: Duration,
    /// The longest pause after a throttle.
    pub throttle_longest: Duration,
    /// How long throttles are waited out, from the first one on.
    pub throttle_up_to: Duration,
    /// The first pause after an attempt without a usable answer, or that never left; doubled each time.
    pub trouble_first: Duration,
    /// The longest such pause.
    pub trouble_longest: Duration,
    /// How many attempts without a usable answer are made at most.
    pub trouble_attempts: u32,
    /// How long AWS may take until its answers show what was written. Absent: what AWS needs, and no time for an
    /// emulator.
    pub settles_within: Option<Duration>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            throttle_first: Duration::from_millis(200),
            throttle_longest: Duration::from_secs(10),
            throttle_up_to: Duration::from_secs(180),
            trouble_first: Duration::from_millis(150),
            trouble_longest: Duration::from_secs(4),
            trouble_attempts: 4,
            settles_within: None,
        }
    }
}

/// The history of one call.
#[derive(Debug)]
pub struct Attempts {
    operation: Operation,
    policy: Policy,
    started: Instant,
    made: u32,
    throttles: u32,
    throttled_since: Option<Instant>,
    troubles: u32,
    /// When each rule, by its place in the operation's list, first applied: rules that alternate end all the same.
    rules_since: Vec<(usize, Instant)>,
    /// An attempt of a write ended without an answer, so later refusals do not say that nothing happened.
    unanswered_write: bool,
}

/// What follows a failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Another attempt after the pause.
    Again {
        /// How long to wait before it.
        after: Duration,
        /// What is being waited for, for people.
        awaits: &'static str,
    },
    /// The call has failed with this.
    Failed(Fault),
}

impl Attempts {
    /// A call that begins `now`.
    pub fn new(operation: Operation, policy: Policy, now: Instant) -> Self {
        Self {
            operation,
            policy,
            started: now,
            made: 0,
            throttles: 0,
            throttled_since: None,
            troubles: 0,
            rules_since: Vec::new(),
            unanswered_write: false,
        }
    }

    /// How many attempts have failed.
    pub fn made(&self) -> u32 {
        self.made
    }

    /// Decides what follows an attempt that failed. `jitter` is in 0..1.
    pub fn after(&mut self, failed: Failed, now: Instant, jitter: f64) -> Next {
        self.made += 1;
        let fault = failed.fault;
        if fault.kind == FaultKind::Uncertain && self.operation.effect != Effect::Read {
            self.unanswered_write = true;
        }
        if let Some(next) = self.by_rule(&fault, now, jitter) {
            return next;
        }
        match fault.kind {
            FaultKind::Throttled => {
                let since = *self.throttled_since.get_or_insert(now);
                if now.duration_since(since) >= self.policy.throttle_up_to {
                    return Next::Failed(self.ended(fault, now));
                }
                let after = backoff(self.policy.throttle_first, self.policy.throttle_longest, self.throttles, jitter);
                self.throttles += 1;
                Next::Again { after, awaits: "the service to take more requests" }
            }
            FaultKind::Uncertain if self.operation.effect == Effect::Once => Next::Failed(self.ended(fault, now)),
            FaultKind::Uncertain => self.trouble(fault, now, jitter, "an answer"),
            _ if failed.again => self.trouble(fault, now, jitter, "a connection"),
            _ => Next::Failed(self.ended(fault, now)),
        }
    }

    fn by_rule(&mut self, fault: &Fault, now: Instant, jitter: f64) -> Option<Next> {
        if fault.kind == FaultKind::Uncertain {
            return None;
        }
        let (place, rule) = self
            .operation
            .retry
            .iter()
            .enumerate()
            .find(|(_, rule)| rule.matches(fault.code.as_deref(), &fault.message))?;
        let since = match self.rules_since.iter().find(|(of, _)| *of == place) {
            Some((_, since)) => *since,
            None => {
                self.rules_since.push((place, now));
                now
            }
        };
        if now.duration_since(since) >= rule.up_to {
            return Some(Next::Failed(self.ended(fault.clone(), now)));
        }
        let after = rule.every.mul_f64(0.8 + 0.4 * jitter);
        Some(Next::Again { after, awaits: rule.awaits })
    }

    fn trouble(&mut self, fault: Fault, now: Instant, jitter: f64, awaits: &'static str) -> Next {
        self.troubles += 1;
        if self.troubles >= self.policy.trouble_attempts {
            return Next::Failed(self.ended(fault, now));
        }
        let after = backoff(self.policy.trouble_first, self.policy.trouble_longest, self.troubles - 1, jitter);
        Next::Again { after, awaits }
    }

    /// The fault of a call that ends with `fault`, of an attempt or from outside between two attempts.
    pub fn ended(&self, mut fault: Fault, now: Instant) -> Fault {
        if self.made > 1 {
            let seconds = now.duration_since(self.started).as_secs_f64();
            fault.message.push_str(&format!(" (after {} attempts in {seconds:.1} s)", self.made));
        }
        // What is absent now did not take effect, or is gone; every other answer leaves the earlier attempt open.
        if self.unanswered_write && !matches!(fault.kind, FaultKind::Uncertain | FaultKind::NotFound) {
            fault.kind = FaultKind::Uncertain;
            fault.message.push_str("; an earlier attempt had no answer and may have taken effect");
        }
        fault
    }
}

/// Half to all of `first` × 2^`times`, at most `longest`.
fn backoff(first: Duration, longest: Duration, times: u32, jitter: f64) -> Duration {
    let full = first.saturating_mul(1_u32.checked_shl(times.min(20)).unwrap_or(u32::MAX)).min(longest);
    full.mul_f64(0.5 + 0.5 * jitter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::rules;

    fn failed(kind: FaultKind, code: &str, message: &str) -> Failed {
        Failed {
            fault: Fault {
                kind,
                service: "s3".into(),
                operation: "Op".into(),
                code: (!code.is_empty()).then(|| code.into()),
                message: message.into(),
                request_id: None,
            },
            again: false,
            credentials: None,
        }
    }

    fn attempts(operation: Operation) -> (Attempts, Instant) {
        let now = Instant::now();
        (Attempts::new(operation, Policy::default(), now), now)
    }

    fn is_again(next: &Next) -> bool {
        matches!(next, Next::Again { .. })
    }

    #[test]
    fn a_throttle_is_repeated_whatever_the_effect() {
        for operation in [Operation::read("s3", "A"), Operation::idempotent("s3", "B"), Operation::once("s3", "C")] {
            let (mut attempts, now) = attempts(operation);
            assert!(is_again(&attempts.after(failed(FaultKind::Throttled, "SlowDown", ""), now, 0.5)));
        }
    }

    #[test]
    fn throttle_pauses_double_up_to_the_longest_and_end() {
        let (mut attempts, now) = attempts(Operation::once("s3", "C"));
        let mut pauses = Vec::new();
        for _ in 0..8 {
            match attempts.after(failed(FaultKind::Throttled, "SlowDown", ""), now, 1.0) {
                Next::Again { after, .. } => pauses.push(after.as_millis()),
                Next::Failed(fault) => panic!("{fault}"),
            }
        }
        assert_eq!(pauses, [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        let late = now + Duration::from_secs(180);
        match attempts.after(failed(FaultKind::Throttled, "SlowDown", "busy"), late, 1.0) {
            Next::Failed(fault) => {
                assert_eq!(fault.kind, FaultKind::Throttled);
                assert_eq!(fault.message, "busy (after 9 attempts in 180.0 s)");
            }
            again => panic!("{again:?}"),
        }
    }

    #[test]
    fn an_unanswered_attempt_is_repeated_unless_it_may_only_happen_once() {
        let unanswered = || failed(FaultKind::Uncertain, "", "no answer");
        let (mut once, now) = attempts(Operation::once("iam", "CreateRole"));
        assert!(!is_again(&once.after(unanswered(), now, 0.0)));
        for operation in [Operation::read("s3", "A"), Operation::idempotent("s3", "B")] {
            let (mut attempts, now) = attempts(operation);
            let answers: Vec<bool> = (0..4).map(|_| is_again(&attempts.after(unanswered(), now, 0.0))).collect();
            assert_eq!(answers, [true, true, true, false]);
        }
    }

    #[test]
    fn what_was_never_sent_is_repeated_even_if_it_may_only_happen_once() {
        let (mut attempts, now) = attempts(Operation::once("iam", "CreateRole"));
        let unsent = Failed { again: true, ..failed(FaultKind::Other, "", "connection refused") };
        assert!(is_again(&attempts.after(unsent, now, 0.0)));
    }

    #[test]
    fn a_refusal_after_an_unanswered_write_stays_uncertain() {
        for (kind, expected) in [
            (FaultKind::Denied, FaultKind::Uncertain),
            (FaultKind::Expired, FaultKind::Uncertain),
            (FaultKind::Conflict, FaultKind::Uncertain),
            (FaultKind::NotFound, FaultKind::NotFound),
        ] {
            let (mut attempts, now) = attempts(Operation::idempotent("s3", "CreateBucket"));
            assert!(is_again(&attempts.after(failed(FaultKind::Uncertain, "", "cut"), now, 0.0)));
            match attempts.after(failed(kind, "Code", "no"), now, 0.0) {
                Next::Failed(fault) => {
                    assert_eq!(fault.kind, expected);
                    assert_eq!(fault.code.as_deref(), Some("Code"));
                }
                again => panic!("{again:?}"),
            }
        }
    }

    #[test]
    fn a_refusal_after_an_unanswered_read_keeps_its_class() {
        let (mut attempts, now) = attempts(Operation::read("s3", "HeadBucket"));
        assert!(is_again(&attempts.after(failed(FaultKind::Uncertain, "", "cut"), now, 0.0)));
        let Next::Failed(fault) = attempts.after(failed(FaultKind::Denied, "403", ""), now, 0.0) else {
            panic!("denied is final")
        };
        assert_eq!(fault.kind, FaultKind::Denied);
    }

    #[test]
    fn a_rule_waits_steadily_for_its_own_time() {
        let (mut attempts, now) = attempts(Operation::once("iam", "CreateRole").retrying(&[rules::IAM_NEW_PRINCIPAL]));
        let refused =
            || failed(FaultKind::Dependency, "MalformedPolicyDocument", "Invalid principal in policy: \"AWS\":\"x\"");
        for second in [0, 1, 60, 119] {
            let next = attempts.after(refused(), now + Duration::from_secs(second), 0.5);
            assert_eq!(
                next,
                Next::Again { after: Duration::from_secs(1), awaits: "the new principal to be visible" },
                "{second}"
            );
        }
        assert!(!is_again(&attempts.after(refused(), now + Duration::from_secs(120), 0.5)));
    }

    #[test]
    fn without_a_rule_the_same_refusal_is_final() {
        let (mut attempts, now) = attempts(Operation::once("iam", "CreateRole"));
        let refused = failed(FaultKind::Dependency, "MalformedPolicyDocument", "Invalid principal in policy");
        assert!(!is_again(&attempts.after(refused, now, 0.5)));
    }

    #[test]
    fn each_rule_has_its_own_time_and_alternating_does_not_extend_it() {
        let (mut attempts, now) =
            attempts(Operation::idempotent("s3", "PutBucketPolicy").retrying(rules::BUCKET_POLICY));
        let busy = || failed(FaultKind::Conflict, "OperationAborted", "");
        let absent = || failed(FaultKind::NotFound, "NoSuchBucket", "");
        let at = |second| now + Duration::from_secs(second);
        assert!(is_again(&attempts.after(busy(), at(0), 0.0)));
        assert!(is_again(&attempts.after(absent(), at(110), 0.0)));
        assert!(is_again(&attempts.after(absent(), at(210), 0.0)));
        assert!(!is_again(&attempts.after(busy(), at(211), 0.0)));
    }

    #[test]
    fn plain_refusals_are_final() {
        for kind in [FaultKind::Denied, FaultKind::Expired, FaultKind::Invalid, FaultKind::NotFound, FaultKind::Other] {
            let (mut attempts, now) = attempts(Operation::read("s3", "A"));
            assert!(!is_again(&attempts.after(failed(kind, "Code", ""), now, 0.0)), "{kind:?}");
        }
    }
}
