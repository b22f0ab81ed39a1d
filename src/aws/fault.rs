//! What a failed attempt means.
//!
//! The class follows from AWS's error code first, from the HTTP status second, and from a phrase only where AWS has one
//! code for two things (listed in [`DEPENDENCY_PHRASES`]). The class is about the effect: a fault that is not
//! [`FaultKind::Uncertain`] has changed nothing.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use hyper_util::client::legacy::Error as ConnectionError;
use s3stack_engine::fault::{Fault, FaultKind};

use super::operation::Operation;

/// A failed attempt: the fault, and what only this layer needs to know about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// What the caller is told if nothing more is tried.
    pub fault: Fault,
    /// Nothing was sent, or it was turned away unread, for a reason that may pass: any operation may be called again.
    pub again: bool,
    /// The credentials are what is wrong, so a next step can be named.
    pub credentials: Option<CredentialsTrouble>,
}

/// What is wrong with the credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialsTrouble {
    /// None were found.
    Missing,
    /// Where they should come from failed: an SSO token has ended, a `credential_process` failed, a role was refused.
    Failed,
    /// AWS says they have ended.
    Expired,
    /// AWS does not know the access key, or the secret does not belong to it.
    Unknown,
}

/// An error that a call's closure may return.
pub trait Failure {
    /// What the failed attempt of `operation` means.
    fn failed(self, operation: &Operation) -> Failed;
}

impl<E> Failure for SdkError<E, HttpResponse>
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    fn failed(self, operation: &Operation) -> Failed {
        failed(operation.service, operation.name, &self)
    }
}

/// For closures that do more than one thing, such as reading a body after the answer: they classify each by itself.
impl Failure for Failed {
    fn failed(self, _: &Operation) -> Failed {
        self
    }
}

impl Failed {
    /// The answer came, but its body could not be read to the end.
    pub fn unread(operation: &Operation, error: &(dyn StdError + 'static)) -> Self {
        let context = Context { service: operation.service, operation: operation.name };
        let message = format!("the answer could not be read: {}", chain(error));
        Self { fault: context.fault(FaultKind::Uncertain, message), again: false, credentials: None }
    }
}

/// For closures that find a fault of their own.
impl Failure for Fault {
    fn failed(self, _: &Operation) -> Failed {
        Failed { fault: self, again: false, credentials: None }
    }
}

/// The fault that a failed call of `operation` is, for code that calls the SDK without [`super::Session::call`].
pub fn fault<E>(service: &str, operation: &str, error: SdkError<E, HttpResponse>) -> Fault
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    failed(service, operation, &error).fault
}

/// Generic over the error only as far as needed: everything else is compiled once, not once per operation.
fn failed<E>(service: &str, operation: &str, error: &SdkError<E, HttpResponse>) -> Failed
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    let context = Context { service, operation };
    match error {
        SdkError::ServiceError(answer) => {
            context.answered(answer.raw(), answer.err().code(), answer.err().message().unwrap_or_default())
        }
        SdkError::ResponseError(broken) => context.unreadable(broken.raw(), error),
        SdkError::TimeoutError(_) => context.silent(error),
        SdkError::DispatchFailure(_) => context.dispatch(error),
        SdkError::ConstructionFailure(_) => context.construction(error),
        // SdkError is non-exhaustive; an unknown kind may have been sent.
        _ => context.silent(error),
    }
}

/// The status and the headers of an answer that matter here.
struct Answer<'a> {
    status: u16,
    request_id: Option<&'a str>,
    /// Where S3 says a bucket is, when it was asked in another region.
    bucket_region: Option<&'a str>,
}

impl<'a> Answer<'a> {
    fn new(raw: &'a HttpResponse) -> Self {
        Self {
            status: raw.status().as_u16(),
            request_id: request_id(raw),
            bucket_region: raw.headers().get("x-amz-bucket-region"),
        }
    }
}

/// AWS's request id: S3 and the other services name the header differently.
pub(super) fn request_id(raw: &HttpResponse) -> Option<&str> {
    ["x-amz-request-id", "x-amzn-requestid", "x-amzn-request-id"].into_iter().find_map(|name| raw.headers().get(name))
}

struct Context<'a> {
    service: &'a str,
    operation: &'a str,
}

