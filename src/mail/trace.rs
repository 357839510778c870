//! The header fields that final delivery adds (RFC 5321 §4.4), and what those of earlier hops tell.
//!
//! Text is in the form that lies on disk: LF line ends.

use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::ops::Range;
use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;
use mail_parser::{HeaderName, MessageParser};

use super::address::Address;
use super::envelope::{Charset, ForwardPath, ReversePath};
use super::id::QueueId;
use super::limits::RECEIVED_HOPS;

/// Which protocol a message came over: SMTP before `EHLO`, or one of its extended forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoken {
    /// `HELO`.
    Smtp,
    /// `EHLO`.
    Esmtp,
    /// `LHLO`.
    Lmtp,
    /// None: the message was made here.
    Here,
}

/// The `with` clause of a `Received` field (RFC 3848, RFC 6531 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct With {
    /// The protocol.
    pub spoken: Spoken,
    /// Whether TLS protected it.
    pub encrypted: bool,
    /// Whether `SMTPUTF8` was in use.
    pub charset: Charset,
}

impl fmt::Display for With {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.charset, self.spoken) {
            (Charset::Utf8, Spoken::Smtp | Spoken::Esmtp) => "UTF8SMTP",
            (Charset::Utf8, Spoken::Lmtp) => "UTF8LMTP",
            (Charset::Ascii, Spoken::Smtp) => return f.write_str("SMTP"),
            (Charset::Ascii, Spoken::Esmtp) => "ESMTP",
            (Charset::Ascii, Spoken::Lmtp) => "LMTP",
            (_, Spoken::Here) => return f.write_str("local"),
        })?;
        if self.encrypted { f.write_str("S") } else { Ok(()) }
    }
}

/// The client as the `Received` field names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The argument of `HELO`, `EHLO` or `LHLO`.
    pub helo: String,
    /// The verified name of the address, where there is one.
    pub name: Option<String>,
    /// The address; none on a Unix socket.
    pub address: Option<IpAddr>,
}

/// One `Received` field of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Who handed us the message.
    pub client: Client,
    /// Our own host name.
    pub by: String,
    /// How it came.
    pub with: With,
    /// The id that the reply and the log carry.
    pub id: QueueId,
    /// The recipient, if it was the only one: more would tell each of the others.
    pub only: Option<ForwardPath>,
    /// When the message was accepted.
    pub at: Timestamp,
}

impl fmt::Display for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.with.spoken == Spoken::Here {
            return writeln!(f, "Received: by {} (Restante) id {}; {}", self.by, self.id, date(self.at));
        }
        write!(f, "Received: from {}", self.client.helo)?;
        match (&self.client.name, self.client.address) {
            (Some(name), Some(address)) => write!(f, " ({name} [{}])", Literal(address))?,
            (None, Some(address)) => write!(f, " (unknown [{}])", Literal(address))?,
            (_, None) => f.write_str(" (local socket)")?,
        }
        write!(f, "\n\tby {} (Restante) with {} id {}", self.by, self.with, self.id)?;
        if let Some(recipient) = &self.only {
            write!(f, "\n\tfor <{recipient}>")?;
        }
        writeln!(f, "; {}", date(self.at))
    }
}

struct Literal(IpAddr);

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(address) => write!(f, "IPv6:{address}"),
        }
    }
}

/// `date-time` of RFC 5322 §3.3, in UTC.
pub fn date(at: Timestamp) -> String {
    rfc2822::DateTimePrinter::new().zoned_to_string(&at.to_zoned(TimeZone::UTC)).unwrap_or_default()
}

/// The fields that stand above a message in one mailbox, in the order they are written.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// The envelope's sender.
    pub sender: &'a ReversePath,
    /// The account's hidden alias.
    pub delivered_to: &'a Address,
    /// The recipient as the client gave it.
    pub original: &'a ForwardPath,
    /// The field of this hop.
    pub received: &'a Received,
}

