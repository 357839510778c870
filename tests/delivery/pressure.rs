//! Bounds that are met, and mailboxes that hang: who is not concerned goes on, and service resumes by itself.

use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::{Duration, SystemTime};

use restante::maildir::{Maildirs, Over, Settings};
use restante::router::Destination;
use restante::spool::{Bounds, Failure, Outcomes, Spool, Stored};
use restante::sys::Real;
use restante::sys::disk::{Disk, InPlace, Kind, Output};
use tempfile::TempDir;

use super::{begin, settings, to};

/// How long anything may take that is not meant to hang.
const SOON: Duration = Duration::from_secs(20);

/// The machine's own disk, but for one mailbox that hangs and one operation that fails, while they are told to.
#[derive(Clone, Default)]
struct Faulty(Arc<(Mutex<Fault>, Condvar)>);

#[derive(Default)]
struct Fault {
    /// Files are not made in folders of this name until it is none.
    hangs: Option<&'static str>,
    /// Mailboxes cannot be made durable.
    unsettled: bool,
}

impl Faulty {
    fn set(&self, change: impl FnOnce(&mut Fault)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }
}

impl Disk for Faulty {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        let hangs = |fault: &mut Fault| fault.hangs.is_some_and(|name| path.components().any(|part| part.as_os_str() == name));
        drop(self.0.1.wait_while(self.0.0.lock().unwrap(), hangs).unwrap());
        Real.create(path)
    }
    fn sync_volume(&self, path: &Path) -> io::Result<()> {
        if self.0.0.lock().unwrap().unsettled { Err(io::Error::other("the disk fails")) } else { Real.sync_volume(path) }
    }
    fn open_in_place(&self, path: &Path, octets: u64) -> io::Result<Box<dyn InPlace>> {
        Real.open_in_place(path, octets)
    }
    fn boot(&self) -> io::Result<u64> {
        Real.boot()
    }
    fn volume(&self, path: &Path) -> io::Result<u64> {
        Real.volume(path)
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        Real.open(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
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

struct World {
    disk: Faulty,
    spool: Spool,
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let (folder, disk) = (tempfile::tempdir().unwrap(), Faulty::default());
        let root = folder.path().join("mail");
        let mail = Settings { root, hostname: "mx.example.org".into(), default_quota: None, over: Over::Defer };
        let maildirs = Arc::new(Maildirs::on(mail, Arc::new(disk.clone())).unwrap());
        let log = Bounds { segment: 16 << 10, total: 64 << 10 };
        let spool = restante::spool::Settings { log, ..settings(folder.path()) };
        let spool = Spool::on(spool, maildirs, Arc::new(disk.clone())).unwrap();
        Self { disk, spool, folder }
    }

    fn begin(&self, to: Destination) -> mpsc::Receiver<Vec<Result<Stored, Failure>>> {
        begin(&self.spool, "Subject: hello\n\nbody\n", vec![vec![to]], Outcomes::Together)
    }

    fn send(&self, to: Destination) -> Result<Stored, Failure> {
        self.begin(to).recv_timeout(SOON).unwrap().remove(0)
    }
}

#[test]
fn a_mailbox_that_hangs_holds_up_nobody_else() {
    let world = World::new();
    assert!(world.send(to(1, "alice")).is_ok() && world.send(to(2, "bob")).is_ok());
    world.disk.set(|fault| fault.hangs = Some("alice"));
    let hanging: Vec<_> = (0..12).map(|_| world.begin(to(1, "alice"))).collect();
    for _ in 0..30 {
        assert!(world.send(to(2, "bob")).is_ok());
    }
    // Once it is known that the mailbox hangs, nobody is sent there any more.
    std::thread::sleep(Duration::from_millis(2_100));
    assert!(matches!(world.send(to(1, "alice")), Err(Failure::Io(cause)) if cause.contains("does not answer")));
    assert!(world.send(to(2, "bob")).is_ok());
    world.disk.set(|fault| fault.hangs = None);
    for results in hanging {
        assert!(results.recv_timeout(SOON).unwrap()[0].is_ok());
    }
    assert!(world.send(to(1, "alice")).is_ok());
    assert_eq!(std::fs::read_dir(world.folder.path().join("mail/alice/new")).unwrap().count(), 14);
}

#[test]
fn a_log_that_is_full_defers_until_its_mail_is_durable() {
    let world = World::new();
    world.disk.set(|fault| fault.unsettled = true);
    let mut taken = 0;
    let refused = loop {
        match world.send(to(1, "alice")) {
            Ok(_) => taken += 1,
            Err(failure) => break failure,
        }
    };
    assert_eq!(refused, Failure::DiskFull);
    // 128 records of 512 octets are what 64 KiB have room for.
    assert!((100..=128).contains(&taken), "{taken}");
    assert!(world.spool.checkpoint().is_err());
    assert_eq!(world.send(to(2, "bob")), Err(Failure::DiskFull));
    world.disk.set(|fault| fault.unsettled = false);
    // It resumes by itself: nobody asks for a checkpoint here.
    let begun = std::time::Instant::now();
    while world.send(to(2, "bob")).is_err() {
        assert!(begun.elapsed() < SOON);
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(std::fs::read_dir(world.folder.path().join("mail/alice/new")).unwrap().count(), taken);
}
