//! Delivery in two steps: *stage* (the file is written to `tmp` and synced) and *publish* (it is renamed to `new`, and
//! the folder is synced). Whoever delivers to several mailboxes stages all before publishing any.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
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

/// A file in `tmp` whose content the disk has. Dropped without being published, it is removed.
pub struct Staged<'a> {
    maildirs: &'a Maildirs,
    account: AccountId,
    folder: PathBuf,
    name: String,
    size: u64,
    state: State,
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

    /// Writes a copy to the mailbox's `tmp`, and waits for the disk.
    pub fn stage(&self, to: &Destination, copy: Copy<'_>, stamp: Stamp) -> io::Result<Staged<'_>> {
        let folder = self.folder(to.id, &to.name)?;
        let (size, wire_size) = (copy.size(), copy.size() + copy.lines());
        let name = FileName { stamp, host: self.host.clone(), size, wire_size }.to_string();
        let mut staged = Staged { maildirs: self, account: to.id, folder, name, size, state: State::Unwritten };
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
        file.write_all(copy.fields.as_bytes())?;
        io::copy(&mut io::BufReader::with_capacity(BLOCK, copy.text.read()?), &mut file)?;
        file.sync()?;
        Ok(staged)
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

impl Staged<'_> {
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

    /// Makes the copy visible, and waits until the disk has its name. The path of the file in `new`.
    pub fn publish(&mut self) -> Result<PathBuf, PublishError> {
        let (new, path) = (self.folder.join("new"), self.path("new"));
        let disk = &self.maildirs.disk;
        let rename = || disk.rename(&self.path("tmp"), &path);
        self.maildirs.accounts.adding(self.account, || disk.modified(&new), self.size, rename).map_err(PublishError::Hidden)?;
        self.state = State::Visible;
        disk.sync_folder(&new).map_err(PublishError::Visible)?;
        Ok(path)
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

impl Drop for Staged<'_> {
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
