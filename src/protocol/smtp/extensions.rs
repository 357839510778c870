//! The service extensions: how `EHLO` announces them, and the parameters they add to `MAIL` and `RCPT`.
//!
//! SIZE (RFC 1870), 8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531), DSN (RFC 3461, RFC 6533), LIMITS (RFC 9422).

use std::fmt;

use super::command::Fault;
use super::reply::Reply;
use super::settings::{Encryption, Peer, Settings, Trust};
use super::xclient;
use crate::mail::envelope::Charset;
use crate::mail::{BodyType, Envelope, ForwardPath, Notify, Recipient, Return, ReversePath};

/// Octets of `ENVID` and `ORCPT` (RFC 3461 §4.2, §4.4).
const ENVID_OCTETS: usize = 100;
const ORCPT_OCTETS: usize = 500;

/// Octets of a parameter's name that a reply repeats.
const NAME_OCTETS: usize = 40;

/// One line of the answer to `EHLO`; `Display` is that line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the keyword it is named after")]
pub enum Extension {
    Pipelining,
    Size { limit: u64 },
    EightBitMime,
    SmtpUtf8,
    Chunking,
    EnhancedStatusCodes,
    Dsn,
    Limits { recipients: usize },
    Help,
    StartTls,
    Xclient,
}

impl Extension {
    /// What a session offers.
    pub(super) fn offered(settings: &Settings, encryption: Encryption, peer: &Peer) -> Vec<Self> {
        let mut offered = vec![
            Self::Pipelining,
            Self::Size { limit: settings.max_message_size },
            Self::EightBitMime,
            Self::SmtpUtf8,
            Self::Chunking,
            Self::EnhancedStatusCodes,
            Self::Dsn,
            Self::Limits { recipients: settings.max_recipients },
            Self::Help,
        ];
        offered.extend((encryption == Encryption::Offered).then_some(Self::StartTls));
        offered.extend((peer.trust == Trust::Proxy).then_some(Self::Xclient));
        offered
    }
}

impl fmt::Display for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pipelining => f.write_str("PIPELINING"),
            Self::Size { limit } => write!(f, "SIZE {limit}"),
            Self::EightBitMime => f.write_str("8BITMIME"),
            Self::SmtpUtf8 => f.write_str("SMTPUTF8"),
            Self::Chunking => f.write_str("CHUNKING"),
            Self::EnhancedStatusCodes => f.write_str("ENHANCEDSTATUSCODES"),
            Self::Dsn => f.write_str("DSN"),
            Self::Limits { recipients } => write!(f, "LIMITS RCPTMAX={recipients}"),
            Self::Help => f.write_str("HELP"),
            Self::StartTls => f.write_str("STARTTLS"),
            Self::Xclient => write!(f, "XCLIENT {}", xclient::ATTRIBUTES),
        }
    }
}

/// The parameters of `MAIL`.
pub(super) fn mail(sender: ReversePath, text: &str) -> Result<Envelope, Fault> {
    let mut envelope = Envelope::from_sender(sender);
    let (mut body, mut charset) = (None, None);
    for parameter in Parameters(text) {
        let parameter = parameter?;
        match parameter.known(&["SIZE", "BODY", "SMTPUTF8", "RET", "ENVID"])? {
            "SIZE" => parameter.set(&mut envelope.size, "SIZE", number)?,
            "BODY" => parameter.set(&mut body, "BODY", body_type)?,
            "SMTPUTF8" => parameter.flag(&mut charset, "SMTPUTF8", Charset::Utf8)?,
            "RET" => parameter.set(&mut envelope.ret, "RET", ret)?,
            _ => parameter.set(&mut envelope.envid, "ENVID", envid)?,
        }
    }
    envelope.body = body.unwrap_or_default();
    envelope.charset = charset.unwrap_or_default();
    Ok(envelope)
}

