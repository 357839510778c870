//! A password on its way to be hashed or compared.

use std::fmt;

use zeroize::Zeroizing;

use super::limits::{PASSWORD_CHARACTERS, PASSWORD_OCTETS};

/// A password in clear. It is wiped when dropped, and `Debug` prints nothing of it.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

/// Why a text may not become a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Fewer than [`PASSWORD_CHARACTERS`] characters.
    #[error("the password is too short: use at least {PASSWORD_CHARACTERS} characters")]
    TooShort,
    /// More than [`PASSWORD_OCTETS`] octets.
    #[error("the password is too long: use at most {PASSWORD_OCTETS} bytes")]
    TooLong,
    /// Any Unicode white space, or a control character that no login could carry.
    #[error("the password contains white space or a control character: use none of them")]
    WhiteSpace,
}

impl Secret {
    /// Takes a new password, holding it to the rules for passwords that are set.
    pub fn new(text: String) -> Result<Self, WeakPassword> {
        let secret = Self::given(text);
        let text = secret.expose();
        if text.len() > PASSWORD_OCTETS {
            Err(WeakPassword::TooLong)
        } else if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            Err(WeakPassword::WhiteSpace)
        } else if text.chars().count() < PASSWORD_CHARACTERS {
            Err(WeakPassword::TooShort)
        } else {
            Ok(secret)
        }
    }

    /// Takes what a peer offered at a login; any text may be wrong, none is malformed.
    pub fn given(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The clear text, for the hash function alone.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_for_new_passwords() {
        let check = |text: &str| Secret::new(text.to_owned()).map(|_| ());
        assert_eq!(check("sechs6"), Ok(()));
        assert_eq!(check("pässwö"), Ok(()));
        assert_eq!(check("12345"), Err(WeakPassword::TooShort));
        for space in [' ', '\t', '\u{a0}', '\u{2003}', '\u{3000}', '\n', '\0'] {
            assert_eq!(check(&format!("abc{space}def")), Err(WeakPassword::WhiteSpace), "{space:?}");
        }
        assert_eq!(check(&"x".repeat(1024)), Ok(()));
        assert_eq!(check(&"x".repeat(1025)), Err(WeakPassword::TooLong));
        assert_eq!(format!("{:?}", Secret::given("hunter2".into())), "Secret");
    }
}
