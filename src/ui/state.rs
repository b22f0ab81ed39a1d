//! State as people read it.

use std::fmt::Write as _;

use s3stack_engine::address::Address;
use s3stack_engine::diagnostic::{Diagnostics, Severity};
use s3stack_engine::state::{Instance, State, Verb};
use s3stack_engine::value::Map;

use super::text::{Layout, Role, pad, plain, width};
use super::values::{self, members};

/// The resources in state, one line each: address and physical id, tabs between them for a pipe to cut at where the layout
/// is not `aligned`.
pub fn render_list<'a>(instances: impl Iterator<Item = (&'a Address, &'a Instance)>, aligned: bool) -> String {
    let rows: Vec<(String, &str)> =
        instances.map(|(address, instance)| (values::address(address), instance.physical_id.as_str())).collect();
    let column = rows.iter().map(|(address, _)| width(address)).max().unwrap_or_default();
    let mut text = String::new();
    for (address, id) in rows {
        let address = if aligned { format!("{}  ", pad(&address, column)) } else { format!("{address}\t") };
        let _ = writeln!(text, "{address}{}", plain(id));
    }
    text
}

/// One resource in state, whole.
pub fn render_instance(address: &Address, instance: &Instance, layout: &Layout) -> String {
    let mut text = format!("{}\n", layout.paint(Role::Strong, &values::address(address)));
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "  {}  {}", pad(name, 12), plain(value));
    };
    line("physical id", &instance.physical_id);
    line("account", &instance.account);
    line("region", if instance.region.is_empty() { "global" } else { &instance.region });
    if instance.protect {
        line("protect", "true: it may not be deleted or replaced");
    }
    if instance.retain {
        line("retain", "true: AWS keeps it when its block goes");
    }
    for (at, other) in instance.waits_for.iter().enumerate() {
        line(if at == 0 { "waits for" } else { "" }, &values::address(other));
    }
    let mut section = |name: &str, map: &Map| {
        if map.is_empty() {
            return;
        }
        let _ = writeln!(text, "\n  {}", layout.paint(Role::Faint, name));
        // What state holds is data: it is never shortened.
        for shown in members(map, &Layout { verbose: true, ..layout.narrower(4) }).lines {
            let _ = writeln!(text, "    {shown}");
        }
    };
    section("properties, as last applied", &instance.managed);
    section("attributes", &instance.attributes);
    section("for s3stack alone", &instance.memory);
    text
}

/// What a state is, and what an earlier run has left open in it.
pub fn render_overview(state: &State, layout: &Layout) -> String {
    let mut text = format!(
        "{} · serial {} · {} · lineage {}\n",
        layout.paint(Role::Strong, &format!("{} ({})", plain(&state.stack), plain(&state.environment))),
        state.serial,
        super::text::count(state.instances.len(), "resource", "resources"),
        plain(&state.lineage),
    );
    if let Some(run) = &state.run {
        let _ = writeln!(text, "A run has not ended: {} by {}.", plain(&run.command), plain(&run.who));
    }
    for pending in &state.pending {
        let _ = writeln!(text, "  pending: {} {}", verb(pending.verb), values::address(&pending.address));
    }
    for deposed in &state.deposed {
        let id = plain(&deposed.instance.physical_id);
        let _ = writeln!(text, "  left over: {} {id}", values::address(&deposed.address));
    }
    text
}

fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "create",
        Verb::Update => "update",
        Verb::Delete => "delete",
    }
}

/// An environment, and its state as far as it can be read.
#[derive(Debug)]
pub struct EnvironmentRow {
    /// Its name.
    pub name: String,
    /// Its state, or why that cannot be had.
    pub found: Result<State, Diagnostics>,
}

/// The environments, one line each.
pub fn render_environments(rows: &[EnvironmentRow]) -> String {
    let column = rows.iter().map(|row| width(&row.name)).max().unwrap_or_default();
    let mut text = String::new();
    for row in rows {
        let found = match &row.found {
            Ok(state) if state.serial == 0 => "never applied".to_owned(),
            Ok(state) => {
                let resources = super::text::count(state.instances.len(), "resource", "resources");
                let run = if state.run.is_some() { ", a run has not ended" } else { "" };
                format!("{resources}, serial {}{run}", state.serial)
            }
            Err(found) => plain(&headline(found)).into(),
        };
        let _ = writeln!(text, "{}  {found}", pad(&row.name, column));
    }
    text
}

