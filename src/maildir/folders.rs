//! Which folder is whose.
//!
//! `root/<name>/{tmp,new,cur}` and the file `restante-account` with the account's id; `root/.trash/<id>` for deleted
//! ones. The directory commits first, and folders follow: what a crash leaves between the two is put right at the next
//! use, because the id in the folder tells whose it is. Ids grow, so of two that claim one folder the greater is right.

use std::collections::HashMap;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use super::Maildirs;
use crate::directory::{AccountId, Effect};
use crate::mail::Name;
use crate::sys::Kind;

/// The file in a Maildir that says whose it is.
pub const MARKER: &str = "restante-account";
/// The folder of deleted accounts' mail. No name begins with a dot.
pub const TRASH: &str = ".trash";
/// Octets of a marker, with room to spare.
const MARKER_OCTETS: u64 = 32;

/// Accounts whose folder was found in order, so that a delivery need not look again.
#[derive(Debug, Default)]
pub(super) struct Known(RwLock<HashMap<AccountId, Name>>);

impl Known {
    fn holds(&self, id: AccountId, name: &Name) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&id) == Some(name)
    }

    fn add(&self, id: AccountId, name: &Name) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(id, name.clone());
    }

    pub(super) fn remove(&self, id: AccountId) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&id);
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
                Effect::PopAdded { id, name } | Effect::PopRestored { id, name } => drop(self.folder(*id, name)?),
                Effect::PopRenamed { id, from, to } => self.renamed(*id, from, to)?,
                Effect::PopTrashed { id, name } => self.trashed(*id, name)?,
                Effect::PopPurged { id, .. } => self.purged(*id)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// The account's folder, made (or fetched from the trash) where it is missing, and cleared of an earlier holder's.
    pub(super) fn folder(&self, id: AccountId, name: &Name) -> io::Result<PathBuf> {
        let path = self.path(name);
        if self.known.holds(id, name) {
            return Ok(path);
        }
        match self.holder(&path)? {
            Holder::Account(found) if found > id => return Err(io::Error::other(format!("{name} belongs to a newer account"))),
            Holder::Account(found) if found < id => self.put_away(found, &path)?,
            _ => {}
        }
        let trash = self.trash(id);
        if self.holder(&path)? == Holder::Nobody && self.holder(&trash)? != Holder::Nobody {
            self.rename(&trash, &path)?;
        }
        self.make(id, &path)?;
        // Left-over files cost space and nothing else: a delivery does not fail over them.
        let _ = self.sweep(&path, std::time::SystemTime::now());
        self.known.add(id, name);
        Ok(path)
    }

    /// Whether the account has a folder, under its name or in the trash, or will have to be given one.
    pub(super) fn is_made(&self, id: AccountId, name: &Name) -> io::Result<bool> {
        Ok(self.known.holds(id, name)
            || self.holder(&self.path(name))? != Holder::Nobody
            || self.holder(&self.trash(id))? != Holder::Nobody)
    }

    fn make(&self, id: AccountId, path: &Path) -> io::Result<()> {
        let disk = &self.disk;
        for part in ["tmp", "new", "cur"] {
            disk.make_folder(&path.join(part))?;
        }
        if self.holder(path)? != Holder::Account(id) {
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
        disk.sync_folder(path)?;
        disk.sync_folder(self.root())
    }

    fn renamed(&self, id: AccountId, from: &Name, to: &Name) -> io::Result<()> {
        self.known.remove(id);
        let (old, new) = (self.path(from), self.path(to));
        if self.holder(&old)? == Holder::Account(id) {
            if let Holder::Account(other) = self.holder(&new)? {
                self.put_away(other, &new)?;
            }
            self.rename(&old, &new)?;
        }
        self.folder(id, to).map(drop)
    }

    fn trashed(&self, id: AccountId, name: &Name) -> io::Result<()> {
        self.known.remove(id);
        self.accounts.forget(id);
        let path = self.path(name);
        if self.holder(&path)? == Holder::Account(id) { self.put_away(id, &path) } else { Ok(()) }
    }

    fn purged(&self, id: AccountId) -> io::Result<()> {
        match self.disk.remove_tree(&self.trash(id)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn put_away(&self, id: AccountId, path: &Path) -> io::Result<()> {
        self.known.remove(id);
        self.rename(path, &self.trash(id))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)?;
        self.disk.sync_folder(&self.root().join(TRASH))?;
        self.disk.sync_folder(self.root())
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
