//! What the rules read, and what they would write.
//!
//! [`Records`] is any consistent state. [`Recording`] notes what was read of it: the read set. [`Overlay`] shows the
//! changes made before, and [`Draft`] those made so far by the change at hand: the write set.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::directory::change::{ChangeError, Effect};
use crate::directory::model::Revision;
use crate::directory::schema::{Family, Key, Prefix, Record, index};
use crate::directory::view::Unreadable;

/// A record as it was found: nothing and revision 0 where there is none.
pub type Found = (Revision, Option<Arc<Record>>);

/// One consistent state of the directory, by key.
pub trait Records {
    /// The revision that it shows, or an earlier one.
    fn revision(&self) -> Revision;
    /// The record under a key.
    fn get(&self, key: &Key) -> Result<Found, Unreadable>;
    /// The keys under a prefix, in order.
    fn keys(&self, prefix: &Prefix) -> Result<Vec<Key>, Unreadable>;
}

/// Everything that a decision rests on. It still holds if every point has its revision, and every range has as many
/// records as then, none of them newer: a range that lost one and won one has a newer one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadSet {
    /// Records read, by the revision that wrote them; 0 where there was none.
    pub points: Vec<(Key, Revision)>,
    /// Ranges read.
    pub ranges: Vec<RangeRead>,
}

/// A range as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeRead {
    /// Which.
    pub prefix: Prefix,
    /// How many keys were found.
    pub count: usize,
    /// The revision that was read.
    pub as_of: Revision,
}

/// Records to be put, and, where there is none, to be removed.
pub type WriteSet = BTreeMap<Key, Option<Arc<Record>>>;

/// What a change comes to: to be committed if the read set still holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Transaction {
    /// What it rests on.
    pub reads: ReadSet,
    /// What it writes.
    pub writes: WriteSet,
    /// What it does, in words.
    pub effects: Vec<Effect>,
}

/// Notes what is read of a state, and reads nothing twice.
pub struct Recording<'a, R: ?Sized> {
    state: &'a R,
    points: RefCell<HashMap<Key, Found>>,
    ranges: RefCell<Vec<RangeRead>>,
}

impl<'a, R: Records + ?Sized> Recording<'a, R> {
    /// Nothing read yet.
    pub fn new(state: &'a R) -> Self {
        Self { state, points: RefCell::default(), ranges: RefCell::default() }
    }

    /// What was read.
    pub fn into_reads(self) -> ReadSet {
        let points = self.points.into_inner().into_iter().map(|(key, (revision, _))| (key, revision)).collect();
        ReadSet { points, ranges: self.ranges.into_inner() }
    }
}

impl<R: Records + ?Sized> Records for Recording<'_, R> {
    fn revision(&self) -> Revision {
        self.state.revision()
    }

    fn get(&self, key: &Key) -> Result<Found, Unreadable> {
        if let Some(found) = self.points.borrow().get(key) {
            return Ok(found.clone());
        }
        let found = self.state.get(key)?;
        self.points.borrow_mut().insert(key.clone(), found.clone());
        Ok(found)
    }

    fn keys(&self, prefix: &Prefix) -> Result<Vec<Key>, Unreadable> {
        let keys = self.state.keys(prefix)?;
        self.ranges.borrow_mut().push(RangeRead { prefix: prefix.clone(), count: keys.len(), as_of: self.state.revision() });
        Ok(keys)
    }
}

/// A state with changes on top that are not committed yet.
pub struct Overlay<'a> {
    below: &'a dyn Records,
    earlier: Option<&'a WriteSet>,
    writes: WriteSet,
}

impl<'a> Overlay<'a> {
    /// A state, and the writes of earlier changes.
    pub fn new(below: &'a dyn Records, earlier: Option<&'a WriteSet>) -> Self {
        Self { below, earlier, writes: WriteSet::new() }
    }

    /// Adds the writes of one more change. No rule asks what only a search reads.
    pub fn add(&mut self, writes: &WriteSet) {
        let asked = writes.iter().filter(|(key, _)| !key.is_for_search());
        self.writes.extend(asked.map(|(key, record)| (key.clone(), record.clone())));
    }

