//! Accounts beside the caller's own: getting into them, once for each.

use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::SdkConfig;
use aws_types::region::Region;
use s3stack_engine::fault::{Fault, FaultKind};
use s3stack_engine::state::SignIn;

use super::clients::{Caller, Clients, ClientsError, Session, Settings, Target, from_environment, local};

/// An account that the clients can call.
#[derive(Debug, Clone)]
pub(super) struct SignedIn {
    /// Credentials and everything else.
    pub sdk: SdkConfig,
    /// Who the caller is there.
    pub caller: Caller,
}

impl Clients {
    /// Gets into an account; from then on there are clients for it. `local_account` is what it is called by in the private
    /// AWS, where nobody signs in.
    ///
    /// # Errors
    /// Whatever keeps the caller out.
    pub async fn sign_in(&self, way: &SignIn, local_account: Option<&str>) -> Result<Caller, Fault> {
        let sdk = match local_account {
            Some(account) => self.local_sdk(account),
            None => sdk_for(self.sdk(), way).await,
        };
        let sdk = sdk.map_err(|error| Fault::local(FaultKind::Invalid, "credentials", error.to_string()))?;
        let caller = self.identity_by(&sdk).await?;
        if let Some(wanted) = way.account_id.as_ref().filter(|wanted| **wanted != caller.account_id) {
            let message = format!(
                "the account is to be {wanted}, and the caller is {} of account {}",
                caller.arn, caller.account_id
            );
            return Err(Fault::local(FaultKind::Invalid, "account", message));
        }
        self.add_account(SignedIn { sdk, caller: caller.clone() });
        Ok(caller)
    }

    /// The clients for global services of an account.
    ///
    /// # Errors
    /// If the account is none that was signed in to, or no region is set.
    pub fn global(&self, account: &str) -> Result<Session, Fault> {
        let region = self.region_of(account).map_or_else(|| self.region().map(str::to_owned), Ok)?;
        self.session(&Target { account: Some(account.to_owned()), region })
    }

    fn local_sdk(&self, account: &str) -> Result<SdkConfig, ClientsError> {
        let here = self.sdk();
        local(
            account,
            &Settings {
                region: here.region().map(ToString::to_string),
                endpoint: here.endpoint_url().map(str::to_owned),
                ..Settings::default()
            },
        )
    }
}

/// Everything that is needed to call as `way` says, by credentials that may do so.
pub(super) async fn sdk_for(here: &SdkConfig, way: &SignIn) -> Result<SdkConfig, ClientsError> {
    let region = way.region.clone().or_else(|| here.region().map(ToString::to_string));
    let base = match &way.profile {
        Some(profile) => {
            let endpoint = here.get_origin("endpoint_url").is_client_config();
            let endpoint = here.endpoint_url().filter(|_| endpoint).map(str::to_owned);
            let profile = Some(profile.clone());
            from_environment(&Settings { region, profile, endpoint, ..Settings::default() }).await?
        }
        None => here.to_builder().region(region.map(Region::new)).build(),
    };
    let Some(role) = &way.role_arn else { return Ok(base) };
    let session = way.session_name.as_deref().unwrap_or("s3stack");
    let mut provider = AssumeRoleProvider::builder(role).session_name(session).configure(&base);
    if let Some(id) = &way.external_id {
        provider = provider.external_id(id);
    }
    let provider = SharedCredentialsProvider::new(provider.build().await);
    // What the base has cached are its own credentials.
    Ok(base.into_builder().credentials_provider(provider).identity_cache(super::clients::identity_cache()).build())
}
