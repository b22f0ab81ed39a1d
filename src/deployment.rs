//! A stack with its account and its state: what plan, apply and destroy work on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use s3stack_engine::address::Address;
use s3stack_engine::apply::recover::{self, Circumstances, Recovered};
use s3stack_engine::apply::{Apply, Event, Options, Request, Summary};
use s3stack_engine::diagnostic::Diagnostics;
use s3stack_engine::graph::{self, Graph, Looked};
use s3stack_engine::plan::decide::{first_questions, remade};
use s3stack_engine::plan::questions::Question;
use s3stack_engine::plan::reread::{follow_up, unsettled};
use s3stack_engine::plan::{self, Observation, Plan, replacements};
use s3stack_engine::resource::{Account, Facts, Identity};
use s3stack_engine::state::{Run, State};
use s3stack_engine::value::{Map, Value};
use tokio::sync::{OnceCell, watch};

use crate::aws::{Clients, Observer, Policy};
use crate::backend::clock::SystemClock;
use crate::backend::lease::{Claim, Keeper};
use crate::backend::{Condition, Store};
use crate::cloud::{Cloud, provider};
use crate::driver::{Persistence, drive, seconds_since_1970};
use crate::error::Error;
use crate::folder::Folder;
use crate::local::Endpoint;
use crate::patience::Patience;
use crate::project::{self, Project};
use crate::resources::{Create, Depth, Types};
use crate::seal::Sealer;

mod accounts;
mod remotes;
mod stored;

use accounts::{Accounts, Home};
pub use stored::run_note;

/// Before any was got into.
static NO_ACCOUNTS: BTreeMap<String, Account> = BTreeMap::new();

/// Which AWS a stack is deployed to.
#[derive(Clone, Default)]
pub enum Destination {
    /// The one that the environment and profiles say.
    #[default]
    Aws,
    /// The private one of `--local`, or another emulator: backend, accounts and guards of the file do not count.
    Local(Endpoint),
}

/// What is the same for every command that reaches AWS.
#[derive(Clone, Default)]
pub struct Reach {
    /// Where to.
    pub destination: Destination,
    /// Most calls in flight; `None` lets the limiters find out.
    pub parallelism: Option<usize>,
    /// Hears of every call, for `-v`.
    pub observer: Option<Observer>,
    /// How patient retries are.
    pub policy: Policy,
    /// Hears what is being waited for.
    pub notice: Option<Notice>,
}

/// Whoever is told, in words, what takes long.
pub type Notice = Arc<dyn Fn(&str) + Send + Sync>;

/// A stack with its account and its state.
pub struct Deployment {
    /// The stack.
    pub project: Project,
    /// The way to AWS.
    pub cloud: Cloud,
    /// Where the state is.
    pub store: Arc<dyn Store>,
    /// The state; of a stack never applied, an empty one.
    pub state: State,
    /// What the next write of the state is bound to.
    pub condition: Condition,
    /// Those that a plan got into.
    accounts: OnceCell<Accounts>,
    files: Arc<Folder>,
    local: bool,
    reading: Reading,
    reach: Reach,
}

/// What becomes of a state that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// It is an error.
    Strict,
    /// It counts as an empty one, and what is written next takes its place: for putting an earlier one back.
    Repair,
}

/// A plan with what it was made from.
pub struct Planned {
    /// What will be done.
    pub plan: Plan,
    /// What the stack comes to.
    pub graph: Graph,
    /// The state the plan was made from, recovery included.
    pub state: State,
    /// What recovery found.
    pub recovered: Vec<Recovered>,
    /// Warnings.
    pub warnings: Diagnostics,
    sealer: Sealer,
}

/// What was found out beside the stack's own resources.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The outputs of other stacks.
    pub remotes: BTreeMap<String, Map>,
    /// What was looked up.
    pub lookups: BTreeMap<Address, Looked>,
}

impl Reach {
    /// The settings of clients for a region.
    pub fn settings(&self, region: Option<String>) -> crate::aws::Settings {
        let local = match &self.destination {
            Destination::Aws => None,
            Destination::Local(endpoint) => Some(endpoint),
        };
        crate::aws::Settings {
            region: region.or_else(|| local.map(|_| "us-east-1".into())),
            endpoint: local.map(|endpoint| endpoint.url.clone()),
            local_account: local.map(|endpoint| endpoint.account_id.clone()),
            parallelism: self.parallelism,
            observer: self.observer.clone(),
            policy: self.policy,
            ..Default::default()
        }
    }

