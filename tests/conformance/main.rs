//! The suite that every resource type goes through, driven by its three fixtures, against the private AWS of `--local`.
//!
//! There is no code per type here: what a type does differently stands in [`tables`], with the reason. Each check runs in an
//! account of its own. `cargo test --test conformance -- iam.role/life` runs what contains one of the words; a filtered run
//! does not ask whether all declared actions were used. The faults are a sample, the same in every run unless
//! `S3STACK_CONFORMANCE_SEED` is set; `S3STACK_CONFORMANCE=full` strikes every call.

#[path = "../support/mod.rs"]
mod support;

mod checks;
mod faults;
mod fixture;
mod inventory;
mod ledger;
mod ownership;
mod stage;
mod tables;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use futures_util::future::LocalBoxFuture;
use s3stack::resources::{Provider, TYPES};
use tokio::runtime::Builder;

use checks::Verdict;
use ledger::Ledger;
use stage::Stage;

/// How long one check may take before it counts as hung.
const PATIENCE: Duration = Duration::from_secs(120);

/// The same in a full run, in which one check strikes some hundred calls.
const LONG_PATIENCE: Duration = Duration::from_secs(3600);

/// How many checks run at a time: most of a check is waiting for the emulator, which is one process.
const WORKERS: usize = 4;

type Check = for<'a> fn(&'a Stage) -> LocalBoxFuture<'a, Result<Verdict>>;

/// The checks; the long ones first.
const CHECKS: &[(&str, Check)] = &[
    ("faults/create", |stage| Box::pin(faults::while_creating(stage))),
    ("faults/delete", |stage| Box::pin(faults::while_deleting(stage))),
    ("faults/update", |stage| Box::pin(faults::while_updating(stage))),
    ("faults/replace", |stage| Box::pin(faults::while_replacing(stage))),
    ("removals", |stage| Box::pin(checks::removals(stage))),
    ("life", |stage| Box::pin(checks::life(stage))),
    ("replaced", |stage| Box::pin(checks::replaced(stage))),
    ("edited", |stage| Box::pin(ownership::edited(stage))),
    ("deleted", |stage| Box::pin(ownership::deleted(stage))),
    ("foreign", |stage| Box::pin(ownership::foreign(stage))),
    ("adopted", |stage| Box::pin(ownership::adopted(stage))),
];

/// Whether every call is struck and not only a sample.
pub fn main_is_full() -> bool {
    static FULL: LazyLock<bool> = LazyLock::new(|| std::env::var("S3STACK_CONFORMANCE").as_deref() == Ok("full"));
    *FULL
}

/// One check of one type.
struct Job {
    kind: &'static dyn Provider,
    name: &'static str,
    check: Check,
}

impl Job {
    fn title(&self) -> String {
        format!("{}/{}", self.kind.descriptor().name, self.name)
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let is_chosen = |job: &Job| words.is_empty() || words.iter().any(|word| job.title().contains(word.as_str()));
    let types = TYPES.iter().flat_map(|kind| CHECKS.iter().map(|(name, check)| (*kind, *name, *check)));
    let jobs: VecDeque<Job> = types.map(|(kind, name, check)| Job { kind, name, check }).filter(is_chosen).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        jobs.iter().for_each(|job| println!("{}: test", job.title()));
        return ExitCode::SUCCESS;
    }
    let began = Instant::now();
    let ledger = Ledger::default();
    let mut failures = run_all(jobs, &ledger);
    failures.extend(complaints(&ledger, words.is_empty()));
    println!("\n{}", ledger.table());
    failures.iter().for_each(|failure| println!("FAILED {failure}\n"));
    println!("{} failed, in {:.1} s", failures.len(), began.elapsed().as_secs_f64());
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the jobs side by side; gives what failed.
fn run_all(jobs: VecDeque<Job>, ledger: &Ledger) -> Vec<String> {
    let (jobs, failures) = (Mutex::new(jobs), Mutex::new(Vec::new()));
    let next = || jobs.lock().unwrap().pop_front();
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(job) = next() {
                    if let Err(error) = run_one(&job, ledger) {
                        ledger.failed(job.kind.descriptor().name);
                        failures.lock().unwrap().push(format!("{}: {}", job.title(), chain(&error)));
                    }
                }
            });
        }
    });
    failures.into_inner().unwrap()
}

/// An error with its causes, without the backtrace that anyhow adds where the environment asks for panics' ones.
fn chain(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).collect::<Vec<_>>().join("\n  ")
}

fn run_one(job: &Job, ledger: &Ledger) -> Result<()> {
    let type_name = job.kind.descriptor().name;
    if let Some(reason) = tables::excuse(type_name, job.name) {
        println!("{} excused: {reason}", job.title());
        ledger.excused(type_name);
        return Ok(());
    }
    let began = Instant::now();
    // The proxy is served by the other thread while a check blocks this one.
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let patience = if main_is_full() { LONG_PATIENCE } else { PATIENCE };
    let work = async {
        let stage = Stage::new(job.kind, ledger).await;
        let check = tokio::time::timeout(patience, (job.check)(&stage));
        check.await.map_err(|_| anyhow!("it hangs: no end within {patience:?}"))?
    };
    let verdict = catch_unwind(AssertUnwindSafe(|| runtime.block_on(work)));
    runtime.shutdown_background();
    let took = began.elapsed().as_secs_f64();
    match verdict {
        Ok(Ok(Verdict::Passed)) => {
            println!("{} passed in {took:.1} s", job.title());
            ledger.passed(type_name);
            Ok(())
        }
        Ok(Ok(Verdict::Meaningless(why))) => {
            println!("{} means nothing: {why}", job.title());
            Ok(())
        }
        Ok(Err(error)) => {
            println!("{} FAILED in {took:.1} s", job.title());
            Err(error)
        }
        Err(_) => {
            println!("{} PANICKED in {took:.1} s", job.title());
            Err(anyhow!("it panicked; see above"))
        }
    }
}

/// What is wrong with the types and tables as a whole.
fn complaints(ledger: &Ledger, is_whole: bool) -> Vec<String> {
    let mut found = Vec::new();
    let names: Vec<&str> = TYPES.iter().map(|kind| kind.descriptor().name).collect();
    found.extend(tables::types().filter(|of| !names.contains(of)).map(|of| format!("a table speaks of {of}")));
    if is_whole {
        for name in names {
            if ledger.count_passed(name) == 0 {
                found.push(format!("{name}: no target runs it"));
            }
            found.extend(ledger.unused_actions(name).into_iter().map(|complaint| format!("{name}: {complaint}")));
        }
    }
    found
}
