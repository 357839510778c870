//! RocksDB as the queue uses it: options, families, and batches.
//!
//! The families that are eaten from the front (`due`, `turns`) have small buffers and are compacted where much was deleted: a seek
//! to the first row has to pass every deleted one before it. Texts lie in blob files, so that compaction moves keys alone.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use rocksdb::{
    Cache, ColumnFamily, ColumnFamilyDescriptor, CompactionDecision, DBCompressionType, Direction, IteratorMode, MergeOperands, Options,
    ReadOptions, WriteBatch, WriteOptions,
};

use crate::sys::rocks::{self, Database, Limits};

/// Blocks held in memory, beside those that the system holds.
const CACHE_OCTETS: usize = 16 << 20;

/// Octets of a block, before compression.
const BLOCK_OCTETS: usize = 8 << 10;

const LIMITS: Limits = Limits { open_files: 256, buffers: 64 << 20, log: 64 << 20 };

/// Texts from this size on lie in blob files.
const BLOB_OCTETS: u64 = 512;

/// Octets of one blob file: what is freed at a time.
const BLOB_FILE_OCTETS: u64 = 32 << 20;

/// Deleted rows in a run of [`RUN`] rows that make a table worth compacting.
const DELETED: usize = 64;

/// See [`DELETED`].
const RUN: usize = 128;

/// The column families.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// id → message.
    Messages,
    /// id → text.
    Texts,
    /// (id, number) → recipient.
    Recipients,
    /// (hop, time, id, number): when each waiting recipient is due.
    Due,
    /// (time, id, hop): when a hop is to be looked at.
    Turns,
    /// hop → since when, and how, it is down.
    Hops,
    /// What is counted → how many.
    Counts,
}

impl Family {
    const ALL: [Self; 7] = [Self::Messages, Self::Texts, Self::Recipients, Self::Due, Self::Turns, Self::Hops, Self::Counts];

    fn name(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Texts => "texts",
            Self::Recipients => "recipients",
            Self::Due => "due",
            Self::Turns => "turns",
            Self::Hops => "hops",
            Self::Counts => "counts",
        }
    }

    fn buffer(self) -> usize {
        match self {
            Self::Texts => 24 << 20,
            Self::Messages | Self::Recipients => 12 << 20,
            Self::Due | Self::Turns | Self::Hops | Self::Counts => 2 << 20,
        }
    }
}

/// Whether a write waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durable {
    /// When it returns, the disk has it, and all that was written before.
    Now,
    /// The system has it: a crash of the process loses nothing. The disk has it soon.
    Soon,
}

/// The database. It is made with the first message: a server from which nothing leaves pays nothing for it.
pub(super) struct Engine {
    path: PathBuf,
    database: OnceLock<Database>,
    making: Mutex<()>,
}

/// A key and what lies under it.
pub(super) type Row = (Box<[u8]>, Box<[u8]>);

/// Rows, in order.
pub(super) type Rows<'a> = Box<dyn Iterator<Item = io::Result<Row>> + 'a>;

