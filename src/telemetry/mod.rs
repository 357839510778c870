//! What is worth saying.

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
