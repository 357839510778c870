//! POP3 (RFC 1939) with what has grown around it: CAPA and response codes (RFC 2449, RFC 3206), STLS (RFC 2595), AUTH (RFC
//! 5034), UTF8 (RFC 6856).
//!
//! Owns the session's states, the command table, the closed set of replies and the form in which a message travels.
//! Promises that a mailbox is looked at by who has logged in only, that messages are deleted at `QUIT` only, and that what
//! one command makes the server say is handed out in bounded pieces. Refuses to know passwords, Maildirs and time: it
//! asks (see [`Question`]).
//!
//! What is not offered: APOP, since it needs passwords that can be read, and LANG. A message with UTF-8 in its header is
//! sent as it is, whether the client said `UTF8` or not: RFC 6856 §5 would have it refused, and the owner would never get it.
//!
//! Reading order: [`session`] (what a driver sees), `command` (the table), `dispatch` (what a line does), `transaction`
//! (the numbers), [`text`] (dots and line ends), [`reply`].

mod command;
mod dispatch;
pub mod reply;
pub mod session;
pub mod text;
mod transaction;

pub use reply::Reply;
pub use session::{Answer, Clear, Denied, Maildrop, Question, Session, Settings, Step, Unsent};
