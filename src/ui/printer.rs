//! Standard output, standard error and the terminal.

use std::borrow::Cow;
use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use s3stack_engine::diagnostic::Diagnostics;
use s3stack_engine::value::Value;
use serde_json::Value as Json;

use super::diagnostic::{render_diagnostic, render_diagnostics, sorted};
use super::json;
use super::text::{Layout, Role, duration, plain};
use crate::aws::CallEvent;

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ColourChoice {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// Data, warnings and errors.
    Quiet,
    /// Progress and notes as well.
    #[default]
    Normal,
    /// Everything, calls and request ids included.
    Verbose,
}

/// What standard output carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Text for people.
    #[default]
    Text,
    /// The event stream of `docs/json.md`; what else would be said to people is an event too.
    Events,
    /// One JSON document; talk stays on standard error.
    Document,
}

/// What the command line says about the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settings {
    /// `--color`.
    pub colour: ColourChoice,
    /// `-q`, `-v`.
    pub verbosity: Verbosity,
    /// `--json`, by the kind of command.
    pub format: Format,
    /// `--no-input`.
    pub no_input: bool,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The line that was typed, without the blanks around it.
    Line(String),
    /// The input ended without a line.
    Ended,
    /// Nobody is there to be asked, or nobody may be.
    NotAsked,
}

/// The one way to the user: data to standard output, talk to standard error. Cheap to clone.
///
/// What cannot be written to standard output is told by [`Ui::finish`], not where it happens: an apply goes on to its end
/// even if nobody listens any more.
#[derive(Clone)]
pub struct Ui(Arc<Inner>);

struct Inner {
    settings: Settings,
    stdout: Mutex<Stream>,
    stderr: Mutex<Stream>,
    data: Layout,
    talk: Layout,
    data_terminal: bool,
    /// Whether standard error is a terminal that can redraw lines.
    terminal: bool,
    /// Whether somebody can be asked.
    can_ask: bool,
    bar: Mutex<Option<ProgressBar>>,
    hidden: Hidden,
}

struct Stream {
    to: Box<dyn Write + Send>,
    failed: Option<io::Error>,
    hidden: Hidden,
}

/// The secrets of this run. What prints them by mistake, or repeats what AWS said of them, prints `(secret)`.
type Hidden = Arc<Mutex<Vec<String>>>;

/// Shorter ones are everywhere in what is printed, and no secrets.
const SHORTEST_SECRET: usize = 4;

impl Stream {
    fn new(to: impl Write + Send + 'static, hidden: &Hidden) -> Mutex<Self> {
        Mutex::new(Self { to: Box::new(to), failed: None, hidden: hidden.clone() })
    }

    fn write(&mut self, text: &str) {
        if self.failed.is_none() {
            let text = self.masked(text);
            self.failed = self.to.write_all(text.as_bytes()).and_then(|()| self.to.flush()).err();
        }
    }

    fn masked<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        for secret in lock(&self.hidden).iter().filter(|secret| text.contains(secret.as_str())).collect::<Vec<_>>() {
            text = Cow::Owned(text.replace(secret.as_str(), "(secret)"));
        }
        text
    }
}

impl Ui {
    /// The interface on this process's standard streams.
    pub fn new(settings: Settings) -> Self {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let verbose = settings.verbosity == Verbosity::Verbose;
        let layout = |colour: anstream::ColorChoice, columns: Option<u16>| Layout {
            width: columns.map_or(Layout::default().width, |columns| usize::from(columns).clamp(60, 160)),
            colour: match settings.colour {
                ColourChoice::Auto => colour != anstream::ColorChoice::Never,
                ColourChoice::Always => true,
                ColourChoice::Never => false,
            },
            verbose,
        };
        let terminal = stderr.is_terminal() && settings.format != Format::Events;
        let hidden = Hidden::default();
        Self(Arc::new(Inner {
            settings,
            data: layout(anstream::AutoStream::choice(&stdout), columns(&stdout)),
            talk: layout(anstream::AutoStream::choice(&stderr), columns(&stderr)),
            data_terminal: stdout.is_terminal(),
            terminal,
            can_ask: terminal && io::stdin().is_terminal() && !settings.no_input,
            stdout: Stream::new(stdout, &hidden),
            stderr: Stream::new(stderr, &hidden),
            hidden,
            bar: Mutex::new(None),
        }))
    }

