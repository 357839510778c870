//! Where log lines go, in which form, and from which level on.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

use super::{Format, LogSettings};

/// Why the log cannot be written as wished.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level is no level and no filter.
    #[error("log.level `{level}` is not usable ({why}): give error, warn, info, debug or trace, or a filter of tracing-subscriber")]
    Level {
        /// As it was given.
        level: String,
        /// What is wrong with it.
        why: String,
    },
    /// This process writes a log already.
    #[error("the log has been started already")]
    Started,
}

/// The log of this process. Lines go to standard error, in colours only where a terminal shows them.
pub struct Log {
    filter: reload::Handle<EnvFilter, Registry>,
}

impl Log {
    /// Starts writing. Once for each process.
    pub fn start(settings: &LogSettings) -> Result<Self, LogError> {
        let (filter, handle) = reload::Layer::new(filter(&settings.level)?);
        let registry = tracing_subscriber::registry().with(filter);
        let lines = fmt::layer().with_writer(io::stderr).with_target(false);
        let started = match settings.format {
            Format::Text => registry.with(lines.with_ansi(io::stderr().is_terminal())).try_init(),
            Format::Json => registry.with(lines.json().flatten_event(true)).try_init(),
        };
        started.map_err(|_| LogError::Started)?;
        Ok(Self { filter: handle })
    }

    /// Takes another level, from the next line on.
    pub fn set_level(&self, level: &str) -> Result<(), LogError> {
        let filter = filter(level)?;
        self.filter.reload(filter).map_err(|e| LogError::Level { level: level.to_owned(), why: e.to_string() })
    }
}

fn filter(level: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::try_new(level).map_err(|e| LogError::Level { level: level.to_owned(), why: e.to_string() })
}
