//! What operations work on: the parts of the server that they need, and nothing else of it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use ipnet::IpNet;

use crate::directory::Directory;
use crate::directory::login::Logins;
use crate::directory::password::Cost;
use crate::ledger::Ledger;
use crate::maildir::{Maildirs, Over};
use crate::protocol::smtp;
use crate::relay::Office;
use crate::relay::list::Lists;
use crate::router::Limits;
use crate::spool::Queue;
use crate::telemetry::Recent;

/// The parts that operations work on. One for each process; shared by all requests.
pub struct Context {
    /// Accounts and aliases.
    pub directory: Arc<Directory>,
    /// Mailboxes.
    pub maildirs: Arc<Maildirs>,
    /// What became of recent messages; none where no server runs.
    pub recent: Option<Arc<Recent>>,
    /// The delivery log; none where nobody said where it lies.
    pub ledger: Option<Arc<Ledger>>,
    /// Mail that waits; none where nobody said where it lies.
    pub waits: Option<Waits>,
    /// What routes as RCPT does; nothing where no server runs.
    pub office: OnceLock<Arc<Office>>,
    /// What a reload of the configuration may change.
    pub rules: ArcSwap<Rules>,
    /// How the server calls for mail itself; nothing where no server runs, or before it listens.
    pub calling: OnceLock<Calling>,
    /// What waits for owners of lists, and who may leave them; nothing where no server runs.
    pub lists: OnceLock<Arc<Lists>>,
}

/// Where mail waits.
pub struct Waits {
    /// For its next hop.
    pub queue: Arc<Queue>,
    /// For its mailbox: the folder of the copies.
    pub copies: PathBuf,
}

/// What it takes to call for mail at the server's own door.
pub struct Calling {
    /// Who may come in, and who issues what lets the server in.
    pub logins: Arc<Logins>,
    /// Where POP3 listens in clear, if it does.
    pub listener: Option<SocketAddr>,
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
    /// The proxies that may say for whom they speak.
    pub proxies: Vec<IpNet>,
}

impl Context {
    /// Brings the parts together.
    pub fn new(directory: Arc<Directory>, maildirs: Arc<Maildirs>, recent: Option<Arc<Recent>>, rules: Rules) -> Self {
        Self {
            directory,
            maildirs,
            recent,
            ledger: None,
            waits: None,
            office: OnceLock::new(),
            rules: ArcSwap::from_pointee(rules),
            calling: OnceLock::new(),
            lists: OnceLock::new(),
        }
    }

    /// With the mail that waits in that spool.
    pub fn with_queue(mut self, queue: Arc<Queue>, spool: &Path) -> Self {
        self.waits = Some(Waits { queue, copies: spool.join("queue") });
        self
    }

    /// With the delivery log.
    pub fn with_ledger(mut self, ledger: Arc<Ledger>) -> Self {
        self.ledger = Some(ledger);
        self
    }
}
