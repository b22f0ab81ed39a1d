//! Stack folders, and the real binary working on them.
//!
//! Every stack here has an account of its own in the test binary's emulator, and a fault proxy of its own in front, so
//! tests run side by side and each proxy's log is one stack's calls.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use s3stack::aws::{Clients, Settings};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::emulator;
use super::proxy::{Proxy, Request};

/// Longer than any run of these tests on a loaded machine: a program that hangs fails its test, and not the whole run.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// One folder with a stack file, an account for it and a proxy before the emulator.
pub struct Stack {
    pub folder: PathBuf,
    pub account: String,
    pub proxy: Arc<Proxy>,
    home: PathBuf,
    _temporary: tempfile::TempDir,
}

/// What a run of the program came to.
pub struct Ran {
    pub arguments: String,
    /// `None` after a signal.
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "s3stack {} → code {:?}, signal {:?}", self.arguments, self.code, self.signal)?;
        writeln!(f, "--- stdout\n{}--- stderr\n{}---", self.stdout, self.stderr)
    }
}

impl Ran {
    fn new(arguments: String, output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("what is printed is UTF-8");
        Self {
            arguments,
            code: output.status.code(),
            signal: output.status.signal(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Both streams.
    pub fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Asserts that each of `words` is printed somewhere. Line breaks and indentation do not count.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Self {
        let text = folded(&self.text());
        for word in words {
            assert!(text.contains(&folded(word)), "does not say {word:?}: {self}");
        }
        self
    }

    #[track_caller]
    pub fn does_not_say(self, words: &[&str]) -> Self {
        let text = folded(&self.text());
        for word in words {
            assert!(!text.contains(&folded(word)), "says {word:?}: {self}");
        }
        self
    }
}

fn folded(text: &str) -> String {
    text.split_whitespace().filter(|word| *word != "│" && *word != "|").collect::<Vec<_>>().join(" ")
}

/// A run under way.
pub struct Running {
    pub pid: Pid,
    arguments: String,
    output: JoinHandle<std::io::Result<Output>>,
}

impl Running {
    pub fn new(arguments: String, child: Child) -> Self {
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw).expect("it runs");
        Self { pid, arguments, output: tokio::spawn(child.wait_with_output()) }
    }

    pub fn signal(&self, signal: Signal) {
        // It may just have ended.
        let _ = kill_process(self.pid, signal);
    }

    pub fn is_over(&self) -> bool {
        self.output.is_finished()
    }

    pub async fn ends(mut self) -> Ran {
        match tokio::time::timeout(PATIENCE, &mut self.output).await {
            Ok(output) => Ran::new(self.arguments, output.unwrap().unwrap()),
            Err(_) => {
                self.signal(Signal::KILL);
                let ran = Ran::new(self.arguments, self.output.await.unwrap().unwrap());
                panic!("not over after {PATIENCE:?}: {ran}");
            }
        }
    }
}

/// Whether a request changes something in AWS: what a refused command must never send. The lease and state of the S3
/// backend are objects, and not counted here.
pub fn writes(request: &Request) -> bool {
    let service = request.header("authorization").and_then(|value| value.split('/').nth(3)).unwrap_or_default();
    let of_backend = ["/state/", "/lease/", "/history/", "/steps/", "/digest-key/"];
    match service {
        "s3" => {
            request.method != "GET"
                && request.method != "HEAD"
                && !of_backend.iter().any(|part| request.path.contains(part))
        }
        _ => {
            // Query protocols name the action in the body, JSON protocols in a header.
            let target = request.header("x-amz-target").and_then(|target| target.split('.').nth(1));
            let body = String::from_utf8_lossy(&request.body).into_owned();
            let action = body.split('&').find_map(|pair| pair.strip_prefix("Action="));
            let action = target.or(action).unwrap_or_default().to_owned();
            !["Get", "List", "Describe", "Simulate", "AssumeRole"].iter().any(|verb| action.starts_with(verb))
        }
    }
}

/// A request in words: `iam CreateRole`, `s3 PUT /bucket?policy`.
pub fn described(request: &Request) -> String {
    let body = String::from_utf8_lossy(&request.body).into_owned();
    match body.split('&').find_map(|pair| pair.strip_prefix("Action=")) {
        Some(action) => format!("#{} {action}", request.index),
        None => format!("#{} {}", request.index, request.line()),
    }
}

impl Stack {
    /// A folder that holds `text` as its stack.toml.
    pub async fn new(text: &str) -> Self {
        Self::of(emulator::account(), text).await
    }

    /// The same in an account that another stack has too.
    pub async fn of(account: String, text: &str) -> Self {
        let address = tokio::task::spawn_blocking(emulator::address).await.unwrap();
        let temporary = tempfile::tempdir().unwrap();
        let (folder, home) = (temporary.path().join("stack"), temporary.path().join("home"));
        fs::create_dir(&folder).unwrap();
        fs::create_dir(&home).unwrap();
        let proxy = Arc::new(Proxy::start(address).await);
        proxy.remember(|request| request.body.windows(22).any(|part| part == b"Action=CreateAccessKey"));
        let stack = Self { folder, account, proxy, home, _temporary: temporary };
        stack.write("stack.toml", text);
        stack
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The program, in the folder, with nothing of this process's environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_s3stack"));
        command.args(arguments).current_dir(&self.folder).env_clear();
        for (name, value) in self.environment() {
            command.env(name, value);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// What the program gets to know of the world.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("PATH", "/usr/bin:/bin".into()),
            ("HOME", self.home.display().to_string()),
            ("USER", "ada".into()),
            ("COLUMNS", "100".into()),
            ("NO_COLOR", "1".into()),
            ("AWS_ENDPOINT_URL", self.proxy.url()),
            ("AWS_ACCESS_KEY_ID", self.account.clone()),
            ("AWS_SECRET_ACCESS_KEY", "test".into()),
            ("AWS_EC2_METADATA_DISABLED", "true".into()),
        ]
    }

    pub fn start(&self, arguments: &[&str]) -> Running {
        Self::start_command(self.command(arguments))
    }

    pub fn start_command(mut command: Command) -> Running {
        let words: Vec<_> = command.as_std().get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        Running::new(words.join(" "), command.spawn().unwrap())
    }

    pub async fn run(&self, arguments: &[&str]) -> Ran {
        self.start(arguments).ends().await
    }

    /// A run that must go well.
    pub async fn ok(&self, arguments: &[&str]) -> Ran {
        self.run(arguments).await.exits(0)
    }

    pub async fn apply(&self) -> Ran {
        self.ok(&["apply", "--yes", "--no-input"]).await
    }

    pub async fn destroy(&self) -> Ran {
        self.ok(&["destroy", "--yes", "--no-input"]).await
    }

    /// A run that must be refused before it changes anything: another code than 0, a code of ours, a next step, and no
    /// writing request.
    pub async fn refused(&self, arguments: &[&str]) -> Ran {
        let before = self.proxy.requests().len();
        let ran = self.run(arguments).await;
        assert_eq!(ran.code, Some(1), "{ran}");
        assert!(ran.stderr.contains("[S3S-"), "no diagnostic: {ran}");
        let written: Vec<String> =
            self.proxy.requests()[before..].iter().filter(|one| writes(one)).map(described).collect();
        assert_eq!(written, Vec::<String>::new(), "{ran}");
        ran
    }

    /// A plan that must find nothing to do.
    pub async fn settled(&self) {
        self.run(&["plan", "--detailed-exitcode"]).await.exits(0);
    }

    /// The state document of the file backend.
    pub fn state(&self) -> serde_json::Value {
        serde_json::from_str(&self.read(".s3stack/state/default/state.json")).unwrap()
    }

    /// The resources in state, as [`Self::sweep`] writes them.
    pub fn stated(state: &serde_json::Value) -> BTreeSet<String> {
        let instances = state["instances"].as_object().unwrap().values();
        instances
            .map(|one| format!("{} {}", one["type"].as_str().unwrap(), one["physical_id"].as_str().unwrap()))
            .collect()
    }

    /// The same, of one account and region; what is in no region, and buckets, are those of the whole account.
    pub fn stated_in(state: &serde_json::Value, account: &str, region: &str) -> BTreeSet<String> {
        let mut state = state.clone();
        let is_here = |one: &serde_json::Value| {
            let everywhere = one["region"] == "" || one["type"] == "s3.bucket";
            one["account"] == account && (everywhere || one["region"] == region)
        };
        state["instances"].as_object_mut().unwrap().retain(|_, one| is_here(one));
        Self::stated(&state)
    }

    /// Every account and region that resources in state are in.
    pub fn places(state: &serde_json::Value) -> BTreeSet<(String, String)> {
        let instances = state["instances"].as_object().unwrap().values();
        let text = |one: &serde_json::Value, key: &str| one[key].as_str().unwrap().to_owned();
        instances
            .map(|one| (text(one, "account"), text(one, "region")))
            .filter(|(_, region)| !region.is_empty())
            .collect()
    }

    /// Every resource that the account has, as `s3.bucket NAME`, asked of the emulator and not of the program.
    pub async fn sweep(&self) -> BTreeSet<String> {
        self.sweep_in(&self.account, "us-east-1").await
    }

    /// Every resource that an account has in a region.
    pub async fn sweep_in(&self, account: &str, region: &str) -> BTreeSet<String> {
        let session = Self::clients_in(account, region).await.home().unwrap();
        let (s3, iam) = (session.s3().clone(), session.iam().clone());
        let mut found = BTreeSet::new();
        let mut add = |kind: &str, id: &str| assert!(found.insert(format!("{kind} {id}")));
        for bucket in s3.list_buckets().send().await.unwrap().buckets() {
            add("s3.bucket", bucket.name().unwrap());
        }
        for role in iam.list_roles().send().await.unwrap().roles() {
            add("iam.role", role.role_name());
        }
        let local = aws_sdk_iam::types::PolicyScopeType::Local;
        for policy in iam.list_policies().scope(local).send().await.unwrap().policies() {
            add("iam.policy", policy.arn().unwrap());
        }
        for profile in iam.list_instance_profiles().send().await.unwrap().instance_profiles() {
            add("iam.instance_profile", profile.instance_profile_name());
        }
        for group in iam.list_groups().send().await.unwrap().groups() {
            add("iam.group", group.group_name());
        }
        for user in iam.list_users().send().await.unwrap().users() {
            add("iam.user", user.user_name());
            let keys = iam.list_access_keys().user_name(user.user_name()).send().await.unwrap();
            for key in keys.access_key_metadata() {
                add("iam.access_key", key.access_key_id().unwrap());
            }
        }
        let logs = session.logs().clone();
        for group in logs.describe_log_groups().send().await.unwrap().log_groups() {
            add("logs.group", group.log_group_name().unwrap());
        }
        found
    }

    /// The secret of every access key that was ever made, by its id: what AWS tells once, as the proxy saw it.
    pub fn secrets(&self) -> BTreeMap<String, String> {
        let tag = |text: &str, name: &str| {
            let (_, rest) = text.split_once(&format!("<{name}>")).unwrap();
            rest.split_once('<').unwrap().0.to_owned()
        };
        let made = self.proxy.remembered().into_iter().filter(|text| text.contains("<SecretAccessKey>"));
        made.map(|text| (tag(&text, "AccessKeyId"), tag(&text, "SecretAccessKey"))).collect()
    }

    /// The value of a name in a file of `NAME=value` lines.
    pub fn env_value(&self, file: &str, name: &str) -> Option<String> {
        let text = fs::read_to_string(self.path(file)).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}=")))?;
        Some(line.trim_matches(['"', '\'']).to_owned())
    }

    /// Clients of the stack's account, past the proxy.
    pub async fn clients(&self) -> Clients {
        Self::clients_in(&self.account, "us-east-1").await
    }

    /// Clients of an account and a region, past the proxy.
    pub async fn clients_in(account: &str, region: &str) -> Clients {
        let settings = Settings {
            region: Some(region.into()),
            endpoint: Some(format!("http://{}", emulator::address())),
            local_account: Some(account.into()),
            ..Settings::default()
        };
        Clients::load(settings).await.unwrap()
    }

    pub async fn s3(&self) -> aws_sdk_s3::Client {
        self.clients().await.home().unwrap().s3().clone()
    }

    pub async fn iam(&self) -> aws_sdk_iam::Client {
        self.clients().await.home().unwrap().iam().clone()
    }

    /// Waits until the proxy has seen what `holds` says of its requests.
    pub async fn until(&self, what: &str, holds: impl Fn(&[Request]) -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !holds(&self.proxy.requests()) {
            assert!(tokio::time::Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// Every file below a folder, for searches.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}
