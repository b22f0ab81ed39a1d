//! An apply under way: one line that is redrawn on a terminal, a line for each thing that ends elsewhere, or events.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState};
use s3stack_engine::address::Address;
use s3stack_engine::apply::Event;
use s3stack_engine::plan::{Action, Plan};
use s3stack_engine::state::Verb;

use super::printer::{Format, Ui, Verbosity, spinner};
use super::text::{Role, cut, duration, plain};
use super::{json, values};

/// How often a log without a terminal is told what still runs: build services end what is silent for long.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// A pause that is worth a line even without `-v`.
const LONG_PAUSE: Duration = Duration::from_secs(10);

/// Shows the events of one apply.
pub struct Progress {
    ui: Ui,
    board: Arc<Mutex<Board>>,
    bar: Option<ProgressBar>,
    /// Ends the heartbeat when it is dropped.
    _heartbeat: Option<mpsc::Sender<()>>,
}

impl Progress {
    /// Begins to show an apply of a plan.
    pub fn new(ui: &Ui, plan: &Plan) -> Self {
        let board = Arc::new(Mutex::new(Board { total: operations(plan), ..Board::default() }));
        let quiet = ui.verbosity() == Verbosity::Quiet || ui.format() == Format::Events;
        let bar = (ui.is_terminal() && !quiet).then(|| {
            let (shown, width) = (board.clone(), ui.talk_layout().width);
            let line = move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = out.write_str(&cut(&lock(&shown).line(Instant::now()), width.saturating_sub(3)));
            };
            ui.bar(ProgressBar::new_spinner(), spinner("{spinner} {board}").with_key("board", line))
        });
        let _heartbeat = (bar.is_none() && !quiet).then(|| heartbeat(ui.clone(), board.clone()));
        Self { ui: ui.clone(), board, bar, _heartbeat }
    }

    /// Shows an event.
    pub fn event(&mut self, event: &Event) {
        lock(&self.board).note(event, Instant::now());
        if self.ui.format() == Format::Events {
            self.ui.event(&json::apply_event(event));
            return;
        }
        if let Some((importance, line)) = line(event) {
            match importance {
                Importance::Failure => {
                    let layout = self.ui.talk_layout();
                    self.ui.important(&layout.paint(Role::Error, &line));
                }
                Importance::Normal => self.ui.note(&line),
                Importance::Detail => self.ui.detail(&line),
            }
        }
        if let Some(bar) = &self.bar {
            bar.tick();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.bar.is_some() {
            self.ui.no_bar();
        }
    }
}

/// How many operations a plan comes to, as far as that is known before.
fn operations(plan: &Plan) -> usize {
    let of = |action: Action| match action {
        Action::NoOp | Action::Forget => 0,
        Action::Create | Action::Update | Action::Delete | Action::Adopt => 1,
        Action::Replace { .. } => 2,
    };
    plan.changes.values().map(|change| of(change.action)).sum::<usize>() + plan.deposed.len()
}

/// What is under way.
#[derive(Debug, Default)]
struct Board {
    total: usize,
    done: usize,
    failed: usize,
    stopping: bool,
    running: BTreeMap<Address, Running>,
}

#[derive(Debug)]
struct Running {
    verb: Verb,
    since: Instant,
    /// What the last attempt was answered, if it failed.
    retrying: Option<String>,
}

impl Board {
    fn note(&mut self, event: &Event, now: Instant) {
        match event {
            Event::Started { address, verb } => {
                self.running.insert(address.clone(), Running { verb: *verb, since: now, retrying: None });
            }
            Event::Retrying { address, fault, .. } => {
                if let Some(running) = self.running.get_mut(address) {
                    running.retrying = Some(fault.code.clone().unwrap_or_else(|| "no answer".into()));
                }
            }
            Event::Done { address, .. } => {
                self.running.remove(address);
                self.done += 1;
            }
            Event::Failed { address, .. } => {
                self.running.remove(address);
                self.failed += 1;
            }
            Event::Skipped { .. } => self.total = self.total.saturating_sub(1),
            Event::Stopping => self.stopping = true,
            _ => {}
        }
        self.total = self.total.max(self.done + self.failed + self.running.len());
    }

    /// `3/14 done · 1 failed · creating s3.bucket.data 2 s, deleting …`, the longest first.
    fn line(&self, now: Instant) -> String {
        let mut text = format!("{}/{} done", self.done, self.total);
        if self.failed > 0 {
            text.push_str(&format!(" · {} failed", self.failed));
        }
        if self.stopping {
            text.push_str(" · finishing what is in flight");
        }
        let running = self.running(now);
        if !running.is_empty() {
            text.push_str(&format!(" · {}", running.join(", ")));
        }
        text
    }

