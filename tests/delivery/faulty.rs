//! The machine's own disk, but for what it is told to do wrong.

use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::SystemTime;

use restante::sys::Real;
use restante::sys::disk::{Disk, InPlace, Kind, Output, Volume};

/// The disk. Clones are the same disk.
#[derive(Clone, Default)]
pub struct Faulty(Arc<(Mutex<Fault>, Condvar)>);

/// What it does wrong.
#[derive(Default)]
pub struct Fault {
    /// Files are not made, and folders not looked at, in folders of this name until it is none.
    pub hangs: Option<&'static str>,
    /// The same for files that are to be moved.
    pub holds: Option<&'static str>,
    /// Mailboxes cannot be made durable.
    pub unsettled: bool,
    /// How often the machine seems to have been booted.
    pub boots: u64,
}

impl Faulty {
    /// Changes that.
    pub fn set(&self, change: impl FnOnce(&mut Fault)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    /// Waits for as long as this is what hangs.
    fn wait(&self, path: &Path, hangs: impl Fn(&Fault) -> Option<&'static str>) {
        let hangs = |fault: &mut Fault| hangs(fault).is_some_and(|name| path.components().any(|part| part.as_os_str() == name));
        drop(self.0.1.wait_while(self.0.0.lock().unwrap(), hangs).unwrap());
    }
}

struct Watched(Box<dyn Volume>, Faulty);

impl Volume for Watched {
    fn sync(&self) -> io::Result<()> {
        if self.1.0.0.lock().unwrap().unsettled { Err(io::Error::other("the disk fails")) } else { self.0.sync() }
    }
}

impl Disk for Faulty {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        self.wait(path, |fault| fault.hangs);
        Real.create(path)
    }
    fn open_volume(&self, path: &Path) -> io::Result<Box<dyn Volume>> {
        Ok(Box::new(Watched(Real.open_volume(path)?, self.clone())))
    }
    fn open_in_place(&self, path: &Path, octets: u64) -> io::Result<Box<dyn InPlace>> {
        Real.open_in_place(path, octets)
    }
    fn boot(&self) -> io::Result<u64> {
        Ok(Real.boot()?.wrapping_add(self.0.0.lock().unwrap().boots))
    }
    fn volume(&self, path: &Path) -> io::Result<u64> {
        Real.volume(path)
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        Real.open(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.wait(to, |fault| fault.holds);
        Real.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        Real.remove(path)
    }
    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        Real.remove_tree(path)
    }
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        Real.make_folder(path)
    }
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        Real.sync_folder(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<(String, Kind)>> {
        self.wait(path, |fault| fault.hangs);
        Real.list(path)
    }
    fn len(&self, path: &Path) -> io::Result<u64> {
        Real.len(path)
    }
    fn modified(&self, path: &Path) -> io::Result<SystemTime> {
        self.wait(path, |fault| fault.hangs);
        Real.modified(path)
    }
    fn free(&self, path: &Path) -> io::Result<u64> {
        Real.free(path)
    }
}
