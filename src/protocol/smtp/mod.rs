//! SMTP as a server speaks it (RFC 5321), and the machinery that LMTP shares (RFC 2033).
//!
//! Reading order: [`settings`], [`reply`], `command` (the table that is the specification), `path`, `extensions` and
//! `xclient` (what arguments may be), `state` and `transaction` (what each command does where), `intake` (message text under its
//! limits), [`session`] (the machine as its driver sees it), `dispatch` (from input to transition),
//! `rehearsal` (what it would say, for those who ask beforehand). The other side of the conversation is [`client`].

pub mod client;
mod command;
mod dispatch;
mod extensions;
mod intake;
mod path;
mod rehearsal;
pub mod reply;
pub mod session;
pub mod settings;
mod state;
mod transaction;
mod xclient;

pub use extensions::Extension;
pub use rehearsal::mail_from;
pub use reply::{Busy, Class, Reply};
pub use session::{Answer, Question, Session, Step};
pub use settings::{BareNewline, Dialect, Encryption, Peer, Settings, Trust, Vrfy};
