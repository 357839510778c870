//! What becomes of postings, for the delivery log.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::runtime::Handle;

use super::Lists;
use crate::ledger::{Ledger, Row, Status};
use crate::mail::QueueId;
use crate::spool::outgoing::Message;

/// One outcome.
pub(super) struct Outcome {
    /// Whose: a member's address, or the list's own.
    pub recipient: String,
    /// Where it went.
    pub places: Vec<String>,
    /// What became of it.
    pub status: Status,
    /// Why, in words.
    pub words: String,
}

impl Lists {
    /// Tells a delivery log from now on.
    pub fn with_ledger(mut self, ledger: Arc<Ledger>) -> Self {
        self.ledger = Some(ledger);
        self
    }

    /// Tells the delivery log of outcomes of one posting. Called where a thread may wait.
    pub(super) fn tell(&self, id: QueueId, message: &Message, outcomes: Vec<Outcome>) {
        let Some(ledger) = self.ledger.as_ref().filter(|_| !outcomes.is_empty()) else { return };
        let at = Timestamp::now();
        let delay_ms = at.duration_since(message.arrived).as_secs_f64().max(0.0) * 1000.0;
        let row = |outcome: Outcome| Row {
            number: 0,
            at,
            id: Some(id),
            client: "list".to_owned(),
            protocol: String::new(),
            sender: message.sender.to_string(),
            recipient: outcome.recipient,
            via: None,
            trail: String::new(),
            places: outcome.places,
            size: message.octets,
            delay_ms,
            status: outcome.status,
            reply: outcome.words,
            message_id: None,
            upstream_id: None,
        };
        Handle::current().block_on(ledger.note(outcomes.into_iter().map(row).collect()));
    }
}
