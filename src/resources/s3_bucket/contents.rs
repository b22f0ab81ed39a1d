//! What is in a bucket: counted before it is lost, and deleted where that was allowed.

use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use futures_util::future::join_all;
use s3stack_engine::fault::{Fault, FaultKind};

use super::setting::{Target, unbuildable};
use crate::aws::{Operation, rules};
use crate::resources::quantities::{grouped, size};

const LIST: Operation = Operation::read("s3", "ListObjectVersions");
const DELETE: Operation = Operation::idempotent("s3", "DeleteObjects").retrying(rules::BUCKET);
const LIST_UPLOADS: Operation = Operation::read("s3", "ListMultipartUploads");
const ABORT: Operation = Operation::idempotent("s3", "AbortMultipartUpload");

/// The pages that are counted at most: what a person decides by is whether it is nothing, something or very much.
const PAGES_COUNTED: usize = 20;

/// The deletions under way at once, each of up to a thousand keys: S3 takes some 3,500 keys per second and prefix.
const DELETIONS_AT_ONCE: usize = 4;

/// What a bucket holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    objects: u64,
    former: u64,
    markers: u64,
    bytes: u64,
    /// Whether there is more than was counted.
    more: bool,
}

impl Contents {
    /// What is lost with it, in words; nothing where it is empty.
    pub(super) fn words(&self) -> Vec<String> {
        let more = if self.more { "more than " } else { "" };
        let counted = |count: u64, one: &str, many: &str| match count {
            0 => None,
            1 => Some(format!("{more}1 {one}")),
            count => Some(format!("{more}{} {many}", grouped(count))),
        };
        let words = [
            counted(self.objects, "object", "objects"),
            counted(self.former, "former version", "former versions"),
            counted(self.markers, "delete marker", "delete markers"),
            (self.bytes > 0).then(|| format!("{more}{}", size(self.bytes))),
        ];
        words.into_iter().flatten().collect()
    }

    fn add(&mut self, page: &ListObjectVersionsOutput) {
        for version in page.versions() {
            match version.is_latest {
                Some(false) => self.former += 1,
                _ => self.objects += 1,
            }
            self.bytes += version.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
        }
        self.markers += page.delete_markers().len() as u64;
    }
}

/// Counts what is there, up to some twenty thousand entries.
pub(super) async fn count(bucket: &Target<'_>) -> Result<Contents, Fault> {
    let mut contents = Contents::default();
    let mut from = Some(Marker::default());
    for _ in 0..PAGES_COUNTED {
        let Some(marker) = from else { break };
        let answer = page(bucket, &marker).await?;
        contents.add(&answer);
        from = next(&answer);
    }
    contents.more = from.is_some();
    Ok(contents)
}

/// Deletes every version, delete marker and unfinished upload. Tells how many entries went; may be cut short anywhere
/// and begun again.
pub(super) async fn empty(bucket: &Target<'_>) -> Result<usize, Fault> {
    let mut gone = 0;
    let mut from = Some(Marker::default());
    while from.is_some() {
        // Listing takes little beside deleting, so a few pages are listed and then deleted together.
        let mut pages = Vec::new();
        while let Some(marker) = from.take() {
            let answer = page(bucket, &marker).await?;
            from = next(&answer);
            pages.push(answer);
            if pages.len() == DELETIONS_AT_ONCE {
                break;
            }
        }
        for deleted in join_all(pages.into_iter().map(|page| delete(bucket, page))).await {
            gone += deleted?;
        }
    }
    Ok(gone + abort_uploads(bucket).await?)
}

#[derive(Debug, Clone, Default)]
struct Marker {
    key: Option<String>,
    version: Option<String>,
}

async fn page(bucket: &Target<'_>, from: &Marker) -> Result<ListObjectVersionsOutput, Fault> {
    let send = || {
        let call = bucket.session.s3().list_object_versions().bucket(bucket.name);
        let call = call.set_key_marker(from.key.clone()).set_version_id_marker(from.version.clone());
        call.expected_bucket_owner(bucket.account_id).send()
    };
    bucket.session.call(LIST, send).await
}

