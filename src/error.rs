//! What can go wrong in a command, in one type: everything a user sees comes out of here as diagnostics.

use s3stack_engine::diagnostic::{Diagnostic, Diagnostics};
use s3stack_engine::fault::{Fault, FaultKind};
use s3stack_engine::state::StateError;

use crate::aws::{ClientsError, iam_action, is_unknown_key};
use crate::backend::StoreError;
use crate::backend::lease::LeaseError;
use crate::driver::with_causes;
use crate::local::LocalError;

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something is wrong with the files, the state or the account, and each of these says what.
    #[error("{} problems", .0.0.len())]
    Diagnostics(Diagnostics),
    /// A call failed that everything else waits for.
    #[error("{doing} failed")]
    Fault {
        /// What was being done.
        doing: String,
        /// What the service said.
        #[source]
        fault: Fault,
    },
    /// The backend failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The lease could not be had or kept.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The local AWS failed.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// The clients could not be made.
    #[error(transparent)]
    Clients(#[from] ClientsError),
    /// The state cannot be used.
    #[error("the state at {place} cannot be used")]
    State {
        /// Where.
        place: String,
        /// Why.
        #[source]
        source: StateError,
    },
    /// A file operation failed.
    #[error("{doing} {path} failed")]
    Io {
        /// What was tried: `reading`.
        doing: &'static str,
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The tool itself refuses, and says what to do.
    #[error("{message}")]
    Refused {
        /// The rule's code.
        code: &'static str,
        /// What is wrong.
        message: String,
        /// What next.
        help: String,
    },
}

impl Error {
    /// A refusal with its next step.
    pub fn refused(code: &'static str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Refused { code, message: message.into(), help: help.into() }
    }

    /// A failed call.
    pub fn fault(doing: impl Into<String>) -> impl FnOnce(Fault) -> Self {
        let doing = doing.into();
        move |fault| Self::Fault { doing, fault }
    }

    /// A file operation that failed.
    pub fn io(doing: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::Io { doing, path, source }
    }

    /// The error as diagnostics, causes and next steps included.
    pub fn into_diagnostics(self) -> Diagnostics {
        let one = |code: &'static str, message: String, help: Option<String>| {
            let mut diagnostic = Diagnostic::error(code, message);
            diagnostic.help = help;
            Diagnostics(vec![diagnostic])
        };
        match self {
            Self::Diagnostics(diagnostics) => diagnostics,
            Self::Fault { doing, fault } => {
                Diagnostics(vec![Diagnostic { help: next_step(&fault), ..fault_diagnostic(&doing, &fault) }])
            }
            Self::Store(error) => one("S3S-S1", with_causes(&error), store_help(&error)),
            Self::Lease(error) => {
                let help = match &error {
                    LeaseError::Store(store) => store_help(store),
                    _ => error.help(),
                };
                one("S3S-S2", with_causes(&error), help)
            }
            Self::Local(error) => one("S3S-S3", with_causes(&error), None),
            Self::Clients(error) => one("S3S-X1", with_causes(&error), None),
            error @ Self::State { .. } => {
                let help = match &error {
                    Self::State { source: StateError::Newer { .. }, .. } => {
                        "use that version of s3stack, or a later one"
                    }
                    _ => "put an earlier one back with `s3stack state restore`; nothing was changed",
                };
                one("S3S-S4", with_causes(&error), Some(help.into()))
            }
            Self::Io { doing, path, source } => {
                let help = io_help(&source);
                one("S3S-L1", with_causes(&Self::Io { doing, path, source }), help.map(str::to_owned))
            }
            Self::Refused { code, message, help } => one(code, message, Some(help)),
        }
    }
}

/// What to do about a backend that failed.
fn store_help(error: &StoreError) -> Option<String> {
    error.help().or_else(|| match error {
        StoreError::Fault { fault, .. } => next_step(fault),
        StoreError::Io { source, .. } => io_help(source).map(str::to_owned),
        _ => None,
    })
}

/// What to do about a file that cannot be used, where that can be said.
fn io_help(error: &std::io::Error) -> Option<&'static str> {
    use std::io::ErrorKind;
    Some(match error.kind() {
        ErrorKind::NotFound => "check the path, from the folder that the command runs in",
        ErrorKind::PermissionDenied => "give whoever runs this the right to it, or run it as its owner",
        ErrorKind::IsADirectory => "name a file",
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => "name a folder, or a path at which there is nothing yet",
        ErrorKind::ReadOnlyFilesystem => "use a folder that can be written to",
        ErrorKind::StorageFull => "make room, and run the same command again",
        _ => return None,
    })
}

