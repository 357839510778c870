//! What the rules read, and what they would write.
//!
//! [`Records`] is any consistent state. [`Recording`] notes what was read of it: the read set. [`Overlay`] shows the
//! changes made before, and [`Draft`] those made so far by the change at hand: the write set.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

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

/// Keys that only a search reads, with whether they are put or removed. No rule asks for one, so they need no order.
pub type SearchKeys = Vec<(Key, bool)>;

/// What a change writes, and what it does.
#[derive(Debug, Clone, PartialEq)]
pub struct Drafted {
    /// The records.
    pub writes: WriteSet,
    /// What follows for searches.
    pub search: SearchKeys,
    /// What it does, in words.
    pub effects: Vec<Effect>,
}

/// What a change comes to: to be committed if the read set still holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Transaction {
    /// What it rests on.
    pub reads: ReadSet,
    /// What it writes and does.
    pub drafted: Drafted,
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

/// The writes of many changes, later ones over earlier ones. A record is found by its hash; the keys are put in order
/// only when a range is asked for, which most changes of an import never do.
#[derive(Debug, Default)]
pub struct Layer {
    writes: HashMap<Key, Option<Arc<Record>>>,
    keys: Mutex<Keys>,
}

/// The keys of a layer: those in order, and those that came since.
#[derive(Debug, Default)]
struct Keys {
    ordered: BTreeSet<Key>,
    since: Vec<Key>,
}

impl Layer {
    /// Adds the writes of one more change.
    pub fn add(&mut self, writes: &WriteSet) {
        let keys = self.keys.get_mut().unwrap_or_else(PoisonError::into_inner);
        for (key, record) in writes {
            if self.writes.insert(key.clone(), record.clone()).is_none() {
                keys.since.push(key.clone());
            }
        }
    }

    /// What was written under a key.
    pub fn get(&self, key: &Key) -> Option<&Option<Arc<Record>>> {
        self.writes.get(key)
    }

    /// These keys, with the changes of this layer.
    fn over(&self, keys: Vec<Key>, prefix: &Prefix) -> Vec<Key> {
        let mut own = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let since = std::mem::take(&mut own.since);
        own.ordered.extend(since);
        let written =
            own.ordered.range(prefix.start()..).take_while(|key| prefix.holds(key)).filter_map(|key| Some((key, self.get(key)?.is_some())));
        merged(keys, written)
    }
}

/// A state with changes on top that are not committed yet.
pub struct Overlay<'a> {
    below: &'a dyn Records,
    earlier: Option<&'a Layer>,
    layer: Layer,
}

impl<'a> Overlay<'a> {
    /// A state, and the writes of earlier changes.
    pub fn new(below: &'a dyn Records, earlier: Option<&'a Layer>) -> Self {
        Self { below, earlier, layer: Layer::default() }
    }

    /// Adds the writes of one more change.
    pub fn add(&mut self, writes: &WriteSet) {
        self.layer.add(writes);
    }

    /// The writes added.
    pub fn into_layer(self) -> Layer {
        self.layer
    }
}

impl Records for Overlay<'_> {
    fn revision(&self) -> Revision {
        self.below.revision()
    }

    fn get(&self, key: &Key) -> Result<Found, Unreadable> {
        match self.layer.get(key).or_else(|| self.earlier?.get(key)) {
            Some(written) => Ok((Revision(0), written.clone())),
            None => self.below.get(key),
        }
    }

    fn keys(&self, prefix: &Prefix) -> Result<Vec<Key>, Unreadable> {
        let mut keys = self.below.keys(prefix)?;
        if let Some(earlier) = self.earlier {
            keys = earlier.over(keys, prefix);
        }
        Ok(self.layer.over(keys, prefix))
    }
}

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
    pub fn finish(mut self) -> Result<Drafted, ChangeError> {
        let (mut counted, mut search) = (Vec::new(), SearchKeys::new());
        for (key, record) in self.writes.iter().filter(|(key, _)| Family::INDEXED.contains(&key.family)) {
            let before = self.below.get(key)?.1.as_deref().map(index).unwrap_or_default();
            let after = record.as_deref().map(index).unwrap_or_default();
            let gone = before.iter().filter(|key| !after.contains(key)).map(|key| (key.clone(), false)).collect::<Vec<_>>();
            let come = after.into_iter().filter(|key| !before.contains(key)).map(|key| (key, true));
            for (key, put) in gone.into_iter().chain(come) {
                if key.is_for_search() { search.push((key, put)) } else { counted.push((key, put)) }
            }
        }
        let indexed = Arc::new(Record::Indexed);
        self.writes.extend(counted.into_iter().map(|(key, put)| (key, put.then(|| Arc::clone(&indexed)))));
        Ok(Drafted { writes: self.writes, search, effects: self.effects })
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
        let written = self.writes.range(prefix.start()..).map(|(key, record)| (key, record.is_some()));
        Ok(merged(self.below.keys(prefix)?, written.take_while(|(key, _)| prefix.holds(key))))
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

/// These keys, with those that were written since: put, or removed.
fn merged<'k>(keys: Vec<Key>, written: impl Iterator<Item = (&'k Key, bool)>) -> Vec<Key> {
    let mut written = written.peekable();
    if written.peek().is_none() {
        return keys;
    }
    let mut all: BTreeSet<Key> = keys.into_iter().collect();
    for (key, put) in written {
        match put {
            true => all.insert(key.clone()),
            false => all.remove(key),
        };
    }
    all.into_iter().collect()
}