fn next(page: &ListObjectVersionsOutput) -> Option<Marker> {
    let marker = Marker { key: page.next_key_marker.clone(), version: page.next_version_id_marker.clone() };
    (page.is_truncated == Some(true) && marker.key.is_some()).then_some(marker)
}

async fn delete(bucket: &Target<'_>, page: ListObjectVersionsOutput) -> Result<usize, Fault> {
    let versions = page.versions.unwrap_or_default().into_iter().map(|one| (one.key, one.version_id));
    let markers = page.delete_markers.unwrap_or_default().into_iter().map(|one| (one.key, one.version_id));
    let objects = versions
        .chain(markers)
        .filter_map(|(key, version)| Some((key?, version)))
        .map(|(key, version)| ObjectIdentifier::builder().key(key).set_version_id(version).build())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| unbuildable(DELETE.name, e))?;
    if objects.is_empty() {
        return Ok(0);
    }
    let asked = objects.len();
    let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build();
    let delete = delete.map_err(|e| unbuildable(DELETE.name, e))?;
    let send = || {
        let call = bucket.session.s3().delete_objects().bucket(bucket.name).delete(delete.clone());
        call.expected_bucket_owner(bucket.account_id).send()
    };
    let answer = bucket.session.call(DELETE, send).await?;
    let errors = answer.errors();
    // The call succeeds although single keys were refused. What may pass is left for the next round.
    let passing = |code: Option<&str>| matches!(code, Some("InternalError" | "SlowDown" | "ServiceUnavailable"));
    match errors.iter().find(|error| !passing(error.code())) {
        None => Ok(asked - errors.len().min(asked)),
        Some(error) => Err(Fault {
            kind: if error.code() == Some("AccessDenied") { FaultKind::Denied } else { FaultKind::Other },
            service: DELETE.service.into(),
            operation: DELETE.name.into(),
            code: error.code.clone(),
            message: format!(
                "{} (object {}, version {})",
                error.message().unwrap_or("refused"),
                error.key().unwrap_or_default(),
                error.version_id().unwrap_or("null")
            ),
            request_id: None,
        }),
    }
}

async fn abort_uploads(bucket: &Target<'_>) -> Result<usize, Fault> {
    let s3 = bucket.session.s3();
    let (mut key, mut upload) = (None::<String>, None::<String>);
    let mut gone = 0;
    loop {
        let send = || {
            let call = s3.list_multipart_uploads().bucket(bucket.name);
            let call = call.set_key_marker(key.clone()).set_upload_id_marker(upload.clone());
            call.expected_bucket_owner(bucket.account_id).send()
        };
        let page = bucket.session.call(LIST_UPLOADS, send).await?;
        for (key, upload) in page.uploads().iter().filter_map(|one| Some((one.key()?, one.upload_id()?))) {
            let send = || {
                let call = s3.abort_multipart_upload().bucket(bucket.name).key(key).upload_id(upload);
                call.expected_bucket_owner(bucket.account_id).send()
            };
            match bucket.session.call(ABORT, send).await {
                Ok(_) => gone += 1,
                Err(fault) if fault.is_code(&["NoSuchUpload"]) => {}
                Err(fault) => return Err(fault),
            }
        }
        if page.is_truncated != Some(true) || page.next_key_marker.is_none() {
            return Ok(gone);
        }
        (key, upload) = (page.next_key_marker, page.next_upload_id_marker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_told_in_numbers_a_person_can_read() {
        let contents = Contents { objects: 1_204_331, former: 1, markers: 0, bytes: 2_100_000_000, more: false };
        assert_eq!(contents.words(), ["1,204,331 objects", "1 former version", "2.1 GB"]);
        assert_eq!(Contents { objects: 20_000, more: true, ..Contents::default() }.words(), ["more than 20,000 objects"]);
        assert_eq!(Contents::default().words(), [""; 0]);
    }
}
