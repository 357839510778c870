//! Bearer tokens of the HTTP API: kept as digests, so that whoever reads the disk cannot use them.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::mail::Name;

/// SHA-256 of a token's random octets. Plain hashing is enough: 256 random bits cannot be guessed from their digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TokenHash(pub [u8; 32]);

/// What a token is called where it is not to be shown: the first octets of its digest, in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenId(u64);

/// Why a text is not a token's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a token's id has 16 hexadecimal digits")]
pub struct TokenIdError;

/// A token that speaks for a master.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// How it is recognised.
    pub hash: TokenHash,
    /// Whose rights it has, as they are when it is used.
    pub master: Name,
    /// What it is for.
    pub label: String,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it is worth nothing.
    pub expires: Option<Timestamp>,
}

impl Token {
    /// What it is called.
    pub fn id(&self) -> TokenId {
        self.hash.id()
    }

    /// Whether it is worth anything.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

impl TokenHash {
    /// What the token is called.
    pub fn id(&self) -> TokenId {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        TokenId(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }
}

impl TokenId {
    /// Reads 16 hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, TokenIdError> {
        let digits = text.len() == 16 && text.bytes().all(|octet| octet.is_ascii_hexdigit());
        let number = digits.then(|| u64::from_str_radix(text, 16).ok()).flatten();
        number.map(Self).ok_or(TokenIdError)
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenHash({})", self.id())
    }
}

impl TryFrom<String> for TokenId {
    type Error = TokenIdError;
    fn try_from(text: String) -> Result<Self, TokenIdError> {
        Self::parse(&text)
    }
}

impl From<TokenId> for String {
    fn from(id: TokenId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_head_of_the_digest() {
        let id = TokenHash(std::array::from_fn(|at| at as u8)).id();
        assert_eq!(id.to_string(), "0001020304050607");
        assert_eq!(TokenId::parse("0001020304050607"), Ok(id));
        for text in ["", "1", "000102030405060g", "00010203040506070", "+001020304050607"] {
            assert!(TokenId::parse(text).is_err(), "{text}");
        }
    }
}
