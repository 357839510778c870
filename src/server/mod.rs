//! Listeners, and the one loop that drives a session.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

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
    /// How long a transaction under way may take to end when the server stops.
    pub shutdown_grace: Duration,
    /// TLS.
    pub certificate: Certificate,
}
