//! The only place that prints.

mod plain;

pub use plain::Ui;
