//! Users, groups, and keys whose secret lives in a `.env` file: the real program against the private AWS of `--local`,
//! killed wherever a secret could be lost.

mod support;

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::process::Signal;
use sha2::{Digest as _, Sha256};
use support::proxy::{Action, Request};
use support::stack::{Stack, files};
use tokio::sync::watch;

const APPLY: [&str; 3] = ["apply", "--yes", "--no-input"];

const KEY: &str = r#"
[stack]
name   = "keys"
region = "us-east-1"

[var]
stage  = "test"
rotate = "first"

[iam.user.app]

[iam.access_key.app]
user     = "iam.user.app"
rotate   = "${var.rotate}"
env_file = { path = ".env", set = { AWS_ACCESS_KEY_ID = "${self.id}", AWS_SECRET_ACCESS_KEY = "${self.secret}", URL = "s3://${self.id}:${self.secret}@b", STAGE = "${var.stage}" } }
"#;

/// The value of a name in a `.env` file; `None` where file or name are missing.
fn line(stack: &Stack, name: &str) -> Option<String> {
    let text = fs::read_to_string(stack.path(".env")).ok()?;
    text.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
}

async fn keys(stack: &Stack) -> Vec<String> {
    let sweep = stack.sweep().await.into_iter();
    sweep.filter_map(|one| one.strip_prefix("iam.access_key ").map(str::to_owned)).collect()
}

fn creates(request: &Request) -> bool {
    String::from_utf8_lossy(&request.body).contains("Action=CreateAccessKey")
}

/// The user has one key, the file has it with its secret, state knows it, and nothing else lies about.
#[track_caller]
fn assert_whole(stack: &Stack, keys: &[String]) {
    let id = line(stack, "AWS_ACCESS_KEY_ID").expect("the file has the id");
    let secret = line(stack, "AWS_SECRET_ACCESS_KEY").expect("the file has the secret");
    assert_eq!(keys, [id.as_str()]);
    assert_eq!(line(stack, "URL"), Some(format!("s3://{id}:{secret}@b")));
    let attributes = stack.state()["instances"]["iam.access_key.app"]["attributes"].clone();
    let digest = Sha256::digest(format!("s3stack access key\n{id}\n{secret}").as_bytes());
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(attributes["secret_digest"], digest, "the secret is that of the key");
    assert_eq!(fs::metadata(stack.path(".env")).unwrap().mode() & 0o777, 0o600);
    assert_eq!(stack.state()["pending"], serde_json::json!([]));
    assert_eq!(stack.state()["deposed"], serde_json::json!([]));
    let strays: Vec<_> =
        files(&stack.folder).into_iter().filter(|path| path.display().to_string().contains(".env.")).collect();
    assert!(strays.is_empty(), "{strays:?}");
}

#[tokio::test]
async fn a_key_is_made_rotated_and_taken_away_and_its_secret_is_nowhere_else() {
    let stack = Stack::new(KEY).await;
    stack.write(".env", "# mine\nOTHER='a b' # kept\r\nexport STAGE=\"old\"\n");
    let mut secrets = Vec::new();
    let mut said = stack.run(&["apply", "--yes", "--no-input", "-v"]).await.exits(0).text();
    assert_whole(&stack, &keys(&stack).await);
    secrets.extend(line(&stack, "AWS_SECRET_ACCESS_KEY"));
    let text = stack.read(".env");
    assert!(text.starts_with("# mine\nOTHER='a b' # kept\r\nexport STAGE=\"test\"\n"), "{text}");
    stack.settled().await;

    let old = line(&stack, "AWS_ACCESS_KEY_ID");
    said += &stack.run(&["apply", "--yes", "--no-input", "--json", "--var", "rotate=second"]).await.exits(0).text();
    assert_whole(&stack, &keys(&stack).await);
    assert_ne!(line(&stack, "AWS_ACCESS_KEY_ID"), old);
    secrets.extend(line(&stack, "AWS_SECRET_ACCESS_KEY"));
    said += &stack.run(&["plan", "-v", "--var", "rotate=third"]).await.exits(0).text();
    said += &stack.run(&["plan", "--json", "--var", "rotate=third"]).await.exits(0).text();
    said += &stack
        .run(&["apply", "--yes", "--no-input", "--var", "rotate=second", "--var", "stage=x"])
        .await
        .exits(0)
        .text();

    assert_eq!(secrets.len(), 2);
    for secret in &secrets {
        assert!(!said.contains(secret.as_str()), "a secret was printed");
        for path in files(&stack.folder).into_iter().filter(|path| !path.ends_with(".env")) {
            assert!(
                !String::from_utf8_lossy(&fs::read(&path).unwrap()).contains(secret.as_str()),
                "{}",
                path.display()
            );
        }
    }
    stack.destroy().await;
    assert_eq!(stack.read(".env"), "# mine\nOTHER='a b' # kept\r\n");
    assert!(stack.sweep().await.is_empty());
}

