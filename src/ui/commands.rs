//! What commands show, in the format that the command line asked for.

use std::time::Duration;

use s3stack_engine::address::Address;
use s3stack_engine::apply::recover::Recovered;
use s3stack_engine::apply::{Event, Summary};
use s3stack_engine::diagnostic::Diagnostics;
use s3stack_engine::plan::Plan;
use s3stack_engine::stack::Stack;
use s3stack_engine::state::{Instance, State};
use s3stack_engine::value::{Map, Secret, Value};
use serde_json::json;

use super::drawing::{Drawing, render_dot, render_mermaid, render_svg};
use super::explain::render_page;
use super::plan::{PlanOptions, places, reasons, render_plan};
use super::printer::{Answer, Format, Settings, Ui, Verbosity};
use super::progress::Progress;
use super::state::{EnvironmentRow, headline, render_environments, render_instance, render_list, render_overview};
use super::summary::{Effort, render_summary};
use super::text::{count, plain};
use super::{json, values};
use crate::aws::Observer;
use crate::cli::{Cli, Command};
use crate::commands::graph::PictureFormat;
use crate::deployment::{Deployment, Planned};
use crate::error::Error;
use crate::explain::Page;

impl Settings {
    /// What a command line says about the interface.
    pub fn of(cli: &Cli) -> Self {
        let shows_one_thing = matches!(
            cli.command,
            Command::Output(_)
                | Command::Fmt(_)
                | Command::Env(_)
                | Command::State(_)
                | Command::Local(_)
                | Command::Completions(_)
                | Command::Schema(_)
                | Command::Unlock(_)
                | Command::Graph(_)
        );
        Self {
            colour: cli.global.color,
            verbosity: match (cli.global.quiet, cli.global.verbose) {
                (true, _) => Verbosity::Quiet,
                (false, 0) => Verbosity::Normal,
                (false, _) => Verbosity::Verbose,
            },
            format: match (cli.global.json, shows_one_thing) {
                (false, _) => Format::Text,
                (true, true) => Format::Document,
                (true, false) => Format::Events,
            },
            no_input: cli.global.no_input,
        }
    }
}

impl Ui {
    /// The files that a command changed, or would.
    pub fn files(&self, names: &[String]) {
        match self.format() {
            Format::Text => names.iter().for_each(|name| self.data(name)),
            Format::Document | Format::Events => self.document(&json!({ "files": names })),
        }
    }

    /// A way to say things from elsewhere.
    pub fn progress_note(&self) -> Box<dyn Fn(&str) + Send + Sync> {
        let ui = self.clone();
        Box::new(move |text| ui.note(text))
    }

    /// Whether only errors and results are wanted. A stream of events is always whole.
    pub fn is_quiet(&self) -> bool {
        self.verbosity() == Verbosity::Quiet && self.format() != Format::Events
    }

    /// Whoever watches the calls to AWS, where they are to be shown.
    pub fn observer(&self) -> Option<Observer> {
        let ui = self.clone();
        (self.verbosity() == Verbosity::Verbose).then(|| Observer::new(move |event| ui.call(event)))
    }

    /// Whether a stack's files are in order, after all that was found was told. `stack` is its name and the number of its
    /// resources; absent where so much is wrong that nobody can say them.
    pub fn validated(&self, stack: Option<(&str, usize)>, found: &Diagnostics) {
        match (self.format(), stack) {
            (Format::Events, stack) => {
                let resources = stack.map(|(_, resources)| resources).filter(|_| !found.has_errors());
                self.event(&json::validated(stack.map(|(name, _)| name), resources, found));
            }
            (_, Some((name, resources))) if !found.has_errors() => {
                self.note(&format!("{name} is valid: {}", count(resources, "resource", "resources")));
            }
            _ => {}
        }
    }

    /// What an expression comes to: on one line for programs, on as many as it takes for people.
    pub fn answer(&self, expression: &str, value: &Value) {
        match (self.format(), value) {
            (Format::Events | Format::Document, _) => self.event(&json::answer(expression, value)),
            (Format::Text, Value::Secret(_)) => self.data("(sensitive)"),
            (Format::Text, value) if self.data_is_terminal() => {
                self.data(&values::whole(value, &self.data_layout()).lines.join("\n"));
            }
            (Format::Text, value) => self.data(&values::inline(value)),
        }
    }

    /// An explanation.
    pub fn page(&self, page: &Page) {
        match self.format() {
            Format::Events => self.event(&json::page(page)),
            _ => self.data(&render_page(page, &self.data_layout())),
        }
    }

    /// What became of operations that an earlier run left open.
    pub fn recovered(&self, recovered: &[Recovered]) {
        for Recovered { address, what, .. } in recovered {
            match self.format() {
                Format::Events => {
                    let event = Event::Recovered { address: address.clone(), what: what.clone() };
                    self.event(&json::apply_event(&event));
                }
                _ => {
                    let what = what.strip_prefix(&format!("{address} ")).unwrap_or(what);
                    self.note(&format!("{}: found after an earlier run: {what}", values::address(address)));
                }
            }
        }
    }

    /// A plan, and what making it took.
    pub fn plan(&self, deployment: &Deployment, planned: &Planned, took: Duration) {
        let places = places(&planned.graph);
        let reasons = reasons(&planned.graph);
        let options = PlanOptions {
            layout: self.data_layout(),
            calls: Some((deployment.cloud.clients.calls().total, took)),
            places: Some(&places),
            because: Some(&reasons),
        };
        match self.format() {
            Format::Events => json::plan(&planned.plan, &options).iter().for_each(|event| self.event(event)),
            _ => self.data(&render_plan(&planned.plan, &options)),
        }
    }

