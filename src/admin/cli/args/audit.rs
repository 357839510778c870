//! `audit`.

use clap::Subcommand;

/// `restante audit`.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// List changes, newest first, with what was before and after.
    #[command(after_help = "Examples:\n  restante audit list --about alice\n  restante audit list --actor olivia")]
    List {
        /// Only those that concern this account, address or domain.
        #[arg(long, value_name = "NAME")]
        about: Option<String>,
        /// Only those of this master, or of `server`.
        #[arg(long, value_name = "MASTER")]
        actor: Option<String>,
        /// Changes at most.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Take a change back, if nothing that it altered has changed since.
    #[command(after_help = "Example:\n  restante audit undo 42")]
    Undo {
        /// The change, by its revision.
        revision: u64,
    },
}
