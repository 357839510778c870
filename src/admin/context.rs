//! What operations work on: the parts of the server that they need, and nothing else of it.

use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::directory::Directory;
use crate::directory::password::Cost;
use crate::mail::QueueId;
use crate::maildir::{Maildirs, Over};
use crate::router::Limits;

/// The parts that operations work on. One for each process; shared by all requests.
pub struct Context {
    /// Accounts and aliases.
    pub directory: Arc<Directory>,
    /// Mailboxes.
    pub maildirs: Arc<Maildirs>,
    /// What became of recent messages; none where no server runs.
    pub recent: Option<Arc<dyn Recent>>,
    /// What a reload of the configuration may change.
    pub rules: ArcSwap<Rules>,
    /// Ordinary changes share it; a change under `If-Match` has it alone, so that nothing comes between its comparison
    /// and its batch.
    pub(super) edits: RwLock<()>,
}

/// What a reload of the configuration may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Our name.
    pub hostname: String,
    /// Routing, as RCPT does it.
    pub routing: Limits,
    /// What RCPT says to a full mailbox.
    pub over: Over,
    /// Cost of new password hashes.
    pub password: Cost,
}

/// Where the server notes what becomes of the messages that it accepts.
pub trait Recent: Send + Sync {
    /// What became of a message so far; none if it is unknown, or too long ago.
    fn delivery(&self, id: QueueId) -> Option<Delivery>;
}

/// The way of one message through the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its id.
    pub id: QueueId,
    /// What happened to it, in order.
    pub hops: Vec<Hop>,
    /// The files it became.
    pub files: Vec<PathBuf>,
    /// Whether every copy is where it belongs.
    pub delivered: bool,
}

/// One thing that happened to a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// What happened, in words for an administrator.
    pub what: String,
    /// When.
    pub at: Timestamp,
}

impl Context {
    /// Brings the parts together.
    pub fn new(directory: Arc<Directory>, maildirs: Arc<Maildirs>, recent: Option<Arc<dyn Recent>>, rules: Rules) -> Self {
        Self { directory, maildirs, recent, rules: ArcSwap::from_pointee(rules), edits: RwLock::new(()) }
    }
}
