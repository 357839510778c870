//! The machine part: `message/delivery-status` (RFC 3464 §2), or its UTF-8 form (RFC 6533 §4).

use std::borrow::Cow;
use std::fmt::Write as _;

use super::{Action, Report, Reported};
use crate::mail::envelope::Charset;
use crate::mail::trace::date;
use crate::relay::verdict::Diagnostic;

/// Octets of a line of a field before it is folded.
const LINE: usize = 76;

/// The part, each field on a line of its own or folded.
pub(super) fn machine(report: &Report, charset: Charset) -> String {
    let mut text = String::new();
    field(&mut text, "Reporting-MTA", &format!("dns; {}", report.hostname), charset);
    if let Some(envid) = &report.envid {
        field(&mut text, "Original-Envelope-Id", &plain(envid), charset);
    }
    field(&mut text, "Arrival-Date", &date(report.arrival), charset);
    for recipient in &report.recipients {
        text.push('\n');
        self::recipient(&mut text, recipient, charset);
    }
    text
}

fn recipient(text: &mut String, recipient: &Reported, charset: Charset) {
    if let Some((kind, address)) = recipient.original.as_ref().and_then(|original| original.split_once(';')) {
        let original = if kind.eq_ignore_ascii_case("utf-8") { address.into() } else { plain(address) };
        field(text, "Original-Recipient", &typed(kind, &original, charset), charset);
    }
    let kind = if recipient.path.is_ascii() { "rfc822" } else { "utf-8" };
    field(text, "Final-Recipient", &typed(kind, recipient.path.as_str(), charset), charset);
    field(text, "Action", action(recipient.action), charset);
    field(text, "Status", &recipient.status.to_string(), charset);
    if let Some(remote) = &recipient.remote {
        let name = if remote.name.parse::<std::net::IpAddr>().is_ok() { format!("[{}]", remote.name) } else { remote.name.clone() };
        field(text, "Remote-MTA", &format!("dns; {name}"), charset);
    }
    match &recipient.diagnostic {
        Some(Diagnostic::Reply(said)) => field(text, "Diagnostic-Code", &format!("smtp; {said}"), charset),
        Some(Diagnostic::Ours(found)) => field(text, "Diagnostic-Code", &format!("x-restante; {found}"), charset),
        None => {}
    }
    if let Some(at) = recipient.last_attempt {
        field(text, "Last-Attempt-Date", &date(at), charset);
    }
    if let Some(until) = recipient.retry_until.filter(|_| recipient.action == Action::Delayed) {
        field(text, "Will-Retry-Until", &date(until), charset);
    }
}

/// `addr-type; address`. Where the part is ASCII, other characters take the form of RFC 6533 §3, `\x{e4}`.
fn typed(kind: &str, address: &str, charset: Charset) -> String {
    if charset == Charset::Utf8 || address.is_ascii() {
        return format!("{kind}; {address}");
    }
    let escaped = |c: char| if c.is_ascii() { c.to_string() } else { format!("\\x{{{:X}}}", u32::from(c)) };
    format!("utf-8; {}", address.chars().map(escaped).collect::<String>())
}

fn action(action: Action) -> &'static str {
    match action {
        Action::Failed => "failed",
        Action::Delayed => "delayed",
        Action::Delivered => "delivered",
        Action::Relayed => "relayed",
        Action::Expanded => "expanded",
    }
}

/// A field, folded at its spaces. What a peer had a hand in may not end it: characters that could are replaced.
fn field(text: &mut String, name: &str, value: &str, charset: Charset) {
    let safe = |c: char| if c.is_control() || (charset == Charset::Ascii && !c.is_ascii()) { '?' } else { c };
    let value: String = value.chars().map(safe).collect();
    let _ = write!(text, "{name}:");
    let mut column = name.len() + 1;
    for word in value.split(' ').filter(|word| !word.is_empty()) {
        if column + 1 + word.len() > LINE && column > name.len() + 1 {
            text.push_str("\n ");
            column = 1;
        } else {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += word.len();
    }
    text.push('\n');
}

/// Text out of xtext (RFC 3461 §4): `+2B` is `+`. What is no xtext, or would be no text, stays as it came.
pub(super) fn plain(xtext: &str) -> Cow<'_, str> {
    let mut octets = Vec::with_capacity(xtext.len());
    let mut rest = xtext.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let coded = || {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            u8::from_str_radix(digits, 16).ok().filter(|octet| (b' '..=b'~').contains(octet))
        };
        match first {
            b'+' => match coded() {
                Some(octet) => {
                    octets.push(octet);
                    rest = after.get(2..).unwrap_or_default();
                }
                None => return xtext.into(),
            },
            other => {
                octets.push(*other);
                rest = after;
            }
        }
    }
    String::from_utf8(octets).map_or_else(|_| xtext.into(), Cow::Owned)
}
