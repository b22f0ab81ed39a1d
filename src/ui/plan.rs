//! A plan as people read it.

use std::fmt::Write as _;
use std::time::Duration;

use s3stack_engine::address::{Address, Path};
use s3stack_engine::diagnostic::Span;
use s3stack_engine::graph::Graph;
use s3stack_engine::plan::{Action, Cause, Change, Difference, Plan, Unplanned};

use super::properties::{Entry, accepted, different, given, lay_out};
use super::text::{Layout, Role, count, duration, number, pad, plain, width};
use super::values::{self, Lines, inline};
use crate::error::next_step;

/// Widest column of addresses.
const ADDRESSES: usize = 44;

/// Finds the place of a resource's block, or of one of its properties.
pub type Places<'a> = dyn Fn(&Address, Option<&Path>) -> Option<Span> + 'a;

/// Finds the resources that a property is what it is because of.
pub type Reasons<'a> = dyn Fn(&Address, &Path) -> Vec<Address> + 'a;

/// How a plan is shown, and what is known beside it.
#[derive(Clone, Copy, Default)]
pub struct PlanOptions<'a> {
    /// Width, colour, completeness.
    pub layout: Layout,
    /// How many calls planning made, and how long it took.
    pub calls: Option<(u64, Duration)>,
    /// Places in the stack's files.
    pub places: Option<&'a Places<'a>>,
    /// Whose wish a property is, where it is not its own block's.
    pub because: Option<&'a Reasons<'a>>,
}

/// The places of a graph's blocks and top-level properties.
pub fn places(graph: &Graph) -> impl Fn(&Address, Option<&Path>) -> Option<Span> {
    |address, path| {
        let node = graph.nodes.get(address)?;
        let property = path.and_then(Path::head).and_then(|name| node.property_spans.get(name));
        property.or(node.span.as_ref()).cloned()
    }
}

/// Whose wishes a graph's properties hold.
pub fn reasons(graph: &Graph) -> impl Fn(&Address, &Path) -> Vec<Address> {
    |address, path| {
        let node = graph.nodes.get(address);
        let others = path.head().and_then(|name| node?.contributors.get(name));
        others.into_iter().flatten().cloned().collect()
    }
}

/// What a change comes to for who reads the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    Unchanged,
    /// It is made.
    Create,
    /// It is changed.
    Change,
    /// It is changed, only to undo what somebody did in AWS.
    PutBack,
    /// It is deleted and made anew.
    Replace,
    /// It is deleted.
    Delete,
    /// State forgets it.
    Forget,
    /// State takes it in.
    Adopt,
    /// It has another address.
    Move,
    /// State takes over what somebody did in AWS.
    Accept,
}

impl Kind {
    /// The kind of a change.
    pub fn of(change: &Change) -> Self {
        let drifted = |difference: &Difference| difference.cause == Cause::Drift;
        match change.action {
            Action::NoOp if change.moved_from.is_some() => Self::Move,
            Action::NoOp if !change.accepted.is_empty() => Self::Accept,
            Action::NoOp => Self::Unchanged,
            Action::Create => Self::Create,
            Action::Update if !change.differences.is_empty() && change.differences.iter().all(drifted) => Self::PutBack,
            Action::Update => Self::Change,
            Action::Replace { .. } => Self::Replace,
            Action::Delete => Self::Delete,
            Action::Forget => Self::Forget,
            Action::Adopt => Self::Adopt,
        }
    }

    /// The sign before its address, and the role that colours it.
    pub(super) fn sign(self) -> (&'static str, Role) {
        match self {
            Self::Unchanged => ("·", Role::Faint),
            Self::Create => ("+", Role::Create),
            Self::Change => ("~", Role::Change),
            Self::PutBack | Self::Accept => ("≠", Role::Drift),
            Self::Replace => ("±", Role::Delete),
            Self::Delete => ("-", Role::Delete),
            Self::Forget => ("×", Role::Move),
            Self::Adopt => ("←", Role::Move),
            Self::Move => ("↪", Role::Move),
        }
    }
}

/// How many resources a plan does what to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Made.
    pub create: usize,
    /// Changed, those that are only put back not counted.
    pub change: usize,
    /// Changed only to undo what somebody did in AWS.
    pub put_back: usize,
    /// Deleted and made anew.
    pub replace: usize,
    /// Deleted, what earlier replacements left over included.
    pub delete: usize,
    /// Taken into state.
    pub adopt: usize,
    /// Forgotten by state.
    pub forget: usize,
    /// With another address, whatever else is done to them.
    pub moved: usize,
    /// With a difference that state takes over, and nothing else done to them.
    pub accepted: usize,
    /// Left as they are.
    pub unchanged: usize,
    /// Not planned.
    pub unplanned: usize,
}