#[tokio::test]
async fn what_changes_beside_the_secret_makes_no_new_key() {
    let stack = Stack::new(KEY).await;
    stack.apply().await;
    let id = line(&stack, "AWS_ACCESS_KEY_ID");
    let before = stack.proxy.count(creates);
    // Another text, a line somebody changed, one that somebody took out, and one more with the secret.
    let text = stack.read(".env").replace("STAGE=test", "STAGE=mine").replace("URL=", "# URL=");
    stack.write(".env", &text);
    stack.run(&["plan"]).await.exits(0).says(&["env_file.set.STAGE", "env_file.set.URL"]).does_not_say(&["mine"]);
    stack.write("stack.toml", &KEY.replace("STAGE =", "TWICE = \"${self.secret}\", STAGE ="));
    stack.run(&["apply", "--yes", "--no-input", "--var", "stage=prod"]).await.exits(0);
    assert_whole(&stack, &keys(&stack).await);
    assert_eq!(line(&stack, "STAGE").as_deref(), Some("prod"));
    assert_eq!(line(&stack, "TWICE"), line(&stack, "AWS_SECRET_ACCESS_KEY"));
    // Another file: the secret moves, and the old file goes, for it had nothing else but our header and a comment.
    stack.write("stack.toml", &KEY.replace("\".env\"", "\"app.env\""));
    stack.apply().await;
    assert_eq!(line(&stack, "AWS_ACCESS_KEY_ID"), None);
    fs::rename(stack.path("app.env"), stack.path(".env")).unwrap();
    assert_eq!(line(&stack, "AWS_ACCESS_KEY_ID"), id);
    assert_eq!(stack.proxy.count(creates), before);
}

#[tokio::test]
async fn a_lost_secret_means_a_new_key_and_the_plan_says_why() {
    let stack = Stack::new(KEY).await;
    stack.apply().await;
    for (what, why) in [("file", "lost: there is no .env"), ("line", "is not this key's")] {
        let old = line(&stack, "AWS_ACCESS_KEY_ID");
        let secret = line(&stack, "AWS_SECRET_ACCESS_KEY").unwrap();
        match what {
            "file" => fs::remove_file(stack.path(".env")).unwrap(),
            _ => stack.write(".env", &stack.read(".env").replace(&secret, "damaged")),
        }
        stack.run(&["plan"]).await.exits(0).says(&[why, "replaced"]);
        stack.apply().await;
        assert_ne!(line(&stack, "AWS_ACCESS_KEY_ID"), old);
        assert_whole(&stack, &keys(&stack).await);
        stack.settled().await;
    }
}

#[tokio::test]
async fn deleted_in_aws_the_key_is_made_again() {
    let stack = Stack::new(KEY).await;
    stack.apply().await;
    let id = line(&stack, "AWS_ACCESS_KEY_ID").unwrap();
    stack.iam().await.delete_access_key().user_name("keys-app").access_key_id(&id).send().await.unwrap();
    stack.apply().await;
    assert_whole(&stack, &keys(&stack).await);
    stack.settled().await;
}

