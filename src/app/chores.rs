//! What is done now and then: waiting copies, use counts of aliases, the trash, the last id.
//!
//! Each runs on the blocking threads, by itself; one that fails says so and is tried again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use rustix::fs::statvfs;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{self, JoinHandle};
use tokio::time::{self, MissedTickBehavior};

use super::numbering::{self, LastId};
use super::{heal, start};
use crate::config::Config;
use crate::directory::{Actor, Change, Directory};
use crate::ledger::{Ledger, Query, Status};
use crate::maildir::Maildirs;
use crate::relay::list::Lists;
use crate::relay::vacation;
use crate::server::Service;
use crate::spool::Spool;
use crate::spool::waiting::{Copy, Waiting, copies};
use crate::telemetry::{Event, meter};

/// Copies whose mailbox failed are tried again so often.
const WAITING: Duration = Duration::from_secs(60);

/// Use counts of aliases that a crash may lose.
const USES: Duration = Duration::from_secs(30);

/// The trash is looked through at start, and then so often.
const TRASH: Duration = Duration::from_secs(24 * 60 * 60);

/// How often the dashboard's charts of disk and queue get a point.
const SAMPLE: Duration = Duration::from_secs(60);

/// Recipients of one message of which a copy waits that are looked for.
const ROWS: usize = 1000;

/// How often the delivery log is cut to its age and size.
const LOG: Duration = Duration::from_secs(10 * 60);

/// Starts them; they end when the server is told to stop.
pub(super) fn begin(
    service: &Arc<Service>,
    config: &Arc<ArcSwap<Config>>,
    last_id: LastId,
    stop: &watch::Sender<bool>,
) -> Vec<JoinHandle<()>> {
    let (directory, maildirs, spool) = (&service.directory, &service.maildirs, &service.spool);
    let waiting = {
        let (directory, spool, ledger) = (Arc::clone(directory), Arc::clone(spool), Arc::clone(&service.ledger));
        let folder = config.load().spool.join("queue");
        move || deliver_waiting(&directory, &spool, &folder, &ledger)
    };
    let uses = {
        let directory = Arc::clone(directory);
        move || directory.write_uses().map_err(|error| error.to_string())
    };
    let replies = {
        let directory = Arc::clone(directory);
        move || directory.forget_replies(Timestamp::now() - vacation::PAUSE).map_err(|error| error.to_string())
    };
    let trash = {
        let (directory, maildirs, spool, config) = (Arc::clone(directory), Arc::clone(maildirs), Arc::clone(spool), Arc::clone(config));
        move || purge(&directory, &maildirs, config.load().trash_days).and_then(|()| forget_purged(&directory, &spool))
    };
    let log = {
        let ledger = Arc::clone(&service.ledger);
        move || ledger.cut(Timestamp::now()).map_err(|error| error.to_string())
    };
    let sample = {
        let (spool, maildirs) = (Arc::clone(spool), Arc::clone(maildirs));
        move || look_around(&spool, &maildirs)
    };
    let numbers = {
        let (spool, stopped) = (Arc::clone(spool), stop.subscribe());
        move || if *stopped.borrow() { last_id.close(&spool) } else { last_id.reserve(&spool) }.map_err(|error| error.to_string())
    };
    vec![
        task::spawn(every(numbering::PERIOD, "noting the last id of a message", stop, AtStop::Once, numbers)),
        task::spawn(every(WAITING, "delivering waiting copies", stop, AtStop::Leave, waiting)),
        task::spawn(every(USES, "writing use counts of aliases", stop, AtStop::Once, uses)),
        task::spawn(every(SAMPLE, "looking at the disk and the queue", stop, AtStop::Leave, sample)),
        task::spawn(every(LOG, "cutting the delivery log", stop, AtStop::Leave, log)),
        task::spawn(every(TRASH, "forgetting who was told that somebody is away", stop, AtStop::Leave, replies)),
        task::spawn(every(TRASH, "purging the trash", stop, AtStop::Leave, trash)),
    ]
}

/// Brings postings to the members of lists, as they come.
pub(super) fn distribute(lists: Arc<Lists>, stop: &watch::Sender<bool>) -> impl Future<Output = ()> + use<> {
    let (stopped, asked) = (start::told(stop), stop.subscribe());
    async move {
        tokio::pin!(stopped);
        loop {
            let (working, asked) = (Arc::clone(&lists), asked.clone());
            let done = task::spawn_blocking(move || working.work(&|| *asked.borrow())).await;
            if let Err(cause) = done.map_err(|error| error.to_string()).and_then(|done| done.map_err(|error| error.to_string())) {
                Event::TaskFailed { task: "distributing postings to lists", cause: &cause }.say();
                time::sleep(Duration::from_secs(1)).await;
            }
            tokio::select! {
                () = &mut stopped => return,
                () = lists.news() => {}
            }
        }
    }
}