impl Context<'_> {
    fn fault(&self, kind: FaultKind, message: String) -> Fault {
        Fault {
            kind,
            service: self.service.into(),
            operation: self.operation.into(),
            code: None,
            message,
            request_id: None,
        }
    }

    /// A well-formed error answer.
    fn answered(&self, raw: &HttpResponse, code: Option<&str>, message: &str) -> Failed {
        let answer = Answer::new(raw);
        // Where there is no body the SDK may have made a code up from the status.
        let said = answer.request_id.is_some() || raw.body().bytes().is_none_or(|body| !body.is_empty());
        self.classified(&answer, code.filter(|code| said && !code.is_empty()), message)
    }

    fn classified(&self, answer: &Answer, code: Option<&str>, message: &str) -> Failed {
        let kind = classify(answer.status, answer.request_id.is_some(), code, message);
        let mut message = message.to_owned();
        if code.is_none() && answer.request_id.is_none() {
            // A 404 of a proxy must not look like a missing resource, nor its 403 like a bucket of somebody else.
            add(
                &mut message,
                &format!("HTTP {} that does not look like AWS: is there a proxy between?", answer.status),
            );
        }
        if let Some(region) = answer.bucket_region.filter(|_| matches!(answer.status, 301 | 307 | 400)) {
            add(&mut message, &format!("the bucket is in {region}"));
        }
        // Answers to HEAD have no body and so no code; the AWS tools report the status in its place.
        let code = code.map_or_else(|| answer.status.to_string(), str::to_owned);
        let credentials = match kind {
            FaultKind::Expired => Some(CredentialsTrouble::Expired),
            FaultKind::Denied if UNKNOWN_KEY.contains(&code.as_str()) => Some(CredentialsTrouble::Unknown),
            _ => None,
        };
        let again = CLOCK.contains(&code.as_str());
        let request_id = answer.request_id.map(str::to_owned);
        Failed { fault: Fault { code: Some(code), request_id, ..self.fault(kind, message) }, again, credentials }
    }

    /// An answer came and could not be read to its end: cut off, or not what the service answers.
    fn unreadable(&self, raw: &HttpResponse, error: &(dyn StdError + 'static)) -> Failed {
        let answer = Answer::new(raw);
        if matches!(answer.status, 400..=499) {
            return self.classified(&answer, None, &chain(error));
        }
        let message = format!("the answer (HTTP {}) could not be read: {}", answer.status, chain(error));
        let request_id = answer.request_id.map(str::to_owned);
        Failed {
            fault: Fault { request_id, ..self.fault(FaultKind::Uncertain, message) },
            again: false,
            credentials: None,
        }
    }

    fn silent(&self, error: &(dyn StdError + 'static)) -> Failed {
        self.credentials(error).unwrap_or_else(|| Failed {
            fault: self.fault(FaultKind::Uncertain, format!("no answer: {}", chain(error))),
            again: false,
            credentials: None,
        })
    }

    fn dispatch(&self, error: &(dyn StdError + 'static)) -> Failed {
        if let Some(failed) = self.credentials(error) {
            return failed;
        }
        if !find::<ConnectionError>(error).is_some_and(ConnectionError::is_connect) {
            return self.silent(error);
        }
        // From here on no connection came about, so nothing was sent.
        if tls(error) {
            let message = format!(
                "no connection: {}. Behind a network that inspects TLS, name its certificates in AWS_CA_BUNDLE",
                chain(error)
            );
            return Failed { fault: self.fault(FaultKind::Other, message), again: false, credentials: None };
        }
        let message = format!("no connection, nothing was sent: {}", chain(error));
        Failed { fault: self.fault(FaultKind::Other, message), again: true, credentials: None }
    }

    fn construction(&self, error: &(dyn StdError + 'static)) -> Failed {
        self.credentials(error).unwrap_or_else(|| Failed {
            fault: self.fault(FaultKind::Invalid, format!("nothing was sent: {}", chain(error))),
            again: false,
            credentials: None,
        })
    }

    /// Credentials that could not be had: nothing was signed, so nothing was sent.
    fn credentials(&self, error: &(dyn StdError + 'static)) -> Option<Failed> {
        let cause = find::<CredentialsError>(error)?;
        let (trouble, again) = match cause {
            CredentialsError::CredentialsNotLoaded(_) => (CredentialsTrouble::Missing, false),
            CredentialsError::ProviderTimedOut(_) => (CredentialsTrouble::Failed, true),
            _ => (CredentialsTrouble::Failed, false),
        };
        Some(Failed { fault: self.fault(FaultKind::Denied, chain(cause)), again, credentials: Some(trouble) })
    }
}

fn add(message: &mut String, part: &str) {
    if !message.is_empty() {
        message.push_str("; ");
    }
    message.push_str(part);
}

/// The messages of an error and its causes, outermost first, without repetitions.
pub(super) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let part = error.to_string();
        // The SDK's wrappers have messages of their own that say nothing (`dispatch failure`, `other`, `io error`).
        if !text.contains(&part) && !EMPTY_WORDS.contains(&part.as_str()) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&part);
        }
        next = error.source();
    }
    if text.is_empty() { error.to_string() } else { text }
}

