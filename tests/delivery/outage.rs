//! Power cuts and failures at random moments, on a disk that forgets whatever was not synced.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use proptest::prelude::*;
use restante::directory::Effect;
use restante::mail::Name;
use restante::maildir::{Maildirs, Over, Settings};
use restante::spool::{Outcomes, Spool};
use restante::sys::disk::{Disk, make_folders};
use tempfile::TempDir;

use super::power::{Fault, Memory};
use super::{accept, named, to};

/// The lock and the bodies on their way in are on the machine's own disk; everything else is in memory.
struct Machine {
    folder: TempDir,
    disk: Memory,
    running: Option<(Arc<Maildirs>, Spool)>,
}

const ACCOUNTS: [(u64, &str); 3] = [(1, "alice"), (2, "bob"), (3, "carol")];

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, disk: Memory::default(), running: None }
    }

    /// Starts the server where it does not run; whether it runs.
    fn start(&mut self) -> bool {
        if self.running.is_none() {
            let disk = Arc::new(self.disk.clone());
            let root = self.folder.path().join("mail");
            let settings = Settings { root, hostname: "mx".into(), default_quota: None, over: Over::Defer };
            let spool = super::settings(self.folder.path());
            let maildirs = Maildirs::on(settings, disk.clone()).map(Arc::new);
            self.running = maildirs.ok().and_then(|m| Some((m.clone(), Spool::on(spool, m, disk).ok()?)));
        }
        self.running.is_some()
    }

    fn power_cut(&mut self, seed: u64) {
        self.disk.fail(0, Fault::PowerCut);
        self.running = None;
        self.disk.restart(seed);
    }

    /// The process is killed: it does nothing more, and what it did stays.
    fn kill(&mut self) {
        self.disk.fail(0, Fault::PowerCut);
        self.running = None;
        self.disk.go_on();
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join("mail").join(path)
    }

    /// What a reader does: it moves files to `cur`, and flags them.
    fn see(&self, account: &str) {
        let folder = self.path(account);
        for (name, _) in self.disk.list(&folder.join("new")).unwrap() {
            self.disk.rename(&folder.join("new").join(&name), &folder.join("cur").join(format!("{name}:2,S"))).unwrap();
        }
    }

    /// How often each text is in each mailbox's `new` and `cur`.
    fn copies(&self) -> BTreeMap<(String, String), usize> {
        let root = self.folder.path().join("mail").to_string_lossy().into_owned();
        let mut copies = BTreeMap::new();
        for (path, content) in self.disk.files() {
            let Some((account, "new" | "cur", _)) = path.strip_prefix(&root).and_then(parts) else { continue };
            let content = String::from_utf8_lossy(&content).into_owned();
            let text = content.split_once("\n\n").map_or(format!("torn: {path}"), |(_, text)| text.to_owned());
            *copies.entry((account.to_owned(), text)).or_default() += 1;
        }
        copies
    }

    fn tmp(&self) -> Vec<String> {
        let root = self.folder.path().join("mail").to_string_lossy().into_owned();
        let left = |path: &String| path.strip_prefix(&root).and_then(parts).is_some_and(|(_, part, _)| part == "tmp");
        self.disk.files().into_keys().filter(left).collect()
    }
}

/// `/<account>/<part>/<file>`.
fn parts(path: &str) -> Option<(&str, &str, &str)> {
    let mut parts = path.strip_prefix('/')?.splitn(3, '/');
    Some((parts.next()?, parts.next()?, parts.next()?))
}

#[derive(Debug, Clone)]
enum Step {
    Message { accounts: usize, outcomes: Outcomes, large: bool },
    Checkpoint,
    Kill,
    Fault { after: u64, fault: Fault },
    Heal,
    PowerCut { seed: u64 },
    Retry,
}

fn step() -> impl Strategy<Value = Step> {
    let outcomes = prop_oneof![Just(Outcomes::Together), Just(Outcomes::Each)];
    let fault = prop_oneof![
        Just(Fault::Once(io::ErrorKind::StorageFull)),
        Just(Fault::Once(io::ErrorKind::Other)),
        Just(Fault::Full),
        Just(Fault::PowerCut)
    ];
    prop_oneof![
        6 => (1usize..8, outcomes, prop::bool::weighted(0.2))
            .prop_map(|(accounts, outcomes, large)| Step::Message { accounts, outcomes, large }),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Kill),
        4 => (0u64..40, fault).prop_map(|(after, fault)| Step::Fault { after, fault }),
        1 => Just(Step::Heal),
        2 => any::<u64>().prop_map(|seed| Step::PowerCut { seed }),
        1 => Just(Step::Retry),
    ]
}