impl Counts {
    /// Counts a plan's resources.
    pub fn of(plan: &Plan) -> Self {
        let mut counts = Self { delete: plan.deposed.len(), unplanned: plan.unplanned.len(), ..Self::default() };
        for change in plan.changes.values() {
            counts.moved += usize::from(change.moved_from.is_some());
            match Kind::of(change) {
                Kind::Unchanged => counts.unchanged += 1,
                Kind::Create => counts.create += 1,
                Kind::Change => counts.change += 1,
                Kind::PutBack => counts.put_back += 1,
                Kind::Replace => counts.replace += 1,
                Kind::Delete => counts.delete += 1,
                Kind::Forget => counts.forget += 1,
                Kind::Adopt => counts.adopt += 1,
                Kind::Accept => counts.accepted += 1,
                Kind::Move => {}
            }
        }
        counts
    }

    fn sentence(&self) -> String {
        let told = [
            (self.create, "to create"),
            (self.change, "to change"),
            (self.put_back, "to put back"),
            (self.replace, "to replace"),
            (self.delete, "to delete"),
            (self.adopt, "to adopt"),
            (self.forget, "to forget"),
            (self.moved, "moved"),
            (self.accepted, "drifted and accepted"),
            (self.unplanned, "not planned"),
        ];
        let told: Vec<String> =
            told.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", number(*n as u64))).collect();
        told.join(", ")
    }
}

/// A plan, from its heading to its counts.
pub fn render_plan(plan: &Plan, options: &PlanOptions<'_>) -> String {
    let layout = &options.layout;
    let mut text = heading(plan, options);
    let shown: Vec<&Change> =
        plan.changes.values().filter(|change| layout.verbose || Kind::of(change) != Kind::Unchanged).collect();
    let column = shown.iter().map(|change| width(&values::address(&change.address))).max().unwrap_or_default();
    let column = column.min(ADDRESSES);
    let mut shortened = false;
    if !shown.is_empty() || !plan.deposed.is_empty() || !plan.unplanned.is_empty() {
        text.push('\n');
    }
    for change in &shown {
        let lines = change_lines(change, plan, column, options);
        shortened |= lines.shortened;
        lines.lines.iter().for_each(|line| line_to(&mut text, line));
    }
    for deposed in &plan.deposed {
        let (sign, role) = Kind::Delete.sign();
        let address = pad(&values::address(&deposed.address), column);
        let id = plain(&deposed.instance.physical_id).into_owned();
        line_to(&mut text, &format!("  {} {address}  {id}", layout.paint(role, sign)));
        line_to(&mut text, "      because           an earlier run replaced it and could not delete it");
    }
    if !plan.unplanned.is_empty() && (!shown.is_empty() || !plan.deposed.is_empty()) {
        text.push('\n');
    }
    unplanned(&plan.unplanned, layout, &mut text);
    text.push('\n');
    footer(plan, &shown, shortened, layout, &mut text);
    text
}

fn heading(plan: &Plan, options: &PlanOptions<'_>) -> String {
    let layout = &options.layout;
    let environment =
        if plan.environment == "default" { String::new() } else { format!(" ({})", plain(&plan.environment)) };
    let title = format!("{}{}{environment}", if plan.destroy { "destroy " } else { "" }, plain(&plan.stack));
    let mut parts = vec![
        plan.region.clone(),
        format!("account {}", plan.account_id),
        count(plan.changes.len() + plan.unplanned.len(), "resource", "resources"),
    ];
    if let Some((calls, took)) = options.calls {
        parts.push(format!("{} in {}", count(calls as usize, "call", "calls"), duration(took)));
    }
    format!("{} · {}\n", layout.paint(Role::Strong, &title), parts.join(" · "))
}

fn line_to(text: &mut String, line: &str) {
    let _ = writeln!(text, "{}", line.trim_end());
}

fn change_lines(change: &Change, plan: &Plan, column: usize, options: &PlanOptions<'_>) -> Lines {
    let layout = &options.layout;
    let kind = Kind::of(change);
    let (sign, role) = kind.sign();
    let address = values::address(&change.address);
    let padding = " ".repeat(column.saturating_sub(width(&address)));
    let mut head = format!(
        "  {} {}{padding}  {}",
        layout.paint(role, sign),
        layout.paint(Role::Strong, &address),
        physical_id(change)
    );
    if let Some(elsewhere) = elsewhere(change, plan) {
        let _ = write!(head, "  {}", layout.paint(Role::Faint, &format!("in {elsewhere}")));
    }
    if layout.verbose
        && let Some(place) = options.places.and_then(|places| places(&change.address, None))
    {
        let _ = write!(head, "  {}", layout.paint(Role::Faint, &format!("({place})")));
    }
    let mut lines = Lines::one(head);
    lines.append(lay_out(&entries(change, kind, plan, options), layout), 0);
    lines
}

