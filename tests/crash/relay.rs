//! `kill -9` while mail is sent on: nothing that was acknowledged is lost, and at most the message that was under way goes out
//! twice.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use rand::RngExt;

use crate::client::{Protocol, Session, StopAtEnd, message};
use crate::mx::Mx;
use crate::world::process::until;
use crate::world::{Settings, User, World};

/// Crashes. `RESTANTE_CRASH_ROUNDS` asks for another number.
const ROUNDS: usize = 100;

/// The longest a server lives.
const LIFE: Duration = Duration::from_millis(500);

/// How long the last start may take to send what waits.
const SENT: Duration = Duration::from_secs(120);

/// Clients at a time.
const CLIENTS: usize = 3;

/// Every so many messages one is larger than the queue's records hold.
const LARGE: usize = 40;

fn rounds() -> usize {
    std::env::var("RESTANTE_CRASH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS)
}

/// Sends until it is told to stop; writes down what was acknowledged.
fn send(server: SocketAddr, worker: usize, told: &Mutex<BTreeSet<String>>, stop: &AtomicBool) {
    let mut session = None;
    for number in 0_usize.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let id = format!("w{worker}n{number}");
        let text = message(&id, if number % LARGE == LARGE - 1 { 400_000 } else { 2_000 });
        if session.is_none() {
            session = Session::open(server, Protocol::Smtp).ok();
        }
        match session.as_mut().and_then(|session| session.send(&["away@example.org"], &text).ok()) {
            Some(replies) => {
                assert!(replies.iter().all(crate::client::Reply::taken), "{replies:?}");
                told.lock().expect("no thread panicked").insert(id);
            }
            // Not acknowledged, so not ours to expect.
            None => session = None,
        }
        sleep(Duration::from_millis(rand::rng().random_range(0..20)));
    }
}

#[test]
fn mail_that_is_sent_on_outlives_every_crash() {
    let mx = Mx::new();
    // One message at a time is under way.
    let tables = format!(
        "[relay]\nmode = \"direct\"\ndestinations = [\"example.com via={}\"]\nconnections = 1\nfirst_retry = \"1s\"\nmax_retry = \"1s\"\n",
        mx.address()
    );
    let mut world = World::with(User::Same, Settings { tables, ..Settings::default() });
    world.domain("example.org").pop("alice").alias("away@example.org", &["someone@example.com"]);
    let (told, stop, rounds) = (Mutex::new(BTreeSet::new()), AtomicBool::new(false), rounds());
    let smtp = world.smtp();
    std::thread::scope(|scope| {
        let _stop = StopAtEnd(&stop);
        for worker in 0..CLIENTS {
            let (told, stop) = (&told, &stop);
            scope.spawn(move || send(smtp, worker, told, stop));
        }
        for _ in 0..rounds {
            sleep(LIFE.mul_f64(rand::rng().random()));
            world.kill();
            world.bury();
            world.start();
        }
    });
    let told = told.into_inner().expect("no thread panicked");
    assert!(told.len() > rounds, "too little happened: {}", told.len());
    let done = until(SENT, || (world.done(&["queue", "list", "--json"]).trim() == "[]").then_some(()));
    assert!(done.is_some(), "{}\n{}", world.done(&["queue", "list"]), world.log());
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    for taken in mx.taken() {
        let field = |name: &str| taken.text.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned)).unwrap_or_default();
        let octets: usize = field("X-Octets: ").parse().unwrap_or_default();
        let id = field("Subject: ");
        assert!(taken.text.ends_with(&*String::from_utf8_lossy(&message(&id, octets))), "{id} is damaged");
        *counted.entry(id).or_default() += 1;
    }
    let lost: Vec<_> = told.iter().filter(|id| !counted.contains_key(*id)).collect();
    assert!(lost.is_empty(), "{} acknowledged messages are lost, such as {:?}\n{}", lost.len(), lost.first(), world.log());
    let twice: usize = counted.values().map(|count| count - 1).sum();
    assert!(twice <= rounds, "{twice} copies too many after {rounds} crashes");
    assert_eq!(std::fs::read_dir(world.path().join("spool/outgoing/texts")).expect("the folder is there").count(), 0);
    eprintln!("{rounds} crashes: {} messages were acknowledged, and are there; {twice} went out twice", told.len());
}
