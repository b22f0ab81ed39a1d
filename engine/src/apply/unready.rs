//! What a call still lacks when it is to be made.

use crate::address::{Address, Path, Step as PathStep};
use crate::diagnostic::Diagnostics;
use crate::value::{Map, Value};

/// Why an operation's call cannot be made although all that it waits for is done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unready {
    #[error(
        "it needs `{1}` of {0}, which is told only when that is made; make {0} anew (take its block out, apply, and put it \
         back) to get a new one"
    )]
    Unknown(Address, String),
    #[error("{}", .0.0.iter().map(|found| found.message.as_str()).collect::<Vec<_>>().join("; "))]
    Broken(Diagnostics),
    #[error("the plan does not say what to do; this is a fault of s3stack")]
    Nonsense,
}

impl From<Diagnostics> for Unready {
    fn from(found: Diagnostics) -> Self {
        Self::Broken(found)
    }
}

/// An attribute of another resource that a value still waits for.
pub(super) fn foreign_unknown(value: &Value, own: &Address) -> Option<(Address, String)> {
    match value {
        Value::Unknown(unknown) => unknown
            .waits_for()
            .into_iter()
            .find(|(address, _)| *address != own)
            .map(|(address, name)| (address.clone(), name.to_owned())),
        Value::List(list) => list.iter().find_map(|value| foreign_unknown(value, own)),
        Value::Map(map) => map.values().find_map(|value| foreign_unknown(value, own)),
        Value::Secret(secret) => foreign_unknown(secret.expose(), own),
        _ => None,
    }
}

/// Puts a value at a path of keys; lists are whole and hold no differences of their own.
pub(super) fn set(map: &mut Map, path: &Path, value: Value) {
    fn descend(map: &mut Map, steps: &[PathStep], value: Value) {
        match steps {
            [PathStep::Key(key)] => {
                map.insert(key.clone(), value);
            }
            [PathStep::Key(key), rest @ ..] => {
                let inner = map.entry(key.clone()).or_insert_with(|| Value::Map(Map::new()));
                if let Value::Map(inner) = inner {
                    descend(inner, rest, value);
                }
            }
            _ => {}
        }
    }
    descend(map, &path.0, value);
}
