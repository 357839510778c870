//! When mail is sent: hops by their turns, and each with its own pace.
//!
//! Owns the tasks that empty the queue. Promises that a hop which is down is probed with one message at growing intervals, and
//! holds up no other; that a message leaves the queue only after its peer, or a report to its sender, has taken over; and that
//! what is under way when the server stops is settled, or waits on. Bounds: [`HOPS`] hops at a time, the connections to each as
//! configured, [`TEXTS_KIB`] of texts in memory.
//!
//! Reading order: here (which hop), [`hop`] (what is sent to it, and when it is let alone), [`load`] (from the queue to a
//! conversation), [`outcome`] (what becomes of recipients), [`pace`] (how long until the next attempt).

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::{self, JoinSet};
use tokio::time::{self, Instant};

use super::courier::Courier;
use super::list::Lists;
use super::settings::{Mode, Settings};
use super::submit::Office;
use crate::ledger::Ledger;
use crate::spool::Queue;
use crate::spool::outgoing::{Filing, Hop, Turn};
use crate::telemetry::Event;

mod hop;
mod load;
mod outcome;
mod pace;

/// Hops that are worked on at a time. Each has connections of its own.
const HOPS: usize = 100;

/// Turns that are looked at together.
const LOOK: usize = 1000;

/// The longest time without a look: the clock may jump.
const IDLE: Duration = Duration::from_secs(30);

/// The shortest time from one look to the next: one for each message that comes would be most of the work.
const PAUSE: Duration = Duration::from_millis(20);

/// A turn can become visible so long after the time that it bears: its message waited for the disk.
const LATE: SignedDuration = SignedDuration::from_mins(10);

/// KiB of texts that are in memory at a time. Texts that lie in files are not.
const TEXTS_KIB: u32 = 64 * 1024;

/// After an error of the queue.
const ERROR: Duration = Duration::from_secs(5);

/// What all that send share.
pub struct Dispatch {
    office: Arc<Office>,
    lists: Arc<Lists>,
    queue: Arc<Queue>,
    courier: ArcSwap<Courier>,
    listening: Vec<SocketAddr>,
    settings: ArcSwap<Settings>,
    changed: Notify,
    /// Memory for texts, by KiB.
    texts: Semaphore,
    work: Mutex<HashMap<Hop, Work>>,
    ledger: Arc<Ledger>,
    /// When the next message may go to hops with a rate.
    slots: Mutex<HashMap<Hop, Instant>>,
    stopping: watch::Sender<bool>,
}

/// A hop that is worked on.
struct Work {
    /// The turn that keeps the hop from being forgotten.
    anchor: Turn,
    /// Somebody has asked for another look at it meanwhile.
    again: bool,
}

impl Dispatch {
    /// One for that queue. `listening` is where this server accepts mail itself. Each outcome goes to `ledger`. Reads files.
    pub fn new(
        office: Arc<Office>,
        lists: Arc<Lists>,
        settings: Arc<Settings>,
        listening: Vec<SocketAddr>,
        ledger: Arc<Ledger>,
    ) -> io::Result<Self> {
        let queue = Arc::clone(office.spool().outgoing());
        queue.file_by(filing(&settings));
        Ok(Self {
            office,
            lists,
            queue,
            courier: ArcSwap::from_pointee(Courier::new(Arc::clone(&settings), listening.clone())?),
            listening,
            settings: ArcSwap::new(settings),
            changed: Notify::new(),
            texts: Semaphore::new(TEXTS_KIB as usize),
            work: Mutex::default(),
            ledger,
            slots: Mutex::default(),
            stopping: watch::Sender::new(false),
        })
    }

    /// Goes by these settings from the next message on. Reads files.
    pub fn set_settings(&self, settings: Arc<Settings>) -> io::Result<()> {
        let courier = Courier::new(Arc::clone(&settings), self.listening.clone())?;
        self.queue.file_by(filing(&settings));
        self.courier.store(Arc::new(courier));
        self.settings.store(settings);
        self.changed.notify_one();
        Ok(())
    }

