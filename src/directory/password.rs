//! Argon2id hashes of passwords (D6). Costs time and memory on purpose: callers keep it off the threads that serve mail.

use super::model::PasswordHash;
use crate::mail::Secret;

/// Argon2id's cost, as RFC 9106 names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// m, in KiB.
    pub memory_kib: u32,
    /// t.
    pub passes: u32,
    /// p.
    pub lanes: u32,
}

impl Default for Cost {
    fn default() -> Self {
        Self { memory_kib: 19_456, passes: 2, lanes: 1 }
    }
}

/// Hashes a password with a fresh salt.
pub fn hash(secret: &Secret, cost: Cost) -> PasswordHash {
    todo!()
}

/// A new password that fits the rules: for `--generate`.
pub fn generate() -> Secret {
    todo!()
}
