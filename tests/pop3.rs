//! POP3: whole dialogues, pure and over sockets, and what holds for all of them.

#![allow(missing_docs, reason = "tests")]

#[path = "pop3/maildrop.rs"]
mod maildrop;
#[path = "pop3/pure.rs"]
mod pure;
#[path = "pop3/setup.rs"]
mod setup;
#[path = "dialogues/transcript.rs"]
#[allow(dead_code, reason = "the dialogues of SMTP need more of it")]
mod transcript;
