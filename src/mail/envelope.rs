//! The envelope of a message: who sent it, whom it is for, and what was asked about its delivery (RFC 5321 §2.3.1,
//! RFC 3461, RFC 6152, RFC 6531).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::address::Mailbox;

/// The argument of `MAIL FROM`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReversePath {
    /// `<>`: a report, to which no report may answer.
    Null,
    /// A mailbox that reports go to.
    Mailbox(Mailbox),
}

/// The argument of `RCPT TO`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ForwardPath {
    /// `<Postmaster>` without a domain (RFC 5321 §4.5.1).
    Postmaster,
    /// A mailbox.
    Mailbox(Mailbox),
}

/// What the sender says of the body (RFC 6152).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum BodyType {
    /// `BODY=7BIT`, and the absence of the parameter.
    #[default]
    SevenBit,
    /// `BODY=8BITMIME`.
    EightBitMime,
}

/// Whether the message may carry UTF-8 in addresses and headers (RFC 6531).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Charset {
    /// No `SMTPUTF8` parameter.
    #[default]
    Ascii,
    /// `SMTPUTF8` was given.
    Utf8,
}

/// How much of the message a report shall give back (RFC 3461 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Return {
    /// `RET=FULL`.
    Full,
    /// `RET=HDRS`.
    Headers,
}

/// When the sender wants a report (RFC 3461 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Notify {
    /// `SUCCESS`.
    pub success: bool,
    /// `FAILURE`.
    pub failure: bool,
    /// `DELAY`.
    pub delay: bool,
}

impl Notify {
    /// `NOTIFY=NEVER`.
    pub const NEVER: Self = Self { success: false, failure: false, delay: false };
}

/// One accepted `RCPT TO`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// The path as given.
    pub path: ForwardPath,
    /// `NOTIFY`, where given.
    pub notify: Option<Notify>,
    /// `ORCPT`, where given: `addr-type;xtext`, as it came.
    pub original: Option<String>,
}

/// Everything known of a message before its data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// `MAIL FROM`.
    pub sender: ReversePath,
    /// `BODY`.
    pub body: BodyType,
    /// `SMTPUTF8`.
    pub charset: Charset,
    /// `SIZE`: octets as declared (RFC 1870).
    pub size: Option<u64>,
    /// `RET`.
    pub ret: Option<Return>,
    /// `ENVID`: the xtext as it came.
    pub envid: Option<String>,
    /// The accepted recipients, in the order they were given.
    pub recipients: Vec<Recipient>,
}

impl ReversePath {
    /// The mailbox, unless the path is null.
    pub fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            Self::Null => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }
}

/// The path without its angle brackets; nothing for the null path.
impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Mailbox(mailbox) => mailbox.fmt(f),
        }
    }
}

/// The path without its angle brackets.
impl fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postmaster => f.write_str("postmaster"),
            Self::Mailbox(mailbox) => mailbox.fmt(f),
        }
    }
}

impl From<Mailbox> for Recipient {
    fn from(mailbox: Mailbox) -> Self {
        Self { path: ForwardPath::Mailbox(mailbox), notify: None, original: None }
    }
}

impl Envelope {
    /// An envelope without extensions and without recipients.
    pub fn from_sender(sender: ReversePath) -> Self {
        Self { sender, body: BodyType::SevenBit, charset: Charset::Ascii, size: None, ret: None, envid: None, recipients: Vec::new() }
    }
}
