//! Routing: where one recipient ends.
//!
//! Owns the order of questions of the design's section 3. Promises that [`route()`] is a pure function of a directory
//! view, a recipient and limits, bounded in depth, fan-out and total, and that a branch is never dropped in silence.
//! Refuses to know how a recipient came (RCPT, `restante trace`, panel): all of them run this function, so none can drift.
//!
//! # What wins when an alias leads to several ends
//!
//! A recipient gets one reply, so one end has to win, whatever the order of the entries. From strongest to weakest:
//!
//! 1. an unreadable directory, or a bound of the expansion: both are met on the way and stop it (451);
//! 2. `reject:`, because an admin asked for exactly that refusal (550);
//! 3. an end that needs an operator: a target that does not exist, a list while lists are off, an external address
//!    while the relay is off (451: the mail waits, no branch is lost);
//! 4. mailboxes, relays and lists; `discard` beside them means nothing;
//! 5. `discard` alone: accepted and thrown away;
//! 6. nothing but aliases that are switched off or expired: refused as [`Disabled`] says. Beside other ends such a branch is
//!    skipped, with a line in the trail: an admin switched it off, so leaving it out is what was asked for;
//! 7. nothing but a domain alias whose other domain has no such address: no such recipient (550 5.1.1).
//!
//! # Aliases that are switched off
//!
//! An exact alias that is switched off still owns its address: mail does not fall through to the catch-all. A catch-all that
//! is switched off leaves its addresses as unknown as they would be without it.
//!
//! # Beside a list
//!
//! `name-owner@`, `name-request@`, `name-bounces@` and `name-unsubscribe@` the domain of a list are its own, unless an alias has
//! that address: an alias, or the hidden alias of an account of that name, comes first, and the catch-all after them.
//!
//! # Copies
//!
//! A POP account may have copies of its mail sent to other accounts and to addresses elsewhere, however mail came to it. They are
//! ends like others: what cannot take its copy has the mail wait.
//!
//! # Postmaster and abuse
//!
//! `postmaster@` and `abuse@` a local domain go to the first of these that leads anywhere: their own alias,
//! `smtp.postmaster`, the catch-all. A bare `<Postmaster>` is `postmaster@hostname` if that domain is local, else
//! `smtp.postmaster`. Where all of that leads nowhere the mail waits (451), and the trail says what to configure.

#![expect(missing_docs, reason = "the fields of a variant are explained by the variant")]

mod expand;
pub mod posting;
mod route;
mod trail;

use serde::{Deserialize, Serialize};

use crate::directory::{AccountId, AliasKey, Target};
use crate::mail::{Address, Domain, Mailbox, Name};
use crate::protocol::smtp::Reply;

pub use posting::permit;
pub use route::{admit, route, route_anywhere, route_back};
pub use trail::{Step, Trail};

/// What an operator may say about routing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Our own name, whose postmaster a bare `<Postmaster>` is.
    pub hostname: Option<Domain>,
    /// Characters that set off the `+detail` of a local part.
    pub subaddress_separators: String,
    /// Where mail to the postmaster goes when no alias says so.
    pub postmaster: Option<Target>,
    /// What a sender hears about an alias that is switched off.
    pub disabled: Disabled,
    /// Whether external targets can be reached.
    pub relay: Relay,
    /// Whether lists distribute.
    pub lists: Lists,
    /// Aliases in a chain.
    pub max_depth: usize,
    /// Entries of one alias that are followed.
    pub max_fan_out: usize,
    /// Entries followed for one recipient.
    pub max_total: usize,
}

/// What a sender hears about an alias that is switched off, or expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Disabled {
    /// `550 5.1.1`, in the words for any unknown recipient: strangers do not learn that it exists.
    #[default]
    Unknown,
    /// `550 5.2.1`: it is switched off.
    SwitchedOff,
}

impl Disabled {
    /// The reply.
    pub fn reply(self) -> Reply {
        match self {
            Self::Unknown => Reply::UnknownRecipient,
            Self::SwitchedOff => Reply::AliasDisabled,
        }
    }
}

/// Whether external targets can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relay {
    /// They are refused for now, with a 451.
    Off,
    /// By way of the queue.
    On,
}

/// Whether lists distribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lists {
    /// Mail for them is refused for now, with a 451.
    Off,
    /// To each member.
    On,
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

/// A list that a recipient leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListDestination {
    /// The account, whatever its name will be.
    pub id: AccountId,
    /// Its name now.
    pub name: Name,
    /// Its hidden alias, or, for mail that is not to be distributed, the address [beside](crate::mail::Beside) it.
    pub address: Address,
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
    /// Each mailbox, each external address (only its domain is folded) and each list once. Nothing at all means that an
    /// alias said `discard`.
    Deliver { mailboxes: Vec<Destination>, relays: Vec<Mailbox>, lists: Vec<ListDestination> },
    /// The reply that SMTP and LMTP give.
    Refuse(Reply),
}

impl Decision {
    /// The reply to `RCPT TO` that it amounts to.
    pub fn reply(&self) -> Reply {
        match self {
            Self::Deliver { .. } => Reply::RecipientOk,
            Self::Refuse(reply) => reply.clone(),
        }
    }
}
