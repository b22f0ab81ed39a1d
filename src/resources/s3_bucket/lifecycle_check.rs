//! What S3 would refuse about a lifecycle rule, or accept and never do.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html>

use s3stack_engine::address::Path;
use s3stack_engine::schema::validate::Problem;
use s3stack_engine::value::Value;

use super::lifecycle::day;
use super::setting::{at, items, text};

/// The storage classes from warm to cold: objects move in this direction only.
const WARM_TO_COLD: [&str; 6] =
    ["STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"];

/// The fewest days before, and in, infrequent access.
const INFREQUENT_DAYS: i64 = 30;

/// Checks one rule, in normal form.
pub(super) fn rule(id: &str, rule: &Value, problems: &mut Vec<Problem>) {
    let path = at("lifecycle").key(id);
    let has = |name: &str| !rule.get(name).is_null();
    let acts = [
        "transitions",
        "expiration",
        "noncurrent_transitions",
        "noncurrent_expiration",
        "abort_incomplete_multipart_upload",
    ];
    if !acts.iter().any(|name| has(name)) {
        let problem = Problem::new("S3S-B11", &path, format!("the rule `{id}` does nothing"));
        problems.push(problem.help("give it `expiration = { days = 90 }`, or transitions"));
    }
    transitions(&path.key("transitions"), rule.get("transitions"), true, problems);
    transitions(&path.key("noncurrent_transitions"), rule.get("noncurrent_transitions"), false, problems);
    let narrowed = has("tags") || has("object_size_greater_than") || has("object_size_less_than");
    expiration(&path.key("expiration"), rule, narrowed, problems);
    noncurrent(&path.key("noncurrent_expiration"), rule, problems);
    if has("abort_incomplete_multipart_upload") && narrowed {
        let message = "unfinished uploads have neither tags nor size: S3 refuses this in a rule that filters by them";
        let problem = Problem::new("S3S-B11", &path.key("abort_incomplete_multipart_upload"), message);
        problems.push(problem.help("put it into a rule of its own"));
    }
    let timed = || items(rule.get("transitions")).iter().chain([rule.get("expiration")]);
    if ["days", "date"].iter().all(|by| timed().any(|one| !one.get(by).is_null())) {
        let problem = Problem::new("S3S-B10", &path, "S3 takes days or dates in one rule, not both");
        problems.push(problem.help("split the rule in two"));
    }
    let sizes = (rule.get("object_size_greater_than").as_integer(), rule.get("object_size_less_than").as_integer());
    if let (Some(greater), Some(less)) = sizes
        && greater >= less
    {
        let message = format!("no object is both larger than {greater} and smaller than {less} bytes");
        problems.push(Problem::new("S3S-B11", &path.key("object_size_less_than"), message));
    }
}

fn transitions(path: &Path, list: &Value, current: bool, problems: &mut Vec<Problem>) {
    let mut last: Option<(usize, i64, String)> = None;
    for one in items(list) {
        let Some(class) = text(one.get("storage_class")) else { continue };
        let days = one.get("days").as_integer();
        let date = text(one.get("date"));
        match (days, &date, current) {
            // Something in it is not known yet: it is checked again when it is.
            _ if !one.is_known() => continue,
            (Some(_), Some(_), _) | (None, None, true) => {
                let message = format!("the transition to {class} needs either `days` or `date`");
                problems.push(Problem::new("S3S-B10", path, message));
                continue;
            }
            (None, None, false) => {
                problems.push(Problem::new("S3S-B10", path, format!("the transition to {class} needs `days`")));
                continue;
            }
            (None, Some(text), _) if day(text).is_none() => {
                problems.push(Problem::new("S3S-B10", path, format!("\"{text}\" is no day of the calendar")));
                continue;
            }
            _ => {}
        }
        let Some(rank) = WARM_TO_COLD.iter().position(|known| *known == class) else { continue };
        let Some(days) = days else { continue };
        if matches!(class.as_str(), "STANDARD_IA" | "ONEZONE_IA") && days < INFREQUENT_DAYS {
            let message = format!("objects move to {class} after {INFREQUENT_DAYS} days at the earliest, not {days}");
            problems.push(Problem::new("S3S-B9", path, message).help(format!("write `days = {INFREQUENT_DAYS}`")));
        }
        if let Some((before, then, warmer)) = &last {
            let spacing = match warmer.as_str() {
                "STANDARD_IA" | "ONEZONE_IA" => INFREQUENT_DAYS,
                "GLACIER" | "GLACIER_IR" if class == "DEEP_ARCHIVE" => 90,
                _ => 1,
            };
            if rank == *before {
                problems.push(Problem::new("S3S-B10", path, format!("two transitions lead to {class}")));
            } else if rank < *before {
                let message = format!("objects cannot move from {warmer} (day {then}) back to {class} (day {days})");
                let order = format!("the order is {}", WARM_TO_COLD.join(", "));
                problems.push(Problem::new("S3S-B10", path, message).help(order));
            } else if days < then + spacing {
                let message = format!("{class} on day {days} is too soon after {warmer} on day {then}");
                let least = then + spacing;
                problems.push(Problem::new("S3S-B10", path, message).help(format!("day {least} is the earliest")));
            }
        }
        last = Some((rank, days, class));
    }
}