impl Delivery<'_> {
    /// Appends the fields, each ended by LF.
    pub fn write(&self, out: &mut String) {
        let fields = format_args!(
            "Return-Path: <{}>\nDelivered-To: {}\nX-Original-To: {}\n{}",
            self.sender, self.delivered_to, self.original, self.received
        );
        // A String takes whatever is written to it.
        let _ = out.write_fmt(fields);
    }
}

/// What the header section of an arriving message says about its way so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Journey {
    /// Where the fields stand that delivery replaces: every `Return-Path`, in order.
    pub replaced: Vec<Range<usize>>,
    /// `Received` fields.
    pub hops: usize,
    /// Addresses in `Delivered-To` fields, folded; those that are no addresses are left out.
    pub delivered_to: Vec<Address>,
    /// `Message-ID`, without its angle brackets.
    pub message_id: Option<String>,
    /// The `id` clause of the topmost `Received`: what the last hop called the message.
    pub upstream_id: Option<String>,
}

static HEADER: LazyLock<MessageParser> =
    LazyLock::new(|| MessageParser::new().default_header_ignore().header_raw(HeaderName::DeliveredTo).header_id(HeaderName::MessageId));

impl Journey {
    /// Reads a header section (anything after the empty line is ignored).
    pub fn read(header: &[u8]) -> Self {
        let mut journey = Self::default();
        let Some(message) = HEADER.parse_headers(header) else { return journey };
        for field in message.headers() {
            match field.name {
                HeaderName::ReturnPath => journey.replaced.push(field.offset_field as usize..field.offset_end as usize),
                HeaderName::Received => {
                    if journey.hops == 0 {
                        let field = header.get(field.offset_start as usize..field.offset_end as usize).unwrap_or_default();
                        journey.upstream_id = id_clause(&String::from_utf8_lossy(field));
                    }
                    journey.hops += 1;
                }
                HeaderName::DeliveredTo => journey.delivered_to.extend(field.value.as_text().and_then(|text| Address::parse(text).ok())),
                HeaderName::MessageId => journey.message_id = field.value.as_text().map(str::to_owned),
                _ => {}
            }
        }
        journey
    }

    /// Whether a message that has come this way and would now go to `mailbox` is going in circles (RFC 5321 §6.3).
    pub fn loops_at(&self, mailbox: &Address) -> bool {
        self.is_endless() || self.delivered_to.contains(mailbox)
    }

    /// Whether it has been handed on more often than any message should be.
    pub fn is_endless(&self) -> bool {
        self.hops > RECEIVED_HOPS
    }
}

/// The `id` clause of a `Received` field (RFC 5321 §4.4), which may stand anywhere but in a comment or behind the date.
fn id_clause(field: &str) -> Option<String> {
    let mut depth = 0_u32;
    let clauses = field.chars().take_while(|c| *c != ';').map(|c| {
        depth = match c {
            '(' => depth + 1,
            ')' => depth.saturating_sub(1),
            _ => depth,
        };
        if depth > 0 || c == ')' { ' ' } else { c }
    });
    let clauses: String = clauses.collect();
    let mut words = clauses.split_ascii_whitespace().skip_while(|word| !word.eq_ignore_ascii_case("id")).skip(1);
    words.next().map(|id| id.trim_matches(['<', '>']).to_owned()).filter(|id| !id.is_empty())
}

