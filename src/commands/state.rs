//! `s3stack state`

use std::sync::Arc;

use clap::Subcommand;
use s3stack_engine::address::Address;
use s3stack_engine::diagnostic::address_meant;
use s3stack_engine::state::State;

use super::run::{open, open_project, reach};
use crate::backend::{Document, Keep};
use crate::cli::{Global, StackPath};
use crate::deployment::{Deployment, Reading};
use crate::error::Error;
use crate::ui::Ui;

/// Look at the state, or correct it. Nothing in AWS is touched.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the resources in state.
    List(StackPath),
    /// Show one resource as state has it.
    Show {
        /// Its address.
        address: Address,
        #[command(flatten)]
        stack: StackPath,
    },
    /// Forget a resource; AWS keeps it.
    Rm {
        /// Its address.
        address: Address,
        #[command(flatten)]
        stack: StackPath,
    },
    /// Give a resource another address.
    Mv {
        /// The address it has.
        from: Address,
        /// The address it shall have.
        to: Address,
        #[command(flatten)]
        stack: StackPath,
    },
    /// Print the state document.
    Pull(StackPath),
    /// List the states that history keeps.
    History(StackPath),
    /// Put a state of history back.
    Restore {
        /// Its serial.
        #[arg(value_parser = serial)]
        serial: u64,
        #[command(flatten)]
        stack: StackPath,
    },
}

fn serial(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "expected a number that `s3stack state history` shows".to_owned())
}

/// Runs the command.
pub async fn run(global: &Global, command: Command, ui: &mut Ui) -> Result<u8, Error> {
    match command {
        Command::List(stack) => {
            let deployment = open(global, &stack.path, ui).await?;
            ui.state_list(&deployment.state);
        }
        Command::Show { address, stack } => {
            let deployment = open(global, &stack.path, ui).await?;
            let instance =
                deployment.state.instances.get(&address).ok_or_else(|| unknown(&address, &deployment.state))?;
            ui.state_show(&address, instance);
        }
        Command::Pull(stack) => {
            let deployment = open(global, &stack.path, ui).await?;
            let place = deployment.store.place();
            let bytes = deployment.state.to_json().map_err(|source| Error::State { place, source })?;
            ui.data(&format!("{}\n", String::from_utf8_lossy(&bytes)));
        }
        Command::History(stack) => {
            let deployment = open_for_repair(global, &stack, ui).await?;
            let serials = deployment.store.history().await?;
            serials.iter().for_each(|serial| ui.data(&format!("{serial}\n")));
        }
        Command::Rm { address, stack } => {
            let deployment = open(global, &stack.path, ui).await?;
            change(deployment, "s3stack state rm", |state| {
                let missing = unknown(&address, state);
                state.instances.remove(&address).map(|_| ()).ok_or(missing)
            })
            .await?;
            ui.note(&format!("forgot {address}; AWS still has it"));
        }
        Command::Mv { from, to, stack } => {
            let deployment = open(global, &stack.path, ui).await?;
            change(deployment, "s3stack state mv", |state| rename(state, &from, &to)).await?;
            ui.note(&format!("{from} is {to} now"));
        }
        Command::Restore { serial, stack } => {
            let deployment = open_for_repair(global, &stack, ui).await?;
            restore(deployment, serial).await?;
            ui.note(&format!("put serial {serial} back; look at `s3stack plan` before the next apply"));
        }
    }
    Ok(0)
}

/// A stack whose state may be damaged or gone: that is when history is needed.
async fn open_for_repair(global: &Global, stack: &StackPath, ui: &mut Ui) -> Result<Deployment, Error> {
    let project = open_project(global, &stack.path, ui)?;
    let reach = reach(global, &project.folder, ui).await?;
    Deployment::open_reading(project, &reach, Reading::Repair).await
}

fn unknown(address: &Address, state: &State) -> Error {
    let help = match address_meant(address, state.instances.keys()) {
        Some(near) => format!("did you mean {near}?"),
        None => "`s3stack state list` shows what it knows".into(),
    };
    Error::refused("S3S-R8", format!("state knows no {address}"), help)
}

fn rename(state: &mut State, from: &Address, to: &Address) -> Result<(), Error> {
    if from.type_name != to.type_name {
        return Err(Error::refused(
            "S3S-M1",
            format!("{from} cannot be {to}: their types differ"),
            "name an address of its type",
        ));
    }
    if from == to {
        return Err(Error::refused("S3S-M2", format!("{to} is its address already"), "name another address"));
    }
    if state.instances.contains_key(to) {
        return Err(Error::refused(
            "S3S-M2",
            format!("{to} is another resource already"),
            "move or forget that one first",
        ));
    }
    let missing = unknown(from, state);
    let instance = state.instances.remove(from).ok_or(missing)?;
    state.instances.insert(to.clone(), instance);
    for other in state.instances.values_mut() {
        if other.waits_for.remove(from) {
            other.waits_for.insert(to.clone());
        }
    }
    Ok(())
}

/// Changes the state under the lease.
async fn change(
    mut deployment: Deployment,
    command: &str,
    edit: impl FnOnce(&mut State) -> Result<(), Error>,
) -> Result<(), Error> {
    let keeper = deployment.lease(command, None).await?;
    let result = async {
        deployment.refresh_state().await?;
        if deployment.state.run.is_some() || !deployment.state.pending.is_empty() {
            return Err(Error::refused(
                "S3S-S5",
                "a run was cut short, and what it began is not folded in yet",
                "run `s3stack apply` first",
            ));
        }
        let mut state = deployment.state.clone();
        edit(&mut state)?;
        write(&deployment, state).await
    }
    .await;
    keeper.release().await?;
    result
}

async fn restore(mut deployment: Deployment, serial: u64) -> Result<(), Error> {
    let keeper = deployment.lease("s3stack state restore", None).await?;
    let result = async {
        deployment.refresh_state().await?;
        let place = deployment.store.place();
        let kept = deployment.store.kept(serial).await?.ok_or_else(|| {
            Error::refused(
                "S3S-S6",
                format!("{place} keeps no serial {serial}"),
                "`s3stack state history` lists those it has",
            )
        })?;
        let mut state = State::from_json(&kept).map_err(|source| Error::State { place, source })?;
        // No serial is used twice, even if the one of a damaged state cannot be read.
        let newest = deployment.store.history().await?.into_iter().max().unwrap_or_default();
        state.serial = deployment.state.serial.max(state.serial).max(newest);
        write(&deployment, state).await
    }
    .await;
    keeper.release().await?;
    result
}

async fn write(deployment: &Deployment, mut state: State) -> Result<(), Error> {
    state.serial += 1;
    state.write_id = uuid::Uuid::new_v4().to_string();
    state.tool = env!("CARGO_PKG_VERSION").into();
    let store = Arc::clone(&deployment.store);
    let bytes = state.to_json().map_err(|source| Error::State { place: store.place(), source })?;
    store.write(Document::State, &bytes, deployment.condition.clone()).await?;
    store.keep(state.serial, Keep::RunEnd, &bytes).await?;
    Ok(())
}
