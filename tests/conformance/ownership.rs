//! What every type must do when somebody else has been there, or when state was lost.

use std::path::Path as FilePath;

use anyhow::{Context as _, Result, bail, ensure};
use s3stack::backend::{Condition, Document};
use s3stack::error::Error;
use s3stack_engine::diagnostic::Diagnostics;
use s3stack_engine::plan::{Action, Cause};
use s3stack_engine::state::State;

use crate::checks::{Verdict, covers};
use crate::fixture::Fixture;
use crate::ledger::writes;
use crate::stage::{Goal, Stage, copy, folder, summary_of, told, words};
use crate::tables;

const MADE_BY_AWS: Verdict = Verdict::Meaningless("AWS makes its identifier: nothing can be there before");

/// Everything changed behind our back is shown as drift, and put back.
pub async fn edited(stage: &Stage) -> Result<Verdict> {
    let Some(updated) = stage.fixture(stage.kind.fixtures().updated)? else {
        return Ok(Verdict::Meaningless("nothing of it can be changed"));
    };
    let (base, ours) = (stage.base()?, folder()?);
    let made = stage.settle(ours.path(), Goal::Stack(&base)).await?;
    // Somebody with the same state, of whom ours never hears.
    let theirs = copy(ours.path())?;
    stage.settle(theirs.path(), Goal::Stack(&updated)).await?;

    let (_, planned) = stage.plan(ours.path(), Goal::Stack(&base)).await.map_err(told)?;
    let change = planned.plan.changes.get(&stage.it()).context("the plan does not speak of it")?;
    ensure!(change.action == Action::Update, "drift made it {:?}", change.action);
    let visible = |name: &str| stage.kind.schema().properties.get(name).is_none_or(|property| !property.write_only);
    for difference in &change.differences {
        let seen = difference.path.head().is_some_and(visible);
        ensure!(
            !seen || difference.cause == Cause::Drift,
            "{} differs because of {:?}: {:?} → {:?}",
            difference.path,
            difference.cause,
            difference.from,
            difference.to
        );
    }
    let mut managed = made.instance(&stage.it())?.managed.clone();
    managed.retain(|name, _| visible(name) && tables::not_drifting(stage.type_name(), name).is_none());
    covers(stage, &managed, &change.differences).context("drift that was not seen")?;
    // What else they made for `updated` is theirs to know of.
    stage.rest(ours.path(), Goal::Stack(&base)).await?;
    Ok(Verdict::Passed)
}

/// What was deleted behind our back is planned as a creation, and made again.
pub async fn deleted(stage: &Stage) -> Result<Verdict> {
    let (base, ours) = (stage.base()?, folder()?);
    stage.settle(ours.path(), Goal::Stack(&base)).await?;
    let theirs = copy(ours.path())?;
    stage.settle(theirs.path(), Goal::Stack(&base.without_it())).await?;

    let (_, planned) = stage.plan(ours.path(), Goal::Stack(&base)).await.map_err(told)?;
    let change = planned.plan.changes.get(&stage.it()).context("the plan does not speak of it")?;
    ensure!(change.action == Action::Create, "what is gone is planned as {:?}", change.action);
    ensure!(!change.reason.is_empty(), "the plan does not say why it makes it again");
    stage.settle(ours.path(), Goal::Stack(&base)).await?;

    // Gone, and not wanted any more: there is nothing to call.
    let theirs = copy(ours.path())?;
    stage.settle(theirs.path(), Goal::Stack(&base.without_it())).await?;
    let forgot = stage.succeed(ours.path(), Goal::Stack(&base.without_it())).await?;
    let change = forgot.plan.changes.get(&stage.it()).context("the plan does not speak of it")?;
    ensure!(change.action == Action::Forget, "what is gone and unwanted is planned as {:?}", change.action);
    stage.settle(ours.path(), Goal::Stack(&base.without_it())).await?;
    Ok(Verdict::Passed)
}

