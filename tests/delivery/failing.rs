//! A disk that fails one operation: the machine's own otherwise.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::SystemTime;

use restante::sys::Real;
use restante::sys::disk::{Disk, InPlace, Kind, Output, Volume};

/// Counts down with every operation that changes the disk; the one that meets zero fails.
#[derive(Clone, Default)]
pub struct Fuse(Arc<AtomicI64>);

impl Fuse {
    /// The `operation`-th change from now on fails, counted from 1; 0 is never.
    pub fn set(&self, operation: i64) {
        self.0.store(operation, Ordering::SeqCst);
    }

    /// Whether the operation that was to fail has been met.
    pub fn blown(&self) -> bool {
        self.0.load(Ordering::SeqCst) < 0
    }

    fn burn(&self) -> io::Result<()> {
        let step = |left: i64| (left != 0 && left != -1).then_some(if left == 1 { -1 } else { left - 1 });
        match self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, step) {
            Ok(1) => Err(io::Error::from(io::ErrorKind::StorageFull)),
            _ => Ok(()),
        }
    }
}

pub struct Failing(pub Fuse);

struct Written(Box<dyn Output>, Fuse);

impl Write for Written {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.1.burn()?;
        self.0.write(text)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Output for Written {
    fn sync(&mut self) -> io::Result<()> {
        self.1.burn()?;
        self.0.sync()
    }
}

struct Watched(Box<dyn Volume>, Fuse);

impl Volume for Watched {
    fn sync(&self) -> io::Result<()> {
        self.1.burn()?;
        self.0.sync()
    }
}

struct Fixed(Box<dyn InPlace>, Fuse);

impl InPlace for Fixed {
    fn write_at(&self, octets: &[u8], at: u64) -> io::Result<()> {
        self.1.burn()?;
        self.0.write_at(octets, at)
    }
    fn read_at(&self, octets: &mut [u8], at: u64) -> io::Result<usize> {
        self.0.read_at(octets, at)
    }
    fn sync(&self) -> io::Result<()> {
        self.1.burn()?;
        self.0.sync()
    }
}

impl Disk for Failing {
    fn open_in_place(&self, path: &Path, octets: u64) -> io::Result<Box<dyn InPlace>> {
        self.0.burn()?;
        Ok(Box::new(Fixed(Real.open_in_place(path, octets)?, self.0.clone())))
    }
    fn open_volume(&self, path: &Path) -> io::Result<Box<dyn Volume>> {
        Ok(Box::new(Watched(Real.open_volume(path)?, self.0.clone())))
    }
    fn boot(&self) -> io::Result<u64> {
        Real.boot()
    }
    fn volume(&self, path: &Path) -> io::Result<u64> {
        Real.volume(path)
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        self.0.burn()?;
        Ok(Box::new(Written(Real.create(path)?, self.0.clone())))
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        Real.open(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.burn()?;
        Real.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        Real.remove(path)
    }
    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        self.0.burn()?;
        Real.remove_tree(path)
    }
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        self.0.burn()?;
        Real.make_folder(path)
    }
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.0.burn()?;
        Real.sync_folder(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<(String, Kind)>> {
        Real.list(path)
    }
    fn len(&self, path: &Path) -> io::Result<u64> {
        Real.len(path)
    }
    fn modified(&self, path: &Path) -> io::Result<SystemTime> {
        Real.modified(path)
    }
    fn free(&self, path: &Path) -> io::Result<u64> {
        Real.free(path)
    }
}
