//! Functions of numbers.

use std::cmp::Ordering;

use super::{Arguments, Function, Refusal};
use crate::expression::compare::{self, Number};
use crate::expression::operate;
use crate::value::Value;

pub(super) const MIN: Function =
    Function::whole("min(number, numbers...)", "The smallest of the numbers.", "min(3, 1.5, 2)", "1.5", |arguments| {
        extreme(arguments, Ordering::Less)
    });

pub(super) const MAX: Function = Function::whole(
    "max(number, numbers...)",
    "The largest of the numbers.",
    "max([3, 12, 9]...)",
    "12",
    |arguments| extreme(arguments, Ordering::Greater),
);

fn extreme(arguments: &mut Arguments, wanted: Ordering) -> Result<Value, Refusal> {
    let mut extreme = arguments.number(0)?;
    for at in 1..arguments.count() {
        let number = arguments.number(at)?;
        if compare::numbers(number, extreme) == wanted {
            extreme = number;
        }
    }
    value(extreme)
}

pub(super) const ABS: Function =
    Function::whole("abs(number)", "The number without its sign.", "abs(-2.5)", "2.5", |arguments| {
        match arguments.number(0)? {
            Number::Integer(value) => value
                .checked_abs()
                .map(Value::Integer)
                .ok_or_else(|| Refusal::arithmetic("the result does not fit into 64 bits")),
            Number::Float(number) => value(Number::Float(number.abs())),
        }
    });

pub(super) const CEIL: Function =
    Function::whole("ceil(number)", "The number, rounded up.", "ceil(5.1)", "6", |arguments| {
        rounded(arguments, f64::ceil)
    });

pub(super) const FLOOR: Function =
    Function::whole("floor(number)", "The number, rounded down.", "floor(-5.1)", "-6", |arguments| {
        rounded(arguments, f64::floor)
    });

fn rounded(arguments: &mut Arguments, round: fn(f64) -> f64) -> Result<Value, Refusal> {
    value(match arguments.number(0)? {
        Number::Float(value) => Number::Float(round(value)),
        whole => whole,
    })
}

pub(super) const SIGNUM: Function =
    Function::whole("signum(number)", "-1, 0 or 1, as the number's sign.", "signum(-0.5)", "-1", |arguments| {
        Ok(Value::Integer(compare::numbers(arguments.number(0)?, Number::Integer(0)) as i64))
    });

pub(super) const POW: Function = Function::whole(
    "pow(base, exponent)",
    "The base to the power of the exponent.",
    "pow(2, 10)",
    "1024",
    |arguments| {
        let (base, exponent) = (arguments.number(0)?, arguments.number(1)?);
        if let (Number::Integer(base), Number::Integer(exponent @ 0..)) = (base, exponent) {
            // The bases whose powers never grow are the only ones an exponent beyond 32 bits is right for.
            let exponent = match base {
                -1..=1 => exponent % 2 + 2 * i64::from(exponent > 1),
                _ => exponent,
            };
            let power = u32::try_from(exponent).ok().and_then(|exponent| base.checked_pow(exponent));
            return power
                .map(Value::Integer)
                .ok_or_else(|| Refusal::arithmetic("the result does not fit into 64 bits"));
        }
        value(Number::Float(base.as_float().powf(exponent.as_float())))
    },
);

pub(super) const LOG: Function = Function::whole(
    "log(number, base)",
    "The logarithm of the number to the base.",
    "log(0.25, 2)",
    "-2",
    |arguments| {
        let (number, base) = (arguments.number(0)?.as_float(), arguments.number(1)?.as_float());
        value(Number::Float(number.ln() / base.ln()))
    },
);

pub(super) const PARSEINT: Function = Function::whole(
    "parseint(text, base)",
    "The whole number that the text writes in the base, 2 to 36.",
    r#"parseint("ff", 16)"#,
    "255",
    |arguments| {
        let (text, base) = (arguments.text(0)?, arguments.integer(1)?);
        let Some(base) = u32::try_from(base).ok().filter(|base| (2..=36).contains(base)) else {
            return Err(Refusal::new("`base` must be from 2 to 36").about(1));
        };
        i64::from_str_radix(&text, base)
            .map(Value::Integer)
            .map_err(|error| Refusal::new(format!("`{text}` is not a number in base {base}: {error}")).about(0))
    },
);

fn value(number: Number) -> Result<Value, Refusal> {
    match number {
        Number::Integer(value) => Ok(Value::Integer(value)),
        Number::Float(value) => Ok(operate::number(value)?),
    }
}
