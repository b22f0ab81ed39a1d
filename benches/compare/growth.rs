//! How time, memory, requests and state grow with the stack: one stack made with nested modules and `for_each`, larger and
//! larger.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::measure::Run;
use crate::table::{mebibytes, time};

/// Resources of one service: see [`SERVICE`].
const OF_SERVICE: usize = 5;
/// Services of one team.
const OF_TEAM: usize = 20;

const STACK: &str = r#"
[module.team]
source   = "./team"
for_each = "${var.teams}"
var.name = "${each.key}"
"#;

const TEAM: &str = r#"
[var.name]
type = "string"

[var]
services = SERVICES

[module.service]
source   = "../service"
for_each = "${var.services}"
var.name = "${var.name}-${each.key}"
var.days = "${each.value}"
"#;

const SERVICE: &str = r#"
[var.name]
type = "string"

[var.days]
type = "number"

[s3.bucket.data]
name     = "growth-${var.name}-${aws.account_id}"
tls_only = false
tags     = { Service = "${var.name}" }

[logs.group.jobs]
for_each  = ["app"]
name      = "/${var.name}/${each.key}"
retention = "${var.days}"

[iam.role.run]
trust    = ["ec2.amazonaws.com"]
policies = ["iam.policy.run"]

[iam.policy.run]
grants = [{ to = "s3.bucket.data", access = "read" }]

[iam.group.people]
policies = ["iam.policy.run"]
"#;

/// Writes a stack of at least so many resources, and says how many it has.
pub fn write(folder: &Path, resources: usize) -> Result<usize> {
    let teams = resources.div_ceil(OF_SERVICE * OF_TEAM);
    let names: Vec<String> = (0..teams).map(|team| format!("\"t{team}\"")).collect();
    let text =
        format!("[stack]\nname = \"growth\"\nregion = \"us-east-1\"\n\n[var]\nteams = [{}]\n{STACK}", names.join(", "));
    fs::write(folder.join("stack.toml"), text)?;
    let services: Vec<String> = (0..OF_TEAM).map(|service| format!("s{service} = 30")).collect();
    // A table under [var] is a definition, so the map is a default.
    let services = format!("{{ type = \"map(number)\", default = {{ {} }} }}", services.join(", "));
    for (module, text) in [("team", TEAM.replace("SERVICES", &services)), ("service", SERVICE.to_owned())] {
        fs::create_dir_all(folder.join(module))?;
        fs::write(folder.join(module).join("module.toml"), text)?;
    }
    Ok(teams * OF_TEAM * OF_SERVICE)
}

/// What one size took.
pub struct Size {
    pub resources: usize,
    pub validate: Run,
    pub plan: Run,
    pub apply: Run,
    pub again: Run,
    /// Writes of the state that the apply made.
    pub writes: u64,
    /// Bytes of the state after it.
    pub state: u64,
}

/// How often the state was written, and how large it is.
pub fn state(folder: &Path) -> Result<(u64, u64)> {
    let path = folder.join(".s3stack/state/default/state.json");
    let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    let state: serde_json::Value = serde_json::from_slice(&bytes)?;
    Ok((state["serial"].as_u64().unwrap_or_default(), bytes.len() as u64))
}

/// The table, each line with what it takes for one resource: where that stays, growth is linear.
pub fn render(sizes: &[Size]) -> String {
    let mut text = String::from(
        "| resources | validate | plan from nothing | apply | plan, nothing changed | state |\n|--:|---|---|---|---|---|\n",
    );
    for size in sizes {
        let count = u32::try_from(size.resources).unwrap_or(u32::MAX).max(1);
        let shown = |run: &Run| {
            let each = |duration: Duration| format!("{:.2} ms", (duration / count).as_secs_f64() * 1000.0);
            format!(
                "{} ({} each), {} CPU, {} requests, {:.0} MiB",
                time(run.wall),
                each(run.wall),
                time(run.cpu),
                run.requests(),
                mebibytes(run.peak_memory)
            )
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} writes, {:.1} MiB ({} bytes each) |",
            size.resources,
            shown(&size.validate),
            shown(&size.plan),
            shown(&size.apply),
            shown(&size.again),
            size.writes,
            mebibytes(size.state),
            size.state / u64::from(count),
        );
    }
    text
}
