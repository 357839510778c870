//! What came of one attempt to send mail on.

use std::time::Duration;

use crate::mail::{QueueId, ReversePath};

/// How far a recipient elsewhere has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Its next hop has taken over.
    Sent,
    /// It is tried again.
    Deferred,
    /// Nobody takes it.
    Failed,
}

impl Stage {
    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Deferred => "deferred",
            Self::Failed => "failed",
        }
    }
}

/// An attempt for one recipient elsewhere.
#[derive(Debug, Clone, Copy)]
pub struct Onward<'a> {
    /// The message.
    pub id: QueueId,
    /// The envelope's sender, as the next hop heard it.
    pub sender: &'a ReversePath,
    /// Where it goes.
    pub recipient: &'a str,
    /// Who is spoken to on its behalf.
    pub hop: &'a str,
    /// The host that was spoken to; empty where none was.
    pub remote: &'a str,
    /// Since it was accepted.
    pub delay: Duration,
    /// Which attempt it was.
    pub tries: u32,
    /// What came of it.
    pub stage: Stage,
    /// What was said.
    pub status: &'a str,
}