/// Octets of a text that is too large for the log of [`super::LOG`].
const LARGE: usize = 20_000;

fn retry(spool: &Spool) -> Option<usize> {
    spool.deliver_waiting(|id, name| Some(to(id.0, name.as_str()))).ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every acknowledged copy is there in the end, whole. It is there once, unless a power cut or a failure came between.
    #[test]
    fn acknowledged_mail_outlives_everything(steps in prop::collection::vec(step(), 1..25), last in any::<u64>()) {
        let mut machine = Machine::new();
        let mut owed: Vec<(String, String)> = Vec::new();
        let mut sent: Vec<String> = Vec::new();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Message { accounts, outcomes, large } if machine.start() => {
                    let Some((_, spool)) = &machine.running else { continue };
                    let filler = if large { "x".repeat(LARGE) } else { String::new() };
                    let text = format!("message {number}\n{filler}\n");
                    sent.push(text.clone());
                    let chosen: Vec<_> = ACCOUNTS.iter().enumerate().filter(|(bit, _)| accounts & (1 << bit) != 0).map(|(_, a)| *a).collect();
                    let destinations = chosen.iter().map(|(id, name)| vec![to(*id, name)]).collect();
                    let results = accept(spool, &format!("Subject: x\n\n{text}"), destinations, outcomes);
                    for (result, (_, account)) in results.iter().zip(chosen) {
                        if result.is_ok() {
                            owed.push((account.to_owned(), text.clone()));
                        }
                    }
                    if outcomes == Outcomes::Together {
                        prop_assert!(results.iter().all(Result::is_ok) || results.iter().all(Result::is_err), "{results:?}");
                    }
                }
                Step::Message { .. } => {}
                Step::Fault { after, fault } => machine.disk.fail(after, fault),
                Step::Heal => machine.disk.heal(),
                Step::PowerCut { seed } => machine.power_cut(seed),
                Step::Checkpoint => drop(machine.running.as_ref().map(|(_, spool)| spool.checkpoint())),
                Step::Kill => machine.kill(),
                Step::Retry => drop(machine.running.as_ref().and_then(|(_, spool)| retry(spool))),
            }
        }
        machine.power_cut(last);
        prop_assert!(machine.start());
        let left = machine.running.as_ref().and_then(|(_, spool)| retry(spool));
        prop_assert_eq!(left, Some(0));
        // What is there now has to stay there: the log holds what it brought back, and nothing from the queue waits for a sync.
        machine.power_cut(last.wrapping_add(1));
        prop_assert!(machine.start());
        prop_assert_eq!(machine.running.as_ref().and_then(|(_, spool)| retry(spool)), Some(0));
        let copies = machine.copies();
        for copy in &owed {
            prop_assert!(copies.contains_key(copy), "{copy:?} is lost; there are {copies:?}");
        }
        for (account, text) in copies.keys() {
            prop_assert!(sent.contains(text), "{account} holds {text:?}, which is not what was sent");
        }
        // And the service resumes.
        prop_assert!(machine.start());
        if let Some((_, spool)) = &machine.running {
            let results = accept(spool, "Subject: x\n\nlast\n", vec![vec![to(1, "alice")]], Outcomes::Each);
            prop_assert!(results.iter().all(Result::is_ok), "{results:?}");
        }
    }

    /// Without power cuts, failures make no copy twice, and leave nothing behind.
    #[test]
    fn a_disk_that_fails_once_makes_no_second_copy(after in 0u64..60, kind in 0usize..3, accounts in 1usize..8, together: bool) {
        let kind = [io::ErrorKind::StorageFull, io::ErrorKind::Other, io::ErrorKind::PermissionDenied][kind];
        let outcomes = if together { Outcomes::Together } else { Outcomes::Each };
        let mut machine = Machine::new();
        prop_assert!(machine.start());
        let Some((_, spool)) = &machine.running else { return Ok(()) };
        machine.disk.fail(after, Fault::Once(kind));
        let chosen: Vec<_> = ACCOUNTS.iter().enumerate().filter(|(bit, _)| accounts & (1 << bit) != 0).map(|(_, a)| *a).collect();
        let destinations: Vec<_> = chosen.iter().map(|(id, name)| vec![to(*id, name)]).collect();
        let results = accept(spool, "Subject: x\n\ntext\n", destinations, outcomes);
        let mut left = retry(spool);
        left = if left == Some(0) { left } else { retry(spool) };
        prop_assert_eq!(left, Some(0));
        retry(spool);
        let copies = machine.copies();
        for (result, (_, account)) in results.iter().zip(chosen) {
            let found = copies.get(&(account.to_owned(), "text\n".to_owned())).copied().unwrap_or(0);
            prop_assert_eq!(found, usize::from(result.is_ok()), "{}: {:?}", account, result);
        }
        prop_assert!(machine.tmp().is_empty(), "{:?}", machine.tmp());
    }
}

