//! The spool: where accepted mail is safe until it has reached every mailbox it is for.
//!
//! Owns acceptance. Promises that a [`Stored`] exists only when the disk has every copy: a `250` that is made from it
//! survives `kill -9` and a power cut. Refuses to know sockets and the wording of replies.
//!
//! A message is written to its mailboxes without waiting for the disk, and to the [`log`], where one sync serves all
//! messages that come at the same time. A checkpoint makes the mailboxes durable now and then; the log's space is used again
//! after it.
//!
//! Reading order: [`body`] (a text on its way in), [`accept`] (the promise), [`group`] (one sync for many), [`pending`] (who
//! waits for it), [`enter`] (the same for what leaves), [`outgoing`] (the queue of it), [`log`], [`recover`] (after a crash),
//! [`large`] (messages beyond the log), [`waiting`] (what could not be delivered after it was accepted), [`forget`], [`hands`]
//! (threads, and file systems that hang). `spool/README.md` has the states on disk.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};

use crate::directory::AccountId;
use crate::mail::{Name, QueueId};
use crate::maildir::Maildirs;
use crate::router::Destination;
use crate::sys::disk::make_folders;
use crate::sys::{Disk, Numbering, Real, Volume};
use crate::telemetry::Event;

pub mod accept;
pub mod body;
mod enter;
pub mod forget;
mod group;
mod hands;
mod large;
pub mod log;
pub mod outgoing;
mod pending;
pub mod recover;
pub mod waiting;

pub use accept::{Failure, Outcomes, Results, Routed, Routing, Stored};
pub use body::Body;
pub use log::Bounds;
pub use outgoing::Queue;
pub use pending::Pending;

/// What an operator may say about the spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `spool.dir`.
    pub dir: PathBuf,
    /// The name in `Received` fields.
    pub hostname: String,
    /// The log's size.
    pub log: Bounds,
}

/// The spool of one server. Dropped, it ends what it has begun.
pub struct Spool {
    core: Arc<Core>,
    keeper: Option<JoinHandle<()>>,
}

/// What the spool's threads share.
struct Core {
    queue: PathBuf,
    incoming: PathBuf,
    hostname: String,
    maildirs: Arc<Maildirs>,
    disk: Arc<dyn Disk>,
    /// The file system of the mailboxes, watched from before the first of them is written to.
    mail: Box<dyn Volume>,
    numbering: Numbering,
    log: log::Log,
    hands: Arc<hands::Hands>,
    /// Those for messages that are synced one by one.
    large: Arc<hands::Hands>,
    gathering: Mutex<group::Gathering>,
    outgoing: Arc<outgoing::Queue>,
    entering: Mutex<enter::Entering>,
    /// What the log holds alone.
    owed: Mutex<Vec<recover::Owed>>,
    /// Waiting copies that were delivered and whose file could not be removed. Held during a pass over the queue.
    delivered: Mutex<HashSet<String>>,
    /// Turns true when the spool is to end.
    ending: (Mutex<bool>, Condvar),
    _lock: File,
}

/// Why a spool cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another server works on it.
    #[error("the spool {0} is in use by another server; stop it, or give this one a spool of its own (spool.dir)")]
    InUse(PathBuf),
    /// The file system refuses.
    #[error("the spool {path} cannot be used: {cause}; see that the folder exists and belongs to this user")]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the file system says.
        cause: io::Error,
    },
}

/// How often it is looked whether hands are stuck, or a checkpoint is due.
const TICK: Duration = Duration::from_millis(100);

/// The longest that a record waits for its checkpoint.
const CHECKPOINT_AGE: Duration = Duration::from_secs(5);

/// The part of the log's bound that waits for one checkpoint.
const CHECKPOINT_SHARE: u64 = 16;

impl Spool {
    /// Opens the spool, making it where there is none, and locks it.
    pub fn open(settings: Settings, maildirs: Arc<Maildirs>) -> Result<Self, OpenError> {
        Self::on(settings, maildirs, Arc::new(Real))
    }

