//! What operations work on: the parts of the server that they need, and nothing else of it.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::directory::Directory;
use crate::directory::password::Cost;
use crate::maildir::{Maildirs, Over};
use crate::protocol::smtp;
use crate::router::Limits;
use crate::telemetry::Recent;

/// The parts that operations work on. One for each process; shared by all requests.
pub struct Context {
    /// Accounts and aliases.
    pub directory: Arc<Directory>,
    /// Mailboxes.
    pub maildirs: Arc<Maildirs>,
    /// What became of recent messages; none where no server runs.
    pub recent: Option<Arc<Recent>>,
    /// What a reload of the configuration may change.
    pub rules: ArcSwap<Rules>,
}

/// What a reload of the configuration may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Our name.
    pub hostname: String,
    /// Sessions, as MAIL hears them.
    pub session: Arc<smtp::Settings>,
    /// Routing, as RCPT does it.
    pub routing: Limits,
    /// What RCPT says to a full mailbox.
    pub over: Over,
    /// Cost of new password hashes.
    pub password: Cost,
}

impl Context {
    /// Brings the parts together.
    pub fn new(directory: Arc<Directory>, maildirs: Arc<Maildirs>, recent: Option<Arc<Recent>>, rules: Rules) -> Self {
        Self { directory, maildirs, recent, rules: ArcSwap::from_pointee(rules) }
    }
}
