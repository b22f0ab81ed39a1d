//! Running a program once and knowing what that took.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use wait4::Wait4;

use crate::proxy::{Calls, Proxy};

/// Lines of a failed program's output that the error shows.
const OUTPUT_LINES: usize = 25;

/// What one run took.
#[derive(Debug, Clone)]
pub struct Run {
    pub wall: Duration,
    /// User and system time of the program and of every process that it, or one of those, waited for: Terraform's
    /// provider is among them.
    pub cpu: Duration,
    /// The largest resident set that any single one of those processes had, in bytes; not their sum. It can't be seen
    /// below that of this program itself, some 10 MiB: the kernel counts from the fork on.
    pub peak_memory: u64,
    pub calls: Calls,
}

impl Run {
    pub fn requests(&self) -> usize {
        self.calls.values().sum()
    }

    /// The run of which half of the others are faster and half slower. Never empty.
    pub fn median(mut runs: Vec<Self>) -> Result<Self> {
        runs.sort_by_key(|run| run.wall);
        let middle = runs.len().saturating_sub(1) / 2;
        let mut cpu: Vec<_> = runs.iter().map(|run| run.cpu).collect();
        cpu.sort();
        let mut run = runs.get(middle).cloned().context("at least one run")?;
        run.cpu = cpu.get(middle).copied().unwrap_or(run.cpu);
        run.peak_memory = runs.iter().map(|run| run.peak_memory).max().unwrap_or(run.peak_memory);
        Ok(run)
    }
}

/// Runs a program to its end. Fails, with the end of what it said, unless it exits with 0.
pub fn run(mut command: Command, proxy: &Proxy, scratch: &Path) -> Result<Run> {
    let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    let said = format!("{} {}", command.get_program().to_string_lossy(), words.join(" "));
    let output = scratch.join("output");
    let file = File::create(&output)?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    proxy.take_calls();
    let began = Instant::now();
    let used = command.spawn().and_then(Wait4::wait4).with_context(|| format!("running {said}"))?;
    let wall = began.elapsed();
    let calls = proxy.take_calls();
    if !used.status.success() {
        let text = String::from_utf8_lossy(&fs::read(&output)?).into_owned();
        let lines: Vec<_> = text.lines().collect();
        let end = lines.split_at(lines.len().saturating_sub(OUTPUT_LINES)).1.join("\n");
        bail!("{said}: {}\n{end}", used.status);
    }
    Ok(Run { wall, cpu: used.rusage.utime + used.rusage.stime, peak_memory: used.rusage.maxrss, calls })
}