async fn converges(stack: &Stack) {
    stack.apply().await;
    assert_whole(stack, &keys(stack).await);
    stack.settled().await;
    stack.destroy().await;
    assert!(stack.sweep().await.is_empty());
    assert!(!stack.path(".env").exists());
}

#[tokio::test]
async fn killed_before_aws_makes_the_key() {
    let stack = Stack::new(KEY).await;
    stack.proxy.once(creates, Action::HangBefore);
    let running = stack.start(&APPLY);
    stack.until("the key is asked for", |requests| requests.iter().any(creates)).await;
    running.signal(Signal::KILL);
    assert_eq!(running.ends().await.signal, Some(9));
    stack.proxy.reset();
    assert_eq!(keys(&stack).await.len(), 0);
    converges(&stack).await;
}

#[tokio::test]
async fn killed_after_aws_made_the_key_and_before_it_said_so() {
    let stack = Stack::new(KEY).await;
    stack.proxy.once(creates, Action::HangAfter);
    let running = stack.start(&APPLY);
    while keys(&stack).await.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    running.signal(Signal::KILL);
    running.ends().await;
    stack.proxy.reset();
    let stray = keys(&stack).await;
    assert_eq!(stray.len(), 1);
    converges(&stack).await;
}

/// The lock that keeps writers of a folder apart, or those of the state.
fn lock(path: &Path) -> File {
    let file = File::open(path).unwrap();
    file.lock().unwrap();
    file
}

#[tokio::test]
async fn killed_with_the_secret_in_hand_and_not_in_the_file() {
    let stack = Stack::new(KEY).await;
    let (open, gate) = watch::channel(false);
    stack.proxy.once(creates, Action::Hold(gate));
    let running = stack.start(&APPLY);
    stack.until("the key is asked for", |requests| requests.iter().any(creates)).await;
    // As if another key were being written into the same folder: the program waits with the secret in its memory.
    let lock = lock(&stack.folder);
    open.send(true).unwrap();
    let answers = stack.proxy.clone();
    stack.until("the key is made", |_| answers.effects(creates) == 1).await;
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    running.signal(Signal::KILL);
    running.ends().await;
    drop(lock);
    stack.proxy.reset();
    assert_eq!(line(&stack, "AWS_SECRET_ACCESS_KEY"), None);
    assert_eq!(keys(&stack).await.len(), 1);
    converges(&stack).await;
}

#[tokio::test]
async fn killed_with_the_secret_in_the_file_and_not_in_state() {
    let stack = Stack::new(KEY).await;
    let (open, gate) = watch::channel(false);
    stack.proxy.once(creates, Action::Hold(gate));
    let running = stack.start(&APPLY);
    stack.until("the key is asked for", |requests| requests.iter().any(creates)).await;
    // The state can be written no more; a write that is under way ends first.
    let lock = lock(&stack.path(".s3stack/state/default/lock.write"));
    open.send(true).unwrap();
    stack.until("the file is written", |_| line(&stack, "AWS_SECRET_ACCESS_KEY").is_some()).await;
    running.signal(Signal::KILL);
    running.ends().await;
    drop(lock);
    stack.proxy.reset();
    assert!(!stack.read(".s3stack/state/default/state.json").contains("AKIA"), "state never heard of the key");
    // Nothing was lost, so the key stays what it is.
    let id = line(&stack, "AWS_ACCESS_KEY_ID");
    stack.apply().await;
    assert_eq!(line(&stack, "AWS_ACCESS_KEY_ID"), id);
    converges(&stack).await;
}

