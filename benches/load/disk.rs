//! The disk below a server: its flushes, as its driver counts them, and how it gets rid of many files.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;

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

/// Folders that are worked on at a time: where freed blocks are discarded at once (`mount -o discard`), each removal waits
/// for the device.
const AT_A_TIME: usize = 64;

/// Removes all files in these folders; how many they were.
pub fn empty(folders: &[PathBuf]) -> usize {
    each(folders, |folder| {
        let files = fs::read_dir(folder).into_iter().flatten().flatten();
        files.filter(|file| fs::remove_file(file.path()).is_ok()).count()
    })
}

/// Removes these folders with all that is in them; how many there were.
pub fn remove(folders: &[PathBuf]) -> usize {
    each(folders, |folder| usize::from(fs::remove_dir_all(folder).is_ok()))
}

/// Waits until the disk has all that was written to its file system.
pub fn settle(folder: &Path) {
    File::open(folder).and_then(|folder| Ok(rustix::fs::syncfs(folder)?)).expect("the disk takes it");
}

fn each(folders: &[PathBuf], act: fn(&Path) -> usize) -> usize {
    thread::scope(|scope| {
        let parts = folders.chunks(folders.len().div_ceil(AT_A_TIME).max(1));
        let workers: Vec<_> = parts.map(|part| scope.spawn(move || part.iter().map(|folder| act(folder)).sum::<usize>())).collect();
        workers.into_iter().map(|worker| worker.join().expect("no worker panics")).sum()
    })
}