    /// Whether this is an emulator.
    pub fn is_local(&self) -> bool {
        matches!(self.destination, Destination::Local(_))
    }
}

impl Planned {
    /// Marks a secret under the key this plan was made with.
    pub fn seal(&self, value: &Value) -> Value {
        self.sealer.seal(value)
    }

    /// Whether applying would store other outputs than the state has.
    pub fn outputs_change(&self, state: &State) -> bool {
        let stored: Map = self
            .plan
            .outputs
            .iter()
            .filter(|(_, value)| !value.is_sensitive() && value.is_known())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        !self.plan.destroy && stored != state.outputs
    }
}

impl Deployment {
    /// Finds out who the caller is, checks the guards, and reads the state. Takes no lock and writes nothing.
    pub async fn open(project: Project, reach: &Reach) -> Result<Self, Error> {
        Self::open_reading(project, reach, Reading::Strict).await
    }

    /// [`Self::open`], with a choice about a state that cannot be read.
    pub async fn open_reading(project: Project, reach: &Reach, reading: Reading) -> Result<Self, Error> {
        let local = reach.is_local();
        let clients = clients(&project, reach).await?;
        let caller = clients.caller_identity().await.map_err(Error::fault("finding out who the caller is"))?;
        if let Some(wanted) =
            project.settings.account_id.as_ref().filter(|wanted| !local && **wanted != caller.account_id)
        {
            return Err(Error::refused(
                "S3S-G1",
                format!(
                    "this stack belongs to account {wanted}, and the caller is {} of account {}",
                    caller.arn, caller.account_id
                ),
                "choose other credentials with AWS_PROFILE; nothing was read or changed",
            ));
        }
        let facts = Facts {
            partition: caller.partition.clone(),
            account_id: caller.account_id.clone(),
            region: clients.region().map_err(Error::fault("finding the region"))?.to_owned(),
            stack: project.settings.name.clone(),
            environment: project.environment.clone(),
        };
        let store = stored::store(&project, &facts.region, &clients, reach).await?;
        let (state, condition) = stored::read_state(&project, store.as_ref(), local, reading).await?;
        accounts::knows_the_way(&state, &facts)?;
        if !project.problems.0.is_empty() && condition == Condition::Absent {
            return Err(Error::refused(
                "S3S-J6",
                format!("there is no state at {}, and files with errors may name the wrong place", store.place()),
                "mend the files and try again; nothing was changed",
            ));
        }
        let files = Arc::new(project.files());
        let cloud = Cloud::new(clients, facts, state.lineage.clone(), files.clone());
        let reach = reach.clone();
        Ok(Self { project, cloud, store, state, condition, accounts: OnceCell::new(), files, local, reading, reach })
    }

    /// Whether this is an emulator's AWS, with a state of its own.
    pub fn is_local(&self) -> bool {
        self.local
    }

    /// Goes on under the mark that a plan of a stack without state was saved with. A stack that has a state keeps its own.
    pub fn expect_lineage(&mut self, lineage: &str) {
        if self.condition == Condition::Absent && self.project.settings.id.is_none() {
            self.state.lineage = lineage.to_owned();
            self.cloud.lineage = lineage.to_owned();
        }
    }

    /// Reads the state anew: after the lease was taken, what was read before may be old.
    pub async fn refresh_state(&mut self) -> Result<(), Error> {
        let (mut state, condition) =
            stored::read_state(&self.project, self.store.as_ref(), self.local, self.reading).await?;
        if condition == Condition::Absent {
            // Still a stack without state: the mark that was chosen for it stays.
            state.lineage.clone_from(&self.state.lineage);
        }
        self.cloud.lineage.clone_from(&state.lineage);
        self.state = state;
        self.condition = condition;
        Ok(())
    }