#[tokio::test]
async fn killed_while_a_key_is_rotated() {
    for action in [Action::HangBefore, Action::HangAfter] {
        let stack = Stack::new(KEY).await;
        stack.apply().await;
        stack.proxy.reset();
        stack.proxy.once(creates, action);
        let running = stack.start(&["apply", "--yes", "--no-input", "--var", "rotate=second"]);
        stack.until("the new key is asked for", |requests| requests.iter().any(creates)).await;
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        running.signal(Signal::KILL);
        running.ends().await;
        stack.proxy.reset();
        stack.run(&["apply", "--yes", "--no-input", "--var", "rotate=second"]).await.exits(0);
        assert_whole(&stack, &keys(&stack).await);
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_leaves_one_key() {
    let stack = Stack::new(KEY).await;
    stack.proxy.once(creates, Action::CutAfter);
    stack.apply().await;
    assert_eq!(stack.proxy.effects(creates), 2, "the first one's secret was never heard");
    assert_whole(&stack, &keys(&stack).await);
    stack.settled().await;
}

#[tokio::test]
async fn a_file_that_cannot_be_written_costs_no_key() {
    let stack = Stack::new(KEY).await;
    fs::create_dir(stack.path(".env")).unwrap();
    stack.run(&APPLY).await.exits(1).says(&[".env is a folder"]);
    assert_eq!(stack.proxy.count(creates), 0);
}

#[tokio::test]
async fn a_key_whose_secret_could_not_be_written_is_deleted_again() {
    let stack = Stack::new(&KEY.replace("STAGE = \"${var.stage}\"", "STAGE = \" # x\"")).await;
    // A quote that was left open would swallow a line below it.
    stack.write(".env", "A='open\n");
    stack.run(&APPLY).await.exits(1).says(&["a quote that is opened and not closed", "it was deleted again"]);
    assert_eq!((stack.proxy.effects(creates), keys(&stack).await.len()), (1, 0));
    assert_eq!(stack.read(".env"), "A='open\n");
}

#[tokio::test]
async fn a_user_with_two_keys_gets_no_third_and_keeps_both() {
    let stack = Stack::new(KEY.split("[iam.access_key").next().unwrap()).await;
    stack.apply().await;
    let iam = stack.iam().await;
    for _ in 0..2 {
        iam.create_access_key().user_name("keys-app").send().await.unwrap();
    }
    let before = keys(&stack).await;
    stack.write("stack.toml", KEY);
    let words: Vec<&str> =
        before.iter().map(String::as_str).chain(["delete-access-key --user-name keys-app"]).collect();
    stack.run(&APPLY).await.exits(1).says(&words);
    assert_eq!(keys(&stack).await, before);
    assert_eq!(stack.proxy.count(creates), 0);
    // Nor is a user deleted that has keys of somebody else.
    stack.run(&["destroy", "--yes", "--no-input"]).await.exits(1).says(&[before[0].as_str(), "force_destroy = true"]);
    assert_eq!(keys(&stack).await, before);
    let forced =
        KEY.split("[iam.access_key").next().unwrap().replace("[iam.user.app]", "[iam.user.app]\nforce_destroy = true");
    stack.write("stack.toml", &forced);
    stack.apply().await;
    stack.destroy().await;
    assert!(stack.sweep().await.is_empty());
}

#[tokio::test]
async fn on_another_machine_a_missing_file_is_no_drift() {
    let stack = Stack::new(KEY).await;
    stack.apply().await;
    let elsewhere = Stack::of(stack.account.clone(), KEY).await;
    let copied = std::process::Command::new("cp").arg("-a").arg(stack.path(".s3stack")).arg(&elsewhere.folder).status();
    assert!(copied.unwrap().success());
    elsewhere.settled().await;
    // What would need the file says where it is.
    let place = fs::canonicalize(&stack.folder).unwrap().display().to_string();
    elsewhere.run(&["apply", "--yes", "--no-input", "--var", "stage=x"]).await.exits(1).says(&["is at", &place]);
    assert!(!elsewhere.path(".env").exists());
    // A new key is made where it is asked for.
    elsewhere.run(&["apply", "--yes", "--no-input", "--var", "rotate=here"]).await.exits(0);
    assert_whole(&elsewhere, &keys(&elsewhere).await);
}

const GROUP: &str = r#"
[stack]
name   = "people"
region = "us-east-1"

[iam.group.readers]
path   = "/a/"
grants = [{ to = "s3.bucket.data", access = "read" }]

[s3.bucket.data]

[iam.user.ada]
groups = ["iam.group.readers"]
tags   = { Team = "data" }

[iam.user.ada.statements.List]
actions   = "s3:ListAllMyBuckets"
resources = "*"
"#;

async fn members(stack: &Stack, group: &str) -> Vec<String> {
    let answer = stack.iam().await.get_group().group_name(group).send().await.unwrap();
    answer.users().iter().map(|user| user.user_name().to_owned()).collect()
}

#[tokio::test]
async fn users_and_groups_are_made_changed_and_taken_away() {
    let stack = Stack::new(GROUP).await;
    stack.apply().await;
    stack.settled().await;
    assert_eq!(members(&stack, "people-readers").await, ["people-ada"]);
    let iam = stack.iam().await;
    let inline = iam.get_group_policy().group_name("people-readers").policy_name("s3stack").send().await.unwrap();
    assert!(inline.policy_document().contains("ListBucket"));

    // Added by hand: put back.
    iam.create_group().group_name("admins").send().await.unwrap();
    iam.add_user_to_group().group_name("admins").user_name("people-ada").send().await.unwrap();
    stack.apply().await;
    assert!(members(&stack, "admins").await.is_empty());
    iam.delete_group().group_name("admins").send().await.unwrap();

    // A group that is made anew has its users again.
    stack.write("stack.toml", &GROUP.replace("\"/a/\"", "\"/b/\""));
    stack.apply().await;
    assert_eq!(members(&stack, "people-readers").await, ["people-ada"]);
    stack.settled().await;
    stack.destroy().await;
    assert!(stack.sweep().await.is_empty());
}

#[tokio::test]
async fn a_group_that_exists_is_not_ours_before_it_is_imported() {
    let stack = Stack::new(GROUP).await;
    let iam = stack.iam().await;
    iam.create_group().group_name("people-readers").path("/a/").send().await.unwrap();
    stack.refused(&APPLY).await.says(&["import = \"people-readers\""]);
    stack.write("stack.toml", &GROUP.replace("path   = \"/a/\"", "path = \"/a/\"\nimport = \"people-readers\""));
    stack.apply().await;
    stack.settled().await;
    // And it is not deleted from under somebody else's user.
    iam.create_user().user_name("bob").send().await.unwrap();
    iam.add_user_to_group().group_name("people-readers").user_name("bob").send().await.unwrap();
    stack.run(&["destroy", "--yes", "--no-input"]).await.exits(1).says(&["bob", "remove-user-from-group"]);
    assert_eq!(members(&stack, "people-readers").await, ["bob"]);
    let inline = iam.list_group_policies().group_name("people-readers").send().await.unwrap().policy_names;
    assert_eq!(inline, ["s3stack"], "a deletion that is refused takes nothing away");
}

#[tokio::test]
async fn a_user_whose_deletion_is_refused_may_do_what_it_could() {
    let stack = Stack::new(GROUP).await;
    stack.apply().await;
    let iam = stack.iam().await;
    let made = iam.create_access_key().user_name("people-ada").send().await.unwrap().access_key.unwrap();
    let without = GROUP.split("[iam.user.ada]").next().unwrap();
    stack.write("stack.toml", without);
    stack.run(&APPLY).await.exits(1).says(&[made.access_key_id.as_str(), "force_destroy = true"]);
    let inline = iam.list_user_policies().user_name("people-ada").send().await.unwrap().policy_names;
    assert_eq!(inline, ["s3stack"]);
    assert_eq!(members(&stack, "people-readers").await, ["people-ada"]);
    iam.delete_access_key().user_name("people-ada").access_key_id(made.access_key_id).send().await.unwrap();
    stack.apply().await;
    assert!(iam.get_user().user_name("people-ada").send().await.is_err());
}
