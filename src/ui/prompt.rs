//! Lines that are typed at a terminal, with a history and completion.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, IsTerminal as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::PathBuf;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use super::{Format, Ui};

/// What helps to type a text.
pub trait Assistant {
    /// How the word at the end of what stands before the cursor may go on, and where in it the word begins.
    fn complete(&self, before: &str) -> (usize, Vec<String>);

    /// Whether a text goes on in the next line.
    fn goes_on(&self, text: &str) -> bool;

    /// Whether a text may be kept in the history.
    fn may_be_kept(&self, text: &str) -> bool;
}

/// A line editor on the terminal.
pub struct Prompt<A: Assistant> {
    editor: Editor<Assisted<A>, FileHistory>,
    history: Option<PathBuf>,
}

impl Ui {
    /// Whether somebody types at a terminal and reads the answers there.
    pub fn has_prompt(&self) -> bool {
        self.format() == Format::Text && self.data_is_terminal() && self.may_ask() && io::stdin().is_terminal()
    }

    /// A line editor with a history in a file, which only its owner may read. Without one it is for this session.
    pub fn line_editor<A: Assistant>(&self, assistant: A, history: Option<PathBuf>) -> io::Result<Prompt<A>> {
        let config = Config::builder().completion_type(CompletionType::List).auto_add_history(false);
        let config = config.max_history_size(1_000).map_err(io::Error::other)?.build();
        let mut editor = Editor::with_config(config).map_err(io::Error::other)?;
        editor.set_helper(Some(Assisted(assistant)));
        let history = history.filter(|path| match private_file(path).and_then(|_| load(&mut editor, path)) {
            Ok(()) => true,
            Err(error) => {
                self.warning(&format!("the history {} cannot be used: {error}", path.display()));
                false
            }
        });
        Ok(Prompt { editor, history })
    }
}

impl<A: Assistant> Prompt<A> {
    /// The next text; `None` at the end. One that is interrupted is empty.
    pub fn next(&mut self, prompt: &str) -> io::Result<Option<String>> {
        let text = match self.editor.readline(prompt) {
            Ok(text) => text,
            Err(ReadlineError::Interrupted) => return Ok(Some(String::new())),
            Err(ReadlineError::Eof) => return Ok(None),
            Err(ReadlineError::Io(error)) => return Err(error),
            Err(error) => return Err(io::Error::other(error)),
        };
        let kept = self.editor.helper().is_some_and(|helper| helper.0.may_be_kept(&text));
        if kept && !text.trim().is_empty() {
            self.editor.add_history_entry(text.as_str()).map_err(io::Error::other)?;
            if let Some(path) = &self.history {
                self.editor.append_history(path).map_err(io::Error::other)?;
            }
        }
        Ok(Some(text))
    }
}

fn load<A: Assistant>(editor: &mut Editor<Assisted<A>, FileHistory>, path: &PathBuf) -> io::Result<()> {
    editor.load_history(path).map_err(io::Error::other)
}

/// Makes sure that a file is there and is its owner's alone.
fn private_file(path: &PathBuf) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    Ok(file)
}

/// The assistant as the line editor wants it.
struct Assisted<A>(A);

impl<A: Assistant> Helper for Assisted<A> {}
impl<A: Assistant> Highlighter for Assisted<A> {}
impl<A: Assistant> Hinter for Assisted<A> {
    type Hint = String;
}

impl<A: Assistant> Completer for Assisted<A> {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.0.complete(line.get(..at).unwrap_or_default()))
    }
}

impl<A: Assistant> Validator for Assisted<A> {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(match self.0.goes_on(context.input()) {
            true => ValidationResult::Incomplete,
            false => ValidationResult::Valid(None),
        })
    }
}
