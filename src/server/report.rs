//! What is told of a message whose fate is known: to the client, the log, the memory of recent deliveries, and the
//! aliases' use counts.
//!
//! A `250` after data comes out of [`queued`] alone, and that takes a `Stored`.

use std::time::Duration;

use jiff::Timestamp;

use super::Service;
use super::transaction::{Accepted, Failed};
use crate::directory::AliasKey;
use crate::ledger::{Provenance, Row};
use crate::mail::trace::{Client, With};
use crate::mail::{Envelope, ForwardPath, Name, QueueId};
use crate::protocol::smtp::Reply;
use crate::spool::Stored;
use crate::telemetry::{Delivery, Event, Fate, Landing, Outcome, event, meter};

/// The one way to a `250` after data: the disk has it.
fn queued(stored: &Stored) -> Reply {
    Reply::Queued { id: stored.id() }
}

/// Session and world count recipients differently: nothing may be acknowledged.
fn disagreement() -> Failed {
    Failed { reply: Reply::StorageFailed, cause: "the session's recipients are not those that were routed".to_owned() }
}

/// What is told of a recipient once its routing has gone to the spool.
pub struct Slip {
    recipient: ForwardPath,
    mailboxes: Vec<Name>,
    onward: Vec<String>,
    followed: Vec<AliasKey>,
}

impl Slip {
    /// Notes it, before the routing is given away.
    pub fn of(accepted: &Accepted) -> Self {
        let mailboxes = accepted.routed.destinations.iter().map(|destination| destination.name.clone()).collect();
        let relays = accepted.routed.relays.iter().map(ToString::to_string);
        let onward = relays.chain(accepted.routed.lists.iter().map(|list| list.address.to_string())).collect();
        Self { recipient: accepted.routed.recipient.path.clone(), mailboxes, onward, followed: accepted.followed.clone() }
    }
}

impl Slip {
    /// The aliases that led on, in their order.
    fn way(&self) -> String {
        self.followed.iter().map(AliasKey::to_string).collect::<Vec<_>>().join(" > ")
    }
}

/// A message whose fate is known.
pub struct Report {
    /// Its id.
    pub id: QueueId,
    /// Its envelope.
    pub envelope: Envelope,
    /// Who handed it over.
    pub client: Client,
    /// Over which protocol.
    pub with: With,
    /// Octets of the text.
    pub size: u64,
    /// When its first recipient was asked for.
    pub begun: Timestamp,
    /// When its last recipient had been routed.
    pub routed: Timestamp,
    /// When the end of its data had come.
    pub received: Timestamp,
    /// When the disk had it, or had refused it.
    pub stored: Timestamp,
    /// What the message says of itself.
    pub provenance: Provenance,
}

impl Report {
    /// Tells everybody: the log, the memory of recent deliveries, and the aliases' use counts. Gives what is left to be told: the
    /// replies, to the client, and the rows, to the delivery log, which may make them wait.
    pub fn conclude(self, service: &Service, slips: Vec<Slip>, mut results: Vec<Result<Stored, Failed>>) -> (Vec<Reply>, Vec<Row>) {
        results.resize_with(slips.len(), || Err(disagreement()));
        let mut replies = Vec::with_capacity(slips.len());
        let mut landings = Vec::with_capacity(slips.len());
        let mut rows = Vec::with_capacity(slips.len());
        for (slip, result) in slips.into_iter().zip(results) {
            let reply = result.as_ref().map_or_else(|failed| failed.reply.clone(), queued);
            if result.is_ok() {
                slip.followed.iter().for_each(|alias| service.directory.used(alias, self.stored));
            }
            let (landing, row) = self.tell(slip, result, &reply);
            landings.push(landing);
            rows.push(row);
            replies.push(reply);
        }
        meter().message(self.size, Duration::try_from(self.stored.duration_since(self.received)).unwrap_or_default());
        service.recent.note(self.remembered(landings));
        (replies, rows)
    }

    fn tell(&self, slip: Slip, result: Result<Stored, Failed>, reply: &Reply) -> (Landing, Row) {
        let status = reply.to_string();
        let mailboxes = slip.mailboxes.iter().map(Name::as_str).collect::<Vec<_>>().join(",");
        let (fate, files, cause) = match &result {
            Ok(_) if slip.mailboxes.is_empty() && slip.onward.is_empty() => (Fate::Discarded, Vec::new(), ""),
            Ok(stored) if stored.waiting() == 0 && stored.queued() > 0 => (Fate::Queued, stored.files().to_vec(), ""),
            Ok(stored) if stored.waiting() == 0 => (Fate::Delivered, stored.files().to_vec(), ""),
            Ok(stored) => (Fate::Waiting, stored.files().to_vec(), ""),
            Err(failed) => (Fate::Refused, Vec::new(), failed.cause.as_str()),
        };
        let outcome = Outcome {
            id: self.id,
            client: &self.client,
            with: self.with,
            sender: &self.envelope.sender,
            recipient: &slip.recipient,
            mailboxes: &mailboxes,
            onward: &slip.onward.join(","),
            size: self.size,
            delay: Duration::try_from(self.stored.duration_since(self.begun)).unwrap_or_default(),
            fate,
            status: &status,
            cause,
        };
        Event::Message(outcome).say();
        let row = Row::of_outcome(&outcome, self.stored, slip.way(), &self.provenance);
        if !cause.is_empty() {
            Event::NotStored { id: self.id, cause }.say();
        }
        let accepted = fate != Fate::Refused;
        let landing = Landing {
            recipient: slip.recipient.to_string(),
            mailboxes: slip.mailboxes,
            onward: slip.onward,
            files,
            reply: status,
            accepted,
        };
        (landing, row)
    }

    fn remembered(self, landings: Vec<Landing>) -> Delivery {
        Delivery {
            id: self.id,
            sender: self.envelope.sender.to_string(),
            client: event::name_of(&self.client),
            tls: self.with.encrypted,
            size: self.size,
            begun: self.begun,
            routed: self.routed,
            received: self.received,
            stored: self.stored,
            landings,
        }
    }
}
