//! Acceptance and Maildirs on a real disk, and on one that fails at every step in turn.

#[path = "delivery/failing.rs"]
mod failing;
#[path = "delivery/faulty.rs"]
mod faulty;
#[path = "delivery/outage.rs"]
mod outage;
#[path = "delivery/power.rs"]
mod power;
#[path = "delivery/pressure.rs"]
mod pressure;

use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

use failing::{Failing, Fuse};
use restante::directory::{AccountId, Effect};
use restante::mail::trace::{Client, Spoken, With};
use restante::mail::{Address, Domain, Envelope, Mailbox, Name, Recipient, ReversePath};
use restante::maildir::{Maildirs, NoRoom, Over, Settings, name};
use restante::router::Destination;
use restante::spool::outgoing::Kind;
use restante::spool::{self, Bounds, Failure, Outcomes, Pending, Routed, Routing, Spool, Stored};
use tempfile::TempDir;

type Outcome = Result<(), Box<dyn std::error::Error>>;

struct World {
    folder: TempDir,
    maildirs: Arc<Maildirs>,
    spool: Spool,
    fuse: Fuse,
}

impl World {
    fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let fuse = Fuse::default();
        let disk = Arc::new(Failing(fuse.clone()));
        let settings =
            Settings { root: folder.path().join("mail"), hostname: "mx.example.org".into(), default_quota: None, over: Over::Defer };
        let maildirs = Arc::new(Maildirs::on(settings, disk.clone())?);
        let spool = Spool::on(self::settings(folder.path()), maildirs.clone(), disk)?;
        Ok(Self { folder, maildirs, spool, fuse })
    }

    fn accept(&self, text: &str, recipients: Vec<Vec<Destination>>, outcomes: Outcomes) -> Vec<Result<Stored, Failure>> {
        accept(&self.spool, text, recipients, outcomes)
    }

    fn files(&self, account: &str, part: &str) -> Vec<PathBuf> {
        let folder = self.folder.path().join("mail").join(account).join(part);
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
    }

    fn texts(&self, account: &str) -> Vec<String> {
        self.files(account, "new").iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect()
    }
}

fn accept(spool: &Spool, text: &str, recipients: Vec<Vec<Destination>>, outcomes: Outcomes) -> Vec<Result<Stored, Failure>> {
    begin(spool, text, recipients, outcomes).0.recv().unwrap()
}

/// Hears the results.
type Hearing = mpsc::Receiver<Vec<Result<Stored, Failure>>>;

/// The same, without waiting for the results.
fn begin(spool: &Spool, text: &str, recipients: Vec<Vec<Destination>>, outcomes: Outcomes) -> (Hearing, Pending) {
    let mut body = spool.body();
    let mut text = text.as_bytes().to_vec();
    assert!(body.take(&mut text).is_ok() && text.is_empty());
    let recipients = recipients.into_iter().map(|to| (mailbox("Info+x@example.org"), to));
    let recipients = recipients
        .map(|(m, destinations)| Routed {
            recipient: Recipient::from(m),
            destinations,
            reserved: Vec::new(),
            relays: Vec::new(),
            lists: Vec::new(),
            sender: None,
        })
        .collect();
    let routing = Routing {
        id: spool.next_id(),
        envelope: Envelope::from_sender(ReversePath::Mailbox(mailbox("sender@example.com"))),
        recipients,
        client: Client { helo: "client.example".into(), name: None, address: None },
        with: With { spoken: Spoken::Lmtp, encrypted: false, charset: Default::default() },
        kind: Kind::Forwarded,
    };
    let (done, results) = mpsc::channel();
    let pending = spool.accept(routing, body, outcomes, move |results| drop(done.send(results)));
    (results, pending)
}

/// A log of small segments.
const LOG: Bounds = Bounds { segment: 64 << 10, total: 1 << 20 };

fn settings(dir: &Path) -> spool::Settings {
    spool::Settings { dir: dir.to_owned(), hostname: "mx.example.org".into(), log: LOG }
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).unwrap()
}

fn to(id: u64, account: &str) -> Destination {
    let name = Name::parse(account).unwrap();
    let address = Address::new(account, Domain::parse("example.org").unwrap());
    Destination { id: AccountId(id), name, address, quota: None }
}

fn named(id: u64, account: &str) -> (AccountId, Name) {
    (AccountId(id), Name::parse(account).unwrap())
}

const TEXT: &str = "Return-Path: <forged@example.net>\nSubject: hello\n\nbody\n";

