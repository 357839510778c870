//! Delivery in two steps: *stage* (the file is written to `tmp`) and *publish* (it is renamed to `new`). Whoever delivers
//! to several mailboxes stages all before publishing any.
//!
//! Both steps wait for the disk where [`Safety::Synced`] asks for it; a copy that the spool's log holds does without.

use std::io::{self, IoSlice, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;

use super::Maildirs;
use super::name::{FileName, Stamp};
use crate::directory::AccountId;
use crate::router::Destination;
use crate::sys::disk::Output;

/// Octets moved at a time.
const BLOCK: usize = 64 * 1024;

/// A message text that can be read from its start as often as there are copies of it, with LF line ends.
pub trait Text {
    /// Octets.
    fn len(&self) -> u64;
    /// Line ends.
    fn lines(&self) -> u64;
    /// Reads it from the start.
    fn read(&self) -> io::Result<Box<dyn Read + '_>>;
    /// All of it, where it is in memory: the parts in their order.
    fn parts(&self) -> Option<Vec<&[u8]>> {
        None
    }
    /// Whether there is nothing in it.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What goes into one mailbox: the fields of this delivery, then the text.
#[derive(Clone, Copy)]
pub struct Copy<'a> {
    /// The fields, each ended by LF.
    pub fields: &'a str,
    /// The text.
    pub text: &'a dyn Text,
}

impl Copy<'_> {
    /// Octets on disk.
    pub fn size(&self) -> u64 {
        self.fields.len() as u64 + self.text.len()
    }

    fn lines(&self) -> u64 {
        memchr::memchr_iter(b'\n', self.fields.as_bytes()).count() as u64 + self.text.lines()
    }
}

/// A file in `tmp`. Dropped without being published, it is removed.
pub struct Staged {
    maildirs: Arc<Maildirs>,
    account: AccountId,
    folder: PathBuf,
    name: String,
    size: u64,
    state: State,
    safety: Safety,
}

/// Who sees to it that a copy survives a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safety {
    /// The spool's log has it until a sync of the mail root's file system.
    Logged,
    /// Each step waits for the disk.
    Synced,
}

/// How far a copy has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// There is no file.
    Unwritten,
    /// The file is in `tmp`.
    Hidden,
    /// The file is in `new`.
    Visible,
}

impl Maildirs {
    /// A stamp for a copy that is written now.
    pub fn stamp(&self, now: Timestamp) -> Stamp {
        Stamp { at: now, process: std::process::id(), sequence: self.sequence.fetch_add(1, Ordering::Relaxed) }
    }

    /// Writes a copy to the mailbox's `tmp`.
    pub fn stage(self: &Arc<Self>, to: &Destination, copy: Copy<'_>, stamp: Stamp, safety: Safety) -> io::Result<Staged> {
        let (size, wire_size) = (copy.size(), copy.size() + copy.lines());
        self.stage_as(to, copy, FileName { stamp, host: self.host.clone(), size, wire_size }.to_string(), safety)
    }

