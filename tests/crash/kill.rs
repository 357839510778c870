//! `kill -9` at random moments under load.
//!
//! Clients over SMTP and LMTP write down each message that was acknowledged; the command line changes the directory
//! meanwhile. After many rounds on the same spool every acknowledged message lies whole in each of its mailboxes, once;
//! one that was acknowledged in the last moments before a crash may lie there twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rand::RngExt;

use crate::client::{Protocol, Session, StopAtEnd, message};
use crate::world::World;
use crate::world::process::until;

/// Crashes.
const ROUNDS: usize = 200;

/// The longest a server lives.
const LIFE: Duration = Duration::from_millis(500);

/// The longest pause of a client between two messages. Without any, most of the test would go into removing its files.
const PAUSE: Duration = Duration::from_millis(30);

/// How close to a crash a message must have been acknowledged to be there twice.
const LAST_MOMENTS: Duration = Duration::from_secs(1);

/// How long the last start may take to bring out what the spool still holds.
const SETTLED: Duration = Duration::from_secs(60);

/// A message of which this is larger goes through a file of the spool.
const LARGE: usize = 600_000;

/// What each kind of message is addressed to, and the mailboxes that has to reach.
const ROUTES: [(&[&str], &[&str]); 4] = [
    (&["alice@example.org"], &["alice"]),
    (&["info@example.org"], &["bob"]),
    (&["team@example.org"], &["alice", "bob"]),
    (&["info@example.org", "alice+x@example.org"], &["bob", "alice"]),
];

