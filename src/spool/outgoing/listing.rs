//! The queue as operators and metrics see it. Nothing here takes longer the more waits, unless it is asked for page by page.

use std::collections::BTreeSet;
use std::io;

use jiff::Timestamp;

use super::Queue;
use super::counted;
use super::engine::{Family, number};
use super::key::{Filing, Hop, u64_of};
use super::record::{self, Message, Recipient, State};
use crate::mail::QueueId;

/// Recipients that a listing has of one message.
const RECIPIENTS: usize = 100;

/// Recipients at one hop that are looked up for one page.
const INDEXED: usize = 100_000;

/// Messages that are looked at for one page.
const LOOKED_AT: usize = 10_000;

/// Recipients of a hop among which the oldest message is looked for.
const DUES: usize = 1000;

/// Hops that are counted: with more than that in the queue, the counts of some of them are not among the largest for sure.
const HOPS: usize = 100_000;

/// A message in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: QueueId,
    /// What is known of it.
    pub message: Message,
    /// Its first open recipients, by number.
    pub recipients: Vec<(u32, Recipient)>,
}

/// A page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Messages, oldest first.
    pub messages: Vec<Listed>,
    /// Where the next page begins; none after the last.
    pub next: Option<QueueId>,
}

/// How much is in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Recipients that are tried.
    pub waiting: u64,
    /// Recipients that are held.
    pub held: u64,
    /// When the oldest message came.
    pub oldest: Option<Timestamp>,
}

impl Queue {
    /// Messages that `wanted` picks, from that one on. A page may have fewer than there would be, and still not be the last: it looks at so
    /// many messages, and at the recipients of those that are `worth` it.
    pub fn page(
        &self,
        from: QueueId,
        limit: usize,
        mut worth: impl FnMut(&Message) -> bool,
        mut wanted: impl FnMut(&Listed) -> bool,
    ) -> io::Result<Page> {
        let mut messages = Vec::new();
        for (looked_at, row) in self.engine.rows(Family::Messages, &from.number().to_be_bytes(), None)?.enumerate() {
            let (key, value) = row?;
            let id = QueueId::new(u64_of(&key).ok_or(io::ErrorKind::InvalidData)?);
            if messages.len() >= limit || looked_at >= LOOKED_AT {
                return Ok(Page { messages, next: Some(id) });
            }
            let message: Message = record::read(&value)?;
            if !worth(&message) {
                continue;
            }
            let listed = Listed { id, message, recipients: self.recipients(id, 0, RECIPIENTS)? };
            if wanted(&listed) {
                messages.push(listed);
            }
        }
        Ok(Page { messages, next: None })
    }

    /// The same for those with a recipient at that hop, which are found by what waits for it where that is all there is to know.
    pub fn page_at(
        &self,
        hop: &Hop,
        from: QueueId,
        limit: usize,
        mut worth: impl FnMut(&Message) -> bool,
        mut wanted: impl FnMut(&Listed) -> bool,
    ) -> io::Result<Page> {
        let Some(candidates) = self.candidates(hop)? else { return self.page(from, limit, worth, wanted) };
        let mut messages = Vec::new();
        for id in candidates.range(from..) {
            if messages.len() >= limit {
                return Ok(Page { messages, next: Some(*id) });
            }
            let listed = self.message(*id)?.filter(|message| worth(message));
            let Some(message) = listed else { continue };
            let listed = Listed { id: *id, message, recipients: self.recipients(*id, 0, RECIPIENTS)? };
            if wanted(&listed) {
                messages.push(listed);
            }
        }
        Ok(Page { messages, next: None })
    }

    /// The messages that wait for a hop, and those for lists, whose domains the index does not have. None where it does not have all: some
    /// recipients are held, or filed for a smarthost. None as well where there are so many that any page of messages has some.
    fn candidates(&self, hop: &Hop) -> io::Result<Option<BTreeSet<QueueId>>> {
        let is_there = |key: &[u8]| Ok::<_, io::Error>(self.engine.get(Family::Counts, key)?.is_some_and(|value| number(&value) > 0));
        let one = Hop::one();
        if self.filing() != Filing::Domains || is_there(counted(State::Held))? || is_there(one.as_str().as_bytes())? {
            return Ok(None);
        }
        let waiting = self.due(hop, None, Timestamp::MAX, INDEXED)?.into_iter().map(|due| due.seat.id);
        let postings = self.postings_due(Timestamp::MAX, INDEXED)?.into_iter().map(|seat| seat.id);
        if waiting.len() >= INDEXED || postings.len() >= INDEXED {
            return Ok(None);
        }
        Ok(Some(waiting.chain(postings).collect()))
    }

    /// One message, while one of its recipients is open.
    pub fn listed(&self, id: QueueId) -> io::Result<Option<Listed>> {
        let Some(message) = self.message(id)? else { return Ok(None) };
        Ok(Some(Listed { id, message, recipients: self.recipients(id, 0, RECIPIENTS)? }))
    }

    /// How much there is.
    pub fn counts(&self) -> io::Result<Counts> {
        let count = |state| Ok::<u64, io::Error>(self.engine.get(Family::Counts, counted(state))?.map_or(0, |value| unsigned(&value)));
        let oldest = match self.engine.rows(Family::Messages, &[], None)?.next() {
            None => None,
            Some(row) => Some(record::read::<Message>(&row?.1)?.arrived),
        };
        Ok(Counts { waiting: count(State::Waiting)?, held: count(State::Held)?, oldest })
    }

    /// When the oldest message came that waits for a hop: of those that are due next, up to a bound.
    pub fn oldest_at(&self, hop: &Hop) -> io::Result<Option<Timestamp>> {
        let dues = self.due(hop, None, Timestamp::MAX, DUES)?;
        // Ids grow with time.
        let Some(oldest) = dues.iter().map(|due| due.seat.id).min() else { return Ok(None) };
        Ok(self.message(oldest)?.map(|message| message.arrived))
    }

    /// The hops with most open recipients, and how many each has.
    pub fn largest_hops(&self, limit: usize) -> io::Result<Vec<(String, u64)>> {
        let mut hops = Vec::new();
        // What is counted besides hops begins with 0.
        for row in self.engine.rows(Family::Counts, &[1], None)?.take(HOPS) {
            let (key, value) = row?;
            hops.push((String::from_utf8_lossy(&key).into_owned(), unsigned(&value)));
        }
        hops.retain(|(_, count)| *count > 0);
        hops.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        hops.truncate(limit);
        Ok(hops)
    }
}

fn unsigned(value: &[u8]) -> u64 {
    u64::try_from(number(value)).unwrap_or(0)
}
