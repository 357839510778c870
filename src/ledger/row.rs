//! A row: what became of one recipient.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::mail::QueueId;
use crate::mail::trace::Journey;
use crate::telemetry::event::{Onward, Stage};
use crate::telemetry::{Fate, Outcome, Refusal, event};

/// Octets of any one text of a row: what clients and headers say is cut off there.
const TEXT: usize = 512;

/// What became of a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "LogStatus")]
pub enum Status {
    /// In every mailbox.
    Delivered,
    /// Accepted; a copy waits for its mailbox, or for its next hop.
    Waiting,
    /// Thrown away, as an alias says.
    Discarded,
    /// Refused for good (5xx).
    Refused,
    /// Not now (4xx): the client, or our queue, tries again.
    Deferred,
    /// Handed to the next hop.
    Relayed,
    /// Given up, and reported to its sender.
    Bounced,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Delivered, Self::Waiting, Self::Discarded, Self::Refused, Self::Deferred, Self::Relayed, Self::Bounced];

    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Waiting => "waiting",
            Self::Discarded => "discarded",
            Self::Refused => "refused",
            Self::Deferred => "deferred",
            Self::Relayed => "relayed",
            Self::Bounced => "bounced",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Status {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let words = || Self::ALL.map(Self::word).join(", ");
        Self::ALL.into_iter().find(|status| status.word() == text).ok_or_else(|| format!("`{text}` is no status: give one of {}", words()))
    }
}

/// One outcome of one recipient of one message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "LogRow")]
pub struct Row {
    /// Its place in the log: later rows have greater numbers. 0 until it is written.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// The message, as its `250` called it; none for a recipient that was refused before there was one.
    pub id: Option<QueueId>,
    /// Who handed it over: the address, or `local socket`.
    pub client: String,
    /// Over which protocol, as in the Received field.
    pub protocol: String,
    /// The envelope's sender; empty for the null path.
    pub sender: String,
    /// The recipient as the client gave it.
    pub recipient: String,
    /// The address here that sends it on, where the recipient is elsewhere.
    #[serde(default)]
    pub via: Option<String>,
    /// How it was routed, in short.
    pub trail: String,
    /// The accounts, or the next hop, that it went to.
    pub places: Vec<String>,
    /// Octets of the text.
    pub size: u64,
    /// Milliseconds from the first recipient to this outcome.
    pub delay_ms: f64,
    /// What became of it.
    pub status: Status,
    /// The reply that was given, or that the next hop gave.
    pub reply: String,
    /// The message's own `Message-ID`, without its angle brackets.
    pub message_id: Option<String>,
    /// What the client's system called the message, as its topmost Received field says.
    pub upstream_id: Option<String>,
}

/// What a message says of itself.
#[derive(Debug, Clone, Default)]
pub struct Provenance {
    /// `Message-ID`.
    pub message_id: Option<String>,
    /// The client's own id.
    pub upstream_id: Option<String>,
}

impl Provenance {
    /// What a message's header section tells.
    pub fn of(journey: &Journey) -> Self {
        Self { message_id: journey.message_id.clone(), upstream_id: journey.upstream_id.clone() }
    }
}

impl Row {
    /// The row of a message's outcome.
    pub fn of_outcome(outcome: &Outcome<'_>, at: Timestamp, trail: String, provenance: &Provenance) -> Self {
        let status = match outcome.fate {
            Fate::Delivered => Status::Delivered,
            Fate::Waiting | Fate::Queued => Status::Waiting,
            Fate::Discarded => Status::Discarded,
            Fate::Refused => refused(outcome.status),
        };
        Self {
            number: 0,
            at,
            id: Some(outcome.id),
            client: event::name_of(outcome.client),
            protocol: outcome.with.to_string(),
            sender: cut(outcome.sender.to_string()),
            recipient: cut(outcome.recipient.to_string()),
            via: None,
            trail: cut(trail),
            places: [outcome.mailboxes, outcome.onward]
                .iter()
                .flat_map(|all| all.split(','))
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
            size: outcome.size,
            delay_ms: milliseconds(outcome.delay),
            status,
            reply: cut(outcome.status.to_owned()),
            message_id: provenance.message_id.clone().map(cut),
            upstream_id: provenance.upstream_id.clone().map(cut),
        }
    }

    /// The row of a recipient that was refused at RCPT.
    pub fn of_refusal(refusal: &Refusal<'_>, at: Timestamp, trail: String) -> Self {
        Self {
            number: 0,
            at,
            id: None,
            client: event::name_of(refusal.client),
            protocol: refusal.with.to_string(),
            sender: cut(refusal.sender.to_string()),
            recipient: cut(refusal.recipient.to_string()),
            via: None,
            trail: cut(trail),
            places: Vec::new(),
            size: 0,
            delay_ms: 0.0,
            status: refused(refusal.status),
            reply: cut(refusal.status.to_owned()),
            message_id: None,
            upstream_id: None,
        }
    }

    /// The row of a copy that waited for its mailbox, as this row told, and is in it now.
    pub fn at_last(self, mailbox: &str, delay: std::time::Duration, at: Timestamp) -> Self {
        let trail = "delivered later".to_owned();
        Self { number: 0, at, trail, places: vec![mailbox.to_owned()], status: Status::Delivered, delay_ms: milliseconds(delay), ..self }
    }

    /// The row of an attempt to hand a message of so many octets on, by way of an address here.
    pub fn of_onward(onward: &Onward<'_>, via: Option<String>, size: u64, at: Timestamp) -> Self {
        let status = match onward.stage {
            Stage::Sent => Status::Relayed,
            Stage::Deferred => Status::Deferred,
            Stage::Failed => Status::Bounced,
        };
        let place = if onward.remote.is_empty() { onward.hop } else { onward.remote };
        Self {
            number: 0,
            at,
            id: Some(onward.id),
            client: "queue".to_owned(),
            protocol: String::new(),
            sender: cut(onward.sender.to_string()),
            recipient: cut(onward.recipient.to_owned()),
            via: via.map(cut),
            trail: format!("attempt {}", onward.tries),
            places: vec![cut(place.to_owned())],
            size,
            delay_ms: milliseconds(onward.delay),
            status,
            reply: cut(onward.status.to_owned()),
            message_id: None,
            upstream_id: None,
        }
    }
}

fn refused(reply: &str) -> Status {
    if reply.starts_with('4') { Status::Deferred } else { Status::Refused }
}

/// To the microsecond.
fn milliseconds(delay: std::time::Duration) -> f64 {
    (delay.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

fn cut(mut text: String) -> String {
    if text.len() > TEXT {
        let end = (0..=TEXT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        text.truncate(end);
        text.push('…');
    }
    text
}
