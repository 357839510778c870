//! Copies that were accepted and whose mailbox could not be reached: one file each, `queue/<id>.<account>.<name>`, with
//! the text as it will lie in the Maildir. While such a file is being written its name ends in [`PART`].

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::PoisonError;

use jiff::Timestamp;

use super::Core;
use super::recover::Whereabouts;
use crate::directory::AccountId;
use crate::mail::{Name, QueueId};
use crate::maildir::name::Stamp;
use crate::maildir::{self, PublishError, Safety, Text};
use crate::router::Destination;
use crate::sys::{Disk as _, Real};
use crate::telemetry::Event;

/// Octets moved at a time.
const BLOCK: usize = 64 * 1024;

/// Ends the name of a file that is not whole yet.
const PART: &str = "~part";

/// What a name in the queue's folder means: the rows of the table in `spool/README.md`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// `<id>.<account>.<name>~part`: written when the process ended; nothing was acknowledged for it.
    Part,
    /// `<id>.<account>.<name>`: an acknowledged copy that waits for its mailbox.
    Waiting(Waiting),
    /// Anything else: not ours.
    Foreign,
}

/// What becomes of an entry at start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is removed.
    Remove,
    /// It is delivered, as soon as its mailbox can be reached.
    Deliver,
    /// It is left alone.
    Leave,
}

/// A copy that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The message.
    pub id: QueueId,
    /// The account.
    pub account: AccountId,
    /// The account's name at the time.
    pub name: Name,
}

impl Entry {
    /// Reads a name in the queue's folder.
    pub fn of(file: &str) -> Self {
        let (whole, part) = match file.strip_suffix(PART) {
            Some(whole) => (whole, true),
            None => (file, false),
        };
        match (Waiting::from_str(whole), part) {
            (Ok(_), true) => Self::Part,
            (Ok(waiting), false) => Self::Waiting(waiting),
            (Err(_), _) => Self::Foreign,
        }
    }

    /// What becomes of it at start.
    pub fn fate(&self) -> Fate {
        match self {
            Self::Part => Fate::Remove,
            Self::Waiting(_) => Fate::Deliver,
            Self::Foreign => Fate::Leave,
        }
    }
}

impl Waiting {
    /// When its message was accepted.
    pub fn arrived(&self) -> Timestamp {
        i64::try_from(self.id.number()).ok().and_then(|micros| Timestamp::from_microsecond(micros).ok()).unwrap_or_default()
    }

    /// The stamp of its file in the Maildir: the same at each try.
    pub(super) fn stamp(&self) -> Stamp {
        Stamp { at: self.arrived(), process: 0, sequence: self.account.0 }
    }
}

impl FromStr for Waiting {
    type Err = ();
    fn from_str(file: &str) -> Result<Self, ()> {
        let mut parts = file.splitn(3, '.');
        let mut part = || parts.next().ok_or(());
        let id = QueueId::parse(part()?).map_err(drop)?;
        let account = AccountId(part()?.parse().map_err(drop)?);
        let name = Name::parse(part()?).map_err(drop)?;
        Ok(Self { id, account, name })
    }
}

impl std::fmt::Display for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.id, self.account.0, self.name)
    }
}

/// A copy that waits, and its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// Whose it is.
    pub waiting: Waiting,
    /// Octets of the file.
    pub octets: u64,
}

/// The copies in the folder of those that wait, oldest first. For those who only look: a server may be at work there.
pub fn copies(folder: &Path) -> io::Result<Vec<Copy>> {
    let mut found = Vec::new();
    let files = match Real.list(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        files => files?,
    };
    for (file, _) in files {
        let Entry::Waiting(waiting) = Entry::of(&file) else { continue };
        match Real.len(&folder.join(&file)) {
            Ok(octets) => found.push(Copy { waiting, octets }),
            // It has been delivered meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    found.sort_by_key(|copy| (copy.waiting.id, copy.waiting.account));
    Ok(found)
}

/// A waiting copy as a text.
struct Held<'a> {
    spool: &'a Core,
    path: &'a Path,
    octets: u64,
    lines: u64,
}

impl Text for Held<'_> {
    fn len(&self) -> u64 {
        self.octets
    }

    fn lines(&self) -> u64 {
        self.lines
    }

    fn read(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(self.spool.disk.open(self.path)?)
    }
}