/// What another state made is refused by name, and not touched.
pub async fn foreign(stage: &Stage) -> Result<Verdict> {
    let (base, theirs, ours) = (stage.base()?, folder()?, folder()?);
    stage.settle(theirs.path(), Goal::Stack(&base)).await?;
    if !has_predictable_id(stage, ours.path(), &base).await? {
        return Ok(MADE_BY_AWS);
    }
    let before = stage.inventory().await?;
    let deployment = stage.open(ours.path(), &base).await.map_err(told)?;
    let found = refusal(deployment.plan(false, None).await)?;
    let refused = |one: &s3stack_engine::diagnostic::Diagnostic| {
        one.code == "S3S-O1" && one.address.as_ref() == Some(&stage.it())
    };
    ensure!(found.0.iter().any(refused), "S3S-O1 is not said of it: {}", words(&found));
    let written = writes(&deployment.cloud.clients.calls());
    ensure!(written.is_empty(), "a refused plan wrote: {written:?}");
    ensure!(stage.inventory().await? == before, "something was made or deleted");
    let (_, again) = stage.plan(theirs.path(), Goal::Stack(&base)).await.map_err(told)?;
    ensure!(again.plan.is_empty(), "their stack was changed: {}", summary_of(&again.plan));
    Ok(Verdict::Passed)
}

/// What is ours and state does not know is taken in where it can be known as ours, and refused where it cannot, until the
/// file says `import`.
pub async fn adopted(stage: &Stage) -> Result<Verdict> {
    let (base, folder) = (stage.base()?, folder()?);
    let folder = folder.path();
    let made = stage.settle(folder, Goal::Stack(&base)).await?;
    if !has_predictable_id(stage, folder, &base).await? {
        return Ok(MADE_BY_AWS);
    }
    let id = made.instance(&stage.it())?.physical_id.clone();
    lose(stage, folder, &base).await?;
    let descriptor = stage.kind.descriptor();
    let mut wanted = base.clone();
    if !descriptor.taggable && descriptor.parent.is_none() {
        let deployment = stage.open(folder, &base).await.map_err(told)?;
        let found = refusal(deployment.plan(false, None).await)?;
        ensure!(found.0.iter().any(|one| one.code == "S3S-O1"), "it was not refused: {}", words(&found));
        wanted = base.with_property("import", &id);
    }
    let again = stage.settle(folder, Goal::Stack(&wanted)).await?;
    let change = again.change(&stage.it())?;
    ensure!(change.action == Action::Adopt, "{:?} was planned", change.action);
    ensure!(again.instance(&stage.it())?.physical_id == id, "another one was adopted");
    // And what was adopted is ours in every way.
    stage.settle(folder, Goal::Nothing(&wanted)).await?;
    let left = stage.inventory().await?;
    ensure!(left.values().all(|ids| ids.is_empty()), "destroy left something: {left:?}");
    Ok(Verdict::Passed)
}

/// Whether the identifier is known before the resource is, with everything around it there.
async fn has_predictable_id(stage: &Stage, folder: &FilePath, fixture: &Fixture) -> Result<bool> {
    let deployment = stage.open(folder, fixture).await.map_err(told)?;
    let forgetful = State::new(deployment.state.lineage.clone(), String::new(), String::new());
    let (graph, _) = deployment.graph(&forgetful, &Default::default(), &Default::default());
    let node = graph.nodes.get(&stage.it()).context("the graph has no node of it")?;
    Ok(node.physical_id.is_known())
}

/// Takes the resource under test out of the stored state, as a restored older state would.
async fn lose(stage: &Stage, folder: &FilePath, fixture: &Fixture) -> Result<()> {
    let deployment = stage.open(folder, fixture).await.map_err(told)?;
    let stored = deployment.store.read(Document::State).await?.context("there is no state")?;
    let mut state = State::from_json(&stored.bytes)?;
    state.instances.remove(&stage.it()).context("state does not know it")?;
    state.serial += 1;
    state.write_id = format!("lost-{}", state.serial);
    deployment.store.write(Document::State, &state.to_json()?, Condition::Unchanged(stored.version)).await?;
    Ok(())
}

fn refusal<T>(result: Result<T, Error>) -> Result<Diagnostics> {
    match result {
        Ok(_) => bail!("it was not refused"),
        Err(error) => Ok(error.into_diagnostics()),
    }
}
