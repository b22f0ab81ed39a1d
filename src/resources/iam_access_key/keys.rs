//! The calls about access keys.

use aws_sdk_iam::types::StatusType;
use s3stack_engine::fault::{Fault, FaultKind};

use crate::aws::{Operation, Session, rules};

const LIST: Operation = Operation::read("iam", "ListAccessKeys");
/// Only where the user is known to exist.
const LIST_OF_NEW: Operation = Operation::read("iam", "ListAccessKeys").retrying(rules::IAM_CHANGE);
const LAST_USED: Operation = Operation::read("iam", "GetAccessKeyLastUsed");
const CREATE: Operation = Operation::once("iam", "CreateAccessKey").retrying(rules::IAM_CHANGE);
const UPDATE: Operation = Operation::idempotent("iam", "UpdateAccessKey").retrying(rules::IAM_DETACH);
const DELETE: Operation = Operation::idempotent("iam", "DeleteAccessKey").retrying(rules::IAM_DETACH);

/// How many keys AWS allows a user.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
pub(super) const MOST: usize = 2;

/// A key as a listing tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// Its id.
    pub id: String,
    /// Whether it works.
    pub active: bool,
    /// When it was made, seconds since 1970.
    pub made: i64,
}

/// A user whose keys calls are about.
#[derive(Clone, Copy)]
pub(super) struct User<'a> {
    /// The way to AWS.
    pub session: &'a Session,
    /// The user's name.
    pub name: &'a str,
}

impl User<'_> {
    /// The user's keys; `None` if there is no such user.
    ///
    /// # Errors
    /// The call failed.
    pub async fn keys(self) -> Result<Option<Vec<Key>>, Fault> {
        match self.list(LIST).await {
            Err(fault) if fault.kind == FaultKind::NotFound => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// The keys of a user that is known to exist, though perhaps not for long.
    ///
    /// # Errors
    /// The call failed; [`FaultKind::NotFound`] if the user stays invisible.
    pub async fn keys_of_new(self) -> Result<Vec<Key>, Fault> {
        self.list(LIST_OF_NEW).await
    }

    async fn list(self, operation: Operation) -> Result<Vec<Key>, Fault> {
        let iam = self.session.iam();
        let (mut found, mut marker) = (Vec::new(), None::<String>);
        loop {
            let send = || iam.list_access_keys().user_name(self.name).set_marker(marker.clone()).send();
            let page = self.session.call(operation, send).await?;
            found.extend(page.access_key_metadata.into_iter().map(|key| Key {
                id: key.access_key_id.unwrap_or_default(),
                active: key.status == Some(StatusType::Active),
                made: key.create_date.map_or(0, |date| date.secs()),
            }));
            marker = page.marker.filter(|_| page.is_truncated);
            if marker.is_none() {
                return Ok(found);
            }
        }
    }

    /// Makes a key: its id and secret.
    ///
    /// # Errors
    /// The call failed; [`FaultKind::Uncertain`] also if the answer is incomplete.
    pub async fn create(self) -> Result<(String, String), Fault> {
        let iam = self.session.iam();
        let answer = self.session.call(CREATE, || iam.create_access_key().user_name(self.name).send()).await?;
        match answer.access_key {
            Some(key) if !key.access_key_id.is_empty() && !key.secret_access_key.is_empty() => {
                Ok((key.access_key_id, key.secret_access_key))
            }
            _ => Err(Fault {
                service: CREATE.service.into(),
                ..Fault::local(FaultKind::Uncertain, CREATE.name, "the answer has no key in it")
            }),
        }
    }

    /// Whether nobody has ever called AWS with a key. AWS notes the first use within minutes.
    ///
    /// # Errors
    /// The call failed.
    pub async fn is_unused(self, id: &str) -> Result<bool, Fault> {
        let iam = self.session.iam();
        let answer = self.session.call(LAST_USED, || iam.get_access_key_last_used().access_key_id(id).send()).await?;
        Ok(answer.access_key_last_used.is_none_or(|used| used.last_used_date.is_none()))
    }

    /// Makes a key work, or not.
    ///
    /// # Errors
    /// The call failed.
    pub async fn set_active(self, id: &str, active: bool) -> Result<(), Fault> {
        let iam = self.session.iam();
        let status = if active { StatusType::Active } else { StatusType::Inactive };
        let send = || iam.update_access_key().user_name(self.name).access_key_id(id).status(status.clone()).send();
        self.session.call(UPDATE, send).await.map(drop)
    }

    /// Makes a key inactive; one that is gone is success.
    ///
    /// # Errors
    /// A call failed.
    pub async fn deactivate(self, id: &str) -> Result<(), Fault> {
        match self.set_active(id, false).await {
            Err(fault) if fault.kind == FaultKind::NotFound => Ok(()),
            answer => answer,
        }
    }

    /// Makes a key inactive and deletes it; one that is gone is success.
    ///
    /// # Errors
    /// A call failed.
    pub async fn delete(self, id: &str) -> Result<(), Fault> {
        self.deactivate(id).await?;
        self.delete_inactive(id).await
    }

    /// Deletes a key that nobody can use any more; one that is gone is success.
    ///
    /// # Errors
    /// A call failed.
    pub async fn delete_inactive(self, id: &str) -> Result<(), Fault> {
        let iam = self.session.iam();
        let send = || iam.delete_access_key().user_name(self.name).access_key_id(id).send();
        match self.session.call(DELETE, send).await {
            Err(fault) if fault.kind == FaultKind::NotFound => Ok(()),
            answer => answer.map(drop),
        }
    }
}
