//! The way out: what became of recipients that were tried.

use std::io;

use rocksdb::WriteBatch;

use super::Queue;
use super::engine::{Durable, Family};
use super::key::{Due, Seat};
use super::record::{self, Attempt, Message, Place, Recipient, State};
use crate::mail::QueueId;
use jiff::Timestamp;

/// What became of a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It has been dealt with, whichever way: it leaves the queue.
    Done,
    /// It is tried again.
    Later {
        /// When.
        next: Timestamp,
        /// What came of this attempt.
        attempt: Attempt,
        /// Whether its sender knows by now that it takes longer.
        delay_told: bool,
    },
    /// It was not tried; it is due at that time.
    Untried(Timestamp),
}

impl Queue {
    /// Notes what became of recipients of one message. A crash of the process does not lose it. Those that somebody else has
    /// removed meanwhile are left out.
    pub fn settle(&self, id: QueueId, outcomes: Vec<(u32, Outcome)>) -> io::Result<()> {
        let _alone = self.alone(id);
        let mut batch = WriteBatch::default();
        let mut done = 0;
        for (number, outcome) in outcomes {
            let seat = Seat { id, number };
            let Some(before) = self.recipient(seat)? else { continue };
            match after(&before, outcome) {
                None => {
                    self.unseat(&mut batch, seat, &before)?;
                    done += 1;
                }
                Some(after) => self.reseat(&mut batch, seat, &before, &after)?,
            }
        }
        let over = self.leave(&mut batch, id, done)?;
        self.close(batch, Durable::Soon, over)
    }

    /// Removes recipients of a message; the message goes with the last of them.
    pub(super) fn remove(&self, id: QueueId, numbers: &[u32], durable: Durable) -> io::Result<u32> {
        let _alone = self.alone(id);
        let mut batch = WriteBatch::default();
        let mut done = 0;
        for number in numbers {
            let seat = Seat { id, number: *number };
            if let Some(recipient) = self.recipient(seat)? {
                self.unseat(&mut batch, seat, &recipient)?;
                done += 1;
            }
        }
        let over = self.leave(&mut batch, id, done)?;
        self.close(batch, durable, over)?;
        Ok(done)
    }

    /// Removes all of a message.
    pub(super) fn forget(&self, id: QueueId, durable: Durable) -> io::Result<u32> {
        let numbers: Vec<u32> = self.recipients(id, 0, usize::MAX)?.into_iter().map(|(number, _)| number).collect();
        self.remove(id, &numbers, durable)
    }

    pub(super) fn unseat(&self, batch: &mut WriteBatch, seat: Seat, recipient: &Recipient) -> io::Result<()> {
        self.engine.delete(batch, Family::Recipients, &seat.key())?;
        self.engine.delete(batch, Family::Due, &Due { at: recipient.next, seat }.key(&recipient.hop))?;
        self.count(batch, recipient, -1)
    }

    /// Writes a recipient anew.
    pub(super) fn reseat(&self, batch: &mut WriteBatch, seat: Seat, before: &Recipient, after: &Recipient) -> io::Result<()> {
        self.engine.put(batch, Family::Recipients, &seat.key(), &record::write(after)?)?;
        let (old, new) = (Due { at: before.next, seat }.key(&before.hop), Due { at: after.next, seat }.key(&after.hop));
        let waits = after.state == State::Waiting;
        if old != new || !waits {
            self.engine.delete(batch, Family::Due, &old)?;
        }
        if waits {
            self.engine.put(batch, Family::Due, &new, &[])?;
        }
        if (before.state, &before.hop) != (after.state, &after.hop) {
            self.count(batch, before, -1)?;
            self.count(batch, after, 1)?;
        }
        Ok(())
    }

    /// Counts recipients out of their message, which goes with the last of them; it is handed back then.
    fn leave(&self, batch: &mut WriteBatch, id: QueueId, done: u32) -> io::Result<Option<(QueueId, Message)>> {
        let key = id.number().to_be_bytes();
        let Some(mut message) = self.message(id)?.filter(|_| done > 0) else { return Ok(None) };
        message.open = message.open.saturating_sub(done);
        if message.open > 0 {
            self.engine.put(batch, Family::Messages, &key, &record::write(&message)?)?;
            return Ok(None);
        }
        self.engine.delete(batch, Family::Messages, &key)?;
        if message.place == Place::Row {
            self.engine.delete(batch, Family::Texts, &key)?;
        }
        Ok(Some((id, message)))
    }

    /// Writes a batch, and removes the file of the message that it ends. The record is gone for good before: a power cut may leave a
    /// file without a record, which the next start removes, and no record without its file.
    fn close(&self, batch: WriteBatch, durable: Durable, over: Option<(QueueId, Message)>) -> io::Result<()> {
        let file = over.filter(|(_, message)| message.place == Place::File).map(|(id, _)| self.file(id));
        match (durable, &file) {
            (Durable::Soon, None) => self.write_soon(batch)?,
            (Durable::Now, _) | (Durable::Soon, Some(_)) => self.engine.write(batch, Durable::Now)?,
        }
        if let Some(file) = file {
            // What cannot be removed now is removed at the next start.
            let _ = self.disk.remove(&file);
        }
        Ok(())
    }
}

/// The recipient as it is after that; none if it leaves the queue.
fn after(before: &Recipient, outcome: Outcome) -> Option<Recipient> {
    let mut after = before.clone();
    match outcome {
        Outcome::Done => return None,
        Outcome::Later { next, attempt, delay_told } => {
            after.tried(attempt);
            after.next = next;
            after.delay_told |= delay_told;
        }
        Outcome::Untried(next) => after.next = next,
    }
    Some(after)
}
