//! The commit: what was decided is written whole, if what it rests on still holds.

use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};

use jiff::Timestamp;
use rocksdb::{ColumnFamily, ReadOptions, WriteBatch};

use super::engine::{Engine, unreadable};
use super::snapshot::Snapshot;
use super::{Directory, OpenError};
use crate::directory::audit::{Altered, EntryRef, KEPT, redacted};
use crate::directory::change::{Author, Change};
use crate::directory::model::{AccountId, Revision};
use crate::directory::rules::{Drafted, RangeRead, ReadSet};
use crate::directory::schema::{self, Counters, Family, Key, Record};
use crate::directory::view::Unreadable;

/// One change, decided on.
pub struct Decided<'c> {
    /// What was asked for.
    pub change: &'c Change,
    /// What it comes to.
    pub drafted: Drafted,
}

/// What only the holder of the commit lock may know: the counters as last committed.
pub struct State {
    counters: Counters,
}

impl State {
    /// Reads the counters, making them in a new directory.
    pub fn load(engine: &Engine) -> Result<Self, OpenError> {
        let failed = |Unreadable(why)| OpenError::Engine(why);
        let key = Key::counters();
        if let Some(bytes) = engine.get(&key).map_err(failed)? {
            let (_, record) = schema::decode(&key, &bytes).map_err(failed)?;
            return match record {
                Record::Counters(counters) if counters.format == schema::FORMAT => Ok(Self { counters }),
                Record::Counters(counters) => Err(OpenError::Engine(format!(
                    "it has format {}, this program knows format {}; use the newer program",
                    counters.format,
                    schema::FORMAT
                ))),
                _ => Err(OpenError::Engine("its counters are damaged; restore it from a backup".into())),
            };
        }
        let counters = Counters { format: schema::FORMAT, revision: Revision(0), next_id: AccountId(1) };
        let mut batch = WriteBatch::default();
        let bytes = schema::encode(&Record::Counters(counters), Revision(0)).map_err(failed)?;
        batch.put_cf(engine.family(key.family).map_err(failed)?, &key.bytes, bytes);
        engine.write(batch).map_err(failed)?;
        Ok(Self { counters })
    }

    /// Above every account id ever given.
    pub fn next_id(&self) -> AccountId {
        self.counters.next_id
    }

    /// Changes so far.
    pub fn revision(&self) -> Revision {
        self.counters.revision
    }
}

