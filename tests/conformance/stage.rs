//! An account of its own behind a fault proxy, and the way of a stack through product code: open, lease, plan, apply.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use s3stack::aws::{CallSummary, Clients, Policy, Settings};
use s3stack::backend::lease::Keeper;
use s3stack::deployment::{Deployment, Destination, Planned, Reach};
use s3stack::error::Error;
use s3stack::local::Endpoint;
use s3stack::project::{self, Choices};
use s3stack::resources::{Depth, Provider, Question, provider};
use s3stack_engine::address::{Address, Path};
use s3stack_engine::apply::Summary;
use s3stack_engine::diagnostic::Diagnostics;
use s3stack_engine::graph::Graph;
use s3stack_engine::plan::decide::ask;
use s3stack_engine::plan::{Action, Change, Observation, Plan};
use s3stack_engine::schema::Removal;
use s3stack_engine::state::{Instance, State};
use s3stack_engine::value::Value;
use tempfile::TempDir;
use tokio::sync::watch;

use crate::fixture::Fixture;
use crate::inventory;
use crate::ledger::{Ledger, Part, since, writes};
use crate::support::emulator;
use crate::support::proxy::Proxy;

/// A type under test in an account of its own.
pub struct Stage {
    pub kind: &'static dyn Provider,
    pub proxy: Proxy,
    pub ledger: Ledger,
    account: String,
}

/// What a stack shall come to.
#[derive(Clone, Copy)]
pub enum Goal<'a> {
    /// What a file says.
    Stack(&'a Fixture),
    /// Nothing; the file is the last one.
    Nothing(&'a Fixture),
}

/// A run that was not disturbed from outside, as far as it got.
pub struct Ran {
    pub plan: Plan,
    /// Absent where there was nothing to do.
    pub summary: Option<Summary>,
    /// How many requests there had been when the plan was made.
    pub requests_for_plan: usize,
    calls_for_plan: CallSummary,
    calls_for_apply: CallSummary,
    /// Whether it found what a run had left that was cut short.
    after_a_kill: bool,
}

/// A stack that came to rest: what was done for it, and what a second plan saw.
pub struct Settled {
    pub plan: Plan,
    pub state: State,
    pub graph: Graph,
}

impl<'a> Goal<'a> {
    fn fixture(self) -> &'a Fixture {
        match self {
            Self::Stack(fixture) | Self::Nothing(fixture) => fixture,
        }
    }

    fn is_nothing(self) -> bool {
        matches!(self, Self::Nothing(_))
    }
}

impl Ran {
    /// Whether the run says that all was planned and done.
    pub fn claims_success(&self) -> bool {
        self.plan.unplanned.is_empty() && self.summary.as_ref().is_none_or(Summary::is_success)
    }
}

impl Settled {
    pub fn change(&self, address: &Address) -> Result<&Change> {
        self.plan.changes.get(address).with_context(|| format!("the plan does not speak of {address}"))
    }

    pub fn instance(&self, address: &Address) -> Result<&Instance> {
        self.state.instances.get(address).with_context(|| format!("state does not know {address}"))
    }
}

impl Stage {
    /// A new account.
    pub async fn new(kind: &'static dyn Provider, ledger: &Ledger) -> Self {
        let proxy = Proxy::start(emulator::address()).await;
        Self { kind, proxy, ledger: ledger.clone(), account: emulator::account() }
    }

