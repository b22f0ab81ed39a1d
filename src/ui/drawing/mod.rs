//! A stack's graph as a picture: what is drawn, how it is laid out, and the formats it is written in.

mod arranged;
mod blocks;
mod dot;
mod geometry;
mod layered;
mod layout;
mod mermaid;
mod model;
mod svg;
#[cfg(test)]
mod tests;
mod ways;

pub use dot::render_dot;
pub use layout::TooLarge;
pub use mermaid::render_mermaid;
pub use model::{Drawing, draw};
pub use svg::render_svg;
