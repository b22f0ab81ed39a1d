//! One emulator of AWS per test binary, each test in an account of its own.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Ends with this process, however it ends: it reads from a pipe that only this process holds.
const MAIN: &str = "import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
from ministack.app import main
main()";

static EMULATOR: OnceLock<(SocketAddr, Child)> = OnceLock::new();
static ACCOUNTS: AtomicU64 = AtomicU64::new(100_000_000_001);

/// Where it listens. It is started with the first question.
pub fn address() -> SocketAddr {
    EMULATOR.get_or_init(start).0
}

/// An account that no other test of this binary uses: the access key id to call with.
pub fn account() -> String {
    ACCOUNTS.fetch_add(1, Ordering::SeqCst).to_string()
}

fn start() -> (SocketAddr, Child) {
    let python = std::env::var("MINISTACK_PYTHON").expect(
        "MINISTACK_PYTHON names a Python that has ministack: python3 -m venv V && V/bin/pip install ministack==1.5.33",
    );
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let child = Command::new(python)
        .args(["-c", MAIN])
        .env("BIND_HOST", "127.0.0.1")
        .env("GATEWAY_PORT", port.to_string())
        .env("SERVICES", "s3")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let started = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(started.elapsed() < Duration::from_secs(60), "ministack does not answer");
        std::thread::sleep(Duration::from_millis(50));
    }
    (address, child)
}
