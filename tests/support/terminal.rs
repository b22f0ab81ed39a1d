//! A terminal for the program to ask on.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tokio::process::{Child, Command};

use super::stack::PATIENCE;

/// The near end of a pseudo-terminal, with the program at its far end.
pub struct Terminal {
    near: File,
    child: Child,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    /// Runs a command whose three streams are a terminal.
    pub fn run(mut command: Command) -> Self {
        let near: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&near).unwrap();
        unlockpt(&near).unwrap();
        let name = ptsname(&near, Vec::new()).unwrap().into_string().unwrap();
        let far = || Stdio::from(OpenOptions::new().read(true).write(true).open(&name).unwrap());
        let child = command.stdin(far()).stdout(far()).stderr(far()).env("TERM", "xterm").spawn().unwrap();
        // The far end's other copies go with the command; then the near end sees the program's end.
        drop(command);
        let near = File::from(near);
        let shown = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, sink) = (near.try_clone().unwrap(), shown.clone());
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // An error is how a terminal says that nobody is at its far end any more.
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                sink.lock().unwrap().extend_from_slice(&bytes[..count]);
            }
        });
        Self { near, child, shown }
    }

    pub fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_raw(i32::try_from(self.child.id().unwrap()).unwrap()).unwrap()
    }

    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned()
    }

    pub async fn until_it_shows(&self, words: &str) {
        self.until(|shown| shown.contains(words)).await;
    }

    /// Waits until what was shown is such.
    pub async fn until(&self, is_such: impl Fn(&str) -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !is_such(&self.shown()) {
            assert!(tokio::time::Instant::now() < deadline, "it never comes: {}", self.shown());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub fn types(&mut self, text: &str) {
        self.near.write_all(text.as_bytes()).unwrap();
    }

    /// Its exit code and all that was shown.
    pub async fn ends(mut self) -> (Option<i32>, String) {
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends").unwrap();
        // What it said last may still be on its way through the thread above.
        tokio::time::sleep(Duration::from_millis(50)).await;
        (status.code(), self.shown())
    }
}
