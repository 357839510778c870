//! The engine: RocksDB, one instance, column families by record kind.

use std::path::Path;

use jiff::Timestamp;

use super::change::{Actor, Applied, Change, ChangeError, Effect};
use super::model::*;
use super::view::{Unreadable, View};
use crate::mail::{Domain, Name};

/// The directory on disk. Shared by reference between all readers and writers of the process.
pub struct Directory {}

/// Why a directory cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("the directory is in use by another process; stop it, or use its socket")]
    InUse,
    /// The engine refused.
    #[error("the directory cannot be opened: {0}")]
    Engine(String),
}

/// One consistent state of the directory.
pub struct Snapshot<'a> {
    _a: &'a Directory,
}

/// A page of records: those after a key, up to a limit, and where to go on.
pub struct Page<T> {
    /// The records.
    pub records: Vec<T>,
    /// The key to continue after; none at the end.
    pub next: Option<String>,
}

impl Directory {
    /// Opens the directory in `path`, making it where there is none.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        todo!()
    }
    /// What the directory holds now.
    pub fn snapshot(&self) -> Snapshot<'_> {
        todo!()
    }
    /// Carries out a change: when this returns, the disk has it.
    pub fn apply(&self, actor: &Actor, change: &Change, now: Timestamp) -> Result<Applied, ChangeError> {
        todo!()
    }
    /// Carries out many changes, in groups that are synced together; each stands or falls alone.
    pub fn apply_all(&self, actor: &Actor, changes: &[Change], now: Timestamp) -> Result<Vec<Result<Applied, ChangeError>>, Unreadable> {
        todo!()
    }
    /// What a change would do.
    pub fn preview(&self, change: &Change, now: Timestamp) -> Result<Vec<Effect>, ChangeError> {
        todo!()
    }
    /// Notes that mail came through an alias: counted in memory, written now and then by [`Directory::write_uses`].
    pub fn used(&self, alias: &AliasKey, at: Timestamp) {
        todo!()
    }
    /// Writes the counts noted since the last time.
    pub fn write_uses(&self) -> Result<(), Unreadable> {
        todo!()
    }
}

impl Snapshot<'_> {
    /// Domains after `after`, in order.
    pub fn domains(&self, after: Option<&str>, limit: usize) -> Result<Page<DomainRecord>, Unreadable> {
        todo!()
    }
    /// Masters after `after`, in order.
    pub fn masters(&self, after: Option<&str>, limit: usize) -> Result<Page<Master>, Unreadable> {
        todo!()
    }
    /// POP accounts after `after`, in order of name.
    pub fn pops(&self, after: Option<&str>, limit: usize) -> Result<Page<Pop>, Unreadable> {
        todo!()
    }
    /// List accounts after `after`, in order of name.
    pub fn lists(&self, after: Option<&str>, limit: usize) -> Result<Page<List>, Unreadable> {
        todo!()
    }
    /// Aliases after `after`, by domain, then local part; hidden ones too.
    pub fn aliases(&self, after: Option<&str>, limit: usize) -> Result<Page<Alias>, Unreadable> {
        todo!()
    }
    /// POP accounts in the trash, by id.
    pub fn trash(&self) -> Result<Vec<Trashed>, Unreadable> {
        todo!()
    }
}

/// A deleted POP account that can be brought back.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Trashed {
    /// The account as it was.
    pub pop: Pop,
    /// When it was deleted.
    pub deleted: Timestamp,
    /// The alias entries that led to it, and those removed with them.
    pub entries: Vec<(AliasKey, Target)>,
}

impl View for Snapshot<'_> {
    fn revision(&self) -> Revision {
        todo!()
    }
    fn domain(&self, domain: &Domain) -> Result<Option<DomainRecord>, Unreadable> {
        todo!()
    }
    fn holder(&self, name: &Name) -> Result<Option<Kind>, Unreadable> {
        todo!()
    }
    fn master(&self, name: &Name) -> Result<Option<Master>, Unreadable> {
        todo!()
    }
    fn pop(&self, name: &Name) -> Result<Option<Pop>, Unreadable> {
        todo!()
    }
    fn list(&self, name: &Name) -> Result<Option<List>, Unreadable> {
        todo!()
    }
    fn alias(&self, key: &AliasKey) -> Result<Option<Alias>, Unreadable> {
        todo!()
    }
    fn aliases_to(&self, target: &Target) -> Result<Vec<AliasKey>, Unreadable> {
        todo!()
    }
}
