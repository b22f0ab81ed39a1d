//! The comparison of DESIGN section 11: s3stack and its peers do the same work on the same emulator, through a proxy that
//! counts requests and can add a round trip to each.
//!
//! `cargo bench --bench compare -- --units 20`; README.md beside this folder has the options, the method and the results.

mod growth;
mod measure;
mod proxy;
mod table;
mod tools;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, ValueEnum};
use s3stack::local::{Options, Owned};

use measure::Run;
use proxy::Proxy;
use table::Line;
use tools::{Extras, Place, Step, Tool};

/// How often a program is started for the time that a start takes.
const STARTS: usize = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Only {
    S3stack,
    Terraform,
}

/// Compares s3stack with other tools, on an emulator of AWS.
#[derive(Debug, Parser)]
struct Arguments {
    /// Units of work: each is a bucket with versioning, encryption, public access block and tag, a role, a policy and its
    /// attachment.
    #[arg(long, default_value_t = 100)]
    units: usize,
    /// The round trip that the proxy adds to each request, in milliseconds.
    #[arg(long, default_value_t = 50)]
    delay: u64,
    /// Times that everything is done; the median is shown.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Leave the other tools out.
    #[arg(long)]
    only: Option<Only>,
    /// Show how often each call was made.
    #[arg(long)]
    calls: bool,
    /// How s3stack grows: stacks of so many resources, made with nested modules and `for_each`; no delay, one run.
    #[arg(long, value_delimiter = ',', num_args = 0.., default_missing_value = "1000,2000,5000,10000")]
    growth: Option<Vec<usize>>,
    /// Five units, s3stack only, no delay: fail unless everything works within the budget of requests.
    #[arg(long)]
    smoke: bool,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    // The proxy lives in it; the measured programs are waited for outside.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let bench = Bench { arguments, runtime };
    match &bench.arguments {
        Arguments { smoke: true, .. } => bench.smoke(),
        Arguments { growth: Some(sizes), .. } => bench.growth(sizes),
        _ => bench.compare(),
    }
}

struct Bench {
    arguments: Arguments,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    fn compare(&self) -> Result<()> {
        let Arguments { units, delay, runs, .. } = self.arguments;
        let mut lines = Vec::new();
        let mut versions = Vec::new();
        for tool in [Tool::S3stack, Tool::Terraform] {
            if !self.wants(tool) {
                continue;
            }
            if tool.program().is_none() {
                println!("{} is not installed: left out", tool.name());
                continue;
            }
            versions.push(tool.version()?);
            let extras = match tool {
                Tool::S3stack => &[Extras::TerraformsSettings, Extras::SecureDefaults][..],
                Tool::Terraform => &[Extras::TerraformsSettings],
            };
            for extras in extras {
                lines.extend(self.measure(tool, *extras)?);
            }
        }
        if self.arguments.only.is_none() {
            match tools::on_path("cdkd") {
                None => println!("cdkd is not installed: left out"),
                Some(_) => println!("cdkd is installed, but this program does not drive it: left out"),
            }
        }
        println!("\n{}; {units} units, {delay} ms round trip, median of {runs}\n", versions.join("; "));
        print!("{}", table::render(&lines, units));
        if self.arguments.calls {
            for line in &lines {
                println!(
                    "\n{} {:?} {:?} {} ms: {:?}",
                    line.tool.name(),
                    line.extras,
                    line.step,
                    line.delay.as_millis(),
                    line.run.calls
                );
            }
        }
        Ok(())
    }

    fn wants(&self, tool: Tool) -> bool {
        match self.arguments.only {
            None => true,
            Some(Only::S3stack) => tool == Tool::S3stack,
            Some(Only::Terraform) => tool == Tool::Terraform,
        }
    }

    /// Everything that one tool does, as medians.
    fn measure(&self, tool: Tool, extras: Extras) -> Result<Vec<Line>> {
        let mut samples: Vec<(Step, Duration, Vec<Run>)> = Vec::new();
        for number in 0..self.arguments.runs {
            let delay = Duration::from_millis(self.arguments.delay);
            for (step, delay, run) in self.round(tool, extras, self.arguments.units, delay, number)? {
                if step != Step::Version {
                    eprintln!("{} {extras:?} {step:?} {} ms: {:.2?}", tool.name(), delay.as_millis(), run.wall);
                }
                match samples.iter_mut().find(|(known, with, _)| (*known, *with) == (step, delay)) {
                    Some((_, _, runs)) => runs.push(run),
                    None => samples.push((step, delay, vec![run])),
                }
            }
        }
        let line = |(step, delay, runs)| Ok(Line { tool, extras, step, delay, run: Run::median(runs)? });
        samples.into_iter().map(line).collect()
    }