    fn running(&self, now: Instant) -> Vec<String> {
        let mut running: Vec<(&Address, &Running)> = self.running.iter().collect();
        running.sort_by_key(|(address, running)| (running.since, *address));
        let told = running.into_iter().map(|(address, running)| {
            let seconds = now.saturating_duration_since(running.since).as_secs();
            let retrying = running.retrying.as_deref().map(|why| format!(" after {}", plain(why))).unwrap_or_default();
            format!("{} {}{retrying} {seconds} s", verb_in_progress(running.verb), values::address(address))
        });
        told.collect()
    }
}

fn heartbeat(ui: Ui, board: Arc<Mutex<Board>>) -> mpsc::Sender<()> {
    let (alive, ended) = mpsc::channel::<()>();
    // Nobody joins it: it ends within an instant of the sender's end, and owns nothing that needs an orderly end.
    thread::spawn(move || {
        while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(HEARTBEAT) {
            let line = lock(&board).line(Instant::now());
            ui.note(&format!("under way: {line}"));
        }
    });
    alive
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Importance {
    Failure,
    Normal,
    Detail,
}

/// An event as a line.
fn line(event: &Event) -> Option<(Importance, String)> {
    let name = values::address;
    Some(match event {
        Event::Moved { from, to } => (Importance::Normal, format!("{}: moved from {}", name(to), name(from))),
        Event::Forgotten { address } => (Importance::Normal, format!("{}: forgotten", name(address))),
        Event::Accepted { address } => (Importance::Normal, format!("{}: taken over into state", name(address))),
        Event::Started { address, verb } => {
            (Importance::Detail, format!("{}: {}", name(address), verb_in_progress(*verb)))
        }
        Event::Retrying { address, verb, fault, after } => {
            let importance = if *after >= LONG_PAUSE { Importance::Normal } else { Importance::Detail };
            let (verb, fault, after) = (verb_in_progress(*verb), fault.to_string(), duration(*after));
            (importance, format!("{}: {verb}, again in {after}: {}", name(address), plain(&fault)))
        }
        Event::Identified { address, physical_id } => {
            (Importance::Detail, format!("{}: AWS calls it {}", name(address), plain(physical_id)))
        }
        Event::Done { address, verb, took } => {
            let verb = match verb {
                Verb::Create => "created",
                Verb::Update => "changed",
                Verb::Delete => "deleted",
            };
            (Importance::Normal, format!("{}: {verb} in {}", name(address), duration(*took)))
        }
        Event::Failed { address, verb, fault, uncertain } => {
            let certain = if *uncertain { "; it may have taken effect" } else { "" };
            let (verb, fault) = (verb_in_progress(*verb), fault.to_string());
            (Importance::Failure, format!("{}: {verb} failed: {}{certain}", name(address), plain(&fault)))
        }
        Event::Skipped { address, because, .. } => {
            (Importance::Normal, format!("{}: skipped, because {} failed", name(address), name(because)))
        }
        Event::Persisted { serial, took } => {
            (Importance::Detail, format!("state: serial {serial} written in {}", duration(*took)))
        }
        Event::NotPersisted { why } => {
            (Importance::Failure, format!("state: not written, will be tried again: {}", plain(why)))
        }
        Event::Recovered { address, what } => {
            let what = what.strip_prefix(&format!("{address} ")).unwrap_or(what);
            (Importance::Normal, format!("{}: found after an earlier run: {}", name(address), plain(what)))
        }
        Event::Stopping => (Importance::Normal, "stopping: what is in flight is finished and recorded".into()),
    })
}

fn verb_in_progress(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "creating",
        Verb::Update => "changing",
        Verb::Delete => "deleting",
    }
}

