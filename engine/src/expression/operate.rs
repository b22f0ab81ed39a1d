//! Operators on plain values: nothing here is unknown or secret.

use super::ast::{BinaryOperator, UnaryOperator};
use super::compare::{self, Number};
use super::{ARITHMETIC, KIND};
use crate::diagnostic::Diagnostic;
use crate::value::Value;

impl BinaryOperator {
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::Unequal => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::And => "&&",
            Self::Or => "||",
        }
    }
}

/// `operator operand`.
pub(super) fn unary(operator: UnaryOperator, operand: &Value) -> Result<Value, Box<Diagnostic>> {
    match (operator, operand) {
        (UnaryOperator::Not, Value::Bool(value)) => Ok(Value::Bool(!value)),
        (UnaryOperator::Not, other) => Err(kind(format!("`!` takes a bool, not {}", other.kind()))),
        (UnaryOperator::Negate, Value::Integer(value)) => {
            value.checked_neg().map(Value::Integer).ok_or_else(|| arithmetic("this number does not fit into 64 bits"))
        }
        (UnaryOperator::Negate, Value::Float(value)) => number(-value),
        (UnaryOperator::Negate, other) => Err(kind(format!("`-` takes a number, not {}", other.kind()))),
    }
}

/// `left operator right`, except `&&` and `||`, which need not look at the right.
pub(super) fn binary(operator: BinaryOperator, left: &Value, right: &Value) -> Result<Value, Box<Diagnostic>> {
    match operator {
        BinaryOperator::Equal => return Ok(Value::Bool(compare::equal(left, right))),
        BinaryOperator::Unequal => return Ok(Value::Bool(!compare::equal(left, right))),
        _ => {}
    }
    let (Some(a), Some(b)) = (Number::of(left), Number::of(right)) else {
        let other = if Number::of(left).is_some() { right } else { left };
        let diagnostic = kind(format!("`{}` takes numbers, not {}", operator.sign(), other.kind()));
        return Err(match (operator, other) {
            (BinaryOperator::Add, Value::String(_)) => {
                Box::new(diagnostic.help("to join strings, write \"${a}${b}\"; to make a number, write tonumber(…)"))
            }
            _ => diagnostic,
        });
    };
    let order = compare::numbers(a, b);
    match operator {
        BinaryOperator::Less => Ok(Value::Bool(order.is_lt())),
        BinaryOperator::LessOrEqual => Ok(Value::Bool(order.is_le())),
        BinaryOperator::Greater => Ok(Value::Bool(order.is_gt())),
        BinaryOperator::GreaterOrEqual => Ok(Value::Bool(order.is_ge())),
        _ => arithmetic_on(operator, a, b),
    }
}

fn arithmetic_on(operator: BinaryOperator, a: Number, b: Number) -> Result<Value, Box<Diagnostic>> {
    if matches!(operator, BinaryOperator::Divide | BinaryOperator::Remainder) && b.as_float() == 0.0 {
        let help = "divide only where the divisor is not 0: `b == 0 ? 0 : a / b`";
        return Err(Box::new((*arithmetic("division by zero")).help(help)));
    }
    if let (Number::Integer(a), Number::Integer(b)) = (a, b) {
        let result = match operator {
            BinaryOperator::Add => a.checked_add(b),
            BinaryOperator::Subtract => a.checked_sub(b),
            BinaryOperator::Multiply => a.checked_mul(b),
            // i64::MIN % -1 overflows in the processor, not in arithmetic.
            BinaryOperator::Remainder => Some(a.checked_rem(b).unwrap_or(0)),
            _ if a.checked_rem(b).is_none_or(|rest| rest == 0) => a.checked_div(b),
            _ => return number(a as f64 / b as f64),
        };
        return result.map(Value::Integer).ok_or_else(|| arithmetic("the result does not fit into 64 bits"));
    }
    let (a, b) = (a.as_float(), b.as_float());
    number(match operator {
        BinaryOperator::Add => a + b,
        BinaryOperator::Subtract => a - b,
        BinaryOperator::Multiply => a * b,
        BinaryOperator::Remainder => a % b,
        _ => a / b,
    })
}

/// A computed number: whole ones become integers, and there is no infinity.
pub(super) fn number(value: f64) -> Result<Value, Box<Diagnostic>> {
    // Every whole float in this range is an i64; the upper bound is not.
    const WHOLE: std::ops::Range<f64> = -9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0;
    if !value.is_finite() {
        Err(arithmetic("the result is too large for a number"))
    } else if value.fract() == 0.0 && WHOLE.contains(&value) {
        Ok(Value::Integer(value as i64))
    } else {
        Ok(Value::Float(value))
    }
}

fn arithmetic(message: &str) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(ARITHMETIC, message))
}

fn kind(message: String) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(KIND, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(operator: BinaryOperator, left: impl Into<Value>, right: impl Into<Value>) -> Result<Value, &'static str> {
        binary(operator, &left.into(), &right.into()).map_err(|diagnostic| diagnostic.code)
    }

    #[test]
    fn whole_results_are_integers() {
        assert_eq!(of(BinaryOperator::Divide, 7, 2), Ok(Value::Float(3.5)));
        assert_eq!(of(BinaryOperator::Divide, 6, 2), Ok(Value::Integer(3)));
        assert_eq!(of(BinaryOperator::Add, Value::Float(0.5), Value::Float(0.5)), Ok(Value::Integer(1)));
        assert_eq!(of(BinaryOperator::Remainder, -7, 3), Ok(Value::Integer(-1)));
        assert_eq!(of(BinaryOperator::Remainder, Value::Float(7.5), 2), Ok(Value::Float(1.5)));
    }

    #[test]
    fn arithmetic_fails_rather_than_wraps() {
        for (operator, left, right) in [
            (BinaryOperator::Divide, 1, 0),
            (BinaryOperator::Remainder, 1, 0),
            (BinaryOperator::Add, i64::MAX, 1),
            (BinaryOperator::Subtract, i64::MIN, 1),
            (BinaryOperator::Multiply, i64::MAX, 2),
            (BinaryOperator::Divide, i64::MIN, -1),
        ] {
            assert_eq!(of(operator, left, right), Err(ARITHMETIC), "{left} {} {right}", operator.sign());
        }
        assert_eq!(of(BinaryOperator::Remainder, i64::MIN, -1), Ok(Value::Integer(0)));
        assert_eq!(of(BinaryOperator::Divide, 1, Value::Float(0.0)), Err(ARITHMETIC));
        assert_eq!(of(BinaryOperator::Multiply, Value::Float(1e300), Value::Float(1e300)), Err(ARITHMETIC));
        assert!(unary(UnaryOperator::Negate, &Value::Integer(i64::MIN)).is_err());
    }

    #[test]
    fn only_numbers_are_ordered_and_added() {
        assert_eq!(of(BinaryOperator::Less, "a", "b"), Err(KIND));
        assert_eq!(of(BinaryOperator::Add, "a", 1), Err(KIND));
        assert_eq!(of(BinaryOperator::Equal, "1", 1), Ok(Value::Bool(false)));
        assert_eq!(of(BinaryOperator::Equal, Value::Float(1.0), 1), Ok(Value::Bool(true)));
    }
}
