//! A stack in a folder and an account of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use s3stack::aws::{CallEvent, Clients, Observer, Policy};
use s3stack::deployment::{Deployment, Destination, Notice, Planned, Reach};
use s3stack::local::Endpoint;
use s3stack::project::{self, Choices};
use s3stack::resources::provider;
use s3stack_engine::apply::Summary;
use s3stack_engine::plan::Action;
use tokio::sync::{OnceCell, watch};

use crate::support::emulator;

/// The stack's folder, its account, and the way there.
pub struct Stage {
    pub account: String,
    endpoint: String,
    folder: tempfile::TempDir,
}

/// What one command did.
pub struct Run {
    pub summary: Summary,
    /// The calls to IAM in the order they ended.
    pub calls: Vec<String>,
    /// What failed, as told.
    pub faults: Vec<String>,
}

impl Run {
    /// The calls that write.
    pub fn writes(&self) -> Vec<&str> {
        let reads = |call: &&str| !(call.starts_with("Get") || call.starts_with("List"));
        self.calls.iter().map(String::as_str).filter(reads).collect()
    }

    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert!(self.summary.is_success(), "{:#?}", self.summary);
        self
    }
}

impl Stage {
    /// A new account.
    pub fn new() -> Self {
        Self::at(&format!("http://{}", emulator::address()))
    }

    /// A new account behind an address.
    pub fn at(url: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { account: emulator::account(), endpoint: url.into(), folder }
    }

    /// The SDK's client, for what others do to the account.
    pub async fn iam(&self) -> aws_sdk_iam::Client {
        let deployment = self.open(&Reach { destination: self.destination(), ..Reach::default() }).await;
        deployment.cloud.clients.home().unwrap().iam().clone()
    }

    /// The mark of this stack.
    pub async fn lineage(&self) -> String {
        self.open(&Reach { destination: self.destination(), ..Reach::default() }).await.state.lineage
    }

    /// The ARNs of all there is of IAM in the account.
    pub async fn everything(&self) -> Vec<String> {
        let iam = self.iam().await;
        let mut found = Vec::new();
        let roles = iam.list_roles().send().await.unwrap().roles;
        found.extend(roles.into_iter().map(|one| one.arn));
        let policies = iam.list_policies().scope(aws_sdk_iam::types::PolicyScopeType::Local).send().await.unwrap();
        found.extend(policies.policies.unwrap_or_default().into_iter().filter_map(|one| one.arn));
        let profiles = iam.list_instance_profiles().send().await.unwrap().instance_profiles;
        found.extend(profiles.into_iter().map(|one| one.arn));
        found
    }

    fn destination(&self) -> Destination {
        let endpoint = Endpoint { url: self.endpoint.clone(), account_id: self.account.clone(), certificate: None };
        Destination::Local(endpoint)
    }

    /// Writes the stack file.
    pub fn write(&self, text: &str) {
        let text = format!("[stack]\nname = \"t\"\nregion = \"eu-west-1\"\n\n{text}");
        std::fs::write(self.folder.path().join("stack.toml"), text).unwrap();
    }

    async fn open(&self, reach: &Reach) -> Deployment {
        let choices = Choices { path: self.folder.path().to_owned(), ..Choices::default() };
        let project = project::open(&choices).unwrap_or_else(|error| panic!("{error:?}"));
        Deployment::open(project, reach).await.unwrap_or_else(|error| panic!("{error:?}"))
    }

    /// What a plan would do, without what stays, `update iam.role.it: policies`, and the calls to IAM that it took.
    pub async fn plan(&self) -> (Vec<String>, Vec<String>) {
        let calls = Calls::default();
        let deployment = self.open(&calls.reach(self)).await;
        let planned = deployment.plan(false, None).await.unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(planned.plan.unplanned, []);
        (told(&planned), calls.taken())
    }

    /// What a plan would do when AWS may take that long until it shows what was written, and what is said of waiting.
    pub async fn plan_patiently(&self, settles_within: Duration) -> (Vec<String>, Vec<String>) {
        let said: Arc<std::sync::Mutex<Vec<String>>> = Arc::default();
        let policy = Policy { settles_within: Some(settles_within), ..Policy::default() };
        let notice: Notice = Arc::new({
            let said = said.clone();
            move |text: &str| said.lock().unwrap().push(text.to_owned())
        });
        let reach = Reach { destination: self.destination(), policy, notice: Some(notice), ..Reach::default() };
        let planned = self.open(&reach).await.plan(false, None).await.unwrap_or_else(|error| panic!("{error:?}"));
        let said = said.lock().unwrap().clone();
        (told(&planned), said)
    }

