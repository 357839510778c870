//! Ports to the world: disk, clock, DNS, and the numbering of messages.
//!
//! Owns every call that leaves the process for the file system or the clock on behalf of [`crate::maildir`] and
//! [`crate::spool`], and how the stores on RocksDB are set up. Refuses to know what is stored.

pub mod clock;
pub mod disk;
pub mod dns;
pub mod folder;
pub mod rocks;

pub use clock::Numbering;
pub use disk::{Disk, InPlace, Kind, Real, Volume};
