//! What commands that reach AWS share: opening a stack, and the way of an apply from lease to summary.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use s3stack_engine::apply::Event;

use super::signals::{INTERRUPTED, Signals};
use crate::backend::lease::Keeper;
use crate::cli::Global;
use crate::deployment::{Deployment, Destination, Planned, Reach};
use crate::error::Error;
use crate::local::{DEFAULT_ACCOUNT_ID, Endpoint, Local};
use crate::project::{self, Choices, Project, whereabouts};
use crate::ui::Ui;

/// The stack that the command line names.
pub fn open_project(global: &Global, path: &Path, ui: &mut Ui) -> Result<Project, Error> {
    let project = project::open(&choices(global, path))?;
    tell(&project, ui);
    Ok(project)
}

/// The same in an environment, without a word: for commands that look at several.
pub fn quietly(global: &Global, path: &Path, environment: Option<&str>) -> Result<Project, Error> {
    let environment = environment.map(str::to_owned);
    project::open(&Choices { environment, ..choices(global, path) })
}

fn choices(global: &Global, path: &Path) -> Choices {
    Choices {
        path: path.to_path_buf(),
        environment: global.environment.clone(),
        variables: global.variables.clone(),
        variable_files: global.variable_files.clone(),
    }
}

/// Lets the user interface know a stack's secrets, and the user its warnings.
fn tell(project: &Project, ui: &mut Ui) {
    let secrets: Vec<_> =
        project.variables.0.values().map(|one| one.value.clone()).filter(|value| value.is_sensitive()).collect();
    ui.hide(&secrets);
    ui.diagnostics(&project.warnings);
}

/// The stack with its account and state, for its destruction, whatever is wrong with its files.
pub async fn open_for_destroy(global: &Global, path: &Path, ui: &mut Ui) -> Result<Deployment, Error> {
    let is_local = global.local || global.local_endpoint.is_some();
    let project = project::open_for_destroy(&choices(global, path), is_local)?;
    tell(&project, ui);
    ui.diagnostics(&project::told(&project.problems));
    let reach = reach(global, &project.folder, ui).await?;
    Deployment::open(project, &reach).await
}

/// The stack with its account and state; starts the local AWS if it is asked for.
pub async fn open(global: &Global, path: &Path, ui: &mut Ui) -> Result<Deployment, Error> {
    let project = open_project(global, path, ui)?;
    let reach = reach(global, &project.folder, ui).await?;
    Deployment::open(project, &reach).await
}

/// How AWS is reached for a stack in a folder; starts the local AWS if it is asked for.
pub async fn reach(global: &Global, folder: &Path, ui: &Ui) -> Result<Reach, Error> {
    let destination = destination(global, folder, ui).await?;
    Ok(Reach {
        destination,
        parallelism: global.parallelism.map(usize::from),
        observer: ui.observer(),
        notice: Some(Arc::from(ui.progress_note())),
        ..Reach::default()
    })
}

async fn destination(global: &Global, folder: &Path, ui: &Ui) -> Result<Destination, Error> {
    if let Some(url) = &global.local_endpoint {
        let endpoint = Endpoint { url: url.clone(), account_id: emulated_account(), certificate: None };
        return Ok(Destination::Local(endpoint));
    }
    if !global.local {
        return Ok(Destination::Aws);
    }
    let local = Local::for_folder(folder)?;
    let say = ui.progress_note();
    let started = tokio::task::spawn_blocking(move || local.ensure_started(&*say)).await;
    match started {
        Ok(endpoint) => Ok(Destination::Local(endpoint?)),
        Err(error) => {
            Err(Error::refused("S3S-S3", format!("the local AWS could not be started: {error}"), "try again"))
        }
    }
}

/// The account to be in an emulator: emulators take a twelve-digit access key id as the caller's account, and so does
/// whoever sets one.
fn emulated_account() -> String {
    std::env::var("AWS_ACCESS_KEY_ID")
        .ok()
        .filter(|id| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit()))
        .unwrap_or_else(|| DEFAULT_ACCOUNT_ID.into())
}

/// Says whether a plan may be carried out.
pub type Check<'a> = dyn Fn(&Planned) -> Result<(), Error> + 'a;

/// What an apply or destroy needs beyond the stack.
pub struct Order<'a> {
    /// `s3stack apply`, for whoever waits.
    pub command: &'a str,
    /// Whether everything goes.
    pub destroy: bool,
    /// Whether the user has approved beforehand.
    pub yes: bool,
    /// How long to wait for the lease.
    pub lock_timeout: Option<Duration>,
    /// Checks the plan before anything else, as a saved plan does; what it accepts needs no approval.
    pub check: Option<&'a Check<'a>>,
}