impl Directory {
    /// The commit lock. It guards no data that a panic could leave half changed.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether what was read of `snapshot` is still so. Asked under the commit lock.
    pub(super) fn holds(&self, snapshot: &Snapshot<'_>, reads: &ReadSet) -> Result<bool, Unreadable> {
        if self.engine.database().latest_sequence_number() == snapshot.sequence() {
            return Ok(true);
        }
        for (key, revision) in &reads.points {
            let now = match self.engine.get(key)? {
                Some(bytes) => schema::revision_of(key, &bytes)?,
                None => Revision(0),
            };
            if now != *revision {
                return Ok(false);
            }
        }
        for range in &reads.ranges {
            if !self.range_holds(range)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn range_holds(&self, range: &RangeRead) -> Result<bool, Unreadable> {
        let mut options = ReadOptions::default();
        options.set_iterate_range(rocksdb::PrefixRange(range.prefix.bytes.to_vec()));
        let mut found = self.engine.database().raw_iterator_cf_opt(self.engine.family(range.prefix.family)?, options);
        found.seek_to_first();
        let mut count = 0;
        while let Some((key, value)) = found.item() {
            let key = Key { family: range.prefix.family, bytes: key.into() };
            count += 1;
            if count > range.count || schema::revision_of(&key, value)? > range.as_of {
                return Ok(false);
            }
            found.next();
        }
        found.status().map_err(|e| unreadable(&e))?;
        Ok(count == range.count)
    }

    /// Writes what was decided, each change as a revision of its own, in one synced batch. Gives the first revision.
    pub(super) fn commit(
        &self,
        state: &mut State,
        author: &Author,
        now: Timestamp,
        decided: &[Decided<'_>],
    ) -> Result<Revision, Unreadable> {
        let first = Revision(state.counters.revision.0 + 1);
        if decided.is_empty() {
            return Ok(first);
        }
        let altered = match decided {
            [one] => self.altered(one)?,
            // Changes come in groups from imports alone.
            _ => Vec::new(),
        };
        let mut batch = Batch::new(&self.engine)?;
        let mut counters = state.counters;
        for (key, record, revision) in in_order(decided, first) {
            match record {
                Some(record) => batch.put(key, record, revision)?,
                None => batch.remove(key),
            }
            if let (Family::Ids, Some(id)) = (key.family, key.to_number()) {
                self.next_id.fetch_max(id + 1, Ordering::Relaxed);
            }
        }
        for decided in decided {
            counters.revision.0 += 1;
            let (revision, change) = (counters.revision, redacted(decided.change));
            let entry = EntryRef { revision, actor: &author.actor, at: now, change, effects: &decided.drafted.effects, from: author.from };
            batch.put_bytes(&Key::audit(revision), schema::encode_entry(&entry, &altered)?);
        }
        counters.next_id = AccountId(self.next_id.load(Ordering::Relaxed).max(counters.next_id.0));
        batch.put(&Key::counters(), &Record::Counters(counters), counters.revision)?;
        self.engine.write(batch.writes)?;
        state.counters = counters;
        Ok(first)
    }

    /// The records that a change alters, as they are and as they will be.
    fn altered(&self, decided: &Decided<'_>) -> Result<Vec<Altered>, Unreadable> {
        if matches!(decided.change, Change::Import(_) | Change::JoinList { .. }) {
            return Ok(Vec::new());
        }
        let kept = decided.drafted.writes.iter().filter(|(key, _)| Altered::concerns(key)).take(KEPT);
        kept.map(|(key, after)| {
            let before = self.engine.get(key)?.map(|bytes| schema::decode(key, &bytes)).transpose()?;
            Ok(Altered::new(key, before.map(|(_, record)| record), after.as_deref()))
        })
        .collect()
    }
}

/// What is put (or removed) under a key by a revision.
type Write<'d> = (&'d Key, Option<&'d Record>, Revision);

/// All that was decided, by key and then by revision: the engine inserts neighbours much faster than strangers.
fn in_order<'d>(decided: &'d [Decided<'_>], first: Revision) -> Vec<Write<'d>> {
    let mut all = Vec::with_capacity(decided.iter().map(|decided| decided.drafted.writes.len() + decided.drafted.search.len()).sum());
    for (decided, revision) in decided.iter().zip((first.0..).map(Revision)) {
        all.extend(decided.drafted.writes.iter().map(|(key, record)| (key, record.as_deref(), revision)));
        all.extend(decided.drafted.search.iter().map(|(key, put)| (key, put.then_some(&Record::Indexed), revision)));
    }
    all.sort_by_cached_key(|(key, _, revision)| (key.family, beginning(&key.bytes), *key, *revision));
    all
}

/// A number that is ordered as the first octets are: most comparisons end there, without a look at the key.
fn beginning(bytes: &[u8]) -> u128 {
    let mut first = [0; size_of::<u128>()];
    first.iter_mut().zip(bytes).for_each(|(first, byte)| *first = *byte);
    u128::from_be_bytes(first)
}

/// A batch by key.
pub(super) struct Batch<'e> {
    families: Vec<&'e ColumnFamily>,
    pub(super) writes: WriteBatch,
}

impl<'e> Batch<'e> {
    pub(super) fn new(engine: &'e Engine) -> Result<Self, Unreadable> {
        let families = Family::ALL.iter().map(|family| engine.family(*family)).collect::<Result<_, _>>()?;
        Ok(Self { families, writes: WriteBatch::default() })
    }

    pub(super) fn put(&mut self, key: &Key, record: &Record, revision: Revision) -> Result<(), Unreadable> {
        self.put_bytes(key, schema::encode(record, revision)?);
        Ok(())
    }

    pub(super) fn put_bytes(&mut self, key: &Key, bytes: Vec<u8>) {
        // ALL lists the families in the order of their numbers.
        if let Some(family) = self.families.get(key.family as usize) {
            self.writes.put_cf(family, &key.bytes, bytes);
        }
    }

    pub(super) fn remove(&mut self, key: &Key) {
        if let Some(family) = self.families.get(key.family as usize) {
            self.writes.delete_cf(family, &key.bytes);
        }
    }
}
