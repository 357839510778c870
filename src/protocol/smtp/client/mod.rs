//! SMTP as a client speaks it (RFC 5321 §4.3), one message after the other over one connection.
//!
//! Owns the order of commands, the bounds on what a server may say, and the bookkeeping of who was taken and who was not. Promises
//! that a recipient counts as taken only after a `2yz` to the whole text that came when the whole text had been sent,
//! that nothing said before TLS outlives the handshake, and that a login goes only where [`Settings`] lets it. Refuses to know
//! sockets, clocks and where the text comes from.
//!
//! Why not a library: lettre's connection takes the text as one slice, waits for each reply before the next command, reads replies
//! of any number of lines, and knows no DSN parameters; mail-send has the same slice and one reply for the whole message;
//! smtp-proto's reader of replies refuses those over 4 KiB, does not see that lines disagree, and keeps
//! enhanced codes in octets (there are details up to 999). What is left of them would be the grammar of `EHLO`.
//!
//! Reading order: [`reply`] (what servers say), [`offer`] (what they can), [`command`] (what is said to them), [`text`] (the
//! message on the wire), [`session`] (the machine), [`transaction`] (what became of whom).

pub mod command;
pub mod offer;
pub mod reply;
pub mod session;
pub mod text;
pub mod transaction;

pub use offer::Offer;
pub use reply::{Fault, Heard};
pub use session::{Encrypt, Login, Obstacle, Session, Settings, Step, Wait};
pub use text::Encoder;
pub use transaction::{Fate, Outcome};
