//! A fault at every call of a run. Whatever it did, a clean run afterwards converges, asks nobody, and leaves no orphan and
//! no duplicate.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use s3stack::resources::Provider;
use tokio::runtime::Builder;

use crate::checks::Verdict;
use crate::fixture::Fixture;
use crate::ledger::Ledger;
use crate::main_is_full;
use crate::stage::{Goal, Ran, Stage, folder, summary_of, told};
use crate::support::proxy::{Action, Reply, Request};

/// What happens to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// It is refused for coming too soon.
    Throttle,
    /// It is answered with a server error and had no effect.
    Fail,
    /// It takes effect, and the connection is cut.
    CutAfter,
    /// It is refused for good.
    Deny,
    /// The program is killed before it takes effect.
    KillBefore,
    /// The program is killed after it took effect.
    KillAfter,
}

impl Trouble {
    const ALL: [Self; 6] = [Self::Throttle, Self::Fail, Self::CutAfter, Self::Deny, Self::KillBefore, Self::KillAfter];

    fn kills(self) -> bool {
        matches!(self, Self::KillBefore | Self::KillAfter)
    }

    /// What the proxy does.
    fn action(self, request: &Request) -> Action {
        let protocol = Protocol::of(request);
        match self {
            Self::Throttle => Action::Refuse(protocol.throttle()),
            Self::Fail => Action::Refuse(protocol.error(500, protocol.internal())),
            Self::CutAfter => Action::CutAfter,
            Self::Deny => Action::Refuse(protocol.error(403, protocol.denied())),
            Self::KillBefore => Action::HangBefore,
            Self::KillAfter => Action::HangAfter,
        }
    }
}

/// How a service writes its errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Storage,
    Query,
    Json,
}

impl Protocol {
    fn of(request: &Request) -> Self {
        if request.header("x-amz-target").is_some() {
            Self::Json
        } else if request.header("content-type").is_some_and(|kind| kind.contains("x-www-form-urlencoded")) {
            Self::Query
        } else {
            Self::Storage
        }
    }

    fn error(self, status: u16, code: &str) -> Reply {
        match self {
            Self::Storage => Reply::xml(status, code),
            Self::Json => Reply::json(status, code),
            Self::Query => {
                let inner = Reply::xml(status, code);
                let error = inner.body.split_once("<Error>").map(|(_, rest)| rest.replace("</Error>", ""));
                let error = error.unwrap_or_default().replace("<RequestId>PROXY1</RequestId>", "");
                let body = format!(
                    "<ErrorResponse><Error><Type>Sender</Type>{error}</Error><RequestId>PROXY1</RequestId></ErrorResponse>"
                );
                Reply { body, ..inner }
            }
        }
    }

    fn throttle(self) -> Reply {
        match self {
            Self::Storage => self.error(503, "SlowDown"),
            Self::Query => self.error(400, "Throttling"),
            Self::Json => self.error(400, "ThrottlingException"),
        }
    }

    fn internal(self) -> &'static str {
        match self {
            Self::Storage => "InternalError",
            Self::Query => "ServiceFailure",
            Self::Json => "InternalServerError",
        }
    }

    fn denied(self) -> &'static str {
        match self {
            Self::Storage | Self::Query => "AccessDenied",
            Self::Json => "AccessDeniedException",
        }
    }
}

/// One call of a run, known again in another account.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    /// What it asks for, without what differs from account to account.
    signature: String,
    /// How many of the same come before it.
    occurrence: usize,
    /// Whether it is made after the plan.
    applies: bool,
}

/// What a request asks for, without what differs from account to account.
fn signature(request: &Request, account: &str) -> String {
    let keys = |text: &str, keep: &dyn Fn(&str) -> bool| -> Vec<String> {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(key, value)| if keep(key) { format!("{key}={value}") } else { key.to_owned() })
            .collect()
    };
    let mut parts = vec![format!("{} {}", request.method, request.path)];
    parts.extend(keys(&request.query, &|key| key == "x-id" || key == "prefix"));
    if Protocol::of(request) == Protocol::Query {
        let body = String::from_utf8_lossy(&request.body);
        let named = |key: &str| key == "Action" || key.ends_with("Name") || key.ends_with("Arn");
        parts.extend(keys(&body, &named).into_iter().filter(|part| part.contains('=')));
    }
    parts.join(" ").replace(account, "ACCOUNT")
}

fn asks_who(request: &Request) -> bool {
    String::from_utf8_lossy(&request.body).contains("Action=GetCallerIdentity")
}

