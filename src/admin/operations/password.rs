//! Passwords on their way into the directory: given or generated, hashed, and forgotten.

use std::sync::{Mutex, PoisonError};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::admin::problem::{Kind, Problem};
use crate::directory::PasswordHash;
use crate::directory::password::{Cost, generate, hash};
use crate::mail::Secret;

/// A password as it comes in a request. `Debug` shows nothing of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "String")]
pub struct Clear(Secret);

impl From<String> for Clear {
    fn from(text: String) -> Self {
        Self(Secret::given(text))
    }
}

/// Which password an account is to have.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewPassword")]
pub struct Wish {
    /// This one.
    pub password: Option<Clear>,
    /// A new one, that the answer shows once.
    #[serde(default)]
    pub generate: bool,
}

/// A password that may be stored, and what the answer shows of it.
pub(super) struct Settled {
    pub hash: PasswordHash,
    pub shown: Option<String>,
}

/// One hash at a time: each takes Argon2's memory, which a flood of requests would multiply.
static HASHING: Mutex<()> = Mutex::new(());

impl Wish {
    /// Holds the password to the rules, and hashes it.
    pub(super) fn settle(self, cost: Cost) -> Result<Settled, Problem> {
        let (secret, shown) = match (self.password, self.generate) {
            (Some(Clear(given)), false) => (Secret::new(given.expose().to_owned())?, None),
            (None, true) => {
                let secret = generate();
                let shown = secret.expose().to_owned();
                (secret, Some(shown))
            }
            _ => return Err(Problem::new(Kind::BadValue, "give either `password`, or `generate`: true".into())),
        };
        let _turn = HASHING.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Settled { hash: hash(&secret, cost), shown })
    }
}
