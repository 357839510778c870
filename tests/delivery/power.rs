//! A disk in memory that is as unkind as the standards allow.
//!
//! It keeps apart what programs see and what would survive. A power cut ([`Memory::restart`]) keeps of each file what was
//! synced, and of the rest nothing, a part, zeros, or all; and of the names that were made, moved or removed since their
//! folder was synced, any subset, in any order. One kindness is shared with every file system in use: a rename never loses
//! the file, so that its old name goes only if its new name stays.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::path::{Component, Path};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use restante::sys::disk::{Disk, InPlace, Kind, Output, Volume};

type Number = usize;
type Names = BTreeMap<String, Number>;

/// The folder `/`.
const TOP: Number = 0;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// One operation fails so.
    Once(io::ErrorKind),
    /// Two operations in a row fail so.
    Twice(io::ErrorKind),
    /// This operation and all later ones that need room fail with [`io::ErrorKind::StorageFull`], until [`Memory::heal`].
    Full,
    /// The power goes: this operation and all later ones fail, until [`Memory::restart`].
    PowerCut,
}

/// The disk. Clones are the same disk.
#[derive(Clone, Default)]
pub struct Memory {
    state: Arc<Mutex<State>>,
}

struct State {
    nodes: Vec<Node>,
    /// Name changes that are not safe yet, in the order they happened.
    pending: Vec<Pending>,
    operations: u64,
    fault: Option<(u64, Fault)>,
    dead: bool,
    /// Grows with each restart: what was opened before is of no use after.
    life: u64,
    tick: u64,
    free: u64,
}

enum Node {
    File { seen: Vec<u8>, safe: Vec<u8> },
    Folder { seen: Names, safe: Names, modified: u64 },
}

struct Pending {
    folder: Number,
    name: String,
    change: NameChange,
    /// The half of a rename that has to be kept for this one to be kept.
    with: Option<u64>,
    /// Stays the same while others are taken out.
    serial: u64,
}

#[derive(Clone, Copy)]
enum NameChange {
    Add(Number),
    Remove,
}

impl Default for State {
    fn default() -> Self {
        let top = Node::Folder { seen: Names::new(), safe: Names::new(), modified: 0 };
        Self { nodes: vec![top], pending: Vec::new(), operations: 0, fault: None, dead: false, life: 0, tick: 0, free: u64::MAX }
    }
}

impl Memory {
    /// Operations so far that a [`Fault`] can hit.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Lets the `nth` operation from now (0 is the next) run into `fault`.
    pub fn fail(&self, nth: u64, fault: Fault) {
        let mut state = self.state();
        state.fault = Some((state.operations.saturating_add(nth), fault));
    }

    /// Ends a [`Fault`].
    pub fn heal(&self) {
        self.state().fault = None;
    }

    /// Sets what [`Disk::free`] answers.
    pub fn set_free(&self, octets: u64) {
        self.state().free = octets;
    }

    /// A power cut, and power again: what was not safe is decided by `seed`.
    pub fn restart(&self, seed: u64) {
        self.state().restart(&mut StdRng::seed_from_u64(seed));
    }

    /// Power that went off is on again, and nothing was lost.
    pub fn go_on(&self) {
        let mut state = self.state();
        state.fault = None;
        state.dead = false;
    }

    /// Every file, by path, with its content.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        self.state().collect(TOP, String::new(), &mut found);
        found
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts an operation, and lets it fail if its time has come. `Room` operations are those that a full disk refuses.
    fn operate(&mut self, needs: Needs) -> io::Result<()> {
        let number = self.operations;
        self.operations += 1;
        match self.fault {
            _ if self.dead => Err(io::Error::other("the power is off")),
            Some((at, Fault::Once(kind))) if number == at => Err(kind.into()),
            Some((at, Fault::Twice(kind))) if number == at || number == at + 1 => Err(kind.into()),
            Some((at, Fault::Full)) if number >= at && needs == Needs::Room => Err(io::ErrorKind::StorageFull.into()),
            Some((at, Fault::PowerCut)) if number >= at => {
                self.dead = true;
                Err(io::Error::other("the power went off"))
            }
            _ => Ok(()),
        }
    }

