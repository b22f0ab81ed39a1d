//! The call log: every request that leaves through an SDK client, counted, and told to whoever watches.
//!
//! It sees service, operation, status, request id and duration; never a body, a header or a query, which may hold
//! secrets.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use tokio::time::Instant;

use super::fault::request_id;

/// Something about calls that a watcher may show.
#[derive(Debug, Clone, PartialEq)]
pub enum CallEvent {
    /// A request has ended, with an answer or without.
    Ended(CallRecord),
    /// A call waits before it is repeated.
    Waits(WaitRecord),
}

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub struct CallRecord {
    /// The service as IAM actions spell it, `s3`.
    pub service: &'static str,
    /// The operation as the API spells it, `HeadBucket`.
    pub operation: String,
    /// The region whose clients made it.
    pub region: String,
    /// The HTTP status; absent when no answer came.
    pub status: Option<u16>,
    /// AWS's request id; absent when no answer came.
    pub request_id: Option<String>,
    /// From the moment it was sent to the end of its answer.
    pub took: Duration,
}

/// A pause before an attempt is repeated.
#[derive(Debug, Clone, PartialEq)]
pub struct WaitRecord {
    /// The service as IAM actions spell it.
    pub service: &'static str,
    /// The operation as the API spells it.
    pub operation: &'static str,
    /// How many attempts have been made.
    pub attempts: u32,
    /// AWS's error code; absent when no answer came.
    pub code: Option<String>,
    /// What is being waited for, for people: `the new role to be visible`.
    pub awaits: &'static str,
    /// How long the pause is.
    pub pause: Duration,
}

/// Whoever is told about calls. It is called on the way of a call: it must be quick and must not block.
#[derive(Clone)]
pub struct Observer(Arc<dyn Fn(&CallEvent) + Send + Sync>);

impl Observer {
    /// An observer that hands each event to `watch`.
    pub fn new(watch: impl Fn(&CallEvent) + Send + Sync + 'static) -> Self {
        Self(Arc::new(watch))
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}

/// How many requests were made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallSummary {
    /// All of them, repeated attempts included.
    pub total: u64,
    /// By service and operation, `("s3", "HeadBucket")`.
    pub by_operation: BTreeMap<(&'static str, String), u64>,
}

impl CallSummary {
    /// The IAM actions that these calls needed.
    pub fn actions(&self) -> std::collections::BTreeSet<String> {
        self.by_operation.keys().map(|(service, operation)| super::iam_action(service, operation)).collect()
    }
}

#[derive(Debug, Default)]
pub(super) struct CallLog {
    counts: Mutex<HashMap<&'static str, HashMap<String, u64>>>,
    observer: Option<Observer>,
}

impl CallLog {
    pub(super) fn new(observer: Option<Observer>) -> Self {
        Self { counts: Mutex::default(), observer }
    }

    pub(super) fn tell(&self, event: impl FnOnce() -> CallEvent) {
        if let Some(Observer(watch)) = &self.observer {
            watch(&event());
        }
    }

    fn count(&self, service: &'static str, operation: &str) {
        let mut counts = self.counts();
        let of_service = counts.entry(service).or_default();
        match of_service.get_mut(operation) {
            Some(count) => *count += 1,
            None => {
                of_service.insert(operation.to_owned(), 1);
            }
        }
    }

    pub(super) fn summary(&self) -> CallSummary {
        let by_operation: BTreeMap<_, _> = self
            .counts()
            .iter()
            .flat_map(|(service, counts)| {
                counts.iter().map(|(operation, count)| ((*service, operation.clone()), *count))
            })
            .collect();
        CallSummary { total: by_operation.values().sum(), by_operation }
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<&'static str, HashMap<String, u64>>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sits in every SDK client, so that no request escapes the log whichever way it is made.
#[derive(Debug)]
pub(super) struct LogInterceptor {
    pub(super) service: &'static str,
    pub(super) region: String,
    pub(super) log: Arc<CallLog>,
}

/// When the request was sent, kept in the SDK's own bag of the call.
#[derive(Debug)]
struct Sent(Instant);

impl Storable for Sent {
    type Storer = StoreReplace<Self>;
}

impl Intercept for LogInterceptor {
    fn name(&self) -> &'static str {
        "s3stack call log"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.log.count(self.service, bag.load::<Metadata>().map_or("?", Metadata::name));
        bag.interceptor_state().store_put(Sent(Instant::now()));
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // Absent when the attempt failed before anything was sent, for want of credentials.
        let Some(Sent(sent)) = bag.load::<Sent>() else { return Ok(()) };
        self.log.tell(|| {
            CallEvent::Ended(CallRecord {
                service: self.service,
                operation: bag.load::<Metadata>().map_or("?", Metadata::name).to_owned(),
                region: self.region.clone(),
                status: context.response().map(|response| response.status().as_u16()),
                request_id: context.response().and_then(request_id).map(str::to_owned),
                took: sent.elapsed(),
            })
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_service_and_operation() {
        let log = CallLog::new(None);
        log.count("s3", "HeadBucket");
        log.count("s3", "HeadBucket");
        log.count("iam", "GetRole");
        let summary = log.summary();
        assert_eq!(summary.total, 3);
        assert_eq!(summary.by_operation[&("s3", "HeadBucket".to_owned())], 2);
        assert_eq!(Vec::from_iter(summary.actions()), ["iam:GetRole", "s3:ListBucket"]);
    }
}
