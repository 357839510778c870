//! Restante at full load for a long time: memory and latency have to stay flat, every message has to arrive, and the spool
//! has to be empty at the end.
//!
//! `make bench-soak` runs it for ten minutes. `smtp-source` keeps 100 sessions busy, a reader takes the mail out of the
//! mailboxes as it arrives, and one more client asks every now and then how long an answer takes.

#[path = "../load/mod.rs"]
mod load;
#[path = "../../tests/world/mod.rs"]
mod world;

mod verdict;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use clap::Parser;

use load::group::Ended;
use load::latency::{self, Waited};
use load::scenario::{Scenario, USUAL};
use load::server::{Door, Server};
use load::{BOXES, interrupt};
use verdict::{Second, Verdict};

/// Runs Restante at full load, and says whether anything grew or got lost.
#[derive(Parser)]
struct Options {
    /// How long.
    #[arg(long, default_value_t = 10)]
    minutes: usize,
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Full load.
const LOAD: Scenario = Scenario { sessions: 100, ..USUAL };

/// Messages that one `smtp-source` sends before the next one takes over.
const BATCH: usize = 20_000;

/// Between two messages of the client that measures.
const PAUSE: Duration = Duration::from_millis(10);

/// How often the reader looks into the mailboxes.
const LOOK: Duration = Duration::from_millis(200);

/// How long the last messages may take.
const ARRIVED: Duration = Duration::from_secs(60);

/// What has gone in and come out.
#[derive(Default)]
struct Counts {
    sent: AtomicUsize,
    taken: AtomicUsize,
}

fn main() -> ExitCode {
    let options = Options::parse();
    interrupt::watch();
    let server = Server::restante();
    let door = server.doors.first().expect("Restante has a door");
    USUAL.run(&server, door, BOXES);
    println!("{LOAD}, {} minutes", options.minutes);
    let counts = Counts::default();
    let seconds = soak(&server, door, &counts, options.minutes);
    let sent = counts.sent.load(Ordering::Relaxed);
    let end = Instant::now() + ARRIVED;
    while counts.taken.load(Ordering::Relaxed) < sent && Instant::now() < end {
        counts.taken.fetch_add(server.take(), Ordering::Relaxed);
        sleep(LOOK);
    }
    let taken = counts.taken.load(Ordering::Relaxed);
    let verdict = Verdict { sent, taken, waiting: waiting(server.spool()), seconds: &seconds };
    println!("{verdict}");
    if verdict.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Load, reader and measuring client for so many minutes; a line each.
fn soak(server: &Server, door: &Door, counts: &Counts, minutes: usize) -> Vec<Second> {
    let over = AtomicBool::new(false);
    scope(|scope| {
        // Whoever gives up ends the others too.
        scope.spawn(|| {
            let _ended = Ended(&over);
            while !over.load(Ordering::Relaxed) {
                interrupt::check();
                LOAD.send(door, BATCH);
                counts.sent.fetch_add(BATCH, Ordering::Relaxed);
            }
        });
        scope.spawn(|| {
            let _ended = Ended(&over);
            while !over.load(Ordering::Relaxed) {
                counts.taken.fetch_add(server.take(), Ordering::Relaxed);
                sleep(LOOK);
            }
        });
        let _ended = Ended(&over);
        let mut all = Vec::new();
        for minute in (1..=minutes).take_while(|_| !over.load(Ordering::Relaxed)) {
            let taken = counts.taken.load(Ordering::Relaxed);
            let begin = Instant::now();
            let seconds: Vec<Second> = std::iter::from_fn(|| {
                let goes_on = begin.elapsed() < Duration::from_secs(60) && !over.load(Ordering::Relaxed);
                goes_on.then(|| second(server, door, counts))
            })
            .collect();
            let rate = (counts.taken.load(Ordering::Relaxed) - taken) as f64 / begin.elapsed().as_secs_f64();
            println!("{minute:>4} min: {rate:>6.0} delivered/s, {}", verdict::line(&seconds, octets(server.spool())));
            all.extend(seconds);
        }
        all
    })
}

/// What one client hears in a second, and what the server weighs at its end.
fn second(server: &Server, door: &Door, counts: &Counts) -> Second {
    let waited: Waited = latency::sessions(door, 1, LOAD.octets as usize, Duration::from_secs(1), PAUSE);
    counts.sent.fetch_add(waited.count(), Ordering::Relaxed);
    Second { waited, memory: server.group.memory().proportional }
}

/// Files of messages that the spool still holds.
fn waiting(spool: &Path) -> usize {
    ["queue", "incoming"].iter().filter_map(|part| fs::read_dir(spool.join(part)).ok()).map(Iterator::count).sum()
}

/// What lies in a spool beside mailboxes and directory.
fn octets(spool: &Path) -> u64 {
    let parts = fs::read_dir(spool).into_iter().flatten().flatten();
    let counts = parts.filter(|part| !["mail", "directory"].iter().any(|name| part.file_name() == *name));
    counts.map(|part| size(&part.path())).sum()
}

/// A file that goes meanwhile has no size.
fn size(path: &Path) -> u64 {
    match fs::read_dir(path) {
        Ok(files) => files.flatten().map(|file| size(&file.path())).sum(),
        Err(_) => fs::symlink_metadata(path).map_or(0, |file| file.len()),
    }
}
