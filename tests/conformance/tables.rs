//! Everything that is not as every type should be, with the reason. A line that is no longer needed fails the suite.

use crate::ledger::Part;

/// Checks that the emulator (ministack 1.5.33) cannot run for a type: type, check, reason. A type of which every check
/// stands here is run by nothing, and fails the suite.
pub const EXCUSED: &[(&str, &str, &str)] = &[];

/// Properties of base fixtures that the emulator answers wrongly after they were taken out: type, property, reason.
pub const NOT_RESET: &[(&str, &str, &str)] = &[];

/// Managed properties that `updated` need not change: type, property, reason.
pub const NOT_UPDATED: &[(&str, &str, &str)] = &[];

/// Declared actions that only come into play when something else is there: type, verb, action, reason.
pub const CONDITIONAL: &[(&str, Part, &str, &str)] = &[];

/// Types of which an account cannot list the resources: type, reason.
pub const NOT_LISTED: &[(&str, &str)] = &[];

/// Why a check of a type is not run.
pub fn excuse(type_name: &str, check: &str) -> Option<&'static str> {
    EXCUSED.iter().find(|(of, name, _)| *of == type_name && *name == check).map(|(.., reason)| *reason)
}

/// Why a property's reset is not looked at.
pub fn not_reset(type_name: &str, property: &str) -> Option<&'static str> {
    NOT_RESET.iter().find(|(of, name, _)| *of == type_name && *name == property).map(|(.., reason)| *reason)
}

/// Why a property stays as it is in `updated`.
pub fn not_updated(type_name: &str, property: &str) -> Option<&'static str> {
    NOT_UPDATED.iter().find(|(of, name, _)| *of == type_name && *name == property).map(|(.., reason)| *reason)
}

/// When a declared action is needed.
pub fn conditional(type_name: &str, part: Part, action: &str) -> Option<&'static str> {
    CONDITIONAL
        .iter()
        .find(|(of, of_part, name, _)| *of == type_name && *of_part == part && *name == action)
        .map(|(.., reason)| *reason)
}

/// Every type that a table names.
pub fn types() -> impl Iterator<Item = &'static str> {
    let three = [EXCUSED, NOT_RESET, NOT_UPDATED].into_iter().flatten().map(|(of, ..)| *of);
    three.chain(CONDITIONAL.iter().map(|(of, ..)| *of)).chain(NOT_LISTED.iter().map(|(of, _)| *of))
}
