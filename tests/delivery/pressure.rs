//! Bounds that are met, and mailboxes that hang: who is not concerned goes on, and service resumes by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use restante::maildir::{Maildirs, NoRoom, Over, Settings};
use restante::router::Destination;
use restante::spool::{Bounds, Failure, Outcomes, Pending, Spool, Stored};
use tempfile::TempDir;

use super::faulty::Faulty;
use super::{Hearing, begin, settings, to};

/// How long anything may take that is not meant to hang.
const SOON: Duration = Duration::from_secs(20);

struct World {
    disk: Faulty,
    maildirs: Arc<Maildirs>,
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
        let spool = Spool::on(spool, Arc::clone(&maildirs), Arc::new(disk.clone())).unwrap();
        Self { disk, maildirs, spool, folder }
    }

    fn begin(&self, to: Destination) -> (Hearing, Pending) {
        begin(&self.spool, "Subject: hello\n\nbody\n", vec![vec![to]], Outcomes::Together)
    }

    fn send(&self, to: Destination) -> Result<Stored, Failure> {
        self.begin(to).0.recv_timeout(SOON).unwrap().remove(0)
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
    for (results, _) in hanging {
        assert!(results.recv_timeout(SOON).unwrap()[0].is_ok());
    }
    assert!(world.send(to(1, "alice")).is_ok());
    assert_eq!(std::fs::read_dir(world.folder.path().join("mail/alice/new")).unwrap().count(), 14);
}

/// The disk has it: whoever has waited long enough hears so, and the copy comes when the mailbox answers.
#[test]
fn a_client_need_not_wait_for_a_mailbox_that_hangs_when_its_message_is_safe() {
    let world = World::new();
    assert!(world.send(to(1, "alice")).is_ok());
    world.disk.set(|fault| fault.holds = Some("alice"));
    let (results, pending) = world.begin(to(1, "alice"));
    let begun = Instant::now();
    let safe = loop {
        assert!(begun.elapsed() < SOON);
        match pending.by_now() {
            Some(safe) => break safe,
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    let stored = safe.into_iter().next().unwrap().unwrap();
    assert_eq!((stored.waiting(), stored.files().len()), (1, 0));
    assert!(pending.by_now().is_none() && results.recv_timeout(SOON).is_err(), "it is told once");
    let new = world.folder.path().join("mail/alice/new");
    assert_eq!(std::fs::read_dir(&new).unwrap().count(), 1);
    world.disk.set(|fault| fault.holds = None);
    while std::fs::read_dir(&new).unwrap().count() < 2 {
        assert!(begun.elapsed() < SOON);
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn room_in_a_mailbox_that_hangs_is_asked_for_only_until_that_is_known() {
    let world = World::new();
    let alice = Destination { quota: Some(1 << 20), ..to(1, "alice") };
    assert!(world.maildirs.reserve(&alice, 1).is_ok());
    world.disk.set(|fault| fault.hangs = Some("alice"));
    let (maildirs, destination) = (Arc::clone(&world.maildirs), alice.clone());
    let hanging = std::thread::spawn(move || maildirs.reserve(&destination, 1).is_ok());
    std::thread::sleep(Duration::from_millis(2_100));
    assert!(matches!(world.maildirs.reserve(&alice, 1), Err(NoRoom::Unreadable(cause)) if cause.to_string().contains("does not answer")));
    assert!(world.maildirs.usage(alice.id, &alice.name).is_err());
    world.disk.set(|fault| fault.hangs = None);
    assert!(hanging.join().unwrap());
    assert!(world.maildirs.reserve(&alice, 1).is_ok());
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
    // 64 KiB have room for 128 records of 512 octets; at most every other one says that an earlier message is done, and the
    // slower the machine, the more checkpoints are tried meanwhile, each with a record of its own.
    assert!((32..=128).contains(&taken), "{taken}");
    // It fails, or finds that those before it have failed for all there is: neither makes room.
    drop(world.spool.checkpoint());
    assert_eq!(world.send(to(2, "bob")), Err(Failure::DiskFull));
    world.disk.set(|fault| fault.unsettled = false);
    // It resumes by itself: nobody asks for a checkpoint here. What a sync has failed for is written anew, as the server does
    // now and then.
    let begun = Instant::now();
    while world.send(to(2, "bob")).is_err() {
        assert!(begun.elapsed() < SOON);
        assert_eq!(world.spool.deliver_waiting(|id, name| Some(to(id.0, name.as_str()))).unwrap(), 0);
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(std::fs::read_dir(world.folder.path().join("mail/alice/new")).unwrap().count(), taken);
}