/// What the directory says of the one account.
#[derive(Debug, Clone, PartialEq)]
enum Standing {
    Lives(Name),
    Trashed,
}

/// What a server does at its start: folders under wrong names follow the directory.
fn heal(maildirs: &Maildirs, standing: &Standing) {
    for (name, id) in maildirs.claimed().unwrap() {
        let missed = match standing.clone() {
            Standing::Lives(now) if now == name => continue,
            Standing::Lives(to) => Effect::PopRenamed { id, from: name, to },
            Standing::Trashed => Effect::PopTrashed { id, name },
        };
        maildirs.follow(&[missed]).unwrap();
    }
}

/// Cuts the power at each step of a story of folders: the mail is there afterwards, under the name that the directory has.
#[test]
fn folders_are_healed_wherever_the_power_went() {
    let ((id, alice), (_, bob)) = (named(1, "alice"), named(1, "bob"));
    let story = [
        Effect::PopRenamed { id, from: alice.clone(), to: bob.clone() },
        Effect::PopTrashed { id, name: bob.clone() },
        Effect::PopRestored { id, name: bob.clone() },
    ];
    let standing = [Standing::Lives(bob.clone()), Standing::Trashed, Standing::Lives(bob.clone())];
    for chapter in 0..story.len() {
        for step in 0.. {
            let mut machine = Machine::new();
            assert!(machine.start());
            let (maildirs, spool) = machine.running.as_ref().unwrap();
            assert!(accept(spool, "Subject: x\n\nkept\n", vec![vec![to(1, "alice")]], Outcomes::Each)[0].is_ok());
            spool.checkpoint().unwrap();
            maildirs.follow(&story[..chapter]).unwrap();
            machine.disk.fail(step, Fault::PowerCut);
            let finished = maildirs.follow(&story[chapter..=chapter]).is_ok();
            machine.power_cut(step);
            assert!(machine.start());
            let (maildirs, _) = machine.running.as_ref().unwrap();
            heal(maildirs, &standing[chapter]);
            if let Standing::Lives(name) = &standing[chapter] {
                assert_eq!(maildirs.usage(id, name).unwrap().messages, 1, "chapter {chapter}, step {step}");
            }
            let expected = if standing[chapter] == Standing::Trashed { "/.trash/1/new/" } else { "/mail/bob/new/" };
            let found: Vec<_> = machine.disk.files().into_keys().filter(|path| path.contains("/new/")).collect();
            assert!(found.len() == 1 && found[0].contains(expected), "chapter {chapter}, step {step}: {found:?}");
            if finished {
                assert!(step > 1, "the story has no steps");
                break;
            }
        }
    }
}

/// The step at which the second of two mailboxes fails after the first has its copy: the copy goes to the queue.
fn last_step_of_the_second(text: &str) -> u64 {
    let waits = |step: &u64| {
        let mut machine = Machine::new();
        assert!(machine.start());
        machine.disk.fail(*step, Fault::Once(io::ErrorKind::Other));
        let (_, spool) = machine.running.as_ref().unwrap();
        let results = accept(spool, text, vec![vec![to(1, "alice"), to(2, "bob")]], Outcomes::Together);
        results[0].as_ref().is_ok_and(|stored| stored.waiting() == 1 && stored.files()[0].to_string_lossy().contains("/alice/"))
    };
    (0..200).find(waits).unwrap()
}

const SMALL: &str = "Subject: x\n\ntext\n";

