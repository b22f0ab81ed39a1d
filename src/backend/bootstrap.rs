//! The bucket that `s3stack init --backend` makes: versioned, encrypted, private, TLS-only, and cleaning up after
//! itself.
//!
//! Every step looks before it writes and writes only what is missing, so a run that was killed is repeated, and a bucket
//! that exists is completed. Nothing is loosened: what is stricter or longer there already stays.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::future::Future;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration,
    ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter, NoncurrentVersionExpiration,
    PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Tagging, VersioningConfiguration,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use s3stack_engine::fault::{Fault, FaultKind};
use serde_json::{Map, Value, json};

use super::s3::{HeadsOf, Pace, attempt, is_passing, no_retries};
use super::store::STEP_DAYS;
use crate::aws::Failed;

/// Settings of a new bucket answer 404 or 409 for a moment.
const PACE: Pace = Pace { limit: Duration::from_secs(30), attempts: 7, pause: Duration::from_millis(250) };

/// The tag that says what the bucket is for, and that s3stack may complete it.
pub const BACKEND_TAG: (&str, &str) = ("s3stack:backend", "state");

const TLS_SID: &str = "S3stackTlsOnly";

/// The bucket that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// Its region, that of the client.
    pub region: String,
    /// The account it has to belong to, twelve digits.
    pub account: String,
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    /// Tags it gets besides [`BACKEND_TAG`].
    pub tags: BTreeMap<String, String>,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Made {
    /// The bucket was made; otherwise it was there.
    pub created: bool,
    /// The settings that were written, in that order.
    pub written: Vec<&'static str>,
}

/// Why there is no such bucket.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// The name is another account's.
    #[error("the bucket {name} belongs to another account, or this caller may not look at it")]
    Taken {
        /// The bucket.
        name: String,
        /// What S3 said.
        #[source]
        fault: Box<Fault>,
    },
    /// The account has it, for something else.
    #[error("the bucket {name} exists, holds objects, and has no tag {}", BACKEND_TAG.0)]
    InUse {
        /// The bucket.
        name: String,
    },
    /// It is there, and elsewhere.
    #[error("the bucket {name} is in {found}, not in {wanted}")]
    Elsewhere {
        /// The bucket.
        name: String,
        /// Where it is.
        found: String,
        /// Where it was looked for.
        wanted: String,
    },
    /// Its policy is not what S3 would accept.
    #[error("the policy of the bucket {name} cannot be read")]
    Policy {
        /// The bucket.
        name: String,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
    /// A request could not be put together.
    #[error("a request about the bucket {name} could not be built")]
    Request {
        /// The bucket.
        name: String,
        /// What was missing.
        #[source]
        source: BuildError,
    },
    /// S3 refused or failed.
    #[error("the bucket {name} could not be set up")]
    Fault {
        /// The bucket.
        name: String,
        /// What S3 said.
        #[source]
        fault: Box<Fault>,
    },
}

impl BootstrapError {
    /// What to do next.
    pub fn help(&self) -> String {
        match self {
            Self::Taken { .. } => {
                "choose another `bucket` under [backend] (names are shared by all accounts of the world), or, if it is \
                 yours, call with its account and with s3:ListBucket"
                    .into()
            }
            Self::InUse { .. } => format!(
                "choose another `bucket` under [backend], or tag that one {} = {} if its policy and lifecycle may be \
                 completed",
                BACKEND_TAG.0, BACKEND_TAG.1
            ),
            Self::Elsewhere { found, .. } => format!("write `region = \"{found}\"` under [backend]"),
            Self::Policy { .. } => "mend the bucket policy, then run `s3stack init --backend` again".into(),
            Self::Request { .. } => "this is a fault of s3stack: please report it".into(),
            Self::Fault { .. } => "run `s3stack init --backend` again: it goes on where it stopped".into(),
        }
    }
}

/// Makes the bucket, or completes it if it is there and ours; running it again changes nothing.
///
/// Ours is a bucket of the account that has [`BACKEND_TAG`], or that holds nothing at all (what a killed run left).
pub async fn make_bucket(client: &Client, wanted: &Wanted) -> Result<Made, BootstrapError> {
    let setup = Setup { client, wanted };
    let mut made = Made { created: setup.create_if_missing().await?, written: Vec::new() };
    // One after another: S3 answers 409 to settings of one bucket that are written at once. Whose it is comes first,
    // access before content, and what needs versions after versioning.
    let steps = [
        ("tags", setup.tags().await?),
        ("public access block", setup.public_access_block().await?),
        ("versioning", setup.versioning().await?),
        ("encryption", setup.encryption().await?),
        ("TLS-only policy", setup.tls_only().await?),
        ("lifecycle", setup.lifecycle().await?),
    ];
    made.written.extend(steps.into_iter().filter_map(|(name, written)| written.then_some(name)));
    Ok(made)
}

