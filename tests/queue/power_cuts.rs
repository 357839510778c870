//! Power cuts: what the queue acknowledged is there, whatever the disk has made of the rest.
//!
//! The texts lie on a disk in memory that loses what was not synced. The records lie on a real one: of RocksDB's log, the part that was synced
//! is kept, and of the rest a part, or zeros in its place.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use restante::mail::QueueId;
use restante::spool::outgoing::{Outcome, Place, Queue, State};
use restante::sys::disk::Disk as _;

use super::power::{Fault, Memory};
use super::store::{Plain, at, attempt, message, to, whole};

/// Sequences of operations. Each has several lives.
const SEEDS: u64 = 40;

/// Power cuts of one queue.
const LIVES: usize = 3;

/// Operations of a life.
const OPERATIONS: usize = 25;

/// Octets that a disk writes whole or not at all.
const SECTOR: usize = 512;

const HEAD: &str = "Received: here\n";

/// Open recipients by message: how often each was tried, and whether it is held.
type Open = BTreeMap<u64, BTreeMap<u32, (u32, bool)>>;

/// The queue, and what has to be in it.
struct Bench {
    folder: tempfile::TempDir,
    disk: Memory,
    queue: Option<Arc<Queue>>,
    chance: StdRng,
    /// What was true since the last sync, the present state last: a power cut goes back to one of these.
    history: Vec<Open>,
    texts: BTreeMap<u64, String>,
    /// Octets of the log that the disk has for sure.
    synced: u64,
    next: u64,
}

impl Bench {
    fn new(seed: u64) -> Self {
        let mut bench = Self {
            folder: tempfile::tempdir().unwrap(),
            disk: Memory::default(),
            queue: None,
            chance: StdRng::seed_from_u64(seed),
            history: vec![Open::new()],
            texts: BTreeMap::new(),
            synced: 0,
            next: 1,
        };
        bench.open();
        bench
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("outgoing")
    }

    fn open(&mut self) {
        fs::create_dir_all(self.path()).unwrap();
        self.queue = Some(Arc::new(Queue::open(&self.path(), Arc::new(self.disk.clone())).unwrap()));
        self.synced = log(&self.path()).map_or(0, |log| fs::metadata(log).unwrap().len());
    }

    fn queue(&self) -> Arc<Queue> {
        Arc::clone(self.queue.as_ref().unwrap())
    }

    /// The names of the texts that are files, whether the power is on or not.
    fn files(&self) -> Vec<String> {
        let names = self.disk.files().into_keys().filter_map(|path| path.rsplit_once("/texts/").map(|(_, name)| name.to_owned()));
        names.collect()
    }

    /// Notes what is true now. `durable` tells whether the disk is said to have it, and all before.
    fn now(&mut self, open: Open, durable: bool) {
        if durable {
            self.history.clear();
            self.synced = log(&self.path()).map_or(0, |log| fs::metadata(log).unwrap().len());
        }
        self.history.push(open);
    }

    /// Does something. `acknowledged`: whether its answer counts, or the power goes before anybody has it.
    fn operate(&mut self, acknowledged: bool) -> std::io::Result<()> {
        let mut open = self.history.last().unwrap().clone();
        let queue = self.queue();
        let keys: Vec<u64> = open.keys().copied().collect();
        let chosen = if keys.is_empty() { None } else { Some(keys[self.chance.random_range(0..keys.len())]) };
        // A file is removed once its record is gone for good, so then the disk has it, whoever was told.
        let files = self.files();
        let durable = match (self.chance.random_range(0..10), chosen) {
            (0..=2, _) | (_, None) => {
                let (id, count) = (self.next, self.chance.random_range(1..4));
                self.next += 1;
                let lines = if self.chance.random_bool(0.4) { 30_000 } else { 3 };
                let text = format!("Subject: {id}\n\n{}", "a line of it\n".repeat(lines));
                let recipients = (0..count).map(|number| to(&format!("r{number}@h{}.example", id % 3), 0)).collect();
                let entry = queue.prepare(QueueId::new(id), message(0), recipients, HEAD, &Plain(text.clone().into()))?;
                let entered = queue.write(vec![entry])?;
                if self.chance.random_bool(0.2) {
                    // Refused after all: it is taken back.
                    drop(entered);
                } else {
                    entered.into_iter().for_each(|entered| entered.confirm(&[]));
                    self.texts.insert(id, format!("{HEAD}{text}"));
                    open.insert(id, (0..count).map(|number| (number, (0, false))).collect());
                }
                true
            }
            (3..=5, Some(id)) => {
                let seats = open.get_mut(&id).unwrap();
                let number = *seats.keys().next().unwrap();
                seats.remove(&number);
                let last = seats.is_empty();
                if last {
                    open.remove(&id);
                }
                // With a file, the end of the message is synced: its file must not go before.
                let is_file = queue.message(QueueId::new(id))?.unwrap().place == Place::File;
                queue.settle(QueueId::new(id), vec![(number, Outcome::Done)])?;
                last && is_file
            }
            (6, Some(id)) => {
                let (number, (tries, _)) = open.get_mut(&id).unwrap().iter_mut().next().unwrap();
                *tries += 1;
                let later = Outcome::Later { next: at(60), attempt: attempt(0, "450 busy"), delay_told: false };
                queue.settle(QueueId::new(id), vec![(*number, later)])?;
                false
            }
            (7, Some(id)) => {
                open.get_mut(&id).unwrap().values_mut().for_each(|(_, held)| *held = true);
                queue.hold(QueueId::new(id))?;
                true
            }
            (8, Some(id)) => {
                open.remove(&id);
                queue.cancel(QueueId::new(id))?;
                true
            }
            (_, Some(id)) => {
                let first = queue.extend(QueueId::new(id), &[to("more@h1.example", 0)])?.unwrap();
                open.get_mut(&id).unwrap().insert(first, (0, false));
                true
            }
        };
        let removed = files.iter().any(|file| !self.files().contains(file));
        self.now(open, durable && (acknowledged || removed));
        Ok(())
    }

