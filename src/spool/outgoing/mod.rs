//! The queue: recipients elsewhere, durable until each has been dealt with.
//!
//! Owns which recipients of which messages are still open, when each is tried next, and what has been tried. Promises that a
//! message is there whole or not at all ([`Queue::write`] is one synced batch), that nothing of the queue is held in memory, and
//! that what comes next is found by a seek, however much waits. Refuses to know how mail is sent, and when an attempt is due after
//! the first: that is the relay's.
//!
//! A recipient that has been dealt with is removed without waiting for the disk: a crash of the process loses none of that, a power
//! cut may bring back those of the last second, and their mail is sent twice.
//!
//! # How the next recipient is found
//!
//! `due` has each waiting recipient under its [`Hop`], by time. `turns` says which hops to look at, and when: every message
//! asks for a look at each of its hops, in the batch that brings it. Whoever works on a hop removes the turns it has seen, and
//! leaves one for what is left, so that no hop is forgotten.
//!
//! Reading order: [`key`], [`record`], `engine`, [`text`], [`entry`] (in), [`turns`] (what comes next), [`settle`] (out), [`postings`] (lists),
//! [`operate`] (what an operator may do), [`listing`].

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rocksdb::WriteBatch;
use tokio::sync::Notify;

use crate::mail::QueueId;
use crate::sys::Disk;
use crate::sys::disk::make_folders;

mod engine;
pub mod entry;
pub mod key;
pub mod listing;
pub mod operate;
pub mod postings;
pub mod record;
pub mod settle;
pub mod text;
pub mod turns;

use engine::{Durable, Engine, Family, Row};

pub use entry::{Entered, Entry};
pub use key::{Due, Filing, Hop, Seat, Turn};
pub use record::{Attempt, Down, Kind, Message, Place, Progress, Recipient, State, To};
pub use settle::Outcome;
pub use text::Kept;

/// Changes to one message wait for each other, and not for those to others.
const STRIPES: usize = 64;

/// What was written and not synced is synced after so long.
const SYNC: Duration = Duration::from_secs(1);

/// The queue of one spool.
pub struct Queue {
    engine: Engine,
    texts: PathBuf,
    disk: Arc<dyn Disk>,
    stripes: [Mutex<()>; STRIPES],
    /// Messages whose acceptance is not decided yet: nobody looks at them.
    undecided: Mutex<HashSet<QueueId>>,
    filing: Mutex<Filing>,
    /// Since when something waits for a sync.
    unsynced: Mutex<Option<Instant>>,
    news: Notify,
    lists: Notify,
}

impl Queue {
    /// Opens the queue in `folder`, making it where there is none.
    pub fn open(folder: &Path, disk: Arc<dyn Disk>) -> io::Result<Self> {
        let texts = folder.join("texts");
        make_folders(&*disk, &texts)?;
        let queue = Self {
            engine: Engine::open(folder)?,
            texts,
            disk,
            stripes: std::array::from_fn(|_| Mutex::default()),
            undecided: Mutex::default(),
            filing: Mutex::new(Filing::Domains),
            unsynced: Mutex::default(),
            news: Notify::new(),
            lists: Notify::new(),
        };
        queue.remove_orphans()?;
        Ok(queue)
    }

    /// Whether its database is there.
    pub fn is_made(&self) -> bool {
        self.engine.is_made()
    }

    /// Makes its database, where it is not there yet. Blocks.
    pub fn make(&self) -> io::Result<()> {
        self.engine.make()
    }

    /// How recipients are divided into hops from now on.
    pub fn file_by(&self, filing: Filing) {
        *self.filing.lock().unwrap_or_else(PoisonError::into_inner) = filing;
    }

    /// How recipients are divided into hops.
    pub fn filing(&self) -> Filing {
        *self.filing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there may be something to do that nobody has been told of.
    pub async fn news(&self) {
        self.news.notified().await;
    }

    /// The same for mail to lists.
    pub async fn list_news(&self) {
        self.lists.notified().await;
    }

    /// The newest message, so that no other gets its id.
    pub fn newest(&self) -> io::Result<Option<QueueId>> {
        Ok(self.engine.last(Family::Messages)?.and_then(|key| key::u64_of(&key)).map(QueueId::new))
    }

    /// A message, while one of its recipients is open.
    pub fn message(&self, id: QueueId) -> io::Result<Option<Message>> {
        self.engine.get(Family::Messages, &id.number().to_be_bytes())?.map(|bytes| record::read(&bytes)).transpose()
    }

    /// A recipient, while it is open.
    pub fn recipient(&self, seat: Seat) -> io::Result<Option<Recipient>> {
        self.engine.get(Family::Recipients, &seat.key())?.map(|bytes| record::read(&bytes)).transpose()
    }

    /// The open recipients of a message, up to `limit`.
    pub fn recipients(&self, id: QueueId, from: u32, limit: usize) -> io::Result<Vec<(u32, Recipient)>> {
        let begin = Seat { id, number: from }.key();
        let end = id.number().checked_add(1).map(|next| next.to_be_bytes().to_vec());
        let row = |row: io::Result<Row>| {
            let (key, value) = row?;
            let seat = Seat::read(&key).ok_or(io::ErrorKind::InvalidData)?;
            Ok((seat.number, record::read(&value)?))
        };
        self.engine.rows(Family::Recipients, &begin, end)?.take(limit).map(row).collect()
    }

    /// Waits until the disk has everything, if something has waited for that long enough.
    pub fn sync_when_due(&self) -> io::Result<()> {
        let due = self.unsynced().is_some_and(|since| since.elapsed() >= SYNC);
        if due { self.sync() } else { Ok(()) }
    }

    /// Waits until the disk has everything.
    pub fn sync(&self) -> io::Result<()> {
        let since = self.unsynced().take();
        self.engine.sync().inspect_err(|_| {
            let mut unsynced = self.unsynced();
            *unsynced = unsynced.or(since);
        })
    }

    fn unsynced(&self) -> MutexGuard<'_, Option<Instant>> {
        self.unsynced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes without waiting for the disk.
    fn write_soon(&self, batch: WriteBatch) -> io::Result<()> {
        if !batch.is_empty() {
            self.engine.write(batch, Durable::Soon)?;
            self.unsynced().get_or_insert_with(Instant::now);
        }
        Ok(())
    }

    /// Nobody else changes the message meanwhile.
    fn alone(&self, id: QueueId) -> MutexGuard<'_, ()> {
        let stripe = usize::try_from(id.number() % STRIPES as u64).unwrap_or_default();
        let [first, ..] = &self.stripes;
        self.stripes.get(stripe).unwrap_or(first).lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn undecided(&self) -> MutexGuard<'_, HashSet<QueueId>> {
        self.undecided.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is counted.
fn counted(state: State) -> &'static [u8] {
    match state {
        State::Waiting => b"\0waiting",
        State::Held => b"\0held",
    }
}
