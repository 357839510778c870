//! What the queue knows of a message and of each of its recipients, and how that is written. The first octet of a record is
//! the version of its format; every version that was ever written is read for ever.

use std::io;
use std::net::IpAddr;

use jiff::Timestamp;
use jiff::fmt::serde::timestamp::microsecond::required as micros;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::key::Hop;
use crate::directory::AccountId;
use crate::mail::envelope::Charset;
use crate::mail::{Address, BodyType, ForwardPath, Mailbox, Name, Notify, Return, ReversePath};

/// The only version so far.
const VERSION: u8 = 1;

/// Attempts that are remembered of a recipient: the last ones.
const ATTEMPTS: usize = 10;

/// Characters of a remembered reply.
const REPLY: usize = 400;

/// Why a message is in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// It came in, and an alias sends it on.
    Forwarded,
    /// It came in, or was made here, for the members of a list.
    Posting,
    /// A report of ours about another message.
    Report,
    /// Anything else that was made here.
    Made,
}

/// Where a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// With the records.
    Row,
    /// In a file of its own.
    File,
}

/// A message in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who sent it: where reports go.
    pub sender: ReversePath,
    /// `BODY`.
    pub body: BodyType,
    /// `SMTPUTF8`.
    pub charset: Charset,
    /// `RET`.
    pub ret: Option<Return>,
    /// `ENVID`: the xtext as it came.
    pub envid: Option<String>,
    /// When it was accepted.
    #[serde(with = "micros")]
    pub arrived: Timestamp,
    /// Octets of the text, its `Received` field included.
    pub octets: u64,
    /// Its lines.
    pub lines: u64,
    /// Where it is.
    pub place: Place,
    /// Why it is here.
    pub kind: Kind,
    /// Recipients that it ever had here.
    pub total: u32,
    /// Those that are still open.
    pub open: u32,
}

/// Where a recipient is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum To {
    /// Elsewhere.
    Mailbox(Mailbox),
    /// The members of a list, once somebody has looked who they are.
    List {
        /// The list.
        id: AccountId,
        /// Its name at the time.
        name: Name,
        /// The address that was asked for: the list's own, or one beside it.
        address: Address,
        /// How far it is.
        progress: Progress,
    },
}

/// How far a posting is on its way to the members of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Progress {
    /// Nobody has looked at it.
    Fresh,
    /// It waits for the list's owner since then.
    Held(#[serde(with = "micros")] Timestamp),
    /// It goes to all members.
    Approved,
    /// It has gone to the members up to this one.
    After(String),
    /// It goes to these members alone: it could not be brought to them before.
    Again(Vec<String>),
}

/// Whether a recipient is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// When its time has come.
    Waiting,
    /// Not until somebody releases it.
    Held,
}

/// A recipient that is still open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// Where it is.
    pub to: To,
    /// The recipient as the client gave it, where one did.
    pub asked: Option<ForwardPath>,
    /// `ORCPT`.
    pub original: Option<String>,
    /// `NOTIFY`.
    pub notify: Option<Notify>,
    /// The address here that sends it on: `Delivered-To`.
    pub via: Option<Address>,
    /// A sender of its own, in place of the message's.
    pub sender: Option<ReversePath>,
    /// Who is spoken to.
    pub hop: Hop,
    /// Whether it is tried.
    pub state: State,
    /// When it is tried next.
    #[serde(with = "micros")]
    pub next: Timestamp,
    /// How often it was tried.
    pub tries: u32,
    /// The last attempts, oldest first.
    pub attempts: Vec<Attempt>,
    /// Whether its sender was told that it takes longer.
    pub delay_told: bool,
}

/// An attempt that did not work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When.
    #[serde(with = "micros")]
    pub at: Timestamp,
    /// Whom it was made with: a name, and an address.
    pub remote: Option<(String, Option<IpAddr>)>,
    /// The enhanced status code.
    pub status: (u8, u16, u16),
    /// What was said.
    pub reply: String,
    /// Whether it was the peer that said it.
    pub by_peer: bool,
}

/// A hop that nobody can be spoken to at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Down {
    /// Attempts in vain, one after the other.
    pub failures: u32,
    /// When it is probed.
    #[serde(with = "micros")]
    pub until: Timestamp,
    /// Why.
    pub last: Attempt,
}

impl Recipient {
    /// One that waits since `now`.
    pub fn new(to: To, hop: Hop, now: Timestamp) -> Self {
        Self {
            to,
            asked: None,
            original: None,
            notify: None,
            via: None,
            sender: None,
            hop,
            state: State::Waiting,
            next: now,
            tries: 0,
            attempts: Vec::new(),
            delay_told: false,
        }
    }

    /// Remembers an attempt.
    pub fn tried(&mut self, mut attempt: Attempt) {
        self.tries = self.tries.saturating_add(1);
        if let Some((end, _)) = attempt.reply.char_indices().nth(REPLY) {
            attempt.reply.truncate(end);
        }
        if self.attempts.len() >= ATTEMPTS {
            self.attempts.remove(0);
        }
        self.attempts.push(attempt);
    }

    /// The address as it is shown.
    pub fn address(&self) -> String {
        match &self.to {
            To::Mailbox(mailbox) => mailbox.to_string(),
            To::List { address, .. } => address.to_string(),
        }
    }
}

/// The bytes of a record.
pub(super) fn write<T: Serialize>(record: &T) -> io::Result<Vec<u8>> {
    postcard::to_extend(record, vec![VERSION]).map_err(|error| io::Error::other(format!("a record cannot be written: {error}")))
}

/// The record in these bytes.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    match bytes.split_first() {
        Some((&VERSION, body)) => postcard::from_bytes(body).map_err(|_| damaged()),
        Some((version, _)) => {
            Err(io::Error::other(format!("a record of the queue has format {version}, written by a newer version of the program")))
        }
        None => Err(damaged()),
    }
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a record of the queue is damaged")
}

#[cfg(test)]
mod tests;
