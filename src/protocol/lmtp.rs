//! Where LMTP differs from SMTP (RFC 2033). Everything else it shares with [`smtp`](super::smtp).

use super::smtp::{Dialect, Reply};

impl Dialect {
    /// The command that opens a session (RFC 2033 §4.1).
    pub fn hello(self) -> &'static str {
        match self {
            Self::Smtp => "EHLO",
            Self::Lmtp => "LHLO",
        }
    }

    /// What the greeting calls the protocol.
    pub fn protocol(self) -> &'static str {
        match self {
            Self::Smtp => "ESMTP",
            Self::Lmtp => "LMTP",
        }
    }

    /// Replies that follow the end of the data: LMTP tells the outcome of each recipient (RFC 2033 §4.2).
    pub fn final_replies(self, recipients: usize) -> usize {
        match self {
            Self::Smtp => 1,
            Self::Lmtp => recipients,
        }
    }

    /// The answer to data without a recipient that it could be for. RFC 5321 §3.3 lets a server say whether any was
    /// `tried`; RFC 2033 §4.2 asks for 503 in any case.
    pub fn no_recipients(self, tried: Tried) -> Reply {
        match (self, tried) {
            (Self::Smtp, Tried::AllRefused) => Reply::NoValidRecipients,
            (Self::Smtp, Tried::None) | (Self::Lmtp, _) => Reply::BadSequence { first: "RCPT" },
        }
    }
}

/// Why a transaction has no recipients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    /// There was no `RCPT` yet.
    None,
    /// There was, and none was accepted.
    AllRefused,
}
