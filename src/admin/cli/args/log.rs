//! `log`.

use clap::Args;

use super::value::{self, When};
use crate::ledger::Status;

/// What is asked of the delivery log: rows that fit everything that is given.
#[derive(Debug, Args)]
pub struct LogQuestion {
    /// A recipient's address, @DOMAIN, or the name of an account that it went to.
    #[arg(long, value_name = "ADDRESS")]
    pub to: Option<String>,
    /// A sender's address, @DOMAIN, or <>.
    #[arg(long, value_name = "ADDRESS")]
    pub from: Option<String>,
    /// The id in the reply `queued as ID`, or what the client called the message.
    #[arg(long)]
    pub id: Option<String>,
    /// The message's own Message-ID.
    #[arg(long, value_name = "MESSAGE-ID")]
    pub message_id: Option<String>,
    /// The client's IP address.
    #[arg(long, value_name = "IP")]
    pub client: Option<String>,
    /// What became of it: delivered, waiting, discarded, refused, deferred, relayed or bounced.
    #[arg(long)]
    pub status: Option<Status>,
    /// Nothing before this: 1h, 3days, 2027-01-31, or 2027-01-31T12:00:00Z.
    #[arg(long, value_parser = value::since, value_name = "TIME")]
    pub since: Option<When>,
    /// Rows at most, the latest first.
    #[arg(long, default_value_t = 1000, conflicts_with = "follow")]
    pub limit: usize,
    /// Go on with what comes, until interrupted.
    #[arg(long)]
    pub follow: bool,
}