/// Takes the lease, plans, asks, applies, gives the lease back. Answers the exit code.
pub async fn carry_out(mut deployment: Deployment, order: Order<'_>, ui: &mut Ui) -> Result<u8, Error> {
    let keeper = deployment.lease(order.command, order.lock_timeout).await?;
    // From here on a signal must not end the program: whoever comes next would wait for the lease's age.
    let signals = Signals::listen(ui.progress_note());
    if let Some(dead) = keeper.taken_over() {
        ui.note(&format!("took over from a run that died: {}", dead.was()));
    }
    let keeper = Arc::new(keeper);
    let result = under_lease(&mut deployment, &order, &keeper, &signals, ui).await;
    let released = match Arc::try_unwrap(keeper) {
        Ok(keeper) => keeper.release().await,
        // Somebody still holds it: it ends by its age.
        Err(_) => Ok(()),
    };
    let code = result?;
    released?;
    Ok(code)
}

/// What planning and asking came to.
enum Decision {
    /// There is nothing to do, and whether everything could be planned.
    Nothing { whole: bool },
    /// This shall be done.
    Go(Box<Planned>),
}

async fn under_lease(
    deployment: &mut Deployment,
    order: &Order<'_>,
    keeper: &Arc<Keeper>,
    signals: &Signals,
    ui: &mut Ui,
) -> Result<u8, Error> {
    let mut stop = signals.stop();
    let decision = tokio::select! {
        decision = decide(deployment, order, keeper, ui) => decision?,
        Ok(_) = stop.wait_for(|stopped| *stopped) => return Ok(INTERRUPTED),
    };
    let planned = match decision {
        Decision::Nothing { whole } => {
            ui.outputs(&deployment.project.stack, &deployment.state.outputs);
            return Ok(u8::from(!whole));
        }
        Decision::Go(planned) => *planned,
    };
    let whole = planned.plan.unplanned.is_empty();
    signals.applying();
    if *stop.borrow() {
        return Ok(INTERRUPTED);
    }
    if !order.destroy
        && let Err(error) = whereabouts::keep(&deployment.project, deployment.is_local())
    {
        ui.note(&format!("where the state is could not be written down for later: {error}"));
    }
    let began = Instant::now();
    let summary = {
        let mut progress = ui.progress(&planned.plan);
        let watch = &mut |event: &Event| progress.event(event);
        deployment.apply(planned, keeper.clone(), order.command, signals.stop(), watch).await?
    };
    ui.summary(&summary, order.command, deployment, began.elapsed());
    if summary.is_success() && !order.destroy {
        ui.outputs(&deployment.project.stack, &summary.outputs);
    }
    Ok(u8::from(!(whole && summary.is_success())))
}

/// Plans and has the plan approved. Changes nothing, so it may be dropped at any moment.
async fn decide(
    deployment: &mut Deployment,
    order: &Order<'_>,
    keeper: &Arc<Keeper>,
    ui: &Ui,
) -> Result<Decision, Error> {
    deployment.refresh_state().await?;
    let began = Instant::now();
    let working = ui.working("reading AWS");
    let planned = deployment.plan(order.destroy, Some(keeper)).await?;
    drop(working);
    ui.diagnostics(&planned.warnings);
    ui.recovered(&planned.recovered);
    // Who has approved beforehand and wants to hear of results only has no use for it.
    if !(order.yes && ui.is_quiet()) {
        ui.plan(deployment, &planned, began.elapsed());
    }
    if let Some(check) = order.check {
        check(&planned)?;
    }
    let left_over = planned.state.run.is_some() || !planned.state.pending.is_empty();
    let nothing = planned.plan.is_empty()
        && planned.state == deployment.state
        && !planned.outputs_change(&deployment.state)
        // What a run left that was taken over is read again at the end of an apply, even if it does nothing else.
        && !left_over;
    if nothing {
        return Ok(Decision::Nothing { whole: planned.plan.unplanned.is_empty() });
    }
    if order.check.is_none() && !planned.plan.is_empty() {
        approve(deployment, order, &planned, ui).await?;
    }
    Ok(Decision::Go(Box::new(planned)))
}

async fn approve(deployment: &Deployment, order: &Order<'_>, planned: &Planned, ui: &Ui) -> Result<(), Error> {
    if order.yes {
        return Ok(());
    }
    let environment = &deployment.project.environment;
    let (question, wanted) = if order.destroy && deployment.project.settings.confirm {
        (format!("This destroys {environment}. Type the environment's name to go on: "), environment.clone())
    } else {
        let verb = if order.destroy { "Destroy all of this?" } else { "Apply this?" };
        (format!("{verb} Type yes to go on: "), "yes".to_owned())
    };
    // Elsewhere, so that a signal is heard and the lease renewed while the user thinks.
    let asker = ui.clone();
    let answer = tokio::task::spawn_blocking(move || asker.ask(&question)).await.ok().flatten();
    let losses = planned.plan.changes.values().any(|change| !change.loss.is_empty());
    match answer {
        Some(answer) if answer == wanted => Ok(()),
        Some(_) => Err(Error::refused(
            "S3S-J3",
            "not approved; nothing was changed",
            "run the command again to be asked again",
        )),
        None if losses => Err(Error::refused(
            "S3S-J3",
            "this would lose what is listed above, and nobody can be asked here; nothing was changed",
            "run it on a terminal, or approve beforehand with --yes",
        )),
        None => Err(Error::refused(
            "S3S-J3",
            "nobody can be asked for approval here; nothing was changed",
            "approve beforehand with --yes, or save a plan with `plan --out` and apply that",
        )),
    }
}