#[test]
fn a_copy_has_its_fields_and_a_name_that_tells_its_sizes() -> Outcome {
    let world = World::new()?;
    let results = world.accept(TEXT, vec![vec![to(1, "alice")]], Outcomes::Together);
    let path = results[0].as_ref().map_err(|f| format!("{f:?}"))?.files()[0].clone();
    let text = std::fs::read_to_string(&path)?;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..3], ["Return-Path: <sender@example.com>", "Delivered-To: alice@example.org", "X-Original-To: Info+x@example.org"]);
    assert!(lines[3].starts_with("Received: from client.example (local socket)"), "{}", lines[3]);
    assert!(text.ends_with("\nSubject: hello\n\nbody\n") && !text.contains("forged"));
    let file = path.file_name().and_then(|f| f.to_str()).ok_or("no name")?;
    assert_eq!(name::size(file), Some(text.len() as u64));
    assert!(file.ends_with(&format!(",W={}", text.len() + text.lines().count())), "{file}");
    assert!(world.files("alice", "tmp").is_empty());
    Ok(())
}

#[test]
fn one_copy_for_a_mailbox_that_two_recipients_reach() -> Outcome {
    let world = World::new()?;
    let results = world.accept(TEXT, vec![vec![to(1, "alice")], vec![to(1, "alice"), to(2, "bob")], vec![]], Outcomes::Each);
    assert_eq!(results.iter().map(|r| r.as_ref().map_or(9, |s| s.files().len())).collect::<Vec<_>>(), [1, 2, 0]);
    assert_eq!((world.texts("alice").len(), world.texts("bob").len()), (1, 1));
    Ok(())
}

#[test]
fn loops_fail_their_own_recipient_in_lmtp_and_all_in_smtp() -> Outcome {
    let world = World::new()?;
    let text = "Delivered-To: ALICE@example.org\n\nx\n";
    let both = || vec![vec![to(1, "alice")], vec![to(2, "bob")]];
    let each = world.accept(text, both(), Outcomes::Each);
    assert_eq!((each[0].clone().err(), each[1].is_ok()), (Some(Failure::Loop), true));
    let together = world.accept(text, both(), Outcomes::Together);
    assert!(together.iter().all(|r| *r == Err(Failure::Loop)));
    assert_eq!((world.texts("alice").len(), world.texts("bob").len(), world.files("bob", "tmp").len()), (0, 1, 0));
    Ok(())
}

#[test]
fn a_quota_holds_against_promises_and_other_programs() -> Outcome {
    let world = World::new()?;
    let full = Destination { quota: Some(1000), ..to(1, "alice") };
    let promise = world.maildirs.reserve(&full, 800)?;
    assert!(matches!(world.maildirs.reserve(&full, 300), Err(NoRoom::Full)));
    drop(promise);
    assert!(world.accept(TEXT, vec![vec![full.clone()]], Outcomes::Each)[0].is_ok());
    let big = format!("Subject: big\n\n{}\n", "x".repeat(900));
    assert_eq!(world.accept(&big, vec![vec![full.clone()]], Outcomes::Each)[0], Err(Failure::MailboxFull));
    for file in world.files("alice", "new") {
        std::fs::remove_file(file)?;
    }
    let (id, name) = named(1, "alice");
    assert_eq!(world.maildirs.usage(id, &name)?.messages, 0);
    assert!(world.accept(TEXT, vec![vec![full]], Outcomes::Each)[0].is_ok());
    Ok(())
}

#[test]
fn parallel_deliveries_do_not_overrun_a_quota() -> Outcome {
    let world = World::new()?;
    let limited = Destination { quota: Some(2_000), ..to(1, "alice") };
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..5).for_each(|_| drop(world.accept(TEXT, vec![vec![limited.clone()]], Outcomes::Each))));
        }
    });
    let octets: u64 = world.texts("alice").iter().map(|text| text.len() as u64).sum();
    assert!(octets <= 2_000 && octets > 1_000, "{octets}");
    Ok(())
}

/// Fails each operation of an acceptance in turn: what is acknowledged is there exactly once, the rest not at all.
#[test]
fn whichever_operation_fails_nothing_acknowledged_is_lost_and_nothing_else_appears() -> Outcome {
    for outcomes in [Outcomes::Together, Outcomes::Each] {
        let mut operation = 1;
        loop {
            let world = World::new()?;
            world.fuse.set(operation);
            let results = world.accept(TEXT, vec![vec![to(1, "alice")], vec![to(2, "bob")]], outcomes);
            let blown = world.fuse.blown();
            world.fuse.set(0);
            let found = |account: &str| world.texts(account).len();
            let waiting = world.spool.deliver_waiting(|id, name| Some(to(id.0, name.as_str())))?;
            assert_eq!(waiting, 0);
            for (result, account) in results.iter().zip(["alice", "bob"]) {
                let context = format!("{outcomes:?}, operation {operation}, {account}: {result:?}");
                match result {
                    Ok(_) => assert_eq!(found(account), 1, "{context}"),
                    // Only a folder whose sync fails may leave a copy that nobody was told of.
                    Err(failure) => assert!(*failure == Failure::DiskFull && found(account) <= 1, "{context}"),
                }
                assert!(world.files(account, "tmp").is_empty(), "{context}");
            }
            assert!(world.accept(TEXT, vec![vec![to(1, "alice")]], outcomes)[0].is_ok(), "service resumes");
            if !blown {
                break;
            }
            operation += 1;
        }
        assert!(operation > 10, "the loop met {operation} operations only");
    }
    Ok(())
}