    /// The same under the name that the file was given once.
    pub fn stage_as(self: &Arc<Self>, to: &Destination, copy: Copy<'_>, name: String, safety: Safety) -> io::Result<Staged> {
        let folder = self.folder(to.id, &to.name)?;
        let (maildirs, size, state) = (Arc::clone(self), copy.size(), State::Unwritten);
        let mut staged = Staged { maildirs, account: to.id, folder, name, size, state, safety };
        let mut file = match staged.create() {
            // An admin moved the folder away while the server runs: it is looked for, and made, once more.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.known.lost(to.id, &to.name);
                staged.folder = self.folder(to.id, &to.name)?;
                staged.create()?
            }
            made => made?,
        };
        staged.state = State::Hidden;
        // The folder may have been moved since it was looked up, and another account have one of that name. Folders move
        // only after they were forgotten, so what is still known was this account's when the file was made.
        self.expect_known(to.id, &to.name)?;
        if !self.known.is_covered(to.id) {
            // What the log waits for is a sync of another file system.
            staged.safety = Safety::Synced;
        }
        match copy.text.parts() {
            Some(parts) => {
                let mut parts: Vec<IoSlice<'_>> = std::iter::once(copy.fields.as_bytes()).chain(parts).map(IoSlice::new).collect();
                write_all(&mut *file, &mut parts)?;
            }
            None => {
                file.write_all(copy.fields.as_bytes())?;
                io::copy(&mut io::BufReader::with_capacity(BLOCK, copy.text.read()?), &mut file)?;
            }
        }
        if staged.safety == Safety::Synced {
            file.sync()?;
        }
        Ok(staged)
    }

    /// Looks for a file by the name that it was given in `new`: there, or where a reader has moved it. The folder, and the
    /// name it has now.
    pub fn find(&self, to: &Destination, name: &str) -> io::Result<Option<(&'static str, String)>> {
        let folder = self.folder(to.id, &to.name)?;
        match self.disk.len(&folder.join("new").join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            found => return found.map(|_| Some(("new", name.to_owned()))),
        }
        for part in ["cur", "new"] {
            let listed = self.disk.list(&folder.join(part))?;
            if let Some((found, _)) = listed.into_iter().find(|(found, _)| super::name::unique(found) == name) {
                return Ok(Some((part, found)));
            }
        }
        Ok(None)
    }

    /// Opens a file of a mailbox.
    pub fn open(&self, to: &Destination, part: &str, file: &str) -> io::Result<Box<dyn Read + Send>> {
        self.disk.open(&self.folder(to.id, &to.name)?.join(part).join(file))
    }

    /// Whether a mailbox holds the file with that stamp, in `new` or, once it was seen, in `cur`; what it finds is safe.
    pub fn holds(&self, to: &Destination, stamp: Stamp) -> io::Result<bool> {
        let folder = self.folder(to.id, &to.name)?;
        for part in ["new", "cur"].map(|part| folder.join(part)) {
            if self.disk.list(&part)?.iter().any(|(file, _)| stamp.marks(file)) {
                self.disk.sync_folder(&part)?;
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn write_all(file: &mut dyn Output, mut parts: &mut [IoSlice<'_>]) -> io::Result<()> {
    while !parts.is_empty() {
        match file.write_vectored(parts)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => IoSlice::advance_slices(&mut parts, written),
        }
    }
    Ok(())
}

impl Staged {
    fn path(&self, part: &str) -> PathBuf {
        self.folder.join(part).join(&self.name)
    }

    fn create(&self) -> io::Result<Box<dyn Output>> {
        let (disk, path) = (&self.maildirs.disk, self.path("tmp"));
        match disk.create(&path) {
            // Stamps repeat only when a waiting copy is tried again, so this is what a crash left of the last try.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                disk.remove(&path)?;
                disk.create(&path)
            }
            made => made,
        }
    }

    /// Reads the file while it is only staged.
    pub fn read(&self) -> io::Result<Box<dyn Read + Send>> {
        self.maildirs.disk.open(&self.path("tmp"))
    }

    /// The name of the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Makes the copy visible: the path of the file in `new`.
    pub fn publish(&mut self) -> Result<PathBuf, PublishError> {
        let (new, path) = (self.folder.join("new"), self.path("new"));
        let disk = &self.maildirs.disk;
        let rename = || disk.rename(&self.path("tmp"), &path);
        self.maildirs.accounts.adding(self.account, || disk.modified(&new), self.size, rename).map_err(PublishError::Hidden)?;
        self.state = State::Visible;
        if self.safety == Safety::Synced {
            disk.sync_folder(&new).map_err(PublishError::Visible)?;
        }
        Ok(path)
    }

    /// Takes the place of a damaged file of the same message, wherever a reader has put it: `new` or `cur`.
    pub fn replace(mut self, part: &str, file: &str) -> io::Result<()> {
        self.maildirs.disk.rename(&self.path("tmp"), &self.folder.join(part).join(file))?;
        self.maildirs.accounts.recount(self.account);
        self.state = State::Visible;
        match self.safety {
            Safety::Synced => self.maildirs.disk.sync_folder(&self.folder.join(part)),
            Safety::Logged => Ok(()),
        }
    }

    /// Takes a copy back that was published: it is only staged again. Fails where a reader was faster.
    pub fn conceal(&mut self) -> io::Result<()> {
        if self.state == State::Visible {
            self.maildirs.disk.rename(&self.path("new"), &self.path("tmp"))?;
            self.maildirs.accounts.recount(self.account);
            self.state = State::Hidden;
        }
        Ok(())
    }
}

/// Why a staged copy is not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// It has not become visible; the staged file is still there.
    #[error("the message cannot be moved to `new`: {0}")]
    Hidden(io::Error),
    /// It is visible, and may not survive a power cut.
    #[error("the folder `new` cannot be synced: {0}")]
    Visible(io::Error),
}

impl Drop for Staged {
    fn drop(&mut self) {
        if self.state == State::Hidden {
            // What cannot be removed now is removed as left over: see `Maildirs::sweep`.
            let _ = self.maildirs.disk.remove(&self.path("tmp"));
        }
    }
}

/// Files in `tmp` older than this were left by a crash: the age that the Maildir format gives.
pub const LEFT_OVER: std::time::Duration = std::time::Duration::from_secs(36 * 3600);

impl Maildirs {
    /// Removes what crashes left in the `tmp` of a mailbox.
    pub fn sweep(&self, folder: &Path, now: std::time::SystemTime) -> io::Result<usize> {
        let tmp = folder.join("tmp");
        let mut removed = 0;
        for (name, _) in self.disk.list(&tmp)? {
            let path = tmp.join(name);
            let Ok(modified) = self.disk.modified(&path) else { continue };
            if now.duration_since(modified).is_ok_and(|age| age > LEFT_OVER) {
                self.disk.remove(&path)?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}
