//! One emulator of AWS per test binary, each test in an account of its own.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use s3stack::local::{Options, Owned};

/// Never dropped, as no static is; the emulator ends with this process all the same, because it watches a pipe.
static EMULATOR: OnceLock<Owned> = OnceLock::new();
static ACCOUNTS: AtomicU64 = AtomicU64::new(100_000_000_001);

/// Where it listens. It is started with the first question, which blocks.
pub fn address() -> SocketAddr {
    let emulator = EMULATOR.get_or_init(|| Owned::start(Options::default()).unwrap());
    emulator.endpoint().url.trim_start_matches("http://").parse().unwrap()
}

/// An account that no other test of this binary uses: the access key id to call with.
pub fn account() -> String {
    ACCOUNTS.fetch_add(1, Ordering::SeqCst).to_string()
}
