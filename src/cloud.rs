//! The way from the engine's words to providers: which account and region a resource is in, and who answers for its type.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use s3stack_engine::address::Address;
use s3stack_engine::fault::{Fault, FaultKind};
use s3stack_engine::plan::Observation;
use s3stack_engine::plan::questions::Question;
use s3stack_engine::resource::Facts;
use s3stack_engine::state::State;
use tokio::sync::Mutex;

use crate::aws::{Clients, Session, Target};
use crate::folder::Folder;
use crate::resources::{self, Context, Depth, Provider, Sweeps};

/// An account and a region; an empty one is that of global types.
type Place = (String, String);

/// Everything a provider needs that is the same for all resources of a run.
#[derive(Clone)]
pub struct Cloud {
    /// The clients; those of an apply are bound to its lease.
    pub clients: Clients,
    /// Where and as whom this runs; `region` is the stack's.
    pub facts: Facts,
    /// The state's lineage.
    pub lineage: String,
    /// The stack folder.
    pub files: Arc<Folder>,
    /// Each resource in state that waits for the one at an address: what may be detached from it before it goes.
    pub dependents: Arc<BTreeMap<Address, Vec<(String, String)>>>,
    /// Bulk answers by account and region, for one refresh.
    sweeps: Arc<Mutex<BTreeMap<Place, Arc<Sweeps>>>>,
}

impl Cloud {
    /// A cloud with no bulk answers yet.
    pub fn new(clients: Clients, facts: Facts, lineage: String, files: Arc<Folder>) -> Self {
        Self { clients, facts, lineage, files, dependents: Arc::default(), sweeps: Arc::default() }
    }

    /// The same cloud, with other clients and no bulk answers.
    pub fn through(&self, clients: Clients) -> Self {
        Self::new(clients, self.facts.clone(), self.lineage.clone(), self.files.clone())
    }

    /// The same cloud, knowing who depends on whom by a state.
    pub fn with_dependents(mut self, state: &State) -> Self {
        let mut dependents: BTreeMap<Address, Vec<(String, String)>> = BTreeMap::new();
        for instance in state.instances.values() {
            for other in &instance.waits_for {
                dependents
                    .entry(other.clone())
                    .or_default()
                    .push((instance.type_name.clone(), instance.physical_id.clone()));
            }
        }
        self.dependents = Arc::new(dependents);
        self
    }

    /// What a provider gets for resources of an account and a region; an empty region is that of global types.
    pub async fn context(&self, account: &str, region: &str) -> Result<Context, Fault> {
        let mut facts = self.facts.clone();
        if account != self.facts.account_id {
            let caller = self.clients.caller_in(account).ok_or_else(|| {
                let message = format!("there is no way into account {account}: its [account] block is gone");
                Fault::local(FaultKind::Invalid, "account", message)
            })?;
            (facts.account_id, facts.partition) = (caller.account_id, caller.partition);
        }
        let session: Session = match (account == self.facts.account_id, region) {
            (true, "") => self.clients.home()?,
            (false, "") => self.clients.global(account)?,
            (_, region) => {
                region.clone_into(&mut facts.region);
                self.clients.session(&Target { account: Some(account.to_owned()), region: region.to_owned() })?
            }
        };
        let place = (account.to_owned(), region.to_owned());
        let sweeps = self.sweeps.lock().await.entry(place).or_default().clone();
        Ok(Context { session, facts, lineage: self.lineage.clone(), files: self.files.clone(), sweeps })
    }

    /// Reads many resources; everything is in flight together.
    pub async fn read(&self, questions: Vec<Question>, depth: Depth) -> BTreeMap<Address, Observation> {
        let mut groups: BTreeMap<(String, String, String), Vec<resources::Question>> = BTreeMap::new();
        for question in questions {
            let place = (question.type_name.clone(), question.account.clone(), question.region.clone());
            groups.entry(place).or_default().push(asked(question));
        }
        let answers = groups.iter().map(|((type_name, account, region), questions)| async move {
            match (resources::provider(type_name), self.context(account, region).await) {
                (Some(provider), Ok(context)) => provider.read(&context, questions, depth).await,
                (None, _) => vec![Observation::Unreadable(unknown_type(type_name)); questions.len()],
                (_, Err(fault)) => vec![Observation::Unreadable(fault); questions.len()],
            }
        });
        let answers = join_all(answers).await;
        let addresses = groups.values().flatten().map(|question| question.address.clone());
        addresses.zip(answers.into_iter().flatten()).collect()
    }
}

/// The provider of a type that state or plan names.
pub fn provider(type_name: &str) -> Result<&'static dyn Provider, Fault> {
    resources::provider(type_name).ok_or_else(|| unknown_type(type_name))
}

fn unknown_type(type_name: &str) -> Fault {
    Fault::local(
        FaultKind::Invalid,
        "registry",
        format!("this version knows no resource type {type_name}; use the version of s3stack that made it"),
    )
}

fn asked(question: Question) -> resources::Question {
    resources::Question {
        address: question.address,
        physical_id: question.physical_id,
        properties: question.properties,
        managed: question.managed,
        attributes: question.attributes,
        loss: question.loss,
        before: question.before,
    }
}
