//! Ctrl-C, SIGTERM and SIGHUP: the first finishes what is in flight and records it, the second ends the program at once
//! and leaves the rest pending in the state. Before the apply, the first one ends the command.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Listens while it lives.
pub struct Signals {
    stop: watch::Receiver<bool>,
    applying: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

/// What a shell reports for a program that Ctrl-C ended.
pub const INTERRUPTED: u8 = 130;

impl Signals {
    /// Begins to listen; `say` tells the user what a signal did.
    pub fn listen(say: Box<dyn Fn(&str) + Send + Sync>) -> Self {
        let (sender, stop) = watch::channel(false);
        let applying = Arc::new(AtomicBool::new(false));
        let is_applying = applying.clone();
        let task = tokio::spawn(async move {
            let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
            let Ok([mut interrupt, mut terminate, mut hangup]) =
                kinds.map(signal).into_iter().collect::<Result<Vec<_>, _>>().map(|all| {
                    <[_; 3]>::try_from(all).unwrap_or_else(|_| unreachable!("three kinds give three streams"))
                })
            else {
                return;
            };
            for again in [false, true] {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => {}
                }
                let during_apply = is_applying.load(Ordering::SeqCst);
                match (again, during_apply) {
                    (false, true) => {
                        say("stopping: what is under way is finished and recorded; once more stops at once");
                    }
                    (false, false) => say("stopped; nothing was changed"),
                    (true, true) => {
                        say(
                            "stopped at once; what was under way is pending in the state, and the next run looks at it",
                        );
                        std::process::exit(INTERRUPTED.into());
                    }
                    (true, false) => std::process::exit(INTERRUPTED.into()),
                }
                // Nobody listening means that the apply has ended.
                let _ = sender.send(true);
            }
        });
        Self { stop, applying, task }
    }

    /// From now on there is something to finish and to record.
    pub fn applying(&self) {
        self.applying.store(true, Ordering::SeqCst);
    }

    /// Turns true at the first signal.
    pub fn stop(&self) -> watch::Receiver<bool> {
        self.stop.clone()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.task.abort();
    }
}
