//! Restante: mail that is held until it is called for.
//!
//! An SMTP delivery agent with alias routing. Upstream MTAs hand it mail over SMTP or LMTP ([`server`] drives the pure
//! sessions of [`protocol`]); each recipient is resolved through an alias table ([`directory`], [`router`]) into a POP
//! account's Maildir ([`maildir`]), and a `250` is given only when the disk has it ([`spool`]). The account's owner calls for
//! it over POP3. Admins work through one set of operations ([`admin`]), by web panel, command line and HTTP.
//!
//! # Layers
//!
//! A module uses only what stands above it in this list; `tests/architecture.rs` holds it to that. *Pure* means: no
//! socket, clock, thread, disk, or store.
//!
//! | module | owns | pure |
//! |---|---|---|
//! | [`mail`] | the vocabulary: address, envelope, trace headers, secret | yes |
//! | [`telemetry`] | the events worth saying | |
//! | [`protocol`] | SMTP, LMTP and POP3 as state machines | yes |
//! | [`sys`] | ports to the world: disk, clock, random, DNS | |
//! | [`ledger`] | the delivery log: what became of each recipient | |
//! | [`directory`] | domains, accounts, aliases, and their invariants | rules, change, view |
//! | [`router`] | where a recipient ends | yes |
//! | [`maildir`] | the mailboxes | names |
//! | [`spool`] | acceptance: the promise | |
//! | [`relay`] | mail on its way out: targets, the SMTP client, sender rewriting, reports | targets |
//! | [`server`] | listeners, and the one loop that drives a session | |
//! | [`admin`] | operations, HTTP API, panel, command line | |
//! | [`config`] | the file's shape, and what it means | |
//! | [`app`] | builds the parts and owns the tasks | |
//!
//! Read them in that order.

pub mod admin;
pub mod app;
pub mod config;
pub mod directory;
pub mod ledger;
pub mod mail;
pub mod maildir;
pub mod protocol;
pub mod relay;
pub mod router;
pub mod server;
pub mod spool;
pub mod sys;
pub mod telemetry;
