//! The identity of one accepted message, as replies, logs and spool files show it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A queue id: 64 bits that grow with time, written in 13 letters and digits without look-alikes.
///
/// The text sorts as the number does, so a listing by name is a listing by age.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct QueueId(u64);

/// Crockford's base 32: no I, L, O, U.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH: usize = 13;

/// The text is not a queue id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a queue id: they have {LENGTH} letters and digits, as in the reply `queued as …`")]
pub struct NotAnId(pub String);

impl QueueId {
    /// Wraps a number; whoever numbers messages sees to it that each is used once.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Reads the text form, in either case.
    pub fn parse(text: &str) -> Result<Self, NotAnId> {
        let refused = || NotAnId(text.chars().take(40).collect());
        if text.len() != LENGTH {
            return Err(refused());
        }
        text.bytes()
            .try_fold(0u64, |number, letter| {
                let digit = DIGITS.iter().position(|d| *d == letter.to_ascii_uppercase())?;
                number.checked_mul(32)?.checked_add(digit as u64)
            })
            .map(Self)
            .ok_or_else(refused)
    }
}

impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in (0..LENGTH).rev() {
            let digit = (self.0 >> (5 * place)) & 31;
            fmt::Write::write_char(f, DIGITS.get(digit as usize).copied().map_or('0', char::from))?;
        }
        Ok(())
    }
}

impl fmt::Debug for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for QueueId {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        Self::parse(text)
    }
}

impl TryFrom<String> for QueueId {
    type Error = NotAnId;
    fn try_from(text: String) -> Result<Self, NotAnId> {
        Self::parse(&text)
    }
}

impl From<QueueId> for String {
    fn from(id: QueueId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_gives_the_number_back_and_sorts_like_it(a: u64, b: u64) {
            let (x, y) = (QueueId::new(a), QueueId::new(b));
            prop_assert_eq!(QueueId::parse(&x.to_string()), Ok(x));
            prop_assert_eq!(QueueId::parse(&x.to_string().to_lowercase()), Ok(x));
            prop_assert_eq!(x.to_string().cmp(&y.to_string()), a.cmp(&b));
        }
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["", "0", "00000000000000", "I000000000000", "Z000000000000", "../../../etc/"] {
            assert!(QueueId::parse(text).is_err(), "{text}");
        }
    }
}
