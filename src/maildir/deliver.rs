//! Delivery in two steps: *stage* (the file is written to `tmp` and synced) and *publish* (it is renamed to `new`, and
//! the folder is synced). Whoever delivers to several mailboxes stages all before publishing any.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use jiff::Timestamp;

use super::Maildirs;
use super::name::FileName;
use crate::directory::AccountId;
use crate::router::Destination;

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
    published: bool,
}

impl Maildirs {
    /// Writes a copy to the mailbox's `tmp`, and waits for the disk.
    pub fn stage(&self, to: &Destination, copy: Copy<'_>, now: Timestamp) -> io::Result<Staged<'_>> {
        let mut staged = Staged {
            maildirs: self,
            account: to.id,
            folder: self.folder(to.id, &to.name)?,
            name: self.file_name(copy, now).to_string(),
            size: copy.size(),
            published: false,
        };
        let mut file = match self.disk.create(&staged.path("tmp")) {
            // An admin moved the folder away while the server runs: it is looked for, and made, once more.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.known.remove(to.id);
                staged.folder = self.folder(to.id, &to.name)?;
                self.disk.create(&staged.path("tmp"))?
            }
            other => other?,
        };
        file.write_all(copy.fields.as_bytes())?;
        io::copy(&mut io::BufReader::with_capacity(BLOCK, copy.text.read()?), &mut file)?;
        file.sync()?;
        Ok(staged)
    }

    fn file_name(&self, copy: Copy<'_>, now: Timestamp) -> FileName {
        FileName {
            at: now,
            process: std::process::id(),
            sequence: self.sequence.fetch_add(1, Ordering::Relaxed),
            host: self.host.clone(),
            size: copy.size(),
            wire_size: copy.size() + copy.lines(),
        }
    }
}

impl Staged<'_> {
    fn path(&self, part: &str) -> PathBuf {
        self.folder.join(part).join(&self.name)
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
        self.published = true;
        disk.sync_folder(&new).map_err(PublishError::Visible)?;
        Ok(path)
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
        if !self.published {
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
            if now.duration_since(self.disk.modified(&path)?).is_ok_and(|age| age > LEFT_OVER) {
                self.disk.remove(&path)?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}
