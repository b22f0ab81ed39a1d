//! SDK clients per account and region, made on first use from one set of credentials and one HTTP client.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::identity::IdentityCache;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::app_name::AppName;
use aws_types::region::Region;
use s3stack_engine::fault::{Fault, FaultKind};
use s3stack_engine::plan::reread::SETTLES_WITHIN;
use s3stack_engine::state::SignIn;
use tokio::sync::{OnceCell, watch};

use super::accounts::{self, SignedIn};
use super::call::Gate;
use super::endpoint::{global_region, host, needs_path_style, s3_endpoint};
use super::http::{BundleError, client, read_bundle};
use super::limiter::{Limiter, widest};
use super::log::{CallLog, CallSummary, LogInterceptor, Observer};
use super::operation::Operation;
use super::retry::Policy;

/// What the user and the command line say about the way to AWS. Everything left out comes from the environment and the
/// profile files, as the AWS tools read them.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The region, before `AWS_REGION`, `AWS_DEFAULT_REGION` and the profile's.
    pub region: Option<String>,
    /// The profile, before `AWS_PROFILE`.
    pub profile: Option<String>,
    /// How to get into the account at hand, where it is not the one of these credentials.
    pub home: Option<SignIn>,
    /// The address of every service, `http://127.0.0.1:4566`, before `AWS_ENDPOINT_URL`.
    pub endpoint: Option<String>,
    /// The account of the private AWS, twelve digits. Nothing is then read from the environment or profiles, and no
    /// proxy is used; `endpoint` must be given.
    pub local_account: Option<String>,
    /// How many calls of one kind may be under way at once; absent for [`widest`].
    pub parallelism: Option<usize>,
    /// Who is told about each call.
    pub observer: Option<Observer>,
    /// How patient retries are.
    pub policy: Policy,
}

/// Why no clients can be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientsError {
    /// `AWS_CA_BUNDLE` cannot be used.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The endpoint is no address.
    #[error("the endpoint `{0}` is not an address like http://127.0.0.1:4566 or https://aws.example.com")]
    Endpoint(String),
    /// The account of the private AWS is not one.
    #[error("the local account `{0}` is not a twelve-digit account id")]
    LocalAccount(String),
    /// A private AWS without an address.
    #[error("the local account {0} needs an endpoint: start the local AWS, or name one with --local-endpoint")]
    LocalWithoutEndpoint(String),
}

/// Where calls go: an account and a region.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    /// The account, twelve digits; absent for the one that the caller's credentials belong to.
    pub account: Option<String>,
    /// The region, `eu-west-1`.
    pub region: String,
}

/// Who the caller is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account, twelve digits.
    pub account_id: String,
    /// The principal, `arn:aws:sts::123456789012:assumed-role/admin/me`.
    pub arn: String,
    /// The partition: `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
}

/// All clients. Cheap to clone; clones share connections, limits, credentials and the call log.
#[derive(Clone)]
pub struct Clients {
    shared: Arc<Shared>,
    gate: Option<Arc<dyn Gate>>,
}

struct Shared {
    sdk: SdkConfig,
    profile: Option<String>,
    local: bool,
    path_style: bool,
    parallelism: Option<usize>,
    policy: Policy,
    log: Arc<CallLog>,
    stop: watch::Sender<bool>,
    places: Mutex<HashMap<Target, Arc<Place>>>,
    /// The accounts beside the caller's own, by id.
    signed_in: Mutex<HashMap<String, SignedIn>>,
    limiters: Mutex<HashMap<LimiterKey, Limiter>>,
    caller: OnceCell<Caller>,
}

