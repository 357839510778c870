//! The delivery log: what became of each recipient of each message, searchable for some days.
//!
//! Owns the rows: one for each recipient that was accepted or refused, and one for each later outcome of it. Promises that
//! no row of a message is left out (when rows come faster than they can be written, whoever brings them waits), that
//! delivery pays no sync for them, and that keeping them within their age and size costs no search: the oldest hours are cut
//! off whole. Refuses to know who may see a row: that is `admin`'s.
//!
//! # What survives what
//!
//! A row is handed to one thread, which writes what has gathered, at most [`GATHERING`] after it came. An orderly stop writes
//! all of them. `kill -9` loses rows that were not written yet; what was written lies with the system, and only a power cut
//! can take some seconds of it. The mail itself does not depend on any of this.
//!
//! Reading order: [`row`], [`schema`] (how rows lie in the store, and under which words they are found), [`store`] (the engine, and
//! what is cut off), [`writer`], [`search`].
//!
//! [`GATHERING`]: writer::GATHERING

mod row;
mod schema;
mod search;
mod store;
mod writer;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::time;

pub use row::{Provenance, Row, Status};
pub use search::{Found, Query};
pub use store::Unreadable;

use self::store::Store;

/// Rows that may wait to be written: some MiB, a second of full load.
const WAITING: usize = 16 * 1024;

/// How long whoever brings a row waits for its place. Only a disk that does not answer takes longer, and mail goes first.
const PATIENCE: Duration = Duration::from_secs(10);

/// Refusals at RCPT that are kept in a second. A flood of them is counted, and one line of it is as good as the next.
const REFUSALS_A_SECOND: u64 = 500;

/// What an operator may say about the delivery log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where it lies.
    pub folder: PathBuf,
    /// How long rows are kept.
    pub retention: Duration,
    /// Octets on disk, about.
    pub max_size: u64,
}

/// The delivery log of one server. Dropped, it writes what it was given.
pub struct Ledger {
    store: Arc<Store>,
    /// None where nothing is written: in commands without a server.
    inbox: Option<mpsc::Sender<Row>>,
    writer: Option<JoinHandle<()>>,
    written: watch::Receiver<u64>,
    refusals: Mutex<(Instant, u64)>,
    counts: Arc<Counts>,
}

/// How the log is doing, since the server began.
#[derive(Debug, Default)]
pub struct Counts {
    /// Rows taken.
    pub taken: AtomicU64,
    /// Rows written.
    pub rows: AtomicU64,
    /// Rows that had to wait for a place.
    pub waits: AtomicU64,
    /// Microseconds that they waited.
    pub waited: AtomicU64,
    /// Rows that a disk that does not answer has cost.
    pub lost: AtomicU64,
    /// Refusals at RCPT that were over the bound, and counted only.
    pub omitted: AtomicU64,
}

impl Ledger {
    /// Opens the log and begins to write.
    pub fn open(settings: Settings) -> Result<Self, Unreadable> {
        let store = Arc::new(Store::new(settings));
        let last = store.last()?;
        let (inbox, rows) = mpsc::channel(WAITING);
        let (told, written) = watch::channel(last);
        let counts = Arc::<Counts>::default();
        let writer = writer::start(Arc::clone(&store), rows, told, Arc::clone(&counts)).map_err(|error| Unreadable(error.to_string()))?;
        Ok(Self { store, inbox: Some(inbox), writer: Some(writer), written, refusals: Mutex::new((Instant::now(), 0)), counts })
    }

    /// The log of a server that does not run: it can be searched. Nothing is opened before the first search.
    pub fn unattended(settings: Settings) -> Self {
        let (_, written) = watch::channel(0);
        let store = Arc::new(Store::new(settings));
        Self { store, inbox: None, writer: None, written, refusals: Mutex::new((Instant::now(), 0)), counts: Arc::default() }
    }

    /// Takes rows of a message. Waits while too many wait to be written.
    pub async fn note(&self, rows: Vec<Row>) {
        let Some(inbox) = &self.inbox else { return };
        for row in rows {
            self.counts.taken.fetch_add(1, Ordering::Relaxed);
            let Err(mpsc::error::TrySendError::Full(row)) = inbox.try_send(row) else { continue };
            let begun = Instant::now();
            if time::timeout(PATIENCE, inbox.send(row)).await.is_err() {
                self.counts.taken.fetch_sub(1, Ordering::Relaxed);
                self.counts.lost.fetch_add(1, Ordering::Relaxed);
            }
            self.waited(begun);
        }
    }

    /// Takes a recipient that was refused at RCPT: at a bounded rate, and never waiting.
    pub fn note_refused(&self, row: impl FnOnce() -> Row) {
        let room = self.has_room_for_refusal();
        let taken = room && self.inbox.as_ref().is_some_and(|inbox| inbox.try_send(row()).is_ok());
        let counted = if taken { &self.counts.taken } else { &self.counts.omitted };
        counted.fetch_add(1, Ordering::Relaxed);
    }

    fn has_room_for_refusal(&self) -> bool {
        let mut held = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) = &mut *held;
        if since.elapsed() >= Duration::from_secs(1) {
            (*since, *count) = (Instant::now(), 0);
        }
        *count += 1;
        *count <= REFUSALS_A_SECOND
    }

    fn waited(&self, begun: Instant) {
        self.counts.waits.fetch_add(1, Ordering::Relaxed);
        self.counts.waited.fetch_add(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Waits until everything that was taken has been written, for a while.
    pub async fn flush(&self) {
        let mut written = self.written.clone();
        let all = written.wait_for(|_| self.counts.rows.load(Ordering::Relaxed) >= self.counts.taken.load(Ordering::Relaxed));
        // A disk that does not answer has been told of.
        let _ = time::timeout(PATIENCE, all).await;
    }

    /// Rows that wait to be written.
    pub fn waiting(&self) -> usize {
        self.inbox.as_ref().map_or(0, |inbox| inbox.max_capacity() - inbox.capacity())
    }

    /// How it is doing.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Octets on disk, about.
    pub fn octets(&self) -> u64 {
        self.store.octets().unwrap_or_default()
    }

    /// Cuts off what is too old, and the oldest while there is too much.
    pub fn cut(&self, now: jiff::Timestamp) -> Result<(), Unreadable> {
        self.store.cut(now)
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        // The writer ends when it has written what came before this.
        self.inbox = None;
        if let Some(writer) = self.writer.take() {
            // A panic of the writer has been told of by itself.
            let _ = writer.join();
        }
    }
}
