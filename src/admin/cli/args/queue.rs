//! `queue`.

use clap::Subcommand;

use crate::mail::QueueId;

/// `restante queue`.
#[derive(Debug, Subcommand)]
pub enum QueueCommand {
    /// List the messages that wait, oldest first.
    #[command(after_help = "Examples:\n  restante queue list --destination example.com\n  restante queue list --sender '<>' --json")]
    List {
        /// Only those with a recipient in this domain.
        #[arg(long, value_name = "DOMAIN")]
        destination: Option<String>,
        /// Only those from this sender: an address, @DOMAIN, or <> for reports.
        #[arg(long, value_name = "SENDER")]
        sender: Option<String>,
        /// Only those for this recipient, as it is or as it was given: an address, or @DOMAIN.
        #[arg(long, value_name = "RECIPIENT")]
        recipient: Option<String>,
        /// Only those that are held.
        #[arg(long)]
        held: bool,
    },
    /// Show one message: each recipient, its last attempts, and when it is tried next.
    Show {
        /// The id, as in the reply `queued as ID`.
        id: QueueId,
    },
    /// Try a message now, or everything that waits.
    Retry {
        /// The id; without it, everything is tried.
        id: Option<QueueId>,
    },
    /// Remove a message, and tell its sender.
    Cancel {
        /// The id.
        id: QueueId,
        /// Tell nobody.
        #[arg(long)]
        no_report: bool,
    },
    /// Try a message no more until it is released.
    Hold {
        /// The id.
        id: QueueId,
    },
    /// Try a message that was held, now.
    Release {
        /// The id.
        id: QueueId,
    },
}
