//! The wire text of every reply. A variant that is missing here does not compile, or fails the count.

use super::*;

const HOST: &str = "mx.example.org";

/// One of each, with its wire text; the last line's CRLF is left out.
fn golden() -> Vec<(Reply, &'static str)> {
    let host = || HOST.to_owned();
    let id = QueueId::new(1);
    vec![
        (Reply::Greeting { host: host(), protocol: "ESMTP" }, "220 mx.example.org ESMTP Restante"),
        (
            Reply::Hello { host: host(), extensions: vec![Extension::Pipelining, Extension::Size { limit: 5 }] },
            "250-mx.example.org\r\n250-PIPELINING\r\n250 SIZE 5",
        ),
        (Reply::Helo { host: host() }, "250 mx.example.org"),
        (Reply::Ok, "250 2.0.0 Ok"),
        (Reply::SenderOk, "250 2.1.0 Ok"),
        (Reply::RecipientOk, "250 2.1.5 Ok"),
        (Reply::StartData, "354 End data with <CR><LF>.<CR><LF>"),
        (Reply::Queued { id }, "250 2.0.0 Ok: queued as 0000000000001"),
        (Reply::ChunkOk { octets: 7 }, "250 2.0.0 Ok: 7 octets received"),
        (Reply::StartTls, "220 2.0.0 Ready to start TLS"),
        (Reply::Bye, "221 2.0.0 Bye"),
        (Reply::CannotVerify, "252 2.0.0 Cannot verify the address; send mail to it and see"),
        (Reply::Help { commands: "NOOP QUIT".into() }, "214 2.0.0 Commands: NOOP QUIT"),
        (Reply::Usage { usage: "QUIT" }, "214 2.0.0 Syntax: QUIT"),
        (Reply::ShuttingDown { host: host() }, "421 4.3.2 mx.example.org is shutting down; try again later"),
        (Reply::TooBusy { host: host(), what: Busy::Server }, "421 4.3.2 mx.example.org has too many connections; try again later"),
        (Reply::Timeout { host: host() }, "421 4.4.2 mx.example.org waited too long; closing"),
        (Reply::TooSlow { host: host() }, "421 4.4.2 mx.example.org receives too slowly from you; closing"),
        (Reply::TooManyErrors { host: host() }, "421 4.7.0 mx.example.org has seen too many errors; closing"),
        (Reply::UnknownCommand, "500 5.5.2 Command not recognised; HELP lists them"),
        (Reply::NotOffered { verb: "EXPN" }, "502 5.5.1 EXPN is not offered here"),
        (Reply::LineTooLong { limit: 4096 }, "500 5.5.2 Line too long; the limit is 4096 octets"),
        (Reply::NulInCommand, "500 5.5.2 NUL in a command"),
        (Reply::BadSequence { first: "MAIL" }, "503 5.5.1 Bad sequence of commands: MAIL first"),
        (Reply::BadArgument { usage: "QUIT" }, "501 5.5.4 Syntax: QUIT"),
        (Reply::BadParameter { name: "X".into() }, "555 5.5.4 Parameter X not recognised"),
        (Reply::RepeatedParameter { name: "SIZE" }, "501 5.5.4 Parameter SIZE given twice"),
        (Reply::BadValue { name: "SIZE" }, "501 5.5.4 Bad value of SIZE"),
        (Reply::BadSender { why: "it is too long".into() }, "501 5.1.7 Bad sender: it is too long"),
        (Reply::BadRecipient { why: "it is too long".into() }, "501 5.1.3 Bad recipient: it is too long"),
        (Reply::NeedsUtf8, "553 5.6.7 Non-ASCII address: give MAIL the parameter SMTPUTF8"),
        (Reply::EarlyTalker, "554 5.5.1 You talked before it was your turn"),
        (Reply::AlreadyEncrypted, "503 5.5.1 TLS is active already"),
        (Reply::NotAuthorised { verb: "XCLIENT" }, "550 5.7.0 XCLIENT is not allowed from your address"),
        (Reply::TooBig { limit: 10 }, "552 5.3.4 Message too big; the limit is 10 octets"),
        (Reply::HeaderTooBig { limit: 10 }, "552 5.3.4 Header section too big; the limit is 10 octets"),
        (Reply::TextLineTooLong { limit: 10 }, "550 5.6.0 Line too long in the message; the limit is 10 octets"),
        (Reply::BareNewline, "550 5.6.11 Bare CR or LF; end lines with CRLF"),
        (Reply::TooManyRecipients { limit: 10 }, "452 4.5.3 Too many recipients; send the rest after 10"),
        (Reply::NoValidRecipients, "554 5.5.1 No valid recipients"),
        (Reply::RelayDenied, "550 5.7.1 Relaying denied: not a domain of this server"),
        (Reply::UnknownRecipient, "550 5.1.1 No such recipient here"),
        (Reply::AliasDisabled, "550 5.2.1 Recipient is switched off"),
        (Reply::RejectedByAlias { text: "Moved away".into() }, "550 5.7.1 Moved away"),
        (Reply::ExpansionLimit { bound: "depth" }, "451 4.6.0 Alias expansion met its limit of depth; the operator has been told"),
        (Reply::DirectoryUnreadable, "451 4.3.0 Directory not readable; try again later"),
        (Reply::RelayOff, "451 4.3.0 Recipient is elsewhere and the relay is off; try again later"),
        (Reply::ListOff, "451 4.3.0 List distribution is off; try again later"),
        (Reply::MailboxFull, "452 4.2.2 Mailbox full; try again later"),
        (Reply::MailboxFullForGood, "552 5.2.2 Mailbox full"),
        (Reply::Loop, "554 5.4.6 Message is going in circles"),
        (Reply::DiskFull, "452 4.3.1 Not enough disk space; try again later"),
        (Reply::StorageFailed, "451 4.3.0 Message could not be stored; try again later"),
        (Reply::DanglingTarget, "451 4.3.0 Recipient leads to nothing at the moment; the operator has been told"),
        (Reply::NoPostmaster, "451 4.3.0 Postmaster has no mailbox yet; try again later"),
        (Reply::NoReturn, "550 5.1.1 Return address is not valid here, or not any more"),
        (Reply::PostingRefused, "550 5.7.1 You may not post to this list"),
    ]
}

