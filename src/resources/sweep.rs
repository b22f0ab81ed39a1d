//! Bulk answers, asked for once per refresh and shared by all types that one call answers for.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use s3stack_engine::fault::Fault;
use tokio::sync::OnceCell;

/// One shared answer.
type Slot = Arc<OnceCell<Result<Arc<dyn Any + Send + Sync>, Fault>>>;

/// The bulk answers of one refresh in one account and region. A new refresh starts with a new, empty one.
#[derive(Default)]
pub struct Sweeps {
    slots: Mutex<HashMap<TypeId, Slot>>,
}

impl Sweeps {
    /// The answer of type `T`, asking with `ask` unless somebody has asked or is asking.
    pub async fn get<T, F, A>(&self, ask: A) -> Result<Arc<T>, Fault>
    where
        T: Send + Sync + 'static,
        A: FnOnce() -> F + Send,
        F: Future<Output = Result<T, Fault>> + Send,
    {
        let slot = {
            // A poisoned lock only means that another reader panicked between two map operations: the map is whole.
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.entry(TypeId::of::<T>()).or_default().clone()
        };
        let answer =
            slot.get_or_init(|| async { ask().await.map(|value| Arc::new(value) as Arc<dyn Any + Send + Sync>) }).await;
        match answer.clone()?.downcast::<T>() {
            Ok(value) => Ok(value),
            Err(_) => {
                Err(Fault::local(s3stack_engine::fault::FaultKind::Other, "sweep", "an answer has the wrong type"))
            }
        }
    }
}