/// The parameters of `RCPT`.
pub(super) fn rcpt(path: ForwardPath, text: &str) -> Result<Recipient, Fault> {
    let mut recipient = Recipient { path, notify: None, original: None };
    for parameter in Parameters(text) {
        let parameter = parameter?;
        match parameter.known(&["NOTIFY", "ORCPT"])? {
            "NOTIFY" => parameter.set(&mut recipient.notify, "NOTIFY", notify)?,
            _ => parameter.set(&mut recipient.original, "ORCPT", original)?,
        }
    }
    Ok(recipient)
}

/// `esmtp-keyword ["=" esmtp-value]` (RFC 5321 §4.1.2).
struct Parameter<'a> {
    name: &'a str,
    value: Option<&'a str>,
}

struct Parameters<'a>(&'a str);

impl<'a> Iterator for Parameters<'a> {
    type Item = Result<Parameter<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.0.trim_start_matches(' ');
        if text.is_empty() {
            return None;
        }
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        self.0 = rest;
        let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
        let is_keyword =
            name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
        let is_value = |value: &str| !value.is_empty() && !value.chars().any(|c| c.is_control() || c == '=');
        let valid = is_keyword && value.is_none_or(is_value);
        Some(if valid { Ok(Parameter { name, value }) } else { Err(Fault::Usage) })
    }
}

