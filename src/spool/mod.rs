//! The spool: where accepted mail is safe until it has reached every mailbox it is for.
//!
//! Owns acceptance. Promises that a [`Stored`] exists only when the disk has every copy: a `250` that is made from it
//! survives `kill -9` and a power cut. Refuses to know sockets and the wording of replies.
//!
//! Reading order: [`body`] (a text on its way in), [`accept`] (the promise), [`waiting`] (what could not be delivered
//! after it was accepted). `spool/README.md` has the states on disk.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};

use crate::mail::QueueId;
use crate::maildir::Maildirs;
use crate::sys::disk::make_folders;
use crate::sys::{Disk, Numbering, Real};

pub mod accept;
pub mod body;
pub mod waiting;

pub use accept::{Failure, Outcomes, Routed, Routing, Stored};
pub use body::Body;

/// The spool of one server.
pub struct Spool {
    queue: PathBuf,
    incoming: PathBuf,
    hostname: String,
    maildirs: Arc<Maildirs>,
    disk: Arc<dyn Disk>,
    numbering: Numbering,
    /// Waiting copies that were delivered and whose file could not be removed. Held during a pass over the queue.
    delivered: Mutex<HashSet<String>>,
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

impl Spool {
    /// Opens the spool in `dir`, making it where there is none, and locks it.
    pub fn open(dir: PathBuf, hostname: String, maildirs: Arc<Maildirs>) -> Result<Self, OpenError> {
        Self::on(dir, hostname, maildirs, Arc::new(Real))
    }

    /// The same on another disk. The lock and bodies that are still arriving are on the machine's own in any case.
    pub fn on(dir: PathBuf, hostname: String, maildirs: Arc<Maildirs>, disk: Arc<dyn Disk>) -> Result<Self, OpenError> {
        let (queue, incoming) = (dir.join("queue"), dir.join("incoming"));
        let refused = |cause| OpenError::Io { path: dir.clone(), cause };
        make_folders(&*disk, &queue).and_then(|()| make_folders(&*disk, &incoming)).map_err(refused)?;
        let lock = File::options().create(true).truncate(false).write(true).open(dir.join("lock")).map_err(refused)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| OpenError::InUse(dir.clone()))?;
        let spool =
            Self { queue, incoming, hostname, maildirs, disk, numbering: Numbering::default(), delivered: Mutex::default(), _lock: lock };
        spool.recover().map_err(refused)?;
        Ok(spool)
    }

    /// The name of the next message.
    pub fn next_id(&self) -> QueueId {
        self.numbering.next(Timestamp::now())
    }

    /// An empty body.
    pub fn body(&self) -> Body {
        Body::new(self.incoming.clone())
    }
}