/// What the clients were told.
#[derive(Default)]
struct Told {
    /// Mailbox and message: when it was acknowledged.
    taken: BTreeMap<(&'static str, String), Instant>,
    /// Aliases whose addition was acknowledged; those that were to be removed again are not among them.
    added: BTreeSet<String>,
    /// Aliases whose removal was acknowledged.
    removed: BTreeSet<String>,
}

/// Sends until it is told to stop, whatever happens to the server.
fn send(server: SocketAddr, protocol: Protocol, worker: usize, told: &Mutex<Told>, stop: &AtomicBool) {
    let mut session = None;
    for (number, (recipients, mailboxes)) in ROUTES.into_iter().cycle().enumerate() {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let id = format!("w{worker}n{number}");
        let text = message(&id, if number % 25 == 24 { LARGE } else { 2_000 });
        if session.is_none() {
            session = Session::open(server, protocol).ok();
        }
        let Some(replies) = session.as_mut().and_then(|session| session.send(recipients, &text).ok()) else {
            // Not acknowledged, so not ours to expect. The message goes nowhere again: the next one has another name.
            session = None;
            sleep(Duration::from_millis(2));
            continue;
        };
        let all = replies.iter().all(crate::client::Reply::taken);
        assert!(all, "{protocol:?} {recipients:?}: {replies:?}");
        let now = Instant::now();
        let copies = mailboxes.iter().map(|mailbox| ((*mailbox, id.clone()), now));
        told.lock().expect("no thread panicked").taken.extend(copies);
        sleep(PAUSE.mul_f64(rand::rng().random()));
    }
}

/// Adds aliases until the server is gone; takes every third away again.
fn administer(world: &World, round: usize, told: &Mutex<Told>, dead: &AtomicBool) {
    for number in 0_usize.. {
        if dead.load(Ordering::Relaxed) {
            return;
        }
        let alias = format!("r{round}n{number}@example.org");
        if world.restante(&["alias", "add", &alias, "alice"]).code != 0 {
            continue;
        }
        if number % 3 == 2 {
            if world.restante(&["alias", "remove", &alias]).code == 0 {
                told.lock().expect("no thread panicked").removed.insert(alias);
            }
        } else {
            told.lock().expect("no thread panicked").added.insert(alias);
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost() {
    let mut world = World::new();
    world.domain("example.org").pop("alice").pop("bob");
    world.alias("info@example.org", &["bob"]).alias("desk@example.org", &["bob"]).alias("team@example.org", &["alice", "desk@example.org"]);
    let (told, stop) = (Mutex::new(Told::default()), AtomicBool::new(false));
    let (smtp, lmtp) = (world.smtp(), world.lmtp());
    let mut deaths = Vec::new();
    std::thread::scope(|scope| {
        let _stop = StopAtEnd(&stop);
        let servers =
            [(smtp, Protocol::Smtp), (smtp, Protocol::Smtp), (smtp, Protocol::Smtp), (lmtp, Protocol::Lmtp), (lmtp, Protocol::Lmtp)];
        for (worker, (server, protocol)) in servers.into_iter().enumerate() {
            let (told, stop) = (&told, &stop);
            scope.spawn(move || send(server, protocol, worker, told, stop));
        }
        for round in 0..ROUNDS {
            let dead = AtomicBool::new(false);
            std::thread::scope(|scope| {
                let _dead = StopAtEnd(&dead);
                scope.spawn(|| administer(&world, round, &told, &dead));
                sleep(LIFE.mul_f64(rand::rng().random()));
                world.kill();
                deaths.push(Instant::now());
            });
            world.bury();
            world.start();
        }
    });
    let told = told.into_inner().expect("no thread panicked");
    assert!(told.taken.len() > ROUNDS && told.added.len() > ROUNDS / 2, "too little happened: {} {}", told.taken.len(), told.added.len());
    mail_is_there(&world, &told, &deaths);
    changes_are_there(&world, &told);
    nothing_else_is_left(&world);
    eprintln!(
        "{ROUNDS} crashes: {} copies and {} directory changes were acknowledged, and are there",
        told.taken.len(),
        told.added.len() + told.removed.len()
    );
}

fn mail_is_there(world: &World, told: &Told, deaths: &[Instant]) {
    let mut missing = Vec::new();
    let settled = until(SETTLED, || {
        let copies: Vec<_> = ["alice", "bob"].into_iter().flat_map(|mailbox| copies(world, mailbox)).collect();
        let there: BTreeSet<_> = copies.iter().collect();
        missing = told.taken.keys().filter(|copy| !there.contains(copy)).cloned().collect();
        missing.is_empty().then_some(copies)
    });
    let copies = settled
        .unwrap_or_else(|| panic!("{} acknowledged copies are missing, such as {:?}\n{}", missing.len(), missing.first(), world.log()));
    let mut counted: BTreeMap<_, usize> = BTreeMap::new();
    for copy in copies {
        *counted.entry(copy).or_default() += 1;
    }
    for (copy, count) in counted.into_iter().filter(|(_, count)| *count > 1) {
        let excused =
            told.taken.get(&copy).is_none_or(|at| deaths.iter().any(|death| at < death && death.duration_since(*at) < LAST_MOMENTS));
        assert!(count == 2 && excused, "{copy:?} is there {count} times");
    }
}

/// What lies in a mailbox: each file has to be a whole message.
fn copies(world: &World, mailbox: &'static str) -> Vec<(&'static str, String)> {
    let whole = |file: crate::world::maildir::Message| {
        let id = file.field("Subject").unwrap_or_else(|| panic!("{} has no subject", file.path.display()));
        let octets = file.field("X-Octets").and_then(|octets| octets.parse().ok()).unwrap_or_default();
        assert!(file.sent() == message(&id, octets), "{} is not what was sent", file.path.display());
        (mailbox, id)
    };
    world.maildir(mailbox).messages().into_iter().map(whole).collect()
}

fn changes_are_there(world: &World, told: &Told) {
    let export = world.done(&["export"]);
    let there = |alias: &String| export.contains(&format!("\"{alias}\""));
    let lost: Vec<_> = told.added.iter().filter(|alias| !there(alias)).collect();
    assert!(lost.is_empty(), "acknowledged aliases are missing: {lost:?}");
    let back: Vec<_> = told.removed.iter().filter(|alias| there(alias)).collect();
    assert!(back.is_empty(), "removed aliases are back: {back:?}");
}

/// What was on its way when a server died is gone, or where it belongs.
fn nothing_else_is_left(world: &World) {
    // Half-written files in `tmp` stay for 36 hours, as in every Maildir.
    let folders = ["spool/incoming", "spool/queue"];
    let left =
        || folders.iter().flat_map(|folder| fs::read_dir(world.path().join(folder)).into_iter().flatten().flatten()).collect::<Vec<_>>();
    assert!(until(SETTLED, || left().is_empty().then_some(())).is_some(), "left behind: {:?}", left());
}
