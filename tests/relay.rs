//! Mail on its way out, against peers and name servers of every kind.

#![allow(missing_docs, reason = "tests")]

#[path = "relay/dialogues.rs"]
mod dialogues;
#[path = "relay/dns.rs"]
mod dns;
#[path = "relay/message.rs"]
mod message;
#[path = "relay/name_server.rs"]
#[allow(dead_code, reason = "the tests of lists need more of it")]
mod name_server;
#[path = "relay/peer.rs"]
mod peer;
#[path = "world/port.rs"]
mod port;
#[path = "relay/pure.rs"]
mod pure;
#[path = "relay/reports.rs"]
mod reports;
