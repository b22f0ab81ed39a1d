//! How an apply went, as people read it.

use std::fmt::Write as _;
use std::time::Duration;

use s3stack_engine::address::Address;
use s3stack_engine::apply::{Stopped, Summary};
use s3stack_engine::state::Verb;

use super::text::{Layout, Role, count, duration, number, plain, wrap};
use super::values;
use crate::error::next_step;

/// What an apply took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort<'a> {
    /// What the user would give again, `s3stack apply`.
    pub command: &'a str,
    /// Requests to AWS, repeated attempts included.
    pub calls: u64,
    /// From the first to the last.
    pub took: Duration,
}

/// What was done, what was not and why, and what to do next.
pub fn render_summary(summary: &Summary, effort: &Effort<'_>, layout: &Layout) -> String {
    let mut text = String::new();
    failed(summary, layout, &mut text);
    if !summary.skipped.is_empty() {
        heading(&mut text, layout, Role::Warning, "Skipped, because something they wait for failed:");
        for skipped in &summary.skipped {
            let because = values::address(&skipped.because);
            let _ = writeln!(text, "  {}, because of {because}", operation(&skipped.address, skipped.verb));
        }
    }
    if !summary.not_started.is_empty() {
        heading(&mut text, layout, Role::Warning, "Not begun:");
        for (address, verb) in &summary.not_started {
            let _ = writeln!(text, "  {}", operation(address, *verb));
        }
    }
    if !summary.in_flight.is_empty() {
        heading(&mut text, layout, Role::Error, "In flight when the state was lost; nobody knows how they ended:");
        for (address, verb) in &summary.in_flight {
            let _ = writeln!(text, "  {}", operation(address, *verb));
        }
    }
    if !text.is_empty() {
        text.push('\n');
    }
    let role = if summary.is_success() { Role::Create } else { Role::Error };
    let spent = format!("{} in {}", count(effort.calls as usize, "call", "calls"), duration(effort.took));
    let _ = writeln!(text, "{}; {spent}.", layout.paint(role, &counts(summary)));
    for sentence in next(summary, effort) {
        for line in wrap(&sentence, layout.width) {
            let _ = writeln!(text, "{line}");
        }
    }
    text
}

fn heading(text: &mut String, layout: &Layout, role: Role, words: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    let _ = writeln!(text, "{}", layout.paint(role, words));
}

fn failed(summary: &Summary, layout: &Layout, text: &mut String) {
    if summary.failed.is_empty() {
        return;
    }
    heading(text, layout, Role::Error, "Failed:");
    for failed in &summary.failed {
        let _ = writeln!(text, "  {}", layout.paint(Role::Strong, &operation(&failed.address, failed.verb)));
        let mut said = |start: &str, words: &str| {
            for (at, line) in
                wrap(&plain(words), layout.width.saturating_sub(6 + start.len()).max(40)).iter().enumerate()
            {
                let start = if at == 0 { start.to_owned() } else { " ".repeat(start.len()) };
                let _ = writeln!(text, "      {start}{line}");
            }
        };
        said("", &failed.fault.to_string());
        if failed.uncertain {
            said("", "It may have taken effect all the same: the next run looks before it does anything.");
        }
        if let Some(step) = next_step(&failed.fault) {
            said("help: ", &step);
        }
    }
}

fn operation(address: &Address, verb: Verb) -> String {
    let verb = match verb {
        Verb::Create => "create",
        Verb::Update => "change",
        Verb::Delete => "delete",
    };
    format!("{verb} {}", values::address(address))
}

fn counts(summary: &Summary) -> String {
    let of = |verb: Verb| summary.done.iter().filter(|done| done.verb == verb).count();
    let told: Vec<String> = [
        (of(Verb::Create), "created"),
        (of(Verb::Update), "changed"),
        (of(Verb::Delete), "deleted"),
        (summary.failed.len(), "failed"),
        (summary.skipped.len(), "skipped"),
        (summary.not_started.len(), "not begun"),
        (summary.in_flight.len(), "unknown"),
    ]
    .iter()
    .filter(|(number, _)| *number > 0)
    .map(|(many, what)| format!("{} {what}", number(*many as u64)))
    .collect();
    if told.is_empty() { "Nothing had to be done".into() } else { told.join(", ") }
}

