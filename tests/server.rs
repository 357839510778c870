//! The server over real sockets, with the real directory, spool and Maildirs behind it.

#![allow(missing_docs, reason = "tests")]

#[path = "server/after_crash.rs"]
mod after_crash;
#[path = "server/client.rs"]
mod client;
#[path = "server/connections.rs"]
mod connections;
#[path = "server/dialogues.rs"]
mod dialogues;
#[path = "server/house.rs"]
mod house;
#[path = "server/messages.rs"]
mod messages;
#[path = "server/names.rs"]
mod names;
#[path = "world/port.rs"]
mod port;
#[path = "server/process.rs"]
mod process;
#[path = "server/proxies.rs"]
mod proxies;
#[path = "server/systemd.rs"]
mod systemd;
#[path = "dialogues/transcript.rs"]
#[allow(dead_code, reason = "the pure runs need more of it")]
mod transcript;
