//! The thread that writes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use super::store::Store;
use super::{Counts, Row};
use crate::telemetry::Event;

/// How long rows gather after a write: under load, many share the cost of the next one.
pub const GATHERING: Duration = Duration::from_millis(20);

/// Rows of one write.
const BATCH: usize = 4096;

/// How long to wait after a write that failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Begins to write what comes. It ends when everything has been written and nobody is left who could bring more.
pub(super) fn start(
    store: Arc<Store>,
    mut rows: mpsc::Receiver<Row>,
    written: watch::Sender<u64>,
    counts: Arc<Counts>,
) -> io::Result<JoinHandle<()>> {
    let work = move || {
        let mut batch = Vec::with_capacity(BATCH);
        while rows.blocking_recv_many(&mut batch, BATCH) > 0 {
            let last = number(&mut batch, *written.borrow());
            write(&store, &batch, &rows);
            counts.rows.fetch_add(batch.len() as u64, Ordering::Relaxed);
            written.send_replace(last);
            if batch.len() < BATCH && !rows.is_closed() {
                thread::sleep(GATHERING);
            }
            batch.clear();
        }
    };
    thread::Builder::new().name("ledger".into()).spawn(work)
}

/// Gives rows their numbers: the time, and in any case more than the last one.
fn number(rows: &mut [Row], last: u64) -> u64 {
    let now = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or_default();
    rows.iter_mut().fold(last, |last, row| {
        row.number = now.max(last.saturating_add(1));
        row.number
    })
}

/// Writes, again and again where the disk refuses; rows that come meanwhile wait. A server that stops does not wait for it.
fn write(store: &Store, rows: &[Row], inbox: &mpsc::Receiver<Row>) {
    while let Err(error) = store.write(rows) {
        Event::TaskFailed { task: "writing the delivery log", cause: &error.to_string() }.say();
        if inbox.is_closed() {
            return;
        }
        store.close();
        thread::sleep(PAUSE);
    }
}
