//! One attempt of a call to S3: its time limit, its fault, and the headers that the SDK does not hand out.

use std::error::Error as StdError;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_sdk_s3::config::{Builder, ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::date_time::{DateTime, Format};
use aws_smithy_types::retry::RetryConfig;
use s3stack_engine::fault::{Fault, FaultKind};

use crate::aws::{Failed, Failure, Operation};

/// How patiently a call is made.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// One attempt lasts no longer.
    pub limit: Duration,
    /// So many attempts are made at most.
    pub attempts: u32,
    /// Before the second attempt; doubled before each further one.
    pub pause: Duration,
}

impl Pace {
    /// The pause before the attempt after `attempt` (counted from 1); `None` when that was the last.
    pub fn pause_after(&self, attempt: u32) -> Option<Duration> {
        (attempt < self.attempts).then(|| self.pause.saturating_mul(1 << (attempt - 1).min(16)))
    }
}

/// The SDK's own retries off: it would send a conditional write again and report the second answer as if it were the
/// first.
pub fn no_retries() -> Builder {
    aws_sdk_s3::Config::builder().retry_config(RetryConfig::disabled())
}

/// Makes one attempt.
pub async fn attempt<T, E>(
    operation: &'static str,
    limit: Duration,
    call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
) -> Result<T, Failed>
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    match tokio::time::timeout(limit, call).await {
        Ok(Ok(output)) => Ok(output),
        Ok(Err(error)) => Err(error.failed(&Operation::read("s3", operation))),
        Err(_) => Err(silence(operation, format!("no answer within {} s", limit.as_secs()))),
    }
}

/// A call that was not, or not fully, answered.
pub fn silence(operation: &str, message: String) -> Failed {
    let fault = Fault {
        kind: FaultKind::Uncertain,
        service: "s3".into(),
        operation: operation.into(),
        code: None,
        message,
        request_id: None,
    };
    Failed { fault, again: false, credentials: None }
}

/// Whether the same call may be made again: nobody said no, or not to this.
pub fn is_passing(failed: &Failed) -> bool {
    failed.again || matches!(failed.fault.kind, FaultKind::Uncertain | FaultKind::Throttled)
}

/// What an answer's headers said.
#[derive(Debug, Clone, Default)]
pub struct Heads {
    /// S3's own clock, when it answered.
    pub date: Option<DateTime>,
    /// The object's latest version is a delete marker: it had existed.
    pub delete_marker: bool,
    /// Where the bucket is, when it was asked for in another region.
    pub bucket_region: Option<String>,
}

/// Keeps the headers of the one answer to the call it is given to, errors included.
#[derive(Debug, Clone, Default)]
pub struct HeadsOf(Arc<OnceLock<Heads>>);

impl HeadsOf {
    /// What was seen; empty when no answer came.
    pub fn seen(&self) -> Heads {
        self.0.get().cloned().unwrap_or_default()
    }
}

#[dyn_dispatch_hint]
impl Intercept for HeadsOf {
    fn name(&self) -> &'static str {
        "HeadsOf"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.response().headers();
        let heads = Heads {
            date: headers.get("date").and_then(|date| DateTime::from_str(date, Format::HttpDate).ok()),
            delete_marker: headers.get("x-amz-delete-marker") == Some("true"),
            bucket_region: headers.get("x-amz-bucket-region").map(str::to_owned),
        };
        // Without retries there is one answer; a second could only be the same call's.
        let _ = self.0.set(heads);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_end() {
        let pace = Pace { limit: Duration::from_secs(1), attempts: 3, pause: Duration::from_millis(100) };
        assert_eq!(pace.pause_after(1), Some(Duration::from_millis(100)));
        assert_eq!(pace.pause_after(2), Some(Duration::from_millis(200)));
        assert_eq!(pace.pause_after(3), None);
    }
}