/// What the user should know and do.
fn next(summary: &Summary, effort: &Effort<'_>) -> Vec<String> {
    let again = format!("`{}`", effort.command);
    let mut said = Vec::new();
    match &summary.stopped {
        Some(Stopped::Cancelled) => said.push(format!("Stopped as asked. Run {again} to go on.")),
        Some(Stopped::Expired) => said.push(format!(
            "The credentials ended. Renew them (`aws sso login`, or new keys in the environment) and run {again}: it goes on \
             from here."
        )),
        Some(Stopped::Lost(why)) => said.push(format!(
            "Another run wrote the state, so this one made no further call: {}. What was in flight is recorded as pending; \
             when the other run has ended, {again} looks how each of it went.",
            plain(why)
        )),
        Some(Stopped::Unwritable(why)) => said.push(format!(
            "The state cannot be written: {}. Correct that and run {again}: what was not recorded is pending in the state, \
             and is looked up first.",
            plain(why)
        )),
        None if !summary.failed.is_empty() => {
            said.push(format!("Correct the cause and run {again}: it goes on from here."));
        }
        None => {}
    }
    if !summary.recorded && !matches!(summary.stopped, Some(Stopped::Lost(_) | Stopped::Unwritable(_))) {
        said.push(format!("Not all of this is recorded in the state; run {again}: it looks at what is pending first."));
    } else if summary.recorded && !summary.is_success() && !summary.done.is_empty() {
        said.push("What was done is recorded.".into());
    }
    said
}

#[cfg(test)]
mod tests {
    use s3stack_engine::apply::{Completed, Failed, Skipped};
    use s3stack_engine::fault::{Fault, FaultKind};

    use super::*;

    fn done(name: &str, verb: Verb) -> Completed {
        Completed { address: Address::root("s3.bucket", name), verb, took: Duration::from_millis(400) }
    }

    fn effort() -> Effort<'static> {
        Effort { command: "s3stack apply", calls: 87, took: Duration::from_millis(4200) }
    }

    fn shown(summary: &Summary) -> String {
        render_summary(summary, &effort(), &Layout::default())
    }

    #[test]
    fn success_is_one_line() {
        let summary = Summary {
            done: vec![done("a", Verb::Create), done("b", Verb::Create), done("c", Verb::Delete)],
            recorded: true,
            ..Summary::default()
        };
        insta::assert_snapshot!(shown(&summary), @"2 created, 1 deleted; 87 calls in 4.2 s.");
        insta::assert_snapshot!(shown(&Summary { recorded: true, ..Summary::default() }), @"Nothing had to be done; 87 calls in 4.2 s.");
    }

    #[test]
    fn failures_keep_all_that_aws_said_and_tell_what_next() {
        let role = Address::root("iam.role", "app");
        let summary = Summary {
            done: vec![done("a", Verb::Create)],
            failed: vec![Failed {
                address: role.clone(),
                verb: Verb::Update,
                fault: Fault {
                    kind: FaultKind::Denied,
                    service: "iam".into(),
                    operation: "PutRolePolicy".into(),
                    code: Some("AccessDenied".into()),
                    message: "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: iam:PutRolePolicy"
                        .into(),
                    request_id: Some("REQ1".into()),
                },
                uncertain: true,
            }],
            skipped: vec![Skipped {
                address: Address::root("lambda.function", "f"),
                verb: Verb::Create,
                because: role,
            }],
            recorded: true,
            ..Summary::default()
        };
        insta::assert_snapshot!(shown(&summary), @"
        Failed:
          change iam.role.app
              iam:PutRolePolicy answered AccessDenied: User: arn:aws:iam::123456789012:user/ci is not
              authorized to perform: iam:PutRolePolicy (request REQ1)
              It may have taken effect all the same: the next run looks before it does anything.
              help: allow iam:PutRolePolicy to the principal that runs this, if it shall do so

        Skipped, because something they wait for failed:
          create lambda.function.f, because of iam.role.app

        1 created, 1 failed, 1 skipped; 87 calls in 4.2 s.
        Correct the cause and run `s3stack apply`: it goes on from here.
        What was done is recorded.
        ");
    }

    #[test]
    fn a_lost_state_says_what_is_unknown() {
        let summary = Summary {
            done: vec![done("a", Verb::Create)],
            not_started: vec![(Address::root("s3.bucket", "b"), Verb::Delete)],
            in_flight: vec![(Address::root("s3.bucket", "c"), Verb::Create)],
            stopped: Some(Stopped::Lost("its write id is another run's".into())),
            ..Summary::default()
        };
        insta::assert_snapshot!(shown(&summary), @"
        Not begun:
          delete s3.bucket.b

        In flight when the state was lost; nobody knows how they ended:
          create s3.bucket.c

        1 created, 1 not begun, 1 unknown; 87 calls in 4.2 s.
        Another run wrote the state, so this one made no further call: its write id is another run's. What
        was in flight is recorded as pending; when the other run has ended, `s3stack apply` looks how each
        of it went.
        ");
    }

    #[test]
    fn whatever_stops_it_the_next_command_is_named() {
        for stopped in [Stopped::Cancelled, Stopped::Expired, Stopped::Unwritable("AccessDenied".into())] {
            let text = shown(&Summary { stopped: Some(stopped), recorded: true, ..Summary::default() });
            assert!(text.contains("`s3stack apply`"), "{text}");
        }
        assert!(shown(&Summary::default()).contains("Not all of this is recorded"));
    }
}
