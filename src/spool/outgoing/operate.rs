//! What an operator may do to a message in the queue.

use std::io;

use jiff::Timestamp;
use rocksdb::WriteBatch;

use super::Queue;
use super::engine::{Durable, Family};
use super::key::{Due, Hop, Seat, Turn, hop_of};
use super::record::{Recipient, State};
use crate::mail::QueueId;

/// Recipients changed in one batch.
const PIECE: usize = 1000;

impl Queue {
    /// Tries the waiting recipients of a message no more until they are released. How many.
    pub fn hold(&self, id: QueueId) -> io::Result<u32> {
        self.change(id, |recipient| (recipient.state == State::Waiting).then(|| Recipient { state: State::Held, ..recipient.clone() }))
    }

    /// Tries the held recipients of a message now. How many.
    pub fn release(&self, id: QueueId, now: Timestamp) -> io::Result<u32> {
        let released = |recipient: &Recipient| Recipient { state: State::Waiting, next: now, ..recipient.clone() };
        self.change(id, |recipient| (recipient.state == State::Held).then(|| released(recipient)))
    }

    /// Tries the waiting recipients of a message now. How many.
    pub fn retry(&self, id: QueueId, now: Timestamp) -> io::Result<u32> {
        let hops = self.recipients(id, 0, PIECE)?.into_iter().map(|(_, recipient)| recipient.hop);
        for hop in hops.collect::<std::collections::BTreeSet<_>>() {
            self.set_down(&hop, None)?;
        }
        let hurried = |recipient: &Recipient| Recipient { next: now, ..recipient.clone() };
        self.change(id, |recipient| (recipient.state == State::Waiting && !recipient.hop.is_held()).then(|| hurried(recipient)))
    }

    /// Tries everything that waits now, hop by hop. How many recipients.
    pub fn retry_all(&self, now: Timestamp) -> io::Result<u64> {
        let (mut hurried, mut from) = (0, Vec::new());
        while let Some(hop) = self.next_hop(&from)? {
            from = super::key::prefix(&hop);
            // Every key of the hop begins so, and its last octet is 0.
            if let Some(mark) = from.last_mut() {
                *mark = 1;
            }
            if !hop.is_list() {
                self.set_down(&hop, None)?;
                hurried += self.hurry(&hop, now)?;
                self.end_turns(&[], Some((&hop, now)))?;
            }
        }
        self.tell();
        Ok(hurried)
    }

    /// Sees to it that every hop for which somebody waits has a turn. What left the process between two steps may have none.
    pub fn remember_hops(&self) -> io::Result<()> {
        let mut from = Vec::new();
        while let Some(hop) = self.next_hop(&from)? {
            from = super::key::prefix(&hop);
            if let Some(mark) = from.last_mut() {
                *mark = 1;
            }
            if let Some(first) = self.first_due(&hop)?.filter(|_| !hop.is_list()) {
                let down = self.down(&hop)?.map_or(first, |down| down.until.max(first));
                self.end_turns(&[], Some((&hop, down)))?;
            }
        }
        Ok(())
    }

    fn next_hop(&self, from: &[u8]) -> io::Result<Option<Hop>> {
        let row = self.engine.rows(Family::Due, from, None)?.next().transpose()?;
        Ok(row.and_then(|(key, _)| hop_of(&key)))
    }

    fn hurry(&self, hop: &Hop, now: Timestamp) -> io::Result<u64> {
        let (mut after, mut hurried) = (None, 0);
        loop {
            let dues: Vec<Due> = self.due(hop, after, Timestamp::MAX, PIECE)?;
            let Some(last) = dues.last() else { return Ok(hurried) };
            after = Some(*last);
            for due in dues.iter().filter(|due| due.at > now) {
                let _alone = self.alone(due.seat.id);
                let Some(before) = self.recipient(due.seat)?.filter(|recipient| recipient.state == State::Waiting) else { continue };
                let mut batch = WriteBatch::default();
                self.reseat(&mut batch, due.seat, &before, &Recipient { next: now, ..before.clone() })?;
                self.write_soon(batch)?;
                hurried += 1;
            }
        }
    }

    /// Removes a message, durably. How many recipients were open.
    pub fn cancel(&self, id: QueueId) -> io::Result<u32> {
        self.forget(id, Durable::Now)
    }

    /// Changes recipients of a message, durably, and sees to it that those which wait then are looked at.
    fn change(&self, id: QueueId, changed: impl Fn(&Recipient) -> Option<Recipient>) -> io::Result<u32> {
        let (mut from, mut count) = (0, 0);
        loop {
            let alone = self.alone(id);
            let recipients = self.recipients(id, from, PIECE)?;
            let Some((last, _)) = recipients.last() else { break };
            from = last.saturating_add(1);
            let mut batch = WriteBatch::default();
            for (number, before) in &recipients {
                let Some(after) = changed(before) else { continue };
                self.reseat(&mut batch, Seat { id, number: *number }, before, &after)?;
                if after.state == State::Waiting && !after.hop.is_list() {
                    self.engine.put(&mut batch, Family::Turns, &Turn { at: after.next, id, hop: after.hop }.key(), &[])?;
                }
                count += 1;
            }
            self.engine.write(batch, Durable::Now)?;
            drop(alone);
        }
        self.tell();
        Ok(count)
    }
}