/// Checks the expiration of a rule, which may be `narrowed` by tags or sizes.
fn expiration(path: &Path, rule: &Value, narrowed: bool, problems: &mut Vec<Problem>) {
    let expiration = rule.get("expiration");
    if expiration.is_null() || !expiration.is_known() {
        return;
    }
    let (days, date) = (expiration.get("days").as_integer(), text(expiration.get("date")));
    let marker = expiration.get("expired_object_delete_marker").as_bool() == Some(true);
    let given = usize::from(days.is_some()) + usize::from(date.is_some()) + usize::from(marker);
    if given != 1 {
        let message = "an expiration is one of `days`, `date` and `expired_object_delete_marker`";
        problems.push(Problem::new("S3S-B11", path, message));
        return;
    }
    if marker && narrowed {
        let message = "delete markers have neither tags nor size: S3 refuses this in a rule that filters by them";
        problems.push(Problem::new("S3S-B11", path, message).help("put it into a rule of its own"));
    }
    if let Some(text) = date.as_ref().filter(|text| day(text).is_none()) {
        problems.push(Problem::new("S3S-B10", path, format!("\"{text}\" is no day of the calendar")));
    }
    let transitions = items(rule.get("transitions"));
    let last = transitions.iter().filter_map(|one| one.get("days").as_integer()).max();
    let early = match (days, last) {
        (Some(days), Some(last)) if days <= last => Some((format!("day {days}"), format!("day {last}"))),
        // Days of the calendar are in the order of their texts.
        _ => date.zip(transitions.iter().filter_map(|one| text(one.get("date"))).max()).filter(|(date, last)| date <= last),
    };
    if let Some((then, last)) = early {
        let message = format!("objects expire on {then}, before their last transition on {last}");
        problems.push(Problem::new("S3S-B10", path, message).help("let them expire later, or take the transition out"));
    }
}

