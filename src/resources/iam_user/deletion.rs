//! Deletes a user, and before that what belongs to it. What somebody gave it by hand to log in with is only deleted where
//! the stack file says so (`force_destroy`).

use futures_util::future::try_join_all;
use s3stack_engine::fault::{Fault, FaultKind};
use s3stack_engine::value::Value;

use super::groups;
use crate::aws::{Operation, Session, rules};
use crate::resources::Delete;
use crate::resources::iam::attachments;
use crate::resources::iam::holder::{Holder, Kind};
use crate::resources::iam::names::is_dependent;
use crate::resources::members::{gone_is_done, unless_missing, value};

/// Without waiting for what was detached to be gone: something may stand in the way that nobody has removed yet.
const DELETE: Operation = Operation::idempotent("iam", "DeleteUser").retrying(rules::IAM_DETACH);
const DELETE_EMPTIED: Operation = Operation::idempotent("iam", "DeleteUser").retrying(rules::IAM_DELETE);

const LIST_KEYS: Operation = Operation::read("iam", "ListAccessKeys");
const DELETE_KEY: Operation = Operation::idempotent("iam", "DeleteAccessKey").retrying(rules::IAM_DETACH);
const GET_LOGIN: Operation = Operation::read("iam", "GetLoginProfile");
const DELETE_LOGIN: Operation = Operation::idempotent("iam", "DeleteLoginProfile").retrying(rules::IAM_DETACH);
const LIST_MFA: Operation = Operation::read("iam", "ListMFADevices");
const DEACTIVATE_MFA: Operation = Operation::idempotent("iam", "DeactivateMFADevice").retrying(rules::IAM_DETACH);
const DELETE_VIRTUAL_MFA: Operation =
    Operation::idempotent("iam", "DeleteVirtualMFADevice").retrying(rules::IAM_DETACH);
const LIST_CERTIFICATES: Operation = Operation::read("iam", "ListSigningCertificates");
const DELETE_CERTIFICATE: Operation =
    Operation::idempotent("iam", "DeleteSigningCertificate").retrying(rules::IAM_DETACH);
const LIST_SSH: Operation = Operation::read("iam", "ListSSHPublicKeys");
const DELETE_SSH: Operation = Operation::idempotent("iam", "DeleteSSHPublicKey").retrying(rules::IAM_DETACH);
const LIST_SERVICE: Operation = Operation::read("iam", "ListServiceSpecificCredentials");
const DELETE_SERVICE: Operation =
    Operation::idempotent("iam", "DeleteServiceSpecificCredential").retrying(rules::IAM_DETACH);

/// Deletes the user; a missing one is success.
///
/// # Errors
/// What stands in the way, where that is none of the stack's and `force_destroy` is not on.
pub(super) async fn delete(session: &Session, delete: &Delete) -> Result<(), Fault> {
    let name = delete.physical_id.as_str();
    let holder = Holder { session, kind: Kind::User, name };
    let force = value(&delete.memory, "force_destroy") == &Value::Bool(true);
    // Before anything is taken away: whoever uses a key that is none of the stack's must not lose what it allows to a
    // deletion that is refused in the end.
    if !force {
        match credentials(session, name, &COMMON).await {
            Err(fault) if fault.kind == FaultKind::NotFound => return Ok(()),
            found => {
                if let Some(message) = in_the_way(delete, &found?) {
                    return Err(Fault::local(FaultKind::Dependency, DELETE.name, message));
                }
            }
        }
    }
    for arn in attachments::arns(value(&delete.managed, "policies")) {
        holder.detach(&arn).await?;
    }
    for policy in value(&delete.managed, "inline_policies").as_map().into_iter().flat_map(|map| map.keys()) {
        holder.delete_inline(policy).await?;
    }
    for group in groups::names(value(&delete.managed, "groups")) {
        groups::leave(session, name, &group).await?;
    }
    let refused = match delete_user(session, name, DELETE).await {
        Err(fault) if fault.is_code(&["DeleteConflict"]) => fault,
        answer => return answer,
    };
    if unless_missing(empty(&holder).await)?.is_none() {
        return Ok(());
    }
    // The rarer kinds are only asked for where none of the common ones was there.
    for kinds in [&COMMON, &RARE] {
        let found = match credentials(session, name, kinds).await {
            Err(fault) if fault.kind == FaultKind::NotFound => return Ok(()),
            found => found?,
        };
        if let Some(message) = in_the_way(delete, &found).filter(|_| !force) {
            return Err(Fault { message: format!("{}; {message}", refused.message), ..refused });
        }
        // A key of the stack that is listed still was deleted a moment ago.
        if found.is_empty() || !force {
            continue;
        }
        for (kind, id) in &found {
            kind.delete(session, name, id).await?;
        }
        match delete_user(session, name, DELETE).await {
            Err(fault) if fault.is_code(&["DeleteConflict"]) => {}
            answer => return answer,
        }
    }
    delete_user(session, name, DELETE_EMPTIED).await
}

async fn delete_user(session: &Session, name: &str, operation: Operation) -> Result<(), Fault> {
    let iam = session.iam();
    gone_is_done(session.call(operation, || iam.delete_user().user_name(name).send()).await.map(drop))
}

/// Takes policies and groups away that somebody added by hand.
async fn empty(holder: &Holder<'_>) -> Result<(), Fault> {
    for arn in holder.attached().await? {
        holder.detach(&arn).await?;
    }
    for policy in holder.inline_names().await? {
        holder.delete_inline(&policy).await?;
    }
    for group in groups::list(holder.session, holder.name).await? {
        groups::leave(holder.session, holder.name, &group).await?;
    }
    Ok(())
}

