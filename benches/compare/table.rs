//! What is printed: a Markdown table.

use std::fmt::Write as _;
use std::time::Duration;

use crate::measure::Run;
use crate::tools::{Extras, Step, Tool};

/// One line: what a step took.
pub struct Line {
    pub tool: Tool,
    pub extras: Extras,
    pub step: Step,
    pub delay: Duration,
    pub run: Run,
}

impl Line {
    fn step(&self) -> String {
        let delay = match self.step {
            Step::Version | Step::Validate => String::new(),
            _ if self.delay.is_zero() => ", no delay".into(),
            _ => format!(", {} ms", self.delay.as_millis()),
        };
        let step = match self.step {
            Step::Version => "start (`--version`)",
            Step::Validate => "validate",
            Step::Apply => "apply from nothing",
            Step::Plan => "plan, nothing changed",
            Step::FirstPlan => "plan from nothing",
            Step::Destroy => "destroy",
        };
        format!("{step}{delay}")
    }

    fn settings(&self) -> &'static str {
        match (self.tool, self.extras) {
            (_, Extras::TerraformsSettings) => "Terraform's",
            (_, Extras::SecureDefaults) => "all secure defaults",
        }
    }
}

/// The most requests a step of s3stack may make: those of the budget (DESIGN section 11) for 20 units, as a part that is
/// there however few units there are and one for each unit. None for what makes no request.
pub fn requests_allowed(step: Step, extras: Extras, units: usize) -> usize {
    let (fixed, each) = match (step, extras) {
        (Step::Version | Step::Validate | Step::FirstPlan, _) => (0, 0),
        (Step::Plan, Extras::TerraformsSettings) => (10, 4),
        (Step::Plan, Extras::SecureDefaults) => (10, 6),
        (Step::Apply, Extras::TerraformsSettings) => (20, 10),
        // A bucket policy more.
        (Step::Apply, Extras::SecureDefaults) => (20, 11),
        (Step::Destroy, _) => (20, 7),
    };
    fixed + each * units
}

/// The budget beside a line of s3stack: requests at any size, time and memory as they are set for 100 units.
fn budget(line: &Line, units: usize) -> String {
    let mut parts = Vec::new();
    match line.step {
        Step::Plan if line.delay.is_zero() => parts.push("CPU ≤ 0.5 s".to_owned()),
        Step::Plan => parts.push("≤ 1.0 s".into()),
        Step::Apply | Step::Destroy => parts.push("≤ 2.5 s".into()),
        Step::Validate => parts.push("CPU ≤ 0.05 s".into()),
        Step::Version => parts.push("≤ 5 ms".into()),
        Step::FirstPlan => {}
    }
    if !matches!(line.step, Step::Validate | Step::Version) {
        parts.push(format!("≤ {} requests", requests_allowed(line.step, line.extras, units)));
        parts.push("≤ 40 MiB".into());
    }
    parts.join(", ")
}

/// The table. Ratios are to s3stack with the same settings; where only s3stack has such settings there is none.
pub fn render(lines: &[Line], units: usize) -> String {
    let mut text = String::from(
        "| settings | step | tool | wall | requests | CPU | peak memory | × s3stack: wall, requests, CPU, memory | budget of s3stack (time: 100 units) |\n\
         |---|---|---|--:|--:|--:|--:|--:|---|\n",
    );
    for line in lines {
        let own = lines.iter().find(|own| {
            own.tool == Tool::S3stack && own.extras == line.extras && own.step == line.step && own.delay == line.delay
        });
        let ratios = match own {
            Some(own) if line.tool != Tool::S3stack => ratios(&line.run, &own.run),
            _ => String::new(),
        };
        let budget = if line.tool == Tool::S3stack { budget(line, units) } else { String::new() };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {:.0} MiB | {ratios} | {budget} |",
            line.settings(),
            line.step(),
            line.tool.name(),
            time(line.run.wall),
            line.run.requests(),
            time(line.run.cpu),
            mebibytes(line.run.peak_memory),
        );
    }
    text
}

pub fn time(duration: Duration) -> String {
    if duration < Duration::from_millis(100) {
        format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
    } else {
        format!("{:.2} s", duration.as_secs_f64())
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with no decimals")]
pub fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn ratios(other: &Run, own: &Run) -> String {
    let one = |other: f64, own: f64| if own > 0.0 { format!("{:.1}", other / own) } else { "–".into() };
    [
        one(other.wall.as_secs_f64(), own.wall.as_secs_f64()),
        one(other.requests() as f64, own.requests() as f64),
        one(other.cpu.as_secs_f64(), own.cpu.as_secs_f64()),
        one(other.peak_memory as f64, own.peak_memory as f64),
    ]
    .join(", ")
}