#[test]
fn a_mailbox_that_cannot_be_used_fails_alone() -> Outcome {
    let world = World::new()?;
    std::fs::write(world.folder.path().join("mail/alice"), "a file in place of the folder")?;
    let results = world.accept(TEXT, vec![vec![to(1, "alice")], vec![to(2, "bob")]], Outcomes::Each);
    assert!(matches!(results[0], Err(Failure::Io(_))) && results[1].is_ok(), "{results:?}");
    Ok(())
}

#[test]
fn a_folder_that_an_admin_removed_is_made_again() -> Outcome {
    let world = World::new()?;
    for _ in 0..2 {
        assert!(world.accept(TEXT, vec![vec![to(1, "alice")]], Outcomes::Each)[0].is_ok());
        std::fs::remove_dir_all(world.folder.path().join("mail/alice"))?;
    }
    Ok(())
}

#[test]
fn a_new_account_under_an_old_name_never_sees_old_mail() -> Outcome {
    let world = World::new()?;
    let ((old, name), new) = (named(1, "alice"), AccountId(5));
    assert!(world.accept(TEXT, vec![vec![to(1, "alice")]], Outcomes::Each)[0].is_ok());
    // The crash between the directory's commit and the folder's move: the folder of account 1 is still in place.
    assert!(world.accept(TEXT, vec![vec![to(5, "alice")]], Outcomes::Each)[0].is_ok());
    assert_eq!(world.texts("alice").len(), 1);
    assert!(world.folder.path().join("mail/.trash/1/new").is_dir());
    // A transaction that was routed before the deletion does not get the folder back.
    assert!(matches!(world.accept(TEXT, vec![vec![to(1, "alice")]], Outcomes::Each)[0], Err(Failure::Io(_))));
    world.maildirs.follow(&[Effect::PopTrashed { id: new, name: name.clone() }])?;
    world.maildirs.follow(&[Effect::PopRestored { id: old, name: name.clone() }])?;
    assert_eq!(world.texts("alice").len(), 1);
    world.maildirs.follow(&[Effect::PopPurged { id: new, name }])?;
    assert!(!world.folder.path().join("mail/.trash/5").exists());
    Ok(())
}

#[test]
fn folders_follow_even_when_any_operation_fails_the_first_time() -> Outcome {
    let (id, alice) = named(1, "alice");
    let bob = Name::parse("bob")?;
    let story = [
        Effect::PopAdded { id, name: alice.clone() },
        Effect::PopRenamed { id, from: alice, to: bob.clone() },
        Effect::PopTrashed { id, name: bob.clone() },
        Effect::PopRestored { id, name: bob.clone() },
    ];
    for operation in 1.. {
        let world = World::new()?;
        world.fuse.set(operation);
        for effect in &story {
            while let Err(error) = world.maildirs.follow(std::slice::from_ref(effect)) {
                assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
            }
            if matches!(effect, Effect::PopAdded { .. }) {
                assert!(std::fs::write(world.folder.path().join("mail/alice/new/1.x"), "kept").is_ok());
            }
        }
        assert_eq!(world.texts("bob"), ["kept"], "operation {operation}");
        assert_eq!(world.maildirs.claimed()?, [(bob.clone(), id)]);
        if !world.fuse.blown() {
            return Ok(());
        }
    }
    Ok(())
}

#[test]
fn two_servers_cannot_share_a_spool() -> Outcome {
    let world = World::new()?;
    let second = Spool::open(settings(world.folder.path()), world.maildirs.clone());
    assert!(second.is_err_and(|e| e.to_string().contains("in use by another server")));
    Ok(())
}

#[test]
fn left_over_files_go_and_fresh_ones_stay() -> Outcome {
    let world = World::new()?;
    assert!(world.accept(TEXT, vec![vec![to(1, "alice")]], Outcomes::Each)[0].is_ok());
    let folder: &Path = &world.folder.path().join("mail/alice");
    std::fs::write(folder.join("tmp/1.x"), "")?;
    let now = std::time::SystemTime::now();
    assert_eq!(world.maildirs.sweep(folder, now)?, 0);
    assert_eq!(world.maildirs.sweep(folder, now + restante::maildir::deliver::LEFT_OVER * 2)?, 1);
    Ok(())
}
