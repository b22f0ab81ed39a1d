//! Every stack and example: valid, planned without unknowns, applied, settled, destroyed.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tokio::sync::Mutex;

use crate::support::stack::{Stack, writes};

/// The stack folders of the repository.
fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for place in ["stacks", "examples"] {
        for entry in fs::read_dir(root.join(place)).unwrap() {
            let folder = entry.unwrap().path();
            if folder.join("stack.toml").is_file() {
                found.push(folder);
            }
        }
    }
    found.sort();
    found
}

/// Held by whoever puts a stack of the repository into the emulator that the tests share: some buckets have the same name in
/// every account, and names of buckets are everybody's.
pub static FIXED_NAMES: Mutex<()> = Mutex::const_new(());

/// A stack of the repository in a folder of its own.
pub async fn copied(folder: &Path) -> Stack {
    let stack = Stack::new(&fs::read_to_string(folder.join("stack.toml")).unwrap()).await;
    copy(folder, &stack.folder);
    stack
}

pub fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        // A stack that somebody tried out has its state and secrets beside it.
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir_all(&to).unwrap();
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), &to).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_stack_and_example_goes_from_nothing_to_nothing() {
    let _held = FIXED_NAMES.lock().await;
    let folders = folders();
    assert!(folders.len() >= 11, "{folders:?}");
    for folder in folders {
        let name = folder.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display().to_string();
        eprintln!("{name}");
        let stack = copied(&folder).await;
        stack.ok(&["validate"]).await;
        assert_eq!(stack.proxy.requests().len(), 0, "{name}: validate calls AWS");
        stack.run(&["plan", "--detailed-exitcode"]).await.exits(2);
        stack.apply().await;
        let state = stack.state();
        let places = Stack::places(&state);
        for (account, region) in &places {
            let stated = Stack::stated_in(&state, account, region);
            let stated: BTreeSet<String> = stated.into_iter().filter(|one| !one.starts_with("s3.object")).collect();
            assert_eq!(stack.sweep_in(account, region).await, stated, "{name} in {account} {region}");
        }
        let before = stack.proxy.requests().len();
        stack.settled().await;
        stack.apply().await;
        let requests = stack.proxy.requests();
        assert!(!requests[before..].iter().any(writes), "{name}: nothing to do, and yet something is written");
        stack.destroy().await;
        for (account, region) in &places {
            assert_eq!(stack.sweep_in(account, region).await, BTreeSet::new(), "{name} in {account} {region}");
        }
    }
}

/// A plan shows everything beforehand but what AWS alone can say: the identifier and secret of an access key.
#[tokio::test(flavor = "multi_thread")]
async fn plans_from_nothing_know_all_but_the_access_key() {
    let _held = FIXED_NAMES.lock().await;
    for (name, unknown) in [("pulse-retrodiction", vec![]), ("training-logs", vec!["iam.access_key.app: id, secret"])] {
        let stack = copied(&Path::new(env!("CARGO_MANIFEST_DIR")).join("stacks").join(name)).await;
        stack.ok(&["plan", "--out", "saved.s3plan"]).await;
        let saved: serde_json::Value = serde_json::from_str(&stack.read("saved.s3plan")).unwrap();
        let made: Vec<String> = saved["plan"]["made_by_aws"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(address, names)| {
                let names: Vec<&str> = names.as_array().unwrap().iter().filter_map(|name| name.as_str()).collect();
                format!("{address}: {}", names.join(", "))
            })
            .collect();
        assert_eq!(made, unknown, "{name}");
        for (address, change) in saved["plan"]["changes"].as_object().unwrap() {
            if address != "iam.access_key.app" {
                assert!(!change["desired"].to_string().contains("$s3stack"), "{name} {address}: {}", change["desired"]);
            }
        }
    }
}

/// The first lines of the README, with the local AWS that the program starts itself.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_commands_of_the_readme_work() {
    let stack = copied(&Path::new(env!("CARGO_MANIFEST_DIR")).join("stacks/training-logs")).await;
    stack.write(".env", "MINE=kept\n");
    let mut apply = stack.command(&["apply", ".", "--local", "--yes"]);
    // The environment of the local AWS is made once for all tests.
    for name in ["PATH", "HOME", "S3STACK_CACHE_DIR", "PIP_INDEX_URL", "PIP_FIND_LINKS", "PIP_CERT"] {
        if let Ok(value) = std::env::var(name) {
            apply.env(name, value);
        }
    }
    let ran = Stack::start_command(apply).ends().await.exits(0);
    assert!(ran.stdout.contains("bucket_arn"), "{ran}");
    let env = stack.read(".env");
    assert!(env.starts_with("MINE=kept\n"), "the other lines stay");
    for name in ["AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_REGION=us-east-1", "S3_BUCKET_NAME="] {
        assert!(env.contains(name), "{name} is missing");
    }
    assert_eq!(fs::metadata(stack.path(".env")).unwrap().permissions().mode() & 0o777, 0o600);
    let again = stack.run(&["plan", ".", "--local", "--detailed-exitcode"]).await;
    let gone = stack.run(&["destroy", ".", "--local", "--yes"]).await;
    stack.run(&["local", "stop", "."]).await.exits(0);
    again.exits(0);
    gone.exits(0);
    assert_eq!(stack.read(".env"), "MINE=kept\n");
    assert_eq!(stack.proxy.requests().len(), 0, "--local uses its own AWS, whatever the environment says");
}
