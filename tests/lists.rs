//! List accounts and vacation replies, through a whole server: mail in over SMTP, copies in Maildirs.

#![allow(missing_docs, reason = "tests")]

#[path = "lists/bounces.rs"]
mod bounces;
#[path = "panel/client.rs"]
#[allow(dead_code, reason = "the panel's tests need more of it")]
mod client;
#[path = "lists/house.rs"]
mod house;
#[path = "lists/leaving.rs"]
mod leaving;
#[path = "lists/members.rs"]
mod members;
#[path = "lists/moderation.rs"]
mod moderation;
#[path = "queue/mx.rs"]
#[allow(dead_code, reason = "the tests of the queue need more of it")]
mod mx;
#[path = "relay/name_server.rs"]
#[allow(dead_code, reason = "the tests of the relay need more of it")]
mod name_server;
#[path = "lists/postings.rs"]
mod postings;
#[path = "lists/time.rs"]
mod time;
#[path = "lists/vacation.rs"]
mod vacation;
mod world;
