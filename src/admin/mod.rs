//! Administration: one operation, three surfaces.
//!
//! Owns what an administrator can ask for. Each operation is a typed function in [`operations`] with its permission; the
//! HTTP [`api`], the panel ([`web`]) and the command line ([`cli`]) call it and add nothing. Promises that every change is asked of the
//! directory first and carried out in the Maildirs after it, that permission is decided in one place
//! ([`permission`]), and that a password leaves this module only as a hash, or once, when it was generated.
//! Refuses to know configuration files and how the parts are built: `app` hands it a [`Context`].
//!
//! Reading order: [`context`], [`permission`], [`problem`], [`operations`], [`login`], [`api`], [`web`], [`socket`] and
//! [`http`] (where they are served), [`cli`].

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;

pub mod api;
pub mod cli;
pub mod context;
mod forwarded;
pub mod http;
pub mod login;
mod metrics;
pub mod operations;
pub mod permission;
pub mod problem;
pub mod socket;
pub mod web;

pub use context::{Context, Rules};
pub use socket::serve_socket;

/// What an operator may say about administration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The panel's address.
    pub listen: SocketAddr,
    /// The Unix socket of the HTTP API, for this machine's administrators.
    pub socket: PathBuf,
    /// The proxies that may say for whom they speak.
    pub trusted_proxies: Vec<IpNet>,
}
