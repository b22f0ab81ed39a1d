//! `iam.instance_profile`: what gives a role to an EC2 instance.

mod profile;
mod properties;
mod verbs;

pub use profile::{InstanceProfile, TYPE};
