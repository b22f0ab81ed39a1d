//! `s3stack console`

use std::collections::BTreeSet;
use std::io::{self, BufRead as _};

use clap::Args;
use s3stack_engine::expression::Template;
use s3stack_engine::value::Value;

use super::run::open_project;
use crate::cli::{Global, StackPath};
use crate::console::Console;
use crate::deployment::state_at_hand;
use crate::error::Error;
use crate::local;
use crate::ui::values::inline;
use crate::ui::{Assistant, Ui};

/// Ask what expressions come to in a stack, without calling AWS.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub stack: StackPath,
}

const HELP: &str = "\
Type an expression as it would stand in [output], with or without ${…} round it:

  var.owner                        the value of a variable
  s3.bucket.data.arn               an attribute or a property of a resource
  module.core.out                  an output of a module
  upper(stack.name)                a function; `s3stack explain functions` lists them
  [for name in [\"a\", \"b\"] : \"${name}-${env}\"]

An expression goes on in the next line as long as a bracket is open. Tab completes names; the
arrow keys go through the history. `exit` or Ctrl-D ends.";

/// Runs the command.
pub async fn run(global: &Global, arguments: Arguments, ui: &mut Ui) -> Result<u8, Error> {
    let project = open_project(global, &arguments.stack.path, ui)?;
    let (graph, found) = project.rehearse();
    // What is wrong elsewhere is no reason not to answer.
    ui.diagnostics(&found);
    let state = state_at_hand(&project, global.local || global.local_endpoint.is_some()).await?;
    let console = Console::new(project, &graph, state);
    let mut session = Session { console: &console, ui, told: BTreeSet::new(), failed: found.has_errors() };
    let reading = match session.ui.has_prompt() {
        true => session.ask(),
        false => session.read(),
    };
    reading.map_err(|source| Error::Io { doing: "reading", path: "the expressions".into(), source })?;
    Ok(u8::from(session.failed))
}

struct Session<'a> {
    console: &'a Console,
    ui: &'a Ui,
    /// The notes that were given.
    told: BTreeSet<String>,
    failed: bool,
}

/// What comes after a text.
#[derive(PartialEq)]
enum Then {
    Next,
    End,
}

impl Session<'_> {
    /// Answers what is typed at a terminal.
    fn ask(&mut self) -> io::Result<()> {
        let history = local::cache_directory().ok().map(|folder| folder.join("console").join("history"));
        let mut editor = self.ui.line_editor(self.console, history)?;
        let prompt = format!("{}> ", self.console.project().settings.name);
        self.ui.note("`:help` tells what can be asked; Ctrl-D ends.");
        while let Some(text) = editor.next(&prompt)? {
            if self.answer(&text, "console", 1) == Then::End {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Answers what comes from a file or a program.
    fn read(&mut self) -> io::Result<()> {
        let (mut text, mut began) = (String::new(), 1);
        for (at, line) in io::stdin().lock().lines().enumerate() {
            if text.is_empty() {
                began = at + 1;
            } else {
                text.push('\n');
            }
            text.push_str(&line?);
            if !Template::goes_on(&text) && self.answer(&std::mem::take(&mut text), "stdin", began) == Then::End {
                return Ok(());
            }
        }
        self.answer(&text, "stdin", began);
        Ok(())
    }

    fn answer(&mut self, text: &str, source: &str, line: usize) -> Then {
        match text.trim() {
            "" => return Then::Next,
            comment if comment.starts_with('#') && !comment.contains('\n') => return Then::Next,
            "exit" | "quit" | ":exit" | ":quit" | ":q" => return Then::End,
            "help" | ":help" | ":h" | "?" => {
                self.ui.note(HELP);
                return Then::Next;
            }
            _ => {}
        }
        match self.console.value(text, source, line) {
            Ok(value) => {
                self.ui.answer(text, &value);
                self.remark(&value);
            }
            Err(found) => {
                self.failed = true;
                self.ui.findings(&found);
            }
        }
        Then::Next
    }

    /// Says, once, what is not as it seems in a value.
    fn remark(&mut self, value: &Value) {
        let shown = inline(value);
        let mut remarks = Vec::new();
        if !value.is_known() {
            remarks.push("the rest is known once AWS was asked: `s3stack plan` shows it".to_owned());
        }
        for (stand_in, what) in self.console.project().assumed() {
            if shown.contains(stand_in) {
                remarks.push(format!("{stand_in} stands for the {what}, which the files do not say"));
            }
        }
        for remark in remarks {
            if self.told.insert(remark.clone()) {
                self.ui.note(&remark);
            }
        }
    }
}

impl Assistant for &Console {
    fn complete(&self, before: &str) -> (usize, Vec<String>) {
        let (begins, found) = self.names().complete(before);
        (begins, found.into_iter().map(str::to_owned).collect())
    }

    fn goes_on(&self, text: &str) -> bool {
        Template::goes_on(text)
    }

    fn may_be_kept(&self, text: &str) -> bool {
        Console::may_be_kept(self, text)
    }
}