    pub fn type_name(&self) -> &'static str {
        self.kind.descriptor().name
    }

    /// The account's id, which occurs in names.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The resource under test.
    pub fn it(&self) -> Address {
        Address::root(self.type_name(), "it")
    }

    /// One of the type's texts.
    pub fn fixture(&self, text: &str) -> Result<Option<Fixture>> {
        Fixture::parse(self.type_name(), text)
    }

    pub fn base(&self) -> Result<Fixture> {
        self.fixture(self.kind.fixtures().base)?.context("the type has no base fixture")
    }

    /// Opens a stack in a folder, through the proxy.
    pub async fn open(&self, folder: &FilePath, fixture: &Fixture) -> Result<Deployment, Error> {
        fs::write(folder.join("stack.toml"), fixture.text()).map_err(|source| Error::Io {
            doing: "writing",
            path: folder.display().to_string(),
            source,
        })?;
        let project = project::open(&Choices { path: folder.to_owned(), ..Choices::default() })?;
        let endpoint = Endpoint { url: self.proxy.url(), account_id: self.account.clone(), certificate: None };
        let policy = Policy {
            throttle_first: Duration::from_millis(2),
            trouble_first: Duration::from_millis(2),
            ..Policy::default()
        };
        let reach = Reach { destination: Destination::Local(endpoint), policy, ..Reach::default() };
        Deployment::open(project, &reach).await
    }

    /// Plans as `s3stack plan` does: without a lease.
    pub async fn plan(&self, folder: &FilePath, goal: Goal<'_>) -> Result<(Deployment, Planned), Error> {
        let deployment = self.open(folder, goal.fixture()).await?;
        let planned = deployment.plan(goal.is_nothing(), None).await?;
        self.ledger.requests(self.type_name(), deployment.cloud.clients.calls().total);
        Ok((deployment, planned))
    }

    /// What `s3stack apply` and `destroy` do, approval aside. Counts nothing and expects nothing.
    pub async fn run(&self, folder: &FilePath, goal: Goal<'_>) -> Result<Ran, Error> {
        let mut deployment = self.open(folder, goal.fixture()).await?;
        let keeper = Arc::new(deployment.lease("conformance", None).await?);
        let ran = self.under_lease(&mut deployment, goal, &keeper).await;
        self.ledger.requests(self.type_name(), deployment.cloud.clients.calls().total);
        if let Ok(keeper) = Arc::try_unwrap(keeper) {
            keeper.release().await?;
        }
        ran
    }

    async fn under_lease(
        &self,
        deployment: &mut Deployment,
        goal: Goal<'_>,
        keeper: &Arc<Keeper>,
    ) -> Result<Ran, Error> {
        deployment.refresh_state().await?;
        let calls = || deployment.cloud.clients.calls();
        let after_a_kill = !deployment.state.pending.is_empty() || keeper.taken_over().is_some();
        let opened = calls();
        let planned = deployment.plan(goal.is_nothing(), Some(keeper)).await?;
        let mut ran = Ran {
            plan: planned.plan.clone(),
            summary: None,
            requests_for_plan: self.proxy.requests().len(),
            calls_for_plan: since(&opened, &calls()),
            calls_for_apply: CallSummary::default(),
            after_a_kill,
        };
        if !is_nothing(deployment, &planned) {
            let before = calls();
            let (_stop, stopped) = watch::channel(false);
            let applied = deployment.apply(planned, keeper.clone(), "conformance", stopped, &mut |_| {}).await;
            ran.summary = Some(applied?);
            ran.calls_for_apply = since(&before, &calls());
        }
        Ok(ran)
    }

    /// Runs, and fails unless all was planned and done, with no other calls than the types declare.
    pub async fn succeed(&self, folder: &FilePath, goal: Goal<'_>) -> Result<Ran> {
        let ran = self.run(folder, goal).await.map_err(told)?;
        let plan = &ran.plan;
        ensure!(plan.unplanned.is_empty(), "not all was planned: {:?}", plan.unplanned);
        if let Some(summary) = &ran.summary {
            ensure!(summary.is_success(), "the apply failed: {summary:#?}");
        }
        // A run that cleans up reads while it applies.
        if !ran.after_a_kill {
            let of_file = goal.fixture().types().into_iter();
            let of_state = plan.changes.keys().map(|address| address.type_name.to_string());
            let reads = of_file.chain(of_state).map(|of| (of, Part::Read)).collect();
            self.ledger.actions(&ran.calls_for_plan, &reads).context("while planning")?;
            self.ledger.actions(&ran.calls_for_apply, &verbs(plan)).context("while applying")?;
        }
        Ok(ran)
    }

    /// Brings a stack to a goal, and fails unless everything then agrees: as [`Self::rest`], and what exists is what state
    /// knows.
    pub async fn settle(&self, folder: &FilePath, goal: Goal<'_>) -> Result<Settled> {
        let settled = self.rest(folder, goal).await?;
        inventory::agrees(&self.inventory().await?, &settled.state)?;
        Ok(settled)
    }

    /// Brings a stack to a goal, and fails unless it then is at rest: a second plan is empty and costs no writing call, and
    /// state says what the file says.
    pub async fn rest(&self, folder: &FilePath, goal: Goal<'_>) -> Result<Settled> {
        let ran = self.succeed(folder, goal).await?;
        let (deployment, again) = self.plan(folder, goal).await.map_err(told).context("in the second plan")?;
        ensure!(again.plan.unplanned.is_empty(), "the second plan is not whole: {:?}", again.plan.unplanned);
        let recovered: Vec<_> = again.recovered.iter().map(|recovered| recovered.what.as_str()).collect();
        ensure!(again.plan.is_empty(), "the second plan is not empty: {}\n  {recovered:?}", summary_of(&again.plan));
        ensure!(is_nothing(&deployment, &again), "the second plan would write the state: {recovered:?}");
        let written = writes(&deployment.cloud.clients.calls());
        let written: Vec<_> = written.iter().filter(|action| !action.starts_with("sts:")).collect();
        ensure!(written.is_empty(), "an empty plan made writing calls: {written:?}");
        if !goal.is_nothing() {
            state_says_what_the_file_says(&deployment.state, &again)?;
        }
        Ok(Settled { plan: ran.plan, state: deployment.state, graph: again.graph })
    }

    /// What exists in the account of the services that the type's fixtures speak of.
    pub async fn inventory(&self) -> Result<inventory::Inventory> {
        let settings = Settings {
            region: Some("us-east-1".into()),
            endpoint: Some(format!("http://{}", emulator::address())),
            local_account: Some(self.account.clone()),
            ..Settings::default()
        };
        let fixtures = self.kind.fixtures();
        let texts = [fixtures.base, fixtures.updated, fixtures.replaced].map(|text| self.fixture(text));
        let mut services = BTreeSet::new();
        for fixture in texts {
            let types = fixture?.map(|fixture| fixture.types()).unwrap_or_default();
            services.extend(types.iter().filter_map(|of| of.split('.').next()).map(str::to_owned));
        }
        inventory::list(&Clients::load(settings).await?, &services).await
    }

    /// Reads the resource under test as an instance says, in a refresh of its own: by itself, and for a sweep also among so
    /// many that bulk calls pay. All answers must say the same.
    pub async fn read(&self, deployment: &Deployment, instance: &Instance, depth: Depth) -> Result<Observation> {
        let numbers: &[usize] = if depth == Depth::Sweep { &[1, MANY] } else { &[1] };
        let asked = ask(&self.it(), instance);
        let question = Question {
            address: asked.address,
            physical_id: asked.physical_id,
            properties: asked.properties,
            managed: asked.managed,
            attributes: asked.attributes,
            loss: asked.loss,
            before: asked.before,
        };
        let mut seen: Option<Observation> = None;
        for number in numbers {
            let cloud = deployment.cloud.through(deployment.cloud.clients.clone());
            let context = cloud.context(&instance.account, &instance.region).await?;
            let before = cloud.clients.calls();
            let answers = self.kind.read(&context, &vec![question.clone(); *number], depth).await;
            let reads = BTreeSet::from([(self.type_name().to_owned(), Part::Read)]);
            self.ledger.actions(&since(&before, &cloud.clients.calls()), &reads)?;
            ensure!(answers.len() == *number, "{number} questions have {} answers", answers.len());
            for answer in answers {
                if let Some(seen) = &seen {
                    ensure!(alike(self.kind, seen, &answer), "one read says {seen:#?}, another {answer:#?}");
                }
                seen = Some(answer);
            }
        }
        seen.context("a question without an answer")
    }
}