    /// Sends what is due until told to stop; then ends what is under way within `grace`.
    pub async fn run(self: Arc<Self>, stop: impl Future<Output = ()>, grace: Duration) {
        tokio::pin!(stop);
        let mut hops = JoinSet::new();
        let mut from = Timestamp::UNIX_EPOCH;
        let queue = Arc::clone(&self.queue);
        if let Ok(Err(error)) = task::spawn_blocking(move || queue.remember_hops()).await {
            failed(&error.to_string());
        }
        loop {
            let looked = Instant::now();
            let next = self.look(&mut hops, &mut from).await;
            tokio::select! {
                () = &mut stop => break,
                () = self.queue.news() => {}
                () = self.changed.notified() => {}
                () = time::sleep(next) => {}
                Some(_) = hops.join_next() => {}
            }
            if !next.is_zero() {
                time::sleep_until(looked + PAUSE).await;
            }
            // Those that have ended by now need no look each.
            while hops.try_join_next().is_some() {}
        }
        self.stopping.send_replace(true);
        // What does not end in time is cut off; its recipients wait on.
        let _ = time::timeout(grace, async { while hops.join_next().await.is_some() {} }).await;
        hops.shutdown().await;
        self.courier.load().close().await;
        let queue = Arc::clone(&self.queue);
        let synced = task::spawn_blocking(move || queue.sync()).await;
        if let Ok(Err(error)) = synced {
            Event::TaskFailed { task: "syncing the queue", cause: &error.to_string() }.say();
        }
    }

    /// Begins work on the hops whose turn has come, as far as there is room. How long until the next turn.
    async fn look(self: &Arc<Self>, hops: &mut JoinSet<()>, from: &mut Timestamp) -> Duration {
        if self.settings.load().mode == Mode::Off {
            return IDLE;
        }
        let now = Timestamp::now();
        let (queue, begin) = (Arc::clone(&self.queue), *from);
        let looked = task::spawn_blocking(move || {
            let turns = queue.turns(begin, now, LOOK)?;
            let after = turns.last().map_or(begin, |last| last.at).max(now);
            Ok::<_, io::Error>((turns, queue.next_turn(after)?))
        });
        let (turns, next) = match looked.await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => return failed(&error.to_string()),
            Err(error) => return failed(&error.to_string()),
        };
        *from = turns.first().map_or(now, |first| first.at).min(now.saturating_sub(LATE).unwrap_or(now)).max(begin);
        let full = turns.len() >= LOOK;
        let superfluous = self.begin(turns, hops);
        if !superfluous.is_empty() {
            let queue = Arc::clone(&self.queue);
            if let Ok(Err(error)) = task::spawn_blocking(move || queue.end_turns(&superfluous, None)).await {
                return failed(&error.to_string());
            }
            if full {
                return Duration::ZERO;
            }
        }
        let until = next.map(|next| Duration::try_from(next.duration_since(Timestamp::now())).unwrap_or_default());
        until.map_or(IDLE, |until| until.min(IDLE))
    }

    /// Hands back the turns of hops that are worked on already: nobody needs them.
    fn begin(self: &Arc<Self>, turns: Vec<Turn>, hops: &mut JoinSet<()>) -> Vec<Turn> {
        let mut superfluous = Vec::new();
        let mut work = self.work();
        for turn in turns {
            if let Some(known) = work.get_mut(&turn.hop) {
                if !known.holds(&turn) {
                    known.again = true;
                    superfluous.push(turn);
                }
            } else if work.len() < HOPS {
                work.insert(turn.hop.clone(), Work::of(&turn));
                hops.spawn(Arc::clone(self).work_on(turn));
            }
        }
        superfluous
    }

    fn work(&self) -> MutexGuard<'_, HashMap<Hop, Work>> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<Hop, Instant>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failed(cause: &str) -> Duration {
    Event::TaskFailed { task: "looking for mail that is due", cause }.say();
    ERROR
}

/// With a smarthost, all mail has one hop.
fn filing(settings: &Settings) -> Filing {
    match settings.mode {
        Mode::Smarthost(_) => Filing::One,
        Mode::Direct | Mode::Off => Filing::Domains,
    }
}
