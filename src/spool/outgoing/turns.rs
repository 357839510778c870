//! What comes next: hops by their turns, and what waits for each.

use std::io;

use jiff::Timestamp;
use rocksdb::WriteBatch;

use super::Queue;
use super::engine::Family;
use super::key::{self, Due, Hop, Seat, Turn, prefix};
use super::record::{self, Down, To};
use crate::mail::QueueId;

impl Queue {
    /// The turns from that time on that have come by now, up to `limit`, in order.
    pub fn turns(&self, from: Timestamp, now: Timestamp, limit: usize) -> io::Result<Vec<Turn>> {
        let turns = self.upcoming(from)?.take_while(|turn| turn.as_ref().map_or(true, |turn| turn.at <= now));
        turns.take(limit).collect()
    }

    /// When the first turn comes from that time on.
    pub fn next_turn(&self, from: Timestamp) -> io::Result<Option<Timestamp>> {
        self.upcoming(from)?.next().map(|turn| turn.map(|turn| turn.at)).transpose()
    }

    fn upcoming(&self, from: Timestamp) -> io::Result<impl Iterator<Item = io::Result<Turn>> + '_> {
        let rows = self.engine.rows(Family::Turns, &key::micros(from).to_be_bytes(), None)?;
        Ok(rows.map(|row| Turn::read(&row?.0).ok_or_else(|| io::ErrorKind::InvalidData.into())))
    }

    /// Ends turns, and asks for another one.
    pub fn end_turns(&self, done: &[Turn], next: Option<(&Hop, Timestamp)>) -> io::Result<()> {
        let mut batch = WriteBatch::default();
        for turn in done {
            self.engine.delete(&mut batch, Family::Turns, &turn.key())?;
        }
        if let Some((hop, at)) = next {
            self.engine.put(&mut batch, Family::Turns, &Turn { at, id: QueueId::new(0), hop: hop.clone() }.key(), &[])?;
        }
        self.write_soon(batch)
    }

    /// Who is due at a hop by `now`, after the one that was looked at last, up to `limit`. Undecided messages are left out.
    pub fn due(&self, hop: &Hop, after: Option<Due>, now: Timestamp, limit: usize) -> io::Result<Vec<Due>> {
        let undecided = self.undecided().clone();
        let dues = self.waiting(hop, after)?.take_while(|due| due.as_ref().map_or(true, |due| due.at <= now));
        dues.filter(|due| due.as_ref().map_or(true, |due| !undecided.contains(&due.seat.id))).take(limit).collect()
    }

    /// When the first recipient is due at a hop.
    pub fn first_due(&self, hop: &Hop) -> io::Result<Option<Timestamp>> {
        self.waiting(hop, None)?.next().map(|due| due.map(|due| due.at)).transpose()
    }

    fn waiting(&self, hop: &Hop, after: Option<Due>) -> io::Result<impl Iterator<Item = io::Result<Due>> + '_> {
        let (begin, mut end) = (prefix(hop), prefix(hop));
        // The next prefix in order: the mark behind the name is 0.
        if let Some(mark) = end.last_mut() {
            *mark = 1;
        }
        let from = after.map_or(begin, |due| {
            let mut key = due.key(hop);
            key.push(0);
            key
        });
        let rows = self.engine.rows(Family::Due, &from, Some(end))?;
        Ok(rows.map(|row| Due::read(&row?.0).ok_or_else(|| io::ErrorKind::InvalidData.into())))
    }

    /// Since when a hop is down, if it is.
    pub fn down(&self, hop: &Hop) -> io::Result<Option<Down>> {
        self.engine.get(Family::Hops, hop.as_str().as_bytes())?.map(|bytes| record::read(&bytes)).transpose()
    }

    /// Notes that a hop is down, or that it is not.
    pub fn set_down(&self, hop: &Hop, down: Option<&Down>) -> io::Result<()> {
        let mut batch = WriteBatch::default();
        let key = hop.as_str().as_bytes();
        match down {
            Some(down) => self.engine.put(&mut batch, Family::Hops, key, &record::write(down)?)?,
            None => self.engine.delete(&mut batch, Family::Hops, key)?,
        }
        self.write_soon(batch)
    }

    /// Moves a recipient to the hop where it belongs by now, where that is another one; its turn comes at once.
    pub fn file_anew(&self, seat: Seat) -> io::Result<bool> {
        let filing = self.filing();
        let _alone = self.alone(seat.id);
        let Some(before) = self.recipient(seat)? else { return Ok(false) };
        let To::Mailbox(mailbox) = &before.to else { return Ok(false) };
        let hop = Hop::of(mailbox, filing);
        if hop == before.hop {
            return Ok(false);
        }
        let after = record::Recipient { hop, ..before.clone() };
        let mut batch = WriteBatch::default();
        self.reseat(&mut batch, seat, &before, &after)?;
        self.engine.put(&mut batch, Family::Turns, &Turn { at: after.next, id: seat.id, hop: after.hop.clone() }.key(), &[])?;
        self.write_soon(batch)?;
        Ok(true)
    }
}
