//! Mailboxes as peers write them, and addresses as the directory stores them.
//!
//! A [`Mailbox`] keeps the text that was given (for trace headers and for relaying); an [`Address`] is folded, so
//! that two spellings never become two records (RFC 5321 §2.4 leaves the case of local parts to the final host).

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use super::domain::{Domain, DomainError};
use super::limits::MAILBOX_OCTETS;

/// Octets of a text none of whose spellings is too long. Lower case in NFC takes less than five times as much, A-labels less than
/// three times, U-labels less than four times.
const NEVER_TOO_LONG: usize = MAILBOX_OCTETS / 8;

/// Why a text is not a mailbox.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No `@`, or nothing before or after it.
    #[error("`{0}` is not an address: write it as local@domain")]
    Shape(String),
    /// The local part is neither a dot-atom nor a quoted string.
    #[error("`{0}` is not a local part: quote it, or leave out spaces, control characters, `<>()[]:;,\\\"` and doubled dots")]
    LocalPart(String),
    /// The part after the `@` is not a domain.
    #[error(transparent)]
    Domain(#[from] DomainError),
    /// The `[…]` after the `@` is not an address literal.
    #[error("`{0}` is not an address literal: write [192.0.2.1] or [IPv6:2001:db8::1]")]
    Literal(String),
    /// Longer than [`MAILBOX_OCTETS`], in some spelling.
    #[error("the address has {0} octets; at most {MAILBOX_OCTETS} are allowed")]
    TooLong(usize),
}

/// What stands after the `@`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Host {
    /// A domain name.
    Domain(Domain),
    /// An address literal, with its brackets (RFC 5321 §4.1.3).
    Literal(String),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(domain) => domain.fmt(f),
            Self::Literal(text) => f.write_str(text),
        }
    }
}

/// A mailbox as it was written: `Local-part "@" ( Domain / address-literal )` (RFC 5321 §4.1.2, RFC 6531 §3.3).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mailbox {
    text: String,
    local: String,
    host: Host,
}

impl Mailbox {
    /// Reads `local@domain`, with dot-atom or quoted local part, without angle brackets.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.len() > MAILBOX_OCTETS {
            return Err(AddressError::TooLong(text.len()));
        }
        let shape = || AddressError::Shape(text.to_owned());
        let (local, host) = text.rsplit_once('@').ok_or_else(shape)?;
        if local.is_empty() || host.is_empty() {
            return Err(shape());
        }
        let mailbox = Self { local: unquoted(local)?, host: parse_host(host)?, text: text.to_owned() };
        if text.len() > NEVER_TOO_LONG {
            mailbox.check_spellings()?;
        }
        Ok(mailbox)
    }

    /// Whatever can be read can be written and read again, folded or with U-labels: the directory does so with its records.
    fn check_spellings(&self) -> Result<(), AddressError> {
        let Some(address) = self.address() else { return Ok(()) };
        let longest = address.to_string().len().max(address.unicode().len());
        if longest > MAILBOX_OCTETS { Err(AddressError::TooLong(longest)) } else { Ok(()) }
    }

    /// A mailbox of an unquoted local part and what stands behind the `@`. The local part is quoted where it has to be.
    pub fn compose(local: &str, host: &Host) -> Result<Self, AddressError> {
        Self::parse(&format!("{}@{host}", Quoted(local)))
    }

    /// The text as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The local part without its quotes, otherwise as given.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The domain or address literal.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The domain, unless it is an address literal.
    pub fn domain(&self) -> Option<&Domain> {
        match &self.host {
            Host::Domain(domain) => Some(domain),
            Host::Literal(_) => None,
        }
    }

    /// The folded address, unless the host is an address literal.
    pub fn address(&self) -> Option<Address> {
        Some(Address::new(&self.local, self.domain()?.clone()))
    }

    /// The same mailbox with its domain in its one canonical spelling. What the local part means is for its host to say.
    pub fn with_folded_domain(&self) -> Self {
        let text = match (&self.host, self.text.rsplit_once('@')) {
            (Host::Domain(domain), Some((local, _))) => format!("{local}@{domain}"),
            _ => self.text.clone(),
        };
        Self { text, local: self.local.clone(), host: self.host.clone() }
    }

    /// Whether a peer without SMTPUTF8 can carry the text (RFC 6531 §3.4).
    pub fn is_ascii(&self) -> bool {
        self.text.is_ascii()
    }
}

