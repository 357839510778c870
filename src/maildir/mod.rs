//! The mailboxes of POP accounts: one Maildir each, in the standard format.
//!
//! Owns file names, delivery, usage and quota, and the trash. Promises that a file in `new` is whole, and that a Maildir
//! belongs to the account whose id it carries: a new account under an old name never sees old mail.
//! Refuses to know envelopes and protocols.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::directory::{AccountId, Effect};
use crate::mail::Name;
use crate::router::Destination;

/// What happens at RCPT when a mailbox is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// `452 4.2.2`.
    Defer,
    /// `552 5.2.2`.
    Reject,
}

/// What an operator may say about mailboxes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `mail.root`.
    pub root: PathBuf,
    /// The host part of file names.
    pub hostname: String,
    /// The quota of accounts that have none of their own; none means unlimited.
    pub default_quota: Option<u64>,
    /// What happens when a mailbox is full.
    pub over: Over,
}

/// All Maildirs of the server. Cheap to share.
pub struct Maildirs {}

/// What a mailbox holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Usage {
    /// Octets (the `S=` of each file).
    pub octets: u64,
    /// Messages.
    pub messages: u64,
}

/// Octets promised to a transaction under way; given back when dropped.
pub struct Reservation {}

/// A mailbox has no room for a message of that size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl Maildirs {
    /// The mailboxes under `settings.root`.
    pub fn new(settings: Settings) -> io::Result<Self> {
        todo!()
    }
    /// Does to the Maildirs what a change of the directory calls for. Safe to repeat.
    pub fn follow(&self, effects: &[Effect]) -> io::Result<()> {
        todo!()
    }
    /// What a mailbox holds; nothing if it was never used.
    pub fn usage(&self, id: AccountId, name: &Name) -> io::Result<Usage> {
        todo!()
    }
    /// Promises room for `octets`, so that parallel deliveries cannot overrun the quota.
    pub fn reserve(self: &Arc<Self>, to: &Destination, octets: u64) -> Result<io::Result<Reservation>, Full> {
        todo!()
    }
    /// The folder of an account's mail.
    pub fn path(&self, name: &Name) -> PathBuf {
        todo!()
    }
}