/// The account and region of a resource, as far as these are not the stack's own.
fn elsewhere(change: &Change, plan: &Plan) -> Option<String> {
    let instance = change.after.as_ref().or(change.before.as_ref())?;
    let account = (instance.account != plan.account_id).then(|| format!("account {}", plain(&instance.account)));
    let region =
        (!instance.region.is_empty() && instance.region != plan.region).then(|| plain(&instance.region).into_owned());
    let parts: Vec<String> = region.into_iter().chain(account).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn physical_id(change: &Change) -> String {
    let of = if change.after.is_some() { &change.after } else { &change.before };
    match of.as_ref().map(|instance| instance.physical_id.as_str()) {
        None | Some("") if matches!(change.action, Action::Create | Action::Replace { .. }) => "(named by AWS)".into(),
        None => String::new(),
        Some(id) => plain(id).into_owned(),
    }
}

fn entries(change: &Change, kind: Kind, plan: &Plan, options: &PlanOptions<'_>) -> Vec<Entry> {
    let mut entries = Vec::new();
    if let Some(from) = &change.moved_from {
        let free = if kind == Kind::Move { "; no call is made for that" } else { "" };
        entries.push(Entry::words("moved from", None, format!("{}{free}", values::address(from))));
    }
    let by_difference = change.differences.iter().any(|difference| difference.replaces);
    match change.action {
        Action::Replace { delete_first } => {
            let order = match delete_first {
                true => "the old one is deleted first, because both have one name",
                false => "the new one is made first, then the old one is deleted",
            };
            entries.push(Entry::words("replaced", Some(Role::Delete), order));
            if !by_difference && !change.reason.is_empty() {
                entries.push(Entry::words("because", None, change.reason.clone()));
            }
        }
        _ if !change.reason.is_empty() => {
            entries.push(Entry::words("because", None, plain(&change.reason)));
        }
        _ => {}
    }
    let wished = |path: &Path| match options.because.map(|because| because(&change.address, path)) {
        Some(others) if !others.is_empty() => {
            format!("because of {}", others.iter().map(values::address).collect::<Vec<_>>().join(", "))
        }
        _ => String::new(),
    };
    if kind == Kind::Create {
        entries.extend(given(change, &options.layout, &wished));
    } else {
        entries.extend(different(change, &|difference| {
            let mut notes = vec![wished(&difference.path)];
            notes.push(why(difference).into());
            if difference.replaces || options.layout.verbose {
                let place = options.places.and_then(|places| places(&change.address, Some(&difference.path)));
                notes.push(place.map(|place| format!("({place})")).unwrap_or_default());
            }
            notes.retain(|note| !note.is_empty());
            notes.join(" ")
        }));
    }
    entries.extend(accepted(change));
    if let Some(names) = plan.made_by_aws.get(&change.address) {
        entries.push(Entry::words("made by AWS", None, names.join(", ")));
    }
    let lost: Vec<_> = change.loss.iter().map(|loss| plain(loss).into_owned()).collect();
    if !lost.is_empty() {
        entries.push(Entry::words("loses", Some(Role::Delete), lost.join(", ")));
    }
    entries
}

fn why(difference: &Difference) -> &'static str {
    match difference.cause {
        _ if difference.replaces => "cannot be changed in place",
        Cause::File | Cause::Drift => "",
        Cause::Removed => "the file no longer says it",
        Cause::Default => "the default of this version of s3stack",
        Cause::Principal => "because a principal it names is made anew",
    }
}

fn unplanned(unplanned: &[Unplanned], layout: &Layout, text: &mut String) {
    if unplanned.is_empty() {
        return;
    }
    line_to(text, &layout.paint(Role::Error, "Not planned, because AWS could not be asked:"));
    for resource in unplanned {
        let address = layout.paint(Role::Strong, &values::address(&resource.address));
        line_to(text, &format!("  ? {address}"));
        let mut entries = Vec::new();
        if let Some(fault) = &resource.fault {
            entries.push(Entry::words("because", None, plain(&fault.to_string())));
            entries.extend(next_step(fault).map(|step| Entry::words("help", None, step)));
        }
        if let Some(other) = &resource.waits_for {
            entries.push(Entry::words("waits for", None, values::address(other)));
        }
        lay_out(&entries, layout).lines.iter().for_each(|line| line_to(text, line));
    }
}

fn footer(plan: &Plan, shown: &[&Change], shortened: bool, layout: &Layout, text: &mut String) {
    let counts = Counts::of(plan);
    let told = counts.sentence();
    let rest = match counts.unchanged {
        0 => String::new(),
        unchanged => format!("; {} unchanged", number(unchanged as u64)),
    };
    if told.is_empty() {
        let what = if plan.destroy { "Nothing to destroy." } else { "No changes." };
        line_to(text, &layout.paint(Role::Strong, what));
    } else {
        line_to(text, &format!("{}{rest}.", layout.paint(Role::Strong, &told)));
    }
    let losing: Vec<String> =
        shown.iter().filter(|change| !change.loss.is_empty()).map(|change| values::address(&change.address)).collect();
    if !losing.is_empty() {
        let role = Role::Delete;
        line_to(
            text,
            &layout.paint(
                role,
                &format!("Data is lost in {}: {}.", count(losing.len(), "resource", "resources"), losing.join(", ")),
            ),
        );
    }
    if layout.verbose && !plan.outputs.is_empty() {
        line_to(text, "\nOutputs, as far as they are known:");
        for (name, value) in &plan.outputs {
            line_to(text, &format!("  {} = {}", plain(name), inline(value)));
        }
    }
    if shortened {
        line_to(text, &layout.paint(Role::Faint, "Some values are shortened; -v shows them whole."));
    }
}

#[cfg(test)]
pub(crate) mod tests;
