//! An object as S3 has it.

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::ChecksumMode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use s3stack_engine::fault::{Fault, FaultKind};
use s3stack_engine::value::{Map, Value};

use super::object::hex;
use crate::aws::{Operation, Session};
use crate::resources::Context;

const HEAD: Operation = Operation::read("s3", "HeadObject");
const GET_TAGS: Operation = Operation::read("s3", "GetObjectTagging");

/// The metadata key of the owner's lineage. It stands in metadata and not in a tag: it comes with the one call that reads
/// everything else, and costs nothing.
pub(super) const OWNER: &str = "s3stack-id";

/// The metadata key of the content's SHA-256: for uploads in parts, of which S3 knows only a digest of digests, and for
/// those to whom S3 does not tell its own.
pub(super) const DIGEST: &str = "s3stack-sha256";

/// Where an object is, or shall be.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub session: &'a Session,
    pub bucket: &'a str,
    /// The account that the bucket must belong to.
    pub account_id: &'a str,
    /// The mark of the stack.
    pub lineage: &'a str,
}

impl<'a> Place<'a> {
    /// The place and the key (or prefix) that an identifier tells.
    pub fn of(context: &'a Context, physical_id: &'a str) -> (Self, &'a str) {
        let (bucket, key) = physical_id.split_once('/').unwrap_or((physical_id, ""));
        let (account_id, lineage) = (&context.facts.account_id, &context.lineage);
        (Self { session: &context.session, bucket, account_id, lineage }, key)
    }
}

/// What S3 tells of an object.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Held {
    pub checksum: Value,
    pub content_type: Value,
    pub cache_control: Value,
    pub storage_class: Value,
    pub metadata: Value,
    pub tags: Value,
    pub owner: Option<String>,
}

/// Reads an object; `None` if there is none, or no such bucket.
///
/// Tags take a second call, which is made if `tags` says that there should be some, or S3 that there are. S3 tells their
/// number only to those who may read them, so the first is needed.
pub(super) async fn head(place: Place<'_>, key: &str, tags: bool) -> Result<Option<Held>, Fault> {
    let asked = match ask(place, key, Some(ChecksumMode::Enabled)).await {
        // Of an object under a KMS key S3 tells its digest only to those who may decrypt it; a writer need not.
        // <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>
        Err(fault) if fault.kind == FaultKind::Denied => ask(place, key, None).await,
        asked => asked,
    };
    let found = match asked {
        Ok(found) => found,
        Err(fault) if fault.kind == FaultKind::NotFound => return Ok(None),
        Err(fault) => return Err(fault),
    };
    let mut metadata = found.metadata.unwrap_or_default();
    let (owner, digest) = (metadata.remove(OWNER), metadata.remove(DIGEST));
    // A digest of digests, `…-3`, says nothing about the content.
    let told = found.checksum_sha256.filter(|text| !text.contains('-')).and_then(|text| STANDARD.decode(text).ok());
    let tags = match tags || found.tag_count.is_some_and(|count| count > 0) {
        true => match tagging(place, key).await {
            Err(fault) if fault.kind == FaultKind::NotFound => return Ok(None),
            tags => tags?,
        },
        false => Map::new(),
    };
    Ok(Some(Held {
        checksum: told.map(|bytes| hex(&bytes)).or(digest).into(),
        content_type: found.content_type.into(),
        cache_control: found.cache_control.into(),
        storage_class: found.storage_class.map_or("STANDARD".into(), |class| class.as_str().into()),
        metadata: Value::map(metadata.into_iter().map(|(key, value)| (key, Value::from(value)))),
        tags: Value::Map(tags),
        owner,
    }))
}

async fn ask(place: Place<'_>, key: &str, checksum: Option<ChecksumMode>) -> Result<HeadObjectOutput, Fault> {
    let send = || {
        let call = place.session.s3().head_object().bucket(place.bucket).key(key);
        call.set_checksum_mode(checksum.clone()).expected_bucket_owner(place.account_id).send()
    };
    place.session.call(HEAD, send).await
}

async fn tagging(place: Place<'_>, key: &str) -> Result<Map, Fault> {
    let send = || {
        let call = place.session.s3().get_object_tagging().bucket(place.bucket).key(key);
        call.expected_bucket_owner(place.account_id).send()
    };
    let found = place.session.call(GET_TAGS, send).await?;
    Ok(found.tag_set.into_iter().map(|tag| (tag.key, tag.value.into())).collect())
}
