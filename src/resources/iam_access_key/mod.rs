//! `iam.access_key`: a key of a user, whose secret AWS tells once and which lives in a `.env` file and nowhere else.
//!
//! **The file is part of the resource.** Reading the key reads its lines too: a line that is missing or was changed is
//! drift and is written again. Lines without the secret are written from the stack file; lines with it from the secret
//! in the file. If that is not there any more, nobody can have it again, and the key is replaced, which the plan says
//! (`secret_copy`).
//!
//! **On which machine.** State says on which machine and in which folder the file was written (`kept_at`). Elsewhere (a
//! colleague's machine, a CI job) a missing file is no drift: replacing a key that works on one machine because another
//! one looks would be the opposite of safe.
//!
//! **Whose secret.** State has a digest of id and secret (`secret_digest`), so the secret in a file is known to be the
//! key's and not one that somebody put there. It tells nothing: a secret has 240 random bits.
//!
//! **Killed at any point of a creation.** The file is prepared (writable, room reserved) before AWS is asked for a key;
//! then AWS makes it; then the file is replaced in one step and synced; then state is told the id. So:
//! - killed before AWS answered, or before the file was replaced: a key exists that nobody has the secret of. It is found
//!   among the user's keys as the one that was not there before, was never used, and that no run of this process made for
//!   another block; recovery deletes it and a new one is made.
//! - killed after the file was replaced: the key is found by its id in the file, with its secret, and is taken into state.
//!
//! Reading never deletes anything; what it says of a half-made key ([`s3stack_engine::plan::Live`] with the attribute
//! `secret` where the secret is in the file) lets the engine decide.
//!
//! **Replacing** makes the new key first; the old one is made inactive, then deleted. AWS allows two keys: where the
//! user has another one besides, the old one goes first if it was never used or is inactive, and otherwise nothing is
//! done and the fault says which keys there are.

mod access_key;
mod env;
mod keys;
mod lines;
mod properties;
#[cfg(test)]
mod tests;
mod verbs;

pub use access_key::{AccessKey, TYPE};
