//! Functions of lists.

use std::collections::BTreeSet;

use super::{Arguments, Function, Refusal};
use crate::expression::ast::BinaryOperator;
use crate::expression::{compare, operate};
use crate::value::Value;

pub(super) const LENGTH: Function = Function::through(
    "length(value)",
    "The number of elements of a list or map, or of characters of a string.",
    r#"length(["a", "b"])"#,
    "2",
    |arguments| {
        let length = match arguments.value(0) {
            Value::List(list) => list.len(),
            Value::Map(map) => map.len(),
            Value::String(text) => text.chars().count(),
            value => return Err(arguments.wrong(0, "a list, map or string", &value)),
        };
        Ok(Value::Integer(i64::try_from(length).unwrap_or(i64::MAX)))
    },
);

pub(super) const CONCAT: Function = Function::through(
    "concat(lists...)",
    "The elements of all lists in one.",
    r#"concat(["a"], ["b", "c"])"#,
    r#"["a", "b", "c"]"#,
    |arguments| {
        let mut list = Vec::new();
        for at in 0..arguments.count() {
            list.extend(arguments.list(at)?);
        }
        Ok(Value::List(list))
    },
);

pub(super) const CONTAINS: Function = Function::whole(
    "contains(list, value)",
    "Whether the value is an element of the list.",
    r#"contains(["a", "b"], "b")"#,
    "true",
    |arguments| {
        let (list, value) = (arguments.list(0)?, arguments.value(1));
        Ok(list.iter().any(|element| compare::equal(element, &value)).into())
    },
);

pub(super) const DISTINCT: Function = Function::whole(
    "distinct(list)",
    "The list with each element only where it stands first.",
    r#"distinct(["b", "a", "b"])"#,
    r#"["b", "a"]"#,
    |arguments| {
        let list = arguments.list(0)?;
        let mut order: Vec<usize> = (0..list.len()).collect();
        // Equal elements keep their order, so the first of each run is the first in the list.
        let at = |index: &usize| list.get(*index).unwrap_or(&Value::Null);
        order.sort_by(|left, right| compare::order(at(left), at(right)));
        order.dedup_by(|left, right| compare::equal(at(left), at(right)));
        let first: BTreeSet<usize> = order.into_iter().collect();
        let kept = list.into_iter().enumerate().filter(|(index, _)| first.contains(index));
        Ok(Value::List(kept.map(|(_, value)| value).collect()))
    },
);

pub(super) const FLATTEN: Function = Function::whole(
    "flatten(list)",
    "The list with each list in it replaced by its elements, at any depth.",
    r#"flatten([["a", []], "b", [["c"]]])"#,
    r#"["a", "b", "c"]"#,
    |arguments| {
        fn into(list: Vec<Value>, flat: &mut Vec<Value>) {
            for value in list {
                match value {
                    Value::List(list) => into(list, flat),
                    value => flat.push(value),
                }
            }
        }
        let mut flat = Vec::new();
        into(arguments.list(0)?, &mut flat);
        Ok(Value::List(flat))
    },
);

pub(super) const SORT: Function = Function::whole(
    "sort(list)",
    "The strings of the list in the order of their characters.",
    r#"sort(["b", "a", "B"])"#,
    r#"["B", "a", "b"]"#,
    |arguments| {
        let mut texts = arguments.texts(0)?;
        texts.sort();
        Ok(Value::strings(texts))
    },
);

pub(super) const REVERSE: Function = Function::through(
    "reverse(list)",
    "The list from its end to its beginning.",
    "reverse([1, 2, 3])",
    "[3, 2, 1]",
    |arguments| {
        let mut list = arguments.list(0)?;
        list.reverse();
        Ok(Value::List(list))
    },
);

pub(super) const RANGE: Function = Function::whole(
    "range(start, [limit], [step])",
    "The whole numbers from the start (0 if only the limit is given) up to, but not with, the limit.",
    "concat(range(3), range(10, 0, -4))",
    "[0, 1, 2, 10, 6, 2]",
    |arguments| {
        let first = arguments.integer(0)?;
        let (start, limit) = if arguments.has(1) { (first, arguments.integer(1)?) } else { (0, first) };
        let step = match arguments.has(2) {
            true => arguments.integer(2)?,
            false if limit < start => -1,
            false => 1,
        };
        let distance = i128::from(limit) - i128::from(start);
        let count = match step {
            0 => return Err(Refusal::new("`step` must not be 0").about(2)),
            step if (step > 0) != (distance > 0) => 0,
            step => distance.unsigned_abs().div_ceil(u128::from(step.unsigned_abs())),
        };
        arguments.room_for_values(usize::try_from(count).unwrap_or(usize::MAX))?;
        let numbers = std::iter::successors(Some(start), |number| number.checked_add(step));
        Ok(Value::List(numbers.take(usize::try_from(count).unwrap_or(0)).map(Value::Integer).collect()))
    },
);

pub(super) const ELEMENT: Function = Function::through(
    "element(list, index)",
    "The element at the index, counted on from the beginning again after the last.",
    r#"element(["a", "b", "c"], 4)"#,
    r#""b""#,
    |arguments| {
        let (mut list, index) = (arguments.list(0)?, arguments.integer(1)?);
        let length = i64::try_from(list.len()).unwrap_or(i64::MAX);
        match index.checked_rem_euclid(length).and_then(|at| usize::try_from(at).ok()) {
            Some(at) if at < list.len() => Ok(list.swap_remove(at)),
            _ => Err(Refusal::new("the list is empty").about(0)),
        }
    },
);

