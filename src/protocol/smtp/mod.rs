//! SMTP as a server speaks it (RFC 5321), and the machinery that LMTP shares (RFC 2033).

pub mod reply;
pub mod session;

pub use reply::{Busy, Class, Reply};
pub use session::{Answer, BareNewline, Dialect, Encryption, Peer, Question, Session, Settings, Step, Trust, Vrfy};
