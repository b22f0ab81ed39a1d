//! The S3 backend: one bucket for any number of stacks.
//!
//! ```text
//! state/<prefix>.json                 the documents; <prefix> is <stack>/<env>
//! digest-key/<prefix>.json
//! lease/<prefix>.json
//! history/<prefix>/<serial>.json      the last state of a run
//! steps/<prefix>/<serial>.json        a state in the middle of one
//! ```
//!
//! What is kept for different times differs in the *first* part of its key, because a lifecycle rule goes by prefix (see
//! [`bootstrap`](super::bootstrap)).

mod attempt;

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use s3stack_engine::conditional::{Fate, fate_of_delete, fate_of_write};
use s3stack_engine::fault::FaultKind;
use s3stack_engine::lease;

pub(super) use attempt::{HeadsOf, Pace, attempt, is_passing, no_retries, silence};

use crate::aws::Failed;

use super::store::{Condition, Document, Keep, MAX_DOCUMENT_BYTES, Store, StoreError, Stored, Version};

/// For the state: five attempts, some 3 s of pauses.
const PACE: Pace = Pace { limit: lease::ATTEMPT_LIMIT, attempts: 5, pause: Duration::from_millis(200) };
/// For the lease: its keeper renews again and again itself, and needs to hear soon that an attempt came to nothing.
const LEASE_PACE: Pace = Pace { limit: Duration::from_secs(8), attempts: 2, pause: Duration::from_millis(200) };

/// One stack's state in one environment, in a bucket.
#[derive(Debug, Clone)]
pub struct S3Store {
    client: Client,
    bucket: String,
    prefix: String,
    owner: Option<String>,
    pace: Pace,
    lease_pace: Pace,
}

/// What a read found.
enum Found {
    Stored(Stored),
    /// Nothing; or nothing any more, when `deleted`.
    Absent {
        deleted: bool,
    },
}

impl Found {
    fn stored(self) -> Option<Stored> {
        match self {
            Self::Stored(stored) => Some(stored),
            Self::Absent { .. } => None,
        }
    }
}

impl S3Store {
    /// A store in `bucket` under `prefix` (`<stack>/<env>`).
    pub fn new(client: Client, bucket: impl Into<String>, prefix: &str) -> Self {
        let prefix = prefix.trim_matches('/').to_owned();
        Self { client, bucket: bucket.into(), prefix, owner: None, pace: PACE, lease_pace: LEASE_PACE }
    }

    /// Refuses the bucket if it belongs to another account than `account`: a bucket that was deleted may have been made
    /// again by a stranger.
    pub fn owned_by(mut self, account: impl Into<String>) -> Self {
        self.owner = Some(account.into());
        self
    }

    /// Waits less or more for answers than one waits for AWS: for tests and private endpoints.
    pub fn with_patience(mut self, attempt_limit: Duration, pause: Duration) -> Self {
        for pace in [&mut self.pace, &mut self.lease_pace] {
            pace.limit = attempt_limit;
            pace.pause = pause;
        }
        self
    }

    fn pace(&self, document: Document) -> Pace {
        if document == Document::Lease { self.lease_pace } else { self.pace }
    }

    fn key(&self, document: Document) -> String {
        let folder = match document {
            Document::State => "state",
            Document::Lease => "lease",
            Document::DigestKey => "digest-key",
        };
        format!("{folder}/{}.json", self.prefix)
    }

    fn kept_folder(&self, keep: Keep) -> String {
        let folder = match keep {
            Keep::RunEnd => "history",
            Keep::Step => "steps",
        };
        format!("{folder}/{}/", self.prefix)
    }

    fn kept_key(&self, serial: u64, keep: Keep) -> String {
        format!("{}{serial:020}.json", self.kept_folder(keep))
    }

    /// The error that a fault which ends a call is.
    fn error(&self, failed: Failed) -> StoreError {
        let mut fault = failed.fault;
        if fault.is_code(&["NoSuchBucket"]) {
            return StoreError::Missing { place: format!("s3://{}", self.bucket), fault: Some(Box::new(fault)) };
        }
        if fault.kind == FaultKind::Denied && fault.operation == "GetObject" {
            // https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, "Permissions"
            fault.message.push_str(
                " (S3 answers so for an object that does not exist, too, unless the caller has s3:ListBucket on the bucket)",
            );
        }
        StoreError::Fault { place: self.place(), fault: Box::new(fault) }
    }

    async fn get(&self, key: &str, document: Document) -> Result<Found, StoreError> {
        let pace = self.pace(document);
        let mut tried = 1;
        loop {
            match self.get_once(key, document, pace.limit).await? {
                Ok(found) => return Ok(found),
                Err(failed) => match pace.pause_after(tried) {
                    Some(pause) if is_passing(&failed) => tokio::time::sleep(pause).await,
                    _ => return Err(self.error(failed)),
                },
            }
            tried += 1;
        }
    }

