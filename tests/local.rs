//! The private AWS of `--local`, started for real: the first run on a machine installs it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use s3stack::local::{Endpoint, Local, Options, Owned, Status};

/// Long enough for a loaded machine; no test waits it out when all is well.
const PATIENCE: Duration = Duration::from_secs(30);

/// Status code and body of one request to S3, made as the endpoint's account.
fn request(endpoint: &Endpoint, method: &str, path: &str, body: &str) -> (u16, String) {
    request_to("s3", endpoint, method, path, body)
}

/// The emulator does not look at the signature of a root key, so that a made-up one does.
fn request_to(service: &str, endpoint: &Endpoint, method: &str, path: &str, body: &str) -> (u16, String) {
    let address = endpoint.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential={}/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, \
         Signature=0\r\n\r\n{body}",
        body.len(),
        endpoint.account_id,
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

fn status_of(endpoint: &Endpoint, method: &str, path: &str) -> u16 {
    request(endpoint, method, path, "").0
}

fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a process runs; one that only waits to be reaped does not.
fn is_alive(pid: u32) -> bool {
    let output = Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output().unwrap();
    let state = String::from_utf8(output.stdout).unwrap();
    !state.trim().is_empty() && !state.starts_with('Z')
}

fn kill_9(pid: u32) {
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

/// A stack folder whose emulator ends with the test.
struct Folder {
    directory: tempfile::TempDir,
    local: Local,
}

impl Folder {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let local = Local::for_folder(directory.path()).unwrap();
        Self { directory, local }
    }

    fn start(&self) -> Endpoint {
        self.local.ensure_started(&|_| {}).unwrap()
    }

    fn pid(&self) -> u32 {
        match self.local.status().unwrap() {
            Status::Running { pid, .. } => pid,
            status => panic!("not running: {status:?}"),
        }
    }

    fn local_path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(".s3stack").join("local").join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = self.local.stop();
    }
}

#[test]
fn owned_starts_answers_and_ends() {
    let owned = Owned::start(Options::default()).unwrap();
    let (status, health) = request(owned.endpoint(), "GET", "/_ministack/health", "");
    assert_eq!(status, 200);
    assert!(health.contains(&format!("\"version\": \"{}\"", owned.version())), "{health}");
    assert_eq!(owned.version(), "1.5.33");
    let (pid, log) = (owned.pid(), owned.log());
    drop(owned);
    assert!(!is_alive(pid));
    assert!(!log.parent().unwrap().exists(), "nothing is left");
}

#[test]
fn accounts_do_not_see_each_other() {
    let owned = Owned::start(Options::default()).unwrap();
    let one = owned.endpoint().for_account("111111111111");
    let two = owned.endpoint().for_account("222222222222");
    assert_eq!(status_of(&one, "PUT", "/of-one"), 200);
    assert_eq!(status_of(&one, "HEAD", "/of-one"), 200);
    assert_eq!(status_of(&two, "HEAD", "/of-one"), 403);
}

#[test]
fn a_description_with_an_ampersand_comes_back_as_xml() {
    let owned = Owned::start(Options::default()).unwrap();
    let trust = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%5D%7D";
    let form = format!(
        "Action=CreateRole&Version=2010-05-08&RoleName=r&Description=read%20%26%20%3Cwrite%3E\
         &AssumeRolePolicyDocument={trust}"
    );
    let (status, body) = request_to("iam", owned.endpoint(), "POST", "/", &form);
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("<Description>read &amp; &lt;write&gt;</Description>"), "{body}");
}

#[test]
fn owned_checks_who_calls_when_asked() {
    let not_root = "AKIAIOSFODNN7EXAMPLE";
    let open = Owned::start(Options::default()).unwrap();
    assert_eq!(status_of(&open.endpoint().for_account(not_root), "GET", "/"), 200);
    let guarded = Owned::start(Options { authorize: true, ..Options::default() }).unwrap();
    // What is wrong with it first is its made-up signature.
    let (status, body) = request(&guarded.endpoint().for_account(not_root), "GET", "/", "");
    assert_eq!(status, 400, "{body}");
    assert!(body.contains("AuthorizationHeaderMalformed"), "{body}");
}

#[test]
fn owned_speaks_tls_when_asked() {
    let owned = Owned::start(Options { tls: true, ..Options::default() }).unwrap();
    let endpoint = owned.endpoint();
    assert!(endpoint.url.starts_with("https://127.0.0.1:"), "{}", endpoint.url);
    let certificate = fs::read_to_string(endpoint.certificate.as_ref().unwrap()).unwrap();
    assert!(certificate.starts_with("-----BEGIN CERTIFICATE-----"), "{certificate}");
    // A server that speaks TLS has no answer in plain HTTP.
    let address = endpoint.url.strip_prefix("https://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /_ministack/health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/"), "{answer:?}");
}

/// The listening addresses of a process, as /proc/net/tcp writes them.
#[cfg(target_os = "linux")]
fn listeners(pid: u32) -> Vec<String> {
    const LISTENING: &str = "0A";
    let sockets: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|entry| {
            fs::read_link(entry.ok()?.path()).ok()?.to_str()?.strip_prefix("socket:[").map(str::to_owned)
        })
        .map(|inode| inode.trim_end_matches(']').to_owned())
        .collect();
    ["tcp", "tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(format!("/proc/{pid}/net/{table}")).ok())
        .flat_map(|table| table.lines().skip(1).map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let (address, state, inode) = (columns[1], columns[3], columns[9]);
            (state == LISTENING && sockets.iter().any(|socket| socket == inode)).then(|| address.to_owned())
        })
        .collect()
}

