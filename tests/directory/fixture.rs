//! A directory in a throwaway folder, and changes in few words.

use std::path::Path;

use jiff::Timestamp;
use restante::directory::*;
use restante::mail::{Domain, Name};
use tempfile::TempDir;

/// An Argon2id hash as cheap as the rules allow.
pub const HASH: &str = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

pub fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

pub fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

pub fn key(text: &str) -> AliasKey {
    AliasKey::parse(text).unwrap()
}

pub fn target(text: &str) -> Target {
    Target::parse(text).unwrap()
}

pub fn targets(texts: &[&str]) -> Vec<Target> {
    texts.iter().map(|text| target(text)).collect()
}

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub fn hash() -> PasswordHash {
    PasswordHash(HASH.into())
}

pub fn add_domain(text: &str) -> Change {
    Change::AddDomain { domain: domain(text), owner: None }
}

pub fn delete_domain(text: &str) -> Change {
    Change::DeleteDomain { domain: domain(text), cascade: true }
}

pub fn add_master(text: &str, role: Role) -> Change {
    Change::AddMaster { name: name(text), role, password: hash() }
}

pub fn add_pop(text: &str, home: &str) -> Change {
    let owner = format!("Owner of {text}");
    Change::AddPop { name: name(text), domain: domain(home), owner, password: hash(), quota: None, state: State::Active }
}

pub fn delete_pop(text: &str) -> Change {
    Change::DeletePop { name: name(text) }
}

pub fn restore_pop(text: &str) -> Change {
    Change::RestorePop { name: name(text), id: None }
}

pub fn rename_pop(text: &str, new: &str, keep_alias: bool) -> Change {
    Change::RenamePop { name: name(text), new: name(new), keep_alias }
}

pub fn move_pop(text: &str, home: &str) -> Change {
    Change::EditPop { name: name(text), domain: Some(domain(home)), owner: None, quota: None }
}

pub fn add_list(text: &str, home: &str, owner: &str, members: &[&str]) -> Change {
    let (owner, members) = (target(owner), targets(members));
    Change::AddList { name: name(text), domain: domain(home), owner, posting: Posting::Anyone, members }
}

pub fn add_alias(address: &str, to: &[&str]) -> Change {
    Change::AddAlias { key: key(address), targets: targets(to), note: None, expires: None }
}

pub fn remove_alias(address: &str, to: &[&str]) -> Change {
    Change::RemoveAlias { key: key(address), targets: targets(to) }
}

/// A directory that lives as long as the test.
pub struct House {
    pub folder: TempDir,
    pub directory: Directory,
}

impl House {
    /// With nothing in it.
    pub fn empty() -> Self {
        // In memory where there is such a place: nothing here waits for a disk, and no test cuts the power of one.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        Self { folder, directory }
    }

    /// The members of a list, as it orders them.
    pub fn seats(&self, list: &str) -> Vec<Target> {
        self.directory.snapshot().members(&name(list), None, 1000).unwrap().records.into_iter().map(|member| member.target).collect()
    }

    /// With these changes made.
    pub fn with(changes: &[Change]) -> Self {
        let house = Self::empty();
        for change in changes {
            house.must(change);
        }
        house
    }

    /// With two domains and two accounts.
    pub fn usual() -> Self {
        Self::with(&[add_domain("example.org"), add_domain("example.com"), add_pop("alice", "example.org"), add_pop("bob", "example.org")])
    }

    pub fn apply(&self, change: &Change) -> Result<Applied, ChangeError> {
        self.directory.apply(Actor::Uid(1000), change, at(1_000_000))
    }

    pub fn must(&self, change: &Change) -> Vec<Effect> {
        self.apply(change).unwrap_or_else(|e| panic!("{change:?}: {e}")).effects
    }

    pub fn refused(&self, change: &Change) -> Refusal {
        let before = self.text();
        let refusal = match self.apply(change) {
            Err(ChangeError::Refused(refusal)) => refusal,
            other => panic!("{change:?}: {other:?}"),
        };
        assert_eq!(self.text(), before, "a refused change changed something");
        refusal
    }

    /// `alice,alice+x@example.org`: where an alias leads; empty where there is none.
    pub fn leads(&self, address: &str) -> String {
        let alias = self.directory.snapshot().alias(&key(address)).unwrap();
        let targets = alias.map(|alias| alias.targets).unwrap_or_default();
        targets.iter().map(Target::to_string).collect::<Vec<_>>().join(",")
    }

    pub fn pop(&self, text: &str) -> Option<Pop> {
        self.directory.snapshot().pop(&name(text)).unwrap()
    }

    /// Everything, as an export shows it.
    pub fn text(&self) -> String {
        text(&self.directory)
    }

    /// Closed and opened again.
    pub fn reopened(self) -> Self {
        let Self { folder, directory } = self;
        drop(directory);
        let directory = Directory::open(folder.path()).unwrap();
        Self { folder, directory }
    }
}

pub fn text(directory: &Directory) -> String {
    let mut out = Vec::new();
    directory.snapshot().write_export(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Copies the files of a folder (a RocksDB folder has no folders in it).
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