fn parse_host(host: &str) -> Result<Host, AddressError> {
    let Some(inner) = host.strip_prefix('[') else { return Ok(Host::Domain(Domain::parse(host)?)) };
    let literal = || AddressError::Literal(host.to_owned());
    let address = inner.strip_suffix(']').ok_or_else(literal)?;
    let valid = match address.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("IPv6:") => address.get(5..).is_some_and(|a| a.parse::<std::net::Ipv6Addr>().is_ok()),
        _ => address.parse::<std::net::Ipv4Addr>().is_ok(),
    };
    if valid { Ok(Host::Literal(host.to_owned())) } else { Err(literal()) }
}

/// The content of a local part, checked: dot-atom, or quoted string with its quoted pairs resolved.
fn unquoted(local: &str) -> Result<String, AddressError> {
    let refused = || AddressError::LocalPart(local.to_owned());
    let Some(inner) = local.strip_prefix('"') else {
        return if is_dot_atom(local) { Ok(local.to_owned()) } else { Err(refused()) };
    };
    let inner = inner.strip_suffix('"').filter(|_| local.len() > 2).ok_or_else(refused)?;
    let mut content = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        let literal = match character {
            '"' => return Err(refused()),
            '\\' => characters.next().filter(char::is_ascii).ok_or_else(refused)?,
            other => other,
        };
        if literal.is_control() {
            return Err(refused());
        }
        content.push(literal);
    }
    if content.is_empty() { Err(refused()) } else { Ok(content) }
}

/// `dot-atom` of RFC 5322 §3.2.3, with the UTF-8 of RFC 6531 §3.3.
fn is_dot_atom(text: &str) -> bool {
    let atext = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' => true,
        '!' | '#' | '$' | '%' | '&' | '\'' | '*' | '+' | '-' | '/' | '=' | '?' | '^' | '_' | '`' | '{' | '|' | '}' | '~' => true,
        other => !other.is_ascii() && !other.is_control() && !other.is_whitespace(),
    };
    text.split('.').all(|atom| !atom.is_empty() && atom.chars().all(atext))
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Mailbox {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Mailbox {
    type Error = AddressError;
    fn try_from(text: String) -> Result<Self, AddressError> {
        Self::parse(&text)
    }
}

impl From<Mailbox> for String {
    fn from(mailbox: Mailbox) -> Self {
        mailbox.text
    }
}

/// An address in its one canonical spelling: local part in NFC and lower case, domain in A-labels.
///
/// Ordered by domain first, so that a domain's addresses lie together.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    domain: Domain,
    local: Box<str>,
}

impl Address {
    /// Folds an unquoted local part and joins it to a domain.
    pub fn new(local: &str, domain: Domain) -> Self {
        Self { domain, local: folded(local) }
    }

    /// Reads `local@domain` in any spelling.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let shape = || AddressError::Shape(text.to_owned());
        Mailbox::parse(text)?.address().ok_or_else(shape)
    }

    /// The folded, unquoted local part.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The domain.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The form for people: U-labels where the domain has any.
    pub fn unicode(&self) -> String {
        format!("{}@{}", Quoted(&self.local), self.domain.unicode())
    }
}

/// Lower case in NFC. Lower-casing can undo a composition, hence the second pass.
fn folded(local: &str) -> Box<str> {
    if local.is_ascii() {
        return local.to_ascii_lowercase().into();
    }
    let composed: String = local.nfc().collect();
    composed.to_lowercase().nfc().collect::<String>().into()
}