/// The credentials that a user has, of some kinds.
///
/// # Errors
/// [`FaultKind::NotFound`] if there is no such user.
async fn credentials(
    session: &Session,
    user: &str,
    kinds: &[Credential],
) -> Result<Vec<(Credential, String)>, Fault> {
    let found = kinds.iter().map(async |kind| {
        let ids = kind.of(session, user).await?;
        Ok(ids.into_iter().map(|id| (*kind, id)).collect::<Vec<_>>())
    });
    Ok(try_join_all(found).await?.concat())
}

/// What is to be said of credentials that are none of the stack's.
fn in_the_way(delete: &Delete, found: &[(Credential, String)]) -> Option<String> {
    let is_ours = |kind, id: &str| kind == Credential::Key && is_dependent(&delete.dependents, "iam.access_key", id);
    let others = found.iter().filter(|(kind, id)| !is_ours(*kind, id));
    let shown: Vec<String> = others.map(|(kind, id)| format!("{} {id}", kind.word())).collect();
    let message = format!(
        "user {} has {}, which this stack did not make: delete what nobody needs, or write `force_destroy = true` into \
         the block, apply, and delete it then",
        delete.physical_id,
        shown.join(", ")
    );
    (!shown.is_empty()).then_some(message)
}

/// What a user can log in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Credential {
    Key,
    Password,
    Mfa,
    Certificate,
    Ssh,
    Service,
}

const COMMON: [Credential; 3] = [Credential::Key, Credential::Password, Credential::Mfa];
const RARE: [Credential; 3] = [Credential::Certificate, Credential::Ssh, Credential::Service];

impl Credential {
    fn word(self) -> &'static str {
        match self {
            Self::Key => "the access key",
            Self::Password => "a password for",
            Self::Mfa => "the MFA device",
            Self::Certificate => "the signing certificate",
            Self::Ssh => "the SSH key",
            Self::Service => "the service-specific credential",
        }
    }

    /// Those that a user has, by identifier. Each kind has few at most (two keys, eight MFA devices, five SSH keys), so the
    /// first page is all.
    async fn of(self, session: &Session, user: &str) -> Result<Vec<String>, Fault> {
        let iam = session.iam();
        Ok(match self {
            Self::Key => {
                let answer = session.call(LIST_KEYS, || iam.list_access_keys().user_name(user).send()).await?;
                answer.access_key_metadata.into_iter().filter_map(|key| key.access_key_id).collect()
            }
            Self::Password => {
                let answer = session.call(GET_LOGIN, || iam.get_login_profile().user_name(user).send()).await;
                unless_missing(answer)?.map(|_| "the console".to_owned()).into_iter().collect()
            }
            Self::Mfa => {
                let answer = session.call(LIST_MFA, || iam.list_mfa_devices().user_name(user).send()).await?;
                answer.mfa_devices.into_iter().map(|device| device.serial_number).collect()
            }
            Self::Certificate => {
                let send = || iam.list_signing_certificates().user_name(user).send();
                let answer = session.call(LIST_CERTIFICATES, send).await?;
                answer.certificates.into_iter().map(|one| one.certificate_id).collect()
            }
            Self::Ssh => {
                let answer = session.call(LIST_SSH, || iam.list_ssh_public_keys().user_name(user).send()).await?;
                answer.ssh_public_keys.unwrap_or_default().into_iter().map(|key| key.ssh_public_key_id).collect()
            }
            Self::Service => {
                let send = || iam.list_service_specific_credentials().user_name(user).send();
                let answer = session.call(LIST_SERVICE, send).await?;
                let found = answer.service_specific_credentials.unwrap_or_default();
                found.into_iter().map(|one| one.service_specific_credential_id).collect()
            }
        })
    }

    /// Deletes one; a missing one is success.
    async fn delete(self, session: &Session, user: &str, id: &str) -> Result<(), Fault> {
        let iam = session.iam();
        let answer = match self {
            Self::Key => {
                let send = || iam.delete_access_key().user_name(user).access_key_id(id).send();
                session.call(DELETE_KEY, send).await.map(drop)
            }
            Self::Password => {
                session.call(DELETE_LOGIN, || iam.delete_login_profile().user_name(user).send()).await.map(drop)
            }
            Self::Mfa => {
                let send = || iam.deactivate_mfa_device().user_name(user).serial_number(id).send();
                gone_is_done(session.call(DEACTIVATE_MFA, send).await.map(drop))?;
                // A virtual device is a resource of its own, with an ARN for a serial number.
                if !id.starts_with("arn:") || !id.contains(":mfa/") {
                    return Ok(());
                }
                let send = || iam.delete_virtual_mfa_device().serial_number(id).send();
                session.call(DELETE_VIRTUAL_MFA, send).await.map(drop)
            }
            Self::Certificate => {
                let send = || iam.delete_signing_certificate().user_name(user).certificate_id(id).send();
                session.call(DELETE_CERTIFICATE, send).await.map(drop)
            }
            Self::Ssh => {
                let send = || iam.delete_ssh_public_key().user_name(user).ssh_public_key_id(id).send();
                session.call(DELETE_SSH, send).await.map(drop)
            }
            Self::Service => {
                let send = || {
                    let call = iam.delete_service_specific_credential().user_name(user);
                    call.service_specific_credential_id(id).send()
                };
                session.call(DELETE_SERVICE, send).await.map(drop)
            }
        };
        gone_is_done(answer)
    }
}
