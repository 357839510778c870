//! The engine: RocksDB, one instance, rows and index in a column family each.
//!
//! A database that has failed is closed and opened anew, since the engine takes no more writes after an error of the disk.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rocksdb::{Cache, ColumnFamily, ColumnFamilyDescriptor, DBRawIteratorWithThreadMode, ReadOptions, WriteBatch};

use super::Settings;
use super::row::Row;
use super::schema::{self, Entry, HOUR, hour_key, row_key};
use crate::sys::disk::make_private;
use crate::sys::rocks::{self, Database, Limits};

pub(super) type Walk<'d> = DBRawIteratorWithThreadMode<'d, Database>;

/// Blocks held in memory.
const CACHE_OCTETS: usize = 8 << 20;

/// Octets of a block, before compression.
const BLOCK_OCTETS: usize = 16 << 10;

/// Rows that are gathered in memory before they become a file, and again the same for the index.
const BUFFER_OCTETS: usize = 4 << 20;

const LIMITS: Limits = Limits { open_files: 128, buffers: 3 * BUFFER_OCTETS, log: 32 << 20 };

/// Words of a usual row.
const WORDS: usize = 10;

const FAMILIES: [&str; 2] = ["rows", "index"];

/// The delivery log cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the delivery log failed: {0}")]
pub struct Unreadable(pub String);

impl From<rocksdb::Error> for Unreadable {
    fn from(error: rocksdb::Error) -> Self {
        Self(error.to_string())
    }
}

/// The store, open as soon as it is used.
pub(super) struct Store {
    settings: Settings,
    database: Mutex<Option<Arc<Open>>>,
}

/// An open database.
pub(super) struct Open(Database);

impl Store {
    pub fn new(settings: Settings) -> Self {
        Self { settings, database: Mutex::new(None) }
    }

    /// The database, opened if it is not.
    pub fn database(&self) -> Result<Arc<Open>, Unreadable> {
        let mut held = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = &*held {
            return Ok(Arc::clone(open));
        }
        let open = Arc::new(Open::at(&self.settings)?);
        *held = Some(Arc::clone(&open));
        Ok(open)
    }

    /// Closes it: the next use opens it anew.
    pub fn close(&self) {
        *self.database.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The number of the last row; 0 if there is none.
    pub fn last(&self) -> Result<u64, Unreadable> {
        let database = self.database()?;
        let mut walk = database.rows(ReadOptions::default())?;
        walk.seek_to_last();
        Ok(walk.key().and_then(schema::number_of).unwrap_or_default())
    }

    /// Writes rows that have their numbers. The system has them when this returns; the disk later.
    pub fn write(&self, rows: &[Row]) -> Result<(), Unreadable> {
        let database = self.database()?;
        let [by_number, by_word] = database.families()?;
        let mut batch = WriteBatch::default();
        let mut words = Vec::with_capacity(rows.len() * WORDS);
        for row in rows {
            batch.put_cf(by_number, row_key(row.number), schema::encode(row)?);
            words.extend(schema::words(row).into_iter().map(|word| (word.prefix(row.number / HOUR), row.number)));
        }
        // In their order, which the engine inserts much faster.
        for Entry { key, others } in schema::entries(words)? {
            batch.put_cf(by_word, key, others);
        }
        Ok(database.0.write(batch)?)
    }

    /// Octets on disk, about.
    pub fn octets(&self) -> Result<u64, Unreadable> {
        self.database()?.octets()
    }

    /// Cuts off what is too old, and the oldest hours while there is too much.
    pub fn cut(&self, now: Timestamp) -> Result<(), Unreadable> {
        let database = self.database()?;
        let micros = |age: std::time::Duration| u64::try_from(age.as_micros()).unwrap_or(u64::MAX);
        let now = u64::try_from(now.as_microsecond()).unwrap_or_default();
        database.cut_before(now.saturating_sub(micros(self.settings.retention)) / HOUR)?;
        while database.octets()? > self.settings.max_size {
            let mut walk = database.rows(ReadOptions::default())?;
            walk.seek_to_first();
            // The hour that is being written stays whatever it takes: without it nothing would be found.
            let oldest = walk.key().and_then(schema::number_of).map(|number| number / HOUR).filter(|hour| *hour < now / HOUR);
            let Some(oldest) = oldest else { break };
            drop(walk);
            database.cut_before(oldest + 1)?;
        }
        Ok(())
    }
}

impl Open {
    fn at(settings: &Settings) -> Result<Self, Unreadable> {
        let refused = |error: &dyn std::fmt::Display| Unreadable(format!("{} cannot be opened: {error}", settings.folder.display()));
        make_private(&settings.folder).map_err(|error| refused(&error))?;
        let cache = Cache::new_lru_cache(CACHE_OCTETS);
        let families = FAMILIES
            .map(|name| ColumnFamilyDescriptor::new(name, rocks::family_options(&rocks::ranged(&cache, BLOCK_OCTETS), BUFFER_OCTETS)));
        Database::open_cf_descriptors(&rocks::database_options(LIMITS), &settings.folder, families)
            .map(Self)
            .map_err(|error| refused(&error))
    }

    fn families(&self) -> Result<[&ColumnFamily; 2], Unreadable> {
        let [rows, index] = FAMILIES.map(|name| self.0.cf_handle(name));
        rows.zip(index).map(|(rows, index)| [rows, index]).ok_or_else(|| Unreadable("a column family is missing".into()))
    }

    /// A walk over the rows.
    pub fn rows(&self, options: ReadOptions) -> Result<Walk<'_>, Unreadable> {
        let [rows, _] = self.families()?;
        Ok(self.0.raw_iterator_cf_opt(rows, options))
    }

    /// A walk over the index.
    pub fn index(&self, options: ReadOptions) -> Result<Walk<'_>, Unreadable> {
        let [_, index] = self.families()?;
        Ok(self.0.raw_iterator_cf_opt(index, options))
    }

    /// The row of a number; none if it was cut off.
    pub fn row(&self, number: u64) -> Result<Option<Row>, Unreadable> {
        let [rows, _] = self.families()?;
        let octets = self.0.get_pinned_cf(rows, row_key(number))?;
        octets.map(|octets| schema::decode(number, &octets)).transpose()
    }

    /// Files, and what lies in memory until it becomes one.
    fn octets(&self) -> Result<u64, Unreadable> {
        let mut octets = 0;
        for family in self.families()? {
            for property in ["rocksdb.live-sst-files-size", "rocksdb.size-all-mem-tables"] {
                octets += self.0.property_int_value_cf(family, property)?.unwrap_or_default();
            }
        }
        Ok(octets)
    }

    /// Removes every row before an hour, with its entries: whole files first, then the rest of the range.
    fn cut_before(&self, hour: u64) -> Result<(), Unreadable> {
        let mut walk = self.rows(ReadOptions::default())?;
        walk.seek_to_first();
        if walk.key().and_then(schema::number_of).is_none_or(|oldest| oldest / HOUR >= hour) {
            return Ok(());
        }
        drop(walk);
        let [rows, index] = self.families()?;
        let (row, entry) = (row_key(hour.saturating_mul(HOUR)), hour_key(hour));
        for (family, end) in [(rows, row.as_slice()), (index, entry.as_slice())] {
            self.0.delete_file_in_range_cf(family, b"".as_slice(), end)?;
            let mut batch = WriteBatch::default();
            batch.delete_range_cf(family, b"".as_slice(), end);
            self.0.write(batch)?;
            self.0.compact_range_cf(family, Some(b"".as_slice()), Some(end));
        }
        Ok(())
    }
}
