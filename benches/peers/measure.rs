//! The order of the runs: every server has its turn before any has its second, so that whatever else the machine does
//! meets all of them.

use std::time::{Duration, Instant};

use crate::limits::{self, Boxes, Limit, THREADS};
use crate::load::BOXES;
use crate::load::group::Memory;
use crate::load::latency::{self, Waited};
use crate::load::scenario::{Run, Scenario, USUAL};
use crate::load::server::{Door, Server};

/// Everything about one scenario.
pub struct Measured {
    /// What was sent.
    pub scenario: Scenario,
    /// What came of it, by door.
    pub entries: Vec<Entry>,
}

/// One door in one scenario.
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// The runs that count.
    pub runs: Vec<Run>,
    /// The most memory in the runs that do not.
    pub memory: Memory,
}

/// One message for each mailbox: the first one makes the Maildir, which is nobody's daily work.
pub fn first_mail(server: &Server) {
    if let Some(door) = server.doors.first() {
        USUAL.run(server, door, BOXES);
    }
}

/// All doors of all servers.
fn doors<'a>(servers: impl IntoIterator<Item = &'a Server>) -> Vec<(&'a Server, &'a Door)> {
    servers.into_iter().flat_map(|server| server.doors.iter().map(move |door| (server, door))).collect()
}

/// Each scenario: runs that find out how many messages it takes, and in which memory is watched, then `rounds` that count.
pub fn scenarios(scenarios: &[Scenario], servers: &[&Server], rounds: usize, time: Duration) -> Vec<Measured> {
    let doors = doors(servers.iter().copied());
    let measure = |scenario: &Scenario| {
        eprintln!("{scenario}");
        let (mut entries, mut counts) = (Vec::new(), Vec::new());
        for (server, door) in &doors {
            let (messages, memory) = server.group.peak(|| scenario.messages(server, door, time));
            entries.push(Entry { name: door.name, runs: Vec::new(), memory });
            counts.push(messages);
        }
        for _ in 0..rounds {
            for (((server, door), messages), entry) in doors.iter().zip(&counts).zip(&mut entries) {
                let run = scenario.run(server, door, *messages);
                eprintln!("  {}: {messages} messages in {:.2} s, {:.0} delivered/s", door.name, run.seconds, run.rate());
                entry.runs.push(run);
            }
        }
        Measured { scenario: *scenario, entries }
    };
    scenarios.iter().map(measure).collect()
}

/// What clients wait for the answer to their end of data, by door.
pub fn latency(scenario: &Scenario, servers: &[Server], rounds: usize, time: Duration) -> Vec<(&'static str, Waited)> {
    eprintln!("end of data to answer");
    let doors = doors(servers);
    let mut all: Vec<_> = doors.iter().map(|(_, door)| (door.name, Waited::none())).collect();
    for _ in 0..rounds {
        for ((server, door), (_, waited)) in doors.iter().zip(&mut all) {
            let begin = Instant::now();
            let heard = latency::sessions(door, scenario.sessions, scenario.octets as usize, time, Duration::ZERO);
            server.holds(heard.count(), begin);
            server.clear(scenario.octets);
            waited.add(&heard);
        }
    }
    all
}

/// The most memory while so many send at once, over SMTP.
pub fn memory(scenario: &Scenario, server: &Server) -> Memory {
    eprintln!("{scenario}: memory");
    let Some(door) = server.doors.first() else { return Memory::default() };
    server.group.peak(|| scenario.run(server, door, scenario.sessions * 5)).1
}

/// The middle one of each kind of limit, for each number of threads.
pub fn limits(rounds: usize, time: Duration) -> Vec<(&'static str, Vec<Limit>)> {
    eprintln!("limits of the disk");
    type Act = fn(&Boxes, usize, Duration) -> Limit;
    let kinds: [(&str, Act); 3] = [
        ("file: create, `fsync`, rename, `fsync` of the directory", limits::synced_files),
        ("one preallocated log with group `fdatasync`, and an unsynced file", limits::log_and_files),
        ("RocksDB's log with its own group commit, and an unsynced file", limits::engine_and_files),
    ];
    let boxes = Boxes::new();
    let median = |act: Act, threads: usize| {
        let mut limits: Vec<Limit> = (0..rounds).map(|_| act(&boxes, threads, time.min(Duration::from_secs(1)))).collect();
        limits.sort_by(|one, other| one.rate.total_cmp(&other.rate));
        limits.get(limits.len() / 2).copied()
    };
    kinds.map(|(name, act)| (name, THREADS.iter().filter_map(|threads| median(act, *threads)).collect())).into()
}
