//! The command line as people and programs meet it: what each command does, what it says to wrong input, and what it
//! answers.

#[path = "../support/mod.rs"]
mod support;

mod backend;
mod codes;
mod commands;
mod console;
mod graph;
mod local;
mod reference;
mod saved;
mod stacks;
mod wrong;
