//! What the disk and the kernel allow: the same writes, without a mail server around them.

use std::fs::{self, File};
use std::io::{self, Write};
use std::marker;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rocksdb::{DB, Options, WriteOptions};
use tempfile::TempDir;

use crate::load::disk::{remove, settle};
use crate::load::group::{Children, cpu_seconds};
use crate::load::{BOXES, interrupt};
use crate::world::folder;

/// Writers at a time.
pub const THREADS: [usize; 3] = [1, 16, 64];

/// Text of one message.
const OCTETS: usize = 4096;

/// The log is written from the start again when it is full.
const LOG: u64 = 64 << 20;

/// Messages a second, and what they cost.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// Messages a second.
    pub rate: f64,
    /// Processor time of one, in milliseconds.
    pub cpu_millis: f64,
}

/// Create, write, `fsync`, rename, `fsync` of the directory, for each message: what a Maildir asks for by itself.
pub fn synced_files(boxes: &Boxes, threads: usize, time: Duration) -> Limit {
    boxes.measure(threads, time, |number| {
        let path = boxes.write(number, Sync::Each)?;
        File::open(path)?.sync_all()
    })
}

/// One log, written ahead to its full length, that all writers append to; one `fdatasync` for all that have come while the
/// last one ran. Then a file in a Maildir, which is not synced.
pub fn log_and_files(boxes: &Boxes, threads: usize, time: Duration) -> Limit {
    boxes.measure(threads, time, |number| {
        boxes.log.append(&[b'x'; OCTETS])?;
        boxes.write(number, Sync::Never).map(drop)
    })
}

/// RocksDB as the log: its own group commit into log files that are used again, and entries that are deleted before they leave memory.
pub fn engine_and_files(boxes: &Boxes, threads: usize, time: Duration) -> Limit {
    let mut synced = WriteOptions::new();
    synced.set_sync(true);
    boxes.measure(threads, time, |number| {
        let key = number.to_be_bytes();
        boxes.engine.put_opt(key, [b'x'; OCTETS], &synced).map_err(io::Error::other)?;
        boxes.write(number, Sync::Never)?;
        boxes.engine.delete(key).map_err(io::Error::other)
    })
}

/// When a file of a message is synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sync {
    Each,
    Never,
}

/// Maildirs, and logs beside them.
pub struct Boxes {
    log: Log,
    engine: DB,
    folder: TempDir,
    /// The number of the next message: those of earlier measurements stay, as no server's mail goes at once either.
    next: AtomicUsize,
}

impl Boxes {
    /// Empty ones.
    pub fn new() -> Self {
        let folder = folder("restante-limits-");
        let log = Log::new(&folder.path().join("log")).expect("a log");
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_recycle_log_file_num(4);
        let engine = DB::open(&options, folder.path().join("engine")).expect("an engine");
        let boxes = Self { log, engine, folder, next: AtomicUsize::new(0) };
        for part in ["tmp", "new"] {
            boxes.parts(part).iter().for_each(|path| fs::create_dir_all(path).expect("a folder"));
        }
        boxes
    }

    /// Calls `act`, each time with another number, on so many threads until the time is up.
    fn measure(&self, threads: usize, time: Duration, act: impl Fn(usize) -> io::Result<()> + marker::Sync) -> Limit {
        interrupt::check();
        let (count, begin, cpu) = (AtomicUsize::new(0), Instant::now(), cpu_seconds(process::id(), Children::Apart));
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while begin.elapsed() < time {
                        act(self.next.fetch_add(1, Ordering::Relaxed)).expect("the disk takes it");
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        let (count, seconds) = (count.into_inner() as f64, begin.elapsed().as_secs_f64());
        let cpu = cpu_seconds(process::id(), Children::Apart) - cpu;
        settle(self.folder.path());
        Limit { rate: count / seconds, cpu_millis: cpu * 1000.0 / count }
    }

    fn parts(&self, part: &str) -> Vec<PathBuf> {
        (0..BOXES).map(|number| self.part(number, part)).collect()
    }

    fn part(&self, number: usize, part: &str) -> PathBuf {
        self.folder.path().join((number % BOXES).to_string()).join(part)
    }

    /// Writes a message; the folder that it came to lie in.
    fn write(&self, number: usize, sync: Sync) -> io::Result<PathBuf> {
        let (name, new) = (number.to_string(), self.part(number, "new"));
        let draft = self.part(number, "tmp").join(&name);
        let mut file = File::create_new(&draft)?;
        file.write_all(&[b'x'; OCTETS])?;
        if sync == Sync::Each {
            file.sync_all()?;
        }
        fs::rename(draft, new.join(name))?;
        Ok(new)
    }
}

impl Drop for Boxes {
    fn drop(&mut self) {
        remove(&(0..BOXES).map(|number| self.folder.path().join(number.to_string())).collect::<Vec<_>>());
    }
}

/// A log with group commit.
struct Log {
    file: File,
    state: Mutex<State>,
    synced: Condvar,
}

struct State {
    /// What the next group will write.
    gathered: Vec<u8>,
    /// The number of that group.
    group: u64,
    /// The last group that the disk has.
    safe: u64,
    /// Where in the file the next group goes.
    position: u64,
    /// Whether somebody writes a group.
    writing: bool,
}

impl Log {
    fn new(path: &Path) -> io::Result<Self> {
        let mut file = File::create_new(path)?;
        // Zeros that were written, and not just reserved: else each sync would also have to record that they are in use.
        for _ in 0..LOG >> 20 {
            file.write_all(&[0; 1 << 20])?;
        }
        file.sync_all()?;
        let state = State { gathered: Vec::new(), group: 1, safe: 0, position: 0, writing: false };
        Ok(Self { file, state: Mutex::new(state), synced: Condvar::new() })
    }

    /// Returns when the disk has it. Whoever comes while nobody writes does so for all that have come.
    fn append(&self, text: &[u8]) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.gathered.extend_from_slice(text);
        let mine = state.group;
        while state.safe < mine {
            if state.writing {
                state = self.synced.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let gathered = std::mem::take(&mut state.gathered);
            let (group, position) = (state.group, state.position);
            state.writing = true;
            state.group += 1;
            state.position = (position + gathered.len() as u64) % (LOG / 2);
            drop(state);
            self.file.write_all_at(&gathered, position)?;
            self.file.sync_data()?;
            state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.writing = false;
            state.safe = group;
            self.synced.notify_all();
        }
        Ok(())
    }
}
