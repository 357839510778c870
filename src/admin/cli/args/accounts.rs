//! `master`, `pop`, `list`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::value::{self, Quota, When};
use crate::directory::{Posting, Role, Target};
use crate::mail::{Domain, Name, QueueId};

/// Where a new password comes from; without either, it is asked for on the terminal.
#[derive(Debug, Clone, Copy, Args)]
#[group(multiple = false)]
pub struct PasswordSource {
    /// Read the password from the first line of standard input.
    #[arg(long)]
    pub password_stdin: bool,
    /// Generate a password, and show it once.
    #[arg(long)]
    pub generate: bool,
}

/// `restante master`.
#[derive(Debug, Subcommand)]
pub enum MasterCommand {
    /// Add a master.
    #[command(after_help = "Example:\n  restante master add olivia --role owner --generate")]
    Add {
        /// The login name; no other account of any kind may have it.
        name: Name,
        /// What it may do: `admin` everything; `owner` its own domains, and what lives in them.
        #[arg(long, value_enum)]
        role: RoleWord,
        /// Where the password comes from.
        #[command(flatten)]
        password: PasswordSource,
    },
    /// List the masters.
    List,
    /// Set a master's password.
    Passwd {
        /// The login name.
        name: Name,
        /// Where the password comes from.
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Remove a master.
    Delete {
        /// The login name.
        name: Name,
    },
    /// Show whether a master's logins to the panel ask for a code, or take that away.
    #[command(after_help = "A master sets its second factor up in the panel.\n\nExample:\n  restante master totp olivia --reset")]
    Totp {
        /// The login name.
        name: Name,
        /// Take it away: its authenticator and its recovery codes are lost.
        #[arg(long)]
        reset: bool,
    },
}

/// `restante pop`.
#[derive(Debug, Subcommand)]
pub enum PopCommand {
    /// Add a POP account with its Maildir and its hidden alias NAME@DOMAIN.
    #[command(
        after_help = "The password is asked for twice, unless --password-stdin or --generate is given.\n\nExamples:\n  restante pop add alice --domain example.org --owner 'Alice Ashford' --quota 1GiB\n  restante pop add info --domain example.net --owner 'Front desk' --generate --suggest"
    )]
    Add {
        /// The user name; no other account of any kind may have it.
        name: Name,
        /// The home domain.
        #[arg(long, value_parser = value::domain)]
        domain: Domain,
        /// The owner's real name, or what the account is for.
        #[arg(long, value_name = "REAL NAME")]
        owner: String,
        /// How much mail it may hold, such as 1GiB, or `unlimited` [default: quota.default of the configuration].
        #[arg(long, value_parser = value::quota)]
        quota: Option<Quota>,
        /// Where the password comes from.
        #[command(flatten)]
        password: PasswordSource,
        /// If the name is taken: create the account under the suggested name, and the alias that gives the wanted address.
        #[arg(long)]
        suggest: bool,
    },
    /// List the POP accounts.
    List {
        /// Only those of this domain.
        #[arg(long, value_parser = value::domain)]
        domain: Option<Domain>,
    },
    /// Show a POP account.
    Show {
        /// The user name.
        name: Name,
    },
    /// Change what is given of a POP account.
    #[command(after_help = "Example:\n  restante pop edit alice --quota 2GiB --domain example.net")]
    Edit {
        /// The user name.
        name: Name,
        /// Another owner.
        #[arg(long, value_name = "REAL NAME")]
        owner: Option<String>,
        /// Another home domain; the hidden alias follows.
        #[arg(long, value_parser = value::domain)]
        domain: Option<Domain>,
        /// Another quota, or `unlimited`; `default` for the server's default.
        #[arg(long, value_parser = value::quota)]
        quota: Option<Quota>,
    },
    /// Set a POP account's password.
    Passwd {
        /// The user name.
        name: Name,
        /// Where the password comes from.
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Refuse logins; mail is still taken.
    Suspend {
        /// The user name.
        name: Name,
    },
    /// Let logins work again.
    Resume {
        /// The user name.
        name: Name,
    },
    /// Move a POP account to the trash, with its mail and every alias entry that leads to it.
    #[command(
        after_help = "Shows what goes, and asks.\n\nExamples:\n  restante pop delete alice --dry-run\n  restante pop delete alice --yes"
    )]
    Delete {
        /// The user name.
        name: Name,
        /// Show what would go, and change nothing.
        #[arg(long)]
        dry_run: bool,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Bring a POP account back from the trash: account, hidden alias, mail, and the alias entries that are still free.
    Restore {
        /// The user name that it had.
        name: Name,
        /// Which one, if several of that name are in the trash (see `pop trash`) [default: the last one deleted].
        #[arg(long)]
        id: Option<u64>,
    },
    /// List the POP accounts in the trash.
    Trash,
    /// Show what happens with an account's mail beside its delivery: copies, and replies while its owner is away.
    Handling {
        /// The user name.
        name: Name,
    },
    /// Send a copy of each message to other accounts, or elsewhere; the account keeps its own.
    #[command(after_help = "Examples:\n  restante pop copies alice bob alice@elsewhere.example\n  restante pop copies alice --none")]
    Copies {
        /// The user name.
        name: Name,
        /// Names of other POP accounts, and addresses elsewhere; they replace those given before.
        #[arg(value_parser = value::target, value_name = "TARGET", required_unless_present = "none")]
        targets: Vec<Target>,
        /// To nobody.
        #[arg(long, conflicts_with = "targets")]
        none: bool,
    },
    /// Tell senders that the owner is away, each once in seven days.
    #[command(
        after_help = "Examples:\n  restante pop vacation alice --text-file away.txt --from 2026-08-01 --until 2026-08-15\n  restante pop vacation alice --off"
    )]
    Vacation {
        /// The user name.
        name: Name,
        /// The file with the words; `-` for standard input.
        #[arg(long, required_unless_present = "off")]
        text_file: Option<PathBuf>,
        /// From when on [default: now].
        #[arg(long, value_parser = value::when, value_name = "DATE")]
        from: Option<When>,
        /// Until when [default: until it is switched off].
        #[arg(long, value_parser = value::when, value_name = "DATE")]
        until: Option<When>,
        /// Tell nothing any more.
        #[arg(long, conflicts_with_all = ["text_file", "from", "until"])]
        off: bool,
    },
    /// Rename a POP account; its mail, aliases and list seats stay, its hidden alias follows.
    Rename {
        /// The user name.
        name: Name,
        /// The user name from now on.
        new: Name,
        /// Leave the old address behind as a plain alias.
        #[arg(long)]
        keep_alias: bool,
    },
}

