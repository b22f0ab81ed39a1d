//! From a name to its page.

use s3stack_engine::diagnostic::did_you_mean;
use s3stack_engine::expression::functions as language;
use s3stack_engine::resource::Registry;
use s3stack_engine::stack::fields;

use super::page::Page;
use super::{codes, functions, index, sections, types};
use crate::resources::Types;

/// There is nothing of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// What there is not.
    pub message: String,
    /// What was meant, or what there is.
    pub help: String,
}

/// The page of a name; what there is to ask for without one.
pub fn find(name: Option<&str>) -> Result<Page, Unknown> {
    let Some(name) = name else { return Ok(index::page()) };
    if let Some((_, page)) = index::LISTS.iter().find(|(list, _)| *list == name) {
        return Ok(page());
    }
    if let Some(code) = codes::all().find(|code| code.code.eq_ignore_ascii_case(name)) {
        return Ok(codes::page(&code));
    }
    let steps: Vec<&str> = name.split('.').collect();
    if let [service, kind, path @ ..] = steps.as_slice()
        && let Some(kind) = Types.get(&format!("{service}.{kind}"))
    {
        return match path {
            [] => Ok(types::page(kind)),
            path => types::below(kind, path).map_err(|(step, known)| no_property(&steps, step + 2, &known)),
        };
    }
    if fields::sections().contains_key(steps.first().copied().unwrap_or_default()) {
        return sections::page(&steps).map_err(|(step, known)| no_property(&steps, step, &known));
    }
    if let Some(function) = language::find(name.trim_end_matches("()")) {
        return Ok(functions::page(function));
    }
    if let Some(key) = fields::reserved().get(name) {
        return Ok(sections::reserved_page(name, key));
    }
    if Types.names().iter().any(|kind| kind.split('.').next() == Some(name)) {
        return Ok(index::service(Some(name)));
    }
    Err(nothing(name, &steps))
}

/// More names than this are better read in a list.
const MANY: usize = 12;

/// A path that leads to no property.
fn no_property(steps: &[&str], at: usize, known: &[String]) -> Unknown {
    let (above, wrong) = (steps.get(..at).unwrap_or_default().join("."), steps.get(at).copied().unwrap_or_default());
    let help = match (did_you_mean(wrong, known.iter().map(String::as_str)), known) {
        (Some(near), _) => format!("did you mean `{above}.{near}`?"),
        (None, []) => format!("there is nothing inside it: `s3stack explain {above}` tells all"),
        (None, known) if known.len() <= MANY => format!("there are {}", known.join(", ")),
        (None, _) => format!("`s3stack explain {above}` lists what there is"),
    };
    Unknown { message: format!("{above} has no `{wrong}`"), help }
}

/// A name that begins with nothing there is.
fn nothing(name: &str, steps: &[&str]) -> Unknown {
    let types = Types.names();
    // Of a path it is the type that is wrong, as far as it was read.
    let meant_type = steps.get(..2).and_then(|head| did_you_mean(&head.join("."), types.iter().copied()));
    let help = match meant_type {
        Some(near) => {
            let rest = steps.get(2..).unwrap_or_default().iter().map(|step| format!(".{step}")).collect::<String>();
            format!("did you mean `{near}{rest}`?")
        }
        None if name.starts_with("S3S-") => "`s3stack explain codes` lists them all".into(),
        None => {
            let (sections, reserved) = (fields::sections(), fields::reserved());
            let words = types.iter().copied().chain(language::all().map(|function| function.name()));
            let words = words.chain(index::LISTS.iter().map(|(list, _)| *list)).chain(codes::all().map(|one| one.code));
            let words = words.chain(sections.keys().chain(reserved.keys()).map(String::as_str));
            match did_you_mean(name, words) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`s3stack explain` lists what there is".into(),
            }
        }
    };
    Unknown { message: format!("there is nothing called `{name}` to explain"), help }
}
