//! The state as it is stored, and what is said of one that is another stack's or has a run.

use s3stack_engine::diagnostic::Diagnostic;
use s3stack_engine::state::{State, StateError};

use super::Reading;
use crate::backend::{Condition, Document, Store, StoreError};
use crate::error::Error;
use crate::project::Project;

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