impl Parameter<'_> {
    /// The name as `names` spells it.
    fn known(&self, names: &[&'static str]) -> Result<&'static str, Reply> {
        let found = names.iter().find(|name| name.eq_ignore_ascii_case(self.name)).copied();
        found.ok_or_else(|| Reply::BadParameter { name: self.name.chars().take(NAME_OCTETS).collect() })
    }

    /// Fills `place`, once.
    fn set<T>(&self, place: &mut Option<T>, name: &'static str, read: impl FnOnce(&str) -> Option<T>) -> Result<(), Reply> {
        if place.is_some() {
            return Err(Reply::RepeatedParameter { name });
        }
        *place = Some(self.value.and_then(read).ok_or(Reply::BadValue { name })?);
        Ok(())
    }

    /// Fills `place`, once, for a parameter that takes no value.
    fn flag<T>(&self, place: &mut Option<T>, name: &'static str, meaning: T) -> Result<(), Reply> {
        match (self.value, &place) {
            (_, Some(_)) => Err(Reply::RepeatedParameter { name }),
            (Some(_), None) => Err(Reply::BadValue { name }),
            (None, None) => {
                *place = Some(meaning);
                Ok(())
            }
        }
    }
}

/// Digits, up to the 20 that RFC 1870 §3 and RFC 3030 §2 allow. More than 64 bits is as good as the most they hold: over
/// any limit.
pub(super) fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// `BINARYMIME` is not offered: text is kept with line ends of the system, which would spoil it.
fn body_type(text: &str) -> Option<BodyType> {
    match () {
        () if text.eq_ignore_ascii_case("7BIT") => Some(BodyType::SevenBit),
        () if text.eq_ignore_ascii_case("8BITMIME") => Some(BodyType::EightBitMime),
        () => None,
    }
}

fn ret(text: &str) -> Option<Return> {
    match () {
        () if text.eq_ignore_ascii_case("FULL") => Some(Return::Full),
        () if text.eq_ignore_ascii_case("HDRS") => Some(Return::Headers),
        () => None,
    }
}

fn envid(text: &str) -> Option<String> {
    (text.len() <= ENVID_OCTETS && is_xtext(text)).then(|| text.to_owned())
}

/// `NEVER`, or a list without repetition (RFC 3461 §4.1).
fn notify(text: &str) -> Option<Notify> {
    let mut notify = Notify::NEVER;
    if text.eq_ignore_ascii_case("NEVER") {
        return Some(notify);
    }
    for word in text.split(',') {
        let place = match () {
            () if word.eq_ignore_ascii_case("SUCCESS") => &mut notify.success,
            () if word.eq_ignore_ascii_case("FAILURE") => &mut notify.failure,
            () if word.eq_ignore_ascii_case("DELAY") => &mut notify.delay,
            () => return None,
        };
        if std::mem::replace(place, true) {
            return None;
        }
    }
    Some(notify)
}

/// `addr-type ";" xtext` (RFC 3461 §4.2), or the `utf-8` type with its characters as they are (RFC 6533 §3).
fn original(text: &str) -> Option<String> {
    let (kind, address) = text.split_once(';')?;
    let is_kind = !kind.is_empty() && kind.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
    let is_address = !address.is_empty() && (is_xtext(address) || (kind.eq_ignore_ascii_case("utf-8") && is_utf8_xtext(address)));
    (text.len() <= ORCPT_OCTETS && is_kind && is_address).then(|| text.to_owned())
}

/// `xtext` of RFC 3461 §4: visible characters, with `+` before the two upper-case digits of any other.
fn is_xtext(text: &str) -> bool {
    let mut octets = text.bytes();
    let digit = |octets: &mut std::str::Bytes<'_>| octets.next().is_some_and(|octet| matches!(octet, b'0'..=b'9' | b'A'..=b'F'));
    while let Some(octet) = octets.next() {
        let valid = match octet {
            b'+' => digit(&mut octets) && digit(&mut octets),
            b'=' => false,
            other => other.is_ascii_graphic(),
        };
        if !valid {
            return false;
        }
    }
    true
}

fn is_utf8_xtext(text: &str) -> bool {
    text.chars().all(|character| (character.is_ascii_graphic() && !matches!(character, '+' | '=')) || !character.is_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail_reply(text: &str) -> String {
        match mail(ReversePath::Null, text) {
            Ok(envelope) => {
                format!("{:?} {:?} {:?} {:?} {:?}", envelope.size, envelope.body, envelope.charset, envelope.ret, envelope.envid)
            }
            Err(Fault::Usage) => "usage".to_owned(),
            Err(Fault::Told(reply)) => reply.to_string(),
        }
    }

    #[test]
    fn parameters_of_mail() {
        for (given, answer) in [
            ("", "None SevenBit Ascii None None"),
            (" size=10  body=8bitmime SMTPUTF8 RET=hdrs ENVID=a+2Bb", "Some(10) EightBitMime Utf8 Some(Headers) Some(\"a+2Bb\")"),
            (" SIZE=99999999999999999999", "Some(18446744073709551615) SevenBit Ascii None None"),
            (" SIZE=1 SIZE=2", "501 5.5.4 Parameter SIZE given twice"),
            (" SMTPUTF8 SMTPUTF8", "501 5.5.4 Parameter SMTPUTF8 given twice"),
            (" SMTPUTF8=yes", "501 5.5.4 Bad value of SMTPUTF8"),
            (" SIZE=-1", "501 5.5.4 Bad value of SIZE"),
            (" SIZE", "501 5.5.4 Bad value of SIZE"),
            (" BODY=BINARYMIME", "501 5.5.4 Bad value of BODY"),
            (" ENVID=a+2b", "501 5.5.4 Bad value of ENVID"),
            (" AUTH=<>", "555 5.5.4 Parameter AUTH not recognised"),
            (" =x", "usage"),
            (" SIZE=", "usage"),
            (" é=1", "usage"),
        ] {
            assert_eq!(mail_reply(given), answer, "{given}");
        }
    }

    #[test]
    fn parameters_of_rcpt() {
        let read = |text: &str| rcpt(ForwardPath::Postmaster, text);
        assert!(read(" NOTIFY=never").is_ok_and(|r| r.notify == Some(Notify::NEVER)));
        assert!(read(" NOTIFY=DELAY,success").is_ok_and(|r| r.notify == Some(Notify { success: true, failure: false, delay: true })));
        assert!(read(" ORCPT=rfc822;a+40b").is_ok_and(|r| r.original.as_deref() == Some("rfc822;a+40b")));
        assert!(read(" ORCPT=utf-8;josé@b").is_ok_and(|r| r.original.as_deref() == Some("utf-8;josé@b")));
        for given in [
            "NOTIFY=NEVER,DELAY",
            "NOTIFY=DELAY,DELAY",
            "NOTIFY=,",
            "NOTIFY",
            "ORCPT=a@b",
            "ORCPT=;a",
            "ORCPT=rfc822;",
            "ORCPT=rfc822;é",
            "SIZE=1",
        ] {
            assert!(read(given).is_err(), "{given}");
        }
    }
}
