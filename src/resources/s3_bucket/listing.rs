//! All buckets of the account, from one call that every bucket of a stack shares.

use std::collections::BTreeMap;
use std::sync::Arc;

use s3stack_engine::fault::Fault;

use crate::aws::Operation;
use crate::resources::Context;

const LIST: Operation = Operation::read("s3", "ListBuckets");

/// The most buckets that S3 lists at once.
const PAGE: i32 = 10_000;

/// The account's buckets with the region of each, where S3 tells it.
pub struct Listing(BTreeMap<String, Option<String>>);

impl Listing {
    /// The listing of this refresh.
    ///
    /// # Errors
    /// As S3 answers; `s3:ListAllMyBuckets` is denied to many a caller who may do everything else.
    pub async fn of(context: &Context) -> Result<Arc<Self>, Fault> {
        context.sweeps.get(|| list(context)).await
    }

    /// The region of a bucket that is there, or `None` for one that is not. The region is empty where S3 keeps it to
    /// itself.
    pub fn region_of(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|region| region.as_deref().unwrap_or_default())
    }

    /// The names of the buckets that are, or may be, in a region.
    pub fn names_in(&self, region: &str) -> Vec<String> {
        let is_here = |found: &Option<String>| found.as_deref().is_none_or(|found| found.is_empty() || found == region);
        self.0.iter().filter(|(_, found)| is_here(found)).map(|(name, _)| name.clone()).collect()
    }
}

async fn list(context: &Context) -> Result<Listing, Fault> {
    let mut found = BTreeMap::new();
    let mut token: Option<String> = None;
    loop {
        // S3 tells regions only in pages, so a page size is named even where one page holds all.
        let send = || {
            let call = context.session.s3().list_buckets().max_buckets(PAGE);
            call.set_continuation_token(token.clone()).send()
        };
        let page = context.session.call(LIST, send).await?;
        for bucket in page.buckets.unwrap_or_default() {
            if let Some(name) = bucket.name {
                found.insert(name, bucket.bucket_region);
            }
        }
        token = page.continuation_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(Listing(found));
        }
    }
}