/// More resources than any type reads one by one where it has a bulk call.
const MANY: usize = 24;

/// Whether two answers say the same of a resource, but for what a bulk answer leaves out or only hints at.
fn alike(kind: &dyn Provider, one: &Observation, other: &Observation) -> bool {
    match (one, other) {
        (Observation::Found(one), Observation::Found(other)) => {
            let same = |name: &String, value: &Value| {
                other.managed.get(name).is_none_or(|held| kind.equal(&Path::of(name.as_str()), value, held))
            };
            // A hint may lag, and is confirmed before it counts.
            let is_hint = one.hint || other.hint;
            one.physical_id == other.physical_id
                && one.owner == other.owner
                && (is_hint || one.managed.iter().all(|(name, value)| same(name, value)))
        }
        (one, other) => one == other,
    }
}

/// A new folder for a stack.
pub fn folder() -> Result<TempDir> {
    Ok(tempfile::Builder::new().prefix("s3stack-conformance-").tempdir()?)
}

/// A folder with what another has: the same stack with the same state.
pub fn copy(from: &FilePath) -> Result<TempDir> {
    fn copy_into(from: &FilePath, to: &FilePath) -> Result<()> {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let target = to.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                copy_into(&entry.path(), &target)?;
            } else {
                fs::copy(entry.path(), target)?;
            }
        }
        Ok(())
    }
    let copy = folder()?;
    copy_into(from, copy.path())?;
    Ok(copy)
}