/// Writes a local part, quoted where it is not a dot-atom.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_dot_atom(self.0) {
            return f.write_str(self.0);
        }
        f.write_str("\"")?;
        for character in self.0.chars() {
            if matches!(character, '"' | '\\') {
                f.write_str("\\")?;
            }
            fmt::Write::write_char(f, character)?;
        }
        f.write_str("\"")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", Quoted(&self.local), self.domain)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Address {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;
    fn try_from(text: String) -> Result<Self, AddressError> {
        Self::parse(&text)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn folded(text: &str) -> String {
        Address::parse(text).map(|a| a.to_string()).unwrap_or_else(|e| format!("error: {e}"))
    }

    #[test]
    fn spellings_of_one_address_fold_together() {
        for (given, canonical) in [
            ("Alice@Example.ORG.", "alice@example.org"),
            ("\"alice\"@example.org", "alice@example.org"),
            ("\"al\\ice\"@example.org", "alice@example.org"),
            ("\"Two Words\"@example.org", "\"two words\"@example.org"),
            ("\"a@b\"@example.org", "\"a@b\"@example.org"),
            ("JOSÉ@example.org", "josé@example.org"),
            ("Jose\u{301}@example.org", "josé@example.org"),
            ("o'brien+x/y@bücher.example", "o'brien+x/y@xn--bcher-kva.example"),
        ] {
            assert_eq!(folded(given), canonical, "{given}");
        }
    }

    #[test]
    fn what_is_no_mailbox_is_refused() {
        let long = format!("{}@example.org", "a".repeat(MAILBOX_OCTETS));
        for given in [
            "",
            "@",
            "a@",
            "@b",
            "a",
            "a..b@c",
            ".a@c",
            "a.@c",
            "a b@c",
            "a\"b@c",
            "\"\"@c",
            "\"a@c",
            "\"a\"b\"@c",
            "a@[300.1.1.1]",
            "a@[IPv6:zz]",
            "a@[1.2.3.4",
            "a@b c",
            "\u{0}@c",
            "\"\u{7f}\"@c",
            "<a@b>",
            "a,b@c",
            &long,
        ] {
            assert!(Mailbox::parse(given).is_err(), "{given:?}");
        }
    }

    #[test]
    fn what_grows_too_long_when_folded_is_refused_at_once() {
        for (local, domain) in [
            ("a".repeat(500), "bü.ü.ü"),
            ("\u{1d160}".repeat(120), "example.org"),
            ("a".repeat(400), "xn--9wfaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        ] {
            let text = format!("{local}@{domain}");
            assert!(text.len() <= MAILBOX_OCTETS);
            match Mailbox::parse(&text).map(|mailbox| mailbox.address()) {
                Ok(Some(address)) => {
                    assert_eq!(Address::parse(&address.to_string()), Ok(address.clone()));
                    assert_eq!(Address::parse(&address.unicode()), Ok(address));
                }
                refused => assert!(matches!(refused, Err(AddressError::TooLong(octets)) if octets > MAILBOX_OCTETS), "{refused:?}"),
            }
        }
        assert!(Mailbox::parse(&format!("{}@bü.ü.ü", "a".repeat(500))).is_err());
    }

    #[test]
    fn literals_are_mailboxes_but_never_addresses() {
        for given in ["postmaster@[127.0.0.1]", "a@[IPv6:::1]", "a@[ipv6:2001:db8::1]"] {
            assert!(Mailbox::parse(given).is_ok_and(|m| m.address().is_none() && m.as_str() == given), "{given}");
        }
    }

    #[test]
    fn a_local_part_elsewhere_stays_as_it_is() {
        for (given, folded) in [
            ("Some.One@Example.COM.", "Some.One@example.com"),
            ("\"Two Words\"@Bücher.example", "\"Two Words\"@xn--bcher-kva.example"),
            ("A@[192.0.2.1]", "A@[192.0.2.1]"),
        ] {
            let mailbox = Mailbox::parse(given).map(|mailbox| mailbox.with_folded_domain());
            assert!(mailbox.is_ok_and(|mailbox| mailbox.as_str() == folded && Mailbox::parse(folded) == Ok(mailbox)), "{given}");
        }
    }

    proptest! {
        #[test]
        fn folding_is_idempotent(text in "\\PC{0,40}") {
            for text in [format!("{text}@example.org"), format!("\"{text}\"@Bücher.example")] {
                if let Ok(address) = Address::parse(&text) {
                    prop_assert_eq!(Address::parse(&address.to_string()), Ok(address));
                }
            }
        }
    }
}