    /// How text on standard output is laid out.
    pub fn data_layout(&self) -> Layout {
        self.0.data
    }

    /// How text on standard error is laid out.
    pub fn talk_layout(&self) -> Layout {
        self.0.talk
    }

    /// Never prints these again, whatever holds them: the last line of defence, behind values that know that they are
    /// secret. AWS repeats in its errors what it was sent.
    pub fn hide(&self, secrets: &[Value]) {
        let mut texts = Vec::new();
        secrets.iter().for_each(|secret| parts(secret, &mut texts));
        let in_json = |text: &String| serde_json::to_string(text).map(|json| json.trim_matches('"').to_owned()).ok();
        let mut all: Vec<String> = texts.iter().filter_map(in_json).chain(texts.iter().cloned()).collect();
        all.retain(|text| text.len() >= SHORTEST_SECRET);
        // One that holds another goes first.
        all.sort_by_key(|text| std::cmp::Reverse(text.len()));
        lock(&self.0.hidden).extend(all);
    }

    /// What standard output carries.
    pub fn format(&self) -> Format {
        self.0.settings.format
    }

    /// How much is said.
    pub fn verbosity(&self) -> Verbosity {
        self.0.settings.verbosity
    }

    /// Whether the user may be asked at all.
    pub(super) fn may_ask(&self) -> bool {
        !self.0.settings.no_input
    }

    /// Whether people read standard output directly.
    pub(super) fn data_is_terminal(&self) -> bool {
        self.0.data_terminal
    }

    /// Whether progress can be redrawn in place.
    pub fn is_terminal(&self) -> bool {
        self.0.terminal
    }

    /// What the command is for: text or a document, to standard output.
    pub fn data(&self, text: &str) {
        self.write(&self.0.stdout, text);
    }

    /// A JSON document, to standard output.
    pub fn document(&self, document: &Json) {
        self.data(&format!("{document:#}"));
    }

    /// An event of the stream; nothing unless the format is [`Format::Events`].
    pub fn event(&self, event: &Json) {
        if self.format() == Format::Events {
            self.data(&event.to_string());
        }
    }

    /// Something worth knowing.
    pub fn note(&self, text: &str) {
        match self.format() {
            Format::Events => self.event(&json::message("note", text)),
            _ if self.verbosity() == Verbosity::Quiet => {}
            _ => self.talk(&plain(text)),
        }
    }

    /// Something that only `-v` tells.
    pub fn detail(&self, text: &str) {
        if self.verbosity() == Verbosity::Verbose {
            self.note(text);
        }
    }

    /// A line for people that `-q` does not silence; in a stream, events say it.
    pub(super) fn important(&self, text: &str) {
        if self.format() != Format::Events {
            self.talk(text);
        }
    }

    /// Something that may be a mistake.
    pub fn warning(&self, text: &str) {
        match self.format() {
            Format::Events => self.event(&json::message("warning", text)),
            _ => self.talk(&format!("{}: {}", self.0.talk.paint(Role::Warning, "warning"), plain(text))),
        }
    }

    /// Something that went wrong.
    pub fn error(&self, text: &str) {
        match self.format() {
            Format::Events => self.event(&json::message("error", text)),
            _ => self.talk(&format!("{}: {}", self.0.talk.paint(Role::Error, "error"), plain(text))),
        }
    }

    /// Findings and errors, all of them, sorted; with a count where there are errors, because then they are the result.
    /// Warnings are told even to who wants quiet.
    pub fn diagnostics(&self, diagnostics: &Diagnostics) {
        match self.format() {
            Format::Events => json::diagnostics(diagnostics).iter().for_each(|event| self.event(event)),
            _ if diagnostics.has_errors() => self.talk(&render_diagnostics(diagnostics, &self.0.talk)),
            _ => self.findings(diagnostics),
        }
    }

    /// The same without a count, where they are not the result.
    pub fn findings(&self, diagnostics: &Diagnostics) {
        for diagnostic in sorted(diagnostics) {
            match self.format() {
                Format::Events => self.event(&json::diagnostic(diagnostic)),
                _ => self.talk(&format!("{}\n\n", render_diagnostic(diagnostic, &self.0.talk))),
            }
        }
    }

    /// A request to AWS: shown with `-v`. Fit for [`crate::aws::Observer`].
    pub fn call(&self, happened: &CallEvent) {
        if self.verbosity() != Verbosity::Verbose {
            return;
        }
        match self.format() {
            Format::Events => self.event(&json::call(happened)),
            _ => self.talk(&self.0.talk.paint(Role::Faint, &call_line(happened))),
        }
    }

