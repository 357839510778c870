//! What the disk and the kernel allow: the same writes, without a mail server around them.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

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
pub fn synced_files(threads: usize, time: Duration) -> Limit {
    let boxes = Boxes::new();
    measure(threads, time, |number| {
        let path = boxes.write(number, Sync::Each)?;
        File::open(path)?.sync_all()
    })
}

/// One log, written ahead to its full length, that all writers append to; one `fdatasync` for all that have come while the
/// last one ran. Then a file in a Maildir, which is not synced.
pub fn log_and_files(threads: usize, time: Duration) -> Limit {
    let boxes = Boxes::new();
    let log = Log::new(&boxes.folder.path().join("log")).expect("a log");
    measure(threads, time, |number| {
        log.append(&[b'x'; OCTETS])?;
        boxes.write(number, Sync::Never).map(drop)
    })
}

/// Calls `act`, each time with another number, on so many threads until the time is up.
fn measure(threads: usize, time: Duration, act: impl Fn(usize) -> io::Result<()> + std::marker::Sync) -> Limit {
    interrupt::check();
    let (count, begin, cpu) = (AtomicUsize::new(0), Instant::now(), cpu_seconds(process::id(), Children::Apart));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while begin.elapsed() < time {
                    act(count.fetch_add(1, Ordering::Relaxed)).expect("the disk takes it");
                }
            });
        }
    });
    let count = count.into_inner() as f64;
    let cpu = cpu_seconds(process::id(), Children::Apart) - cpu;
    Limit { rate: count / begin.elapsed().as_secs_f64(), cpu_millis: cpu * 1000.0 / count }
}

/// When a file of a message is synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sync {
    Each,
    Never,
}

/// Maildirs.
struct Boxes {
    folder: tempfile::TempDir,
}

impl Boxes {
    fn new() -> Self {
        let boxes = Self { folder: folder("restante-limits-") };
        for number in 0..BOXES {
            for part in ["tmp", "new"] {
                fs::create_dir_all(boxes.part(number, part)).expect("a folder");
            }
        }
        boxes
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
