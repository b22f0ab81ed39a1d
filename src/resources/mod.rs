//! The resource types: one file (or folder) each, and one line here. `iam` is no type but what the types of IAM share;
//! `members`, `quantities`, `statements` and `tags` are what types of every service share.

#[cfg(test)]
mod for_each_tests;
pub mod iam;
#[cfg(test)]
mod lookups_tests;
pub mod members;
#[cfg(test)]
mod modules_tests;
#[cfg(test)]
mod places_tests;
mod provider;
pub mod quantities;
pub mod statements;
mod sweep;
pub mod tags;
#[cfg(test)]
pub(crate) mod testing;

use s3stack_engine::resource::{Registry, ResourceType};

pub use provider::*;
pub use sweep::Sweeps;

/// Declares the types: each name is a module of this folder that has a `TYPE`. Sorted by type name.
macro_rules! registry {
    ($($module:ident),* $(,)?) => {
        $(pub mod $module;)*

        /// Every resource type, sorted by name.
        pub static TYPES: &[&dyn Provider] = &[$(&$module::TYPE),*];
    };
}

registry! {
    iam_access_key,
    iam_group,
    iam_instance_profile,
    iam_policy,
    iam_role,
    iam_user,
    logs_group,
    s3_bucket,
    s3_object,
}

/// The registry, as the engine sees it.
pub struct Types;

impl Registry for Types {
    fn get(&self, name: &str) -> Option<&dyn ResourceType> {
        provider(name).map(|provider| provider as &dyn ResourceType)
    }

    fn names(&self) -> Vec<&'static str> {
        TYPES.iter().map(|provider| provider.descriptor().name).collect()
    }
}

/// The provider of a type.
pub fn provider(name: &str) -> Option<&'static dyn Provider> {
    TYPES.iter().find(|provider| provider.descriptor().name == name).copied()
}