/// The place of a reply in [`golden`]. A new variant does not compile until it has one.
fn place(reply: &Reply) -> usize {
    match reply {
        Reply::Greeting { .. } => 0,
        Reply::Hello { .. } => 1,
        Reply::Helo { .. } => 2,
        Reply::Ok => 3,
        Reply::SenderOk => 4,
        Reply::RecipientOk => 5,
        Reply::StartData => 6,
        Reply::Queued { .. } => 7,
        Reply::ChunkOk { .. } => 8,
        Reply::StartTls => 9,
        Reply::Bye => 10,
        Reply::CannotVerify => 11,
        Reply::Help { .. } => 12,
        Reply::Usage { .. } => 13,
        Reply::ShuttingDown { .. } => 14,
        Reply::TooBusy { .. } => 15,
        Reply::Timeout { .. } => 16,
        Reply::TooSlow { .. } => 17,
        Reply::TooManyErrors { .. } => 18,
        Reply::UnknownCommand => 19,
        Reply::NotOffered { .. } => 20,
        Reply::LineTooLong { .. } => 21,
        Reply::NulInCommand => 22,
        Reply::BadSequence { .. } => 23,
        Reply::BadArgument { .. } => 24,
        Reply::BadParameter { .. } => 25,
        Reply::RepeatedParameter { .. } => 26,
        Reply::BadValue { .. } => 27,
        Reply::BadSender { .. } => 28,
        Reply::BadRecipient { .. } => 29,
        Reply::NeedsUtf8 => 30,
        Reply::EarlyTalker => 31,
        Reply::AlreadyEncrypted => 32,
        Reply::NotAuthorised { .. } => 33,
        Reply::TooBig { .. } => 34,
        Reply::HeaderTooBig { .. } => 35,
        Reply::TextLineTooLong { .. } => 36,
        Reply::BareNewline => 37,
        Reply::TooManyRecipients { .. } => 38,
        Reply::NoValidRecipients => 39,
        Reply::RelayDenied => 40,
        Reply::UnknownRecipient => 41,
        Reply::AliasDisabled => 42,
        Reply::RejectedByAlias { .. } => 43,
        Reply::ExpansionLimit { .. } => 44,
        Reply::DirectoryUnreadable => 45,
        Reply::RelayOff => 46,
        Reply::ListOff => 47,
        Reply::MailboxFull => 48,
        Reply::MailboxFullForGood => 49,
        Reply::Loop => 50,
        Reply::DiskFull => 51,
        Reply::StorageFailed => 52,
        Reply::DanglingTarget => 53,
        Reply::NoPostmaster => 54,
        Reply::NoReturn => 55,
        Reply::PostingRefused => 56,
    }
}

/// The number of variants: one more than the last place.
const VARIANTS: usize = 57;

#[test]
fn every_reply_has_its_one_wording() {
    let golden = golden();
    assert_eq!(golden.len(), VARIANTS);
    for (at, (reply, text)) in golden.iter().enumerate() {
        assert_eq!(place(reply), at, "{reply}");
        let mut wire = Vec::new();
        reply.write(&mut wire);
        assert_eq!(String::from_utf8_lossy(&wire), format!("{text}\r\n"));
        assert_eq!(reply.to_string(), text.replace("\r\n", "\n"));
        assert_eq!(reply.code().to_string(), text.get(..3).unwrap_or_default());
    }
    let per_client = Reply::TooBusy { host: HOST.to_owned(), what: Busy::Client };
    assert_eq!(per_client.to_string(), "421 4.3.2 mx.example.org has too many connections from your address; try again later");
}

#[test]
fn classes_follow_the_code_and_enhanced_codes_agree_with_it() {
    for (reply, text) in golden() {
        let class = match text.as_bytes().first() {
            Some(b'4') => Class::Transient,
            Some(b'5') => Class::Permanent,
            _ => Class::Positive,
        };
        assert_eq!(reply.class(), class, "{text}");
        let enhanced =
            text.split(' ').nth(1).filter(|word| word.split('.').count() == 3 && word.bytes().all(|c| matches!(c, b'.' | b'0'..=b'9')));
        // RFC 2034 §4: the codes stand in every 2yz, 4yz and 5yz reply but the greeting and those to EHLO and HELO.
        let without = matches!(reply, Reply::Greeting { .. } | Reply::Hello { .. } | Reply::Helo { .. } | Reply::StartData);
        assert_eq!(enhanced.is_none(), without, "{text}");
        assert!(enhanced.is_none_or(|code| code.as_bytes().first() == text.as_bytes().first()), "{text}");
    }
}

#[test]
fn foreign_text_stays_one_printable_line() {
    let text = format!("a\r\n250 2.0.0 Ok\u{0}\u{7f}\u{85}é{}", "x".repeat(600));
    let mut wire = Vec::new();
    Reply::RejectedByAlias { text }.write(&mut wire);
    assert_eq!(wire.len(), LINE_OCTETS);
    assert!(wire.starts_with(b"550 5.7.1 a250 2.0.0 Ok?xxx") && wire.ends_with(b"x\r\n"));
    assert!(wire.iter().filter(|octet| !matches!(octet, b' '..=b'~')).eq(b"\r\n"));
}
