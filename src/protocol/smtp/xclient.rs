//! `XCLIENT`: a trusted proxy tells whom it speaks for (Postfix `XCLIENT_README`).
//!
//! What a mail server has no use for (ports, login, destination) is checked and forgotten.

use std::net::IpAddr;

use super::command::Fault;
use super::reply::Reply;

/// The attributes, as `EHLO` announces them.
pub(super) const ATTRIBUTES: &str = "NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT";

/// What a proxy may say that nobody knows; the second, that asking again might help.
const UNKNOWN: [&str; 2] = ["[UNAVAILABLE]", "[TEMPUNAVAIL]"];

/// What the proxy knows of its client. The outer option: whether it was said; the inner: whether it is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Attributes {
    pub name: Option<Option<String>>,
    pub address: Option<Option<IpAddr>>,
    pub helo: Option<Option<String>>,
}

impl Attributes {
    /// Reads `attribute=xtext` pairs.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let mut attributes = Self::default();
        if text.is_empty() {
            return Err(Fault::Usage);
        }
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            attributes.take(word)?;
        }
        Ok(attributes)
    }

    /// These, and where they say nothing, what was said `before`.
    pub fn over(self, before: Option<Self>) -> Self {
        let before = before.unwrap_or_default();
        Self { name: self.name.or(before.name), address: self.address.or(before.address), helo: self.helo.or(before.helo) }
    }

    fn take(&mut self, word: &str) -> Result<(), Fault> {
        let (name, value) = word.split_once('=').ok_or(Fault::Usage)?;
        let name = ATTRIBUTES.split(' ').find(|known| known.eq_ignore_ascii_case(name)).ok_or(Fault::Usage)?;
        let bad = || Fault::Told(Reply::BadValue { name });
        let text = decoded(value).ok_or_else(bad)?;
        let known = (!UNKNOWN.iter().any(|word| word.eq_ignore_ascii_case(&text))).then_some(text);
        match (name, known) {
            ("NAME", name) => self.name = Some(name),
            ("HELO", helo) => self.helo = Some(helo),
            ("ADDR", None) => self.address = Some(None),
            ("ADDR", Some(text)) => self.address = Some(Some(address(&text).ok_or_else(bad)?)),
            ("DESTADDR", Some(text)) => drop(address(&text).ok_or_else(bad)?),
            ("PORT" | "DESTPORT", Some(text)) => drop(text.parse::<u16>().map_err(|_| bad())?),
            ("PROTO", Some(text)) if ["SMTP", "ESMTP", "LMTP"].iter().any(|known| known.eq_ignore_ascii_case(&text)) => {}
            ("LOGIN", _) | ("PORT" | "DESTADDR" | "DESTPORT", None) => {}
            _ => return Err(bad()),
        }
        Ok(())
    }
}

/// An IPv4 address, or an IPv6 one behind its tag.
fn address(text: &str) -> Option<IpAddr> {
    match text.split_at_checked(5) {
        Some((tag, rest)) if tag.eq_ignore_ascii_case("IPV6:") => rest.parse().ok().map(IpAddr::V6),
        _ => text.parse().ok().map(IpAddr::V4),
    }
}

/// Undoes `xtext`. What would upset a `Received` field is refused, and so is nothing at all.
fn decoded(text: &str) -> Option<String> {
    let mut content = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(plain) = rest.find('+') {
        let (before, coded) = rest.split_at_checked(plain)?;
        content.push_str(before);
        content.push(char::from(
            u8::from_str_radix(coded.get(1..3).filter(|digits| digits.bytes().all(|d| d.is_ascii_hexdigit()))?, 16).ok()?,
        ));
        rest = coded.get(3..)?;
    }
    content.push_str(rest);
    let fits = |octet: u8| octet.is_ascii_graphic() && !b"()<>\"\\,;".contains(&octet);
    (!content.is_empty() && content.len() <= crate::mail::limits::DOMAIN_OCTETS && content.bytes().all(fits)).then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_decoded() {
        let read = Attributes::parse(
            "NAME=mail+2Eexample.org addr=IPV6:2001:db8::1 PORT=25 PROTO=ESMTP HELO=x LOGIN=[UNAVAILABLE] DESTADDR=192.0.2.1 DESTPORT=25",
        );
        let expected = Attributes {
            name: Some(Some("mail.example.org".into())),
            address: "2001:db8::1".parse().ok().map(Some),
            helo: Some(Some("x".into())),
        };
        assert!(read.is_ok_and(|read| read == expected));
        let read = Attributes::parse("NAME=[TEMPUNAVAIL] ADDR=[unavailable]");
        assert!(read.is_ok_and(|read| read == Attributes { name: Some(None), address: Some(None), helo: None }));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for given in [
            "",
            "NAME",
            "NAME=",
            "COLOUR=red",
            "ADDR=x",
            "ADDR=2001:db8::1",
            "PORT=99999",
            "PROTO=HTTP",
            "NAME=a+0D",
            "NAME=a+2",
            "NAME=a+é",
            "NAME=a b",
            "HELO=a+20b",
        ] {
            assert!(Attributes::parse(given).is_err(), "{given}");
        }
    }
}
