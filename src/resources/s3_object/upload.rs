//! Writing an object: in one request, or in parts where it is large. Files are streamed from the disk.

use std::path::PathBuf;

use aws_sdk_s3::primitives::{ByteStream, Length, SdkBody};
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, StorageClass};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use s3stack_engine::fault::{Fault, FaultKind};
use s3stack_engine::value::{Map, Value};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::live::{DIGEST, OWNER, Place, head};
use super::object::hex;
use crate::aws::{Operation, rules};

const PUT: Operation = Operation::idempotent("s3", "PutObject").retrying(rules::BUCKET_SETTING);
const PUT_NEW: Operation = Operation::once("s3", "PutObject").retrying(rules::BUCKET_SETTING);
const BEGIN: Operation = Operation::once("s3", "CreateMultipartUpload").retrying(rules::BUCKET_SETTING);
const PART: Operation = Operation::idempotent("s3", "UploadPart");
const COMPLETE: Operation = Operation::once("s3", "CompleteMultipartUpload");
const ABORT: Operation = Operation::idempotent("s3", "AbortMultipartUpload");

/// Above this an object goes in parts: a request may take half a minute at most, and less is lost when one fails.
const PART_BYTES: u64 = 8 << 20;

/// The most parts that S3 takes.
const MOST_PARTS: u64 = 10_000;

/// Parts of one object under way at once.
const PARTS_AT_ONCE: usize = 2;

/// The way out, which all uploads of the process share. With this much under way at most, a line of 5 Mbit/s carries
/// each request to its end within the half minute that it has, and parts take no more memory than that.
static WAY: Way = Way::new(16 << 20);

/// Room for the content of requests.
struct Way {
    room: Semaphore,
    bytes: u32,
}

impl Way {
    const fn new(bytes: u32) -> Self {
        Self { room: Semaphore::const_new(bytes as usize), bytes }
    }

    /// Waits until there is room for this much content. What is larger than all the room goes alone.
    async fn room_for(&self, bytes: u64) -> Option<SemaphorePermit<'_>> {
        let bytes = u32::try_from(bytes).map_or(self.bytes, |bytes| bytes.min(self.bytes));
        // It fails only once it is closed, which it never is.
        self.room.acquire_many(bytes).await.ok()
    }
}

/// What an object is made of.
pub(super) enum Body {
    /// A text.
    Text(String),
    /// A file, of which the plan knew the digest.
    File { path: PathBuf, shown: String, planned: Option<String> },
}

/// What goes with the content.
#[derive(Clone, Default)]
pub(super) struct Extras {
    pub content_type: Option<String>,
    pub cache_control: Option<String>,
    pub storage_class: Option<String>,
    pub metadata: Vec<(String, String)>,
    pub tags: Vec<(String, String)>,
}

impl Extras {
    /// From managed properties and the tags as they shall be.
    pub fn new(content_type: &Value, tags: &Value, managed: &Map) -> Self {
        const NULL: &Value = &Value::Null;
        let common = |name: &str| managed.get(name).unwrap_or(NULL);
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let pairs = |value: &Value| {
            let members = value.as_map().into_iter().flatten();
            members.filter_map(|(key, value)| Some((key.clone(), text(value)?))).collect::<Vec<_>>()
        };
        Self {
            content_type: text(content_type),
            cache_control: text(common("cache_control")),
            storage_class: text(common("storage_class")),
            metadata: pairs(common("metadata")),
            tags: pairs(tags),
        }
    }

    /// The tags in the form of the header.
    fn tagging(&self) -> Option<String> {
        let pairs: Vec<String> =
            self.tags.iter().map(|(key, value)| format!("{}={}", encoded(key), encoded(value))).collect();
        (!pairs.is_empty()).then(|| pairs.join("&"))
    }
}

/// A text as a part of a query.
fn encoded(text: &str) -> String {
    let mut made = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => made.push(char::from(byte)),
            byte => made.push_str(&format!("%{byte:02X}")),
        }
    }
    made
}

/// Whether there may be an object already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    /// There was none: one that is there now is refused, unless this stack made it.
    None,
    /// It is ours, and replaced.
    Ours,
}

/// Writes an object.
pub(super) async fn write(
    place: Place<'_>,
    key: &str,
    body: Body,
    extras: Extras,
    existing: Existing,
) -> Result<(), Fault> {
    let upload = Upload::open(place, key, body, extras).await?;
    if existing == Existing::Ours {
        return upload.send(false).await;
    }
    match upload.send(true).await {
        Err(fault) if fault.is_code(&["PreconditionFailed", "412"]) => match head(place, key, false).await? {
            // An earlier attempt that was cut short, or its answer lost.
            Some(held) if held.owner.as_deref() == Some(place.lineage) => upload.send(false).await,
            _ => Err(Fault {
                kind: FaultKind::Conflict,
                message: format!("there is an object at {}/{key} that this stack did not make", place.bucket),
                ..fault
            }),
        },
        result => result,
    }
}

