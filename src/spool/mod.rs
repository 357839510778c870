//! The spool: where accepted mail is safe until it has reached every mailbox it is for.
//!
//! Owns acceptance. Promises that a [`Stored`] exists only when the disk has every copy: a `250` that is made from it
//! survives `kill -9` and a power cut. Refuses to know sockets and replies' wording.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::mail::trace::{Client, With};
use crate::mail::{Envelope, QueueId, Recipient};
use crate::maildir::{Maildirs, Reservation};
use crate::router::Destination;

/// The text of a message on its way in: in memory up to [`crate::mail::limits::MESSAGE_IN_MEMORY`], then in a file of the spool.
pub struct Body {}

/// One accepted recipient and the mailboxes it leads to (none: discarded).
pub struct Routed {
    /// As the client gave it.
    pub recipient: Recipient,
    /// Where it goes.
    pub destinations: Vec<Destination>,
    /// The room promised at RCPT.
    pub reserved: Vec<Reservation>,
}

/// A message that is to be made safe.
pub struct Routing {
    /// Its name from here on.
    pub id: QueueId,
    /// The envelope.
    pub envelope: Envelope,
    /// Its recipients, in the envelope's order.
    pub recipients: Vec<Routed>,
    /// Who handed it over.
    pub client: Client,
    /// Over which protocol.
    pub with: With,
}

/// Whether recipients stand or fall together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcomes {
    /// One outcome for the message (SMTP).
    Together,
    /// One for each recipient (LMTP).
    Each,
}

/// Proof that the disk has every copy for one recipient. Only the spool can make one.
#[derive(Debug)]
pub struct Stored {
    id: QueueId,
    /// Where each copy lies; a copy that waits in the spool for its mailbox is not in it.
    pub files: Vec<PathBuf>,
}

/// Why a recipient's copy was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It has been here before.
    Loop,
    /// Its header section is over the limit.
    HeaderTooBig,
    /// A mailbox is full after all.
    MailboxFull,
    /// The disk is full.
    DiskFull,
    /// Anything else, with the cause for the log.
    Io(String),
}

impl Stored {
    /// The id that the reply carries.
    pub fn id(&self) -> QueueId {
        self.id
    }
}

/// The spool of one server.
pub struct Spool {}

impl Spool {
    /// Opens the spool in `dir`, and takes up what a crash left there.
    pub fn open(dir: PathBuf, hostname: String, maildirs: Arc<Maildirs>) -> io::Result<Self> {
        todo!()
    }
    /// A number for the next message.
    pub fn next_id(&self) -> QueueId {
        todo!()
    }
    /// An empty body.
    pub fn body(&self) -> Body {
        todo!()
    }
    /// Makes a message safe. Blocks on the disk: call it off the async threads. One result for each recipient.
    pub fn accept(&self, routing: Routing, body: Body, outcomes: Outcomes) -> Vec<Result<Stored, Failure>> {
        todo!()
    }
    /// Delivers again what waits for a mailbox that failed before; returns how many copies still wait.
    pub fn deliver_waiting(&self) -> io::Result<usize> {
        todo!()
    }
}

impl Body {
    /// Takes the next part of the text (LF line ends); clears `text`. Blocks only when it writes to a file.
    pub fn take(&mut self, text: &mut Vec<u8>) -> io::Result<()> {
        todo!()
    }
    /// Octets so far.
    pub fn len(&self) -> u64 {
        todo!()
    }
    /// Whether the next [`Body::take`] of that many octets would write to a file.
    pub fn would_block(&self, octets: usize) -> bool {
        todo!()
    }
}