    /// Asks for a line on the terminal. Blocks the thread: in an async context, ask from `spawn_blocking`.
    pub fn prompt(&self, question: &str) -> Answer {
        if !self.0.can_ask {
            return Answer::NotAsked;
        }
        self.suspended(|| {
            lock(&self.0.stderr).write(&format!("{} ", plain(question)));
            let mut line = String::new();
            match io::stdin().lock().read_line(&mut line) {
                Ok(0) | Err(_) => {
                    lock(&self.0.stderr).write("\n");
                    Answer::Ended
                }
                Ok(_) => Answer::Line(line.trim().to_owned()),
            }
        })
    }

    /// Shows that something is under way until the guard is dropped.
    pub fn working(&self, what: &str) -> Working {
        if self.verbosity() == Verbosity::Quiet || !self.0.terminal {
            return Working(None);
        }
        let bar = self.bar(ProgressBar::new_spinner(), spinner("{spinner} {msg} {elapsed}"));
        bar.set_message(format!("{}…", plain(what)));
        Working(Some(self.clone()))
    }

    /// Puts a bar on the terminal, in place of the one that is there. It stands below everything that is said.
    pub(super) fn bar(&self, bar: ProgressBar, style: ProgressStyle) -> ProgressBar {
        let mut place = lock(&self.0.bar);
        if let Some(old) = place.take() {
            old.finish_and_clear();
        }
        bar.set_draw_target(ProgressDrawTarget::stderr());
        bar.set_style(style);
        bar.enable_steady_tick(Duration::from_millis(120));
        *place = Some(bar.clone());
        bar
    }

    /// Takes the bar away.
    pub(super) fn no_bar(&self) {
        if let Some(bar) = lock(&self.0.bar).take() {
            bar.finish_and_clear();
        }
    }

