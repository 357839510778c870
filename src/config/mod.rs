//! Configuration: the file's shape, and what it means.

use std::path::PathBuf;
use std::sync::Arc;

use crate::directory::password::Cost;
use crate::protocol::smtp;
use crate::telemetry::LogSettings;
use crate::{admin, maildir, router, server};

/// A configuration that has been checked: what each layer needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Our name.
    pub hostname: String,
    /// `spool.dir`: directory/, queue/, tls/, run.json.
    pub spool: PathBuf,
    /// Mailboxes.
    pub mail: maildir::Settings,
    /// Days a deleted account's mail is kept.
    pub trash_days: u32,
    /// Sessions, SMTP and LMTP alike.
    pub session: Arc<smtp::Settings>,
    /// Routing.
    pub routing: router::Limits,
    /// Listeners.
    pub server: server::Settings,
    /// Administration.
    pub admin: admin::Settings,
    /// Cost of new password hashes.
    pub password: Cost,
    /// The log.
    pub log: LogSettings,
}
