//! The trail of a routing decision: questions asked, answers found, and the reply they led to.
//!
//! Owns the wording that `restante trace`, the panel and the log share. A step keeps values, not text: the live RCPT
//! builds a trail for every recipient and nearly never shows it. Bounded by the router's own bounds.

use std::fmt;

use jiff::Timestamp;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::posting::Verdict;
use super::{Lists, Relay};
use crate::directory::{AliasKey, State, Target};
use crate::mail::{Address, Domain, Mailbox, Name};
use crate::protocol::smtp::Reply;

/// The questions asked and the answers found; `Display` gives one a line, the last being the reply.
///
/// As JSON: `{"steps": [{"question": …, "answer": …}, …], "reply": "250 2.1.5 Ok"}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trail {
    steps: Vec<Step>,
    reply: Reply,
}

/// One question and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Is this a domain of ours?
    Domain { domain: Domain, local: bool },
    /// The same about an address literal, which never is.
    Literal { recipient: Mailbox },
    /// Is there such an alias?
    Alias { key: AliasKey, found: Alias },
    /// Did another branch lead here before?
    Again { address: Address },
    /// What holds this name?
    Account { name: Name, is: Account },
    /// Can mail leave for an external address?
    Leave { mailbox: Mailbox, relay: Relay },
    /// Is this a sender that was rewritten here, and whose?
    Return { recipient: Mailbox, to: Result<Mailbox, String> },
    /// An entry `reject:TEXT`.
    Reject { text: String },
    /// An entry `discard`.
    Discard,
    /// A bound was met.
    Bound { address: Address, bound: Bound },
    /// Where does `smtp.postmaster` lead?
    Postmaster { target: Option<Target> },
    /// The directory failed in the middle of a question.
    Unreadable { why: String },
    /// Is there room in a mailbox?
    Room { name: Name, refused: Option<Reply> },
    /// Does the address belong to a list?
    Beside { address: Address, list: Option<Name> },
    /// Who gets a copy?
    Copies { name: Name, to: Vec<Target> },
    /// Does a list take mail from this sender?
    Posting { list: Name, verdict: Verdict },
}

/// What was found under an alias's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alias {
    /// Nothing.
    Missing,
    /// An alias in use.
    Leads { to: Vec<Target> },
    /// An alias that an admin switched off.
    SwitchedOff,
    /// An alias whose time is over.
    Expired { at: Timestamp },
}

/// What was found under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    /// A mailbox.
    Pop { address: Address, state: State },
    /// A list account.
    List { address: Address, lists: Lists },
    /// Nothing that takes mail.
    Missing,
}

/// Which bound of the expansion was met, and what it is set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Aliases in a chain.
    Depth(usize),
    /// Entries of one alias.
    FanOut(usize),
    /// Entries in all.
    Total(usize),
}

impl Bound {
    /// The bound as the reply names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Depth(_) => "depth",
            Self::FanOut(_) => "fan-out",
            Self::Total(_) => "total",
        }
    }
}

impl Trail {
    /// A trail that led to `reply`.
    pub(super) fn new(steps: Vec<Step>, reply: Reply) -> Self {
        Self { steps, reply }
    }

    /// Goes on: another question, and the reply as it stands after it.
    pub(super) fn push(&mut self, step: Step, reply: Reply) {
        self.steps.push(step);
        self.reply = reply;
    }

    /// Puts a question before all others.
    pub(super) fn begin_with(&mut self, step: Step) {
        self.steps.insert(0, step);
    }

    /// The questions and answers, in the order they came up.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What SMTP and LMTP say to the recipient.
    pub fn reply(&self) -> &Reply {
        &self.reply
    }
}

impl fmt::Display for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{} {}", step.question(), step.answer())?;
        }
        self.reply.fmt(f)
    }
}

impl Serialize for Trail {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut trail = serializer.serialize_struct("Trail", 2)?;
        trail.serialize_field("steps", &self.steps)?;
        trail.serialize_field("reply", &self.reply.to_string())?;
        trail.end()
    }
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut step = serializer.serialize_struct("Step", 2)?;
        step.serialize_field("question", &self.question())?;
        step.serialize_field("answer", &self.answer())?;
        step.end()
    }
}

