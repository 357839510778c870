//! The command line as it is written: the one source of parsing, help, completions and the manual page.

mod accounts;
mod addresses;
mod audit;
mod log;
mod queue;
mod value;

pub use accounts::{ListCommand, MasterCommand, MembersCommand, OnOff, PasswordSource, PopCommand};
pub use addresses::{AliasCommand, DomainCommand};
pub use audit::AuditCommand;
pub use log::LogQuestion;
pub use queue::QueueCommand;
pub use value::{Quota, When};

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::mail::Name;

/// A mail delivery agent with alias routing: SMTP and LMTP in, POP accounts out.
#[derive(Debug, Parser)]
#[command(name = "restante", version, propagate_version = true, max_term_width = 100, after_help = OVERVIEW)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Print JSON for programs instead of tables for people.
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,

    /// The configuration file [default: $RESTANTE_CONFIG, else config/restante.toml].
    #[arg(long, value_name = "PATH", global = true, help_heading = "Global options")]
    pub config: Option<PathBuf>,
}

const OVERVIEW: &str = "\
Commands talk to the running server over its Unix socket, and open the directory themselves when none runs.

Exit codes: 0 done, 1 failed, 2 usage, 3 no such thing, 4 conflict.

Ten minutes:
  restante init
  restante serve &
  restante domain add example.org
  restante pop add alice --domain example.org --owner 'Alice Ashford' --generate
  restante alias add info@example.org alice
  restante trace info@example.org
  restante test info@example.org";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server until SIGTERM; SIGHUP reads configuration and certificates again.
    Serve,
    /// Make what a first run needs: configuration, folders, TLS pair, the master `admin`. Never overwrites.
    Init,
    /// Check the configuration, and report every error at once.
    Check,
    /// Show the whole service at work in a throwaway folder, on free ports of this machine.
    Demo {
        /// End after the messages have arrived, instead of staying up.
        #[arg(long)]
        once: bool,
    },
    /// Print the completions for a shell; for bash: restante completions bash > /etc/bash_completion.d/restante.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, for man(1): restante man > restante.1.
    Man,
    /// What needs the directory.
    #[command(flatten)]
    Administer(Administer),
}

/// What needs the directory: the running server, or the directory itself.
#[derive(Debug, Subcommand)]
pub enum Administer {
    /// Local mail domains.
    #[command(subcommand)]
    Domain(DomainCommand),
    /// Masters: administrators' logins.
    #[command(subcommand)]
    Master(MasterCommand),
    /// POP accounts: mailboxes.
    #[command(subcommand)]
    Pop(PopCommand),
    /// Aliases: addresses, and where they lead.
    #[command(subcommand)]
    Alias(AliasCommand),
    /// List accounts: names that distribute mail to members.
    #[command(subcommand)]
    List(ListCommand),
    /// The queue: mail that waits for its next hop or its mailbox.
    #[command(subcommand)]
    Queue(QueueCommand),
    /// Show how an address is routed, question by question, down to the Maildir.
    #[command(
        after_help = "Runs what the live RCPT TO runs, without sending anything.\nExit code: 0 accepted, 1 refused, 3 no such recipient.\n\nExamples:\n  restante trace info@example.org\n  restante trace info@example.org --without alice"
    )]
    Trace {
        /// The recipient.
        address: String,
        /// The sender that the message would have; <> for none.
        #[arg(long = "from", value_name = "SENDER")]
        sender: Option<String>,
        /// What if this POP account were deleted?
        #[arg(long, value_name = "NAME")]
        without: Option<Name>,
    },
    /// Send a real message over SMTP, follow it, and show each hop with its time and the file it became.
    #[command(
        after_help = "Needs the running server.\nExit code: 0 delivered, 1 not delivered in time or deferred, 3 no such recipient.\n\nExample:\n  restante test info@example.org --timeout 30s"
    )]
    Test {
        /// The recipient.
        address: String,
        /// How long to wait for the delivery.
        #[arg(long, default_value = "10s", value_parser = value::duration)]
        timeout: Duration,
        /// Call for the message over POP3 as well, with a credential that the server issues to itself for this one login.
        #[arg(long)]
        fetch: bool,
    },
    /// Show what became of messages, recipient by recipient, newest first.
    #[command(
        after_help = "Kept for log.retention (14 days).\n\nExamples:\n  restante log --to info@example.org --since 1h\n  restante log --from @example.com --status refused\n  restante log --follow"
    )]
    Log(LogQuestion),
    /// Who changed what, when.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Print the whole directory as JSON lines, password hashes included.
    #[command(
        after_help = "The output lets its reader try passwords: keep it as safe as the directory.\n\nExample:\n  restante export > restante.jsonl"
    )]
    Export,
    /// Add what an export holds; each refused line is reported with its number.
    #[command(
        after_help = "Lines stand or fall alone: what can be imported is, and the exit code is 1 if anything was refused.\n\nExample:\n  restante import restante.jsonl"
    )]
    Import {
        /// The file; - for standard input.
        file: PathBuf,
    },
}

impl Cli {
    /// Reads arguments; what cannot be read is told as clap tells it, with exit code 2 (0 for help and version).
    pub fn read(args: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        Self::try_parse_from(args)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        super::Cli::command().debug_assert();
    }
}