#[test]
fn a_large_copy_is_taken_back_when_another_fails_for_good() {
    let text = format!("Subject: x\n\n{}\n", "x".repeat(LARGE));
    let mut machine = Machine::new();
    assert!(machine.start());
    machine.disk.fail(last_step_of_the_second(&text), Fault::Twice(io::ErrorKind::Other));
    let (_, spool) = machine.running.as_ref().unwrap();
    let results = accept(spool, &text, vec![vec![to(1, "alice")], vec![to(2, "bob")]], Outcomes::Together);
    assert!(results.iter().all(Result::is_err), "{results:?}");
    assert!(machine.copies().is_empty() && machine.tmp().is_empty());
    assert_eq!(retry(spool), Some(0));
    assert!(machine.copies().is_empty());
}

#[test]
fn a_copy_that_neither_mailbox_nor_queue_takes_stays_in_the_log() {
    let mut machine = Machine::new();
    assert!(machine.start());
    let (_, spool) = machine.running.as_ref().unwrap();
    let send = || accept(spool, SMALL, vec![vec![to(1, "alice")], vec![to(2, "bob")]], Outcomes::Together);
    machine.disk.fail(last_step_of_the_second(SMALL), Fault::Full);
    let results = send();
    assert!(results.iter().all(Result::is_ok) && results[1].as_ref().unwrap().waiting() == 1, "{results:?}");
    machine.kill();
    assert!(machine.start());
    let (_, spool) = machine.running.as_ref().unwrap();
    assert_eq!(retry(spool), Some(0));
    let once = ["alice", "bob"].map(|account| ((account.to_owned(), "text\n".to_owned()), 1));
    assert_eq!(machine.copies(), BTreeMap::from(once));
}

#[test]
fn a_recovery_that_cannot_begin_gives_nothing_up() {
    for seed in 0..8 {
        let mut machine = Machine::new();
        assert!(machine.start());
        let (_, spool) = machine.running.as_ref().unwrap();
        assert!(accept(spool, SMALL, vec![vec![to(1, "alice")]], Outcomes::Each)[0].is_ok());
        machine.power_cut(seed);
        assert!(machine.start());
        let (_, spool) = machine.running.as_ref().unwrap();
        machine.disk.fail(0, Fault::Once(io::ErrorKind::Other));
        assert_eq!(retry(spool), None, "the queue could be listed");
        spool.checkpoint().unwrap();
        machine.power_cut(seed);
        assert!(machine.start());
        assert_eq!(machine.running.as_ref().and_then(|(_, spool)| retry(spool)), Some(0));
        assert_eq!(machine.copies(), BTreeMap::from([(("alice".to_owned(), "text\n".to_owned()), 1)]), "seed {seed}");
    }
}

#[test]
fn a_server_that_dies_young_again_and_again_does_not_fill_its_log() {
    let mut machine = Machine::new();
    for number in 0..60 {
        assert!(machine.start());
        let (_, spool) = machine.running.as_ref().unwrap();
        assert_eq!(retry(spool), Some(0));
        let text = format!("Subject: x\n\nmessage {number}\n");
        assert!(accept(spool, &text, vec![vec![to(1, "alice")]], Outcomes::Each)[0].is_ok(), "message {number}");
        machine.kill();
    }
    assert_eq!(machine.copies().len(), 60);
}

#[test]
fn a_waiting_copy_is_delivered_once_wherever_the_power_goes() {
    let held = last_step_of_the_second(SMALL);
    for (step, seed) in (0..30).flat_map(|step| (0..8).map(move |seed| (step, seed))) {
        let mut machine = Machine::new();
        assert!(machine.start());
        machine.disk.fail(held, Fault::Once(io::ErrorKind::Other));
        let (_, spool) = machine.running.as_ref().unwrap();
        assert!(accept(spool, "Subject: x\n\ntext\n", vec![vec![to(1, "alice"), to(2, "bob")]], Outcomes::Together)[0].is_ok());
        machine.disk.fail(step, Fault::PowerCut);
        retry(spool);
        machine.power_cut(seed);
        assert!(machine.start());
        machine.see("bob");
        assert_eq!(machine.running.as_ref().and_then(|(_, spool)| retry(spool)), Some(0));
        let once = ["alice", "bob"].map(|account| ((account.to_owned(), "text\n".to_owned()), 1));
        assert_eq!(machine.copies(), BTreeMap::from(once), "step {step}, seed {seed}");
    }
}

