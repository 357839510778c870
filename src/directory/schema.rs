//! What lies on disk: keys, and the formats of records.
//!
//! Owns the bytes. Promises that every format ever written can be read for ever: the first byte of a value is its
//! format version, and `tests/directory` holds golden bytes of each. Refuses to know the engine: a key is a family and
//! some bytes, so any ordered store can hold it.
//!
//! A value is: version, the revision that wrote it, the record, in postcard (variable-length integers, no field names).
//! What the key says is not said again in the value. Lists have format version 2, whatever else there is version 1.

mod index;
mod key;
mod record;
mod v1;
mod v2;

pub use index::{INDEX, index, words, words_of, words_of_alias};
pub use key::{Family, Key, Prefix, Referrer};
pub(super) use record::encode_entry;
pub use record::{Counters, Record, Uses, decode, encode, members_within, revision_of};

/// The directory's format as a whole, written when it is made.
pub const FORMAT: u32 = 1;
