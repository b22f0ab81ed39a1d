//! The managed policies attached to a role, user or group.

use std::collections::BTreeSet;

use s3stack_engine::address::Path;
use s3stack_engine::fault::Fault;
use s3stack_engine::schema::validate::Problem;
use s3stack_engine::value::Value;

use super::holder::Holder;

/// How many managed policies a role, user or group may have unless AWS raised that for the account.
pub const MOST: usize = 10;

/// The managed property: the ARNs, sorted, each once; always there, since attachments are exclusive.
pub fn managed(policies: &Value) -> Value {
    let Value::List(list) = policies else { return Value::List(Vec::new()) };
    let (mut known, others): (Vec<Value>, Vec<Value>) =
        list.iter().cloned().partition(|value| value.as_str().is_some());
    known.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    known.dedup();
    known.extend(others);
    Value::List(known)
}

/// What AWS holds, as the managed property.
pub fn shown(arns: &BTreeSet<String>) -> Value {
    Value::strings(arns.iter().cloned())
}

/// The ARNs in a managed property.
pub fn arns(value: &Value) -> BTreeSet<String> {
    value.as_list().unwrap_or_default().iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Attaches what shall be and detaches what was there beside it.
///
/// Everything that shall be is attached, also what `live` shows: a policy may have been made anew in this run, which
/// detached it, and a listing may still show the old one for a while. Attaching twice is nothing to AWS. Only where there
/// is no room for both is something detached first.
pub async fn sync(holder: &Holder<'_>, desired: &Value, live: &Value) -> Result<(), Fault> {
    let steps = steps(&arns(desired), &arns(live));
    for arn in &steps.detach_first {
        holder.detach(arn).await?;
    }
    for arn in &steps.attach {
        holder.attach(arn).await?;
    }
    for arn in &steps.detach {
        holder.detach(arn).await?;
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
struct Steps {
    detach_first: Vec<String>,
    attach: Vec<String>,
    detach: Vec<String>,
}

fn steps(desired: &BTreeSet<String>, live: &BTreeSet<String>) -> Steps {
    let mut detach: Vec<String> = live.difference(desired).cloned().collect();
    let room = MOST.saturating_sub(desired.union(live).count() - detach.len());
    let detach_first = if detach.len() > room { detach.split_off(room) } else { Vec::new() };
    Steps { detach_first, attach: desired.iter().cloned().collect(), detach }
}

/// What is wrong with `policies`: more than AWS attaches, or one policy twice.
pub fn check(policies: &Value, problems: &mut Vec<Problem>) {
    let list = policies.as_list().unwrap_or_default();
    let path = Path::of("policies");
    if list.len() > MOST {
        let message = format!("{} policies are attached, and AWS attaches {MOST} at most", list.len());
        let problem = Problem::new("S3S-N6", &path, message);
        problems
            .push(problem.help("merge some, write statements of its own, or allow this where AWS raised the quota"));
    }
    for (index, arn) in list.iter().enumerate() {
        if arn.as_str().is_some() && list.iter().take(index).any(|earlier| earlier == arn) {
            let message = format!("{} is attached twice", arn.as_str().unwrap_or_default());
            problems.push(Problem::new("S3S-W19", &path.index(index), message).help("take this one out"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: std::ops::Range<usize>) -> BTreeSet<String> {
        names.map(|number| format!("p{number:02}")).collect()
    }

    #[test]
    fn what_stays_is_attached_again_and_what_goes_goes_last() {
        let steps = steps(&set(0..2), &set(1..3));
        assert_eq!(steps.attach, ["p00", "p01"]);
        assert_eq!((steps.detach_first.len(), steps.detach), (0, vec!["p02".to_owned()]));
    }

    #[test]
    fn only_what_has_no_room_is_detached_first() {
        let steps = steps(&set(0..9), &set(5..15));
        assert_eq!(steps.detach_first.len() + steps.detach.len(), 6);
        assert_eq!(steps.detach.len(), 1, "nine shall be, so one of the others may stay until they are");
    }

    #[test]
    fn a_full_exchange_detaches_all_first() {
        let steps = steps(&set(0..10), &set(10..20));
        assert_eq!((steps.detach_first.len(), steps.detach.len()), (10, 0));
    }

    #[test]
    fn the_managed_property_is_sorted_and_never_absent() {
        assert_eq!(managed(&Value::Null), Value::List(vec![]));
        assert_eq!(managed(&Value::strings(["b", "a", "b"])), Value::strings(["a", "b"]));
    }

    #[test]
    fn too_many_policies_and_repetitions_are_told() {
        let mut problems = Vec::new();
        check(&Value::strings((0..11).map(|number| format!("arn:{number}"))), &mut problems);
        check(&Value::strings(["arn:a", "arn:a"]), &mut problems);
        let told: Vec<_> = problems.iter().map(|problem| (problem.code, problem.path.to_string())).collect();
        assert_eq!(told, [("S3S-N6", "policies".to_owned()), ("S3S-W19", "policies[1]".to_owned())]);
    }
}
