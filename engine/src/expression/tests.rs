//! Tests of the language as a whole: from text to value.

mod evaluation;
mod properties;
mod scope;
mod unknowns;
