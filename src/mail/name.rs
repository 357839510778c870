//! The unique name of a master, a POP account or a list account.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A name in its folded form: `[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?`.
///
/// The form makes it safe as a file name and as the local part of the account's default address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Box<str>);

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot be a name: use 1 to 64 letters (a-z), digits, dots, underscores and hyphens, with a letter or digit at each end")]
pub struct NameError(pub String);

impl Name {
    /// The longest name, in octets.
    pub const OCTETS: usize = 64;

    /// Folds `text` to lower case.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let folded = text.to_ascii_lowercase();
        let bytes = folded.as_bytes();
        let ends = |octet: Option<&u8>| octet.is_some_and(u8::is_ascii_alphanumeric);
        let inner = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'_' | b'-');
        if bytes.len() <= Self::OCTETS && ends(bytes.first()) && ends(bytes.last()) && bytes.iter().all(inner) {
            Ok(Self(folded.into()))
        } else {
            Err(NameError(text.chars().take(Self::OCTETS + 1).collect()))
        }
    }

    /// The folded text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Name {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fold_and_keep_to_their_form() {
        let longest = "a".repeat(64);
        for (given, folded) in [("Alice", "alice"), ("a", "a"), ("info-example_1.org", "info-example_1.org"), (&longest, &longest)] {
            assert_eq!(Name::parse(given).map(String::from), Ok(folded.to_owned()));
        }
        let too_long = "a".repeat(65);
        for given in ["", "-a", "a-", ".", "..", "a b", "a/b", "a@b", "é", "a\0", " a", &too_long] {
            assert!(Name::parse(given).is_err(), "{given:?}");
        }
    }
}
