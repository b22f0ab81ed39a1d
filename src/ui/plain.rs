//! A plain user interface, until the rendered one lands.

use std::time::Duration;

use s3stack_engine::address::Address;
use s3stack_engine::apply::recover::Recovered;
use s3stack_engine::apply::{Event, Summary};
use s3stack_engine::diagnostic::Diagnostics;
use s3stack_engine::plan::{Action, Plan};
use s3stack_engine::stack::Stack;
use s3stack_engine::state::{Instance, State};
use s3stack_engine::value::{Map, Value};

use crate::aws::Observer;
use crate::cli::Global;
use crate::deployment::{Deployment, Planned};
use crate::project::Project;

pub struct Ui {
    verbose: u8,
}
pub struct Bar;
impl Bar {
    pub fn event(&mut self, event: &Event) {
        eprintln!("{event:?}");
    }
}

impl Ui {
    pub fn new(global: &Global) -> Self {
        Self { verbose: global.verbose }
    }
    pub fn diagnostics(&mut self, diagnostics: &Diagnostics) {
        for d in &diagnostics.0 {
            eprintln!("{d}");
            for n in &d.notes {
                eprintln!("  {n}");
            }
        }
    }
    pub fn note(&self, text: &str) {
        eprintln!("{text}");
    }
    pub fn data(&self, text: &str) {
        print!("{text}");
    }
    pub fn progress_note(&self) -> Box<dyn Fn(&str) + Send + Sync> {
        Box::new(|text| eprintln!("{text}"))
    }
    pub fn observer(&self) -> Option<Observer> {
        (self.verbose > 1).then(|| Observer::new(|event| eprintln!("{event:?}")))
    }
    pub fn valid(&self, _: &Project, count: usize) {
        eprintln!("valid: {count} resources");
    }
    pub fn recovered(&self, recovered: &[Recovered]) {
        for one in recovered {
            eprintln!("{}: {}", one.address, one.what);
        }
    }
    pub fn plan(&self, deployment: &Deployment, planned: &Planned, took: Duration) {
        for change in planned.plan.changes.values().filter(|c| c.action != Action::NoOp || !c.accepted.is_empty()) {
            println!("{:?} {} {} loss {:?}", change.action, change.address, change.reason, change.loss);
            if change.action == Action::Create {
                for (k, v) in &change.desired {
                    println!("      {k} = {v:?}");
                }
            }
            for d in &change.differences {
                println!("      {} {:?} -> {:?} ({:?})", d.path, d.from, d.to, d.cause);
            }
            for d in &change.accepted {
                println!("      accepted {} {:?} -> {:?}", d.path, d.from, d.to);
            }
        }
        for one in &planned.plan.unplanned {
            println!("unplanned {one:?}");
        }
        println!(
            "{} resources, {} calls, {took:?}",
            planned.plan.changes.len(),
            deployment.cloud.clients.calls().total
        );
    }
    pub fn outputs(&self, _: &Stack, outputs: &Map) {
        for (k, v) in outputs {
            println!("{k} = {v:?}");
        }
    }
    pub fn value(&self, value: &Value) {
        println!("{value:?}");
    }
    pub fn ask(&self, _: &str) -> Option<String> {
        None
    }
    pub fn progress(&self, _: &Plan) -> Bar {
        Bar
    }
    pub fn summary(&self, summary: &Summary, deployment: &Deployment, took: Duration) {
        println!(
            "done {} failed {:?} skipped {:?} stopped {:?} {took:?} calls {}",
            summary.done.len(),
            summary.failed,
            summary.skipped,
            summary.stopped,
            deployment.cloud.clients.calls().total
        );
    }
    pub fn state_list(&self, state: &State) {
        for a in state.instances.keys() {
            println!("{a}");
        }
    }
    pub fn state_show(&self, a: &Address, i: &Instance) {
        println!("{a} {i:#?}");
    }
}