    /// Makes the plan. Makes reading calls only.
    pub async fn plan(&self, destroy: bool, keeper: Option<&Keeper>) -> Result<Planned, Error> {
        let clients = &self.cloud.clients;
        let sign_in = || accounts::sign_in(clients, &self.project, self.local);
        // What is taken down needs no account but those that it is in.
        let foreseen = || async { Ok::<_, Error>(Accounts::foreseen(&self.project, self.local)) };
        let accounts = match destroy {
            true => self.accounts.get_or_try_init(foreseen).await?,
            false => self.accounts.get_or_try_init(sign_in).await?,
        };
        let remembered = accounts::remembered(clients, &self.state, self.local).await?;
        let cloud = self.cloud.through(self.cloud.clients.clone());
        let (mut state, recovered) = self.recover(&cloud, keeper).await;
        let before = Home::of(&state);
        accounts.remember(remembered, &mut state, &self.cloud.facts);
        let mut known = Known::default();
        let mut notes = Diagnostics::default();
        if !destroy {
            let (facts, clients) = (&self.cloud.facts, &self.cloud.clients);
            (known.remotes, notes) = remotes::read(&self.project, &facts.region, clients, &self.reach).await?;
            known.lookups = self.look_up(&cloud, &state, &known).await;
        }
        let mut sealer: Option<Sealer> = None;
        let mut forget = BTreeSet::new();
        let mut observations: BTreeMap<Address, Observation> = BTreeMap::new();
        let mut confirmed = BTreeSet::new();
        let mut patience = Patience::new(self.cloud.clients.settles_within());
        loop {
            let (graph, mut warnings) = self.graph(&state, &forget, &known);
            warnings.extend(notes.clone());
            if warnings.has_errors() && !destroy {
                return Err(Error::Diagnostics(warnings));
            }
            let moved = accounts::stays_at_home(&before, &state, &graph, &self.cloud.facts);
            if moved.has_errors() && !destroy {
                return Err(Error::Diagnostics(moved));
            }
            let is_sound = self.project.problems.0.is_empty() && !warnings.has_errors();
            let warnings = match is_sound {
                true => warnings,
                // What is wrong with the files was told when they were opened, or else is told now.
                false if self.project.problems.0.is_empty() => project::told(&warnings),
                false => Diagnostics::default(),
            };
            let sealer = match &sealer {
                Some(sealer) => sealer.clone(),
                None => sealer.insert(self.sealer(&graph).await?).clone(),
            };
            let seal = |value: &Value| sealer.seal(value);
            let mut is_swept = false;
            loop {
                let inputs = plan::Inputs {
                    graph: Some(&graph),
                    state: &state,
                    observations: &observations,
                    registry: &Types,
                    facts: &self.cloud.facts,
                    destroy,
                    is_sound,
                    seal: &seal,
                };
                let (questions, depth) = match is_swept {
                    false => (first_questions(&inputs), Depth::Sweep),
                    true => (follow_up(&inputs, &confirmed), Depth::Point),
                };
                let mut fresh: Vec<Question> =
                    questions.into_iter().filter(|one| !confirmed.contains(&one.address)).collect();
                if is_swept && fresh.is_empty() {
                    fresh = if patience.is_over() { Vec::new() } else { unsettled(&inputs, seconds_since_1970()) };
                    if fresh.is_empty() {
                        break;
                    }
                    patience.pause(&fresh, self.reach.notice.as_ref()).await;
                }
                if depth == Depth::Point {
                    confirmed.extend(fresh.iter().map(|question| question.address.clone()));
                }
                observations.extend(cloud.read(fresh, depth).await);
                is_swept = true;
            }
            let inputs = plan::Inputs {
                graph: Some(&graph),
                state: &state,
                observations: &observations,
                registry: &Types,
                facts: &self.cloud.facts,
                destroy,
                is_sound,
                seal: &seal,
            };
            let mut plan = plan::plan(&inputs).map_err(Error::Diagnostics)?;
            // What was evaluated with the old attributes of a resource that will be made anew is evaluated without.
            let anew: BTreeSet<Address> =
                remade(&plan).into_iter().filter(|address| state.instances.contains_key(address)).collect();
            if anew.is_subset(&forget) {
                let answers = cloud.read(replacements::probes(&plan), Depth::Point).await;
                let refused = replacements::settle(&mut plan, &answers, Some(&graph));
                if refused.has_errors() {
                    return Err(Error::Diagnostics(refused));
                }
                return Ok(Planned { plan, graph, state, recovered, warnings, sealer });
            }
            forget.extend(anew);
        }
    }

