//! The log: records appended in groups, one sync a group, in files of a fixed size that are used again and again.
//!
//! Owns the files `log/<number>`. Promises that [`Log::append`] returns when the disk has the whole group, and that a
//! segment is used again only when nobody needs its records: a [`Ticket`] keeps each of them needed until its message has
//! reached its mailboxes, and then a [checkpoint](Log::checkpoint) makes those durable. Refuses to know what is in a record
//! beyond [`record::Note`].

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::sys::{Disk, InPlace, Volume};

pub(crate) mod record;
pub(crate) mod scan;

use record::{Accepted, Era, Note};
use scan::{Contents, Found, Place};

/// What an operator may say about the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Octets of one segment: the largest record is a quarter of that.
    pub segment: u64,
    /// Octets of all segments together. When messages wait in all of them, the spool is full.
    pub total: u64,
}

/// Octets of a segment, where nothing speaks for another size.
pub const SEGMENT: u64 = 8 << 20;

/// Segments without use that are kept for the next one.
const SPARE: usize = 12;

/// A file of the log.
struct Slot {
    number: u64,
    file: Box<dyn InPlace>,
}

/// One use of a slot.
pub(crate) struct Segment {
    slot: Arc<Slot>,
    generation: u64,
    /// Records that are still needed.
    needed: AtomicUsize,
    /// A sync of the mailboxes has failed since: what they have of these records may never reach the disk, though it can be
    /// read, and a later sync does not tell.
    doubtful: AtomicBool,
}

impl Segment {
    fn new(slot: Arc<Slot>, generation: u64) -> Arc<Self> {
        Arc::new(Self { slot, generation, needed: AtomicUsize::new(0), doubtful: AtomicBool::new(false) })
    }

    /// Whether nobody needs its records any more.
    fn has_ended(&self) -> bool {
        self.needed.load(Ordering::Acquire) == 0 && !self.doubtful.load(Ordering::Acquire)
    }

    /// Its messages.
    fn left(self: &Arc<Self>, found: Vec<Found>, done: &HashSet<u64>, boot: u64) -> impl Iterator<Item = Left> {
        found.into_iter().map(move |found| Left {
            ticket: Ticket::new(self, found.place),
            id: found.id,
            done: done.contains(&found.id),
            same_boot: found.boot == boot,
        })
    }
}

/// Keeps a message's record in the log: dropped when the message has reached its mailboxes, or waits elsewhere.
pub(crate) struct Ticket {
    segment: Arc<Segment>,
    place: Place,
}

impl Ticket {
    fn new(segment: &Arc<Segment>, place: Place) -> Self {
        segment.needed.fetch_add(1, Ordering::AcqRel);
        Self { segment: Arc::clone(segment), place }
    }