struct Setup<'a> {
    client: &'a Client,
    wanted: &'a Wanted,
}

/// One request: the operation's name, and the builder with bucket, owner and no retries.
macro_rules! call {
    ($setup:ident, $name:literal, $operation:ident $(, $setter:ident($value:expr))*) => {
        $setup.patiently($name, || {
            $setup
                .client
                .$operation()
                .bucket(&$setup.wanted.name)
                .expected_bucket_owner(&$setup.wanted.account)
                $(.$setter($value))*
                .customize()
                .config_override(no_retries())
                .send()
        })
    };
}

impl Setup<'_> {
    /// Makes one call until it is answered: every call here may be made twice.
    async fn patiently<T, E, F>(&self, operation: &'static str, call: impl Fn() -> F) -> Result<T, Failed>
    where
        E: ProvideErrorMetadata + StdError + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let mut tried = 1;
        loop {
            let failed = match attempt(operation, PACE.limit, call()).await {
                Ok(output) => return Ok(output),
                Err(failed) => failed,
            };
            // S3 makes a new bucket known bit by bit, and settles one setting at a time.
            let passing = is_passing(&failed) || failed.fault.is_code(&["OperationAborted", "NoSuchBucket"]);
            match PACE.pause_after(tried) {
                Some(pause) if passing => tokio::time::sleep(pause).await,
                _ => return Err(failed),
            }
            tried += 1;
        }
    }

    fn name(&self) -> String {
        self.wanted.name.clone()
    }

    fn fault(&self, failed: Failed) -> BootstrapError {
        BootstrapError::Fault { name: self.name(), fault: Box::new(failed.fault) }
    }

    fn built<T>(&self, result: Result<T, BuildError>) -> Result<T, BootstrapError> {
        result.map_err(|source| BootstrapError::Request { name: self.name(), source })
    }

    /// Whether it was made.
    async fn create_if_missing(&self) -> Result<bool, BootstrapError> {
        // In us-east-1 creating one's own bucket again succeeds, so looking comes first.
        let heads = HeadsOf::default();
        let looking = self.patiently("HeadBucket", || {
            self.client
                .head_bucket()
                .bucket(&self.wanted.name)
                .expected_bucket_owner(&self.wanted.account)
                .customize()
                .config_override(no_retries())
                .interceptor(heads.clone())
                .send()
        });
        match looking.await {
            Ok(_) => {
                self.here(heads.seen().bucket_region)?;
                return Ok(false);
            }
            Err(failed) if failed.fault.kind == FaultKind::NotFound => {}
            Err(failed) if failed.fault.kind == FaultKind::Denied => {
                return Err(BootstrapError::Taken { name: self.name(), fault: Box::new(failed.fault) });
            }
            Err(failed) => {
                self.here(heads.seen().bucket_region)?;
                return Err(self.fault(failed));
            }
        }
        let place = (self.wanted.region != "us-east-1").then(|| {
            let constraint = BucketLocationConstraint::from(self.wanted.region.as_str());
            CreateBucketConfiguration::builder().location_constraint(constraint).build()
        });
        let creating = self.patiently("CreateBucket", || {
            self.client
                .create_bucket()
                .bucket(&self.wanted.name)
                .set_create_bucket_configuration(place.clone())
                .customize()
                .config_override(no_retries())
                .send()
        });
        match creating.await {
            Ok(_) => Ok(true),
            // The answer to an earlier attempt of ours was lost.
            Err(failed) if failed.fault.is_code(&["BucketAlreadyOwnedByYou"]) => Ok(true),
            Err(failed) if failed.fault.is_code(&["BucketAlreadyExists"]) => {
                Err(BootstrapError::Taken { name: self.name(), fault: Box::new(failed.fault) })
            }
            Err(failed) => Err(self.fault(failed)),
        }
    }

    fn here(&self, found: Option<String>) -> Result<(), BootstrapError> {
        match found {
            Some(found) if found != self.wanted.region => {
                Err(BootstrapError::Elsewhere { name: self.name(), found, wanted: self.wanted.region.clone() })
            }
            _ => Ok(()),
        }
    }

    /// `None` where S3 answers that there is no such setting.
    fn optional<T>(&self, result: Result<T, Failed>, absent: &str) -> Result<Option<T>, BootstrapError> {
        match result {
            Ok(output) => Ok(Some(output)),
            Err(failed) if failed.fault.is_code(&[absent]) => Ok(None),
            Err(failed) => Err(self.fault(failed)),
        }
    }

    fn wrote<T>(&self, result: Result<T, Failed>) -> Result<bool, BootstrapError> {
        result.map(|_| true).map_err(|failed| self.fault(failed))
    }

    async fn tags(&self) -> Result<bool, BootstrapError> {
        let current = self.optional(call!(self, "GetBucketTagging", get_bucket_tagging).await, "NoSuchTagSet")?;
        let current: BTreeMap<String, String> =
            current.into_iter().flat_map(|output| output.tag_set).map(|tag| (tag.key, tag.value)).collect();
        let (key, value) = BACKEND_TAG;
        if current.get(key).is_none_or(|current| current != value) && !self.is_empty().await? {
            return Err(BootstrapError::InUse { name: self.name() });
        }
        let mut tags = current.clone();
        tags.insert(key.into(), value.into());
        for (key, value) in &self.wanted.tags {
            tags.entry(key.clone()).or_insert_with(|| value.clone());
        }
        if tags == current {
            return Ok(false);
        }
        let mut set = Vec::new();
        for (key, value) in tags {
            set.push(self.built(Tag::builder().key(key).value(value).build())?);
        }
        let tagging = self.built(Tagging::builder().set_tag_set(Some(set)).build())?;
        self.wrote(call!(self, "PutBucketTagging", put_bucket_tagging, tagging(tagging.clone())).await)
    }

    async fn is_empty(&self) -> Result<bool, BootstrapError> {
        let listing = call!(self, "ListObjectVersions", list_object_versions, max_keys(1)).await;
        let page = listing.map_err(|failed| self.fault(failed))?;
        Ok(page.versions.unwrap_or_default().is_empty() && page.delete_markers.unwrap_or_default().is_empty())
    }

    async fn public_access_block(&self) -> Result<bool, BootstrapError> {
        let absent = "NoSuchPublicAccessBlockConfiguration";
        let current = call!(self, "GetPublicAccessBlock", get_public_access_block).await;
        let current = self.optional(current, absent)?.and_then(|output| output.public_access_block_configuration);
        let all = PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .ignore_public_acls(true)
            .block_public_policy(true)
            .restrict_public_buckets(true)
            .build();
        if current.as_ref() == Some(&all) {
            return Ok(false);
        }
        let put = call!(
            self,
            "PutPublicAccessBlock",
            put_public_access_block,
            public_access_block_configuration(all.clone())
        );
        self.wrote(put.await)
    }

    async fn versioning(&self) -> Result<bool, BootstrapError> {
        let current = call!(self, "GetBucketVersioning", get_bucket_versioning).await;
        let current = current.map_err(|failed| self.fault(failed))?;
        if current.status == Some(BucketVersioningStatus::Enabled) {
            return Ok(false);
        }
        let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        let put = call!(self, "PutBucketVersioning", put_bucket_versioning, versioning_configuration(enabled.clone()));
        self.wrote(put.await)
    }

    async fn encryption(&self) -> Result<bool, BootstrapError> {
        let absent = "ServerSideEncryptionConfigurationNotFoundError";
        // Any encryption will do: a key of the user's own is stricter than what would be written here.
        if self.optional(call!(self, "GetBucketEncryption", get_bucket_encryption).await, absent)?.is_some() {
            return Ok(false);
        }
        let by_default = ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256).build();
        let rule = ServerSideEncryptionRule::builder()
            .apply_server_side_encryption_by_default(self.built(by_default)?)
            .build();
        let configuration = self.built(ServerSideEncryptionConfiguration::builder().rules(rule).build())?;
        let put = call!(
            self,
            "PutBucketEncryption",
            put_bucket_encryption,
            server_side_encryption_configuration(configuration.clone())
        );
        self.wrote(put.await)
    }

    async fn tls_only(&self) -> Result<bool, BootstrapError> {
        let current = call!(self, "GetBucketPolicy", get_bucket_policy).await;
        let current = self.optional(current, "NoSuchBucketPolicy")?.and_then(|output| output.policy);
        let Some(policy) = with_tls_only(current.as_deref(), &self.wanted.partition, &self.wanted.name)
            .map_err(|source| BootstrapError::Policy { name: self.name(), source })?
        else {
            return Ok(false);
        };
        self.wrote(call!(self, "PutBucketPolicy", put_bucket_policy, policy(policy.clone())).await)
    }

    async fn lifecycle(&self) -> Result<bool, BootstrapError> {
        let current = call!(self, "GetBucketLifecycleConfiguration", get_bucket_lifecycle_configuration).await;
        let current = self.optional(current, "NoSuchLifecycleConfiguration")?;
        let minimum = current.as_ref().and_then(|current| current.transition_default_minimum_object_size.clone());
        let mut rules = current.and_then(|current| current.rules).unwrap_or_default();
        let had = rules.len();
        for rule in self.built(lifecycle_rules())? {
            // A rule of this name that says something else was changed by somebody who wanted that.
            if !rules.iter().any(|present| present.id == rule.id) {
                rules.push(rule);
            }
        }
        if rules.len() == had {
            return Ok(false);
        }
        let configuration = self.built(BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build())?;
        let put = call!(
            self,
            "PutBucketLifecycleConfiguration",
            put_bucket_lifecycle_configuration,
            lifecycle_configuration(configuration.clone()),
            set_transition_default_minimum_object_size(minimum.clone())
        );
        self.wrote(put.await)
    }
}

