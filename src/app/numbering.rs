//! `last-id` in the spool folder: an id that no message has reached, so that none is given twice, even if the clock goes back
//! while no server runs.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::mail::QueueId;
use crate::spool::Spool;

const FILE: &str = "last-id";

/// The id in the file is so far ahead of the last one given.
const AHEAD: Duration = Duration::from_secs(60);

/// How often it is moved on.
pub(super) const PERIOD: Duration = Duration::from_secs(20);

/// Keeps the file of one spool.
pub(super) struct LastId {
    path: PathBuf,
}

impl LastId {
    /// Lets the spool go on from where the server before it came, at most.
    pub fn resume(dir: &Path, spool: &Spool) -> io::Result<Self> {
        let path = dir.join(FILE);
        match fs::read_to_string(&path) {
            // A file that was damaged says nothing; the clock is right nearly always.
            Ok(text) => QueueId::parse(text.trim()).map_or((), |id| spool.pass(id)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let file = Self { path };
        file.reserve(spool)?;
        Ok(file)
    }

    /// Moves the file on, as a whole. It may fail twice in a row before an id passes what is on the disk.
    pub fn reserve(&self, spool: &Spool) -> io::Result<()> {
        self.write(QueueId::new(spool.next_id().number().saturating_add(u64::try_from(AHEAD.as_micros()).unwrap_or(u64::MAX))))
    }

    /// Leaves the last id that was given, when no more are.
    pub fn close(&self, spool: &Spool) -> io::Result<()> {
        self.write(spool.next_id())
    }

    fn write(&self, id: QueueId) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        writeln!(file, "{id}")?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        fs::File::open(folder)?.sync_all()
    }
}
