//! The session as its driver sees it: feed bytes and answers, carry out steps.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::reply::Reply;
use crate::mail::trace::{Client, With};
use crate::mail::{Envelope, Recipient};

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

/// What the session wants done next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Send the pending output, then read more input (until [`Session::deadline`]).
    Read,
    /// Answer this with [`Session::answer`].
    Ask(Question),
    /// Throw the body gathered so far away; then go on with [`Session::advance`].
    Discard,
    /// Send the pending output, drop the input, do the handshake, then call [`Session::encrypted`].
    StartTls,
    /// Send the pending output, then close.
    Close,
}

/// What the session cannot know.
#[derive(Debug, PartialEq, Eq)]
pub enum Question {
    /// May this recipient join the envelope? Answered by [`Answer::Recipient`].
    Recipient(Recipient),
    /// Data is about to come for [`Session::envelope`]: is there room? Answered by [`Answer::Begin`].
    Begin,
    /// The body is complete: make it safe. Answered by [`Answer::Committed`].
    Commit,
}

/// The world's answer to a [`Question`].
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// Accept, or refuse with this reply.
    Recipient(Result<(), Reply>),
    /// Go on, or refuse with this reply.
    Begin(Result<(), Reply>),
    /// The outcome of each recipient, in the order of the envelope. SMTP answers with the first of them (all are equal
    /// there: the spool takes a message whole or not at all); LMTP gives each.
    Committed(Vec<Reply>),
}

/// A session of either dialect, from greeting to close.
pub struct Session {}

impl Session {
    /// A session that has not greeted yet.
    pub fn new(dialect: Dialect, settings: Arc<Settings>, peer: Peer, encryption: Encryption, now: Instant) -> Self {
        todo!()
    }

    /// Appends the greeting. If anything was read before it, that was an early talker: it is told so, and the step is `Close`.
    pub fn greet(&mut self, input: &BytesMut, output: &mut Vec<u8>) -> Step {
        todo!()
    }

    /// Goes as far as `input` lets it. Replies are appended to `output`, message text (LF line ends, dots unstuffed) to `body`.
    pub fn advance(&mut self, input: &mut BytesMut, output: &mut Vec<u8>, body: &mut Vec<u8>, now: Instant) -> Step {
        todo!()
    }

    /// Takes the answer to the question asked last; then [`Session::advance`] goes on.
    pub fn answer(&mut self, answer: Answer, output: &mut Vec<u8>, now: Instant) {
        todo!()
    }

    /// The handshake that [`Step::StartTls`] asked for is done.
    pub fn encrypted(&mut self, now: Instant) {
        todo!()
    }

    /// When the peer has been silent, or slow, for too long.
    pub fn deadline(&self) -> Instant {
        todo!()
    }

    /// The deadline has passed: says so, and closes. The body is to be thrown away.
    pub fn expire(&mut self, output: &mut Vec<u8>, now: Instant) -> Step {
        todo!()
    }

    /// The server is stopping: a session between transactions says 421 and closes now; one in a transaction goes on (`Read`)
    /// and closes after it.
    pub fn shut_down(&mut self, output: &mut Vec<u8>) -> Step {
        todo!()
    }

    /// The reverse lookup of the peer's address has come back.
    pub fn named(&mut self, name: String) {
        todo!()
    }

    /// The envelope of the transaction under way.
    pub fn envelope(&self) -> Option<&Envelope> {
        todo!()
    }

    /// The client as it names itself and as we know it (after `XCLIENT`, as the proxy knows it).
    pub fn client(&self) -> Client {
        todo!()
    }

    /// The `with` clause for the transaction under way.
    pub fn with(&self) -> With {
        todo!()
    }
}