fn is_nothing(deployment: &Deployment, planned: &Planned) -> bool {
    planned.plan.is_empty() && planned.state == deployment.state && !planned.outputs_change(&deployment.state)
}

/// The verbs that a plan needs, by type.
fn verbs(plan: &Plan) -> BTreeSet<(String, Part)> {
    let mut verbs = BTreeSet::new();
    for change in plan.changes.values() {
        let parts: &[Part] = match change.action {
            Action::NoOp | Action::Forget => &[],
            Action::Create => &[Part::Create],
            Action::Update | Action::Adopt => &[Part::Update],
            Action::Replace { .. } => &[Part::Create, Part::Delete],
            Action::Delete => &[Part::Delete],
        };
        verbs.extend(parts.iter().map(|part| (change.address.type_name.to_string(), *part)));
    }
    verbs.extend(plan.deposed.iter().map(|deposed| (deposed.address.type_name.to_string(), Part::Delete)));
    verbs
}

fn state_says_what_the_file_says(state: &State, planned: &Planned) -> Result<()> {
    let known: BTreeSet<_> = state.instances.keys().collect();
    let blocks: BTreeSet<_> = planned.graph.nodes.keys().collect();
    ensure!(known == blocks, "state knows {known:?}, and the file has {blocks:?}");
    for (address, node) in &planned.graph.nodes {
        let (Some(instance), Some(kind)) = (state.instances.get(address), provider(address.type_name.as_str())) else {
            continue;
        };
        let written: BTreeMap<_, _> = node.managed.iter().filter(|(_, value)| !value.is_null()).collect();
        let properties = &kind.schema().properties;
        for name in instance.managed.keys().filter(|name| !written.contains_key(name)) {
            // What was taken out of the file and needs no call is forgotten with the next write of the state.
            let stays = properties.get(name).is_some_and(|one| one.removal != Removal::Replace);
            ensure!(stays, "{address}: state remembers {name}, which the file does not say");
        }
        for (name, value) in written {
            let stored = if value.is_sensitive() { planned.seal(value) } else { value.clone() };
            let remembered = instance.managed.get(name).unwrap_or(&Value::Null);
            ensure!(
                !stored.is_known() || stored == *remembered,
                "{address}: {name} is {stored:?} in the file and {remembered:?} in state"
            );
        }
        ensure!(
            instance.memory == node.memory,
            "{address}: {:?} in the file is {:?} in state",
            node.memory,
            instance.memory
        );
    }
    Ok(())
}

/// A plan in few words.
pub fn summary_of(plan: &Plan) -> String {
    let mut text = String::new();
    for change in plan.changes.values().filter(|change| change.action != Action::NoOp) {
        text.push_str(&format!("\n  {:?} {} {}", change.action, change.address, change.reason));
        for difference in &change.differences {
            text.push_str(&format!(
                "\n    {} ({:?}): {:?} → {:?}",
                difference.path, difference.cause, difference.from, difference.to
            ));
        }
    }
    for deposed in &plan.deposed {
        text.push_str(&format!("\n  deposed {} {}", deposed.address, deposed.instance.physical_id));
    }
    text
}

/// A product error as one that says all that is wrong.
pub fn told(error: Error) -> anyhow::Error {
    anyhow!("{}", words(&error.into_diagnostics()))
}

/// Diagnostics as text.
pub fn words(diagnostics: &Diagnostics) -> String {
    diagnostics.0.iter().map(|one| format!("{one:#?}")).collect::<Vec<_>>().join("\n")
}
