//! The second factor of a master: the secret that its authenticator shares with us (RFC 6238), and codes for the day that the
//! authenticator is lost.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use super::TokenHash;

/// What a second factor is checked against. It is shown while it is set up, and never again.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondFactor {
    /// The shared secret: 160 bits, as RFC 4226 §4 has it.
    pub secret: [u8; 20],
    /// Digests of the recovery codes that are left. Each is good once.
    pub recovery: Vec<TokenHash>,
}

impl fmt::Debug for SecondFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecondFactor(hidden)")
    }
}

impl Drop for SecondFactor {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}