fn lock(board: &Mutex<Board>) -> MutexGuard<'_, Board> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use s3stack_engine::apply::Summary;
    use s3stack_engine::fault::{Fault, FaultKind};

    use super::super::plan::tests::{change, plan};
    use super::super::printer::Settings;
    use super::super::printer::tests::captured;
    use super::super::summary::Effort;
    use super::*;

    fn data() -> Address {
        Address::root("s3.bucket", "data")
    }

    fn fault() -> Fault {
        Fault {
            kind: FaultKind::Throttled,
            service: "s3".into(),
            operation: "CreateBucket".into(),
            code: Some("SlowDown".into()),
            message: "slower".into(),
            request_id: Some("REQ1".into()),
        }
    }

    fn events() -> Vec<Event> {
        let (role, verb, took) = (Address::root("iam.role", "app"), Verb::Create, Duration::from_millis(400));
        vec![
            Event::Moved { from: role.clone(), to: data() },
            Event::Started { address: data(), verb },
            Event::Started { address: role.clone(), verb: Verb::Delete },
            Event::Retrying { address: data(), verb, fault: fault(), after: Duration::from_secs(2) },
            Event::Identified { address: data(), physical_id: "data-1".into() },
            Event::Done { address: data(), verb, took },
            Event::Failed { address: role.clone(), verb: Verb::Delete, fault: fault(), uncertain: true },
            Event::Skipped { address: Address::root("sns.topic", "t"), verb, because: role },
            Event::Persisted { serial: 8, took },
            Event::NotPersisted { why: "AccessDenied".into() },
            Event::Stopping,
        ]
    }

    fn shown(settings: Settings) -> (String, String) {
        let (ui, stdout, stderr) = captured(settings);
        let mut progress = Progress::new(&ui, &plan([change("s3.bucket.data", Action::Create, "data")]));
        events().iter().for_each(|event| progress.event(event));
        drop(progress);
        let effort = Effort { command: "s3stack apply", calls: 3, took: Duration::from_secs(1) };
        ui.ended(&Summary { recorded: true, ..Summary::default() }, &effort);
        (stdout.text(), stderr.text())
    }

    #[test]
    fn without_a_terminal_each_thing_that_ends_is_a_line() {
        let (stdout, stderr) = shown(Settings::default());
        assert_eq!(stdout, "");
        insta::assert_snapshot!(stderr, @"
        s3.bucket.data: moved from iam.role.app
        s3.bucket.data: created in 0.4 s
        iam.role.app: deleting failed: s3:CreateBucket answered SlowDown: slower (request REQ1); it may have taken effect
        sns.topic.t: skipped, because iam.role.app failed
        state: not written, will be tried again: AccessDenied
        stopping: what is in flight is finished and recorded

        Nothing had to be done; 3 calls in 1.0 s.
        ");
    }

    #[test]
    fn verbose_tells_attempts_and_writes_and_quiet_only_failures() {
        let (_, verbose) = shown(Settings { verbosity: Verbosity::Verbose, ..Settings::default() });
        for part in ["s3.bucket.data: creating\n", "again in 2.0 s", "AWS calls it data-1", "serial 8 written"] {
            assert!(verbose.contains(part), "{part} in {verbose}");
        }
        let (_, quiet) = shown(Settings { verbosity: Verbosity::Quiet, ..Settings::default() });
        assert_eq!(quiet.lines().count(), 2, "{quiet}");
    }

    #[test]
    fn a_stream_has_all_events_and_the_end() {
        let (stdout, stderr) = shown(Settings { format: Format::Events, ..Settings::default() });
        assert_eq!(stderr, "");
        assert_eq!(stdout.lines().count(), events().len() + 1);
        assert!(stdout.lines().last().unwrap().contains("\"apply.end\""));
    }

    #[test]
    fn the_redrawn_line_counts_and_names_what_runs_longest_first() {
        let began = Instant::now();
        let mut board = Board { total: 3, ..Board::default() };
        let at = |seconds| began + Duration::from_secs(seconds);
        board.note(&Event::Started { address: data(), verb: Verb::Create }, at(0));
        let table = Address::root("dynamodb.table", "t");
        board.note(&Event::Started { address: table.clone(), verb: Verb::Delete }, at(3));
        let after = Duration::from_secs(1);
        board.note(&Event::Retrying { address: data(), verb: Verb::Create, fault: fault(), after }, at(4));
        assert_eq!(
            board.line(at(5)),
            "0/3 done · creating s3.bucket.data after SlowDown 5 s, deleting dynamodb.table.t 2 s"
        );
        board.note(&Event::Done { address: table, verb: Verb::Delete, took: after }, at(5));
        board.note(&Event::Failed { address: data(), verb: Verb::Create, fault: fault(), uncertain: false }, at(6));
        board.note(&Event::Stopping, at(6));
        assert_eq!(board.line(at(7)), "1/3 done · 1 failed · finishing what is in flight");
    }

    #[test]
    fn a_replacement_counts_twice_and_what_needs_no_call_not_at_all() {
        let replace = change("s3.bucket.a", Action::Replace { delete_first: true }, "a");
        let plan =
            plan([replace, change("s3.bucket.b", Action::NoOp, "b"), change("s3.bucket.c", Action::Delete, "c")]);
        assert_eq!(operations(&plan), 3);
    }
}
