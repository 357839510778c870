//! What became of a recipient, in the words that logs, the queue and reports share.

use std::fmt;
use std::io;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub use crate::mail::Status;

/// How well the connection was protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Security {
    /// Not at all.
    Clear,
    /// By TLS, with a certificate that proves nothing about the host (RFC 7435).
    Encrypted,
    /// By TLS, with a valid certificate for the host's name.
    Verified,
}

/// The host that was spoken to, or that an attempt was made to speak to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remote {
    /// Its name as DNS or the configuration has it; an address literal where it has none.
    pub name: String,
    /// Its address.
    pub address: Option<IpAddr>,
    /// How the connection was protected.
    pub security: Security,
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => write!(f, "{}[{address}]", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// Why something did not work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Diagnostic {
    /// What the peer said: code, enhanced code and text; lines are joined by spaces. Printable, and of bounded length.
    Reply(String),
    /// What we found ourselves.
    Ours(String),
}

impl Diagnostic {
    /// The text, whoever said it.
    pub fn text(&self) -> &str {
        match self {
            Self::Reply(text) | Self::Ours(text) => text,
        }
    }
}

/// Who reports a success to the sender, where one was asked for (RFC 3461 §5.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SuccessReport {
    /// The peer: it was told what the sender asked for.
    Theirs,
    /// We: the peer knows nothing of DSN, and the report says `relayed`.
    Ours,
}

/// A recipient that a peer has taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Its reply to the message.
    pub reply: String,
    /// Who it is.
    pub remote: Remote,
    /// Who reports the success.
    pub report: SuccessReport,
}

/// A recipient that nobody has taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// The enhanced status code: the peer's, or derived from its reply code.
    pub status: Status,
    /// Why.
    pub diagnostic: Diagnostic,
    /// Whom the attempt was made with; nobody where it did not come so far.
    pub remote: Option<Remote>,
}

/// The status of a message whose text cannot be read from the spool: no next hop is to blame.
pub const UNREADABLE: Status = Status::new(4, 3, 0);

impl Trouble {
    /// Something that we found ourselves, before anybody was spoken to.
    pub fn ours(status: Status, why: impl Into<String>) -> Self {
        Self { status, diagnostic: Diagnostic::Ours(why.into()), remote: None }
    }

    /// A text that cannot be read: the message waits for somebody to mend that.
    pub fn unreadable(error: &io::Error) -> Self {
        Self::ours(UNREADABLE, format!("the message cannot be read from the spool: {error}"))
    }

    /// Whether it is the message's own, whoever it would have gone to.
    pub fn is_of_message(&self) -> bool {
        self.status == UNREADABLE && matches!(self.diagnostic, Diagnostic::Ours(_))
    }

    /// The verdict: the class of the status says which.
    pub fn verdict(self) -> Verdict {
        if self.status.class == 5 { Verdict::Failed(self) } else { Verdict::Deferred(self) }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.diagnostic, &self.remote) {
            (Diagnostic::Reply(text), Some(remote)) => write!(f, "{remote} said: {text}"),
            (Diagnostic::Ours(text), Some(remote)) => write!(f, "{remote}: {text}"),
            (diagnostic, None) => f.write_str(diagnostic.text()),
        }
    }
}

/// What became of one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// The peer answers for it now.
    Delivered(Taken),
    /// Not this time.
    Deferred(Trouble),
    /// Never.
    Failed(Trouble),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_of_the_status_decides() {
        assert!(matches!(Trouble::ours(Status::new(5, 4, 6), "loop").verdict(), Verdict::Failed(_)));
        assert!(matches!(Trouble::ours(Status::new(4, 4, 3), "no DNS").verdict(), Verdict::Deferred(_)));
    }
}
