//! Where a stack keeps its state, the state as it is stored there, and what is said of one that is another stack's or has a run.

use std::path::PathBuf;
use std::sync::Arc;

use s3stack_engine::diagnostic::Diagnostic;
use s3stack_engine::state::{State, StateError};

use super::{Reach, Reading, private_folder};
use crate::aws::Clients;
use crate::backend::file::FileStore;
use crate::backend::s3::S3Store;
use crate::backend::{Condition, Document, Store, StoreError};
use crate::error::Error;
use crate::project::{Backend, Project};

/// The folder that a stack's state is in, where it is in one.
fn state_folder(project: &Project, local: bool) -> PathBuf {
    let own = private_folder(&project.folder);
    let root = match &project.settings.backend {
        Backend::File { path } if !local => {
            path.as_ref().map_or_else(|| own.join("state"), |path| project.folder.join(path))
        }
        Backend::File { .. } | Backend::S3 { .. } => own.join("local/state"),
    };
    root.join(&project.environment)
}

/// Where a stack keeps its state, if that is on this machine.
pub fn at_hand(project: &Project, local: bool) -> Option<FileStore> {
    let elsewhere = !local && matches!(project.settings.backend, Backend::S3 { .. });
    (!elsewhere).then(|| FileStore::new(state_folder(project, local)))
}

/// Where a stack keeps its state.
///
/// # Errors
/// If no clients can be made for it.
pub async fn store(project: &Project, region: &str, clients: &Clients, reach: &Reach) -> Result<Arc<dyn Store>, Error> {
    match &project.settings.backend {
        Backend::File { .. } => Ok(Arc::new(FileStore::new(state_folder(project, reach.is_local())))),
        Backend::S3 { .. } if reach.is_local() => Ok(Arc::new(FileStore::new(state_folder(project, true)))),
        Backend::S3 { bucket, key, region: there, profile } => {
            let key = key.as_deref().unwrap_or(&project.settings.name);
            let place = InBucket { bucket, key, region: there.as_deref(), profile: profile.as_deref() };
            place.store(&project.environment, region, clients, reach).await
        }
    }
}

/// Where in a bucket a state is, and how the bucket is reached.
pub struct InBucket<'a> {
    pub bucket: &'a str,
    pub key: &'a str,
    /// The bucket's region, where it is not that of the stack at hand.
    pub region: Option<&'a str>,
    /// The profile that may use it, where it is not the one at hand.
    pub profile: Option<&'a str>,
}

impl InBucket<'_> {
    /// The state of an environment there; `here` is the region of the stack at hand, and `own` its clients.
    ///
    /// # Errors
    /// If no clients can be made for it.
    pub async fn store(
        &self,
        environment: &str,
        here: &str,
        own: &Clients,
        reach: &Reach,
    ) -> Result<Arc<dyn Store>, Error> {
        let clients = if self.region.is_some() || self.profile.is_some() {
            let mut settings = reach.settings(Some(self.region.unwrap_or(here).to_owned()));
            settings.profile = self.profile.map(str::to_owned);
            Clients::load(settings).await?
        } else {
            own.clone()
        };
        let session = clients.home().map_err(Error::fault("reaching the backend"))?;
        Ok(Arc::new(S3Store::new(session.s3().clone(), self.bucket, &format!("{}/{environment}", self.key))))
    }
}

/// The state of a stack, and what the next write of it is bound to.
///
/// # Errors
/// If it cannot be read, or is that of another stack.
pub async fn read_state(
    project: &Project,
    store: &dyn Store,
    local: bool,
    reading: Reading,
) -> Result<(State, Condition), Error> {
    let id = project.settings.id.clone().filter(|_| !local);
    let lineage = || id.clone().unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    let empty = || State::new(lineage(), project.settings.name.clone(), project.environment.clone());
    let stored = match store.read(Document::State).await {
        Err(StoreError::Vanished { .. }) if reading == Reading::Repair => None,
        stored => stored?,
    };
    let Some(stored) = stored else { return Ok((empty(), Condition::Absent)) };
    let state = match State::from_json(&stored.bytes) {
        // One of a newer version is whole, only not for us.
        Err(error) if reading == Reading::Repair && !matches!(error, StateError::Newer { .. }) => {
            return Ok((empty(), Condition::Unchanged(stored.version)));
        }
        state => state.map_err(|source| Error::State { place: store.place(), source })?,
    };
    let refuse = |message: String, help: &str| Err(Error::refused("S3S-G2", message, help));
    if state.stack != project.settings.name || state.environment != project.environment {
        return refuse(
            format!(
                "the state at {} is that of stack {} ({}), not of {} ({})",
                store.place(),
                state.stack,
                state.environment,
                project.settings.name,
                project.environment
            ),
            "give each stack a state of its own: change `key` under [backend.s3], or the stack's name back",
        );
    }
    if id.is_some_and(|id| id != state.lineage) {
        return refuse(
            format!("the state at {} belongs to another stack of the same name ({})", store.place(), state.lineage),
            "give one of the two stacks another name; `id` under [stack] says which state is this one's",
        );
    }
    Ok((state, Condition::Unchanged(stored.version)))
}

/// A warning when a run is live or was cut short, for plans, which take no lock.
pub fn run_note(state: &State) -> Option<Diagnostic> {
    let run = state.run.as_ref()?;
    Some(
        Diagnostic::warning("S3S-S5", format!("{} by {} is under way, or was cut short", run.command, run.who))
            .note("This plan shows what is there now; the next apply looks at what that run left."),
    )
}