#[test]
#[cfg(target_os = "linux")]
fn listens_on_loopback_only() {
    let owned = Owned::start(Options::default()).unwrap();
    let port: u16 = owned.endpoint().url.rsplit(':').next().unwrap().parse().unwrap();
    // 127.0.0.1 in the byte order of /proc on little-endian machines.
    assert_eq!(listeners(owned.pid()), [format!("0100007F:{port:04X}")]);
    let folder = Folder::new();
    folder.start();
    let addresses = listeners(folder.pid());
    assert_eq!(addresses.len(), 1);
    assert!(addresses[0].starts_with("0100007F:"), "{addresses:?}");
}

/// No test: the process that the next one kills.
#[test]
#[ignore = "helper of ends_with_a_parent_that_is_killed"]
fn helper_that_owns_an_emulator() {
    let owned = Owned::start(Options::default()).unwrap();
    println!("emulator {} {}", owned.pid(), owned.log().parent().unwrap().display());
    thread::sleep(PATIENCE * 2);
}

#[test]
fn ends_with_a_parent_that_is_killed() {
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "helper_that_owns_an_emulator", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(parent.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.into_iter().find_map(|line| line.split_once("emulator ").map(|(_, rest)| rest.to_owned()));
    let line = line.expect("the helper says where its emulator is");
    let (pid, directory) = line.split_once(' ').unwrap();
    let pid = pid.parse().unwrap();
    assert!(is_alive(pid));
    parent.kill().unwrap();
    parent.wait().unwrap();
    eventually("the emulator ends with its parent", || !is_alive(pid));
    assert!(!Path::new(directory).exists(), "and takes its folder with it");
}

#[test]
fn a_folder_has_one_emulator_that_keeps_its_data() {
    let folder = Folder::new();
    let endpoint = folder.start();
    assert_eq!(folder.start(), endpoint, "found again");
    assert_eq!(status_of(&endpoint, "PUT", "/kept"), 200);
    assert_eq!(request(&endpoint, "PUT", "/kept/key", "value").0, 200);
    assert_eq!(request(&endpoint, "PUT", "/kept?versioning", VERSIONING_ON).0, 200);
    let first = folder.pid();

    assert!(folder.local.stop().unwrap());
    eventually("it has ended", || !is_alive(first));
    assert_eq!(folder.local.status().unwrap(), Status::Stopped { data: true });
    assert!(!folder.local.stop().unwrap(), "nothing left to stop");

    let endpoint = folder.start();
    assert_ne!(folder.pid(), first);
    assert_eq!(request(&endpoint, "GET", "/kept/key", ""), (200, "value".to_owned()));
    assert!(request(&endpoint, "GET", "/kept?versioning", "").1.contains("<Status>Enabled</Status>"));

    folder.local.reset().unwrap();
    assert_eq!(folder.local.status().unwrap(), Status::Stopped { data: false });
    assert_eq!(status_of(&folder.start(), "HEAD", "/kept"), 404);
}

const VERSIONING_ON: &str = "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                             <Status>Enabled</Status></VersioningConfiguration>";

#[test]
fn a_killed_emulator_is_known_as_such_and_goes_on_with_what_it_had_saved() {
    let folder = Folder::new();
    let endpoint = folder.start();
    assert_eq!(status_of(&endpoint, "PUT", "/saved"), 200);
    let saved = folder.local_path("data/state/s3.json");
    eventually("it saves as it goes", || fs::read_to_string(&saved).is_ok_and(|text| text.contains("saved")));
    kill_9(folder.pid());
    eventually("the kernel frees the lock", || folder.local.status().unwrap() == Status::Killed);

    let said = Mutex::new(Vec::new());
    let endpoint = folder.local.ensure_started(&|text| said.lock().unwrap().push(text.to_owned())).unwrap();
    assert!(said.lock().unwrap().iter().any(|text| text.contains("was killed")), "{said:?}");
    assert_eq!(status_of(&endpoint, "HEAD", "/saved"), 200);
}

#[test]
fn starts_at_once_give_one_emulator() {
    let folder = Folder::new();
    let endpoints: Vec<Endpoint> = thread::scope(|scope| {
        let starts: Vec<_> = (0..4).map(|_| scope.spawn(|| folder.start())).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    assert!(endpoints.iter().all(|endpoint| *endpoint == endpoints[0]), "{endpoints:?}");
}

#[test]
fn a_stale_record_is_no_emulator() {
    let folder = Folder::new();
    folder.start();
    folder.local.stop().unwrap();
    // A process that lives and is not the emulator, as after a reboot.
    let record =
        format!(r#"{{"run":"gone","pid":{},"port":1,"version":"1.5.33","certificate":null}}"#, std::process::id());
    fs::write(folder.local_path("emulator.json"), record).unwrap();
    assert_eq!(folder.local.status().unwrap(), Status::Killed);
    folder.start();
    assert_ne!(folder.pid(), std::process::id());
}

#[test]
fn a_daemon_whose_folder_is_deleted_ends() {
    let folder = Folder::new();
    folder.start();
    let pid = folder.pid();
    fs::remove_dir_all(folder.directory.path().join(".s3stack")).unwrap();
    eventually("it notices", || !is_alive(pid));
    assert!(!folder.directory.path().join(".s3stack").exists(), "and does not bring the folder back");
}

#[test]
fn a_hung_emulator_is_told_from_one_that_runs() {
    let folder = Folder::new();
    folder.start();
    let pid = folder.pid();
    let signal = |name: &str| assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
    signal("-STOP");
    assert_eq!(folder.local.status().unwrap(), Status::Unresponsive { pid });
    signal("-CONT");
    assert!(folder.local.stop().unwrap());
    eventually("it has ended", || !is_alive(pid));
}