/// The first error in one line.
pub(super) fn headline(found: &Diagnostics) -> String {
    let first = found.0.iter().find(|one| one.severity == Severity::Error);
    first.map_or_else(|| "it cannot be read".to_owned(), |one| format!("{}: {}", one.code, one.message))
}

#[cfg(test)]
mod tests {
    use s3stack_engine::state::{Deposed, Pending, Run};
    use s3stack_engine::value::Value;

    use super::super::plan::tests::instance;
    use s3stack_engine::diagnostic::Diagnostic;

    use super::*;

    fn state() -> State {
        let mut state = State::new("lineage-1".into(), "eventpulse".into(), "prod".into());
        let mut bucket = instance("s3.bucket", "eventpulse-prod-data");
        bucket.protect = true;
        bucket.waits_for = [Address::root("iam.role", "app"), Address::root("kms.key", "k")].into();
        bucket.managed = [
            ("versioning".to_owned(), Value::from(true)),
            ("token".to_owned(), format!("hmac-sha256:{}", "0".repeat(64)).into()),
            ("tags".to_owned(), Value::map([("team", Value::from("data"))])),
        ]
        .into();
        bucket.attributes = [("arn".to_owned(), Value::from("arn:aws:s3:::eventpulse-prod-data"))].into();
        state.instances.insert(Address::root("s3.bucket", "data"), bucket);
        state.instances.insert(Address::root("sns.topic", "alerts"), instance("sns.topic", "arn:aws:sns:::alerts"));
        state
    }

    #[test]
    fn a_list_is_aligned_for_people_and_cut_by_tabs_for_programs() {
        let state = state();
        insta::assert_snapshot!(render_list(state.instances.iter(), true), @"
        s3.bucket.data    eventpulse-prod-data
        sns.topic.alerts  arn:aws:sns:::alerts
        ");
        assert!(render_list(state.instances.iter(), false).starts_with("s3.bucket.data\teventpulse-prod-data\n"));
    }

    #[test]
    fn an_instance_is_shown_whole() {
        let state = state();
        let (address, instance) = state.instances.first_key_value().unwrap();
        insta::assert_snapshot!(render_instance(address, instance, &Layout::default()), @r#"
        s3.bucket.data
          physical id   eventpulse-prod-data
          account       123456789012
          region        us-east-1
          protect       true: it may not be deleted or replaced
          waits for     iam.role.app
                        kms.key.k

          properties, as last applied
            tags = { team = "data" }
            token = (secret)
            versioning = true

          attributes
            arn = "arn:aws:s3:::eventpulse-prod-data"
        "#);
    }

    #[test]
    fn an_overview_says_what_is_left_open() {
        let mut state = state();
        let who = "ada@host pid 7".to_owned();
        state.run = Some(Run { id: "r".into(), who, since: 0, command: "apply".into() });
        let it = state.instances.get(&Address::root("s3.bucket", "data")).unwrap().clone();
        state.deposed.push(Deposed { address: Address::root("s3.bucket", "data"), instance: it.clone() });
        state.pending.push(Pending {
            run: "r".into(),
            verb: Verb::Update,
            address: Address::root("s3.bucket", "data"),
            token: "t".into(),
            seen_missing: false,
            instance: it,
            before: Map::new(),
        });
        insta::assert_snapshot!(render_overview(&state, &Layout::default()), @"
        eventpulse (prod) · serial 0 · 2 resources · lineage lineage-1
        A run has not ended: apply by ada@host pid 7.
          pending: update s3.bucket.data
          left over: s3.bucket.data eventpulse-prod-data
        ");
    }

    #[test]
    fn environments_stand_in_lines() {
        let state = |serial| State { serial, ..State::new("l".into(), "s".into(), "e".into()) };
        let wrong = Diagnostics(vec![
            Diagnostic::warning("S3S-W12", "odd"),
            Diagnostic::error("S3S-W11", "the variable `size` has no value"),
        ]);
        let rows = [
            EnvironmentRow { name: "default".into(), found: Ok(state(0)) },
            EnvironmentRow { name: "dev".into(), found: Ok(state(7)) },
            EnvironmentRow { name: "production".into(), found: Err(wrong) },
        ];
        insta::assert_snapshot!(render_environments(&rows), @r"
        default     never applied
        dev         0 resources, serial 7
        production  S3S-W11: the variable `size` has no value
        ");
    }
}
