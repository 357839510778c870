//! What happens with a POP account's mail beside its delivery.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Target;

/// What happens with a POP account's mail beside its delivery. It lies apart from the account, under its id.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Handling {
    /// Who gets a copy of each message: POP accounts, and addresses elsewhere.
    pub copies: Vec<Target>,
    /// What senders are told while its owner is away.
    pub vacation: Option<Vacation>,
}

/// What senders are told while the owner is away (RFC 3834).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Vacation {
    /// The words.
    pub text: String,
    /// From when on; none: at once.
    pub from: Option<Timestamp>,
    /// Until when; none: until it is switched off.
    pub until: Option<Timestamp>,
}

impl Handling {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Vacation {
    /// Octets of a text.
    pub const OCTETS: usize = 16 * 1024;

    /// Whether it holds at this time.
    pub fn is_on(&self, now: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }
}
