//! Listeners, and the one loop that drives a session.
//!
//! Owns sockets: what is accepted, from whom, how many, how long; TLS; and the way from a session's
//! [question](crate::protocol::smtp::Question) to the world's answer. Promises that accepting never stops for good, that
//! memory is bounded whatever clients send, that a `250` is made from a [`crate::spool::Stored`] alone, and that a
//! client that goes away leaves nothing behind. Refuses to know the protocols' grammar and any store's inside: no
//! function here holds both a socket and a decision.
//!
//! Reading order: [`listeners`] (sockets), [`limits`] (who may enter), [`connection`] (from `accept` to close),
//! [`proxy`], [`tls`], [`drive`] (the loop), [`answers`] (questions), [`transaction`] (what they leave until the end of data),
//! [`report`] (what is told of a message), [`memory`], [`names`].

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use ipnet::IpNet;
use tokio::sync::watch;

use crate::directory::Directory;
use crate::maildir::{self, Maildirs};
use crate::protocol::smtp;
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
    /// Connections in total.
    pub max_connections: usize,
    /// Connections from one client address.
    pub max_connections_per_client: usize,
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

/// What a reload may change. A session takes its own settings when it begins, routing at each recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Sessions.
    pub session: Arc<smtp::Settings>,
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
    /// What became of recent messages.
    pub recent: Arc<Recent>,
    /// What a reload may change.
    pub rules: ArcSwap<Rules>,
    /// The certificate.
    pub tls: tls::Tls,
    /// Connections.
    pub limits: Arc<limits::Limits>,
    /// Message text in memory.
    pub memory: memory::Memory,
    /// Names of client addresses.
    pub names: Option<names::Names>,
    /// Turns true when the server is to stop.
    pub stopping: watch::Sender<bool>,
}

fn contains(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}