/// Whether the work is done once more when the server stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AtStop {
    Leave,
    Once,
}

fn every<W>(period: Duration, name: &'static str, stop: &watch::Sender<bool>, at_stop: AtStop, work: W) -> impl Future<Output = ()> + use<W>
where
    W: Fn() -> Result<(), String> + Send + Sync + 'static,
{
    let stopped = start::told(stop);
    let work = Arc::new(work);
    async move {
        tokio::pin!(stopped);
        let mut ticks = time::interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = &mut stopped => break,
                _ = ticks.tick() => run(name, &work).await,
            }
        }
        if at_stop == AtStop::Once {
            run(name, &work).await;
        }
    }
}

async fn run<W: Fn() -> Result<(), String> + Send + Sync + 'static>(name: &'static str, work: &Arc<W>) {
    let work = Arc::clone(work);
    let outcome = task::spawn_blocking(move || work()).await.unwrap_or_else(|error| Err(error.to_string()));
    if let Err(cause) = outcome {
        Event::TaskFailed { task: name, cause: &cause }.say();
    }
}

fn deliver_waiting(directory: &Directory, spool: &Spool, folder: &Path, ledger: &Ledger) -> Result<(), String> {
    let before = copies(folder).map_err(|error| error.to_string())?;
    let delivered = retry_waiting(directory, spool);
    if !before.is_empty() {
        let left = copies(folder).map_err(|error| error.to_string())?;
        // A copy leaves the folder in two ways: into its mailbox, or with an account that is gone for good.
        let gone = |copy: &&Copy| !left.contains(copy) && !directory.snapshot().is_purged(copy.waiting.account).unwrap_or(true);
        let arrived: Vec<&Waiting> = before.iter().filter(gone).map(|copy| &copy.waiting).collect();
        Handle::current().block_on(tell_arrived(ledger, &arrived, Timestamp::now()));
    }
    delivered
}

/// The second row of each recipient whose first one says that a copy waits.
async fn tell_arrived(ledger: &Ledger, arrived: &[&Waiting], now: Timestamp) {
    ledger.flush().await;
    for waiting in arrived {
        let query = Query { id: Some(waiting.id.to_string()), status: Some(Status::Waiting), ..Query::default() };
        // A log that cannot be read has been told of by those who read it.
        let Ok(found) = ledger.search(&query, None, None, ROWS) else { continue };
        let delay = Duration::try_from(now.duration_since(waiting.arrived())).unwrap_or_default();
        let rows = found.items.into_iter().filter(|row| row.places.iter().any(|place| place == waiting.name.as_str()));
        ledger.note(rows.map(|row| row.at_last(waiting.name.as_str(), delay, now)).collect()).await;
    }
}

fn retry_waiting(directory: &Directory, spool: &Spool) -> Result<(), String> {
    let left = spool.deliver_waiting(|id, name| heal::mailbox(&directory.snapshot(), id, name)).map_err(|error| error.to_string())?;
    if left > 0 {
        Event::CopiesWaiting { count: left }.say();
    }
    Ok(())
}

fn look_around(spool: &Spool, maildirs: &Maildirs) -> Result<(), String> {
    let disk = statvfs(maildirs.root()).map_err(|error| error.to_string())?;
    let size = disk.f_blocks.saturating_mul(disk.f_frsize);
    let used = size.saturating_sub(disk.f_bavail.saturating_mul(disk.f_frsize));
    let copies = spool.waiting().map_err(|error| error.to_string())? as u64;
    let elsewhere = spool.outgoing().counts().map_err(|error| error.to_string())?.waiting;
    meter().minutes.sample(Some((used, size)), Some(copies + elsewhere));
    Ok(())
}

/// Copies of accounts that are gone for good have nowhere to go. Where that cannot be told, they wait on.
fn forget_purged(directory: &Directory, spool: &Spool) -> Result<(), String> {
    spool.forget(|id| directory.snapshot().is_purged(id).unwrap_or(false)).map_err(|error| error.to_string())
}

/// Forgets accounts that have been in the trash for so many days: the record first, then the mail.
fn purge(directory: &Directory, maildirs: &Maildirs, days: u32) -> Result<(), String> {
    let now = Timestamp::now();
    let kept = SignedDuration::from_hours(24 * i64::from(days));
    let trash = directory.snapshot().trash().map_err(|error| error.to_string())?;
    for trashed in trash.iter().filter(|trashed| now.duration_since(trashed.deleted) > kept) {
        let change = Change::PurgePop { id: trashed.pop.id };
        let applied = directory.apply(&Actor::Server, &change, now).map_err(|error| error.to_string())?;
        maildirs.follow(&applied.effects).map_err(|error| error.to_string())?;
        Event::Purged { name: trashed.pop.name.as_str() }.say();
    }
    Ok(())
}