const EMPTY_WORDS: &[&str] =
    &["dispatch failure", "other", "io error", "response error", "failed to construct request"];

fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// Whether the TLS layer itself refused. An `io::Error` hides its payload from `source()`, so it is opened.
fn tls(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<rustls::Error>() {
            return true;
        }
        next = match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(payload) => Some(payload),
            None => error.source(),
        };
    }
    false
}

/// The service asks to be called less often; the request was turned away unread.
const THROTTLED: &[&str] = &[
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "Throttled",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

/// The service failed while it worked on the request, or on the way.
const UNCERTAIN: &[&str] = &[
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "InternalServerException",
    "InternalServiceError",
    "InternalServiceException",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceFailure",
    "ServiceUnavailable",
    "ServiceUnavailableException",
];

const EXPIRED: &[&str] = &["ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"];

/// Whether AWS does not know the key that a call was signed with, or its signature is wrong.
pub fn is_unknown_key(fault: &Fault) -> bool {
    fault.code.as_deref().is_some_and(|code| UNKNOWN_KEY.contains(&code))
}

const UNKNOWN_KEY: &[&str] = &[
    "AuthFailure",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "InvalidToken",
    "MissingAuthenticationToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// This machine's clock is off; the SDK corrects for it from the answer's date, so the next attempt goes through.
const CLOCK: &[&str] = &["RequestTimeTooSkewed", "RequestInTheFuture"];

const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "AllAccessDisabled",
    "AccountProblem",
    "AuthorizationError",
    "AuthorizationErrorException",
    "Forbidden",
    "InvalidPayer",
    "NotAuthorized",
    "NotSignedUp",
    "OptInRequired",
    "UnauthorizedAccess",
    "UnauthorizedOperation",
];

const CONFLICT: &[&str] = &[
    "BucketAlreadyExists",
    "BucketAlreadyOwnedByYou",
    "BucketNotEmpty",
    "ConcurrentAccessException",
    "ConcurrentModification",
    "ConcurrentModificationException",
    "ConditionalRequestConflict",
    "ConflictException",
    "DeleteConflict",
    "DeleteConflictException",
    "EntityAlreadyExists",
    "EntityTemporarilyUnmodifiable",
    "InvalidBucketState",
    "OperationAborted",
    "OperationAbortedException",
    "PreconditionFailed",
    "ResourceAlreadyExistsException",
    "ResourceConflictException",
    "ResourceInUseException",
];

/// AWS's phrases for "what you name is not there or not visible yet", each under the code that it comes with.
pub const DEPENDENCY_PHRASES: &[(&str, &str)] = &[
    ("MalformedPolicyDocument", "Invalid principal in policy"),
    ("MalformedPolicy", "Invalid principal in policy"),
    ("InvalidArgument", "Unable to validate the following destination configurations"),
    ("InvalidRequest", "Versioning must be 'Enabled' on the bucket"),
    ("AccessDeniedException", "The specified KMS key does not exist or is not allowed to be used with Arn"),
    ("InvalidParameterException", "Could not deliver test message to specified"),
    ("InvalidParameterException", "Could not execute the lambda function."),
];

/// The class of an error answer.
///
/// `from_aws` is whether it carried AWS's request id; without that and without a code it may be anybody's answer.
fn classify(status: u16, from_aws: bool, code: Option<&str>, message: &str) -> FaultKind {
    if let Some(code) = code
        && let Some(kind) = by_code(code, message)
    {
        return kind;
    }
    match status {
        429 => FaultKind::Throttled,
        408 | 500..=599 => FaultKind::Uncertain,
        // A success status on an error answer (S3's 200 with an error inside): what happened is not known.
        200..=299 => FaultKind::Uncertain,
        _ if code.is_none() && !from_aws => FaultKind::Other,
        401 | 403 => FaultKind::Denied,
        404 | 410 => FaultKind::NotFound,
        409 | 412 => FaultKind::Conflict,
        400..=499 => FaultKind::Invalid,
        _ => FaultKind::Other,
    }
}

fn by_code(code: &str, message: &str) -> Option<FaultKind> {
    if DEPENDENCY_PHRASES.iter().any(|(of, says)| *of == code && message.contains(says)) {
        return Some(FaultKind::Dependency);
    }
    let listed = [
        (THROTTLED, FaultKind::Throttled),
        (UNCERTAIN, FaultKind::Uncertain),
        (EXPIRED, FaultKind::Expired),
        (UNKNOWN_KEY, FaultKind::Denied),
        (CLOCK, FaultKind::Denied),
        (DENIED, FaultKind::Denied),
        (CONFLICT, FaultKind::Conflict),
    ];
    if let Some((_, kind)) = listed.iter().find(|(codes, _)| codes.contains(&code)) {
        return Some(*kind);
    }
    // `LimitExceeded` alone is a quota in IAM and Logs; only with this phrase is it a rate.
    if code.starts_with("LimitExceeded") {
        return Some(if message.starts_with("Rate exceeded") { FaultKind::Throttled } else { FaultKind::Invalid });
    }
    // AWS's own patterns for naming absence: NoSuchTagSet, ResourceNotFoundException, OwnershipControlsNotFoundError.
    let absent = code == "NotFound"
        || code.starts_with("NoSuch")
        || code.ends_with("NotFound")
        || code.ends_with("NotFoundException")
        || code.ends_with("NotFoundError");
    absent.then_some(FaultKind::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: u16, code: &str, message: &str) -> FaultKind {
        classify(status, true, Some(code), message)
    }

    #[test]
    fn classes_follow_the_code() {
        use FaultKind::*;
        for (status, code, expected) in [
            (503, "SlowDown", Throttled),
            (400, "Throttling", Throttled),
            (400, "ThrottlingException", Throttled),
            (503, "ServiceUnavailable", Uncertain),
            (500, "InternalError", Uncertain),
            (500, "ServiceFailure", Uncertain),
            (400, "RequestTimeout", Uncertain),
            (403, "ExpiredToken", Expired),
            (400, "ExpiredToken", Expired),
            (403, "InvalidClientTokenId", Denied),
            (403, "SignatureDoesNotMatch", Denied),
            (403, "AccessDenied", Denied),
            (400, "AccessDeniedException", Denied),
            (404, "NoSuchBucket", NotFound),
            (404, "NoSuchEntity", NotFound),
            (404, "NoSuchTagSet", NotFound),
            (404, "OwnershipControlsNotFoundError", NotFound),
            (404, "ServerSideEncryptionConfigurationNotFoundError", NotFound),
            (400, "ResourceNotFoundException", NotFound),
            (409, "EntityAlreadyExists", Conflict),
            (400, "ResourceAlreadyExistsException", Conflict),
            (409, "OperationAborted", Conflict),
            (400, "OperationAbortedException", Conflict),
            (409, "BucketNotEmpty", Conflict),
            (412, "PreconditionFailed", Conflict),
            (409, "LimitExceeded", Invalid),
            (400, "LimitExceededException", Invalid),
            (400, "ValidationError", Invalid),
            (400, "MalformedPolicyDocument", Invalid),
            (301, "PermanentRedirect", Other),
        ] {
            assert_eq!(kind(status, code, "text"), expected, "{code}");
        }
    }

    #[test]
    fn a_phrase_counts_only_under_its_code() {
        let text = "Invalid principal in policy: \"AWS\":\"arn\"";
        assert_eq!(kind(400, "MalformedPolicyDocument", text), FaultKind::Dependency);
        assert_eq!(kind(400, "ValidationError", text), FaultKind::Invalid);
        assert_eq!(kind(400, "LimitExceededException", "Rate exceeded"), FaultKind::Throttled);
    }

    #[test]
    fn a_bare_answer_is_classed_by_status_only_if_aws_gave_it() {
        for (status, from_aws, expected) in [
            (404, true, FaultKind::NotFound),
            (404, false, FaultKind::Other),
            (403, true, FaultKind::Denied),
            (403, false, FaultKind::Other),
            (429, false, FaultKind::Throttled),
            (502, false, FaultKind::Uncertain),
        ] {
            assert_eq!(classify(status, from_aws, None, ""), expected, "{status} {from_aws}");
        }
    }

    #[test]
    fn lists_do_not_overlap() {
        let all: Vec<&str> =
            [THROTTLED, UNCERTAIN, EXPIRED, UNKNOWN_KEY, CLOCK, DENIED, CONFLICT].concat().into_iter().collect();
        let unique: std::collections::BTreeSet<&str> = all.iter().copied().collect();
        assert_eq!(all.len(), unique.len());
    }

    #[test]
    fn a_chain_says_each_thing_once() {
        let inner = std::io::Error::other("dns error");
        let outer = CredentialsError::provider_error(inner);
        let text = chain(&outer);
        assert_eq!(text.matches("dns error").count(), 1, "{text}");
    }
}