    /// The same on another disk. The lock and bodies that are still arriving are on the machine's own in any case.
    pub fn on(settings: Settings, maildirs: Arc<Maildirs>, disk: Arc<dyn Disk>) -> Result<Self, OpenError> {
        let Settings { dir, hostname, log: bounds } = settings;
        let [queue, incoming, records] = ["queue", "incoming", "log"].map(|folder| dir.join(folder));
        let refused = |cause| OpenError::Io { path: dir.clone(), cause };
        [&queue, &incoming, &records].into_iter().try_for_each(|folder| make_folders(&*disk, folder)).map_err(refused)?;
        let lock = File::options().create(true).truncate(false).write(true).open(dir.join("lock")).map_err(refused)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| OpenError::InUse(dir.clone()))?;
        let mail = disk.open_volume(&maildirs.settings().root).map_err(refused)?;
        let numbering = Numbering::default();
        let first = numbering.next(Timestamp::now()).number();
        let (log, left) = log::Log::open(records, Arc::clone(&disk), bounds, first).map_err(refused)?;
        left.iter().for_each(|left| numbering.pass(QueueId::new(left.id)));
        let outgoing = Arc::new(Queue::open(&dir.join("outgoing"), Arc::clone(&disk)).map_err(refused)?);
        if let Some(newest) = outgoing.newest().map_err(refused)? {
            numbering.pass(newest);
        }
        let core = Arc::new(Core {
            queue,
            incoming,
            hostname,
            maildirs,
            disk,
            mail,
            numbering,
            log,
            hands: hands::Hands::for_groups(),
            large: hands::Hands::for_large(),
            gathering: Mutex::default(),
            outgoing,
            entering: Mutex::default(),
            owed: Mutex::new(left.into_iter().filter_map(recover::Owed::left).collect()),
            delivered: Mutex::default(),
            ending: (Mutex::new(false), Condvar::new()),
            _lock: lock,
        });
        core.clear_queue().map_err(refused)?;
        let kept = Arc::clone(&core);
        let keeper = thread::Builder::new().name("spool-keeper".into()).spawn(move || kept.keep()).map_err(refused)?;
        Ok(Self { core, keeper: Some(keeper) })
    }

    /// The name of the next message.
    pub fn next_id(&self) -> QueueId {
        self.core.numbering.next(Timestamp::now())
    }

    /// No message gets this id, or one before it.
    pub fn pass(&self, id: QueueId) {
        self.core.numbering.pass(id);
    }

    /// The queue of mail that leaves.
    pub fn outgoing(&self) -> &Arc<Queue> {
        &self.core.outgoing
    }

    /// An empty body.
    pub fn body(&self) -> Body {
        Body::new(self.core.incoming.clone())
    }

    /// Delivers what an earlier process has left in the log, and what waits in the queue. `whereabouts` finds the mailbox
    /// of an account by its id and its last known name; copies of accounts that it does not find wait on. How many copies
    /// still wait.
    pub fn deliver_waiting(&self, whereabouts: impl Fn(AccountId, &Name) -> Option<Destination>) -> io::Result<usize> {
        self.core.recover(&whereabouts)?;
        // A process that does not live until its first checkpoint would leave its segments to the next one, and that one its own.
        if self.core.log.is_inherited() {
            self.core.try_checkpoint();
        }
        self.core.deliver_queue(&whereabouts)
    }

    /// Octets of the log that are in use, and how many there may be.
    pub fn log_fill(&self) -> (u64, u64) {
        (self.core.log.fill(), self.core.log.bound())
    }

    /// Accepted copies that wait for their mailbox.
    pub fn waiting(&self) -> io::Result<usize> {
        let files = self.core.disk.list(&self.core.queue)?;
        Ok(files.iter().filter(|(file, _)| matches!(waiting::Entry::of(file), waiting::Entry::Waiting(_))).count())
    }

    /// Makes everything durable that lies in mailboxes, so that the log's space can be used again. It happens by itself.
    pub fn checkpoint(&self) -> io::Result<()> {
        self.core.checkpoint()
    }
}

impl Core {
    /// Looks after the hands and the log until the spool ends.
    fn keep(self: &Arc<Self>) {
        let (mut taken, mut taken_large) = (0, 0);
        let mut ending = self.ending.0.lock().unwrap_or_else(PoisonError::into_inner);
        while !*ending {
            ending = self.ending.1.wait_timeout(ending, TICK).unwrap_or_else(PoisonError::into_inner).0;
            drop(ending);
            self.lead_the_stranded();
            taken = self.hands.relieve(taken);
            taken_large = self.large.relieve(taken_large);
            if let Err(error) = self.outgoing.sync_when_due() {
                Event::TaskFailed { task: "syncing the queue", cause: &error.to_string() }.say();
            }
            let (since, octets) = self.log.unsettled();
            let due = since.is_some_and(|since| since.elapsed() >= CHECKPOINT_AGE) || octets >= self.log.bound() / CHECKPOINT_SHARE;
            if due {
                self.try_checkpoint();
            }
            ending = self.ending.0.lock().unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// One that fails is tried again, and holds up nothing else.
    fn try_checkpoint(&self) {
        if let Err(error) = self.checkpoint() {
            Event::CheckpointFailed { cause: &error.to_string() }.say();
        }
    }

    fn checkpoint(&self) -> io::Result<()> {
        self.log.checkpoint(&*self.mail)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.core.large.close(hands::FAREWELL);
        self.core.hands.close(hands::FAREWELL);
        *self.core.ending.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.core.ending.1.notify_all();
        if let Some(keeper) = self.keeper.take() {
            // A panic of the keeper has been told of by itself.
            let _ = keeper.join();
        }
        // What fails here is made good at the next start.
        let _ = self.core.checkpoint();
        let _ = self.core.outgoing.sync();
    }
}
