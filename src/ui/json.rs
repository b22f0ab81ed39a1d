//! The event stream of `--json`: one object a line, each with `v` and `type`. `docs/json.md` is its reference.

use std::time::Duration;

use s3stack_engine::address::{Address, Path};
use s3stack_engine::apply::{Event, Stopped, Summary};
use s3stack_engine::diagnostic::{Diagnostic, Diagnostics, Span};
use s3stack_engine::fault::Fault;
use s3stack_engine::plan::{Action, Change, Difference, Plan, Unplanned};
use s3stack_engine::state::Verb;
use s3stack_engine::value::{Map, Value};
use serde_json::{Value as Json, json};

use super::diagnostic::{sorted, totals};
use super::plan::{Counts, PlanOptions};
use super::properties::veiled;
use super::summary::Effort;
use super::values::is_secret;
use crate::aws::CallEvent;
use crate::error::next_step;
use crate::explain::{Entry, Fact, Page};

/// The version of the stream. It grows by one when a field goes or changes its meaning; fields and types of event may
/// come without that.
pub const VERSION: u32 = 1;

/// The types of event, as `docs/json.md` describes them.
pub const TYPES: [&str; 27] = [
    "message",
    "diagnostic",
    "diagnostic.end",
    "validate.end",
    "call",
    "call.waits",
    "plan.begin",
    "plan.change",
    "plan.deposed",
    "plan.unplanned",
    "plan.end",
    "apply.moved",
    "apply.forgotten",
    "apply.accepted",
    "apply.started",
    "apply.retrying",
    "apply.identified",
    "apply.done",
    "apply.failed",
    "apply.skipped",
    "apply.persisted",
    "apply.not_persisted",
    "apply.recovered",
    "apply.stopping",
    "apply.end",
    "value",
    "explain",
];

/// Marks what plain JSON has no word for, as state does.
const MARK: &str = "$s3stack";

/// An event of one of [`TYPES`] with its fields.
fn event(kind: &'static str, fields: Json) -> Json {
    debug_assert!(TYPES.contains(&kind), "{kind} is not in the reference");
    let mut event = json!({"v": VERSION, "type": kind});
    if let (Json::Object(event), Json::Object(fields)) = (&mut event, fields) {
        event.extend(fields);
    }
    event
}

/// Something said to the user; `level` is `note`, `warning` or `error`.
/// `level` is `note`, `warning` or `error`.
pub fn message(level: &str, text: &str) -> Json {
    event("message", json!({"level": level, "text": text}))
}

/// A value. A secret is `{"$s3stack": "secret"}`, what AWS makes `{"$s3stack": {"made_by_aws": […]}}`, a resource
/// `{"$s3stack": {"reference": "…"}}`, and a map that has that key itself `{"$s3stack": {"map": {…}}}`.
pub fn value(value: &Value) -> Json {
    match value {
        Value::List(list) => list.iter().map(self::value).collect(),
        Value::Map(map) if map.contains_key(MARK) => json!({MARK: {"map": values(map)}}),
        Value::Map(map) => values(map),
        Value::Reference(address) => json!({MARK: {"reference": address}}),
        Value::Unknown(unknown) => {
            let sources: Vec<String> =
                unknown.waits_for().iter().map(|(address, name)| format!("{address}.{name}")).collect();
            json!({MARK: {"made_by_aws": sources, "secret": unknown.is_sensitive()}})
        }
        value if is_secret(value) => json!({MARK: "secret"}),
        value => value.to_json().unwrap_or_default(),
    }
}

fn values(map: &Map) -> Json {
    map.iter().map(|(name, value)| (name.clone(), self::value(value))).collect()
}

/// A place: file, the line and column of its start, and those of what comes right after it, from 1.
fn place(span: &Span) -> Json {
    let (line, column) = span.line_column();
    let (end_line, end_column) = span.end_line_column();
    json!({"file": span.file.name, "line": line, "column": column, "end_line": end_line, "end_column": end_column})
}

