//! What the instances of RocksDB have in common, whoever keeps what in them. Refuses to know families and keys.
//!
//! Memory: one block cache for an instance, write buffers that take memory only as they fill, and, outside the cache, the
//! filters and indexes of open table files.

use rocksdb::{BlockBasedOptions, Cache, DBCompressionType, DBRecoveryMode, DBWithThreadMode, LogLevel, Options, SingleThreaded};

/// RocksDB with its column families fixed when it is opened: finding one takes no lock.
pub type Database = DBWithThreadMode<SingleThreaded>;

/// What a write buffer takes at a time: small, since most families see few writes.
const ARENA_OCTETS: usize = 64 << 10;

/// Ten bits a key: one lookup in a hundred reads a block for a key that is not there.
const BLOOM_BITS: f64 = 10.0;

/// What an instance may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Files held open.
    pub open_files: i32,
    /// Octets of the write buffers of all families together.
    pub buffers: usize,
    /// Octets of the log that may have to be read again when it is opened.
    pub log: u64,
}

/// Options of an instance.
pub fn database_options(limits: Limits) -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_max_background_jobs(2);
    options.set_max_open_files(limits.open_files);
    options.set_max_file_opening_threads(4);
    options.set_skip_stats_update_on_db_open(true);
    options.set_db_write_buffer_size(limits.buffers);
    options.set_max_total_wal_size(limits.log);
    // A torn end of the log is a write that nobody was told of. Damage before it is an error.
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    options.set_log_level(LogLevel::Warn);
    options.set_keep_log_file_num(4);
    options.set_bytes_per_sync(1 << 20);
    options
}

/// Options of the table files of a family that is read in ranges. Blocks are of `block` octets, before compression.
pub fn ranged(cache: &Cache, block: usize) -> BlockBasedOptions {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_format_version(6);
    table.set_block_size(block);
    table
}

/// Options of the table files of a family that is asked for single keys, too: with a filter.
pub fn keyed(cache: &Cache, block: usize) -> BlockBasedOptions {
    let mut table = ranged(cache, block);
    table.set_bloom_filter(BLOOM_BITS, false);
    table
}

/// Options of a family with such table files, and a write buffer of `buffer` octets.
pub fn family_options(table: &BlockBasedOptions, buffer: usize) -> Options {
    let mut options = Options::default();
    options.set_block_based_table_factory(table);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_write_buffer_size(buffer);
    options.set_arena_block_size(ARENA_OCTETS);
    options.set_level_compaction_dynamic_level_bytes(true);
    options
}
