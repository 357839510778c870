//! Mail for lists: what is due, and how it becomes mail for members.

use std::io;

use jiff::Timestamp;
use rocksdb::WriteBatch;

use super::Queue;
use super::engine::{Durable, Family};
use super::key::{Due, Hop, LISTS, Seat};
use super::record::{self, Recipient};

impl Queue {
    /// Mail for lists that is due by now, up to `limit`.
    pub fn postings_due(&self, now: Timestamp, limit: usize) -> io::Result<Vec<Seat>> {
        let undecided = self.undecided().clone();
        let mut seats = Vec::new();
        for (begin, end) in LISTS {
            for row in self.engine.rows(Family::Due, begin, Some(end.to_vec()))? {
                let due = Due::read(&row?.0).ok_or(io::ErrorKind::InvalidData)?;
                if due.at <= now && !undecided.contains(&due.seat.id) {
                    seats.push(due.seat);
                }
                if seats.len() == limit {
                    return Ok(seats);
                }
            }
        }
        Ok(seats)
    }

    /// Mail that waits for the owner of a list, the one that runs out first first, after one that was seen last.
    pub fn postings_held(&self, hop: &Hop, after: Option<Seat>, limit: usize) -> io::Result<Vec<(Seat, Recipient)>> {
        let mut found = Vec::new();
        let mut begun = after.is_none();
        for due in self.due(hop, None, Timestamp::MAX, usize::MAX)? {
            if begun && let Some(recipient) = self.recipient(due.seat)? {
                found.push((due.seat, recipient));
            }
            begun |= Some(due.seat) == after;
            if found.len() == limit {
                break;
            }
        }
        Ok(found)
    }

    /// One step of a posting, whole and durable or not at all: the recipient for the list as it is from now on (none: it is done
    /// with), and the recipients that it has become. The text is there once for all of them. Nothing happens if somebody has
    /// removed it, or changed it since it was read.
    pub fn advance(&self, seat: Seat, seen: &Recipient, after: Option<&Recipient>, more: &[Recipient]) -> io::Result<bool> {
        let alone = self.alone(seat.id);
        let (Some(mut message), Some(before)) = (self.message(seat.id)?, self.recipient(seat)?) else { return Ok(false) };
        if before != *seen {
            return Ok(false);
        }
        let (first, count) = (message.total, u32::try_from(more.len()).unwrap_or(u32::MAX));
        message.total = message.total.saturating_add(count);
        message.open = message.open.saturating_add(count);
        let mut batch = WriteBatch::default();
        self.seat(&mut batch, seat.id, first, more)?;
        if let Some(after) = after {
            self.reseat(&mut batch, seat, &before, after)?;
        }
        // A message goes with its last recipient, which is a step of its own.
        let last = after.is_none() && message.open == 1;
        if after.is_none() && !last {
            self.unseat(&mut batch, seat, &before)?;
            message.open -= 1;
        }
        self.engine.put(&mut batch, Family::Messages, &seat.id.number().to_be_bytes(), &record::write(&message)?)?;
        self.engine.write(batch, Durable::Now)?;
        drop(alone);
        if last {
            self.remove(seat.id, &[seat.number], Durable::Now)?;
        }
        self.tell();
        Ok(true)
    }
}
