//! What goes wrong with the real program: killed at every request, two at once, paused, signalled, changed behind its
//! back, fed with nonsense, and watched for secrets.

#[path = "../support/mod.rs"]
mod support;

mod damaged;
mod killed;
mod live;
mod refused;
mod secrets;
mod signals;
mod stacks;
mod together;
