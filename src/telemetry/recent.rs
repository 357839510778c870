//! What became of recent messages: a bounded memory, searchable by queue id.
//!
//! `restante test` and the demo follow a message with it. It is not the delivery log: a restart forgets it.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::mail::{Name, QueueId};

/// Messages remembered: a moment of full load, a day of a small server. About 1 KiB each, with its recipient.
pub const REMEMBERED: usize = 4096;

/// Recipients remembered, of all messages together.
pub const RECIPIENTS: usize = REMEMBERED;

/// Recipients remembered of one message: one with thousands of them must not take the place of all others.
pub const LANDINGS: usize = 100;

/// What became of one recipient's copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Landing {
    /// The recipient as the client gave it.
    pub recipient: String,
    /// The accounts it led to; none if it was thrown away by `discard`.
    pub mailboxes: Vec<Name>,
    /// The addresses elsewhere, and the lists, that it is in the queue for.
    #[serde(default)]
    pub onward: Vec<String>,
    /// The files it became. A copy that waits in the spool for its mailbox has none yet.
    pub files: Vec<PathBuf>,
    /// The reply that the client got.
    pub reply: String,
    /// Whether the reply was a `250`.
    pub accepted: bool,
}

/// The way of one message through the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Delivery {
    /// Its id.
    pub id: QueueId,
    /// The envelope's sender; empty for the null path.
    pub sender: String,
    /// Who handed it over: the address, or `local socket`.
    pub client: String,
    /// Whether TLS protected it.
    pub tls: bool,
    /// Octets of the text, with LF line ends, before our own header fields.
    pub size: u64,
    /// When its first recipient was asked for.
    pub begun: Timestamp,
    /// When its last recipient had been routed.
    pub routed: Timestamp,
    /// When the end of its data had come.
    pub received: Timestamp,
    /// When the disk had it, or had refused it.
    pub stored: Timestamp,
    /// Each recipient's outcome, the first [`LANDINGS`] of them.
    pub landings: Vec<Landing>,
}

/// The last [`REMEMBERED`] deliveries, or fewer with [`RECIPIENTS`].
#[derive(Debug, Default)]
pub struct Recent {
    ring: Mutex<Ring>,
}

#[derive(Debug, Default)]
struct Ring {
    deliveries: VecDeque<Arc<Delivery>>,
    recipients: usize,
}

impl Ring {
    fn push(&mut self, delivery: Delivery) {
        self.recipients += delivery.landings.len();
        self.deliveries.push_back(Arc::new(delivery));
        while self.deliveries.len() > REMEMBERED || self.recipients > RECIPIENTS {
            let Some(oldest) = self.deliveries.pop_front() else { return };
            self.recipients -= oldest.landings.len();
        }
    }
}

impl Recent {
    /// Notes one, and forgets the oldest where there are too many.
    pub fn note(&self, mut delivery: Delivery) {
        delivery.landings.truncate(LANDINGS);
        delivery.landings.shrink_to_fit();
        self.ring().push(delivery);
    }

    /// The latest of them, newest first.
    pub fn latest(&self, most: usize) -> Vec<Arc<Delivery>> {
        self.ring().deliveries.iter().rev().take(most).cloned().collect()
    }

    /// The delivery of that id, if it is remembered. Newest first: who asks has just sent it.
    pub fn find(&self, id: QueueId) -> Option<Arc<Delivery>> {
        self.ring().deliveries.iter().rev().find(|delivery| delivery.id == id).cloned()
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(number: u64) -> Delivery {
        let at = Timestamp::UNIX_EPOCH;
        Delivery {
            id: QueueId::new(number),
            sender: String::new(),
            client: "127.0.0.1".into(),
            tls: false,
            size: 1,
            begun: at,
            routed: at,
            received: at,
            stored: at,
            landings: Vec::new(),
        }
    }

    #[test]
    fn the_oldest_is_forgotten_first() {
        let recent = Recent::default();
        for number in 0..=REMEMBERED as u64 {
            recent.note(delivery(number));
        }
        assert!(recent.find(QueueId::new(0)).is_none());
        assert_eq!(recent.find(QueueId::new(1)).map(|found| found.id), Some(QueueId::new(1)));
        assert!(recent.find(QueueId::new(REMEMBERED as u64)).is_some());
    }

    fn to_many(number: u64, recipients: usize) -> Delivery {
        let landing = Landing {
            recipient: "a@b".into(),
            mailboxes: Vec::new(),
            onward: Vec::new(),
            files: Vec::new(),
            reply: "250".into(),
            accepted: true,
        };
        Delivery { landings: vec![landing; recipients], ..delivery(number) }
    }

    #[test]
    fn many_recipients_are_cut_off() {
        let recent = Recent::default();
        recent.note(to_many(1, 10_000));
        assert_eq!(recent.find(QueueId::new(1)).map(|found| found.landings.len()), Some(LANDINGS));
    }

    #[test]
    fn messages_to_many_take_the_place_of_more_than_one() {
        let recent = Recent::default();
        (0..1000).for_each(|number| recent.note(to_many(number, LANDINGS)));
        let kept = recent.latest(usize::MAX);
        assert_eq!(kept.len(), RECIPIENTS / LANDINGS);
        assert_eq!(kept.first().map(|newest| newest.id), Some(QueueId::new(999)));
        (0..REMEMBERED as u64).for_each(|number| recent.note(to_many(number, 1)));
        assert_eq!(recent.latest(usize::MAX).len(), REMEMBERED);
    }
}
