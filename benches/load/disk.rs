//! Flushes of a block device, as its driver counts them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{major, minor};

/// The block device below a folder.
pub struct Device(PathBuf);

impl Device {
    /// None where there is no such device, as on tmpfs, or where it counts no flushes.
    pub fn below(folder: &Path) -> Option<Self> {
        let number = fs::metadata(folder).ok()?.dev();
        let device = fs::canonicalize(format!("/sys/dev/block/{}:{}", major(number), minor(number))).ok()?;
        // A partition does not count them; the disk that it is part of does.
        let whole = if device.join("partition").exists() { device.parent()?.to_owned() } else { device };
        let device = Self(whole.join("stat"));
        device.flushes().map(|_| device)
    }

    /// All since the machine started, whoever asked for them.
    pub fn flushes(&self) -> Option<u64> {
        // The 16th field (Documentation/block/stat.rst), since Linux 5.5.
        fs::read_to_string(&self.0).ok()?.split_whitespace().nth(15)?.parse().ok()
    }
}