/// A failed call, with everything AWS said.
pub fn fault(fault: &Fault) -> Json {
    json!({
        "kind": fault.kind,
        "service": fault.service,
        "operation": fault.operation,
        "code": fault.code,
        "message": fault.message,
        "request_id": fault.request_id,
        "help": next_step(fault),
    })
}

/// A finding or error.
pub fn diagnostic(diagnostic: &Diagnostic) -> Json {
    let mut fields = json!({
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "file": null, "line": null, "column": null, "end_line": null, "end_column": null,
        "address": diagnostic.address,
        "path": diagnostic.path.as_ref().map(ToString::to_string),
        "labels": diagnostic.labels.iter().map(|label| {
            json!({"at": place(&label.span), "text": label.text})
        }).collect::<Vec<_>>(),
        "notes": diagnostic.notes,
        "help": diagnostic.help,
    });
    if let (Some(span), Json::Object(fields)) = (&diagnostic.span, &mut fields) {
        let Json::Object(place) = place(span) else { return Json::Null };
        fields.extend(place);
    }
    event("diagnostic", fields)
}

/// All findings, each once; how many there are, where there are errors.
pub fn diagnostics(diagnostics: &Diagnostics) -> Vec<Json> {
    let (errors, warnings) = totals(diagnostics);
    let mut events: Vec<Json> = sorted(diagnostics).into_iter().map(diagnostic).collect();
    if errors > 0 {
        events.push(event("diagnostic.end", json!({"errors": errors, "warnings": warnings})));
    }
    events
}

/// Whether the files of a stack are in order. The stack's name and the number of its resources are absent where nobody can
/// say them.
pub fn validated(stack: Option<&str>, resources: Option<usize>, found: &Diagnostics) -> Json {
    let (errors, warnings) = totals(found);
    let valid = errors == 0;
    event(
        "validate.end",
        json!({"valid": valid, "stack": stack, "resources": resources, "errors": errors, "warnings": warnings}),
    )
}

/// What an expression comes to.
pub fn answer(expression: &str, value: &Value) -> Json {
    event("value", json!({"expression": expression, "value": self::value(value)}))
}

/// An explanation.
pub fn page(page: &Page) -> Json {
    let facts = |facts: &[Fact]| -> Json { facts.iter().map(|fact| (fact.key.to_owned(), json!(fact.text))).collect() };
    let entry = |entry: &Entry| json!({"name": entry.name, "text": entry.text, "facts": facts(&entry.facts)});
    let parts = page.parts.iter().map(|part| {
        let entries: Json = part.entries.iter().map(entry).collect();
        json!({"key": part.key, "heading": part.heading, "entries": entries})
    });
    event(
        "explain",
        json!({
            "topic": page.topic, "name": page.name, "text": page.text, "facts": facts(&page.facts),
            "parts": parts.collect::<Json>(), "example": page.example, "next": page.next,
        }),
    )
}

/// A plan: its beginning, each change that is one, what is left over or not planned, its end.
pub fn plan(plan: &Plan, options: &PlanOptions<'_>) -> Vec<Json> {
    let counts = Counts::of(plan);
    let mut events = vec![event(
        "plan.begin",
        json!({
            "stack": plan.stack, "environment": plan.environment, "region": plan.region, "account_id": plan.account_id,
            "lineage": plan.lineage, "serial": plan.serial, "destroy": plan.destroy,
            "resources": plan.changes.len() + plan.unplanned.len(),
            "calls": options.calls.map(|(calls, _)| calls),
            "seconds": options.calls.map(|(_, took)| seconds(took)),
        }),
    )];
    let shown = plan.changes.values().filter(|change| options.layout.verbose || !is_nothing(change));
    events.extend(shown.map(|change| self::change(change, plan, options)));
    for deposed in &plan.deposed {
        let (address, id) = (&deposed.address, &deposed.instance.physical_id);
        events.push(event("plan.deposed", json!({"address": address, "physical_id": id})));
    }
    events.extend(plan.unplanned.iter().map(unplanned));
    events.push(event(
        "plan.end",
        json!({
            "empty": plan.is_empty() && plan.unplanned.is_empty(),
            "create": counts.create, "change": counts.change, "put_back": counts.put_back, "replace": counts.replace,
            "delete": counts.delete, "adopt": counts.adopt, "forget": counts.forget, "moved": counts.moved,
            "accepted": counts.accepted, "unchanged": counts.unchanged, "unplanned": counts.unplanned,
            "outputs": values(&plan.outputs),
        }),
    ));
    events
}

