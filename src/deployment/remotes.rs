//! The outputs of other stacks, from their states as they were written last.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::join_all;
use s3stack_engine::diagnostic::{Diagnostic, Diagnostics, Span};
use s3stack_engine::state::State;
use s3stack_engine::value::Map;

use super::{Reach, clients, private_folder};
use crate::aws::Clients;
use crate::backend::file::FileStore;
use crate::backend::s3::S3Store;
use crate::backend::{Document, Store};
use crate::error::Error;
use crate::project::{self, Backend, Choices, Project, Remote};

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
            let apart = there.is_some() || profile.is_some();
            let clients = if apart {
                let mut settings = reach.settings(there.clone().or_else(|| Some(region.to_owned())));
                settings.profile.clone_from(profile);
                Clients::load(settings).await?
            } else {
                clients.clone()
            };
            let session = clients.home().map_err(Error::fault("reaching the backend"))?;
            let key = key.as_deref().unwrap_or(&project.settings.name);
            Ok(Arc::new(S3Store::new(session.s3().clone(), bucket, &format!("{key}/{}", project.environment))))
        }
    }
}

/// Reads the outputs of all remotes of a stack; what is wrong with any is told at once. The warnings say which may change.
///
/// # Errors
/// Everything that keeps an output from being read.
pub async fn read(
    project: &Project,
    region: &str,
    own: &Clients,
    reach: &Reach,
) -> Result<(BTreeMap<String, Map>, Diagnostics), Error> {
    let remotes = project.settings.remotes.iter();
    let answers = join_all(
        remotes.map(|(name, remote)| async move { (name, one(project, name, remote, region, own, reach).await) }),
    );
    let (mut outputs, mut warnings, mut errors) = (BTreeMap::new(), Diagnostics::default(), Diagnostics::default());
    for (name, answer) in answers.await {
        match answer {
            Ok((state, live)) => {
                warnings.0.extend(live);
                outputs.insert(name.clone(), state.outputs);
            }
            Err(error) => errors.push(error),
        }
    }
    if errors.has_errors() { Err(Error::Diagnostics(errors)) } else { Ok((outputs, warnings)) }
}

/// The state of one, and a note when a run is under way there.
async fn one(
    project: &Project,
    name: &str,
    remote: &Remote,
    region: &str,
    own: &Clients,
    reach: &Reach,
) -> Result<(State, Option<Diagnostic>), Diagnostic> {
    let span: Option<Span> = project.stack.remotes.get(name).map(|block| block.span.clone());
    let called = format!("[remote.{name}]");
    let wrong = |message: String, help: String| Diagnostic::error("S3S-S9", message).at(span.clone()).help(help);
    let unreadable = |error: &Error| {
        wrong(
            format!("{called} cannot be read: {error}"),
            "see that its state is there and that the caller may read it".into(),
        )
    };
    let store = match &remote.path {
        Some(path) => {
            let environment = remote.environment.clone().unwrap_or_else(|| project.environment.clone());
            let chosen = Some(environment.clone()).filter(|name| name != "default");
            let choices = Choices { path: project.folder.join(path), environment: chosen, ..Choices::default() };
            let other = project::open(&choices).map_err(|error| {
                let first = error.into_diagnostics().0.into_iter().next().map(|one| one.message).unwrap_or_default();
                let shown = project::shown(&choices.path);
                wrong(
                    format!("{called} cannot be read: in the stack at {shown}, {first}"),
                    format!("see what `s3stack validate {shown} --env {environment}` says; `env` says which environment is meant"),
                )
            })?;
            let clients = clients(&other, reach).await.map_err(|error| unreadable(&error))?;
            let region = other.settings.region.clone().unwrap_or_else(|| region.to_owned());
            store(&other, &region, &clients, reach).await.map_err(|error| unreadable(&error))?
        }
        None if reach.is_local() => {
            let help =
                "the private AWS has no state of other stacks in a bucket: write `path`, the folder of that stack";
            return Err(wrong(
                format!("{called} is named by a key, and --local has no bucket for states"),
                help.into(),
            ));
        }
        None => by_key(project, remote, region, own, reach).await.map_err(|error| unreadable(&error))?,
    };
    let found = store.read(Document::State).await.map_err(|error| unreadable(&Error::from(error)))?;
    let Some(found) = found else {
        let apply = remote.path.as_ref().map_or_else(
            || "apply that stack first".to_owned(),
            |path| format!("apply that stack first: s3stack apply {path}"),
        );
        let message = format!("{called} has no state at {}: it was never applied there", store.place());
        return Err(wrong(message, format!("{apply}; or name another environment with `env`")));
    };
    let state =
        State::from_json(&found.bytes).map_err(|source| unreadable(&Error::State { place: store.place(), source }))?;
    let live = state.run.as_ref().map(|run| {
        let message = format!("in {called}, {} by {} is under way, or was cut short", run.command, run.who);
        Diagnostic::warning("S3S-S5", message)
            .at(span.clone())
            .note("Its outputs are those of the last run that was done; this one may change them.")
            .help("plan again once it is done")
    });
    Ok((state, live))
}

/// The state of a stack that is named by its place in a bucket: this stack's own, unless another is named.
async fn by_key(
    project: &Project,
    remote: &Remote,
    here: &str,
    own: &Clients,
    reach: &Reach,
) -> Result<Arc<dyn Store>, Error> {
    let (mut bucket, mut region, mut profile) = match &project.settings.backend {
        Backend::S3 { bucket, region, profile, .. } => (Some(bucket.clone()), region.clone(), profile.clone()),
        Backend::File { .. } => (None, None, None),
    };
    if remote.bucket.is_some() {
        (bucket, region, profile) = (remote.bucket.clone(), None, None);
    }
    let Some(bucket) = bucket else {
        return Err(Error::refused(
            "S3S-S9",
            "this stack keeps its state in a folder, so it has no bucket that the key could be in",
            "write `bucket` as well, or `path`, the folder of the other stack",
        ));
    };
    let region = remote.region.clone().or(region);
    let profile = remote.profile.clone().or(profile);
    let clients = if region.is_some() || profile.is_some() {
        let mut settings = reach.settings(region.or_else(|| Some(here.to_owned())));
        settings.profile = profile;
        Clients::load(settings).await?
    } else {
        own.clone()
    };
    let session = clients.home().map_err(Error::fault("reaching the backend"))?;
    let environment = remote.environment.as_ref().unwrap_or(&project.environment);
    let key = remote.key.as_deref().unwrap_or_default();
    Ok(Arc::new(S3Store::new(session.s3().clone(), &bucket, &format!("{key}/{environment}"))))
}