    /// Evaluates the stack, as far as anything can be known.
    pub fn graph(&self, state: &State, forget: &BTreeSet<Address>, known: &Known) -> (Graph, Diagnostics) {
        self.evaluate(state, forget, known, graph::build)
    }

    /// Looks up what the stack wants to know of resources that somebody else made. One lookup may name another, and
    /// what there is may depend on a third, so it is asked until there is nothing more to ask.
    async fn look_up(&self, cloud: &Cloud, state: &State, known: &Known) -> BTreeMap<Address, Looked> {
        let mut known = known.clone();
        if !self.project.stack.has_lookups() {
            return known.lookups;
        }
        loop {
            let queries = self.evaluate(state, &BTreeSet::new(), &known, graph::queries);
            if queries.is_empty() {
                return known.lookups;
            }
            known.lookups.extend(cloud.look_up(queries).await);
        }
    }

    fn evaluate<T>(
        &self,
        state: &State,
        forget: &BTreeSet<Address>,
        known: &Known,
        then: impl FnOnce(&graph::Inputs<'_>) -> T,
    ) -> T {
        let variables = self.project.variables.0.iter().map(|(name, one)| (name.clone(), one.value.clone())).collect();
        let inputs = graph::Inputs {
            stack: &self.project.stack,
            variables: &variables,
            facts: self.cloud.facts.clone(),
            accounts: self.accounts.get().map_or(&NO_ACCOUNTS, |accounts| &accounts.named),
            remotes: &known.remotes,
            lookups: &known.lookups,
            tags: self.project.settings.tags.clone(),
            registry: &Types,
            files: self.files.as_ref(),
            state,
            forget,
        };
        then(&inputs)
    }

    /// Folds what a run that was cut short left behind into a copy of the state.
    async fn recover(&self, cloud: &Cloud, keeper: Option<&Keeper>) -> (State, Vec<Recovered>) {
        let mut asked = Vec::new();
        let mut tokens = BTreeMap::new();
        for (token, request) in recover::questions(&self.state) {
            if let Request::Read { address, instance, before, .. } = request {
                // One address may have two entries, a deletion and a creation, of two physical ids.
                let mut question =
                    plan::questions::question(&address, &instance, instance.managed.keys().cloned().collect(), false);
                question.before = before;
                tokens.insert(token, (address, question.physical_id.clone()));
                asked.push(question);
            }
        }
        let mut answers = BTreeMap::new();
        for question in asked {
            let key = (question.address.clone(), question.physical_id.clone());
            let mut answer = cloud.read(vec![question], Depth::Point).await;
            if let Some(answer) = answer.remove(&key.0) {
                answers.extend(
                    tokens.iter().filter(|(_, asked)| **asked == key).map(|(token, _)| (token.clone(), answer.clone())),
                );
            }
        }
        let circumstances = Circumstances {
            registry: &Types,
            wall: seconds_since_1970(),
            taken_over: keeper.is_some_and(|keeper| keeper.taken_over().is_some()),
        };
        recover::fold(&self.state, &answers, circumstances)
    }

    /// The key for secrets, if the stack has any; else one that matches nothing.
    async fn sealer(&self, graph: &Graph) -> Result<Sealer, Error> {
        let secrets = graph.nodes.values().any(|node| node.managed.values().any(Value::is_sensitive));
        let found = if secrets { Sealer::read(self.store.as_ref()).await? } else { None };
        match found {
            Some(sealer) => Ok(sealer),
            None => Sealer::ephemeral().map_err(|error| {
                Error::refused(
                    "S3S-L3",
                    format!("the system gives no random numbers: {error}"),
                    "repair the system's random source",
                )
            }),
        }
    }

    /// Makes sure that the marks of a plan can be checked later: its key is the backend's.
    pub async fn keep_sealer(&self, planned: Planned) -> Result<Planned, Error> {
        let secrets = planned.plan.changes.values().any(|change| change.desired.values().any(Value::is_sensitive));
        if !secrets {
            return Ok(planned);
        }
        let sealer = planned.sealer.clone().establish(self.store.as_ref()).await?;
        Ok(Planned { sealer, ..planned })
    }

    /// Takes the lease.
    pub async fn lease(&self, command: &str, wait: Option<Duration>) -> Result<Keeper, Error> {
        let claim = Claim {
            run: uuid::Uuid::new_v4().to_string(),
            owner: owner(),
            command: command.to_owned(),
            acquired_at: crate::time::rfc3339(std::time::SystemTime::now()),
        };
        Ok(Keeper::acquire(self.store.clone(), Arc::new(SystemClock), claim, wait).await?)
    }

    /// Carries a plan out. `stop` turns true when no further operation shall start.
    pub async fn apply(
        &self,
        planned: Planned,
        keeper: Arc<Keeper>,
        command: &str,
        stop: watch::Receiver<bool>,
        watch: &mut dyn FnMut(&Event),
    ) -> Result<Summary, Error> {
        let cloud = self.cloud.through(self.cloud.clients.gated(keeper.gate())).with_dependents(&planned.state);
        let before = notes_before(&cloud, &planned.plan).await?;
        let planned = self.keep_sealer(planned).await?;
        let sealer = planned.sealer;
        let run = Run {
            id: uuid::Uuid::new_v4().to_string(),
            who: owner(),
            since: seconds_since_1970(),
            command: command.to_owned(),
        };
        let seal = move |value: &Value| sealer.seal(value);
        let recovered = planned.state != self.state;
        let options = Options { registry: &Types, seal: &seal, parallelism: PARALLELISM, recovered, before };
        let apply = Apply::new(planned.plan, planned.state, run, options)
            .map_err(|error| Error::refused("S3S-J2", error.to_string(), "run the command again; it plans anew"))?;
        let persistence = Persistence { store: self.store.clone(), condition: self.condition.clone(), keeper };
        Ok(drive(apply, &cloud, persistence, stop, watch).await)
    }
}

/// Most operations under way; the limiters decide how many calls that may be.
const PARALLELISM: usize = 256;

/// What must be noted before creations whose identifier AWS makes and whose siblings alone tell them apart.
async fn notes_before(cloud: &Cloud, plan: &Plan) -> Result<BTreeMap<Address, Map>, Error> {
    let mut notes = BTreeMap::new();
    for change in plan.changes.values() {
        let makes = matches!(change.action, plan::Action::Create | plan::Action::Replace { .. });
        let (true, Some(after)) = (makes, &change.after) else { continue };
        let provider = provider(change.address.type_name.as_str()).map_err(Error::fault("planning"))?;
        if provider.descriptor().identity != Identity::ParentList {
            continue;
        }
        let doing = format!("reading what is there before {} is made", change.address);
        let context = cloud.context(&after.account, &after.region).await.map_err(Error::fault(doing.clone()))?;
        let create = Create {
            address: change.address.clone(),
            physical_id: after.physical_id.clone(),
            desired: change.desired.clone(),
            attributes: after.attributes.clone(),
            memory: after.memory.clone(),
            token: String::new(),
            before: Map::new(),
        };
        notes.insert(change.address.clone(), provider.before(&context, &create).await.map_err(Error::fault(doing))?);
    }
    Ok(notes)
}

/// Who runs this, in words for whoever waits: `ada@host pid 123`.
fn owner() -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "somebody".into());
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{user}@{host} pid {}", std::process::id())
}

/// The folder of a stack's own files that no one edits.
pub fn private_folder(project_folder: &Path) -> PathBuf {
    // Not `./.s3stack`: the path stands in messages.
    if project_folder == Path::new(".") { PathBuf::from(".s3stack") } else { project_folder.join(".s3stack") }
}

/// The clients for the account that the stack is in.
async fn clients(project: &Project, reach: &Reach) -> Result<Clients, Error> {
    let mut settings = reach.settings(project.settings.region.clone());
    if let (Some(name), Some(way)) = (&project.settings.account, project.settings.home()) {
        match &mut settings.local_account {
            Some(account) => *account = accounts::local_id(name, way),
            None => settings.home = Some(way.clone()),
        }
    }
    Ok(Clients::load(settings).await?)
}

/// The state of a stack, if it is on this machine: for who asks nothing of AWS.
pub async fn state_at_hand(project: &Project, local: bool) -> Result<Option<State>, Error> {
    let Some(store) = stored::at_hand(project, local) else { return Ok(None) };
    let (state, _) = stored::read_state(project, &store, local, Reading::Strict).await?;
    Ok(Some(state))
}