fn is_nothing(change: &Change) -> bool {
    change.action == Action::NoOp && change.moved_from.is_none() && change.accepted.is_empty()
}

fn change(change: &Change, plan: &Plan, options: &PlanOptions<'_>) -> Json {
    let (action, delete_first) = match change.action {
        Action::NoOp => ("no_op", None),
        Action::Create => ("create", None),
        Action::Update => ("update", None),
        Action::Replace { delete_first } => ("replace", Some(delete_first)),
        Action::Delete => ("delete", None),
        Action::Forget => ("forget", None),
        Action::Adopt => ("adopt", None),
    };
    let id = |instance: &Option<s3stack_engine::state::Instance>| {
        instance.as_ref().map(|instance| instance.physical_id.clone()).filter(|id| !id.is_empty())
    };
    let side = |differences: &[Difference]| -> Vec<Json> {
        differences.iter().map(|one| difference(change, one, options)).collect()
    };
    let block = options.places.and_then(|places| places(&change.address, None));
    event(
        "plan.change",
        json!({
            "address": change.address,
            "resource_type": change.address.type_name,
            "action": action,
            "delete_first": delete_first,
            "moved_from": change.moved_from,
            "physical_id": id(&change.after).or_else(|| id(&change.before)),
            "at": block.as_ref().map(place),
            "properties": (change.action == Action::Create).then(|| values(&change.desired)),
            "differences": side(&change.differences),
            "accepted": side(&change.accepted),
            "reason": change.reason,
            "loses": change.loss,
            "waits_for": change.waits_for,
            "because": because(change, options),
            "made_by_aws": plan.made_by_aws.get(&change.address),
        }),
    )
}

/// Whose wishes its properties hold, by property, for those that somebody else has a say in.
fn because(change: &Change, options: &PlanOptions<'_>) -> Json {
    let Some(because) = options.because else { return json!({}) };
    let told = change.desired.keys().map(|name| (name, because(&change.address, &Path::of(name.clone()))));
    told.filter(|(_, others)| !others.is_empty()).map(|(name, others)| (name.clone(), json!(others))).collect()
}

fn difference(change: &Change, difference: &Difference, options: &PlanOptions<'_>) -> Json {
    let (from, to) = veiled(change, difference);
    let at = options.places.and_then(|places| places(&change.address, Some(&difference.path)));
    json!({
        "path": difference.path.to_string(),
        "from": value(&from),
        "to": value(&to),
        "cause": difference.cause,
        "replaces": difference.replaces,
        "at": at.as_ref().map(place),
    })
}

fn unplanned(resource: &Unplanned) -> Json {
    event(
        "plan.unplanned",
        json!({
            "address": resource.address,
            "fault": resource.fault.as_ref().map(fault),
            "waits_for": resource.waits_for,
        }),
    )
}

