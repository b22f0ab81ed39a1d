//! The outputs of other stacks, from their states as they were written last.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use s3stack_engine::diagnostic::{Diagnostic, Diagnostics, Span};
use s3stack_engine::state::State;
use s3stack_engine::value::Map;

use super::stored::{InBucket, store};
use super::{Reach, clients};
use crate::aws::Clients;
use crate::backend::{Document, Store};
use crate::error::Error;
use crate::project::{self, Backend, Choices, Project, Remote};

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
    let key = remote.key.as_deref().unwrap_or_default();
    let place = InBucket { bucket: &bucket, key, region: region.as_deref(), profile: profile.as_deref() };
    place.store(remote.environment.as_ref().unwrap_or(&project.environment), here, own, reach).await
}
