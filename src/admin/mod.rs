//! Administration: one operation, three surfaces.

use std::net::SocketAddr;
use std::path::PathBuf;

/// What an operator may say about administration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The panel's address.
    pub listen: SocketAddr,
    /// The Unix socket of the HTTP API, for this machine's administrators.
    pub socket: PathBuf,
}
