//! A server under load, as a client and a reader of its mailboxes see it.

use std::any::Any;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::client::Protocol;
use super::disk::{Device, empty, remove, settle};
use super::group::Group;
use super::{aliases, boxes, interrupt};
use crate::world::World;

/// How long the last copy may take after the client has ended.
const ARRIVED: Duration = Duration::from_secs(120);

/// How long a server may go on working when nothing is left to do.
const QUIET: Duration = Duration::from_secs(10);

/// Octets of earlier runs that may lie in the mailboxes of a server.
const KEPT: u64 = 4 << 30;

/// A server that runs.
pub struct Server {
    /// Ends before the group of its processes goes.
    _instance: Box<dyn Any + Sync>,
    /// Its processes.
    pub group: Group,
    /// Where it takes mail.
    pub doors: Vec<Door>,
    mail: Option<PathBuf>,
    device: Option<Device>,
    /// Copies of earlier runs that are still in the mailboxes.
    kept: AtomicUsize,
}

/// A place where a server takes mail.
pub struct Door {
    /// What the tables call it.
    pub name: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
    /// What it speaks.
    pub protocol: Protocol,
}

impl Door {
    /// What `smtp-source` has to know of it.
    pub fn options(&self) -> &'static [&'static str] {
        match self.protocol {
            Protocol::Smtp => &[],
            Protocol::Lmtp => &["-L"],
        }
    }
}

impl Server {
    /// One that runs, with the folder of its Maildirs if it keeps what it takes.
    pub fn new((instance, group): (impl Any + Sync, Group), doors: Vec<Door>, mail: Option<PathBuf>) -> Self {
        let device = mail.as_deref().and_then(Device::below);
        Self { _instance: Box::new(instance), group, doors, mail, device, kept: AtomicUsize::new(0) }
    }

    /// Restante with its defaults, and all mailboxes and aliases.
    pub fn restante() -> Self {
        let start = || {
            let mut world = World::new();
            world.domain("example.org").pop("modelbox");
            world.multiply("modelbox", &boxes().collect::<Vec<_>>());
            world.alias("model@example.org", &["modelbox"]);
            world.import_aliases("model@example.org", aliases());
            // The memory of an import is not that of the service.
            world.stop();
            world.start();
            world
        };
        let started = Group::start("restante", start, World::pid);
        let world = &started.0;
        let door = |name, address, protocol| Door { name, address, protocol };
        let doors = vec![door("Restante SMTP", world.smtp(), Protocol::Smtp), door("Restante LMTP", world.lmtp(), Protocol::Lmtp)];
        let mail = world.maildir("box0").path().parent().map(Path::to_owned);
        Self::new(started, doors, mail)
    }

    /// Whether what it takes goes to Maildirs.
    pub fn keeps_mail(&self) -> bool {
        self.mail.is_some()
    }

    /// The spool of Restante, in which its mailboxes lie.
    pub fn spool(&self) -> &Path {
        self.mail.as_deref().and_then(Path::parent).expect("it keeps mail")
    }

    /// Flushes of the disk that its mailboxes lie on.
    pub fn flushes(&self) -> Option<u64> {
        self.device.as_ref()?.flushes()
    }

    fn arrived(&self) -> impl Iterator<Item = PathBuf> {
        self.mail.iter().flat_map(|mail| boxes().map(|name| mail.join(name).join("new")))
    }

    /// Copies in all mailboxes that have arrived since [`Server::clear`].
    pub fn count(&self) -> usize {
        self.all() - self.kept.load(Ordering::Relaxed)
    }

    fn all(&self) -> usize {
        self.arrived().filter_map(|folder| fs::read_dir(folder).ok()).map(Iterator::count).sum()
    }

    /// Waits until the mailboxes hold `expected` copies of a run that began at `begin`.
    pub fn holds(&self, expected: usize, begin: Instant) {
        let end = Instant::now() + ARRIVED;
        let mut count = self.expected_or_count(expected);
        while count < expected {
            interrupt::check();
            assert!(Instant::now() < end, "{count} of {expected} copies in {:?}", self.mail);
            // Counting costs the server time: half of what is likely to be left is waited for in one go.
            let left = begin.elapsed().as_secs_f64() * (expected - count) as f64 / count.max(1) as f64;
            sleep(Duration::from_secs_f64((left / 2.0).clamp(0.002, 0.5)));
            count = self.expected_or_count(expected);
        }
        assert_eq!(count, expected, "copies in {:?}", self.mail);
    }

    fn expected_or_count(&self, expected: usize) -> usize {
        if self.keeps_mail() { self.count() } else { expected }
    }

    /// Takes away what lies in all mailboxes; how much of it has arrived since [`Server::clear`].
    pub fn take(&self) -> usize {
        let kept = self.kept.swap(0, Ordering::Relaxed);
        empty(&self.arrived().collect::<Vec<_>>()).saturating_sub(kept)
    }

    /// Puts what has arrived, copies of that size, aside, and waits until neither the server nor the disk has anything left to
    /// do: the next run is not to pay for this one. It stays in the mailboxes as long as it is not very much: ext4 without a journal
    /// looks for a free inode the longer the more of them were freed in the last minutes, and a virtual machine pays for each page
    /// of memory that its cache has not had before.
    pub fn clear(&self, octets: u64) {
        let Some(mail) = &self.mail else { return };
        let all = self.all();
        if all as u64 * octets > KEPT {
            self.take();
        } else {
            self.kept.store(all, Ordering::Relaxed);
        }
        settle(mail);
        self.rest();
    }

    /// Waits until the server has nothing left to do.
    pub fn rest(&self) {
        let end = Instant::now() + QUIET;
        let mut before = self.group.cpu_seconds();
        while Instant::now() < end {
            sleep(Duration::from_millis(50));
            let now = self.group.cpu_seconds();
            if now - before < 0.005 {
                return;
            }
            before = now;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The folder of the instance would go one file at a time.
        remove(&self.mail.iter().flat_map(|mail| boxes().map(|name| mail.join(name))).collect::<Vec<_>>());
    }
}