struct Upload<'a> {
    place: Place<'a>,
    key: &'a str,
    body: Body,
    extras: Extras,
    size: u64,
    sha256: Vec<u8>,
}

impl<'a> Upload<'a> {
    /// Digests the content, which for a file must be what the plan saw.
    async fn open(place: Place<'a>, key: &'a str, body: Body, extras: Extras) -> Result<Self, Fault> {
        let (size, sha256) = match &body {
            Body::Text(text) => (text.len() as u64, Sha256::digest(text.as_bytes()).to_vec()),
            Body::File { path, shown, planned } => {
                let (size, sha256) = digest(path).await.map_err(|error| unreadable(shown, &error))?;
                if planned.as_ref().is_some_and(|planned| *planned != hex(&sha256)) {
                    return Err(changed(shown));
                }
                (size, sha256)
            }
        };
        Ok(Self { place, key, body, extras, size, sha256 })
    }

    async fn send(&self, new: bool) -> Result<(), Fault> {
        if self.size > PART_BYTES { self.in_parts(new).await } else { self.at_once(new).await }
    }

    /// The content from an offset on.
    async fn stream(&self, offset: u64, length: u64) -> Result<ByteStream, Fault> {
        match &self.body {
            Body::Text(text) => {
                let bytes = text.as_bytes().iter().skip(usize::try_from(offset).unwrap_or(usize::MAX));
                Ok(ByteStream::from(bytes.take(usize::try_from(length).unwrap_or(usize::MAX)).copied().collect::<Vec<_>>()))
            }
            Body::File { path, shown, .. } => {
                let stream = ByteStream::read_from().path(path).offset(offset).length(Length::Exact(length)).build();
                stream.await.map_err(|error| unreadable(shown, &error))
            }
        }
    }

    fn metadata(&self) -> Option<std::collections::HashMap<String, String>> {
        let own = [(OWNER.to_owned(), self.place.lineage.to_owned()), (DIGEST.to_owned(), hex(&self.sha256))];
        Some(self.extras.metadata.iter().cloned().chain(own).collect())
    }

    async fn at_once(&self, new: bool) -> Result<(), Fault> {
        let place = self.place;
        let operation = if new { PUT_NEW } else { PUT };
        let _room = WAY.room_for(self.size).await;
        let body = self.stream(0, self.size).await?.into_inner();
        let send = || {
            let call = place.session.s3().put_object().bucket(place.bucket).key(self.key).body(again(&body));
            call.expected_bucket_owner(place.account_id)
                .content_length(i64::try_from(self.size).unwrap_or(i64::MAX))
                .checksum_algorithm(ChecksumAlgorithm::Sha256)
                .checksum_sha256(STANDARD.encode(&self.sha256))
                .set_content_type(self.extras.content_type.clone())
                .set_cache_control(self.extras.cache_control.clone())
                .set_storage_class(self.extras.storage_class.as_deref().map(StorageClass::from))
                .set_metadata(self.metadata())
                .set_tagging(self.extras.tagging())
                .set_if_none_match(new.then(|| "*".to_owned()))
                .send()
        };
        match place.session.call(operation, send).await {
            Ok(_) => Ok(()),
            Err(fault) if fault.is_code(&["BadDigest", "XAmzContentSHA256Mismatch"]) => Err(self.changed_since(fault)),
            Err(fault) => Err(fault),
        }
    }

    async fn in_parts(&self, new: bool) -> Result<(), Fault> {
        let place = self.place;
        let begin = || {
            let call = place.session.s3().create_multipart_upload().bucket(place.bucket).key(self.key);
            call.expected_bucket_owner(place.account_id)
                .checksum_algorithm(ChecksumAlgorithm::Sha256)
                .set_content_type(self.extras.content_type.clone())
                .set_cache_control(self.extras.cache_control.clone())
                .set_storage_class(self.extras.storage_class.as_deref().map(StorageClass::from))
                .set_metadata(self.metadata())
                .set_tagging(self.extras.tagging())
                .send()
        };
        let begun = place.session.call(BEGIN, begin).await?;
        let id = begun.upload_id.unwrap_or_default();
        let result = self.parts(&id, new).await;
        if result.is_err() {
            let abort = || {
                let call = place.session.s3().abort_multipart_upload().bucket(place.bucket).key(self.key);
                call.expected_bucket_owner(place.account_id).upload_id(&id).send()
            };
            // The first error is the one to tell; parts that stay behind are what lifecycle rules sweep up.
            let _ = place.session.call(ABORT, abort).await;
        }
        result
    }

