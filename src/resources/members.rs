//! Members of managed properties as the SDKs want them, and answers that mean "there is none".

use s3stack_engine::fault::{Fault, FaultKind};
use s3stack_engine::value::{Map, Value};

/// A property; null where there is none.
pub fn value<'a>(map: &'a Map, key: &str) -> &'a Value {
    const NULL: &Value = &Value::Null;
    map.get(key).unwrap_or(NULL)
}

/// A property that is a text.
pub fn text(map: &Map, key: &str) -> Option<String> {
    value(map, key).as_str().map(str::to_owned)
}

/// An answer, or nothing where AWS says that there is no such thing.
pub fn unless_missing<T>(answer: Result<T, Fault>) -> Result<Option<T>, Fault> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(fault) if fault.kind == FaultKind::NotFound => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// A deletion of what is not there is done.
pub fn gone_is_done(answer: Result<(), Fault>) -> Result<(), Fault> {
    unless_missing(answer).map(drop)
}
