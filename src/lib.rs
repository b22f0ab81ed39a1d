//! s3stack: plans, proves and applies AWS stacks from a TOML file.
#![forbid(unsafe_code)]

pub mod aws;
pub mod backend;
pub mod cli;
pub mod cloud;
pub mod commands;
pub mod console;
pub mod deployment;
pub mod driver;
pub mod env_file;
pub mod error;
pub mod explain;
pub mod folder;
pub mod local;
mod look_up;
mod patience;
pub mod project;
pub mod resources;
mod rewrite;
pub mod seal;
pub mod time;
pub mod ui;