    /// The writes added.
    pub fn into_writes(self) -> WriteSet {
        self.writes
    }
}

impl Records for Overlay<'_> {
    fn revision(&self) -> Revision {
        self.below.revision()
    }

    fn get(&self, key: &Key) -> Result<Found, Unreadable> {
        match self.writes.get(key).or_else(|| self.earlier?.get(key)) {
            Some(written) => Ok((Revision(0), written.clone())),
            None => self.below.get(key),
        }
    }

    fn keys(&self, prefix: &Prefix) -> Result<Vec<Key>, Unreadable> {
        let mut keys = self.below.keys(prefix)?;
        if let Some(earlier) = self.earlier {
            keys = merged(keys, earlier, prefix);
        }
        Ok(merged(keys, &self.writes, prefix))
    }
}

/// The families whose records have an index.
const INDEXED: [Family; 4] = [Family::Domains, Family::Pops, Family::Lists, Family::Tokens];

/// The work of one change: reads see its own writes.
pub struct Draft<'a> {
    below: &'a dyn Records,
    writes: WriteSet,
    /// What was done so far.
    pub effects: Vec<Effect>,
}

impl<'a> Draft<'a> {
    /// Nothing done yet.
    pub fn new(below: &'a dyn Records) -> Self {
        Self { below, writes: WriteSet::new(), effects: Vec::new() }
    }

    /// What was done, with the index that follows from it.
    pub fn into_parts(mut self) -> Result<(WriteSet, Vec<Effect>), ChangeError> {
        let (mut follows, indexed) = (Vec::new(), Arc::new(Record::Indexed));
        for (key, record) in self.writes.iter().filter(|(key, _)| INDEXED.contains(&key.family)) {
            let before = self.below.get(key)?.1.as_deref().map(index).unwrap_or_default();
            let after = record.as_deref().map(index).unwrap_or_default();
            follows.extend(before.iter().filter(|key| !after.contains(key)).map(|key| (key.clone(), None)));
            follows.extend(after.into_iter().filter(|key| !before.contains(key)).map(|key| (key, Some(Arc::clone(&indexed)))));
        }
        self.writes.extend(follows);
        Ok((self.writes, self.effects))
    }

    /// The record under a key.
    pub fn get(&self, key: &Key) -> Result<Option<Arc<Record>>, ChangeError> {
        match self.writes.get(key) {
            Some(written) => Ok(written.clone()),
            None => Ok(self.below.get(key)?.1),
        }
    }

    /// The revision that wrote the record before this change.
    pub fn revision_of(&self, key: &Key) -> Result<Revision, ChangeError> {
        Ok(self.below.get(key)?.0)
    }

    /// The keys under a prefix, in order.
    pub fn keys(&self, prefix: &Prefix) -> Result<Vec<Key>, ChangeError> {
        Ok(merged(self.below.keys(prefix)?, &self.writes, prefix))
    }

    /// Puts a record.
    pub fn put(&mut self, key: Key, record: Record) {
        self.writes.insert(key, Some(Arc::new(record)));
    }

    /// Removes a record.
    pub fn remove(&mut self, key: Key) {
        self.writes.insert(key, None);
    }

    /// Says what was done.
    pub fn tell(&mut self, effect: Effect) {
        self.effects.push(effect);
    }
}

fn merged(keys: Vec<Key>, writes: &WriteSet, prefix: &Prefix) -> Vec<Key> {
    let start = Key { family: prefix.family, bytes: prefix.bytes.clone() };
    let mut written = writes.range(start..).take_while(|(key, _)| prefix.holds(key)).peekable();
    if written.peek().is_none() {
        return keys;
    }
    let mut all: BTreeSet<Key> = keys.into_iter().collect();
    for (key, record) in written {
        match record {
            Some(_) => all.insert(key.clone()),
            None => all.remove(key),
        };
    }
    all.into_iter().collect()
}
