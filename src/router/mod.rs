//! Routing: where one recipient ends.
//!
//! Owns the order of questions of the design's section 3. Promises that [`route`] is a pure function of a directory
//! view, a recipient and limits, bounded in depth, fan-out and total, and that a branch is never dropped in silence.
//! Refuses to know how a recipient came (RCPT, `restante trace`, panel): all of them run this function, so none can drift.

#![expect(missing_docs, reason = "the fields of a variant are explained by the variant")]

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::directory::{AccountId, AliasKey, Target, View};
use crate::mail::{Address, ForwardPath, Mailbox, Name};
use crate::protocol::smtp::Reply;

/// What an operator may say about routing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Characters that set off the `+detail` of a local part.
    pub subaddress_separators: String,
    /// Where mail to the postmaster goes when no alias says so.
    pub postmaster: Option<Target>,
    /// Whether external targets can be reached.
    pub relay: Relay,
    /// Links in a chain of aliases.
    pub max_depth: usize,
    /// Entries of one alias that are followed.
    pub max_fan_out: usize,
    /// Entries followed for one recipient.
    pub max_total: usize,
}

/// Whether external targets can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relay {
    /// They are refused for now, with a 451.
    Off,
}

/// A mailbox that a recipient leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    /// The account, whatever its name will be.
    pub id: AccountId,
    /// Its name now.
    pub name: Name,
    /// Its hidden alias: what `Delivered-To` says.
    pub address: Address,
    /// Its quota in octets; none means that the default of the configuration holds.
    pub quota: Option<u64>,
}

/// Where one recipient ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The decision.
    pub decision: Decision,
    /// How it came about.
    pub trail: Trail,
    /// The aliases that were followed, for their use counts.
    pub followed: Vec<AliasKey>,
}

/// Deliveries, or a refusal with its reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Each mailbox once. None at all means that an alias said `discard`.
    Deliver { mailboxes: Vec<Destination>, relays: Vec<Mailbox> },
    /// The reply that SMTP and LMTP give.
    Refuse(Reply),
}

/// The questions asked and the answers found; `Display` gives one a line, the last being the reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trail {}

/// Routes one recipient.
pub fn route<V: View + ?Sized>(view: &V, recipient: &ForwardPath, limits: &Limits, now: Timestamp) -> Route {
    todo!()
}

/// Asks each mailbox of a route for room, and turns the route into a refusal where there is none.
pub fn admit(route: Route, has_room: impl FnMut(&Destination) -> Result<(), Reply>) -> Route {
    todo!()
}