fn noncurrent(path: &Path, rule: &Value, problems: &mut Vec<Problem>) {
    let expiration = rule.get("noncurrent_expiration");
    if expiration.is_null() || !expiration.is_known() {
        return;
    }
    let Some(days) = expiration.get("days").as_integer() else {
        problems.push(Problem::new("S3S-B11", path, "`days` is missing: S3 counts former versions only beside it"));
        return;
    };
    let last = items(rule.get("noncurrent_transitions")).iter().filter_map(|one| one.get("days").as_integer()).max();
    if let Some(last) = last.filter(|last| days <= *last) {
        let message = format!("former versions expire on day {days}, before their last transition on day {last}");
        problems.push(Problem::new("S3S-B10", path, message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The problems of a rule already in normal form: transitions sorted, short forms only.
    fn problems(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        rule("r", &Value::from_json(toml::from_str(text).unwrap()), &mut found);
        found.into_iter().map(|problem| format!("{} {}: {}", problem.code, problem.path, problem.message)).collect()
    }

    #[test]
    fn the_usual_rule_is_fine() {
        let text = "transitions = [{ days = 30, storage_class = 'STANDARD_IA' }, { days = 90, storage_class = 'GLACIER' }]\nexpiration = { days = 365 }\nnoncurrent_expiration = { days = 30 }";
        assert_eq!(problems(text), [""; 0]);
    }

    #[test]
    fn too_soon_wrong_way_and_twice_are_told() {
        let soon = "transitions = [{ days = 29, storage_class = 'STANDARD_IA' }]";
        assert_eq!(
            problems(soon),
            ["S3S-B9 lifecycle.r.transitions: objects move to STANDARD_IA after 30 days at the earliest, not 29"]
        );
        let back = "transitions = [{ days = 30, storage_class = 'GLACIER' }, { days = 60, storage_class = 'STANDARD_IA' }]";
        assert_eq!(
            problems(back),
            [
                "S3S-B10 lifecycle.r.transitions: objects cannot move from GLACIER (day 30) back to STANDARD_IA (day 60)"
            ]
        );
        let close = "transitions = [{ days = 30, storage_class = 'STANDARD_IA' }, { days = 59, storage_class = 'GLACIER' }]";
        assert_eq!(
            problems(close),
            ["S3S-B10 lifecycle.r.transitions: GLACIER on day 59 is too soon after STANDARD_IA on day 30"]
        );
        let twice = "transitions = [{ days = 30, storage_class = 'GLACIER' }, { days = 60, storage_class = 'GLACIER' }]";
        assert_eq!(problems(twice), ["S3S-B10 lifecycle.r.transitions: two transitions lead to GLACIER"]);
    }

    #[test]
    fn an_object_expires_after_its_last_transition_and_by_the_same_clock() {
        let early = "transitions = [{ days = 90, storage_class = 'GLACIER' }]\nexpiration = { days = 90 }";
        assert_eq!(
            problems(early),
            ["S3S-B10 lifecycle.r.expiration: objects expire on day 90, before their last transition on day 90"]
        );
        let early = "transitions = [{ date = '2027-02-01', storage_class = 'GLACIER' }]\nexpiration = { date = '2027-01-31' }";
        assert_eq!(
            problems(early),
            ["S3S-B10 lifecycle.r.expiration: objects expire on 2027-01-31, before their last transition on 2027-02-01"]
        );
        let late = early.replace("2027-01-31", "2027-02-02");
        assert_eq!(problems(&late), [""; 0]);
        let mixed =
            "transitions = [{ date = '2027-01-01', storage_class = 'GLACIER' }]\nexpiration = { days = 90 }";
        assert_eq!(
            problems(mixed),
            ["S3S-B10 lifecycle.r: S3 takes days or dates in one rule, not both"]
        );
    }

    #[test]
    fn what_s3_refuses_of_markers_uploads_and_empty_rules() {
        assert_eq!(problems("prefix = 'a'"), ["S3S-B11 lifecycle.r: the rule `r` does nothing"]);
        assert_eq!(problems("expiration = { days = 1, expired_object_delete_marker = true }").len(), 1);
        assert_eq!(problems("tags = { a = 'b' }\nabort_incomplete_multipart_upload = 7").len(), 1);
        assert_eq!(problems("tags = { a = 'b' }\nexpiration = { expired_object_delete_marker = true }").len(), 1);
        assert_eq!(
            problems("object_size_less_than = 9\nexpiration = { expired_object_delete_marker = true }"),
            ["S3S-B11 lifecycle.r.expiration: delete markers have neither tags nor size: S3 refuses this in a rule that filters by them"]
        );
        assert_eq!(problems("expiration = { date = '2027-02-30' }").len(), 1);
        assert_eq!(problems("noncurrent_expiration = { newer_versions = 3 }").len(), 1);
        assert_eq!(problems("object_size_greater_than = 9\nobject_size_less_than = 9\nexpiration = { days = 1 }").len(), 1);
    }
}