    /// The power goes, and comes again.
    fn cut(&mut self, seed: u64) {
        let (path, after) = (self.path(), self.folder.path().join("after"));
        // RocksDB tidies up in the background: what was copied meanwhile does not fit together.
        loop {
            let before = listing(&path);
            fs::create_dir_all(&after).unwrap();
            let copied = before.keys().all(|name| fs::copy(path.join(name), after.join(name)).is_ok());
            if copied && listing(&path) == before {
                break;
            }
            fs::remove_dir_all(&after).unwrap();
        }
        if let Some(log) = log(&after) {
            let left = self.torn(fs::read(&log).unwrap());
            fs::write(&log, left).unwrap();
        }
        self.queue = None;
        fs::remove_dir_all(&path).unwrap();
        fs::rename(&after, &path).unwrap();
        self.disk.restart(seed);
        self.open();
    }

    /// What a disk may have of the log: the end is missing, or is zeros, or some of its sectors are.
    fn torn(&mut self, mut log: Vec<u8>) -> Vec<u8> {
        let (synced, len) = (self.synced as usize, log.len());
        match self.chance.random_range(0..3) {
            0 => log.truncate(self.chance.random_range(synced..=len)),
            1 => {
                log.truncate(self.chance.random_range(synced..=len));
                log.resize(log.len() + self.chance.random_range(1..9000), 0);
            }
            _ => {
                for sector in log[synced..].chunks_mut(SECTOR) {
                    if self.chance.random_bool(0.3) {
                        sector.fill(0);
                    }
                }
            }
        }
        log
    }

    /// What is there is what was there at some time since the last sync, with all of its texts, and no others.
    fn check(&mut self) {
        let queue = self.queue();
        let mut found = Open::new();
        let mut files = Vec::new();
        for listed in queue.page(QueueId::new(0), 1000, |_| true, |_| true).unwrap().messages {
            let id = listed.id.number();
            assert_eq!(listed.message.open as usize, listed.recipients.len());
            let text = queue.text(listed.id, &listed.message).unwrap();
            assert!(whole(&text) == self.texts[&id], "the text of {id} is another");
            if listed.message.place == Place::File {
                files.push(listed.id.to_string());
            }
            let seat = |(number, recipient): (u32, restante::spool::outgoing::Recipient)| {
                (number, (recipient.tries, recipient.state == State::Held))
            };
            found.insert(id, listed.recipients.into_iter().map(seat).collect());
        }
        assert!(self.history.contains(&found), "{found:?}\nis none of\n{:?}", self.history);
        assert_eq!(self.files(), files);
        let waiting = found.values().flat_map(|seats| seats.values()).filter(|(_, held)| !held).count() as u64;
        assert_eq!(queue.counts().unwrap().waiting, waiting);
        let due: usize = (0..3).map(|hop| queue.due(&hop_named(hop), None, at(9999), 1000).unwrap().len()).sum();
        assert_eq!(due as u64, waiting);
        self.history = vec![found];
    }

    fn live(&mut self, seed: u64) {
        if self.chance.random_bool(0.5) {
            let operations = self.chance.random_range(0..40);
            self.disk.fail(operations, Fault::PowerCut);
        }
        for operation in 0..OPERATIONS {
            let done = self.operate(operation + 1 < OPERATIONS);
            if done.is_err() || self.disk.list(Path::new("/")).is_err() {
                break;
            }
        }
        self.cut(seed);
        self.check();
    }
}

fn hop_named(number: u64) -> restante::spool::outgoing::Hop {
    restante::spool::outgoing::Hop::named(&format!("h{number}.example"))
}

/// Files and their sizes.
fn listing(folder: &Path) -> BTreeMap<OsString, u64> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
    files.map(|file| (file.file_name(), file.metadata().map_or(0, |data| data.len()))).collect()
}

/// RocksDB's log: the last one of those that are there.
fn log(folder: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "log")).max()
}

#[test]
fn what_was_acknowledged_outlives_a_power_cut() {
    for seed in 0..SEEDS {
        let mut bench = Bench::new(seed);
        for life in 0..LIVES {
            bench.live(seed * 100 + life as u64);
        }
    }
}