/// From where to where a run goes.
pub struct Scenario {
    name: &'static str,
    start: Option<Fixture>,
    end: Fixture,
    destroys: bool,
    /// How many cases of each trouble are tried in a quick run.
    sample: usize,
}

impl Scenario {
    fn goal(&self) -> Goal<'_> {
        if self.destroys { Goal::Nothing(&self.end) } else { Goal::Stack(&self.end) }
    }
}

/// Faults while everything is made.
pub async fn while_creating(stage: &Stage) -> Result<Verdict> {
    let scenario = Scenario { name: "create", start: None, end: stage.base()?, destroys: false, sample: 1 };
    all(stage, &scenario).await
}

/// Faults while everything is destroyed.
pub async fn while_deleting(stage: &Stage) -> Result<Verdict> {
    let base = stage.base()?;
    let scenario = Scenario { name: "delete", start: Some(base.clone()), end: base, destroys: true, sample: 1 };
    all(stage, &scenario).await
}

/// Faults while it is changed in place.
pub async fn while_updating(stage: &Stage) -> Result<Verdict> {
    match stage.fixture(stage.kind.fixtures().updated)? {
        None => Ok(Verdict::Meaningless("nothing of it can be changed")),
        Some(end) => {
            let start = Some(stage.base()?);
            all(stage, &Scenario { name: "update", start, end, destroys: false, sample: 1 }).await
        }
    }
}

/// Faults while it is replaced.
pub async fn while_replacing(stage: &Stage) -> Result<Verdict> {
    match stage.fixture(stage.kind.fixtures().replaced)? {
        None => Ok(Verdict::Meaningless("nothing of it is create-only")),
        Some(end) => {
            let start = Some(stage.base()?);
            all(stage, &Scenario { name: "replace", start, end, destroys: false, sample: 1 }).await
        }
    }
}

async fn all(stage: &Stage, scenario: &Scenario) -> Result<Verdict> {
    let targets = calls_of(stage, scenario).await.context("without any fault")?;
    let cases = cases(stage.type_name(), scenario, &targets);
    let mut missed = Vec::new();
    for (trouble, target) in &cases {
        let words = || format!("{}: {trouble:?} at `{}` (no. {})", scenario.name, target.signature, target.occurrence);
        match case(stage.kind, &stage.ledger, scenario, *trouble, target).await.with_context(words)? {
            true => stage.ledger.fault(stage.type_name()),
            false => missed.push(words()),
        }
    }
    // Of calls in flight together, the answer to one may make the others needless before they are sent.
    ensure!(missed.len() * 4 <= cases.len(), "calls that were not made again: {missed:#?}");
    Ok(Verdict::Passed)
}

/// The calls that a run makes when nothing goes wrong.
async fn calls_of(stage: &Stage, scenario: &Scenario) -> Result<Vec<Target>> {
    let folder = folder()?;
    if let Some(start) = &scenario.start {
        stage.settle(folder.path(), Goal::Stack(start)).await?;
    }
    stage.proxy.reset();
    let ran = stage.succeed(folder.path(), scenario.goal()).await?;
    let mut targets: Vec<Target> = Vec::new();
    for request in stage.proxy.requests().iter().filter(|request| !asks_who(request)) {
        let signature = signature(request, stage.account());
        let occurrence = targets.iter().filter(|target| target.signature == signature).count();
        targets.push(Target { signature, occurrence, applies: request.index >= ran.requests_for_plan });
    }
    ensure!(targets.iter().any(|target| target.applies), "the apply made no call");
    Ok(targets)
}

/// All cases; or a sample, which is another one for each type and the same in every run.
fn cases(type_name: &str, scenario: &Scenario, targets: &[Target]) -> Vec<(Trouble, Target)> {
    let mut random = Random::seeded(&format!("{type_name} {}", scenario.name));
    let mut chosen = Vec::new();
    for trouble in Trouble::ALL {
        // A run that is killed before its plan is made has done nothing.
        let mut fitting: Vec<&Target> = targets.iter().filter(|target| target.applies || !trouble.kills()).collect();
        let wanted = if main_is_full() { fitting.len() } else { scenario.sample.min(fitting.len()) };
        for _ in 0..wanted {
            let at = if main_is_full() { 0 } else { random.below(fitting.len()) };
            chosen.push((trouble, fitting.remove(at).clone()));
        }
    }
    chosen
}

/// SplitMix64 (Steele, Lea, Flood 2014), seeded with a text by FNV-1a.
struct Random(u64);

