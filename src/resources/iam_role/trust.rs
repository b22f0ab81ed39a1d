//! The trust policy that `trust` comes to.


use s3stack_engine::address::Path;
use s3stack_engine::policy::check::{Kind, Limit, check as check_document};
use s3stack_engine::policy::{Document, statements, trust};
use s3stack_engine::resource::{Resource, Surroundings};
use s3stack_engine::schema::validate::Problem;
use s3stack_engine::value::{Map, Unknown, Value};

use crate::resources::iam::grants;

/// The managed property: the document in AWS's shape, or unknown as a whole where a provider's ARN is, since its host is
/// part of the keys.
pub(super) fn managed(resource: &Resource, around: &dyn Surroundings) -> Result<Value, Vec<Problem>> {
    let entries = resource.property("trust");
    if !trust::shape_is_known(entries) {
        let scope = Map::from([("trust".to_owned(), entries.clone())]);
        return Ok(Value::from(Unknown::Expression { source: "${trust}".into(), scope }));
    }
    Ok(document(resource, around)?.to_value())
}

fn document(resource: &Resource, around: &dyn Surroundings) -> Result<Document, Vec<Problem>> {
    let entries = resource.property("trust");
    let file = grants::file(statements::file_of(entries), "trust", around)?;
    trust::document(entries, file.as_deref())
        .map_err(|found| found.into_iter().map(|problem| problem.below(&Path::of("trust")).into()).collect())
}

/// What AWS would refuse in the document, and whom it trusts too widely. What [`managed`] fails with is not told again.
pub(super) fn check(resource: &Resource, around: &dyn Surroundings, problems: &mut Vec<Problem>) {
    let entries = resource.property("trust");
    if !trust::shape_is_known(entries) {
        return;
    }
    let Ok(document) = document(resource, around) else { return };
    // The document's statements are made of several entries, so that a place in it is none in the stack file.
    let place = match statements::file_of(entries) {
        Some(_) => Path::of("trust").key("file"),
        None => Path::of("trust"),
    };
    let found = check_document(&document, Kind::Trust, Limit::TRUST);
    problems.extend(found.into_iter().map(|problem| Problem { path: place.clone(), ..problem.into() }));
}
