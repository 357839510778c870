//! Mail on its way out, against peers and name servers of every kind.

#![allow(missing_docs, reason = "tests")]

#[path = "relay/dialogues.rs"]
mod dialogues;
#[path = "relay/message.rs"]
mod message;
#[path = "relay/peer.rs"]
mod peer;
#[path = "relay/pure.rs"]
mod pure;