    fn now(&mut self) -> u64 {
        self.tick += 1;
        self.tick
    }

    fn find(&self, path: &Path) -> io::Result<Number> {
        let mut at = TOP;
        for part in path.components() {
            let Component::Normal(name) = part else { continue };
            let Some(Node::Folder { seen, .. }) = self.nodes.get(at) else { return Err(io::ErrorKind::NotADirectory.into()) };
            at = *name.to_str().and_then(|name| seen.get(name)).ok_or(io::ErrorKind::NotFound)?;
        }
        Ok(at)
    }

    /// The folder that a path lies in, and its name there.
    fn place(&self, path: &Path) -> io::Result<(Number, String)> {
        let name = path.file_name().and_then(|name| name.to_str()).ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        Ok((self.find(path.parent().unwrap_or(Path::new("/")))?, name))
    }

    fn names(&mut self, folder: Number) -> io::Result<(&mut Names, &mut u64)> {
        match self.nodes.get_mut(folder) {
            Some(Node::Folder { seen, modified, .. }) => Ok((seen, modified)),
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn change(&mut self, folder: Number, name: String, change: NameChange, with: Option<u64>) -> io::Result<u64> {
        let now = self.now();
        let (names, modified) = self.names(folder)?;
        *modified = now;
        match change {
            NameChange::Add(number) => names.insert(name.clone(), number),
            NameChange::Remove => names.remove(&name),
        };
        self.pending.push(Pending { folder, name, change, with, serial: now });
        Ok(now)
    }

    fn add(&mut self, path: &Path, node: Node) -> io::Result<Number> {
        let (folder, name) = self.place(path)?;
        if self.names(folder)?.0.contains_key(&name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let number = self.nodes.len();
        self.nodes.push(node);
        self.change(folder, name, NameChange::Add(number), None)?;
        Ok(number)
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let moved = self.find(from)?;
        let (source, old) = self.place(from)?;
        let (target, new) = self.place(to)?;
        if let Some(there) = self.names(target)?.0.get(&new).copied()
            && there != moved
            && matches!(self.nodes.get(there), Some(Node::Folder { .. }))
        {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        let added = self.change(target, new, NameChange::Add(moved), None)?;
        let removed = self.change(source, old, NameChange::Remove, Some(added))?;
        let is_folder = matches!(self.nodes.get(moved), Some(Node::Folder { .. }));
        // A folder has one name at a time: both halves stay or neither does.
        if is_folder && let Some(half) = self.pending.iter_mut().find(|half| half.serial == added) {
            half.with = Some(removed);
        }
        Ok(())
    }

    /// Makes the pending changes safe that `chosen` picks, and those that they need.
    fn settle(&mut self, chosen: impl Fn(&Pending) -> bool) {
        let mut kept: BTreeSet<u64> = self.pending.iter().filter(|half| chosen(half)).map(|half| half.serial).collect();
        kept.extend(self.pending.iter().filter(|half| kept.contains(&half.serial)).filter_map(|half| half.with).collect::<Vec<_>>());
        let (kept, left) = std::mem::take(&mut self.pending).into_iter().partition(|half| kept.contains(&half.serial));
        self.pending = left;
        let kept: Vec<Pending> = kept;
        for half in kept {
            let Some(Node::Folder { safe, .. }) = self.nodes.get_mut(half.folder) else { continue };
            match half.change {
                NameChange::Add(number) => safe.insert(half.name, number),
                NameChange::Remove => safe.remove(&half.name),
            };
        }
    }

    fn restart(&mut self, chance: &mut StdRng) {
        // Three kinds of power cut: all names lost that were not synced, all kept, or any of them.
        let kind = chance.random_range(0..3);
        let fates: BTreeMap<u64, bool> =
            self.pending.iter().map(|half| (half.serial, kind == 1 || (kind == 2 && chance.random_bool(0.5)))).collect();
        self.settle(|half| fates.get(&half.serial).copied().unwrap_or(false));
        self.pending.clear();
        for node in &mut self.nodes {
            match node {
                Node::Folder { seen, safe, .. } => *seen = safe.clone(),
                Node::File { seen, safe, .. } => {
                    let torn = tear(seen, safe, chance);
                    *seen = torn.clone();
                    *safe = torn;
                }
            }
        }
        self.fault = None;
        self.dead = false;
        self.life += 1;
    }

    fn collect(&self, at: Number, path: String, found: &mut BTreeMap<String, Vec<u8>>) {
        match self.nodes.get(at) {
            Some(Node::Folder { seen, .. }) => {
                for (name, number) in seen {
                    self.collect(*number, format!("{path}/{}", name), found);
                }
            }
            Some(Node::File { seen, .. }) => drop(found.insert(path, seen.clone())),
            None => {}
        }
    }
}

/// Octets that a disk writes whole or not at all.
const SECTOR: usize = 512;

/// What is left of a file: its synced part, and beyond it nothing, a part, zeros, or everything. Where it was written in
/// place, each sector is the old or the new one.
fn tear(seen: &[u8], safe: &[u8], chance: &mut StdRng) -> Vec<u8> {
    if seen.len() == safe.len() && seen != safe {
        let sectors = seen.chunks(SECTOR).zip(safe.chunks(SECTOR));
        return sectors.flat_map(|(new, old)| if chance.random_bool(0.5) { new } else { old }.to_vec()).collect();
    }
    let Some(unsafe_part) = seen.get(safe.len()..).filter(|rest| !rest.is_empty()) else { return safe.to_vec() };
    let mut left = safe.to_vec();
    match chance.random_range(0..4) {
        0 => {}
        1 => left.extend(unsafe_part.iter().take(chance.random_range(0..unsafe_part.len()))),
        2 => left.resize(seen.len(), 0),
        _ => left.extend_from_slice(unsafe_part),
    }
    left
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Room,
    Nothing,
}

struct Handle {
    disk: Memory,
    number: Number,
    life: u64,
}

impl Handle {
    fn with<T>(&self, needs: Needs, act: impl FnOnce(&mut State) -> T) -> io::Result<T> {
        let mut state = self.disk.state();
        state.operate(needs)?;
        if state.life != self.life {
            return Err(io::Error::other("the file was opened before the power cut"));
        }
        Ok(act(&mut state))
    }
}

impl Write for Handle {
    /// A disk that fills up while it writes keeps a part.
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let written = self.with(Needs::Room, |_| octets.len());
        let kept = written.as_ref().map_or(octets.len() / 2, |all| *all);
        let mut state = self.disk.state();
        if state.life == self.life
            && !state.dead
            && let Some(Node::File { seen, .. }) = state.nodes.get_mut(self.number)
        {
            seen.extend(octets.iter().take(kept));
        }
        written
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for Handle {
    fn sync(&mut self) -> io::Result<()> {
        let number = self.number;
        self.with(Needs::Room, |state| {
            if let Some(Node::File { seen, safe, .. }) = state.nodes.get_mut(number) {
                safe.clone_from(seen);
            }
        })
    }
}

impl InPlace for Handle {
    fn write_at(&self, octets: &[u8], at: u64) -> io::Result<()> {
        let written = self.with(Needs::Nothing, |_| octets.len());
        let kept = written.as_ref().map_or(octets.len() / 2, |all| *all);
        let mut state = self.disk.state();
        if state.life == self.life
            && !state.dead
            && let Some(Node::File { seen, .. }) = state.nodes.get_mut(self.number)
        {
            seen[at as usize..][..kept].copy_from_slice(&octets[..kept]);
        }
        written.map(drop)
    }

    fn read_at(&self, octets: &mut [u8], at: u64) -> io::Result<usize> {
        let number = self.number;
        self.with(Needs::Nothing, |state| match &state.nodes[number] {
            Node::File { seen, .. } => {
                let rest = seen.get(at as usize..).unwrap_or_default();
                let read = rest.len().min(octets.len());
                octets[..read].copy_from_slice(&rest[..read]);
                read
            }
            Node::Folder { .. } => 0,
        })
    }

    fn sync(&self) -> io::Result<()> {
        let number = self.number;
        self.with(Needs::Nothing, |state| {
            if let Some(Node::File { seen, safe, .. }) = state.nodes.get_mut(number) {
                safe.clone_from(seen);
            }
        })
    }
}

impl Volume for Memory {
    fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        state.operate(Needs::Nothing)?;
        state.settle(|_| true);
        for node in &mut state.nodes {
            if let Node::File { seen, safe } = node {
                safe.clone_from(seen);
            }
        }
        Ok(())
    }
}

impl Disk for Memory {
    fn open_in_place(&self, path: &Path, octets: u64) -> io::Result<Box<dyn InPlace>> {
        let mut state = self.state();
        state.operate(Needs::Room)?;
        let number = match state.find(path) {
            Ok(number) => number,
            Err(_) => {
                let zeros = vec![0; octets as usize];
                let number = state.add(path, Node::File { seen: zeros.clone(), safe: zeros })?;
                let (folder, _) = state.place(path)?;
                state.settle(|half| half.folder == folder);
                number
            }
        };
        Ok(Box::new(Handle { disk: self.clone(), number, life: state.life }))
    }

    fn open_volume(&self, _: &Path) -> io::Result<Box<dyn Volume>> {
        Ok(Box::new(self.clone()))
    }

    fn boot(&self) -> io::Result<u64> {
        Ok(self.state().life)
    }

    fn volume(&self, _: &Path) -> io::Result<u64> {
        Ok(0)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        let mut state = self.state();
        state.operate(Needs::Room)?;
        let number = state.add(path, Node::File { seen: Vec::new(), safe: Vec::new() })?;
        Ok(Box::new(Handle { disk: self.clone(), number, life: state.life }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        let mut state = self.state();
        state.operate(Needs::Nothing)?;
        let number = state.find(path)?;
        match &state.nodes[number] {
            Node::File { seen, .. } => Ok(Box::new(io::Cursor::new(seen.clone()))),
            Node::Folder { .. } => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.operate(Needs::Room)?;
        state.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.operate(Needs::Nothing)?;
        let number = state.find(path)?;
        if matches!(state.nodes[number], Node::Folder { .. }) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let (folder, name) = state.place(path)?;
        state.change(folder, name, NameChange::Remove, None).map(drop)
    }

    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        let within = self.list(path)?;
        for (name, kind) in within {
            match kind {
                Kind::Folder => self.remove_tree(&path.join(name))?,
                _ => self.remove(&path.join(name))?,
            }
        }
        let mut state = self.state();
        state.operate(Needs::Nothing)?;
        let (folder, name) = state.place(path)?;
        state.change(folder, name, NameChange::Remove, None).map(drop)
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        if let Some(parent) = path.parent()
            && self.state().find(parent).is_err()
        {
            self.make_folder(parent)?;
        }
        let mut state = self.state();
        state.operate(Needs::Room)?;
        match state.find(path).map(|found| matches!(state.nodes[found], Node::Folder { .. })) {
            Ok(true) => Ok(()),
            Ok(false) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => state.add(path, Node::Folder { seen: Names::new(), safe: Names::new(), modified: 0 }).map(drop),
        }
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.operate(Needs::Room)?;
        let found = state.find(path)?;
        state.settle(|half| half.folder == found);
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<(String, Kind)>> {
        let mut state = self.state();
        state.operate(Needs::Nothing)?;
        let found = state.find(path)?;
        let Node::Folder { seen, .. } = &state.nodes[found] else { return Err(io::ErrorKind::NotADirectory.into()) };
        let kind = |number: &Number| match state.nodes[*number] {
            Node::Folder { .. } => Kind::Folder,
            Node::File { .. } => Kind::File,
        };
        Ok(seen.iter().map(|(name, number)| (name.clone(), kind(number))).collect())
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        let state = self.state();
        match &state.nodes[state.find(path)?] {
            Node::File { seen, .. } => Ok(seen.len() as u64),
            Node::Folder { .. } => Ok(0),
        }
    }

    fn modified(&self, path: &Path) -> io::Result<SystemTime> {
        let state = self.state();
        match state.nodes[state.find(path)?] {
            Node::Folder { modified, .. } => Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(modified)),
            Node::File { .. } => Ok(SystemTime::now()),
        }
    }

    fn free(&self, _: &Path) -> io::Result<u64> {
        Ok(self.state().free)
    }
}
