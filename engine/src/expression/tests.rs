//! Tests of the language as a whole: from text to value.

mod evaluation;
mod files;
mod functions;
mod properties;
mod scope;
mod unknowns;