    /// From nothing to nothing once, in an emulator and a folder of its own.
    fn round(
        &self,
        tool: Tool,
        extras: Extras,
        units: usize,
        delay: Duration,
        number: u16,
    ) -> Result<Vec<(Step, Duration, Run)>> {
        let emulator = Owned::start(Options::default()).context("starting the emulator")?;
        let address = emulator.endpoint().url.trim_start_matches("http://").parse()?;
        let proxy = self.runtime.block_on(Proxy::start(address))?;
        let folder = tempfile::tempdir()?;
        let scratch = tempfile::tempdir()?;
        let account = format!("{:012}", 100_000_000_000 + u64::from(number));
        let place = Place { folder: folder.path(), account: &account, endpoint: &proxy.url() };
        tool.prepare(&place, units, extras)?;
        let one = |step: Step, delay: Duration| -> Result<(Step, Duration, Run)> {
            proxy.delay(delay);
            Ok((step, delay, measure::run(tool.command(&place, step)?, &proxy, scratch.path())?))
        };
        let mut done = Vec::new();
        for _ in 0..STARTS {
            done.push(one(Step::Version, Duration::ZERO)?);
        }
        done.push(one(Step::Validate, Duration::ZERO)?);
        done.push(one(Step::Apply, delay)?);
        done.push(one(Step::Plan, delay)?);
        if !delay.is_zero() {
            done.push(one(Step::Plan, Duration::ZERO)?);
        }
        done.push(one(Step::Destroy, delay)?);
        Ok(done)
    }

    /// Larger and larger stacks, each from nothing to nothing.
    fn growth(&self, sizes: &[usize]) -> Result<()> {
        let mut done = Vec::new();
        for wanted in sizes {
            let emulator = Owned::start(Options::default()).context("starting the emulator")?;
            let address = emulator.endpoint().url.trim_start_matches("http://").parse()?;
            let proxy = self.runtime.block_on(Proxy::start(address))?;
            let folder = tempfile::tempdir()?;
            let scratch = tempfile::tempdir()?;
            let place = Place { folder: folder.path(), account: "100000000000", endpoint: &proxy.url() };
            let resources = growth::write(folder.path(), *wanted)?;
            let one = |step: Step| -> Result<Run> {
                eprintln!("{resources} resources: {step:?}");
                measure::run(Tool::S3stack.command(&place, step)?, &proxy, scratch.path())
            };
            let (validate, plan, apply) = (one(Step::Validate)?, one(Step::FirstPlan)?, one(Step::Apply)?);
            let (writes, state) = growth::state(folder.path())?;
            let again = one(Step::Plan)?;
            one(Step::Destroy)?;
            done.push(growth::Size { resources, validate, plan, apply, again, writes, state });
        }
        println!("\n{}; nested modules and for_each, no delay, one run\n", Tool::S3stack.version()?);
        print!("{}", growth::render(&done));
        Ok(())
    }

    /// Whether it works at all and stays within the budget of requests. No word about time.
    fn smoke(&self) -> Result<()> {
        // More than are read one by one: the bulk reads are to be counted.
        const UNITS: usize = 5;
        for extras in [Extras::TerraformsSettings, Extras::SecureDefaults] {
            for (step, _, run) in self.round(Tool::S3stack, extras, UNITS, Duration::ZERO, 0)? {
                let (made, allowed) = (run.requests(), table::requests_allowed(step, extras, UNITS));
                ensure!(
                    made <= allowed,
                    "{step:?} with {extras:?} made {made} requests, {allowed} are allowed: {:?}",
                    run.calls
                );
                // A plan that finds nothing to do has proved by its exit code that the apply did its work.
                let count = |call: &str| run.calls.get(call).copied().unwrap_or_default();
                match step {
                    Step::Apply => {
                        ensure!(count("CreateRole") == UNITS && count("PUT /bucket") == UNITS, "{:?}", run.calls)
                    }
                    Step::Destroy => {
                        ensure!(count("DeleteRole") == UNITS && count("DELETE /bucket") == UNITS, "{:?}", run.calls);
                    }
                    Step::Plan => ensure!(made > 0, "the proxy saw nothing of a plan"),
                    Step::Version | Step::Validate | Step::FirstPlan => {}
                }
                if step != Step::Version {
                    println!("{extras:?} {step:?}: {made} requests of {allowed}");
                }
            }
        }
        Ok(())
    }
}
