//! RocksDB as the directory uses it: options, and reads and writes by [`Key`].
//!
//! Memory: one block cache for everything, write buffers that take memory only as they fill, and, outside the cache, the
//! filters and indexes of open table files, two octets for each record. In the cache they would cost far more time than
//! memory: a filter of a large file fits in none of its shards, and would be read anew for each question.

use std::path::Path;

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DBCompressionType, DBPinnableSlice, DBRecoveryMode, DBWithThreadMode,
    LogLevel, Options, SingleThreaded, WriteBatch, WriteOptions,
};

use super::OpenError;
use crate::directory::schema::{Family, Key};
use crate::directory::view::Unreadable;

/// RocksDB with its column families fixed when it is opened: finding one takes no lock.
pub type Database = DBWithThreadMode<SingleThreaded>;

/// Blocks held in memory, beside those that the system holds.
const CACHE_OCTETS: usize = 32 << 20;

/// Write buffers of all families together.
const BUFFER_OCTETS: usize = 64 << 20;

/// Write buffer of one family. Large buffers make fewer, better sorted files in an import.
const FAMILY_BUFFER_OCTETS: usize = 24 << 20;

/// Log that may have to be read again when the directory is opened.
const LOG_OCTETS: u64 = 64 << 20;

/// What a write buffer takes at a time: small, since most families see few writes.
const ARENA_OCTETS: usize = 64 << 10;

/// Table files held open.
const OPEN_FILES: i32 = 512;

/// Ten bits a key: one lookup in a hundred reads a block for a key that is not there.
const BLOOM_BITS: f64 = 10.0;

/// The database.
pub struct Engine {
    database: Database,
}

impl Engine {
    /// Opens or makes the database.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        std::fs::create_dir_all(path).map_err(|e| OpenError::Engine(format!("{}: {e}", path.display())))?;
        let cache = Cache::new_lru_cache(CACHE_OCTETS);
        let families = Family::ALL.map(|family| ColumnFamilyDescriptor::new(family.name(), family_options(family, &cache)));
        let database = Database::open_cf_descriptors(&database_options(), path, families).map_err(|e| refused(&e))?;
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

fn database_options() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_max_background_jobs(2);
    options.set_max_open_files(OPEN_FILES);
    options.set_max_file_opening_threads(4);
    options.set_skip_stats_update_on_db_open(true);
    options.set_db_write_buffer_size(BUFFER_OCTETS);
    options.set_max_total_wal_size(LOG_OCTETS);
    // A torn end of the log is a commit that nobody was told of. Damage before it is an error.
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    options.set_log_level(LogLevel::Warn);
    options.set_keep_log_file_num(4);
    options.set_bytes_per_sync(1 << 20);
    options
}

fn family_options(family: Family, cache: &Cache) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_format_version(6);
    match family {
        // Read in ranges only: a filter would never be asked, and larger blocks compress better.
        Family::Targets | Family::Audit | Family::Index => table.set_block_size(16 << 10),
        _ => {
            table.set_block_size(4 << 10);
            table.set_bloom_filter(BLOOM_BITS, false);
        }
    }
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    if matches!(family, Family::Names | Family::Pops | Family::Aliases) {
        // An import asks for many keys that are not there: most such questions end at a filter in front of the buffer.
        options.set_memtable_whole_key_filtering(true);
        options.set_memtable_prefix_bloom_ratio(0.02);
    }
    // The first files are soon merged into others: compressing them is not worth its time.
    options.set_compression_per_level(&[DBCompressionType::None, DBCompressionType::Lz4]);
    options.set_write_buffer_size(FAMILY_BUFFER_OCTETS);
    options.set_arena_block_size(ARENA_OCTETS);
    options.set_level_compaction_dynamic_level_bytes(true);
    options
}
