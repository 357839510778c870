//! The mailboxes of POP accounts: one Maildir each, in the standard format.
//!
//! Owns file names, delivery, usage and quota, and the trash. Promises that a file in `new` is whole, and that a Maildir
//! belongs to the account whose id it carries (in the file [`folders::MARKER`]): a new account under an old name never
//! sees old mail. Refuses to know envelopes and protocols.
//!
//! Reading order: [`name`], [`folders`], [`deliver`], [`quota`], [`maildrop`], [`stuck`] (mailboxes that do not answer).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

pub mod deliver;
pub mod folders;
pub mod maildrop;
pub mod name;
pub mod quota;
mod recently;
mod stuck;

pub use deliver::{Copy, PublishError, Safety, Staged, Text};
pub use maildrop::{Listing, Maildrop};
pub use quota::{NoRoom, Reservation, Usage};

use crate::directory::UNLIMITED;
use crate::sys::disk::make_folders;
use crate::sys::{Disk, Real};
use crate::telemetry::Event;

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
    /// The quota of accounts that have none of their own, at first; none means unlimited.
    pub default_quota: Option<u64>,
    /// What happens when a mailbox is full.
    pub over: Over,
}

/// All Maildirs of the server. Shared by reference.
pub struct Maildirs {
    settings: Settings,
    disk: Arc<dyn Disk>,
    host: String,
    sequence: AtomicU64,
    known: folders::Known,
    accounts: quota::Accounts,
    visits: stuck::Visits,
    default_quota: AtomicU64,
}

impl Maildirs {
    /// The mailboxes under `settings.root`.
    pub fn new(settings: Settings) -> io::Result<Self> {
        Self::on(settings, Arc::new(Real))
    }

    /// The same on another disk.
    pub fn on(settings: Settings, disk: Arc<dyn Disk>) -> io::Result<Self> {
        make_folders(&*disk, &settings.root.join(folders::TRASH))?;
        disk.spread(&settings.root);
        let host = name::escaped(&settings.hostname);
        let maildirs = Self {
            disk,
            host,
            sequence: AtomicU64::new(0),
            known: Default::default(),
            accounts: Default::default(),
            visits: Default::default(),
            default_quota: AtomicU64::new(settings.default_quota.unwrap_or(UNLIMITED)),
            settings,
        };
        if let Err(error) = maildirs.end_removals() {
            Event::PurgeUnfinished { cause: &error.to_string() }.say();
        }
        Ok(maildirs)
    }

    /// What the operator said when the server started.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The folder of all mailboxes.
    pub fn root(&self) -> &Path {
        &self.settings.root
    }
}
