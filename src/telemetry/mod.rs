//! What is worth saying.
//!
//! Owns the closed set of [`Event`]s, the one place that renders each to a log line, the [`mod@meter`] that counts them, the last
//! day's [`minutes`], and the memory of [`Recent`] deliveries. Promises one line for each message outcome (design section 11), and that text from peers cannot forge
//! lines or fields: it is recorded as a quoted string. Refuses to know who tells it: layers above hand it
//! words of the vocabulary only. Secrets are none of them.

pub mod event;
pub mod log;
pub mod meter;
pub mod minutes;
pub mod recent;

pub use event::{Event, Fate, Outcome, Refusal};
pub use log::{Log, LogError};
pub use meter::meter;
pub use recent::{Delivery, Landing, Recent};

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// What an operator may say about the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// The form of lines.
    pub format: Format,
    /// `error`, `warn`, `info`, `debug` or `trace`, or a filter of tracing-subscriber.
    pub level: String,
}
