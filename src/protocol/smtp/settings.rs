//! What a session is told when it begins: its dialect, its peer, the limits and habits of its listener.

use std::net::IpAddr;
use std::time::Duration;

/// SMTP or LMTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// RFC 5321.
    Smtp,
    /// RFC 2033.
    Lmtp,
}

/// What becomes of a bare LF or CR inside commands and data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BareNewline {
    /// It becomes CRLF, and never ends a message.
    Normalize,
    /// `550 5.6.11`.
    Reject,
}

/// What `VRFY` answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vrfy {
    /// `252`.
    Noncommittal,
    /// `502`.
    Disabled,
}

/// Whether the bytes travel encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// In clear, and `STARTTLS` is not offered.
    Unavailable,
    /// In clear, and `STARTTLS` is offered.
    Offered,
    /// Through TLS.
    Active,
}

/// Whether the peer may speak for others with `XCLIENT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// It may not.
    Ordinary,
    /// Its address is configured for it.
    Proxy,
}

/// Who is at the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The address; none on a Unix socket.
    pub address: Option<IpAddr>,
    /// The verified name of the address, as far as it is known.
    pub name: Option<String>,
    /// May it use `XCLIENT`?
    pub trust: Trust,
}

/// The limits and habits of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Our name in greetings.
    pub hostname: String,
    /// Octets of a message.
    pub max_message_size: u64,
    /// Recipients of a transaction (RFC 5321 §4.5.3.1.8 wants 100 at least).
    pub max_recipients: usize,
    /// Bad commands before `421`.
    pub max_errors: u32,
    /// Octets of a text line, where they are limited beyond the message size.
    pub max_line: Option<u64>,
    /// Bare CR and LF.
    pub bare_newline: BareNewline,
    /// `VRFY`.
    pub vrfy: Vrfy,
    /// Silence allowed between commands, and between blocks of data.
    pub command_timeout: Duration,
    /// Octets per second below which a peer that is sending data is cut off; averaged over the whole transaction after a grace period.
    pub min_rate: u64,
}
