//! The way in: messages, each whole or not at all.

use std::collections::BTreeSet;
use std::io::{self, Read as _};
use std::sync::{Arc, PoisonError};

use rocksdb::WriteBatch;

use super::engine::{Durable, Family};
use super::key::{Due, Seat, Turn};
use super::record::{self, Message, Place, Recipient, State};
use super::{Queue, counted};
use crate::mail::QueueId;
use crate::maildir::Text;
use crate::telemetry::Event;

/// A message that is about to enter the queue.
pub struct Entry {
    /// Its id.
    pub id: QueueId,
    /// What is known of it. Its counts of recipients and the place and size of its text are filled in.
    pub message: Message,
    /// Its recipients.
    pub recipients: Vec<Recipient>,
    /// Whether somebody has still to decide whether it stays: until then nobody looks at it.
    pub undecided: bool,
    text: Option<Vec<u8>>,
}

impl Entry {
    /// Octets that it takes in a batch.
    pub(in crate::spool) fn octets(&self) -> usize {
        self.text.as_ref().map_or(0, Vec::len)
    }
}

/// A message that has entered. Dropped before it is [confirmed](Entered::confirm), it is taken back.
#[must_use]
pub struct Entered {
    queue: Arc<Queue>,
    id: QueueId,
    confirmed: bool,
}

impl Entered {
    /// It stays, apart from the recipients of these numbers.
    pub fn confirm(mut self, without: &[u32]) {
        self.confirmed = true;
        if !without.is_empty()
            && let Err(error) = self.queue.remove(self.id, without, Durable::Soon)
        {
            Event::CopyNotTakenBack { id: self.id, cause: &error.to_string() }.say();
        }
        self.queue.undecided().remove(&self.id);
        self.queue.tell();
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if self.confirmed {
            return;
        }
        let gone = self.queue.forget(self.id, Durable::Now);
        self.queue.undecided().remove(&self.id);
        if let Err(error) = gone {
            Event::CopyNotTakenBack { id: self.id, cause: &error.to_string() }.say();
            self.queue.tell();
        }
    }
}

impl Queue {
    /// Prepares a message whose text is `head` and then `text`. A large text is on the disk when this returns.
    pub fn prepare(&self, id: QueueId, mut message: Message, recipients: Vec<Recipient>, head: &str, text: &dyn Text) -> io::Result<Entry> {
        message.octets = text.len() + head.len() as u64;
        message.lines = text.lines() + memchr::memchr_iter(b'\n', head.as_bytes()).count() as u64;
        message.total = u32::try_from(recipients.len()).unwrap_or(u32::MAX);
        message.open = message.total;
        let mut whole = head.as_bytes().chain(text.read()?);
        let row = if Self::takes(message.octets) {
            message.place = Place::Row;
            let mut row = Vec::with_capacity(usize::try_from(message.octets).unwrap_or_default());
            whole.read_to_end(&mut row)?;
            Some(row)
        } else {
            message.place = Place::File;
            self.write_file(id, &mut whole)?;
            None
        };
        Ok(Entry { id, message, recipients, undecided: false, text: row })
    }

    /// Writes messages with one sync for all of them: when this returns, the disk has them.
    pub fn write(self: &Arc<Self>, entries: Vec<Entry>) -> io::Result<Vec<Entered>> {
        let undecided = entries.iter().filter(|entry| entry.undecided).map(|entry| entry.id);
        self.undecided.lock().unwrap_or_else(PoisonError::into_inner).extend(undecided);
        let mut batch = WriteBatch::default();
        let written =
            entries.iter().try_for_each(|entry| self.enter(&mut batch, entry)).and_then(|()| self.engine.write(batch, Durable::Now));
        if let Err(error) = written {
            for entry in &entries {
                self.undecided().remove(&entry.id);
                self.discard(entry);
            }
            return Err(error);
        }
        Ok(entries.into_iter().map(|entry| Entered { queue: Arc::clone(self), id: entry.id, confirmed: false }).collect())
    }

    /// Leaves nothing of a message that was prepared and not written.
    pub fn discard(&self, entry: &Entry) {
        if entry.message.place == Place::File {
            // What cannot be removed now is removed at the next start.
            let _ = self.disk.remove(&self.file(entry.id));
        }
    }

    fn enter(&self, batch: &mut WriteBatch, entry: &Entry) -> io::Result<()> {
        let id = entry.id.number().to_be_bytes();
        self.engine.put(batch, Family::Messages, &id, &record::write(&entry.message)?)?;
        if let Some(text) = &entry.text {
            self.engine.put(batch, Family::Texts, &id, text)?;
        }
        self.seat(batch, entry.id, 0, &entry.recipients)
    }

    /// Adds recipients, the first under that number, and a turn for each of their hops.
    pub(super) fn seat(&self, batch: &mut WriteBatch, id: QueueId, first: u32, recipients: &[Recipient]) -> io::Result<()> {
        let mut turns = BTreeSet::new();
        for (number, recipient) in (first..).zip(recipients) {
            let seat = Seat { id, number };
            self.engine.put(batch, Family::Recipients, &seat.key(), &record::write(recipient)?)?;
            self.count(batch, recipient, 1)?;
            if recipient.state == State::Waiting {
                self.engine.put(batch, Family::Due, &Due { at: recipient.next, seat }.key(&recipient.hop), &[])?;
                turns.insert(Turn { at: recipient.next, id, hop: recipient.hop.clone() });
            }
        }
        for turn in turns.iter().filter(|turn| !turn.hop.is_list()) {
            self.engine.put(batch, Family::Turns, &turn.key(), &[])?;
        }
        Ok(())
    }

    /// Adds recipients to a message that is in the queue, durably: its text is there once for all of them. None if the message is
    /// not there any more; else the number of the first.
    pub fn extend(&self, id: QueueId, recipients: &[Recipient]) -> io::Result<Option<u32>> {
        let alone = self.alone(id);
        let Some(mut message) = self.message(id)? else { return Ok(None) };
        let (first, more) = (message.total, u32::try_from(recipients.len()).unwrap_or(u32::MAX));
        message.total = message.total.saturating_add(more);
        message.open = message.open.saturating_add(more);
        let mut batch = WriteBatch::default();
        self.engine.put(&mut batch, Family::Messages, &id.number().to_be_bytes(), &record::write(&message)?)?;
        self.seat(&mut batch, id, first, recipients)?;
        self.engine.write(batch, Durable::Now)?;
        drop(alone);
        self.tell();
        Ok(Some(first))
    }

    /// Counts a recipient in, or out.
    pub(super) fn count(&self, batch: &mut WriteBatch, recipient: &Recipient, by: i64) -> io::Result<()> {
        self.engine.add(batch, counted(recipient.state), by)?;
        self.engine.add(batch, recipient.hop.as_str().as_bytes(), by)
    }

    pub(super) fn tell(&self) {
        self.news.notify_one();
        self.lists.notify_one();
    }
}