/// A failed call as a diagnostic, with everything AWS said.
pub fn fault_diagnostic(doing: &str, fault: &Fault) -> Diagnostic {
    let mut diagnostic = Diagnostic::error("S3S-X2", format!("{doing} failed")).note(fault.to_string());
    diagnostic.help = next_step(fault);
    diagnostic
}

/// What to do about a fault, where that can be said.
pub fn next_step(fault: &Fault) -> Option<String> {
    if fault.service == "s3stack" {
        // The tool's own faults say what to do themselves.
        return None;
    }
    let action = iam_action(&fault.service, &fault.operation);
    Some(match fault.kind {
        // Nothing was sent, for want of credentials; the message says what is wrong with them.
        FaultKind::Denied if fault.code.is_none() && fault.request_id.is_none() => {
            "sign in (`aws sso login`, `aws configure`), or choose a profile with AWS_PROFILE; --local needs no account"
                .into()
        }
        FaultKind::Denied if is_unknown_key(fault) => {
            "AWS does not know these credentials: check AWS_PROFILE, or the keys in the environment".into()
        }
        // IAM names the kind of policy in its message: "with an explicit deny in a service control policy".
        FaultKind::Denied if fault.says("explicit deny") => {
            format!(
                "a policy denies {action} explicitly: allowing it elsewhere does not help, that policy has to change"
            )
        }
        FaultKind::Denied => format!("allow {action} to the principal that runs this, if it shall do so"),
        FaultKind::Expired => {
            "renew the credentials (`aws sso login`, or new keys in the environment) and run the same \
                               command again: what was done is recorded"
                .into()
        }
        FaultKind::Throttled => {
            "AWS asks to be called less often; try again in a minute, or with a lower --parallelism".into()
        }
        FaultKind::Uncertain => {
            "nobody knows whether it took effect; run the same command again, it will look first".into()
        }
        FaultKind::NotFound => "it, or something that it names, is not there (any more); plan again".into(),
        FaultKind::Conflict => "something else is changing it, or made it meanwhile; plan again".into(),
        FaultKind::Dependency => {
            "AWS does not see yet, or any more, what this relies on; run the same command again".into()
        }
        FaultKind::Invalid => "AWS refuses this as it is: correct what it names".into(),
        FaultKind::Stopped | FaultKind::Other => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_credentials_the_next_step_is_to_get_some() {
        let fault = |code: Option<&str>, request_id: Option<&str>| Fault {
            kind: FaultKind::Denied,
            service: "sts".into(),
            operation: "GetCallerIdentity".into(),
            code: code.map(str::to_owned),
            message: "no AWS credentials were found".into(),
            request_id: request_id.map(str::to_owned),
        };
        let unsent = fault(None, None);
        assert!(next_step(&unsent).unwrap().contains("AWS_PROFILE"));
        assert_eq!(unsent.to_string(), "sts:GetCallerIdentity got no answer: no AWS credentials were found");
        assert!(
            next_step(&fault(Some("InvalidClientTokenId"), Some("r")))
                .unwrap()
                .contains("does not know these credentials")
        );
        // A HEAD request is refused without a code.
        let refused = fault(None, Some("r"));
        assert_eq!(
            next_step(&refused).unwrap(),
            "allow sts:GetCallerIdentity to the principal that runs this, if it shall do so"
        );
    }

    #[test]
    fn a_backend_that_is_denied_has_a_next_step() {
        let fault = Fault {
            kind: FaultKind::Denied,
            service: "s3".into(),
            operation: "GetObject".into(),
            code: Some("AccessDenied".into()),
            message: "Access Denied".into(),
            request_id: Some("r".into()),
        };
        let error = StoreError::Fault { place: "s3://b/k".into(), fault: Box::new(fault) };
        let help = Error::Store(error).into_diagnostics().0.remove(0).help.unwrap();
        assert!(help.contains("allow s3:GetObject"), "{help}");
    }

    #[test]
    fn a_file_that_is_not_there_has_a_next_step() {
        let error = Error::Io { doing: "reading", path: "x.toml".into(), source: std::io::ErrorKind::NotFound.into() };
        assert!(error.into_diagnostics().0[0].help.is_some());
    }
}
