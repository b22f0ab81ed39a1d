//! What people and programs see: the only place that prints.
//!
//! Everything here but [`printer`] and [`progress`] is pure: values come in, text or JSON goes out. Standard output is
//! data, standard error is talk, and nothing is said by colour alone.

mod commands;
pub mod diagnostic;
pub mod drawing;
mod explain;
pub mod json;
mod markdown;
pub mod plan;
mod policy;
pub mod printer;
pub mod progress;
mod prompt;
mod properties;
pub mod state;
pub mod summary;
pub mod text;
pub mod values;

pub use explain::render_page;
pub use markdown::render_document;
pub use plan::{PlanOptions, render_plan};
pub use printer::{Answer, ColourChoice, Format, Settings, Ui, Verbosity, Working};
pub use progress::Progress;
pub use prompt::{Assistant, Prompt};
pub use state::EnvironmentRow;
pub use summary::{Effort, render_summary};
pub use text::Layout;