    async fn parts(&self, id: &str, new: bool) -> Result<(), Fault> {
        let part_bytes = PART_BYTES.max(self.size.div_ceil(MOST_PARTS));
        let count = self.size.div_ceil(part_bytes);
        let numbers: Vec<u64> = (0..count).collect();
        let mut done = Vec::new();
        for batch in numbers.chunks(PARTS_AT_ONCE) {
            for part in join_all(batch.iter().map(|number| self.part(id, *number, part_bytes))).await {
                done.push(part?);
            }
        }
        if let Body::File { path, shown, .. } = &self.body {
            // S3 knows only digests of parts, so that the whole is what the plan saw is for us to see.
            let (_, now) = digest(path).await.map_err(|error| unreadable(shown, &error))?;
            if now != self.sha256 {
                return Err(changed(shown));
            }
        }
        let place = self.place;
        let upload = CompletedMultipartUpload::builder().set_parts(Some(done)).build();
        let complete = || {
            let call = place.session.s3().complete_multipart_upload().bucket(place.bucket).key(self.key);
            call.expected_bucket_owner(place.account_id)
                .upload_id(id)
                .multipart_upload(upload.clone())
                .set_if_none_match(new.then(|| "*".to_owned()))
                .send()
        };
        place.session.call(COMPLETE, complete).await.map(drop)
    }

    async fn part(&self, id: &str, number: u64, part_bytes: u64) -> Result<CompletedPart, Fault> {
        let place = self.place;
        let offset = number * part_bytes;
        let length = part_bytes.min(self.size - offset);
        let part_number = i32::try_from(number + 1).unwrap_or(i32::MAX);
        let _room = WAY.room_for(length).await;
        // A part is held in memory, so that its digest can go before it.
        let stream = self.stream(offset, length).await?;
        let bytes = stream.collect().await.map_err(|error| unreadable(&self.shown(), &error))?.into_bytes();
        let checksum = STANDARD.encode(Sha256::digest(&bytes));
        let body = SdkBody::from(bytes);
        let send = || {
            let call = place.session.s3().upload_part().bucket(place.bucket).key(self.key);
            call.expected_bucket_owner(place.account_id)
                .upload_id(id)
                .part_number(part_number)
                .checksum_algorithm(ChecksumAlgorithm::Sha256)
                .checksum_sha256(&checksum)
                .body(again(&body))
                .send()
        };
        let sent = place.session.call(PART, send).await?;
        Ok(CompletedPart::builder().set_e_tag(sent.e_tag).part_number(part_number).checksum_sha256(checksum).build())
    }

    fn shown(&self) -> String {
        match &self.body {
            Body::Text(_) => self.key.to_owned(),
            Body::File { shown, .. } => shown.clone(),
        }
    }

    fn changed_since(&self, fault: Fault) -> Fault {
        Fault { kind: FaultKind::Invalid, message: format!("{}; {}", changed(&self.shown()).message, fault.message), ..fault }
    }
}

/// The body for another attempt. One that could not be had again would not fit the checksum beside it.
fn again(body: &SdkBody) -> ByteStream {
    ByteStream::new(body.try_clone().unwrap_or_else(SdkBody::empty))
}

async fn digest(path: &std::path::Path) -> std::io::Result<(u64, Vec<u8>)> {
    let mut file = tokio::fs::File::open(path).await?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut size = 0;
    loop {
        let count = file.read(&mut buffer).await?;
        let Some(part) = buffer.get(..count).filter(|part| !part.is_empty()) else { break };
        hasher.update(part);
        size += part.len() as u64;
    }
    Ok((size, hasher.finalize().to_vec()))
}

fn changed(shown: &str) -> Fault {
    let message = format!("{shown} changed since the plan read it: plan again");
    Fault::local(FaultKind::Invalid, "upload", message)
}

fn unreadable(shown: &str, error: &dyn std::fmt::Display) -> Fault {
    Fault::local(FaultKind::Invalid, "upload", format!("{shown} cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn no_more_goes_out_at_once_than_the_line_carries() {
        let way = Way::new(16);
        let waits = async |bytes| tokio::time::timeout(Duration::from_millis(20), way.room_for(bytes)).await.is_err();
        let (first, second) = (way.room_for(8).await, way.room_for(8).await);
        assert!(!waits(0).await && waits(1).await);
        drop(first);
        assert!(!waits(8).await && waits(u64::MAX).await);
        drop(second);
        assert!(!waits(u64::MAX).await);
    }
}