impl Step {
    /// The question, ended by a question mark.
    pub fn question(&self) -> String {
        match self {
            Self::Domain { domain, .. } => format!("Is {domain} a local domain?"),
            Self::Literal { recipient } => format!("Is the part after the @ of {recipient} a local domain?"),
            Self::Alias { key: AliasKey::Exact(address), .. } => format!("Is there an alias {address}?"),
            Self::Alias { key: AliasKey::CatchAll(domain), .. } => format!("Is there a catch-all @{domain}?"),
            Self::Again { address } => format!("Is {address} new here?"),
            Self::Account { name, .. } => format!("What is {name}?"),
            Self::Leave { mailbox, .. } => format!("Can mail leave for {mailbox}?"),
            Self::Return { recipient, .. } => format!("Is {recipient} a sender that was rewritten here?"),
            Self::Reject { .. } => "May mail pass?".into(),
            Self::Discard => "Is a copy kept here?".into(),
            Self::Bound { address, .. } => format!("Is {address} within the limits?"),
            Self::Postmaster { .. } => "Where does smtp.postmaster lead?".into(),
            Self::Unreadable { .. } => "Can the directory be read?".into(),
            Self::Room { name, .. } => format!("Is there room in {name}?"),
            Self::Beside { address, .. } => format!("Is {address} an address of a list?"),
            Self::Copies { name, .. } => format!("Who else gets a copy of mail to {name}?"),
            Self::Posting { list, .. } => format!("Does the list {list} take mail from this sender?"),
        }
    }

    /// The answer, ended by a full stop.
    pub fn answer(&self) -> String {
        match self {
            Self::Domain { local, .. } => if *local { "Yes." } else { "No." }.into(),
            Self::Literal { .. } => "No, an address literal never is.".into(),
            Self::Alias { found, .. } => found.to_string(),
            Self::Again { .. } => "No, another branch led here; once is enough.".into(),
            Self::Account { is, .. } => is.to_string(),
            Self::Leave { relay: Relay::On, .. } => "Yes, by way of the queue.".into(),
            Self::Leave { relay: Relay::Off, .. } => "No, the relay is off.".into(),
            Self::Return { to: Ok(sender), .. } => format!("Yes, {sender}."),
            Self::Return { to: Err(why), .. } => format!("No: {why}."),
            Self::Reject { text } => format!("No, the alias refuses it: {text}."),
            Self::Discard => "No, the alias throws it away.".into(),
            Self::Bound { bound, .. } => bound.to_string(),
            Self::Postmaster { target: Some(target) } => format!("To {target}."),
            Self::Postmaster { target: None } => "Nowhere; set smtp.postmaster to an account's name or an address.".into(),
            Self::Unreadable { why } => format!("No: {why}."),
            Self::Room { refused: None, .. } => "Yes.".into(),
            Self::Room { refused: Some(_), .. } => "No.".into(),
            Self::Beside { list: Some(list), .. } => format!("Yes, of {list}."),
            Self::Beside { list: None, .. } => "No, there is no such list in that domain.".into(),
            Self::Copies { to, .. } => format!("{}.", to.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
            Self::Posting { verdict: Verdict::Allowed, .. } => "Yes.".into(),
            Self::Posting { verdict: Verdict::Held, .. } => "Yes, once its owner has approved of it.".into(),
            Self::Posting { verdict: Verdict::Refused, .. } => "No, its rules do not let this sender post.".into(),
            Self::Posting { verdict: Verdict::Forged, .. } => "No, this is no bounce of a message that it sent.".into(),
        }
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("No."),
            Self::Leads { to } => {
                for (place, target) in to.iter().enumerate() {
                    write!(f, "{}{target}", if place == 0 { "Yes, to " } else { ", " })?;
                }
                f.write_str(if to.is_empty() { "Yes, but it leads to nothing." } else { "." })
            }
            Self::SwitchedOff => f.write_str("Yes, but it is switched off."),
            Self::Expired { at } => write!(f, "Yes, but it expired at {at}."),
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pop { address, state: State::Active } => write!(f, "The POP account {address}."),
            Self::Pop { address, state: State::Suspended } => write!(f, "The POP account {address}; it is suspended, and takes mail."),
            Self::List { address, lists: Lists::On } => write!(f, "The list account {address}."),
            Self::List { address, lists: Lists::Off } => write!(f, "The list account {address}; list distribution is off."),
            Self::Missing => f.write_str("Nothing that takes mail."),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Depth(limit) => write!(f, "No, the chain is longer than {limit} aliases (smtp.max_alias_depth)."),
            Self::FanOut(limit) => write!(f, "No, its alias has more than {limit} entries (smtp.max_alias_fan_out)."),
            Self::Total(limit) => write!(f, "No, it makes more than {limit} entries in all (smtp.max_alias_total)."),
        }
    }
}