/// The policy with the statement that refuses plain HTTP; `None` when it has it.
fn with_tls_only(policy: Option<&str>, partition: &str, bucket: &str) -> Result<Option<String>, serde_json::Error> {
    let mut policy: Map<String, Value> = match policy {
        Some(policy) => serde_json::from_str(policy)?,
        None => Map::from_iter([("Version".into(), json!("2012-10-17"))]),
    };
    let mut statements = match policy.get_mut("Statement").map(Value::take) {
        Some(Value::Array(statements)) => statements,
        None => Vec::new(),
        // IAM's grammar lets a single statement stand without its list.
        Some(single) => vec![single],
    };
    if statements.iter().any(|statement| statement["Sid"] == TLS_SID) {
        return Ok(None);
    }
    let arn = format!("arn:{partition}:s3:::{bucket}");
    statements.push(json!({
        "Sid": TLS_SID,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, format!("{arn}/*")],
        "Condition": { "Bool": { "aws:SecureTransport": "false" } },
    }));
    policy.insert("Statement".into(), Value::Array(statements));
    Ok(Some(Value::Object(policy).to_string()))
}

/// What goes by itself, in the layout of [`super::s3`]. The present version of a state, its digest key, and the last
/// state of every run never do.
fn lifecycle_rules() -> Result<Vec<LifecycleRule>, BuildError> {
    let steps = i32::try_from(STEP_DAYS).unwrap_or(i32::MAX);
    let rule = |id: &str, prefix: &str, expiration: LifecycleExpiration, noncurrent: i32| {
        LifecycleRule::builder()
            .id(id)
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix(prefix).build())
            .expiration(expiration)
            .noncurrent_version_expiration(NoncurrentVersionExpiration::builder().noncurrent_days(noncurrent).build())
            .build()
    };
    let markers = LifecycleExpiration::builder().expired_object_delete_marker(true).build();
    Ok(vec![
        // A renewal every fifteen seconds leaves a version each.
        rule("s3stack-lease", "lease/", markers.clone(), 1)?,
        rule("s3stack-steps", "steps/", LifecycleExpiration::builder().days(steps).build(), 1)?,
        rule("s3stack-state", "state/", markers, steps)?,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_gets_one_statement_and_keeps_the_others() {
        let fresh = with_tls_only(None, "aws-cn", "b").unwrap().unwrap();
        let value: Value = serde_json::from_str(&fresh).unwrap();
        assert_eq!(value["Statement"][0]["Resource"], json!(["arn:aws-cn:s3:::b", "arn:aws-cn:s3:::b/*"]));
        assert_eq!(value["Statement"][0]["Condition"]["Bool"]["aws:SecureTransport"], "false");
        assert_eq!(with_tls_only(Some(&fresh), "aws-cn", "b").unwrap(), None);

        let single = r#"{"Version": "2012-10-17", "Id": "mine", "Statement": {"Sid": "Mine", "Effect": "Deny"}}"#;
        let value: Value = serde_json::from_str(&with_tls_only(Some(single), "aws", "b").unwrap().unwrap()).unwrap();
        assert_eq!(value["Id"], "mine");
        assert_eq!(value["Statement"][0]["Sid"], "Mine");
        assert_eq!(value["Statement"][1]["Sid"], TLS_SID);

        for no_policy in ["{", "[]", "null", "\"x\""] {
            assert!(with_tls_only(Some(no_policy), "aws", "b").is_err(), "{no_policy}");
        }
    }

    #[test]
    fn no_rule_touches_what_is_kept_for_good() {
        let prefixes: Vec<String> = lifecycle_rules()
            .unwrap()
            .into_iter()
            .filter_map(|rule| rule.filter.and_then(|filter| filter.prefix))
            .collect();
        assert_eq!(prefixes, ["lease/", "steps/", "state/"]);
        let state = lifecycle_rules().unwrap().pop().unwrap();
        assert_eq!(state.expiration.unwrap().days, None, "the present state never expires");
    }
}
