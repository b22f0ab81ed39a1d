//! s3stack: plans, proves and applies AWS stacks from a TOML file.
#![forbid(unsafe_code)]

pub mod aws;
pub mod backend;
pub mod commands;
pub mod env_file;
pub mod local;
pub mod resources;
pub mod ui;
