//! Saved plans: what `plan --out` writes and `apply --plan` checks.
//!
//! A saved plan is no list of calls to replay. It binds an approval to one plan: apply plans anew from the same inputs,
//! and goes on only if the result is the same plan to the last byte, live side included. Secrets are not in it, only
//! marks under the backend's key.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use s3stack_engine::plan::Plan;
use s3stack_engine::value::Value;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::deployment::{Deployment, Planned};
use crate::error::Error;

/// The format this version writes and reads.
const FORMAT: u32 = 1;

/// Largest file that is read.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// A plan that was saved.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    format: u32,
    tool: String,
    lineage: String,
    serial: u64,
    stack: String,
    environment: String,
    account_id: String,
    /// Whether it deletes everything.
    pub destroy: bool,
    /// SHA-256 of the plan with its secrets sealed.
    digest: String,
    /// The plan itself, for people and reviews.
    plan: serde_json::Value,
}

/// Saves a plan, readable by its owner alone.
pub async fn write(deployment: &Deployment, planned: Planned, path: &Path) -> Result<(), Error> {
    // A mark that the apply can check needs the backend's key, so it is made here if there is a secret.
    let planned = deployment.keep_sealer(planned).await?;
    let planned_json = sealed(&planned);
    let plan = &planned.plan;
    let saved = Saved {
        format: FORMAT,
        tool: env!("CARGO_PKG_VERSION").into(),
        lineage: plan.lineage.clone(),
        serial: plan.serial,
        stack: plan.stack.clone(),
        environment: plan.environment.clone(),
        account_id: plan.account_id.clone(),
        destroy: plan.destroy,
        digest: digest(&planned_json),
        plan: planned_json,
    };
    let fail = |source: std::io::Error| Error::Io { doing: "writing", path: path.display().to_string(), source };
    let text = serde_json::to_vec_pretty(&saved).map_err(|error| fail(error.into()))?;
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".s3stack-plan").tempfile_in(folder).map_err(fail)?;
    file.write_all(&text).map_err(fail)?;
    file.as_file().sync_all().map_err(fail)?;
    file.persist(path).map_err(|error| fail(error.error))?;
    Ok(())
}

impl Saved {
    /// Reads a saved plan.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let fail = |source: std::io::Error| Error::Io { doing: "reading", path: name.clone(), source };
        let mut text = String::new();
        let file = File::open(path).map_err(fail)?;
        file.take(MAX_BYTES).read_to_string(&mut text).map_err(fail)?;
        let saved: Self = serde_json::from_str(&text).map_err(|error| {
            Error::refused(
                "S3S-J4",
                format!("{name} is no saved plan of this version: {error}"),
                "make it anew with `plan --out`",
            )
        })?;
        if saved.format != FORMAT || saved.tool != env!("CARGO_PKG_VERSION") {
            return Err(Error::refused(
                "S3S-J4",
                format!("{name} was saved by s3stack {}, and this is {}", saved.tool, env!("CARGO_PKG_VERSION")),
                "apply it with that version, or make it anew with `plan --out`",
            ));
        }
        Ok(saved)
    }

    /// The mark of the state that it was made for.
    pub fn lineage(&self) -> &str {
        &self.lineage
    }

    /// Whether a fresh plan is the saved one.
    pub fn check(&self, planned: &Planned) -> Result<(), Error> {
        let plan = &planned.plan;
        let pairs = [
            ("the stack", &self.stack, &plan.stack),
            ("the environment", &self.environment, &plan.environment),
            ("the account", &self.account_id, &plan.account_id),
            ("the state's lineage", &self.lineage, &plan.lineage),
        ];
        let mut changed: Vec<String> = pairs
            .iter()
            .filter(|(_, saved, now)| saved != now)
            .map(|(what, saved, now)| format!("{what} was {saved} and is {now}"))
            .collect();
        if self.serial != plan.serial {
            changed.push(format!(
                "the state's serial was {} and is {}: something was applied meanwhile",
                self.serial, plan.serial
            ));
        }
        let fresh = sealed(planned);
        if changed.is_empty() && self.digest != digest(&fresh) {
            changed.extend(different(&self.plan, &fresh));
        }
        if changed.is_empty() {
            return Ok(());
        }
        Err(Error::refused(
            "S3S-J5",
            format!("the saved plan does not hold any more: {}; nothing was changed", changed.join("; ")),
            "look at a fresh plan, and save that",
        ))
    }
}

/// The plan as JSON, its secrets sealed.
fn sealed(planned: &Planned) -> serde_json::Value {
    let mut plan: Plan = planned.plan.clone();
    let mut seal = |value: Value| match value {
        secret @ Value::Secret(_) => planned.seal(&secret),
        value => value,
    };
    let mut all = |value: &mut Value| *value = std::mem::take(value).rebuild(&mut seal);
    for change in plan.changes.values_mut() {
        change.desired.values_mut().for_each(&mut all);
        for difference in change.differences.iter_mut().chain(&mut change.accepted) {
            all(&mut difference.from);
            all(&mut difference.to);
        }
        for instance in change.before.iter_mut().chain(&mut change.after) {
            instance
                .managed
                .values_mut()
                .chain(instance.attributes.values_mut())
                .chain(instance.memory.values_mut())
                .for_each(&mut all);
        }
    }
    plan.outputs.values_mut().for_each(&mut all);
    serde_json::to_value(&plan).unwrap_or_default()
}

fn digest(plan: &serde_json::Value) -> String {
    Sha256::digest(plan.to_string().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The resources whose changes differ between two plans.
fn different(saved: &serde_json::Value, fresh: &serde_json::Value) -> Vec<String> {
    let changes = |plan: &serde_json::Value| {
        plan.get("changes").and_then(|changes| changes.as_object()).cloned().unwrap_or_default()
    };
    let (saved, fresh) = (changes(saved), changes(fresh));
    let names: Vec<String> = saved
        .keys()
        .chain(fresh.keys().filter(|name| !saved.contains_key(*name)))
        .filter(|name| saved.get(*name) != fresh.get(*name))
        .map(|name| format!("{name} is not as it was"))
        .collect();
    if names.is_empty() { vec!["an output or a setting is not as it was".into()] } else { names }
}