    /// Why a plan is refused.
    pub async fn refusal(&self) -> String {
        let deployment = self.open(&Reach { destination: self.destination(), ..Reach::default() }).await;
        match deployment.plan(false, None).await {
            Ok(planned) => panic!("planned {:?}", told(&planned)),
            Err(error) => format!("{error:?}"),
        }
    }

    /// Applies the stack; afterwards nothing may differ.
    pub async fn apply(&self, text: &str) -> Run {
        self.write(text);
        let run = self.run(false, usize::MAX).await.succeeded();
        assert_eq!(self.plan().await.0, [""; 0], "the second plan");
        run
    }

    /// Destroys the stack.
    pub async fn destroy(&self) -> Run {
        self.run(true, usize::MAX).await.succeeded()
    }

    /// Plans and applies, and ends every call once `limit` calls to IAM have been answered since the plan was made: as if
    /// the process had been killed, but that what is in flight is told.
    pub async fn run(&self, destroy: bool, limit: usize) -> Run {
        let calls = Calls::default();
        let mut deployment = self.open(&calls.reach(self)).await;
        let keeper = deployment.lease("apply", None).await.unwrap();
        deployment.refresh_state().await.unwrap();
        let planned = deployment.plan(destroy, Some(&keeper)).await.unwrap_or_else(|error| panic!("{error:?}"));
        calls.begin(limit, &deployment.cloud.clients);
        let (_stop, stop) = watch::channel(false);
        let keeper = Arc::new(keeper);
        let summary = deployment.apply(planned, keeper.clone(), "apply", stop, &mut |_| ()).await.unwrap();
        Arc::try_unwrap(keeper).ok().unwrap().release().await.unwrap();
        let calls = calls.taken();
        for call in &calls {
            let action = format!("iam:{call}");
            assert!(declared().contains(&action.as_str()), "no type declares that it needs {action}");
        }
        let faults = summary.failed.iter().map(|failed| failed.fault.to_string()).collect();
        Run { summary, calls, faults }
    }
}

/// The actions that the types say they need.
fn declared() -> Vec<&'static str> {
    let types = ["iam.role", "iam.policy", "iam.instance_profile"].map(|name| provider(name).unwrap().descriptor());
    let verbs = types.iter().flat_map(|one| {
        let actions = &one.actions;
        [actions.read, actions.create, actions.update, actions.delete]
    });
    verbs.flatten().copied().collect()
}

/// What will be done, without what stays.
fn told(planned: &Planned) -> Vec<String> {
    let mut told = Vec::new();
    for (address, change) in &planned.plan.changes {
        let word = match change.action {
            Action::NoOp => continue,
            Action::Create => "create",
            Action::Update => "update",
            Action::Replace { .. } => "replace",
            Action::Delete => "delete",
            Action::Forget => "forget",
            Action::Adopt => "adopt",
        };
        let paths: Vec<String> = change.differences.iter().map(|difference| difference.path.to_string()).collect();
        told.push(format!("{word} {address}: {}", paths.join(" ")).trim_end_matches([':', ' ']).to_owned());
    }
    told
}

/// Watches the calls to IAM, and stops them all after a number of them.
#[derive(Clone, Default)]
struct Calls {
    names: Arc<std::sync::Mutex<Vec<String>>>,
    left: Arc<AtomicUsize>,
    clients: Arc<OnceCell<Clients>>,
}

impl Calls {
    fn reach(&self, stage: &Stage) -> Reach {
        let calls = self.clone();
        let observer = Observer::new(move |event| {
            let CallEvent::Ended(record) = event else { return };
            if record.service != "iam" {
                return;
            }
            calls.names.lock().unwrap().push(record.operation.clone());
            if let Some(clients) = calls.clients.get()
                && calls.left.fetch_sub(1, Ordering::SeqCst) == 1
            {
                clients.stop();
            }
        });
        Reach { destination: stage.destination(), observer: Some(observer), ..Reach::default() }
    }

    /// Counts from here.
    fn begin(&self, limit: usize, clients: &Clients) {
        self.names.lock().unwrap().clear();
        self.left.store(limit, Ordering::SeqCst);
        self.clients.set(clients.clone()).ok().unwrap();
        if limit == 0 {
            clients.stop();
        }
    }

    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.names.lock().unwrap())
    }
}

/// How often each call was made.
pub fn counted(calls: &[String]) -> BTreeMap<&str, usize> {
    let mut counted = BTreeMap::new();
    for call in calls {
        *counted.entry(call.as_str()).or_default() += 1;
    }
    counted
}
