//! Equality and order of values.

use std::cmp::Ordering;

use crate::value::{Unknown, Value};

/// Whether two values are equal; numbers are by value, whether whole or not.
pub(super) fn equal(left: &Value, right: &Value) -> bool {
    order(left, right) == Ordering::Equal
}

/// An order of all values, by kind first; so that duplicates can be found without comparing each with each.
pub(super) fn order(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (Value::List(left), Value::List(right)) => each(left.iter(), right.iter(), order),
        (Value::Map(left), Value::Map(right)) => {
            each(left.iter(), right.iter(), |left, right| left.0.cmp(right.0).then_with(|| order(left.1, right.1)))
        }
        (Value::Reference(left), Value::Reference(right)) => left.cmp(right),
        (Value::Secret(left), Value::Secret(right)) => order(left.expose(), right.expose()),
        (Value::Unknown(left), Value::Unknown(right)) => unknowns(left, right),
        _ => match (Number::of(left), Number::of(right)) {
            (Some(left), Some(right)) => numbers(left, right),
            _ => rank(left).cmp(&rank(right)),
        },
    }
}

fn each<T>(
    mut left: impl Iterator<Item = T>,
    mut right: impl Iterator<Item = T>,
    order: impl Fn(T, T) -> Ordering,
) -> Ordering {
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(left), Some(right)) => match order(left, right) {
                Ordering::Equal => {}
                unequal => return unequal,
            },
        }
    }
}

/// Unknowns are ordered only so that the order is one; nothing asks whether they are equal before they are known.
fn unknowns(left: &Unknown, right: &Unknown) -> Ordering {
    match (left, right) {
        (Unknown::Attribute { address: a, name: b, .. }, Unknown::Attribute { address: c, name: d, .. }) => {
            (a, b).cmp(&(c, d))
        }
        (Unknown::Expression { source: a, scope: b }, Unknown::Expression { source: c, scope: d }) => {
            a.cmp(c).then_with(|| {
                each(b.iter(), d.iter(), |left, right| left.0.cmp(right.0).then_with(|| order(left.1, right.1)))
            })
        }
        (Unknown::Attribute { .. }, Unknown::Expression { .. }) => Ordering::Less,
        (Unknown::Expression { .. }, Unknown::Attribute { .. }) => Ordering::Greater,
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Integer(_) | Value::Float(_) => 2,
        Value::String(_) => 3,
        Value::List(_) => 4,
        Value::Map(_) => 5,
        Value::Reference(_) => 6,
        Value::Unknown(_) => 7,
        Value::Secret(_) => 8,
    }
}

/// A number of either kind.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    Integer(i64),
    Float(f64),
}

impl Number {
    pub(super) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(value) => Some(Self::Integer(*value)),
            Value::Float(value) => Some(Self::Float(*value)),
            _ => None,
        }
    }

    pub(super) fn as_float(self) -> f64 {
        match self {
            Self::Integer(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

/// The order of two numbers, exact where a whole number has more digits than a float.
pub(super) fn numbers(left: Number, right: Number) -> Ordering {
    match (left, right) {
        (Number::Integer(left), Number::Integer(right)) => left.cmp(&right),
        (Number::Float(left), Number::Float(right)) => left.partial_cmp(&right).unwrap_or(Ordering::Equal),
        (Number::Integer(left), Number::Float(right)) => mixed(left, right),
        (Number::Float(left), Number::Integer(right)) => mixed(right, left).reverse(),
    }
}

fn mixed(left: i64, right: f64) -> Ordering {
    // 2^63 is the first float above every i64.
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    if right >= BEYOND {
        Ordering::Less
    } else if right < -BEYOND {
        Ordering::Greater
    } else {
        let whole = right.trunc() as i64;
        left.cmp(&whole).then_with(|| 0.0_f64.partial_cmp(&(right - right.trunc())).unwrap_or(Ordering::Equal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_by_value_beyond_what_floats_can_tell_apart() {
        let cases = [
            (1, 1.0, Ordering::Equal),
            (1, 1.5, Ordering::Less),
            (-1, -1.5, Ordering::Greater),
            (i64::MAX, 9_223_372_036_854_775_808.0, Ordering::Less),
            (i64::MIN, -9_223_372_036_854_775_808.0, Ordering::Equal),
            (9_007_199_254_740_993, 9_007_199_254_740_992.0, Ordering::Greater),
            (0, 1e300, Ordering::Less),
            (0, -1e300, Ordering::Greater),
        ];
        for (left, right, expected) in cases {
            assert_eq!(order(&Value::Integer(left), &Value::Float(right)), expected, "{left} {right}");
            assert_eq!(order(&Value::Float(right), &Value::Integer(left)), expected.reverse());
        }
    }

    #[test]
    fn nested_numbers_compare_by_value() {
        let left = Value::map([("a", Value::List(vec![Value::Integer(1)]))]);
        let right = Value::map([("a", Value::List(vec![Value::Float(1.0)]))]);
        assert!(equal(&left, &right));
        assert!(!equal(&left, &Value::map([("a", Value::List(vec![]))])));
    }
}