/// `restante list`.
#[derive(Debug, Subcommand)]
pub enum ListCommand {
    /// Add a list account with its hidden alias NAME@DOMAIN.
    #[command(
        after_help = "Example:\n  restante list add staff --domain example.org --owner alice --post members alice bob carol@example.com"
    )]
    Add {
        /// The name; no other account of any kind may have it.
        name: Name,
        /// The home domain.
        #[arg(long, value_parser = value::domain)]
        domain: Domain,
        /// Who is responsible: an account's name or an address.
        #[arg(long, value_parser = value::target, value_name = "TARGET")]
        owner: Target,
        /// Who may post.
        #[arg(long, value_enum, default_value_t = PostingWord::Members)]
        post: PostingWord,
        /// Members: names of accounts, or addresses.
        #[arg(value_parser = value::target, value_name = "MEMBER")]
        members: Vec<Target>,
    },
    /// List the list accounts.
    List,
    /// Show a list account; without a name, all of them.
    Show {
        /// The name.
        name: Option<Name>,
    },
    /// Change what is given of a list account.
    #[command(after_help = "Example:\n  restante list edit staff --post moderated --description 'All of us' --tag on")]
    Edit {
        /// The name.
        name: Name,
        /// Another owner.
        #[arg(long, value_parser = value::target, value_name = "TARGET")]
        owner: Option<Target>,
        /// Who may post.
        #[arg(long, value_enum)]
        post: Option<PostingWord>,
        /// What it is for, in a few words; shown in List-Id.
        #[arg(long)]
        description: Option<String>,
        /// Whether subjects begin with `[NAME]`. The body is not touched, but the sender's DKIM signature does not survive it.
        #[arg(long, value_enum)]
        tag: Option<OnOff>,
    },
    /// Add, remove, list, import, suspend or resume members.
    #[command(
        after_help = "Examples:\n  restante list members staff add bob carol@example.com\n  restante list members staff import members.txt --skip-bad"
    )]
    Members {
        /// The list's name.
        name: Name,
        /// What is to be done.
        #[command(subcommand)]
        what: MembersCommand,
    },
    /// List the postings that wait for the owner of a moderated list.
    Held {
        /// The list's name.
        name: Name,
    },
    /// Send a posting that waits to the members.
    Approve {
        /// Its id.
        #[arg(value_parser = value::id)]
        id: QueueId,
    },
    /// Throw a posting that waits away.
    Refuse {
        /// Its id.
        #[arg(value_parser = value::id)]
        id: QueueId,
        /// What its author is told; without it, the author is told nothing.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Delete a list account, its hidden alias, and every alias entry that leads to it.
    Delete {
        /// The name.
        name: Name,
        /// Show what would go, and change nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

/// `restante list members`.
#[derive(Debug, Subcommand)]
pub enum MembersCommand {
    /// Give members a seat.
    Add {
        /// Names of accounts, or addresses.
        #[arg(required = true, value_parser = value::target, value_name = "MEMBER")]
        members: Vec<Target>,
    },
    /// Take their seats.
    Remove {
        /// Names of accounts, or addresses.
        #[arg(required = true, value_parser = value::target, value_name = "MEMBER")]
        members: Vec<Target>,
    },
    /// List the members, with what came back from them.
    List {
        /// Only those with this in their name or address.
        #[arg(long)]
        search: Option<String>,
        /// Only those that are suspended.
        #[arg(long)]
        suspended: bool,
    },
    /// Give everybody in a file a seat: one a line; empty lines, and those that begin with `#`, are left out.
    Import {
        /// The file; `-` for standard input.
        file: PathBuf,
        /// Leave bad lines out, instead of refusing the whole file.
        #[arg(long)]
        skip_bad: bool,
    },
    /// Write the members, one a line, as `import` reads them.
    Export,
    /// Send a member no postings until it is resumed.
    Suspend {
        /// A name of an account, or an address.
        #[arg(value_parser = value::target)]
        member: Target,
    },
    /// Send a member postings again, and forget what came back from it.
    Resume {
        /// A name of an account, or an address.
        #[arg(value_parser = value::target)]
        member: Target,
    },
}

/// A switch as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnOff {
    /// On.
    On,
    /// Off.
    Off,
}

/// A role as it is written.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum RoleWord {
    /// Everything.
    Admin,
    /// Its own domains, and what lives in them.
    Owner,
}

/// A posting policy as it is written.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum PostingWord {
    /// Everybody.
    Anyone,
    /// Members.
    Members,
    /// The owner.
    Owner,
    /// Everybody, once the owner has approved of the message.
    Moderated,
}

impl From<RoleWord> for Role {
    fn from(word: RoleWord) -> Self {
        match word {
            RoleWord::Admin => Self::Admin,
            RoleWord::Owner => Self::Owner,
        }
    }
}

impl From<PostingWord> for Posting {
    fn from(word: PostingWord) -> Self {
        match word {
            PostingWord::Anyone => Self::Anyone,
            PostingWord::Members => Self::Members,
            PostingWord::Owner => Self::Owner,
            PostingWord::Moderated => Self::Moderated,
        }
    }
}
