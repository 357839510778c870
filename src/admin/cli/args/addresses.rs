//! `domain`, `alias`.

use clap::Subcommand;

use super::value::{self, When};
use crate::directory::{AliasKey, Target};
use crate::mail::{Domain, Name};

/// `restante domain`.
#[derive(Debug, Subcommand)]
pub enum DomainCommand {
    /// Make a domain local.
    #[command(after_help = "Example:\n  restante domain add example.org --owner olivia")]
    Add {
        /// The domain, in either spelling (bücher.example or xn--bcher-kva.example).
        #[arg(value_parser = value::domain)]
        domain: Domain,
        /// The master of the role owner that it belongs to.
        #[arg(long, value_name = "MASTER")]
        owner: Option<Name>,
    },
    /// List the domains.
    List,
    /// Give a domain to another master, or to none.
    Edit {
        /// The domain.
        #[arg(value_parser = value::domain)]
        domain: Domain,
        /// The master that it belongs to from now on; without it, only admins see the domain.
        #[arg(long, value_name = "MASTER")]
        owner: Option<Name>,
    },
    /// Remove a domain.
    #[command(
        after_help = "Examples:\n  restante domain delete example.org --cascade --dry-run\n  restante domain delete example.org --cascade"
    )]
    Delete {
        /// The domain.
        #[arg(value_parser = value::domain)]
        domain: Domain,
        /// And every account and alias in it.
        #[arg(long)]
        cascade: bool,
        /// Show what would go, and change nothing.
        #[arg(long)]
        dry_run: bool,
        /// Do not ask. (It is asked only with --cascade, on a terminal.)
        #[arg(long)]
        yes: bool,
    },
}

/// `restante alias`.
#[derive(Debug, Subcommand)]
pub enum AliasCommand {
    /// Add targets to an alias, making it where there is none.
    #[command(
        after_help = "A target is an account's name, an address, reject:TEXT, discard, or (for a catch-all) @domain.\n\nExamples:\n  restante alias add info@example.org alice bob\n  restante alias add @example.org alice --note 'catch-all'\n  restante alias add old@example.org 'reject:We have moved; write to info@example.org'"
    )]
    Add {
        /// The address, or @DOMAIN for a catch-all.
        #[arg(value_parser = value::alias)]
        address: AliasKey,
        /// Where it leads, too.
        #[arg(required = true, value_parser = value::target, value_name = "TARGET")]
        targets: Vec<Target>,
        /// What to write beside it.
        #[arg(long)]
        note: Option<String>,
        /// From when on it counts as switched off: 2027-01-31 (its start, in UTC), or 2027-01-31T12:00:00Z.
        #[arg(long, value_parser = value::when, value_name = "DATE")]
        expires: Option<When>,
    },
    /// Remove these targets from an alias, or the whole alias if none are named.
    Remove {
        /// The address, or @DOMAIN.
        #[arg(value_parser = value::alias)]
        address: AliasKey,
        /// The targets to remove.
        #[arg(value_parser = value::target, value_name = "TARGET")]
        targets: Vec<Target>,
        /// Show what would go, and change nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Switch an alias on.
    Enable {
        /// The address, or @DOMAIN.
        #[arg(value_parser = value::alias)]
        address: AliasKey,
    },
    /// Switch an alias off: mail to it is refused.
    Disable {
        /// The address, or @DOMAIN.
        #[arg(value_parser = value::alias)]
        address: AliasKey,
    },
    /// List the aliases.
    List {
        /// The hidden aliases of accounts, too.
        #[arg(long)]
        hidden: bool,
        /// Only those of this domain.
        #[arg(long, value_parser = value::domain)]
        domain: Option<Domain>,
        /// Only those that lead to this target.
        #[arg(long, value_parser = value::target)]
        target: Option<Target>,
    },
}
