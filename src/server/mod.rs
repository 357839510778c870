//! Listeners, and the one loop that drives a session.
//!
//! Owns sockets: what is accepted, from whom, how many, how long; TLS; and the way from a session's
//! [question](crate::protocol::smtp::Question) to the world's answer. Promises that accepting never stops for good, that
//! memory is bounded whatever clients send, that a `250` is made from a [`crate::spool::Stored`] alone, and that a
//! client that goes away leaves nothing behind. Refuses to know the protocols' grammar and any store's inside: no
//! function here holds both a socket and a decision.
//!
//! What is said here of sessions is SMTP's and LMTP's; owners calling for their mail have a folder of their own, [`pop3`].
//!
//! Reading order: [`listeners`] (sockets), [`limits`] (who may enter), [`connection`] (from `accept` to close),
//! [`proxy`], [`tls`], [`patience`] (who waits for the greeting), [`drive`] (the loop), [`answers`] (questions),
//! [`transaction`] (what they leave until the end of data), [`report`] (what is told of a message), [`memory`], [`names`].

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use ipnet::IpNet;
use tokio::sync::watch;

use crate::directory::Directory;
use crate::directory::login::Logins;
use crate::ledger::Ledger;
use crate::maildir::{self, Maildirs};
use crate::protocol::{self, smtp};
use crate::relay::Office;
use crate::relay::list::Lists;
use crate::relay::vacation::Vacations;
use crate::router;
use crate::spool::Spool;
use crate::telemetry::Recent;

pub mod answers;
pub mod connection;
pub mod drive;
pub mod limits;
pub mod listeners;
pub mod memory;
pub mod names;
pub mod patience;
pub mod pop3;
pub mod proxy;
pub mod report;
pub mod room;
pub mod tls;
pub mod transaction;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// `127.0.0.1:2525`; port 0 takes a free one.
    Tcp(SocketAddr),
    /// `unix:/path`.
    Unix(PathBuf),
}

/// Whether the names of client addresses are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReverseLookup {
    /// While the session goes on; a session never waits for it.
    Background,
    /// Never.
    Off,
}

/// Where the certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Certificate {
    /// A self-signed pair in this folder, made when it is missing.
    SelfSigned {
        /// The folder.
        folder: PathBuf,
    },
    /// A chain and its key, both PEM.
    Files {
        /// The chain, the server's own first.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
}

/// What an operator may say about listeners and connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// SMTP, with STARTTLS offered.
    pub smtp: Vec<Listen>,
    /// SMTP inside TLS from the first byte.
    pub smtp_tls: Vec<Listen>,
    /// LMTP, with STARTTLS offered on TCP.
    pub lmtp: Vec<Listen>,
    /// POP3, with STLS offered.
    pub pop3: Vec<Listen>,
    /// POP3 inside TLS from the first byte.
    pub pop3_tls: Vec<Listen>,
    /// Connections in total.
    pub max_connections: usize,
    /// Connections from one client address.
    pub max_connections_per_client: usize,
    /// Connections of POP3 in total: counted apart, so that nobody who calls for mail keeps mail from coming in.
    pub max_callers: usize,
    /// Connections of POP3 from one client address.
    pub max_callers_per_client: usize,
    /// Where POP3 takes passwords without TLS.
    pub plaintext: pop3::Plaintext,
    /// How long a POP3 client may take nothing of what it asked for.
    pub stall_timeout: Duration,
    /// Clients that speak the PROXY protocol first.
    pub proxy_from: Vec<IpNet>,
    /// Clients that may use XCLIENT.
    pub xclient_from: Vec<IpNet>,
    /// Names of client addresses.
    pub reverse_lookup: ReverseLookup,
    /// Who is asked for them; empty: the resolvers of this machine.
    pub resolvers: Vec<SocketAddr>,
    /// How long a transaction under way may take to end when the server stops.
    pub shutdown_grace: Duration,
    /// TLS.
    pub certificate: Certificate,
}

impl Settings {
    /// How many connections may come through a door, in total and from one client.
    fn most(&self, door: connection::Door) -> (usize, usize) {
        if door.is_pop3() {
            (self.max_callers, self.max_callers_per_client)
        } else {
            (self.max_connections, self.max_connections_per_client)
        }
    }
}

/// What a reload may change. A session takes its own settings when it begins, routing at each recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Sessions.
    pub session: Arc<smtp::Settings>,
    /// Sessions of POP3.
    pub pop3: Arc<protocol::pop3::Settings>,
    /// Routing.
    pub routing: router::Limits,
    /// Mailboxes.
    pub mailboxes: maildir::Settings,
    /// Connections.
    pub server: Settings,
}

/// Everything that sessions work with; one for each server.
pub struct Service {
    /// Accounts and aliases.
    pub directory: Arc<Directory>,
    /// Mailboxes.
    pub maildirs: Arc<Maildirs>,
    /// Acceptance.
    pub spool: Arc<Spool>,
    /// Where mail that is made here is handed in.
    pub office: Arc<Office>,
    /// List accounts.
    pub lists: Arc<Lists>,
    /// Replies on behalf of owners that are away.
    pub vacations: Arc<Vacations>,
    /// What became of recent messages.
    pub recent: Arc<Recent>,
    /// What became of every recipient, for days.
    pub ledger: Arc<Ledger>,
    /// What a reload may change.
    pub rules: ArcSwap<Rules>,
    /// The certificate.
    pub tls: tls::Tls,
    /// Connections of SMTP and LMTP.
    pub limits: Arc<limits::Limits>,
    /// Connections of POP3.
    pub callers: Arc<limits::Limits>,
    /// Whose manners are known.
    pub patience: patience::Patience,
    /// Who may come in.
    pub logins: Arc<Logins>,
    /// Who has which mailbox.
    pub mailboxes: Arc<pop3::mailboxes::Mailboxes>,
    /// Message text in memory.
    pub memory: memory::Memory,
    /// Names of client addresses.
    pub names: Option<names::Names>,
    /// Turns true when the server is to stop.
    pub stopping: watch::Sender<bool>,
}

impl Service {
    fn limits_of(&self, door: connection::Door) -> &Arc<limits::Limits> {
        if door.is_pop3() { &self.callers } else { &self.limits }
    }
}

pub(crate) fn contains(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}
