//! Mail on its way out: one message brought to one next hop, and the truth about each recipient.
//!
//! Owns where a domain's mail goes ([`target`]), the conversation with whoever takes it, and the words that
//! tell what came of it ([`Verdict`]). Promises that every recipient handed in gets exactly one verdict, that *delivered* is said only
//! after the peer's own `2yz` to the whole message, and that nothing a peer sends or withholds takes unbounded memory
//! or time. Refuses to know when to try, how often, and where a message waits: that is the queue's.
//!
//! Reading order: [`outgoing`] (what is sent), [`verdict`] (what became of it), [`settings`], [`target`] (where to), `lookup` (what
//! DNS says), [`courier`] (host after host), `pool` (connections kept), `client` (one connection), `reading` (the text), `wire` and
//! [`tls`] (bytes), [`submit`] (mail that is made here), [`srs`] and [`keys`] (senders of forwarded mail), [`report`] (what senders are
//! told), [`notice`] (who is told), [`success`] (of what ends here), [`schedule`] (when it is sent), [`list`] (list accounts),
//! [`vacation`]. The grammar of the conversation is [`crate::protocol::smtp::client`]'s.

mod client;
pub mod courier;
pub mod keys;
pub mod list;
mod lookup;
pub mod notice;
pub mod outgoing;
mod pool;
mod reading;
pub mod report;
pub mod schedule;
pub mod settings;
pub mod srs;
pub mod submit;
pub mod success;
pub mod target;
pub mod tls;
pub mod vacation;
pub mod verdict;
mod wire;

pub use courier::Courier;
pub use outgoing::{Outgoing, To};
pub use report::{Action, Report, Reported, Returned};
pub use settings::{Mode, Schedule, Settings, Smarthost, Timeouts, Tls};
pub use srs::Srs;
pub use submit::{Addressee, Letter, Office, Unsent};
pub use target::NextHop;
pub use tls::Trust;
pub use verdict::{Diagnostic, Remote, Security, Status, SuccessReport, Taken, Trouble, Verdict};
