//! Says what to do when the credentials are what is wrong.

use std::borrow::Cow;

use aws_types::os_shim_internal::{Env, Fs};
use s3stack_engine::fault::{Fault, FaultKind};

use super::fault::CredentialsTrouble;

/// Where the credentials come from, as far as the next step depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// The profile in use, unless it is the default one.
    profile: Option<String>,
    /// Whether no profile file has it.
    unknown: bool,
    /// Whether that profile signs in through IAM Identity Center.
    sso: bool,
    /// Whether the access key stands in the environment, which wins over every profile but a named one.
    environment: bool,
}

impl Source {
    /// Looks at the environment and the profile files. `profile` is the one named by the user's settings.
    pub(super) async fn find(profile: Option<&str>) -> Self {
        let environment = profile.is_none() && std::env::var_os("AWS_ACCESS_KEY_ID").is_some();
        let set = aws_config::profile::load(
            &Fs::real(),
            &Env::real(),
            &Default::default(),
            profile.map(|name| Cow::Owned(name.to_owned())),
        )
        .await
        .ok();
        let name = set.as_ref().map(|set| set.selected_profile()).or(profile).filter(|name| *name != "default");
        let found = set.as_ref().and_then(|set| set.get_profile(set.selected_profile()));
        let sso = found.is_some_and(|found| found.get("sso_session").or(found.get("sso_start_url")).is_some());
        Self {
            profile: name.map(str::to_owned),
            unknown: set.is_some() && found.is_none(),
            sso: sso && !environment,
            environment,
        }
    }

    fn login(&self) -> String {
        match &self.profile {
            Some(profile) => format!("aws sso login --profile {profile}"),
            None => "aws sso login".into(),
        }
    }
}

/// Puts the next step behind AWS's message, or in place of the SDK's where that is about its own inside.
pub(super) fn explain(trouble: CredentialsTrouble, source: &Source, fault: Fault) -> Fault {
    use CredentialsTrouble::*;
    let profile = source.profile.as_deref().unwrap_or("default");
    let (kind, message) = match trouble {
        Missing if source.unknown && source.profile.is_some() => (
            FaultKind::Denied,
            format!(
                "there is no profile {profile} in ~/.aws/config or ~/.aws/credentials: correct AWS_PROFILE or the option, or run `aws configure --profile {profile}`"
            ),
        ),
        Missing => (
            FaultKind::Denied,
            "no AWS credentials were found. Run `aws sso login` or `aws configure`, or set AWS_PROFILE, or \
             AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; `--local` needs none"
                .into(),
        ),
        // A signed-out session is an end like any other, however deep in the chain it shows.
        Failed if source.sso => (
            FaultKind::Expired,
            format!(
                "the sign-in of profile {profile} has ended or was never made: run `{}` ({})",
                source.login(),
                fault.message
            ),
        ),
        Failed => (
            fault.kind,
            format!(
                "the credentials of profile {profile} could not be had: {}; see `aws sts get-caller-identity`",
                fault.message
            ),
        ),
        Expired if source.sso => (FaultKind::Expired, format!("{}; run `{}`", fault.message, source.login())),
        Expired if source.environment => (
            FaultKind::Expired,
            format!(
                "{}; put new credentials into AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN",
                fault.message
            ),
        ),
        Expired => (FaultKind::Expired, format!("{}; renew the credentials of profile {profile}", fault.message)),
        Unknown if source.environment => (
            FaultKind::Denied,
            format!("{}; check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN", fault.message),
        ),
        Unknown => (
            FaultKind::Denied,
            format!("{}; check the access key of profile {profile}, or set AWS_PROFILE", fault.message),
        ),
    };
    // An earlier attempt that may have taken effect outweighs the credentials' state.
    let kind = if fault.kind == FaultKind::Uncertain { FaultKind::Uncertain } else { kind };
    Fault { kind, message, ..fault }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(profile: Option<&str>, sso: bool, environment: bool) -> Source {
        Source { profile: profile.map(str::to_owned), unknown: false, sso, environment }
    }

    fn fault(kind: FaultKind) -> Fault {
        Fault::local(kind, "GetCallerIdentity", "why")
    }

    #[test]
    fn missing_credentials_name_every_way_to_get_some() {
        let found = explain(CredentialsTrouble::Missing, &source(None, false, false), fault(FaultKind::Denied));
        assert_eq!(found.kind, FaultKind::Denied);
        for way in ["aws sso login", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "--local"] {
            assert!(found.message.contains(way), "{}", found.message);
        }
    }

    #[test]
    fn an_ended_sign_in_names_the_command_with_its_profile() {
        let found = explain(CredentialsTrouble::Failed, &source(Some("dev"), true, false), fault(FaultKind::Denied));
        assert_eq!(found.kind, FaultKind::Expired);
        assert!(found.message.contains("`aws sso login --profile dev`"), "{}", found.message);
    }

    #[test]
    fn what_aws_said_stays_in_front() {
        for trouble in [CredentialsTrouble::Expired, CredentialsTrouble::Unknown] {
            for environment in [false, true] {
                let found = explain(trouble, &source(None, false, environment), fault(FaultKind::Expired));
                assert!(found.message.starts_with("why; "), "{}", found.message);
                assert_eq!(found.message.contains("AWS_SESSION_TOKEN"), environment);
            }
        }
    }

    #[test]
    fn an_uncertain_call_stays_uncertain() {
        let found = explain(CredentialsTrouble::Expired, &source(None, true, false), fault(FaultKind::Uncertain));
        assert_eq!(found.kind, FaultKind::Uncertain);
    }
}
