//! Which folder is whose.
//!
//! `root/<name>/{tmp,new,cur}` and the file `restante-account` with the account's id; `root/.trash/<id>` for deleted
//! ones. The directory commits first, and folders follow: what a crash leaves between the two is put right at the next
//! use, because the id in the folder tells whose it is. Ids grow, so of two that claim one folder the greater is right.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};

use super::Maildirs;
use super::recently::Recently;
use crate::directory::{AccountId, Effect};
use crate::mail::Name;
use crate::sys::Kind;

/// The file in a Maildir that says whose it is.
pub const MARKER: &str = "restante-account";
/// The folder of deleted accounts' mail. No name begins with a dot.
pub const TRASH: &str = ".trash";
/// Ends the name of a folder in the trash that is being removed for good.
const PURGED: &str = "~purged";
/// Octets of a marker, with room to spare.
const MARKER_OCTETS: u64 = 32;
/// Folders that can be made at the same time: their syncs then share a commit of the file system's journal.
const MADE_AT_ONCE: usize = 64;

/// What this process knows of an account's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Whereabouts {
    /// It was found in order under this name, so that a delivery need not look again.
    Under(Name),
    /// It went to the trash: a delivery that was routed before does not bring it back.
    Trashed,
}

impl Whereabouts {
    /// A folder can be looked for again. That an account was deleted has to be known for as long as a delivery may be under way.
    fn is_kept(&self) -> bool {
        *self == Self::Trashed
    }
}

/// What this process knows of folders, and who may make and move them.
#[derive(Debug)]
pub(super) struct Known {
    accounts: RwLock<Recently<Whereabouts>>,
    /// Accounts whose folder an admin has put on another file system than the mail root's.
    elsewhere: RwLock<HashSet<AccountId>>,
    /// Held shared while a folder is made, and alone while folders move.
    moving: RwLock<()>,
    /// Held while the folder of a name is made.
    making: [Mutex<()>; MADE_AT_ONCE],
    stripes: RandomState,
}

impl Default for Known {
    fn default() -> Self {
        let making = std::array::from_fn(|_| Mutex::default());
        Self { accounts: RwLock::default(), elsewhere: RwLock::default(), moving: RwLock::default(), making, stripes: RandomState::new() }
    }
}

impl Known {
    fn is(&self, id: AccountId, whereabouts: &Whereabouts) -> bool {
        let known = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
        let is = known.peek(id) == Some(whereabouts);
        if is && known.is_old(id) {
            drop(known);
            let mut known = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
            // Somebody may have moved it in between; then their word holds.
            return known.remove(id).is_some_and(|found| {
                let is = found == *whereabouts;
                known.set(id, found, Whereabouts::is_kept);
                is
            });
        }
        is
    }

    /// Whether a sync of the mail root's file system reaches the account's folder.
    pub(super) fn is_covered(&self, id: AccountId) -> bool {
        !self.elsewhere.read().unwrap_or_else(PoisonError::into_inner).contains(&id)
    }

    fn set_covered(&self, id: AccountId, covered: bool) {
        if covered != self.is_covered(id) {
            let mut elsewhere = self.elsewhere.write().unwrap_or_else(PoisonError::into_inner);
            if covered {
                elsewhere.remove(&id)
            } else {
                elsewhere.insert(id)
            };
        }
    }

    fn set(&self, id: AccountId, whereabouts: Whereabouts) {
        self.accounts.write().unwrap_or_else(PoisonError::into_inner).set(id, whereabouts, Whereabouts::is_kept);
    }

    fn remove(&self, id: AccountId) {
        self.accounts.write().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// The account's folder is no longer where it was found; that it was deleted stays known.
    pub(super) fn lost(&self, id: AccountId, name: &Name) {
        let mut accounts = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
        if accounts.peek(id) == Some(&Whereabouts::Under(name.clone())) {
            accounts.remove(id);
        }
    }

    fn stripe(&self, name: &Name) -> Option<&Mutex<()>> {
        self.making.get(self.stripes.hash_one(name) as usize % MADE_AT_ONCE)
    }
}

impl Maildirs {
    /// The folder of an account's mail.
    pub fn path(&self, name: &Name) -> PathBuf {
        self.root().join(name.as_str())
    }