/// Where the header section ends: after the empty line (LF line ends), or nowhere yet.
pub fn header_end(text: &[u8]) -> Option<usize> {
    if text.first() == Some(&b'\n') {
        return Some(1);
    }
    memchr::memmem::find(text, b"\n\n").map(|at| at + 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Mailbox;

    fn received(only: Option<ForwardPath>) -> Received {
        Received {
            client: Client { helo: "client.example".into(), name: None, address: Some(IpAddr::from([192, 0, 2, 1])) },
            by: "mx.example.org".into(),
            with: With { spoken: Spoken::Esmtp, encrypted: true, charset: Charset::Ascii },
            id: QueueId::new(1),
            only,
            at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn fields_stand_in_their_order() -> Result<(), crate::mail::AddressError> {
        let original = ForwardPath::Mailbox(Mailbox::parse("Info+x@Example.org")?);
        let delivery = Delivery {
            sender: &ReversePath::Mailbox(Mailbox::parse("Sender@example.com")?),
            delivered_to: &Address::parse("alice@example.org")?,
            original: &original,
            received: &received(Some(original.clone())),
        };
        let mut text = String::new();
        delivery.write(&mut text);
        assert_eq!(
            text,
            "Return-Path: <Sender@example.com>\n\
             Delivered-To: alice@example.org\n\
             X-Original-To: Info+x@Example.org\n\
             Received: from client.example (unknown [192.0.2.1])\n\
             \tby mx.example.org (Restante) with ESMTPS id 0000000000001\n\
             \tfor <Info+x@Example.org>; Thu, 1 Jan 1970 00:00:00 +0000\n"
        );
        Ok(())
    }

    #[test]
    fn with_clause_has_the_registered_words() {
        for (spoken, encrypted, charset, word) in [
            (Spoken::Smtp, false, Charset::Ascii, "SMTP"),
            (Spoken::Esmtp, false, Charset::Ascii, "ESMTP"),
            (Spoken::Esmtp, true, Charset::Ascii, "ESMTPS"),
            (Spoken::Lmtp, false, Charset::Ascii, "LMTP"),
            (Spoken::Lmtp, true, Charset::Ascii, "LMTPS"),
            (Spoken::Esmtp, false, Charset::Utf8, "UTF8SMTP"),
            (Spoken::Esmtp, true, Charset::Utf8, "UTF8SMTPS"),
            (Spoken::Lmtp, true, Charset::Utf8, "UTF8LMTPS"),
        ] {
            assert_eq!(With { spoken, encrypted, charset }.to_string(), word);
        }
    }

    #[test]
    fn journey_finds_loops_and_what_is_replaced() -> Result<(), crate::mail::AddressError> {
        let header = b"Return-Path: <old@example.net>\nReceived: from a\n\tby b; now\nreceived: from c by d; then\n\
            DELIVERED-TO: Alice@Example.org\nMessage-ID: <m1@example.net>\nreturn-path:\n <x@y>\nSubject: hi\n\nReceived: body\n";
        let journey = Journey::read(header);
        let replaced: Vec<&[u8]> = journey.replaced.iter().filter_map(|r| header.get(r.clone())).collect();
        assert_eq!(replaced, [b"Return-Path: <old@example.net>\n".as_slice(), b"return-path:\n <x@y>\n"]);
        assert_eq!((journey.hops, journey.message_id.as_deref()), (2, Some("m1@example.net")));
        assert!(journey.loops_at(&Address::parse("alice@example.org")?));
        assert!(!journey.loops_at(&Address::parse("bob@example.org")?));
        let hops = "Received: x\n".repeat(RECEIVED_HOPS + 1) + "\n";
        assert!(Journey::read(hops.as_bytes()).loops_at(&Address::parse("bob@example.org")?));
        Ok(())
    }

    #[test]
    fn the_last_hop_says_what_it_called_the_message() {
        for (field, id) in [
            (
                "from a (id x [192.0.2.1])\n\tby mx (Postfix) with ESMTPS id 4bXyZ12k\n\tfor <a@b>; Thu, 1 Jan 1970 00:00:00 +0000",
                Some("4bXyZ12k"),
            ),
            ("by mx ID <m1>; now", Some("m1")),
            ("from id.example by mx; id later", None),
            ("by mx id", None),
        ] {
            let header = format!("X: y\nReceived: {field}\nReceived: by earlier id old; then\n\n");
            assert_eq!(Journey::read(header.as_bytes()).upstream_id.as_deref(), id, "{field}");
        }
    }

    #[test]
    fn header_ends_at_the_first_empty_line() {
        assert_eq!(header_end(b"a: b\n\nbody"), Some(6));
        assert_eq!(header_end(b"\nbody"), Some(1));
        assert_eq!(header_end(b"a: b\nc"), None);
    }
}
