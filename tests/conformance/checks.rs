//! What every type must do while nobody disturbs it.

use std::collections::BTreeSet;
use std::path::Path as FilePath;
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use s3stack::resources::{Delete, Depth};
use s3stack_engine::address::Path;
use s3stack_engine::diff::mismatches;
use s3stack_engine::plan::{Action, Difference, Live, Observation};
use s3stack_engine::schema::Removal;
use s3stack_engine::state::Instance;
use s3stack_engine::value::{Map, Value};
use tokio::sync::watch;

use crate::fixture::Fixture;
use crate::ledger::{Part, since};
use crate::main_is_full;
use crate::stage::{Goal, Settled, Stage, folder, told};
use crate::tables;

/// How a check ended.
pub enum Verdict {
    Passed,
    /// It means nothing for the type, for this reason.
    Meaningless(&'static str),
}

/// Created, read, planned again, updated in place, updated back, deleted, deleted again, made again, destroyed.
pub async fn life(stage: &Stage) -> Result<Verdict> {
    let (base, folder) = (stage.base()?, folder()?);
    let folder = folder.path();
    let made = stage.settle(folder, Goal::Stack(&base)).await?;
    let it = stage.it();
    ensure!(made.change(&it)?.action == Action::Create, "{:?} was planned", made.change(&it)?.action);
    reads_as_written(stage, folder, &base, &made).await?;
    an_empty_plan_calls_nothing(stage, folder, &base).await?;
    let id = made.instance(&it)?.physical_id.clone();

    if let Some(updated) = stage.fixture(stage.kind.fixtures().updated)? {
        let changed = stage.settle(folder, Goal::Stack(&updated)).await?;
        let change = changed.change(&it)?;
        ensure!(change.action == Action::Update, "`updated` made it {:?}: {}", change.action, change.reason);
        ensure!(changed.instance(&it)?.physical_id == id, "an update in place gave it another id");
        covers(stage, &made.instance(&it)?.managed, &change.differences)?;
        let back = stage.settle(folder, Goal::Stack(&base)).await?;
        ensure!(back.change(&it)?.action == Action::Update, "{:?} was planned", back.change(&it)?.action);
        ensure!(back.instance(&it)?.physical_id == id, "an update in place gave it another id");
        reads_as_written(stage, folder, &base, &back).await?;
    }

    let last = stage.settle(folder, Goal::Stack(&base)).await?.instance(&it)?.clone();
    let gone = stage.settle(folder, Goal::Stack(&base.without_it())).await?;
    ensure!(gone.change(&it)?.action == Action::Delete, "{:?} was planned", gone.change(&it)?.action);
    is_gone(stage, folder, &base, &last).await?;

    stage.settle(folder, Goal::Stack(&base)).await?;
    stage.settle(folder, Goal::Nothing(&base)).await?;
    let left = stage.inventory().await?;
    ensure!(left.values().all(BTreeSet::is_empty), "destroy left something: {left:?}");
    Ok(Verdict::Passed)
}

/// Both depths find it, as it was written and marked as ours.
async fn reads_as_written(stage: &Stage, folder: &FilePath, fixture: &Fixture, settled: &Settled) -> Result<()> {
    let deployment = stage.open(folder, fixture).await.map_err(told)?;
    let instance = settled.instance(&stage.it())?;
    let Some(node) = settled.graph.nodes.get(&stage.it()) else { bail!("the graph has no node of it") };
    for depth in [Depth::Sweep, Depth::Point] {
        let live = match stage.read(&deployment, instance, depth).await? {
            Observation::Found(live) => live,
            other => bail!("{depth:?}: it was not found: {other:?}"),
        };
        ensure!(live.physical_id == instance.physical_id, "{depth:?}: found as {}", live.physical_id);
        if !live.hint {
            let wrong = differing(stage, &node.managed, &live);
            ensure!(wrong.is_empty(), "{depth:?}: read is not what was written: {wrong:#?}");
        }
        if stage.kind.descriptor().taggable {
            let owner = live.owner.as_deref();
            ensure!(owner == Some(settled.state.lineage.as_str()), "{depth:?}: its owner is {owner:?}");
        }
        for (name, predicted) in node.resource.attributes.iter().filter(|(_, value)| value.is_known()) {
            let told = live.attributes.get(name);
            ensure!(
                told.is_none_or(|told| told == predicted),
                "{depth:?}: the attribute {name} is {told:?}, predicted as {predicted:?}"
            );
        }
    }
    for (name, attribute) in &stage.kind.schema().attributes {
        ensure!(
            attribute.sensitive || instance.attributes.get(name).is_some_and(Value::is_known),
            "state does not know the attribute {name}"
        );
    }
    Ok(())
}

/// What differs, as a plan would see it.
pub fn differing(stage: &Stage, desired: &Map, live: &Live) -> Vec<String> {
    let schema = stage.kind.schema();
    let mut held = live.managed.clone();
    let mut desired = desired.clone();
    for (name, property) in &schema.properties {
        if property.write_only {
            desired.remove(name);
        }
        if property.open
            && let (Some(Value::Map(ours)), Some(Value::Map(theirs))) = (desired.get(name), held.get_mut(name))
        {
            theirs.retain(|key, _| ours.contains_key(key));
        }
    }
    let all = mismatches(stage.kind, &desired, &held);
    all.into_iter()
        .filter(|one| one.desired.is_known())
        .map(|one| format!("{}: {:?}, live {:?}", one.path, one.desired, one.live))
        .collect()
}

async fn an_empty_plan_calls_nothing(stage: &Stage, folder: &FilePath, fixture: &Fixture) -> Result<()> {
    let mut deployment = stage.open(folder, fixture).await.map_err(told)?;
    let keeper = Arc::new(deployment.lease("conformance", None).await.map_err(told)?);
    deployment.refresh_state().await.map_err(told)?;
    let planned = deployment.plan(false, Some(&keeper)).await.map_err(told)?;
    let before = deployment.cloud.clients.calls();
    let (_stop, stopped) = watch::channel(false);
    let summary = deployment.apply(planned, keeper.clone(), "conformance", stopped, &mut |_| {}).await.map_err(told)?;
    ensure!(summary.is_success() && summary.done.is_empty(), "applying nothing did something: {summary:?}");
    let made = since(&before, &deployment.cloud.clients.calls());
    ensure!(made.total == 0, "applying an empty plan made calls: {:?}", made.by_operation);
    if let Ok(keeper) = Arc::try_unwrap(keeper) {
        keeper.release().await?;
    }
    Ok(())
}

/// Fails unless the differences touch every property that can change in place: else `updated` tests less than it says.
pub fn covers(stage: &Stage, managed: &Map, differences: &[Difference]) -> Result<()> {
    let schema = stage.kind.schema();
    let touched: BTreeSet<&str> = differences.iter().filter_map(|difference| difference.path.head()).collect();
    for name in managed.keys().filter(|name| !schema.create_only(&Path::of(name.as_str()))) {
        let excuse = tables::not_updated(stage.type_name(), name);
        match (touched.contains(name.as_str()), excuse) {
            (false, None) => bail!("`updated` leaves {name} as it is; the differences touch {touched:?}"),
            (true, Some(reason)) => bail!("{name} is excused ({reason}), and changes all the same"),
            _ => {}
        }
    }
    Ok(())
}

/// Neither depth finds it, and deleting it again is no error.
async fn is_gone(stage: &Stage, folder: &FilePath, fixture: &Fixture, last: &Instance) -> Result<()> {
    let deployment = stage.open(folder, fixture).await.map_err(told)?;
    for depth in [Depth::Sweep, Depth::Point] {
        let seen = stage.read(&deployment, last, depth).await?;
        ensure!(matches!(seen, Observation::Missing), "{depth:?}: it was deleted and is {seen:?}");
    }
    let context = deployment.cloud.context(&last.account, &last.region).await?;
    let delete = Delete {
        address: stage.it(),
        physical_id: last.physical_id.clone(),
        managed: last.managed.clone(),
        attributes: last.attributes.clone(),
        memory: last.memory.clone(),
        dependents: Vec::new(),
    };
    let before = deployment.cloud.clients.calls();
    stage.kind.delete(&context, &delete).await?;
    let calls = since(&before, &deployment.cloud.clients.calls());
    stage.ledger.actions(&calls, &BTreeSet::from([(stage.type_name().to_owned(), Part::Delete)]))
}

/// Each optional property taken out goes back to AWS's default, and state forgets it. One after the other; in a full run also
/// each from the whole block.
pub async fn removals(stage: &Stage) -> Result<Verdict> {
    let removed = take_out(stage, Beside::WhatIsLeft).await?;
    if main_is_full() {
        take_out(stage, Beside::AllOthers).await?;
    }
    Ok(if removed > 0 { Verdict::Passed } else { Verdict::Meaningless("no property of it can be taken out") })
}

/// What else the file says when a property is taken out.
#[derive(Clone, Copy, PartialEq)]
enum Beside {
    /// What was not taken out before it.
    WhatIsLeft,
    /// All that the base fixture has.
    AllOthers,
}

async fn take_out(stage: &Stage, beside: Beside) -> Result<usize> {
    let (base, folder) = (stage.base()?, folder()?);
    let folder = folder.path();
    let mut before = stage.settle(folder, Goal::Stack(&base)).await?.instance(&stage.it())?.clone();
    let mut current = base.clone();
    let mut removed = 0;
    for name in base.properties() {
        let Some(property) = stage.kind.schema().properties.get(&name) else { continue };
        if property.required {
            continue;
        }
        let mut less = current.without_property(&name);
        let mut is_whole = is_valid(stage, folder, &less).await?;
        if !is_whole {
            // It may only be that another property is already out.
            less = base.without_property(&name);
            is_whole = is_valid(stage, folder, &less).await?;
        }
        match (is_whole, tables::not_reset(stage.type_name(), &name)) {
            (false, None) => bail!("without {name} the base fixture is no valid stack, and no table says why"),
            (false, Some(_)) => continue,
            (true, Some(reason)) => bail!("{name} is excused ({reason}), and can be taken out all the same"),
            (true, None) => {}
        }
        let after = stage.settle(folder, Goal::Stack(&less)).await.map_err(|e| e.context(format!("without {name}")))?;
        went_back(stage, folder, &less, &before, &after).await.map_err(|e| e.context(format!("without {name}")))?;
        removed += 1;
        before = after.instance(&stage.it())?.clone();
        if beside == Beside::AllOthers {
            before = stage.settle(folder, Goal::Stack(&base)).await?.instance(&stage.it())?.clone();
        } else {
            current = less;
        }
    }
    // The account is for whatever comes next.
    stage.settle(folder, Goal::Nothing(&base)).await?;
    Ok(removed)
}

async fn is_valid(stage: &Stage, folder: &FilePath, fixture: &Fixture) -> Result<bool> {
    Ok(match stage.open(folder, fixture).await {
        Ok(deployment) => !deployment.graph(&deployment.state, &BTreeSet::new(), &Default::default()).1.has_errors(),
        Err(_) => false,
    })
}

/// What state no longer manages is as AWS has it by default.
async fn went_back(
    stage: &Stage,
    folder: &FilePath,
    fixture: &Fixture,
    before: &Instance,
    after: &Settled,
) -> Result<()> {
    let instance = after.instance(&stage.it())?;
    let replaced = matches!(after.change(&stage.it())?.action, Action::Replace { .. });
    let Some(node) = after.graph.nodes.get(&stage.it()) else { bail!("the graph has no node of it") };
    let says = |name: &String| node.managed.get(name).is_some_and(|value| !value.is_null());
    let gone: Vec<&String> = before.managed.keys().filter(|name| !says(name)).collect();
    let wide = Instance { managed: before.managed.clone(), ..instance.clone() };
    let deployment = stage.open(folder, fixture).await.map_err(told)?;
    let Observation::Found(live) = stage.read(&deployment, &wide, Depth::Point).await? else {
        bail!("it is not found any more")
    };
    for name in gone {
        let Some(property) = stage.kind.schema().properties.get(name) else { bail!("{name} is in no schema") };
        let held = live.managed.get(name).unwrap_or(&Value::Null);
        match &property.removal {
            Removal::Reset(default) => ensure!(
                property.write_only || stage.kind.equal(&Path::of(name.as_str()), default, held),
                "{name} went to {held:?} and not to {default:?}"
            ),
            Removal::Replace => ensure!(replaced, "{name} was taken out, which means another resource"),
            Removal::Keep => {}
        }
    }
    Ok(())
}

/// A create-only property changed makes another resource, in the order that its name allows.
pub async fn replaced(stage: &Stage) -> Result<Verdict> {
    let schema = stage.kind.schema();
    let Some(other) = stage.fixture(stage.kind.fixtures().replaced)? else {
        let create_only: Vec<_> = schema.properties.iter().filter(|(_, one)| one.create_only).map(|(n, _)| n).collect();
        ensure!(create_only.is_empty(), "{create_only:?} are create-only, and there is no `replaced` fixture");
        return Ok(Verdict::Meaningless("nothing of it is create-only"));
    };
    let (base, folder) = (stage.base()?, folder()?);
    let folder = folder.path();
    let made = stage.settle(folder, Goal::Stack(&base)).await?;
    let old = made.instance(&stage.it())?.clone();
    let anew = stage.settle(folder, Goal::Stack(&other)).await?;
    let change = anew.change(&stage.it())?;
    let Action::Replace { delete_first } = change.action else {
        bail!("{:?} was planned for `replaced`", change.action)
    };
    let new = anew.instance(&stage.it())?;
    let planned = change.after.as_ref().map(|after| after.physical_id.clone()).unwrap_or_default();
    ensure!(planned.is_empty() || planned == new.physical_id, "planned as {planned}, made as {}", new.physical_id);
    ensure!(
        delete_first == (old.physical_id == new.physical_id),
        "delete_first is {delete_first}, from {} to {}",
        old.physical_id,
        new.physical_id
    );
    reads_as_written(stage, folder, &other, &anew).await?;
    if old.physical_id != new.physical_id {
        is_gone(stage, folder, &other, &old).await?;
    }
    Ok(Verdict::Passed)
}