    /// Does to the folders what a change of the directory calls for. Safe to repeat.
    pub fn follow(&self, effects: &[Effect]) -> io::Result<()> {
        for effect in effects {
            match effect {
                Effect::PopAdded { id, name } => drop(self.folder(*id, name)?),
                Effect::PopRestored { id, name } => {
                    self.known.remove(*id);
                    self.folder(*id, name)?;
                }
                Effect::PopRenamed { id, from, to } => self.alone(|| self.renamed(*id, from, to))?,
                Effect::PopTrashed { id, name } => self.alone(|| self.trashed(*id, name))?,
                Effect::PopPurged { id, name } => self.alone(|| self.purged(*id, name))?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Ends removals that a crash cut off.
    pub(super) fn end_removals(&self) -> io::Result<()> {
        let trash = self.root().join(TRASH);
        for (entry, _) in self.disk.list(&trash)?.into_iter().filter(|(entry, _)| entry.ends_with(PURGED)) {
            self.disk.remove_tree(&trash.join(entry))?;
        }
        Ok(())
    }

    /// The account's folder, made (or fetched from the trash) where it is missing, and cleared of an earlier holder's.
    pub(super) fn folder(&self, id: AccountId, name: &Name) -> io::Result<PathBuf> {
        let here = Whereabouts::Under(name.clone());
        let path = self.path(name);
        if self.known.is(id, &here) {
            return Ok(path);
        }
        if self.known.is(id, &Whereabouts::Trashed) {
            return Err(io::Error::other(format!("the account {name} has just been deleted")));
        }
        {
            let _nothing_moves = self.known.moving.read().unwrap_or_else(PoisonError::into_inner);
            let _one_maker = self.known.stripe(name).map(|stripe| stripe.lock().unwrap_or_else(PoisonError::into_inner));
            let place = self.holder(&path)?;
            if !matches!(place, Holder::Account(found) if found != id) && self.holder(&self.trash(id))? == Holder::Nobody {
                self.settle(id, name, place)?;
                return Ok(path);
            }
        }
        self.alone(|| self.clear_and_settle(id, name))?;
        Ok(path)
    }

    /// Whether the account has a folder, under its name or in the trash, or another one stands in its place.
    pub(super) fn is_made(&self, id: AccountId, name: &Name) -> io::Result<bool> {
        Ok(self.known.is(id, &Whereabouts::Under(name.clone()))
            || self.holder(&self.path(name))? != Holder::Nobody
            || self.holder(&self.trash(id))? != Holder::Nobody)
    }

    /// Fails unless the account's folder is still known to lie under `name`.
    pub(super) fn expect_known(&self, id: AccountId, name: &Name) -> io::Result<()> {
        let moved = || Err(io::Error::other(format!("the Maildir of {name} has just been moved")));
        if self.known.is(id, &Whereabouts::Under(name.clone())) { Ok(()) } else { moved() }
    }

    /// Acts while no folder is being made or moved.
    fn alone<T>(&self, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let _alone = self.known.moving.write().unwrap_or_else(PoisonError::into_inner);
        act()
    }

    fn clear_and_settle(&self, id: AccountId, name: &Name) -> io::Result<()> {
        let path = self.path(name);
        match self.holder(&path)? {
            Holder::Account(found) if found > id => return Err(io::Error::other(format!("{name} belongs to a newer account"))),
            Holder::Account(found) if found < id => self.put_away(found, &path)?,
            Holder::Nobody | Holder::Unmarked | Holder::Account(_) => {}
        }
        let trash = self.trash(id);
        if self.holder(&trash)? != Holder::Nobody {
            self.join(&trash, &path)?;
        }
        let place = self.holder(&path)?;
        self.settle(id, name, place)
    }

    /// Makes what is missing of a folder that is the account's to have.
    fn settle(&self, id: AccountId, name: &Name, place: Holder) -> io::Result<()> {
        let path = self.path(name);
        self.make(id, &path, place)?;
        // Left-over files cost space and nothing else: a delivery does not fail over them.
        let _ = self.sweep(&path, std::time::SystemTime::now());
        let root = self.disk.volume(self.root())?;
        let mut covered = true;
        for part in ["tmp", "new", "cur"] {
            covered &= self.disk.volume(&path.join(part))? == root;
        }
        self.known.set_covered(id, covered);
        self.known.set(id, Whereabouts::Under(name.clone()));
        Ok(())
    }

    fn make(&self, id: AccountId, path: &Path, place: Holder) -> io::Result<()> {
        let disk = &self.disk;
        for part in ["tmp", "new", "cur"] {
            disk.make_folder(&path.join(part))?;
        }
        if place != Holder::Account(id) {
            let draft = path.join(format!("{MARKER}~part"));
            match disk.remove(&draft) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
            let mut file = disk.create(&draft)?;
            writeln!(file, "{}", id.0)?;
            file.sync()?;
            disk.rename(&draft, &path.join(MARKER))?;
        }
        // Even where all was there: a crash may have come before these syncs.
        disk.sync_folder(path)?;
        disk.sync_folder(self.root())
    }

    fn renamed(&self, id: AccountId, from: &Name, to: &Name) -> io::Result<()> {
        self.known.remove(id);
        let (old, new) = (self.path(from), self.path(to));
        if self.holder(&old)? == Holder::Account(id) {
            match self.holder(&new)? {
                Holder::Account(other) if other != id => self.put_away(other, &new)?,
                Holder::Nobody | Holder::Unmarked | Holder::Account(_) => {}
            }
            self.join(&old, &new)?;
        }
        self.clear_and_settle(id, to)
    }

    fn trashed(&self, id: AccountId, name: &Name) -> io::Result<()> {
        let path = self.path(name);
        if self.holder(&path)? == Holder::Unmarked {
            // Mail that an admin brought for an account that was never used.
            self.make(id, &path, Holder::Unmarked)?;
        }
        if self.holder(&path)? == Holder::Account(id) {
            self.put_away(id, &path)?;
        }
        self.known.set(id, Whereabouts::Trashed);
        self.accounts.forget(id);
        Ok(())
    }

    fn purged(&self, id: AccountId, name: &Name) -> io::Result<()> {
        let path = self.path(name);
        if self.holder(&path)? == Holder::Account(id) {
            // A crash came between the deletion and the way to the trash, and nobody has seen to it yet.
            self.put_away(id, &path)?;
        }
        let (kept, purged) = (self.trash(id), self.root().join(TRASH).join(format!("{}{PURGED}", id.0)));
        let missing = |done: io::Result<()>| match done {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        };
        // Two steps, so that a removal that is cut off is known as one, and never mistaken for mail that is kept.
        missing(self.disk.remove_tree(&purged))?;
        missing(self.disk.rename(&kept, &purged))?;
        self.disk.sync_folder(&self.root().join(TRASH))?;
        missing(self.disk.remove_tree(&purged))
    }

    fn put_away(&self, id: AccountId, path: &Path) -> io::Result<()> {
        self.known.remove(id);
        self.join(path, &self.trash(id))
    }

    /// Moves a folder; where there is one already, its content goes there.
    fn join(&self, from: &Path, to: &Path) -> io::Result<()> {
        if self.holder(to)? == Holder::Nobody {
            self.disk.rename(from, to)?;
        } else {
            self.merge(from, to)?;
            self.disk.sync_folder(to)?;
            self.disk.remove_tree(from)?;
        }
        self.disk.sync_folder(&self.root().join(TRASH))?;
        self.disk.sync_folder(self.root())
    }

    /// Moves the files of one folder into another. Of two with the same name, one is enough: names of messages are
    /// unique, and anything else is made anew by the program that it belongs to.
    fn merge(&self, from: &Path, to: &Path) -> io::Result<()> {
        let there: HashSet<String> = self.disk.list(to)?.into_iter().map(|(name, _)| name).collect();
        for (name, kind) in self.disk.list(from)? {
            let (source, target) = (from.join(&name), to.join(&name));
            if !there.contains(&name) {
                self.disk.rename(&source, &target)?;
            } else if kind == Kind::Folder {
                self.merge(&source, &target)?;
                self.disk.sync_folder(&target)?;
            }
        }
        Ok(())
    }

    fn trash(&self, id: AccountId) -> PathBuf {
        self.root().join(TRASH).join(id.0.to_string())
    }

    /// Whose a folder is.
    fn holder(&self, path: &Path) -> io::Result<Holder> {
        let missing = |e: &io::Error| e.kind() == io::ErrorKind::NotFound;
        let file = match self.disk.open(&path.join(MARKER)) {
            Ok(file) => file,
            Err(e) if missing(&e) => {
                return match self.disk.modified(path) {
                    Ok(_) => Ok(Holder::Unmarked),
                    Err(e) if missing(&e) => Ok(Holder::Nobody),
                    Err(e) => Err(e),
                };
            }
            Err(e) => return Err(e),
        };
        let mut text = String::new();
        file.take(MARKER_OCTETS).read_to_string(&mut text)?;
        let damaged = || io::Error::other(format!("{} does not hold an account's number", path.join(MARKER).display()));
        text.trim().parse().map(|id| Holder::Account(AccountId(id))).map_err(|_| damaged())
    }

    /// Folders under the root that carry an account's id, as a check after a crash sees them.
    pub fn claimed(&self) -> io::Result<Vec<(Name, AccountId)>> {
        let mut claimed = Vec::new();
        for (entry, kind) in self.disk.list(self.root())? {
            let Some(name) = Name::parse(&entry).ok().filter(|_| kind == Kind::Folder) else { continue };
            if let Ok(Holder::Account(id)) = self.holder(&self.path(&name)) {
                claimed.push((name, id));
            }
        }
        Ok(claimed)
    }
}

/// What the marker of a folder says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    /// There is no folder.
    Nobody,
    /// There is a folder, and no marker: it was just being made, or an admin brought it.
    Unmarked,
    /// It is this account's.
    Account(AccountId),
}