impl Random {
    fn seeded(text: &str) -> Self {
        let offset: u64 =
            std::env::var("S3STACK_CONFORMANCE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
        let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        Self(text.bytes().fold(0xcbf2_9ce4_8422_2325_u64.wrapping_add(offset), fold))
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound.max(1) as u64).unwrap_or_default()
    }
}

/// Where the fault struck: 0 until it has, then one more than the index of the request.
type Struck = Arc<AtomicUsize>;

/// Strikes one call of a run, and fails unless a clean run then converges. False: the call was not made.
async fn case(
    kind: &'static dyn Provider,
    ledger: &Ledger,
    scenario: &Scenario,
    trouble: Trouble,
    target: &Target,
) -> Result<bool> {
    let stage = Stage::new(kind, ledger).await;
    let folder = folder()?;
    let folder = folder.path();
    if let Some(start) = &scenario.start {
        stage.settle(folder, Goal::Stack(start)).await.context("before the fault")?;
    }
    stage.proxy.reset();
    let struck = arm(&stage, trouble, target);
    let outcome = if trouble.kills() {
        kill(&stage, folder, scenario, trouble, &struck)?
    } else {
        Some(stage.run(folder, scenario.goal()).await)
    };
    let is_struck = struck.load(Ordering::SeqCst) > 0;
    stage.proxy.reset();
    stage.proxy.quiet().await;
    if let Some(Ok(ran)) = &outcome
        && ran.claims_success()
    {
        let (_, again) = stage.plan(folder, scenario.goal()).await.map_err(told)?;
        ensure!(again.plan.is_empty(), "the run said that all was done, and left: {}", summary_of(&again.plan));
    }
    let said = outcome.map(|outcome| match outcome {
        Ok(ran) => format!("{:?}", ran.summary),
        Err(error) => told(error).to_string(),
    });
    let settled = stage.settle(folder, scenario.goal()).await;
    settled.with_context(|| format!("the clean run afterwards; the faulty one: {}", said.unwrap_or_default()))?;
    Ok(is_struck)
}

/// Makes the proxy strike once, at one call.
fn arm(stage: &Stage, trouble: Trouble, target: &Target) -> Struck {
    let struck = Struck::default();
    // What is answered depends on who is asked, and a rule's action is fixed: one rule for each protocol.
    let protocols = [Protocol::Storage, Protocol::Query, Protocol::Json];
    for protocol in protocols {
        let (struck, wanted, account) = (struck.clone(), target.clone(), stage.account().to_owned());
        let seen = AtomicUsize::new(0);
        let fits = move |request: &Request| {
            if Protocol::of(request) != protocol || signature(request, &account) != wanted.signature {
                return false;
            }
            let hit = seen.fetch_add(1, Ordering::SeqCst) == wanted.occurrence;
            if hit {
                struck.store(request.index + 1, Ordering::SeqCst);
            }
            hit
        };
        stage.proxy.once(fits, trouble.action(&sample(protocol)));
    }
    struck
}

/// A request of a protocol, of which nothing else matters.
fn sample(protocol: Protocol) -> Request {
    let header = match protocol {
        Protocol::Storage => ("accept", "*/*"),
        Protocol::Query => ("content-type", "application/x-www-form-urlencoded"),
        Protocol::Json => ("x-amz-target", "X"),
    };
    Request {
        index: 0,
        method: String::new(),
        path: String::new(),
        query: String::new(),
        headers: vec![(header.0.into(), header.1.into())],
        body: Vec::new(),
    }
}

/// Runs until the fault has struck, and then stops everything at once: the run, its tasks, its connections, its lock. It
/// has a runtime of its own, because only a runtime that is dropped waits for a file write under way, as a kernel would.
fn kill(
    stage: &Stage,
    folder: &Path,
    scenario: &Scenario,
    trouble: Trouble,
    struck: &Struck,
) -> Result<Option<Result<Ran, s3stack::error::Error>>> {
    let doomed = || -> Result<Option<Result<Ran, s3stack::error::Error>>> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(runtime.block_on(async {
            tokio::select! {
                ran = stage.run(folder, scenario.goal()) => Some(ran),
                () = effect(stage, trouble, struck) => None,
            }
        }))
    };
    let ended = std::thread::scope(|scope| scope.spawn(doomed).join());
    match ended {
        Ok(ended) => ended,
        Err(_) => bail!("the run panicked"),
    }
}

/// Returns when the fault has struck, with or without effect as it says.
async fn effect(stage: &Stage, trouble: Trouble, struck: &Struck) {
    loop {
        let at = struck.load(Ordering::SeqCst);
        if at > 0 && (trouble == Trouble::KillBefore || stage.proxy.status(at - 1).is_some()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
