//! RocksDB as the directory uses it: options, and reads and writes by [`Key`].
//!
//! The filters and indexes of open table files lie outside the block cache, two octets for each record. In it they would
//! cost far more time than memory: a filter of a large file fits in none of its shards, and would be read anew for each
//! question.

use std::path::Path;

use rocksdb::{Cache, ColumnFamily, ColumnFamilyDescriptor, DBCompressionType, DBPinnableSlice, Options, WriteBatch, WriteOptions};

use super::OpenError;
use crate::directory::schema::{Family, Key};
use crate::directory::view::Unreadable;
use crate::sys::disk::make_private;
use crate::sys::rocks::{self, Database, Limits};

/// Blocks held in memory, beside those that the system holds.
const CACHE_OCTETS: usize = 32 << 20;

/// Write buffer of one family. Large buffers make fewer, better sorted files in an import.
const FAMILY_BUFFER_OCTETS: usize = 24 << 20;

/// The same of a family whose few records are written again and again: they would fill any buffer, each many times.
const COUNTS_BUFFER_OCTETS: usize = 2 << 20;

const LIMITS: Limits = Limits { open_files: 512, buffers: 64 << 20, log: 64 << 20 };

/// The database.
pub struct Engine {
    database: Database,
}

impl Engine {
    /// Opens or makes the database.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        // Password hashes, and the secrets of second factors, are nobody else's.
        make_private(path).map_err(|e| OpenError::Engine(format!("{}: {e}", path.display())))?;
        let cache = Cache::new_lru_cache(CACHE_OCTETS);
        let families = Family::ALL.map(|family| ColumnFamilyDescriptor::new(family.name(), family_options(family, &cache)));
        let database = Database::open_cf_descriptors(&rocks::database_options(LIMITS), path, families).map_err(|e| refused(&e))?;
        Ok(Self { database })
    }

    /// The database itself, for snapshots.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The column family.
    pub fn family(&self, family: Family) -> Result<&ColumnFamily, Unreadable> {
        self.database.cf_handle(family.name()).ok_or_else(|| Unreadable(format!("there is no column family `{}`", family.name())))
    }

    /// The bytes under a key as they are now.
    pub fn get(&self, key: &Key) -> Result<Option<DBPinnableSlice<'_>>, Unreadable> {
        self.database.get_pinned_cf(self.family(key.family)?, &key.bytes).map_err(|e| unreadable(&e))
    }

    /// How many records a family holds, about; 0 where it cannot be told.
    pub fn about(&self, family: Family) -> u64 {
        let estimate =
            self.family(family).ok().and_then(|family| self.database.property_int_value_cf(family, "rocksdb.estimate-num-keys").ok());
        estimate.flatten().unwrap_or_default()
    }

    /// Writes a batch: when this returns, the disk has it.
    pub fn write(&self, batch: WriteBatch) -> Result<(), Unreadable> {
        let mut options = WriteOptions::default();
        options.set_sync(true);
        self.database.write_opt(batch, &options).map_err(|e| unreadable(&e))
    }

    /// Moves what was written to files of the database, and frees the memory that it took.
    pub fn flush(&self) -> Result<(), Unreadable> {
        Family::ALL.into_iter().try_for_each(|family| self.database.flush_cf(self.family(family)?).map_err(|e| unreadable(&e)))
    }
}

/// The engine's own words.
pub fn unreadable(error: &rocksdb::Error) -> Unreadable {
    Unreadable(error.to_string())
}

fn refused(error: &rocksdb::Error) -> OpenError {
    let text = error.to_string();
    // RocksDB has no code of its own for this; the words are those of its file lock.
    let locked = text.contains("While lock file") || text.contains("lock hold by current process");
    if locked { OpenError::InUse } else { OpenError::Engine(text) }
}

fn family_options(family: Family, cache: &Cache) -> Options {
    let table = match family {
        // A filter would never be asked, and larger blocks compress better.
        Family::Targets | Family::Audit | Family::Index => rocks::ranged(cache, 16 << 10),
        _ => rocks::keyed(cache, 4 << 10),
    };
    let buffer = match family {
        Family::Uses | Family::Logins | Family::TokenUses => COUNTS_BUFFER_OCTETS,
        _ => FAMILY_BUFFER_OCTETS,
    };
    let mut options = rocks::family_options(&table, buffer);
    if matches!(family, Family::Names | Family::Pops | Family::Aliases) {
        // An import asks for many keys that are not there: most such questions end at a filter in front of the buffer.
        options.set_memtable_whole_key_filtering(true);
        options.set_memtable_prefix_bloom_ratio(0.02);
    }
    // The first files are soon merged into others: compressing them is not worth its time.
    options.set_compression_per_level(&[DBCompressionType::None, DBCompressionType::Lz4]);
    options
}
