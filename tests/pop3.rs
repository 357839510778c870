//! POP3: whole dialogues, pure and over sockets, mailboxes, and what holds for all of them.

#![allow(missing_docs, reason = "tests")]

#[path = "server/client.rs"]
#[allow(dead_code, reason = "the tests of SMTP need more of it")]
mod client;
#[path = "pop3/concurrent.rs"]
mod concurrent;
#[path = "pop3/house.rs"]
mod house;
#[path = "pop3/maildrop.rs"]
mod maildrop;
#[path = "pop3/pure.rs"]
mod pure;
#[path = "pop3/server.rs"]
mod server;
#[path = "pop3/setup.rs"]
mod setup;
#[path = "pop3/sockets.rs"]
mod sockets;
#[path = "dialogues/transcript.rs"]
#[allow(dead_code, reason = "the dialogues of SMTP need more of it")]
mod transcript;
