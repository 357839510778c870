//! Mail domains (RFC 5321 §2.3.5), with internationalised ones folded to A-labels (RFC 5890, UTS 46).

use std::fmt;

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
use serde::{Deserialize, Serialize};

use super::limits::DOMAIN_OCTETS;

/// A domain in its one canonical spelling: lower-case A-labels, no trailing dot.
///
/// `Display` gives the stored form; [`Domain::unicode`] gives what a person reads.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Domain(Box<str>);

/// Why a text is not a domain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a domain name: use letters, digits and hyphens in labels of at most 63 octets, with dots between them")]
pub struct DomainError(pub String);

impl Domain {
    /// Folds `text` (U-labels or A-labels, any case, with or without the trailing dot).
    pub fn parse(text: &str) -> Result<Self, DomainError> {
        let refused = || DomainError(text.chars().take(DOMAIN_OCTETS).collect());
        if text.len() > DOMAIN_OCTETS * 4 {
            return Err(refused());
        }
        let undotted = text.strip_suffix('.').unwrap_or(text);
        let folded =
            Uts46::new().to_ascii(undotted.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow, DnsLength::Verify).map_err(|_| refused())?;
        if folded.split('.').all(is_label) { Ok(Self(folded.into())) } else { Err(refused()) }
    }

    /// The stored form: lower-case A-labels.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form for people: U-labels where the domain has any.
    pub fn unicode(&self) -> String {
        let (text, _) = Uts46::new().to_unicode(self.0.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow);
        text.into_owned()
    }
}

/// Letters, digits, hyphens inside; and the underscore, which host names may not have but mail domains in use do.
fn is_label(label: &str) -> bool {
    label.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || matches!(octet, b'-' | b'_'))
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Domain {
    type Err = DomainError;
    fn from_str(text: &str) -> Result<Self, DomainError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Domain {
    type Error = DomainError;
    fn try_from(text: String) -> Result<Self, DomainError> {
        Self::parse(&text)
    }
}

impl From<Domain> for String {
    fn from(domain: Domain) -> Self {
        domain.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_domain_fold_together() {
        for (given, folded) in [
            ("example.org", "example.org"),
            ("EXAMPLE.Org.", "example.org"),
            ("Bücher.example", "xn--bcher-kva.example"),
            ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
            ("bu\u{308}cher.example", "xn--bcher-kva.example"),
            ("localhost", "localhost"),
            ("mail_1.example.org", "mail_1.example.org"),
        ] {
            assert_eq!(Domain::parse(given).map(|d| d.to_string()), Ok(folded.to_owned()), "{given}");
        }
        assert_eq!(Domain::parse("xn--bcher-kva.example").map(|d| d.unicode()), Ok("bücher.example".to_owned()));
    }

    #[test]
    fn what_is_no_domain_is_refused() {
        let long_label = format!("{}.org", "a".repeat(64));
        let long = vec!["a".repeat(60); 5].join(".");
        for given in ["", ".", "..", "a..b", ".a", "-a.org", "a-.org", "a b.org", "a/b", "a@b", "xn--\u{0}", "\u{0}", &long_label, &long] {
            assert!(Domain::parse(given).is_err(), "{given:?}");
        }
    }
}
