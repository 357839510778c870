//! Load on a mail server, and what it costs the server: what `peers` and `soak` have in common.
//!
//! Owns the servers that it starts and the processes in them; promises that all are gone when a bench ends, also when it
//! fails or is interrupted.
#![allow(dead_code, reason = "each bench needs another part")]

#[path = "../../tests/crash/client.rs"]
pub mod client;
pub mod disk;
pub mod group;
pub mod interrupt;
pub mod latency;
pub mod scenario;
pub mod server;

/// Mailboxes of a server.
pub const BOXES: usize = 1000;

/// Aliases that lead to them, and so the most copies that one run can make.
pub const ALIASES: usize = 50_000;

/// What `smtp-source -N` puts its numbers, from 1 on, before.
pub const RECIPIENT: &str = "load@example.org";

/// The alias of that number.
pub fn alias(number: usize) -> String {
    format!("{number}{RECIPIENT}")
}

/// All aliases, each with the name of the mailbox that it leads to.
pub fn aliases() -> impl Iterator<Item = (String, String)> {
    (1..=ALIASES).map(|number| (alias(number), format!("box{}", number % BOXES)))
}

/// The names of all mailboxes.
pub fn boxes() -> impl Iterator<Item = String> {
    (0..BOXES).map(|number| format!("box{number}"))
}