impl Core {
    /// Takes a copy into the queue: when this returns, the disk has it there.
    pub(super) fn hold(&self, waiting: &Waiting, copy: &mut dyn Read) -> io::Result<PathBuf> {
        let name = waiting.to_string();
        let (part, path) = (self.queue.join(format!("{name}{PART}")), self.queue.join(name));
        let held = self.copy_to(&part, copy).and_then(|()| self.disk.rename(&part, &path));
        if let Err(error) = held {
            // What cannot be removed now is removed at the next start.
            let _ = self.disk.remove(&part);
            return Err(error);
        }
        if let Err(error) = self.disk.sync_folder(&self.queue) {
            let _ = self.disk.remove(&path);
            return Err(error);
        }
        Ok(path)
    }

    fn copy_to(&self, path: &Path, copy: &mut dyn Read) -> io::Result<()> {
        let mut file = match self.disk.create(path) {
            // What an earlier try has left.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.disk.remove(path)?;
                self.disk.create(path)?
            }
            made => made?,
        };
        io::copy(&mut io::BufReader::with_capacity(BLOCK, copy), &mut file)?;
        file.sync()
    }

    /// Removes what was being written when the process ended, and begins the numbers after those that wait.
    pub(super) fn clear_queue(&self) -> io::Result<()> {
        for (file, _) in self.disk.list(&self.queue)? {
            let entry = Entry::of(&file);
            match entry.fate() {
                Fate::Remove => self.disk.remove(&self.queue.join(&file))?,
                Fate::Deliver | Fate::Leave => {}
            }
            if let Entry::Waiting(waiting) = entry {
                self.numbering.pass(waiting.id);
            }
        }
        Ok(())
    }

    /// Delivers what waits, oldest first. Copies of accounts that `whereabouts` does not find stay. How many still wait.
    pub(super) fn deliver_queue(&self, whereabouts: Whereabouts<'_>) -> io::Result<usize> {
        let mut delivered = self.delivered.lock().unwrap_or_else(PoisonError::into_inner);
        let mut files: Vec<String> = self.disk.list(&self.queue)?.into_iter().map(|(file, _)| file).collect();
        files.sort();
        let mut left = 0;
        for file in files {
            let Entry::Waiting(waiting) = Entry::of(&file) else { continue };
            let path = self.queue.join(&file);
            if !delivered.contains(&file) {
                let Some(to) = whereabouts(waiting.account, &waiting.name) else {
                    left += 1;
                    continue;
                };
                if let Err(error) = self.deliver_held(&path, &waiting, &to) {
                    Event::CopyStillHeld { id: waiting.id, mailbox: to.name.as_str(), cause: &error.to_string() }.say();
                    left += 1;
                    continue;
                }
                delivered.insert(file.clone());
            }
            match self.disk.remove(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Event::CopyNotRemoved { id: waiting.id, cause: &error.to_string() }.say();
                }
                _ => drop(delivered.remove(&file)),
            }
        }
        self.disk.sync_folder(&self.queue)?;
        Ok(left)
    }

    /// Delivers a waiting copy, unless a try that a crash cut off has done so already: the name in the Maildir is always
    /// the same one.
    fn deliver_held(&self, path: &Path, waiting: &Waiting, to: &Destination) -> io::Result<()> {
        let stamp = waiting.stamp();
        if self.maildirs.holds(to, stamp)? {
            return Ok(());
        }
        let mut lines = 0;
        let mut block = vec![0; BLOCK];
        let mut file = self.disk.open(path)?;
        while let Some(part) = Some(file.read(&mut block)?).and_then(|octets| block.get(..octets)).filter(|part| !part.is_empty()) {
            lines += memchr::memchr_iter(b'\n', part).count() as u64;
        }
        let text = Held { spool: self, path, octets: self.disk.len(path)?, lines };
        let mut staged = self.maildirs.stage(to, maildir::Copy { fields: "", text: &text }, stamp, Safety::Synced)?;
        staged.publish().map(drop).map_err(|(PublishError::Hidden(error) | PublishError::Visible(error))| error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_in_the_queue_has_the_fate_that_the_table_gives() {
        let table = include_str!("../../spool/README.md");
        for (name, fate, words) in [
            ("0000000000001.7.alice~part", Fate::Remove, "removed"),
            ("0000000000001.7.alice.b", Fate::Deliver, "delivered"),
            ("notes.txt", Fate::Leave, "left alone"),
        ] {
            assert_eq!(Entry::of(name).fate(), fate, "{name}");
            assert!(table.lines().any(|row| row.contains(name) && row.contains(words)), "the table has no row for {name}: {words}");
        }
    }
}
