//! Every reply that an SMTP or LMTP client can hear (RFC 5321 §4.2, enhanced codes of RFC 3463 and RFC 5248).
//!
//! The set is closed: a reply that is not here cannot be sent, and each has one wording. One golden test holds
//! them all.

#![expect(missing_docs, reason = "the fields of a variant are explained by the variant")]

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io::Write as _;

use super::extensions::Extension;
use crate::mail::QueueId;

/// Octets of a reply line, its CRLF included (RFC 5321 §4.5.3.1.5).
const LINE_OCTETS: usize = 512;

/// A reply, with what its text needs to be helpful.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Connection opened; `protocol` is `ESMTP` or `LMTP`.
    Greeting { host: String, protocol: &'static str },
    /// Answer to `EHLO` and `LHLO`: the host, then a line for each extension.
    Hello { host: String, extensions: Vec<Extension> },
    /// Answer to `HELO`.
    Helo { host: String },
    /// `NOOP`, `RSET` and the like.
    Ok,
    /// `MAIL FROM` taken.
    SenderOk,
    /// `RCPT TO` taken.
    RecipientOk,
    /// Send the data now.
    StartData,
    /// The message is safe; the id is its name from here on.
    Queued { id: QueueId },
    /// A `BDAT` chunk before the last.
    ChunkOk { octets: u64 },
    /// Answer to `STARTTLS`: the handshake may begin.
    StartTls,
    /// Answer to `QUIT`.
    Bye,
    /// Answer to `VRFY`, which tells nothing.
    CannotVerify,
    /// Answer to `HELP`.
    Help { commands: String },
    /// Answer to `HELP` with a command.
    Usage { usage: &'static str },

    /// The server is stopping.
    ShuttingDown { host: String },
    /// No place for another connection.
    TooBusy { host: String, what: Busy },
    /// The client was silent for too long.
    Timeout { host: String },
    /// The client keeps sending, but too slowly.
    TooSlow { host: String },
    /// The client made too many errors.
    TooManyErrors { host: String },

    /// No such command.
    UnknownCommand,
    /// A command that is known and not offered.
    NotOffered { verb: &'static str },
    /// A command line over the limit; it was drained, not executed.
    LineTooLong { limit: usize },
    /// A NUL in a command.
    NulInCommand,
    /// A known command at the wrong time; `first` says what has to come before.
    BadSequence { first: &'static str },
    /// A known command with an argument it does not take.
    BadArgument { usage: &'static str },
    /// A parameter of `MAIL` or `RCPT` that is unknown or not recognised in this session.
    BadParameter { name: String },
    /// A parameter that was there already.
    RepeatedParameter { name: &'static str },
    /// A parameter whose value makes no sense.
    BadValue { name: &'static str },
    /// The reverse path is not a path.
    BadSender { why: String },
    /// The forward path is not a path.
    BadRecipient { why: String },
    /// A non-ASCII address without `SMTPUTF8`.
    NeedsUtf8,
    /// Something was sent before the greeting, or `STARTTLS` was not waited for.
    EarlyTalker,
    /// `STARTTLS` inside TLS.
    AlreadyEncrypted,
    /// `XCLIENT` from an address that may not use it.
    NotAuthorised { verb: &'static str },

    /// Over the size limit.
    TooBig { limit: u64 },
    /// The header section alone is over its limit.
    HeaderTooBig { limit: usize },
    /// A line of the text over `smtp.max_line`.
    TextLineTooLong { limit: u64 },
    /// A bare CR or LF, where the operator refuses them.
    BareNewline,
    /// More recipients than one transaction may have.
    TooManyRecipients { limit: usize },
    /// `DATA` or `BDAT` when every recipient was refused.
    NoValidRecipients,

    /// The domain is not ours.
    RelayDenied,
    /// Nothing of that name here.
    UnknownRecipient,
    /// There is an alias, and it is switched off.
    AliasDisabled,
    /// The alias says so, in its own words.
    RejectedByAlias { text: String },
    /// A bound of alias expansion was met: an operator's fault, so the mail waits.
    ExpansionLimit { bound: &'static str },
    /// An alias leads to nothing that exists: an operator's fault, so the mail waits.
    DanglingTarget,
    /// A postmaster's address, and no mailbox for it yet: an operator's fault, so the mail waits.
    NoPostmaster,
    /// The directory could not be read.
    DirectoryUnreadable,
    /// The recipient is elsewhere, and relaying is not switched on.
    RelayOff,
    /// The recipient is a list account, and lists are not distributed yet.
    ListOff,
    /// It looks like a sender that was rewritten here, and is none, or none any more.
    NoReturn,
    /// The recipient is a list, and its rules do not let this sender post.
    PostingRefused,
    /// The mailbox is full, and may have room later.
    MailboxFull,
    /// The mailbox is full, and the operator wants that to be final.
    MailboxFullForGood,
    /// The message has been here before.
    Loop,
    /// The disk is full.
    DiskFull,
    /// The message could not be stored.
    StorageFailed,
}

/// Which bound a new connection met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Busy {
    /// Connections in total.
    Server,
    /// Connections from one client address.
    Client,
}

/// What a reply means for the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// 2yz and 3yz.
    Positive,
    /// 4yz: the client keeps the message and tries again.
    Transient,
    /// 5yz: the client gives up.
    Permanent,
}

type Parts<'a> = (u16, &'static str, Cow<'a, str>);

impl Reply {
    /// The reply code.
    pub fn code(&self) -> u16 {
        self.parts().0
    }

    /// The class of the reply code.
    pub fn class(&self) -> Class {
        match self.code() {
            400..500 => Class::Transient,
            500.. => Class::Permanent,
            _ => Class::Positive,
        }
    }

    /// Whether the client broke the protocol, as opposed to being told no: such replies are counted. Refused recipients
    /// are not, however they are refused, since a long list may well hold many.
    pub fn is_protocol_error(&self) -> bool {
        matches!(
            self,
            Self::UnknownCommand
                | Self::NotOffered { .. }
                | Self::LineTooLong { .. }
                | Self::NulInCommand
                | Self::BadSequence { .. }
                | Self::BadArgument { .. }
                | Self::BadParameter { .. }
                | Self::RepeatedParameter { .. }
                | Self::BadValue { .. }
                | Self::BadSender { .. }
                | Self::BareNewline
                | Self::AlreadyEncrypted
                | Self::NotAuthorised { .. }
        )
    }

    /// Appends the reply in its wire form, every line ended by CRLF.
    pub fn write(&self, out: &mut Vec<u8>) {
        // Writing to a Vec cannot fail.
        let _ = self.lines(|line| write!(out, "{line}\r\n").is_ok());
    }

    /// Hands out the lines of the reply, until one is not taken.
    fn lines(&self, mut each: impl FnMut(Printable<'_>) -> bool) -> bool {
        let (code, enhanced, text) = self.parts();
        let Self::Hello { extensions, .. } = self else {
            return each(Printable(format_args!("{code} {enhanced}{}{text}", if enhanced.is_empty() { "" } else { " " })));
        };
        let mark = |left: usize| if left == 0 { ' ' } else { '-' };
        each(Printable(format_args!("{code}{}{text}", mark(extensions.len())))) && {
            let left = (0..extensions.len()).rev();
            extensions.iter().zip(left).all(|(extension, left)| each(Printable(format_args!("{code}{}{extension}", mark(left)))))
        }
    }

    /// Code, enhanced code (empty where the RFC wants none), and text.
    fn parts(&self) -> Parts<'_> {
        match self {
            Self::Greeting { .. } | Self::Hello { .. } | Self::Helo { .. } | Self::StartData => self.opening(),
            Self::ShuttingDown { .. } | Self::TooBusy { .. } | Self::Timeout { .. } | Self::TooSlow { .. } | Self::TooManyErrors { .. } => {
                self.closing()
            }
            _ => self
                .positive()
                .or_else(|| self.refused_command())
                .or_else(|| self.refused_text())
                .unwrap_or_else(|| self.refused_recipient()),
        }
    }

    fn opening(&self) -> Parts<'_> {
        match self {
            Self::Greeting { host, protocol } => (220, "", format!("{host} {protocol} Restante").into()),
            Self::Hello { host, .. } | Self::Helo { host } => (250, "", host.as_str().into()),
            _ => (354, "", "End data with <CR><LF>.<CR><LF>".into()),
        }
    }

    fn positive(&self) -> Option<Parts<'_>> {
        Some(match self {
            Self::Ok => (250, "2.0.0", "Ok".into()),
            Self::SenderOk => (250, "2.1.0", "Ok".into()),
            Self::RecipientOk => (250, "2.1.5", "Ok".into()),
            Self::Queued { id } => (250, "2.0.0", format!("Ok: queued as {id}").into()),
            Self::ChunkOk { octets } => (250, "2.0.0", format!("Ok: {octets} octets received").into()),
            Self::StartTls => (220, "2.0.0", "Ready to start TLS".into()),
            Self::Bye => (221, "2.0.0", "Bye".into()),
            Self::CannotVerify => (252, "2.0.0", "Cannot verify the address; send mail to it and see".into()),
            Self::Usage { usage } => (214, "2.0.0", format!("Syntax: {usage}").into()),
            Self::Help { commands } => (214, "2.0.0", format!("Commands: {commands}").into()),
            _ => return None,
        })
    }

    fn closing(&self) -> Parts<'_> {
        match self {
            Self::ShuttingDown { host } => (421, "4.3.2", format!("{host} is shutting down; try again later").into()),
            Self::TooBusy { host, what: Busy::Server } => {
                (421, "4.3.2", format!("{host} has too many connections; try again later").into())
            }
            Self::TooBusy { host, what: Busy::Client } => {
                (421, "4.3.2", format!("{host} has too many connections from your address; try again later").into())
            }
            Self::Timeout { host } => (421, "4.4.2", format!("{host} waited too long; closing").into()),
            Self::TooSlow { host } => (421, "4.4.2", format!("{host} receives too slowly from you; closing").into()),
            Self::TooManyErrors { host } => (421, "4.7.0", format!("{host} has seen too many errors; closing").into()),
            _ => (421, "4.3.0", "Closing".into()),
        }
    }

    fn refused_command(&self) -> Option<Parts<'_>> {
        Some(match self {
            Self::UnknownCommand => (500, "5.5.2", "Command not recognised; HELP lists them".into()),
            Self::NotOffered { verb } => (502, "5.5.1", format!("{verb} is not offered here").into()),
            Self::LineTooLong { limit } => (500, "5.5.2", format!("Line too long; the limit is {limit} octets").into()),
            Self::NulInCommand => (500, "5.5.2", "NUL in a command".into()),
            Self::BadSequence { first } => (503, "5.5.1", format!("Bad sequence of commands: {first} first").into()),
            Self::BadArgument { usage } => (501, "5.5.4", format!("Syntax: {usage}").into()),
            Self::BadParameter { name } => (555, "5.5.4", format!("Parameter {name} not recognised").into()),
            Self::RepeatedParameter { name } => (501, "5.5.4", format!("Parameter {name} given twice").into()),
            Self::BadValue { name } => (501, "5.5.4", format!("Bad value of {name}").into()),
            Self::BadSender { why } => (501, "5.1.7", format!("Bad sender: {why}").into()),
            Self::BadRecipient { why } => (501, "5.1.3", format!("Bad recipient: {why}").into()),
            Self::NeedsUtf8 => (553, "5.6.7", "Non-ASCII address: give MAIL the parameter SMTPUTF8".into()),
            Self::EarlyTalker => (554, "5.5.1", "You talked before it was your turn".into()),
            Self::AlreadyEncrypted => (503, "5.5.1", "TLS is active already".into()),
            Self::NotAuthorised { verb } => (550, "5.7.0", format!("{verb} is not allowed from your address").into()),
            _ => return None,
        })
    }

    fn refused_text(&self) -> Option<Parts<'_>> {
        Some(match self {
            Self::TooBig { limit } => (552, "5.3.4", format!("Message too big; the limit is {limit} octets").into()),
            Self::HeaderTooBig { limit } => (552, "5.3.4", format!("Header section too big; the limit is {limit} octets").into()),
            Self::TextLineTooLong { limit } => (550, "5.6.0", format!("Line too long in the message; the limit is {limit} octets").into()),
            Self::BareNewline => (550, "5.6.11", "Bare CR or LF; end lines with CRLF".into()),
            Self::TooManyRecipients { limit } => (452, "4.5.3", format!("Too many recipients; send the rest after {limit}").into()),
            Self::NoValidRecipients => (554, "5.5.1", "No valid recipients".into()),
            _ => return None,
        })
    }

    fn refused_recipient(&self) -> Parts<'_> {
        match self {
            Self::RelayDenied => (550, "5.7.1", "Relaying denied: not a domain of this server".into()),
            Self::UnknownRecipient => (550, "5.1.1", "No such recipient here".into()),
            Self::AliasDisabled => (550, "5.2.1", "Recipient is switched off".into()),
            Self::RejectedByAlias { text } => (550, "5.7.1", text.as_str().into()),
            Self::ExpansionLimit { bound } => {
                (451, "4.6.0", format!("Alias expansion met its limit of {bound}; the operator has been told").into())
            }
            Self::DanglingTarget => (451, "4.3.0", "Recipient leads to nothing at the moment; the operator has been told".into()),
            Self::NoPostmaster => (451, "4.3.0", "Postmaster has no mailbox yet; try again later".into()),
            Self::DirectoryUnreadable => (451, "4.3.0", "Directory not readable; try again later".into()),
            Self::NoReturn => (550, "5.1.1", "Return address is not valid here, or not any more".into()),
            Self::RelayOff => (451, "4.3.0", "Recipient is elsewhere and the relay is off; try again later".into()),
            Self::PostingRefused => (550, "5.7.1", "You may not post to this list".into()),
            Self::ListOff => (451, "4.3.0", "List distribution is off; try again later".into()),
            Self::MailboxFull => (452, "4.2.2", "Mailbox full; try again later".into()),
            Self::MailboxFullForGood => (552, "5.2.2", "Mailbox full".into()),
            Self::Loop => (554, "5.4.6", "Message is going in circles".into()),
            Self::DiskFull => (452, "4.3.1", "Not enough disk space; try again later".into()),
            _ => (451, "4.3.0", "Message could not be stored; try again later".into()),
        }
    }
}

/// The reply without the last line's CRLF, its lines separated by LF: for logs, trails and the command line.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        let written = self.lines(|line| write!(f, "{}{line}", std::mem::replace(&mut separator, "\n")).is_ok());
        if written { Ok(()) } else { Err(fmt::Error) }
    }
}

/// One reply line as RFC 5321 §4.2.1 allows it: printable ASCII, cut to the length that clients must be able to take.
/// Text of operators and peers can hold anything else.
struct Printable<'a>(fmt::Arguments<'a>);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Narrow { to: f, room: LINE_OCTETS - 2 }, "{}", self.0)
    }
}

struct Narrow<'a, 'b> {
    to: &'a mut fmt::Formatter<'b>,
    room: usize,
}

impl fmt::Write for Narrow<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.len() <= self.room && text.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
            self.room -= text.len();
            return self.to.write_str(text);
        }
        for character in text.chars().filter(|character| !character.is_control()).take(self.room) {
            self.room -= 1;
            self.to.write_char(if character.is_ascii() { character } else { '?' })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
