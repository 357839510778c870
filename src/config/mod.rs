//! Configuration: one TOML file, from its shape as written to what it means.
//!
//! Owns the names, defaults and documentation of all keys ([`keys`], from which `config/restante.toml` is generated), and
//! the checks between them. Promises that all errors are reported at once, each with file, line, key and what to write
//! instead, and that a [`Config`] that exists is sound. Refuses to know where the file was asked for (`--config`,
//! `RESTANTE_CONFIG`), and touches no file that a key names.
//!
//! Two stages: [`shape`] turns text into values under known keys; [`meaning`] turns values into settings of the layers.

mod keys;
mod listen;
mod meaning;
mod problem;
mod relaying;
mod shape;
mod value;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::directory::password::Cost;
use crate::protocol::{pop3, smtp};
use crate::telemetry::LogSettings;
use crate::{admin, ledger, maildir, relay, router, server, spool};

pub use keys::reference;
pub use problem::{Errors, LoadError, Problem};

/// A configuration that has been checked: what each layer needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Our name.
    pub hostname: String,
    /// `spool.dir`: directory/, queue/, tls/, run.json.
    pub spool: PathBuf,
    /// `spool.max_log`.
    pub spool_log: spool::Bounds,
    /// Mailboxes.
    pub mail: maildir::Settings,
    /// Days a deleted account's mail is kept.
    pub trash_days: u32,
    /// Sessions, SMTP and LMTP alike.
    pub session: Arc<smtp::Settings>,
    /// Sessions of POP3.
    pub pop3: Arc<pop3::Settings>,
    /// Routing.
    pub routing: router::Limits,
    /// Mail on its way out.
    pub relay: Arc<relay::Settings>,
    /// List accounts.
    pub lists: relay::list::Rules,
    /// Listeners.
    pub server: server::Settings,
    /// Administration.
    pub admin: admin::Settings,
    /// Cost of new password hashes.
    pub password: Cost,
    /// The log.
    pub log: LogSettings,
    /// The delivery log.
    pub ledger: ledger::Settings,
}

/// A configuration's text, and the name that its errors begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    name: String,
    text: String,
}

impl Source {
    /// Text that stands in no file.
    pub fn inline(text: &str) -> Self {
        Self { name: "configuration".into(), text: text.into() }
    }

    /// The text of a file.
    pub fn read(path: &Path) -> Result<Self, LoadError> {
        let name = path.display().to_string();
        match fs::read(path) {
            Ok(octets) => match String::from_utf8(octets) {
                Ok(text) => Ok(Self { name, text }),
                Err(error) => Err(Errors::new(name, vec![problem::not_text(&error)]).into()),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(LoadError::Missing { path: path.into() }),
            Err(error) => Err(LoadError::Unreadable { path: path.into(), error }),
        }
    }

    /// What it means, or everything that is wrong with it.
    pub fn parse(&self) -> Result<Config, Errors> {
        let mut written = shape::read(&self.text);
        let config = meaning::config(&mut written);
        match config {
            Some(config) if written.problems.is_empty() => Ok(config),
            _ => Err(Errors::new(self.name.clone(), written.problems)),
        }
    }
}

/// Reads and checks a configuration file.
pub fn load(path: &Path) -> Result<Config, LoadError> {
    Ok(Source::read(path)?.parse()?)
}

/// Checks a configuration that stands in no file.
pub fn parse(text: &str) -> Result<Config, Errors> {
    Source::inline(text).parse()
}