    /// The outer error ends the read; the inner one may pass.
    async fn get_once(
        &self,
        key: &str,
        document: Document,
        limit: Duration,
    ) -> Result<Result<Found, Failed>, StoreError> {
        let heads = HeadsOf::default();
        let call = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .set_expected_bucket_owner(self.owner.clone())
            .customize()
            .config_override(no_retries())
            .interceptor(heads.clone())
            .send();
        let output = match attempt("GetObject", limit, call).await {
            Ok(output) => output,
            // Only S3's own word for it: a bare 404 may be some proxy's.
            Err(failed) if failed.fault.is_code(&["NoSuchKey"]) => {
                return Ok(Ok(Found::Absent { deleted: heads.seen().delete_marker }));
            }
            Err(failed) => return Ok(Err(failed)),
        };
        let too_large = |bytes| StoreError::TooLarge { place: self.place(), document, bytes };
        if let Some(length) = output.content_length.and_then(|length| u64::try_from(length).ok())
            && length > MAX_DOCUMENT_BYTES
        {
            return Err(too_large(length));
        }
        let Some(etag) = output.e_tag else {
            return Ok(Err(silence("GetObject", "the answer has no ETag".into())));
        };
        let age = match (heads.seen().date, output.last_modified) {
            (Some(date), Some(modified)) => u64::try_from(date.secs() - modified.secs()).unwrap_or(0),
            _ => 0,
        };
        let mut body = output.body;
        let mut bytes = Vec::new();
        let reading = async {
            while let Some(chunk) = body.next().await {
                match chunk {
                    Ok(chunk) => bytes.extend_from_slice(&chunk),
                    Err(error) => return Some(silence("GetObject", format!("the answer was cut off: {error}"))),
                }
                if bytes.len() as u64 > MAX_DOCUMENT_BYTES {
                    break;
                }
            }
            None
        };
        match tokio::time::timeout(limit, reading).await {
            Ok(None) => {}
            Ok(Some(failed)) => return Ok(Err(failed)),
            Err(_) => return Ok(Err(silence("GetObject", format!("not read within {} s", limit.as_secs())))),
        }
        if bytes.len() as u64 > MAX_DOCUMENT_BYTES {
            return Err(too_large(bytes.len() as u64));
        }
        Ok(Ok(Found::Stored(Stored { bytes, version: Version(etag), age_seconds: age })))
    }

    async fn put_once(
        &self,
        key: &str,
        bytes: &[u8],
        condition: Option<&Condition>,
        limit: Duration,
    ) -> Result<Version, Failed> {
        let call = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .set_expected_bucket_owner(self.owner.clone())
            .content_type("application/json")
            .body(ByteStream::from(bytes.to_vec()));
        let call = match condition {
            None => call,
            Some(Condition::Absent) => call.if_none_match("*"),
            Some(Condition::Unchanged(version)) => call.if_match(&version.0),
        };
        let output = attempt("PutObject", limit, call.customize().config_override(no_retries()).send()).await?;
        output.e_tag.map(Version).ok_or_else(|| silence("PutObject", "the answer has no ETag".into()))
    }

    async fn delete_once(&self, key: &str, version: &Version, limit: Duration) -> Result<(), Failed> {
        let call = self
            .client
            .delete_object()
            .bucket(&self.bucket)
            .key(key)
            .set_expected_bucket_owner(self.owner.clone())
            .if_match(&version.0)
            .customize()
            .config_override(no_retries())
            .send();
        attempt("DeleteObject", limit, call).await.map(|_| ())
    }

    async fn list(&self, prefix: &str, at_most: Option<i32>) -> Result<Vec<String>, StoreError> {
        let mut keys = Vec::new();
        let mut token = None;
        let mut tried = 1;
        loop {
            let call = self
                .client
                .list_objects_v2()
                .bucket(&self.bucket)
                .prefix(prefix)
                .set_max_keys(at_most)
                .set_continuation_token(token.clone())
                .set_expected_bucket_owner(self.owner.clone())
                .customize()
                .config_override(no_retries())
                .send();
            match attempt("ListObjectsV2", self.pace.limit, call).await {
                Ok(page) => {
                    keys.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key));
                    token = page.next_continuation_token;
                    if token.is_none() || at_most.is_some() {
                        return Ok(keys);
                    }
                    tried = 1;
                }
                Err(failed) => match self.pace.pause_after(tried) {
                    Some(pause) if is_passing(&failed) => {
                        tokio::time::sleep(pause).await;
                        tried += 1;
                    }
                    _ => return Err(self.error(failed)),
                },
            }
        }
    }

    async fn kept_serials(&self, keep: Keep, at_most: Option<i32>) -> Result<Vec<u64>, StoreError> {
        let folder = self.kept_folder(keep);
        let keys = self.list(&folder, at_most).await?;
        Ok(keys.iter().filter_map(|key| serial_in(key.strip_prefix(&folder)?)).collect())
    }

    /// A state that is not there: has it ever been?
    async fn never_existed(&self, deleted: bool) -> Result<(), StoreError> {
        let evidence = if deleted {
            format!("S3 has a delete marker in place of {}", self.key(Document::State))
        } else if let Some(serial) = self.kept_serials(Keep::RunEnd, Some(1)).await?.first() {
            format!("{} holds serial {serial}", self.kept_folder(Keep::RunEnd))
        } else {
            return Ok(());
        };
        Err(StoreError::Vanished { place: self.place(), evidence })
    }

    fn lost(&self, document: Document) -> StoreError {
        StoreError::Lost { place: self.place(), document }
    }
}