/// Something that happened in an apply.
pub fn apply_event(happened: &Event) -> Json {
    let about = |kind: &'static str, address: &Address, verb: Option<Verb>, more: Json| {
        let mut fields = json!({"address": address});
        if let Json::Object(fields) = &mut fields {
            fields.extend(verb.map(|verb| ("verb".to_owned(), json!(verb))));
            if let Json::Object(more) = more {
                fields.extend(more);
            }
        }
        event(kind, fields)
    };
    match happened {
        Event::Moved { from, to } => event("apply.moved", json!({"from": from, "to": to})),
        Event::Forgotten { address } => about("apply.forgotten", address, None, json!({})),
        Event::Accepted { address } => about("apply.accepted", address, None, json!({})),
        Event::Started { address, verb } => about("apply.started", address, Some(*verb), json!({})),
        Event::Retrying { address, verb, fault: why, after } => {
            let more = json!({"fault": fault(why), "after_seconds": seconds(*after)});
            about("apply.retrying", address, Some(*verb), more)
        }
        Event::Identified { address, physical_id } => {
            about("apply.identified", address, None, json!({"physical_id": physical_id}))
        }
        Event::Done { address, verb, took } => {
            about("apply.done", address, Some(*verb), json!({"seconds": seconds(*took)}))
        }
        Event::Failed { address, verb, fault: why, uncertain } => {
            about("apply.failed", address, Some(*verb), json!({"fault": fault(why), "uncertain": uncertain}))
        }
        Event::Skipped { address, verb, because } => {
            about("apply.skipped", address, Some(*verb), json!({"because": because}))
        }
        Event::Persisted { serial, took } => {
            event("apply.persisted", json!({"serial": serial, "seconds": seconds(*took)}))
        }
        Event::NotPersisted { why } => event("apply.not_persisted", json!({"why": why})),
        Event::Recovered { address, what } => about("apply.recovered", address, None, json!({"what": what})),
        Event::Stopping => event("apply.stopping", json!({})),
    }
}

/// How an apply went.
pub fn apply_end(summary: &Summary, effort: &Effort<'_>) -> Json {
    let pairs = |operations: &[(Address, Verb)]| -> Vec<Json> {
        operations.iter().map(|(address, verb)| json!({"address": address, "verb": verb})).collect()
    };
    let (stopped, why) = match &summary.stopped {
        None => (None, None),
        Some(Stopped::Cancelled) => (Some("cancelled"), None),
        Some(Stopped::Expired) => (Some("expired"), None),
        Some(Stopped::Lost(why)) => (Some("lost"), Some(why)),
        Some(Stopped::Unwritable(why)) => (Some("unwritable"), Some(why)),
    };
    event(
        "apply.end",
        json!({
            "success": summary.is_success(),
            "recorded": summary.recorded,
            "stopped": stopped,
            "why": why,
            "done": summary.done.iter().map(|done| {
                json!({"address": done.address, "verb": done.verb, "seconds": seconds(done.took)})
            }).collect::<Vec<_>>(),
            "failed": summary.failed.iter().map(|failed| json!({
                "address": failed.address, "verb": failed.verb, "fault": fault(&failed.fault),
                "uncertain": failed.uncertain,
            })).collect::<Vec<_>>(),
            "skipped": summary.skipped.iter().map(|skipped| {
                json!({"address": skipped.address, "verb": skipped.verb, "because": skipped.because})
            }).collect::<Vec<_>>(),
            "not_started": pairs(&summary.not_started),
            "in_flight": pairs(&summary.in_flight),
            "outputs": values(&summary.outputs),
            "calls": effort.calls,
            "seconds": seconds(effort.took),
        }),
    )
}

/// A request to AWS, or a pause before it is repeated.
pub fn call(happened: &CallEvent) -> Json {
    match happened {
        CallEvent::Ended(call) => event(
            "call",
            json!({
                "service": call.service, "operation": call.operation, "region": call.region, "status": call.status,
                "request_id": call.request_id, "seconds": seconds(call.took),
            }),
        ),
        CallEvent::Waits(wait) => event(
            "call.waits",
            json!({
                "service": wait.service, "operation": wait.operation, "attempts": wait.attempts, "code": wait.code,
                "awaits": wait.awaits, "seconds": seconds(wait.pause),
            }),
        ),
    }
}

/// Seconds to the millisecond.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests;
