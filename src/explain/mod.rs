//! What `s3stack explain` tells, and the reference pages under `docs/` with it: all of it out of the registry, the table of
//! functions, the language's own fields and the page of codes. It makes [`Page`]s; [`crate::ui`] lays them out.

pub mod codes;
mod example;
mod find;
mod functions;
mod index;
mod page;
mod property;
pub mod reference;
mod sections;
mod types;
mod words;

pub use find::{Unknown, find};
pub use page::{Entry, Fact, Page, Part};

#[cfg(test)]
mod tests;