    /// What became of standard output: an error where something could not be written. A reader that went away is none, the
    /// rest of a list was not wanted.
    pub(super) fn closed(&self) -> io::Result<()> {
        self.no_bar();
        match lock(&self.0.stdout).failed.take() {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }

    /// Something that must be said and cannot be said on standard output.
    pub(super) fn last_word(&self, text: &str) {
        self.talk(text);
    }

    fn talk(&self, text: &str) {
        self.write(&self.0.stderr, text);
    }

    fn write(&self, stream: &Mutex<Stream>, text: &str) {
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        self.suspended(|| lock(stream).write(&format!("{text}{end}")));
    }

    fn suspended<T>(&self, write: impl FnOnce() -> T) -> T {
        let bar = lock(&self.0.bar).clone();
        match bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

/// Shows that something is under way as long as it lives.
#[must_use]
pub struct Working(Option<Ui>);

impl Drop for Working {
    fn drop(&mut self) {
        if let Some(ui) = &self.0 {
            ui.no_bar();
        }
    }
}

/// A style by its template, which is a constant of ours; indicatif's own if it were wrong.
pub(super) fn spinner(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner()).tick_chars("-\\|/ ")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The columns of a terminal; none where there is no terminal.
fn columns(stream: &impl std::os::fd::AsFd) -> Option<u16> {
    rustix::termios::tcgetwinsize(stream).ok().map(|size| size.ws_col).filter(|columns| *columns > 0)
}

fn call_line(happened: &CallEvent) -> String {
    match happened {
        CallEvent::Ended(call) => {
            let status = call.status.map_or_else(|| "no answer".into(), |status| status.to_string());
            let request = call.request_id.as_ref().map(|id| format!(" (request {})", plain(id))).unwrap_or_default();
            let took = call.took.as_millis();
            format!("  {}:{} {} {status} in {took} ms{request}", call.service, call.operation, call.region)
        }
        CallEvent::Waits(wait) => {
            let code = wait.code.as_deref().map(|code| format!(" after {}", plain(code))).unwrap_or_default();
            let pause = duration(wait.pause);
            let (service, operation, awaits) = (wait.service, wait.operation, wait.awaits);
            format!("  {service}:{operation} waits {pause} for {awaits}{code}, attempt {}", wait.attempts)
        }
    }
}

/// The texts in a value, secret or not.
fn parts(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::Secret(secret) => parts(secret.expose(), texts),
        Value::String(text) => texts.push(text.clone()),
        Value::Integer(number) => texts.push(number.to_string()),
        Value::List(list) => list.iter().for_each(|item| parts(item, texts)),
        Value::Map(map) => map.values().for_each(|item| parts(item, texts)),
        _ => {}
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use s3stack_engine::diagnostic::Diagnostic;

    use super::*;
    use crate::aws::CallRecord;

    /// What was written.
    #[derive(Clone, Default)]
    pub(crate) struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            lock(&self.0).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Buffer {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(lock(&self.0).clone()).unwrap()
        }
    }

    /// An interface that writes into buffers, and is no terminal.
    pub(crate) fn captured(settings: Settings) -> (Ui, Buffer, Buffer) {
        let (stdout, stderr) = (Buffer::default(), Buffer::default());
        (on(settings, stdout.clone(), stderr.clone()), stdout, stderr)
    }

    fn on(settings: Settings, stdout: impl Write + Send + 'static, stderr: impl Write + Send + 'static) -> Ui {
        let hidden = Hidden::default();
        Ui(Arc::new(Inner {
            settings,
            stdout: Stream::new(stdout, &hidden),
            stderr: Stream::new(stderr, &hidden),
            hidden,
            data: Layout::default(),
            talk: Layout::default(),
            data_terminal: false,
            terminal: false,
            can_ask: false,
            bar: Mutex::new(None),
        }))
    }

    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn say_everything(ui: &Ui) {
        ui.data("data");
        ui.note("note");
        ui.detail("detail");
        ui.warning("warning\u{1b}[2J");
        ui.error("error");
        ui.call(&CallEvent::Ended(CallRecord {
            service: "s3",
            operation: "HeadBucket".into(),
            region: "us-east-1".into(),
            status: Some(200),
            request_id: Some("REQ1".into()),
            took: Duration::from_millis(51),
        }));
        let _working = ui.working("reading");
        assert_eq!(ui.prompt("Go on?"), Answer::NotAsked);
    }

    #[test]
    fn data_goes_out_and_talk_beside_it() {
        let told = |verbosity| {
            let (ui, stdout, stderr) = captured(Settings { verbosity, ..Settings::default() });
            say_everything(&ui);
            assert_eq!(stdout.text(), "data\n");
            stderr.text()
        };
        insta::assert_snapshot!(told(Verbosity::Verbose), @r"
        note
        detail
        warning: warning\u{1b}[2J
        error: error
          s3:HeadBucket us-east-1 200 in 51 ms (request REQ1)
        ");
        assert_eq!(told(Verbosity::Normal), "note\nwarning: warning\\u{1b}[2J\nerror: error\n");
        assert_eq!(told(Verbosity::Quiet), "warning: warning\\u{1b}[2J\nerror: error\n");
    }

    #[test]
    fn in_a_stream_everything_is_an_event() {
        let settings = Settings { format: Format::Events, verbosity: Verbosity::Verbose, ..Settings::default() };
        let (ui, stdout, stderr) = captured(settings);
        say_everything(&ui);
        ui.diagnostics(&Diagnostics(vec![Diagnostic::error("S3S-T1", "wrong")]));
        assert_eq!(stderr.text(), "");
        for line in stdout.text().lines().skip(1) {
            assert_eq!(serde_json::from_str::<Json>(line).unwrap()["v"], 1);
        }
        assert_eq!(stdout.text().lines().count(), 8);
    }

    #[test]
    fn beside_a_document_people_are_still_talked_to() {
        let (ui, stdout, stderr) = captured(Settings { format: Format::Document, ..Settings::default() });
        ui.document(&serde_json::json!({"a": 1}));
        ui.diagnostics(&Diagnostics(vec![Diagnostic::error("S3S-T1", "wrong")]));
        ui.event(&json::message("note", "no stream, no event"));
        assert_eq!(stdout.text(), "{\n  \"a\": 1\n}\n");
        assert_eq!(stderr.text(), "error[S3S-T1]: wrong\n\n1 error\n");
    }

    #[test]
    fn a_reader_that_went_away_is_no_error_and_a_full_disk_is() {
        for (kind, fails) in [(io::ErrorKind::BrokenPipe, false), (io::ErrorKind::StorageFull, true)] {
            let ui = on(Settings::default(), Broken(kind), Buffer::default());
            ui.data("one");
            ui.data("two");
            assert_eq!(ui.closed().is_err(), fails, "{kind}");
        }
    }
}
