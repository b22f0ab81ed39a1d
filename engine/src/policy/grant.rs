//! Grants: least-privilege statements from access levels that resource types declare as data.

/// A level of access to resources of a type, such as `read`.
#[derive(Debug, Clone, Copy)]
pub struct AccessLevel {
    /// The word in the file.
    pub name: &'static str,
    /// What it allows, in a sentence.
    pub doc: &'static str,
    /// Levels it holds within.
    pub includes: &'static [&'static str],
    /// The statements it becomes.
    pub rules: &'static [AccessRule],
}

/// One statement of a level.
#[derive(Debug, Clone, Copy)]
pub struct AccessRule {
    /// IAM actions, `s3:GetObject`.
    pub actions: &'static [&'static str],
    /// The resource, with `{arn}` and `{prefix}` to be filled in: `{arn}/{prefix}*`.
    pub resource: &'static str,
}