    /// Asks for a line; `None` where nobody can be asked. Blocks the thread.
    pub fn ask(&self, question: &str) -> Option<String> {
        match self.prompt(question.trim_end()) {
            Answer::Line(line) => Some(line),
            Answer::Ended => Some(String::new()),
            Answer::NotAsked => None,
        }
    }

    /// Shows an apply's events as they come.
    pub fn progress(&self, plan: &Plan) -> Progress {
        Progress::new(self, plan)
    }

    /// How an apply went, and what to do next. `command` is what the user would give again, `s3stack apply`.
    pub fn summary(&self, summary: &Summary, command: &str, deployment: &Deployment, took: Duration) {
        self.ended(summary, &Effort { command, calls: deployment.cloud.clients.calls().total, took });
    }

    pub(super) fn ended(&self, summary: &Summary, effort: &Effort<'_>) {
        match self.format() {
            Format::Events => self.event(&json::apply_end(summary, effort)),
            _ if self.verbosity() == Verbosity::Quiet && summary.is_success() => {}
            _ => self.important(&format!("\n{}", render_summary(summary, effort, &self.talk_layout()))),
        }
    }

    /// The outputs of a stack. In a stream of events they are part of the plan's and the apply's end.
    pub fn outputs(&self, stack: &Stack, outputs: &Map) {
        match self.format() {
            Format::Events => {}
            Format::Document => self.document(&values::outputs_json(outputs, false)),
            Format::Text => {
                let mut all = outputs.clone();
                for (name, _) in stack.outputs.iter().filter(|(_, output)| output.sensitive) {
                    all.entry(name.clone()).or_insert_with(|| Value::Secret(Secret::new(Value::Null)));
                }
                self.data(&values::render_outputs(&all, false, &self.data_layout()));
            }
        }
    }

    /// One output that was asked for by name.
    pub fn value(&self, value: &Value) {
        match (self.format(), values::output_text(value)) {
            (Format::Text, Ok(text)) => self.data(&text),
            (_, Ok(_)) => self.document(&values::output_document(value)),
            (_, Err(error)) => self.error(&error.to_string()),
        }
    }

    /// The resources in state.
    pub fn state_list(&self, state: &State) {
        if self.format() == Format::Text {
            self.note(&render_overview(state, &super::Layout { colour: false, ..self.talk_layout() }));
            self.data(&render_list(state.instances.iter(), self.data_is_terminal()));
            return;
        }
        let rows = state.instances.iter().map(|(address, instance)| {
            json!({
                "address": address, "type": instance.type_name, "physical_id": instance.physical_id,
                "account": instance.account, "region": instance.region,
            })
        });
        self.document(&rows.collect());
    }

    /// The environments of a stack.
    pub fn environments(&self, rows: &[EnvironmentRow]) {
        if self.format() == Format::Text {
            self.data(&render_environments(rows));
            return;
        }
        let rows = rows.iter().map(|row| match &row.found {
            Ok(state) => json!({
                "environment": row.name, "serial": state.serial, "resources": state.instances.len(), "run": state.run,
                "error": null,
            }),
            Err(found) => json!({
                "environment": row.name, "serial": null, "resources": null, "run": null, "error": headline(found),
            }),
        });
        self.document(&rows.collect());
    }

    /// One resource in state.
    pub fn state_show(&self, address: &Address, instance: &Instance) {
        match self.format() {
            Format::Text => self.data(&render_instance(address, instance, &self.data_layout())),
            _ => self.document(&json!({"address": address, "instance": instance})),
        }
    }

    /// A stack's graph. It is data: what is said beside it is on standard error.
    pub fn picture(&self, drawing: &Drawing, format: PictureFormat) -> Result<(), Error> {
        if self.format() == Format::Document {
            self.document(&drawing.document());
            return Ok(());
        }
        let text = match format {
            PictureFormat::Dot => render_dot(drawing),
            PictureFormat::Mermaid => render_mermaid(drawing),
            PictureFormat::Svg => render_svg(drawing).map_err(|error| {
                Error::refused("S3S-L6", error.to_string(), "draw it with Graphviz: `s3stack graph --format dot`")
            })?,
        };
        self.data(&text);
        Ok(())
    }

    /// Ends all output; answers whether standard output got everything. A reader that went away wanted no more.
    pub fn finish(&self) -> bool {
        match self.closed() {
            Ok(()) => true,
            Err(error) => {
                self.last_word(&format!("error: standard output cannot be written: {}", plain(&error.to_string())));
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::printer::tests::captured;
    use super::*;

    fn settings(line: &str) -> Settings {
        Settings::of(&Cli::parse_from(line.split(' ')))
    }

    #[test]
    fn the_format_follows_the_command() {
        assert_eq!(settings("s3stack plan").format, Format::Text);
        assert_eq!(settings("s3stack plan --json").format, Format::Events);
        assert_eq!(settings("s3stack output --json").format, Format::Document);
        assert_eq!(settings("s3stack plan -q").verbosity, Verbosity::Quiet);
        assert_eq!(settings("s3stack -vv plan").verbosity, Verbosity::Verbose);
        assert!(settings("s3stack --no-input plan").no_input);
    }

    #[test]
    fn one_output_is_bare_text_or_a_document() {
        for (format, expected) in [(Format::Text, "a b\n"), (Format::Document, "\"a b\"\n")] {
            let (ui, stdout, _) = captured(Settings { format, ..Settings::default() });
            ui.value(&"a b".into());
            assert_eq!(stdout.text(), expected);
        }
    }

    #[test]
    fn outputs_that_are_not_stored_are_named_all_the_same() {
        let (ui, stdout, _) = captured(Settings::default());
        ui.outputs(&Stack::default(), &[("a".to_owned(), Value::Integer(1))].into());
        assert_eq!(stdout.text(), "a = 1\n");
    }
}