/// What a limiter is for: account, region (empty for a global service), service, and whether it is for reads.
type LimiterKey = (Option<String>, String, &'static str, bool);

/// The clients of one target.
struct Place {
    /// Credentials and everything else.
    sdk: SdkConfig,
    s3: OnceLock<aws_sdk_s3::Client>,
    iam: OnceLock<aws_sdk_iam::Client>,
    sts: OnceLock<aws_sdk_sts::Client>,
    logs: OnceLock<aws_sdk_cloudwatchlogs::Client>,
    /// The limiters in use here, to find one without building its key.
    limiters: Mutex<HashMap<(&'static str, bool), Limiter>>,
}

/// The clients of one account and region. Cheap to clone.
#[derive(Clone)]
pub struct Session {
    clients: Clients,
    target: Target,
    place: Arc<Place>,
}

/// Credentials may come from a program that asks a person, so they have longer than the SDK's 5 s.
const CREDENTIALS_WITHIN: Duration = Duration::from_secs(25);
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// A second less than [`super::call::LONGEST_ATTEMPT`], so that the SDK's own error, which says more, comes first.
const ATTEMPT_WITHIN: Duration = Duration::from_secs(29);

impl Clients {
    /// Reads the environment and the profile files and prepares the clients. Makes no call.
    ///
    /// # Errors
    /// If the settings contradict themselves or `AWS_CA_BUNDLE` cannot be used. Missing credentials or a missing region
    /// are told by the first thing that needs them.
    pub async fn load(settings: Settings) -> Result<Self, ClientsError> {
        let sdk = match &settings.local_account {
            Some(account) => local(account, &settings)?,
            None => {
                let own = from_environment(&settings).await?;
                match &settings.home {
                    Some(way) => accounts::sdk_for(&own, way).await?,
                    None => own,
                }
            }
        };
        let endpoint = s3_endpoint(&sdk);
        for endpoint in sdk.endpoint_url().into_iter().chain(endpoint.as_deref()) {
            if host(endpoint).is_none() {
                return Err(ClientsError::Endpoint(endpoint.into()));
            }
        }
        Ok(Self {
            shared: Arc::new(Shared {
                path_style: endpoint.as_deref().is_some_and(needs_path_style),
                sdk,
                profile: settings.profile,
                local: settings.local_account.is_some(),
                parallelism: settings.parallelism,
                policy: settings.policy,
                log: Arc::new(CallLog::new(settings.observer)),
                stop: watch::Sender::new(false),
                places: Mutex::default(),
                signed_in: Mutex::default(),
                limiters: Mutex::default(),
                caller: OnceCell::new(),
            }),
            gate: None,
        })
    }

    /// The same clients, whose calls begin only while `gate` is open. The lease renews itself through the others.
    pub fn gated(&self, gate: Arc<dyn Gate>) -> Self {
        Self { shared: Arc::clone(&self.shared), gate: Some(gate) }
    }

    /// The region of the settings, the environment or the profile.
    ///
    /// # Errors
    /// If none of them names one.
    pub fn region(&self) -> Result<&str, Fault> {
        self.shared.sdk.region().map(AsRef::as_ref).filter(|region| !region.is_empty()).ok_or_else(|| {
            Fault::local(
                FaultKind::Invalid,
                "region",
                "no region is set: write `region = \"eu-west-1\"` into [stack], set AWS_REGION, or give the profile one",
            )
        })
    }

    /// The clients of the caller's account in [`Self::region`].
    ///
    /// # Errors
    /// If no region is set.
    pub fn home(&self) -> Result<Session, Fault> {
        let region = self.region()?.to_owned();
        self.session(&Target { account: None, region })
    }

    /// The clients of `target`, made on first use.
    ///
    /// # Errors
    /// If the target is in an account that is neither the caller's nor one that was signed in to.
    pub fn session(&self, target: &Target) -> Result<Session, Fault> {
        let own = self.shared.caller.get().map(|caller| caller.account_id.as_str());
        let (account, sdk) = match &target.account {
            Some(account) if own != Some(account.as_str()) => {
                let home = lock(&self.shared.signed_in).get(account).cloned().ok_or_else(|| {
                    // Calling with the wrong account's credentials would read and write the wrong things.
                    let message = format!("account {account} is not the one of the credentials in use");
                    Fault::local(FaultKind::Invalid, "account", message)
                })?;
                (Some(account.clone()), home.sdk)
            }
            _ => (None, self.shared.sdk.clone()),
        };
        let target = Target { account, region: target.region.clone() };
        let place = Arc::clone(lock(&self.shared.places).entry(target.clone()).or_insert_with(|| Place::new(sdk)));
        Ok(Session { clients: self.clone(), target, place })
    }

    /// Who the caller is in an account: the own one, or one that was signed in to.
    pub fn caller_in(&self, account: &str) -> Option<Caller> {
        let own = self.shared.caller.get().filter(|caller| caller.account_id == account).cloned();
        own.or_else(|| lock(&self.shared.signed_in).get(account).map(|home| home.caller.clone()))
    }

    /// Who the caller is, asked of STS once.
    ///
    /// # Errors
    /// Whatever is wrong with region, credentials or network, with the next step: make this the first call.
    pub async fn caller_identity(&self) -> Result<&Caller, Fault> {
        self.shared.caller.get_or_try_init(|| self.identity_by(&self.shared.sdk)).await
    }

    /// Who the caller is by other credentials.
    pub(super) async fn identity_by(&self, sdk: &SdkConfig) -> Result<Caller, Fault> {
        const GET_CALLER_IDENTITY: Operation = Operation::read("sts", "GetCallerIdentity");
        let region = sdk.region().map(ToString::to_string).filter(|region| !region.is_empty());
        let target = Target { account: None, region: region.map_or_else(|| self.region().map(str::to_owned), Ok)? };
        let session = Session { clients: self.clone(), target, place: Place::new(sdk.clone()) };
        let answer = session.call(GET_CALLER_IDENTITY, || session.sts().get_caller_identity().send()).await?;
        let (account_id, arn) = (answer.account.unwrap_or_default(), answer.arn.unwrap_or_default());
        let partition = arn.split(':').nth(1).unwrap_or_default().to_owned();
        if !is_account(&account_id) || !partition.starts_with("aws") {
            let message = format!("STS names the account `{account_id}` and the caller `{arn}`");
            return Err(Fault::local(FaultKind::Other, "GetCallerIdentity", message));
        }
        Ok(Caller { account_id, arn, partition })
    }

    pub(super) fn sdk(&self) -> &SdkConfig {
        &self.shared.sdk
    }

    /// The region that the credentials of an account that was signed in to came with.
    pub(super) fn region_of(&self, account: &str) -> Option<String> {
        lock(&self.shared.signed_in).get(account)?.sdk.region().map(ToString::to_string)
    }

    pub(super) fn add_account(&self, account: SignedIn) {
        lock(&self.shared.signed_in).insert(account.caller.account_id.clone(), account);
    }

    /// What has been called so far.
    pub fn calls(&self) -> CallSummary {
        self.shared.log.summary()
    }

    /// Ends every call that waits and every attempt under way, at once and for good.
    ///
    /// A write that was under way ends as [`FaultKind::Uncertain`], everything else as [`FaultKind::Stopped`].
    pub fn stop(&self) {
        self.shared.stop.send_replace(true);
    }

    pub(super) fn stop_signal(&self) -> watch::Receiver<bool> {
        self.shared.stop.subscribe()
    }

    pub(super) fn may_start(&self) -> bool {
        self.gate.as_ref().is_none_or(|gate| gate.may_start())
    }

    pub(super) fn policy(&self) -> Policy {
        self.shared.policy
    }

    /// How long answers may show what was there before the last write. AWS's services are eventually consistent; an
    /// emulator is one process.
    pub fn settles_within(&self) -> Duration {
        let usual = if self.shared.local || self.shared.path_style { 0 } else { SETTLES_WITHIN };
        self.shared.policy.settles_within.unwrap_or(Duration::from_secs(usual))
    }

    pub(super) fn log(&self) -> &CallLog {
        &self.shared.log
    }

    pub(super) fn is_local(&self) -> bool {
        self.shared.local
    }

    pub(super) fn profile(&self) -> Option<&str> {
        self.shared.profile.as_deref()
    }
}

impl Place {
    fn new(sdk: SdkConfig) -> Arc<Self> {
        Arc::new(Self {
            sdk,
            s3: OnceLock::new(),
            iam: OnceLock::new(),
            sts: OnceLock::new(),
            logs: OnceLock::new(),
            limiters: Mutex::default(),
        })
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients").field("region", &self.shared.sdk.region()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Session").field(&self.target).finish()
    }
}

impl Session {
    /// The region whose clients these are.
    pub fn region(&self) -> &str {
        &self.target.region
    }

    /// The clients of all targets.
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    /// The S3 client.
    pub fn s3(&self) -> &aws_sdk_s3::Client {
        self.place.s3.get_or_init(|| {
            let shared = &self.clients.shared;
            let config = aws_sdk_s3::config::Builder::from(&self.place.sdk)
                .region(Region::new(self.target.region.clone()))
                .force_path_style(shared.path_style)
                // The signature covers the body of every request here; a checksum beside it is computed only for the
                // operations that S3 wants one for.
                .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
                .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
                .interceptor(self.interceptor("s3"))
                .build();
            aws_sdk_s3::Client::from_conf(config)
        })
    }

    /// The IAM client. IAM has one control plane per partition, whichever region the session is of.
    pub fn iam(&self) -> &aws_sdk_iam::Client {
        self.place.iam.get_or_init(|| {
            let config = aws_sdk_iam::config::Builder::from(&self.place.sdk)
                .region(Region::from_static(global_region(&self.target.region)))
                .interceptor(self.interceptor("iam"))
                .build();
            aws_sdk_iam::Client::from_conf(config)
        })
    }

    /// The STS client.
    pub fn sts(&self) -> &aws_sdk_sts::Client {
        self.place.sts.get_or_init(|| {
            let config = aws_sdk_sts::config::Builder::from(&self.place.sdk)
                .region(Region::new(self.target.region.clone()))
                .interceptor(self.interceptor("sts"))
                .build();
            aws_sdk_sts::Client::from_conf(config)
        })
    }

    /// The CloudWatch Logs client.
    pub fn logs(&self) -> &aws_sdk_cloudwatchlogs::Client {
        self.place.logs.get_or_init(|| {
            let config = aws_sdk_cloudwatchlogs::config::Builder::from(&self.place.sdk)
                .region(Region::new(self.target.region.clone()))
                .interceptor(self.interceptor("logs"))
                .build();
            aws_sdk_cloudwatchlogs::Client::from_conf(config)
        })
    }

    fn interceptor(&self, service: &'static str) -> LogInterceptor {
        LogInterceptor { service, region: self.target.region.clone(), log: Arc::clone(&self.clients.shared.log) }
    }

    pub(super) fn limiter(&self, service: &'static str, reads: bool) -> Limiter {
        lock(&self.place.limiters)
            .entry((service, reads))
            .or_insert_with(|| {
                // Sessions of all regions share IAM's one control plane, and so its rate.
                let region = if service == "iam" { String::new() } else { self.target.region.clone() };
                let shared = &self.clients.shared;
                lock(&shared.limiters)
                    .entry((self.target.account.clone(), region, service, reads))
                    .or_insert_with(|| Limiter::new(shared.parallelism.unwrap_or_else(|| widest(reads))))
                    .clone()
            })
            .clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The private AWS: nothing of the user's own set-up may leak into it, nor any call out of it.
pub(super) fn local(account: &str, settings: &Settings) -> Result<SdkConfig, ClientsError> {
    if !is_account(account) {
        return Err(ClientsError::LocalAccount(account.into()));
    }
    let Some(endpoint) = &settings.endpoint else {
        return Err(ClientsError::LocalWithoutEndpoint(account.into()));
    };
    let credentials = Credentials::new(account, "test", None, None, "local");
    let region = settings.region.clone().unwrap_or_else(|| "us-east-1".into());
    Ok(SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .identity_cache(identity_cache())
        .http_client(client(bundle()?, false))
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts())
        .build())
}

pub(super) async fn from_environment(settings: &Settings) -> Result<SdkConfig, ClientsError> {
    // No metadata service is asked for a region: where there is none, that costs seconds.
    let mut profile_region = ProfileFileRegionProvider::builder();
    if let Some(profile) = &settings.profile {
        profile_region = profile_region.profile_name(profile);
    }
    let region = RegionProviderChain::first_try(settings.region.clone().map(Region::new))
        .or_else(EnvironmentVariableRegionProvider::new())
        .or_else(profile_region.build());
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(region)
        .http_client(client(bundle()?, true))
        .identity_cache(identity_cache())
        .timeout_config(timeouts());
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(endpoint) = &settings.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    if let Ok(name) = AppName::new("s3stack") {
        loader = loader.app_name(name);
    }
    // Only now, so that the credential providers above keep their own retries.
    Ok(loader.load().await.into_builder().retry_config(RetryConfig::disabled()).build())
}

fn bundle() -> Result<Option<Vec<u8>>, BundleError> {
    match std::env::var_os("AWS_CA_BUNDLE") {
        Some(path) if !path.is_empty() => read_bundle(path.into()).map(Some),
        _ => Ok(None),
    }
}

pub(super) fn identity_cache() -> aws_smithy_runtime_api::client::identity::SharedIdentityCache {
    IdentityCache::lazy().load_timeout(CREDENTIALS_WITHIN).build()
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT_WITHIN).operation_attempt_timeout(ATTEMPT_WITHIN).build()
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_local_account_needs_twelve_digits_and_an_endpoint() {
        let settings = |account: &str, endpoint: Option<&str>| Settings {
            local_account: Some(account.into()),
            endpoint: endpoint.map(str::to_owned),
            ..Settings::default()
        };
        let error = Clients::load(settings("123", Some("http://127.0.0.1:1"))).await.unwrap_err();
        assert!(matches!(error, ClientsError::LocalAccount(_)), "{error}");
        let error = Clients::load(settings("123456789012", None)).await.unwrap_err();
        assert!(matches!(error, ClientsError::LocalWithoutEndpoint(_)), "{error}");
        let error = Clients::load(settings("123456789012", Some("localhost:4566"))).await.unwrap_err();
        assert!(matches!(error, ClientsError::Endpoint(_)), "{error}");
    }

    #[tokio::test]
    async fn sessions_of_one_target_share_their_clients_and_iam_shares_its_limiter() {
        let clients = Clients::load(Settings {
            local_account: Some("123456789012".into()),
            endpoint: Some("http://127.0.0.1:1".into()),
            ..Settings::default()
        })
        .await
        .unwrap();
        let target = |region: &str| Target { account: None, region: region.into() };
        let (first, second) =
            (clients.session(&target("eu-west-1")).unwrap(), clients.session(&target("eu-west-1")).unwrap());
        assert!(Arc::ptr_eq(&first.place, &second.place));
        let elsewhere = clients.session(&target("us-east-1")).unwrap();
        first.limiter("iam", true);
        elsewhere.limiter("iam", true);
        first.limiter("s3", true);
        elsewhere.limiter("s3", true);
        assert_eq!(lock(&clients.shared.limiters).len(), 3);
        let foreign = Target { account: Some("210987654321".into()), region: "eu-west-1".into() };
        assert_eq!(clients.session(&foreign).unwrap_err().kind, FaultKind::Invalid);
    }
}