#[test]
fn two_folders_of_one_account_join_wherever_the_power_goes() {
    for (step, seed) in (0..30).flat_map(|step| (0..8).map(move |seed| (step, seed))) {
        let mut machine = Machine::new();
        assert!(machine.start());
        let (maildirs, spool) = machine.running.as_ref().unwrap();
        let ((id, alice), (_, bob)) = (named(1, "alice"), named(1, "bob"));
        for (text, name) in [("first", "alice"), ("second", "bob")] {
            assert!(accept(spool, &format!("Subject: x\n\n{text}\n"), vec![vec![to(1, name)]], Outcomes::Each)[0].is_ok());
        }
        spool.checkpoint().unwrap();
        // A folder of another program's, which only one of the two has.
        let sent = machine.path("alice/.Sent");
        make_folders(&machine.disk, &sent.join("cur")).unwrap();
        machine.disk.create(&sent.join("cur/1.x")).unwrap().sync().unwrap();
        machine.disk.sync_folder(&sent.join("cur")).unwrap();
        machine.disk.fail(step, Fault::PowerCut);
        let _ = maildirs.follow(&[Effect::PopRenamed { id, from: alice, to: bob.clone() }]);
        machine.power_cut(seed);
        assert!(machine.start());
        let (maildirs, _) = machine.running.as_ref().unwrap();
        heal(maildirs, &Standing::Lives(bob));
        machine.power_cut(seed + 1);
        let both = ["first\n", "second\n"].map(|text| (("bob".to_owned(), text.to_owned()), 1));
        assert_eq!(machine.copies(), BTreeMap::from(both), "step {step}, seed {seed}");
        assert!(machine.disk.len(&machine.path("bob/.Sent/cur/1.x")).is_ok(), "step {step}, seed {seed}");
    }
}

#[test]
fn mail_that_came_under_a_new_name_before_the_folder_moved_joins_the_old() {
    let mut machine = Machine::new();
    assert!(machine.start());
    let (maildirs, spool) = machine.running.as_ref().unwrap();
    let send = |text: &str, account: &str| accept(spool, text, vec![vec![to(1, account)]], Outcomes::Each)[0].is_ok();
    assert!(send("Subject: x\n\nfirst\n", "alice") && send("Subject: x\n\nsecond\n", "bob"));
    let ((id, alice), (_, bob)) = (named(1, "alice"), named(1, "bob"));
    maildirs.follow(&[Effect::PopRenamed { id, from: alice.clone(), to: bob.clone() }]).unwrap();
    assert_eq!(maildirs.usage(id, &bob).unwrap().messages, 2);
    assert!(!machine.disk.files().keys().any(|path| path.contains("/alice/")));
    // A deleted account takes no mail, and its purge leaves nothing.
    maildirs.follow(&[Effect::PopTrashed { id, name: bob.clone() }]).unwrap();
    assert!(!send("Subject: x\n\nlate\n", "bob"));
    maildirs.follow(&[Effect::PopPurged { id, name: bob }]).unwrap();
    let left: Vec<PathBuf> = machine.disk.files().into_keys().filter(|path| path.contains("/mail/")).map(PathBuf::from).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_purge_finds_a_folder_that_has_not_reached_the_trash() {
    let mut machine = Machine::new();
    assert!(machine.start());
    let (maildirs, spool) = machine.running.as_ref().unwrap();
    assert!(accept(spool, "Subject: x\n\nold\n", vec![vec![to(1, "alice")]], Outcomes::Each)[0].is_ok());
    let (id, alice) = named(1, "alice");
    // Of another account, the folder stays.
    maildirs.follow(&[Effect::PopPurged { id: named(2, "alice").0, name: alice.clone() }]).unwrap();
    assert_eq!(maildirs.usage(id, &alice).unwrap().messages, 1);
    maildirs.follow(&[Effect::PopPurged { id, name: alice }]).unwrap();
    assert!(!machine.disk.files().keys().any(|path| path.contains("/mail/")));
}

#[test]
fn a_disk_without_room_refuses_before_anything_is_written() {
    let mut machine = Machine::new();
    assert!(machine.start());
    let (_, spool) = machine.running.as_ref().unwrap();
    machine.disk.set_free(1 << 20);
    let before = machine.disk.operations();
    let refused = accept(spool, "Subject: x\n\nx\n", vec![vec![to(1, "alice")], vec![to(2, "bob")]], Outcomes::Each);
    assert_eq!(refused, vec![Err(restante::spool::Failure::DiskFull); 2]);
    assert_eq!(machine.disk.operations(), before);
    machine.disk.set_free(1 << 30);
    assert!(accept(spool, "Subject: x\n\nx\n", vec![vec![to(1, "alice")]], Outcomes::Each)[0].is_ok());
}