/// Whether a conditional call that failed so may have taken effect, or failed on its condition: then the object decides.
fn asks_the_object(failed: &Failed) -> bool {
    // 412 and 409 alone do not say that a rival was first: the answer to an earlier, lost attempt of ours looks the same.
    // 404 answers a condition on an object that is gone; NoSuchBucket is something else.
    is_passing(failed)
        || failed.fault.is_code(&["PreconditionFailed", "ConditionalRequestConflict", "OperationAborted", "NoSuchKey"])
}

/// The serial in `00000000000000000042.json`.
fn serial_in(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".json")?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

#[async_trait]
impl Store for S3Store {
    fn place(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix)
    }

    async fn read(&self, document: Document) -> Result<Option<Stored>, StoreError> {
        match self.get(&self.key(document), document).await? {
            Found::Stored(stored) => Ok(Some(stored)),
            Found::Absent { deleted } => {
                if document == Document::State {
                    self.never_existed(deleted).await?;
                }
                Ok(None)
            }
        }
    }

    async fn write(&self, document: Document, bytes: &[u8], condition: Condition) -> Result<Version, StoreError> {
        let (key, pace) = (self.key(document), self.pace(document));
        let mut tried = 1;
        loop {
            let failed = match self.put_once(&key, bytes, Some(&condition), pace.limit).await {
                Ok(version) => return Ok(version),
                Err(failed) if asks_the_object(&failed) => failed,
                Err(failed) => return Err(self.error(failed)),
            };
            let found = self.get(&key, document).await?.stored();
            let ours = found.as_ref().is_some_and(|stored| stored.bytes == bytes);
            let version = found.map(|stored| stored.version);
            match (fate_of_write(version.as_ref(), ours, condition.version()), version) {
                (Fate::Done, Some(version)) => return Ok(version),
                (Fate::Again, _) => {}
                _ => return Err(self.lost(document)),
            }
            let Some(pause) = pace.pause_after(tried) else { return Err(self.error(failed)) };
            tokio::time::sleep(pause).await;
            tried += 1;
        }
    }

    async fn delete(&self, document: Document, version: &Version) -> Result<(), StoreError> {
        let (key, pace) = (self.key(document), self.pace(document));
        let mut tried = 1;
        loop {
            let failed = match self.delete_once(&key, version, pace.limit).await {
                Ok(()) => return Ok(()),
                Err(failed) if asks_the_object(&failed) => failed,
                Err(failed) => return Err(self.error(failed)),
            };
            let found = self.get(&key, document).await?.stored();
            match fate_of_delete(found.as_ref().map(|stored| &stored.version), version) {
                Fate::Done => return Ok(()),
                Fate::Again => {}
                Fate::Lost => return Err(self.lost(document)),
            }
            let Some(pause) = pace.pause_after(tried) else { return Err(self.error(failed)) };
            tokio::time::sleep(pause).await;
            tried += 1;
        }
    }

    async fn keep(&self, serial: u64, keep: Keep, bytes: &[u8]) -> Result<(), StoreError> {
        let key = self.kept_key(serial, keep);
        let mut tried = 1;
        loop {
            // Without a condition: a serial has one state, and writing it twice changes nothing.
            match (self.put_once(&key, bytes, None, self.pace.limit).await, self.pace.pause_after(tried)) {
                (Ok(_), _) => return Ok(()),
                (Err(failed), Some(pause)) if asks_the_object(&failed) => tokio::time::sleep(pause).await,
                (Err(failed), _) => return Err(self.error(failed)),
            }
            tried += 1;
        }
    }

    async fn history(&self) -> Result<Vec<u64>, StoreError> {
        let (ends, steps) =
            tokio::try_join!(self.kept_serials(Keep::RunEnd, None), self.kept_serials(Keep::Step, None))?;
        Ok(ends.into_iter().chain(steps).collect::<BTreeSet<u64>>().into_iter().collect())
    }

    async fn kept(&self, serial: u64) -> Result<Option<Vec<u8>>, StoreError> {
        for keep in [Keep::RunEnd, Keep::Step] {
            if let Found::Stored(stored) = self.get(&self.kept_key(serial, keep), Document::State).await? {
                return Ok(Some(stored.bytes));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::serial_in;

    #[test]
    fn only_a_serial_of_twenty_digits_is_one() {
        assert_eq!(serial_in("00000000000000000042.json"), Some(42));
        for other in ["42.json", "00000000000000000042", "+0000000000000000042.json", "a/00000000000000000042.json", ""]
        {
            assert_eq!(serial_in(other), None, "{other}");
        }
    }
}
