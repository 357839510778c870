//! What the world holds for a session between `MAIL` and the end of data: routed recipients with the room promised to
//! them, and the body so far. Dropping it gives everything back; a client that goes away leaves nothing behind.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::task;

use super::Service;
use super::memory::{Exhausted, Share};
use crate::directory::{AccountId, AliasKey};
use crate::mail::limits::MESSAGE_IN_MEMORY;
use crate::protocol::smtp::Reply;
use crate::spool::{Body, Routed};
use crate::telemetry::Event;

/// Mailboxes, addresses elsewhere and lists that one transaction may lead to. Each is remembered until the end of data, and recipients that lead
/// to very many of them are for an operator to make, not for a client to multiply.
pub const DESTINATIONS: usize = 20_000;

/// Recipients whose refusal is logged one by one in a session; of more, their number is logged at its end.
const REFUSALS_LOGGED: u64 = 20;

/// Buffers that a session has anyway; part of its share while text flows.
const BUFFERS: usize = 24 * 1024;

/// One accepted recipient.
pub struct Accepted {
    /// Where it goes.
    pub routed: Routed,
    /// The aliases that led there.
    pub followed: Vec<AliasKey>,
}

/// The world's side of a session.
pub struct Transaction {
    /// Recipients, in the envelope's order.
    pub accepted: Vec<Accepted>,
    /// Mailboxes that have promised room already: a second recipient of the same one gets no second copy.
    pub promised: HashSet<AccountId>,
    /// When the first recipient was asked for.
    pub begun: Timestamp,
    /// When the last one had been routed.
    pub routed: Timestamp,
    /// Recipients refused in this session.
    refused: u64,
    destinations: usize,
    body: Option<Body>,
    failure: Option<Failed>,
    share: Share,
    buffers: usize,
}

/// Why the body cannot be kept: the reply, and the cause for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// What the client hears at the end of data.
    pub reply: Reply,
    /// What the operator reads.
    pub cause: String,
}

impl Transaction {
    /// Holds nothing.
    pub fn new(service: &Service) -> Self {
        Self {
            accepted: Vec::new(),
            promised: HashSet::new(),
            begun: Timestamp::UNIX_EPOCH,
            routed: Timestamp::UNIX_EPOCH,
            refused: 0,
            destinations: 0,
            body: None,
            failure: None,
            share: service.memory.share(),
            buffers: 0,
        }
    }

    /// Whether so many more destinations still fit.
    pub fn fits(&self, destinations: usize) -> bool {
        self.destinations + destinations <= DESTINATIONS
    }

    /// Takes an accepted recipient.
    pub fn accept(&mut self, accepted: Accepted) {
        let routed = &accepted.routed;
        self.destinations += routed.destinations.len() + routed.relays.len() + routed.lists.len();
        self.promised.extend(accepted.routed.destinations.iter().map(|destination| destination.id));
        self.accepted.push(accepted);
    }

    /// Counts a refused recipient, and tells whether it is to be logged.
    pub fn refuse(&mut self) -> bool {
        self.refused += 1;
        self.refused <= REFUSALS_LOGGED
    }

    /// Refused recipients that were not logged.
    pub fn refusals_omitted(&self) -> u64 {
        self.refused.saturating_sub(REFUSALS_LOGGED)
    }

    /// Is there memory for a message of that declared size?
    pub fn begin(&mut self, size: Option<u64>) -> Result<(), Exhausted> {
        let declared = usize::try_from(size.unwrap_or_default()).unwrap_or(usize::MAX);
        self.share.resize(declared.min(MESSAGE_IN_MEMORY) + BUFFERS)
    }

    /// Makes room for buffers of that size.
    pub fn buffers(&mut self, octets: usize) -> Result<(), Exhausted> {
        let old = std::mem::replace(&mut self.buffers, octets);
        self.hold(0).inspect_err(|_| self.buffers = old)
    }

    /// The share covers what is in memory: the body, text on its way to it, and buffers.
    fn hold(&mut self, more: usize) -> Result<(), Exhausted> {
        let body = self.body.as_ref().map_or(0, Body::in_memory);
        self.share.resize((body + more).min(2 * MESSAGE_IN_MEMORY) + self.buffers + BUFFERS)
    }

    /// Adds text to the body; clears `text`. When that fails, the rest of the message is read and thrown away, and the
    /// end of data hears why.
    pub async fn take(&mut self, service: &Arc<Service>, text: &mut Vec<u8>) {
        if self.failure.is_none() {
            if self.hold(text.len()).is_err() {
                let cause = "messages in memory have met their bound".to_owned();
                self.fail(Failed { reply: Reply::DiskFull, cause });
            } else if let Err(error) = self.store(service, text).await {
                self.fail(Failed { reply: storage_reply(&error), cause: error.to_string() });
            }
        }
        text.clear();
    }

    async fn store(&mut self, service: &Arc<Service>, text: &mut Vec<u8>) -> io::Result<()> {
        let mut body = self.body.take().unwrap_or_else(|| service.spool.body());
        if body.would_block(text.len()) {
            let mut piece = std::mem::take(text);
            let work = task::spawn_blocking(move || body.take(&mut piece).map(|()| (body, piece)));
            let (stored, piece) = work.await.map_err(io::Error::other)??;
            *text = piece;
            body = stored;
        } else {
            body.take(text)?;
        }
        self.body = Some(body);
        Ok(())
    }

    fn fail(&mut self, failed: Failed) {
        self.discard_body();
        self.failure = Some(failed);
    }

    /// The whole body for the spool, or why there is none. The share stays until [`Transaction::clear`].
    pub fn finish(&mut self, service: &Service) -> Result<Body, Failed> {
        match self.failure.take() {
            Some(failed) => Err(failed),
            None => Ok(self.body.take().unwrap_or_else(|| service.spool.body())),
        }
    }

    /// Throws the body away.
    pub fn discard_body(&mut self) {
        self.body = None;
        self.failure = None;
        self.buffers = 0;
        // Shrinking cannot fail.
        let _ = self.share.resize(0);
    }

    /// Forgets the recipients, and gives back the room promised to them.
    pub fn forget_recipients(&mut self) {
        if !self.accepted.is_empty() {
            self.accepted = Vec::new();
            self.promised = HashSet::new();
            self.destinations = 0;
        }
    }

    /// Forgets everything of the transaction; the session's count of refusals stays.
    pub fn clear(&mut self) {
        self.forget_recipients();
        self.discard_body();
    }
}

/// What a client hears when its message meets this error of the disk.
pub fn storage_reply(error: &io::Error) -> Reply {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Reply::DiskFull,
        _ => Reply::StorageFailed,
    }
}

/// Says that memory was short.
pub fn say_memory_full(client: &str) {
    Event::MemoryFull { client, bound: super::memory::TEXT_IN_MEMORY }.say();
}