    /// Reads the message back.
    pub(crate) fn message(&self) -> io::Result<(Accepted, Vec<u8>)> {
        scan::message(&*self.segment.slot.file, self.place)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // A panic does not tell how far its message has come: then the record stays, and the next start looks.
        if !std::thread::panicking() {
            self.segment.needed.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// A message that an earlier process has left in the log.
pub(crate) struct Left {
    /// Its record.
    pub ticket: Ticket,
    /// The message.
    pub id: u64,
    /// Whether it was said to be done.
    pub done: bool,
    /// Whether the machine has not been booted since.
    pub same_boot: bool,
}

/// What a record says, and its text, in parts.
pub(crate) type Payload<'a> = Vec<&'a [u8]>;

/// Whether what is written calls for a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counts {
    Yes,
    No,
}

/// The log of one spool.
pub(crate) struct Log {
    folder: PathBuf,
    disk: Arc<dyn Disk>,
    bounds: Bounds,
    boot: u64,
    /// Generations before this one are of earlier processes.
    first_generation: u64,
    writer: Mutex<Writer>,
    /// Messages that are done, for the next group to say so.
    done: Mutex<Vec<u64>>,
}

struct Writer {
    /// The segment that is being written, and how far.
    current: Option<(Arc<Segment>, u64)>,
    /// Segments that are full, or were given up, oldest first.
    sealed: BTreeMap<u64, Arc<Segment>>,
    free: Vec<Arc<Slot>>,
    /// Slots in existence.
    slots: u64,
    next_slot: u64,
    next_generation: u64,
    /// When the first record was written that no checkpoint covers, and octets since then.
    since: Option<Instant>,
    unsettled: u64,
    buffer: Vec<u8>,
}

impl Log {
    /// Opens the log, with the messages that an earlier process has left in it. Generations begin with `now` at least.
    pub(crate) fn open(folder: PathBuf, disk: Arc<dyn Disk>, bounds: Bounds, now: u64) -> io::Result<(Self, Vec<Left>)> {
        let boot = disk.boot()?;
        let mut writer = Writer {
            current: None,
            sealed: BTreeMap::new(),
            free: Vec::new(),
            slots: 0,
            next_slot: 1,
            next_generation: now,
            since: None,
            unsettled: 0,
            buffer: Vec::new(),
        };
        let mut used = Vec::new();
        for (name, _) in disk.list(&folder)? {
            let Ok(number) = name.parse::<u64>() else { continue };
            let slot = Arc::new(Slot { number, file: disk.open_in_place(&folder.join(&name), bounds.segment)? });
            writer.slots += 1;
            writer.next_slot = writer.next_slot.max(number + 1);
            match scan::contents(&*slot.file)? {
                None => writer.free.push(slot),
                Some(contents) => used.push((slot, contents)),
            }
        }
        let left = writer.take_up(used, boot);
        let first_generation = writer.next_generation;
        Ok((Self { folder, disk, bounds, boot, first_generation, writer: Mutex::new(writer), done: Mutex::default() }, left))
    }

    /// Whether a record with so much in it fits into a segment with others.
    pub(crate) fn takes(&self, payload: usize) -> bool {
        payload as u64 <= self.bounds.segment / 4
    }

    /// Writes a group of messages and waits until the disk has it. After a failure nothing of the group counts.
    pub(crate) fn append(&self, payloads: &[Payload<'_>]) -> io::Result<Vec<Ticket>> {
        self.group(payloads, Counts::Yes)
    }

    fn group(&self, payloads: &[Payload<'_>], counts: Counts) -> io::Result<Vec<Ticket>> {
        let mut writer = self.writer();
        let done = Note::Done(std::mem::take(&mut *held(&self.done)));
        let written = self.group_with(&mut writer, &done, payloads, counts);
        if let (Err(_), Note::Done(done)) = (&written, done) {
            // The next group says so.
            held(&self.done).extend(done);
        }
        written
    }

    fn group_with(&self, writer: &mut Writer, done: &Note, payloads: &[Payload<'_>], counts: Counts) -> io::Result<Vec<Ticket>> {
        let marks = if *done == Note::Done(Vec::new()) { None } else { record::said(done).ok() };
        let mut tickets = Vec::with_capacity(payloads.len());
        let mut left = payloads;
        let mut marks = marks.as_deref().map(|marks| [marks]);
        while marks.is_some() || !left.is_empty() {
            let (segment, at) = writer.segment(self)?;
            let mut buffer = std::mem::take(&mut writer.buffer);
            buffer.clear();
            buffer.reserve(marks.iter().map(|marks| record::octets(marks)).chain(left.iter().map(|one| record::octets(one))).sum());
            let era = Era { generation: segment.generation, boot: self.boot };
            let room = (self.bounds.segment - at) as usize;
            if let Some(marks) = marks.take_if(|marks| record::octets(marks) <= room) {
                record::write(era, &marks, &mut buffer);
            }
            while let Some((first, rest)) = left.split_first().filter(|(first, _)| buffer.len() + record::octets(first) <= room) {
                let place = Place { at: at + buffer.len() as u64, octets: record::octets(first) };
                record::write(era, first, &mut buffer);
                tickets.push(Ticket::new(&segment, place));
                left = rest;
            }
            let full = marks.is_some() || !left.is_empty();
            let written = self.write(&segment, at, &buffer);
            writer.wrote(&segment, at, buffer, counts, full || written.is_err());
            written?;
        }
        Ok(tickets)
    }

    fn write(&self, segment: &Segment, at: u64, buffer: &[u8]) -> io::Result<()> {
        if buffer.is_empty() {
            return Ok(());
        }
        segment.slot.file.write_at(buffer, at)?;
        segment.slot.file.sync()
    }

    /// These messages are done. It is written with the next group, and matters only until the next checkpoint.
    pub(crate) fn done(&self, id: u64) {
        held(&self.done).push(id);
    }

    /// How long records have waited for a checkpoint, and how many octets of them.
    pub(crate) fn unsettled(&self) -> (Option<Instant>, u64) {
        let writer = self.writer();
        (writer.since, writer.unsettled)
    }

    /// Makes everything durable that has reached the Maildirs, and takes back the segments that nobody needs then.
    pub(crate) fn checkpoint(&self, mail: &dyn Volume) -> io::Result<()> {
        let ended = self.writer().ended();
        if ended.is_empty() {
            return Ok(());
        }
        if let Err(error) = mail.sync() {
            let mut writer = self.writer();
            let current = writer.current.iter().map(|(segment, _)| segment);
            writer.sealed.values().chain(current).for_each(|segment| segment.doubtful.store(true, Ordering::Release));
            writer.since = Some(Instant::now());
            return Err(error);
        }
        let settled = {
            let mut writer = self.writer();
            for generation in ended {
                if let Some(segment) = writer.sealed.remove(&generation) {
                    writer.release(self, Arc::clone(&segment.slot))?;
                }
            }
            writer.oldest()
        };
        let said = record::said(&Note::Settled(settled)).map_err(io::Error::other)?;
        self.group(&[vec![&said]], Counts::No).map(drop)
    }

    /// Messages that lie in mailboxes which a sync has failed for, each once.
    pub(crate) fn doubtful(&self) -> io::Result<Vec<Left>> {
        let doubtful: Vec<Arc<Segment>> =
            self.writer().sealed.values().filter(|segment| segment.doubtful.load(Ordering::Acquire)).cloned().collect();
        let mut left = Vec::new();
        for segment in &doubtful {
            if let Some(contents) = scan::contents(&*segment.slot.file)? {
                left.extend(segment.left(contents.found, &HashSet::new(), self.boot));
            }
        }
        // Only now that all of them are in somebody's hands.
        doubtful.iter().for_each(|segment| segment.doubtful.store(false, Ordering::Release));
        Ok(left)
    }

    /// Whether it still has segments of an earlier process.
    pub(crate) fn is_inherited(&self) -> bool {
        self.writer().sealed.keys().next().is_some_and(|oldest| *oldest < self.first_generation)
    }

    /// Octets of segments that are in use.
    pub(crate) fn fill(&self) -> u64 {
        let writer = self.writer();
        writer.slots.saturating_sub(writer.free.len() as u64).saturating_mul(self.bounds.segment)
    }

    /// The most octets that it takes.
    pub(crate) fn bound(&self) -> u64 {
        self.bounds.total
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        held(&self.writer)
    }
}

impl Writer {
    /// Takes up the segments of an earlier process, and tells what is left in them.
    fn take_up(&mut self, used: Vec<(Arc<Slot>, Contents)>, boot: u64) -> Vec<Left> {
        let settled = used.iter().map(|(_, contents)| contents.settled).max().unwrap_or_default();
        let done: HashSet<u64> = used.iter().flat_map(|(_, contents)| contents.done.iter().copied()).collect();
        let mut left = Vec::new();
        for (slot, Contents { generation, found, .. }) in used {
            self.next_generation = self.next_generation.max(generation + 1);
            let segment = Segment::new(slot, generation);
            if generation >= settled {
                left.extend(segment.left(found, &done, boot));
            }
            self.sealed.insert(generation, segment);
        }
        self.since = (!self.sealed.is_empty()).then(Instant::now);
        left.sort_by_key(|left| left.id);
        left
    }

    /// The segment to write to, and where.
    fn segment(&mut self, log: &Log) -> io::Result<(Arc<Segment>, u64)> {
        if let Some((segment, at)) = &self.current {
            return Ok((Arc::clone(segment), *at));
        }
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if (self.slots + 1) * log.bounds.segment > log.bounds.total => {
                return Err(io::Error::new(io::ErrorKind::StorageFull, "the spool's log is full"));
            }
            None => {
                let number = self.next_slot;
                let file = log.disk.open_in_place(&log.folder.join(format!("{number:06}")), log.bounds.segment)?;
                self.slots += 1;
                self.next_slot += 1;
                Arc::new(Slot { number, file })
            }
        };
        let generation = self.next_generation;
        self.next_generation += 1;
        let segment = Segment::new(slot, generation);
        self.current = Some((Arc::clone(&segment), 0));
        Ok((segment, 0))
    }

    fn wrote(&mut self, segment: &Arc<Segment>, at: u64, buffer: Vec<u8>, counts: Counts, seal: bool) {
        if counts == Counts::Yes {
            self.since.get_or_insert_with(Instant::now);
            self.unsettled += buffer.len() as u64;
        }
        self.current = Some((Arc::clone(segment), at + buffer.len() as u64));
        if seal {
            self.seal();
        }
        // A buffer that one large group has grown is not kept for the small ones.
        self.buffer = if buffer.capacity() > BUFFER { Vec::new() } else { buffer };
    }

    /// Ends the segment that is being written; the generations that nobody needs from now on. The others are asked for again.
    fn ended(&mut self) -> Vec<u64> {
        self.seal();
        let ended: Vec<u64> = self.sealed.values().filter(|segment| segment.has_ended()).map(|segment| segment.generation).collect();
        self.since = (ended.len() < self.sealed.len()).then(Instant::now);
        self.unsettled = 0;
        ended
    }

    /// The oldest generation with records that may still be needed.
    fn oldest(&self) -> u64 {
        let current = self.current.as_ref().map_or(self.next_generation, |(segment, _)| segment.generation);
        self.sealed.keys().next().map_or(current, |sealed| current.min(*sealed))
    }

    fn seal(&mut self) {
        if let Some((segment, _)) = self.current.take_if(|(_, at)| *at > 0) {
            self.sealed.insert(segment.generation, segment);
        }
    }

    fn release(&mut self, log: &Log, slot: Arc<Slot>) -> io::Result<()> {
        if self.free.len() < SPARE {
            self.free.push(slot);
            return Ok(());
        }
        self.slots -= 1;
        log.disk.remove(&log.folder.join(format!("{:06}", slot.number)))
    }
}

/// Octets of a group's buffer that are kept for the next group: what a full group of [`super::group::GROUP`] takes.
const BUFFER: usize = 5 << 18;

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
