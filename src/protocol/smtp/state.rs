//! The states of a session, and what leads from one to the next.
//!
//! Each state that holds something is a struct of its own, in `transaction`.

use std::time::Instant;

use super::command::Phase;
use super::reply::{Class, Reply};
use super::session::Question;
use super::settings::Settings;
use super::transaction::{Asking, Chunking, Committing, Greeted, Open, Ready, Receiving, Starting};
use crate::protocol::lmtp::Tried;

/// Where a session stands.
#[derive(Default)]
pub(super) enum State {
    /// Before `EHLO`: nothing is known.
    Connected,
    Ready(Ready),
    Open(Open),
    Asking(Asking),
    Starting(Starting),
    Receiving(Receiving),
    Chunking(Chunking),
    Committing(Committing),
    /// `STARTTLS` was answered; the handshake is under way.
    Securing,
    /// Nothing more is read or said.
    #[default]
    Closed,
}

/// What a transition leads to.
pub(super) struct Turn {
    pub state: State,
    pub say: Say,
    /// Octets to be thrown away before anything is said.
    pub skip: u64,
    /// Whether the body gathered so far is of no use.
    pub discard: bool,
}

/// What the peer hears.
#[derive(Debug)]
pub(super) enum Say {
    Nothing,
    One(Reply),
    /// The same for each of so many recipients.
    Times(Reply, usize),
    /// One for each recipient.
    Each(Vec<Reply>),
}

impl Turn {
    pub fn to(state: State) -> Self {
        Self { state, say: Say::Nothing, skip: 0, discard: false }
    }

    pub fn saying(state: State, reply: Reply) -> Self {
        Self { say: Say::One(reply), ..Self::to(state) }
    }
}

impl Say {
    /// Why not, if the answer is no.
    pub fn refusal(&self) -> Option<&Reply> {
        match self {
            Self::One(reply) | Self::Times(reply, _) => (reply.class() != Class::Positive).then_some(reply),
            Self::Nothing | Self::Each(_) => None,
        }
    }

    /// Whether something was taken for good: a message, not just a command.
    pub fn has_stored(&self) -> bool {
        matches!(self, Self::Each(replies) if replies.iter().any(|reply| reply.class() == Class::Positive))
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Nothing => {}
            Self::One(reply) => reply.write(out),
            Self::Times(reply, times) => (0..*times).for_each(|_| reply.write(out)),
            Self::Each(replies) => replies.iter().for_each(|reply| reply.write(out)),
        }
    }
}

impl State {
    /// The phase that the command table knows.
    pub fn phase(&self) -> Phase {
        match self {
            Self::Connected | Self::Securing | Self::Closed => Phase::Connected,
            Self::Ready(_) => Phase::Ready,
            Self::Open(_) | Self::Asking(_) | Self::Starting(_) | Self::Receiving(_) | Self::Committing(_) => Phase::Open,
            Self::Chunking(_) => Phase::Chunking,
        }
    }

    /// The transaction under way.
    pub fn open(&self) -> Option<&Open> {
        match self {
            Self::Open(open) => Some(open),
            Self::Asking(Asking { open, .. })
            | Self::Starting(Starting { open, .. })
            | Self::Receiving(Receiving { open, .. })
            | Self::Chunking(Chunking { open, .. })
            | Self::Committing(Committing { open }) => Some(open),
            Self::Connected | Self::Ready(_) | Self::Securing | Self::Closed => None,
        }
    }

    pub fn greeted(&self) -> Option<&Greeted> {
        match self {
            Self::Ready(ready) => Some(&ready.greeted),
            other => other.open().map(|open| &open.greeted),
        }
    }

    /// What has to be answered before the session can go on.
    pub fn question(&self) -> Option<Question> {
        match self {
            Self::Asking(asking) => Some(Question::Recipient(asking.recipient.clone())),
            Self::Starting(_) => Some(Question::Begin),
            Self::Committing(_) => Some(Question::Commit),
            _ => None,
        }
    }

    /// When text that is coming in will count as coming too slowly.
    pub fn too_slow_at(&self, settings: &Settings) -> Option<Instant> {
        match self {
            Self::Receiving(Receiving { intake, .. }) | Self::Chunking(Chunking { intake, .. }) => intake.too_slow_at(settings),
            _ => None,
        }
    }

    /// `RSET`: the transaction is forgotten (RFC 5321 §4.1.1.5).
    pub fn reset(self) -> Turn {
        let discard = matches!(self, Self::Chunking(_));
        let state = match self {
            Self::Open(open) | Self::Chunking(Chunking { open, .. }) => open.closed(),
            other => other,
        };
        Turn { discard, ..Turn::saying(state, Reply::Ok) }
    }
}

/// Why an error is no fault of the client: its commands were on their way before it could know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excuse {
    /// They were pipelined behind a `MAIL` that was refused.
    MailRefused,
    /// Data was announced in a group of which every recipient was refused.
    RecipientsRefused,
}

impl State {
    /// Whether a command may be wrong through no fault of the client (RFC 2920 §3.1).
    pub fn excuse(&self, verb: &str) -> Option<Excuse> {
        match self {
            Self::Ready(ready) if ready.mail_refused && matches!(verb, "RCPT" | "DATA" | "BDAT") => Some(Excuse::MailRefused),
            Self::Open(open) if open.tried == Tried::AllRefused && matches!(verb, "DATA" | "BDAT") => Some(Excuse::RecipientsRefused),
            _ => None,
        }
    }
}