pub(super) const SLICE: Function = Function::through(
    "slice(list, start, end)",
    "The elements from the start up to, but not with, the end.",
    r#"slice(["a", "b", "c"], 1, 3)"#,
    r#"["b", "c"]"#,
    |arguments| {
        let (list, start, end) = (arguments.list(0)?, arguments.size(1)?, arguments.size(2)?);
        match list.get(start..end) {
            Some(slice) => Ok(Value::List(slice.to_vec())),
            None if start > end => Err(Refusal::new("`start` must not be after `end`").about(1)),
            None => Err(Refusal::new(format!("the list has {} elements", list.len())).about(2)),
        }
    },
);

pub(super) const INDEX: Function = Function::whole(
    "index(list, value)",
    "Where the value stands first in the list, counted from 0.",
    r#"index(["a", "b"], "b")"#,
    "1",
    |arguments| {
        let (list, value) = (arguments.list(0)?, arguments.value(1));
        let found = list.iter().position(|element| compare::equal(element, &value));
        let found = found.and_then(|at| i64::try_from(at).ok());
        found.map(Value::Integer).ok_or_else(|| Refusal::new("the list does not have that value").about(1))
    },
);

pub(super) const ONE: Function = Function::through(
    "one(list)",
    "The only element of the list; null if it is empty.",
    r#"one(["a"])"#,
    r#""a""#,
    |arguments| {
        let mut list = arguments.list(0)?;
        match list.len() {
            0 | 1 => Ok(list.pop().unwrap_or_default()),
            more => Err(Refusal::new(format!("the list has {more} elements")).about(0)),
        }
    },
);

pub(super) const CHUNKLIST: Function = Function::through(
    "chunklist(list, size)",
    "The list cut into lists of that size; the last may be shorter.",
    "chunklist([1, 2, 3], 2)",
    "[[1, 2], [3]]",
    |arguments| {
        let (list, size) = (arguments.list(0)?, arguments.size(1)?);
        match size {
            0 => Err(Refusal::new("`size` must be at least 1").about(1)),
            size => Ok(Value::List(list.chunks(size).map(|chunk| Value::List(chunk.to_vec())).collect())),
        }
    },
);

pub(super) const COALESCE: Function = Function::whole(
    "coalesce(value, others...)",
    r#"The first of the values that is neither null nor ""."#,
    r#"coalesce(null, "", "a")"#,
    r#""a""#,
    |arguments| {
        let absent = |value: &Value| value.is_null() || value.as_str() == Some("");
        let found = arguments.all().into_iter().find(|value| !absent(value));
        found.ok_or_else(|| Refusal::new("none of the values is more than null or empty"))
    },
);

pub(super) const COALESCELIST: Function = Function::whole(
    "coalescelist(list, others...)",
    "The first of the lists that is not empty.",
    r#"coalescelist([], ["a"])"#,
    r#"["a"]"#,
    |arguments| {
        for at in 0..arguments.count() {
            let list = arguments.list(at)?;
            if !list.is_empty() {
                return Ok(Value::List(list));
            }
        }
        Err(Refusal::new("all of the lists are empty"))
    },
);

pub(super) const COMPACT: Function = Function::whole(
    "compact(list)",
    r#"The strings of the list without null and ""."#,
    r#"compact(["a", "", null, "b"])"#,
    r#"["a", "b"]"#,
    |arguments| {
        let list = arguments.list(0)?;
        Ok(Value::List(list.into_iter().filter(|value| !value.is_null() && value.as_str() != Some("")).collect()))
    },
);

pub(super) const SUM: Function =
    Function::whole("sum(list)", "The sum of the numbers of the list.", "sum([1, 2.5, 3])", "6.5", |arguments| {
        let list = arguments.list(0)?;
        list.iter().try_fold(Value::Integer(0), |sum, value| {
            if compare::Number::of(value).is_none() {
                return Err(arguments.wrong(0, "a list of numbers", value));
            }
            Ok(operate::binary(BinaryOperator::Add, &sum, value)?)
        })
    });

pub(super) const ANYTRUE: Function = Function::whole(
    "anytrue(list)",
    "Whether any of the bools of the list is true.",
    "anytrue([false, true])",
    "true",
    |arguments| Ok(bools(arguments)?.contains(&true).into()),
);

pub(super) const ALLTRUE: Function = Function::whole(
    "alltrue(list)",
    "Whether all of the bools of the list are true.",
    "alltrue([true, false])",
    "false",
    |arguments| Ok((!bools(arguments)?.contains(&false)).into()),
);

fn bools(arguments: &mut Arguments) -> Result<Vec<bool>, Refusal> {
    let list = arguments.list(0)?;
    list.iter().map(|value| value.as_bool().ok_or_else(|| arguments.wrong(0, "a list of bools", value))).collect()
}

/// Whether a value is in a sorted list.
pub(super) fn in_set(set: &[Value], value: &Value) -> bool {
    set.binary_search_by(|element| compare::order(element, value)).is_ok()
}