impl Engine {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let engine = Self { path: path.to_owned(), database: OnceLock::new(), making: Mutex::default() };
        // The file that RocksDB begins with.
        if path.join("CURRENT").exists() {
            engine.made()?;
        }
        Ok(engine)
    }

    pub(super) fn is_made(&self) -> bool {
        self.database.get().is_some()
    }

    pub(super) fn make(&self) -> io::Result<()> {
        self.made().map(drop)
    }

    fn made(&self) -> io::Result<&Database> {
        if let Some(database) = self.database.get() {
            return Ok(database);
        }
        let _one = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if self.database.get().is_none() {
            let cache = Cache::new_lru_cache(CACHE_OCTETS);
            let families = Family::ALL.map(|family| ColumnFamilyDescriptor::new(family.name(), family_options(family, &cache)));
            let database = Database::open_cf_descriptors(&rocks::database_options(LIMITS), &self.path, families).map_err(failed)?;
            return Ok(self.database.get_or_init(|| database));
        }
        self.database.get().ok_or_else(|| io::Error::other("the queue is not open"))
    }

    pub(super) fn get(&self, family: Family, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let Some(database) = self.database.get() else { return Ok(None) };
        database.get_cf(within(database, family)?, key).map_err(failed)
    }

    /// The rows from `from` on, and before `end`.
    pub(super) fn rows(&self, family: Family, from: &[u8], end: Option<Vec<u8>>) -> io::Result<Rows<'_>> {
        let Some(database) = self.database.get() else { return Ok(Box::new(std::iter::empty())) };
        let mut options = ReadOptions::default();
        if let Some(end) = end {
            options.set_iterate_upper_bound(end);
        }
        let rows = database.iterator_cf_opt(within(database, family)?, options, IteratorMode::From(from, Direction::Forward));
        Ok(Box::new(rows.map(|row| row.map_err(failed))))
    }

    /// The last key.
    pub(super) fn last(&self, family: Family) -> io::Result<Option<Box<[u8]>>> {
        let Some(database) = self.database.get() else { return Ok(None) };
        let row = database.iterator_cf(within(database, family)?, IteratorMode::End).next();
        row.transpose().map(|row| row.map(|(key, _)| key)).map_err(failed)
    }

    pub(super) fn put(&self, batch: &mut WriteBatch, family: Family, key: &[u8], value: &[u8]) -> io::Result<()> {
        batch.put_cf(within(self.made()?, family)?, key, value);
        Ok(())
    }

    pub(super) fn delete(&self, batch: &mut WriteBatch, family: Family, key: &[u8]) -> io::Result<()> {
        batch.delete_cf(within(self.made()?, family)?, key);
        Ok(())
    }

    /// Adds to a count.
    pub(super) fn add(&self, batch: &mut WriteBatch, key: &[u8], by: i64) -> io::Result<()> {
        if by != 0 {
            batch.merge_cf(within(self.made()?, Family::Counts)?, key, by.to_le_bytes());
        }
        Ok(())
    }

    pub(super) fn write(&self, batch: WriteBatch, durable: Durable) -> io::Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut options = WriteOptions::default();
        options.set_sync(durable == Durable::Now);
        self.made()?.write_opt(batch, &options).map_err(failed)
    }

    /// Waits until the disk has everything that was written.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.database.get().map_or(Ok(()), |database| database.flush_wal(true).map_err(failed))
    }
}

fn within(database: &Database, family: Family) -> io::Result<&ColumnFamily> {
    database.cf_handle(family.name()).ok_or_else(|| io::Error::other(format!("the queue has no family `{}`", family.name())))
}

/// The engine's own words; a full disk is told apart by them, as RocksDB has no code of its own for it.
fn failed(error: rocksdb::Error) -> io::Error {
    let text = error.to_string();
    let kind = if text.contains("No space left") { io::ErrorKind::StorageFull } else { io::ErrorKind::Other };
    io::Error::new(kind, format!("queue: {text}"))
}

fn family_options(family: Family, cache: &Cache) -> Options {
    let table = match family {
        Family::Messages | Family::Recipients | Family::Hops => rocks::keyed(cache, BLOCK_OCTETS),
        Family::Texts | Family::Due | Family::Turns | Family::Counts => rocks::ranged(cache, BLOCK_OCTETS),
    };
    let mut options = rocks::family_options(&table, family.buffer());
    match family {
        Family::Messages | Family::Recipients | Family::Due | Family::Turns => {
            options.add_compact_on_deletion_collector_factory(RUN, DELETED, 0.5)
        }
        Family::Texts => {
            options.set_enable_blob_files(true);
            options.set_min_blob_size(BLOB_OCTETS);
            options.set_blob_file_size(BLOB_FILE_OCTETS);
            options.set_blob_compression_type(DBCompressionType::Lz4);
            options.set_enable_blob_gc(true);
            options.set_blob_gc_age_cutoff(0.5);
            options.set_blob_gc_force_threshold(0.5);
            options.add_compact_on_deletion_collector_factory(RUN, DELETED, 0.5);
        }
        Family::Hops => {}
        Family::Counts => {
            options.set_merge_operator_associative("sum", sum);
            options.set_compaction_filter("zeros", |_, _, value| match number(value) {
                0 => CompactionDecision::Remove,
                _ => CompactionDecision::Keep,
            });
        }
    }
    options
}

fn sum(_key: &[u8], before: Option<&[u8]>, added: &MergeOperands) -> Option<Vec<u8>> {
    let total = before.into_iter().chain(added).map(number).fold(0i64, i64::saturating_add);
    Some(total.to_le_bytes().to_vec())
}

/// A count as it is stored.
pub(super) fn number(value: &[u8]) -> i64 {
    value.try_into().map_or(0, i64::from_le_bytes)
}
