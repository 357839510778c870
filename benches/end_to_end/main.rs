//! Delivered messages a second, end to end: `smtp-source` into 1,000 mailboxes through 5,000 aliases, beside what the disk
//! of this machine can do in the same minute.
//!
//! `make bench-e2e` runs it. A run counts from the start of the client until the last message lies in its Maildir; CPU and
//! memory are those of the server alone. The client has to share the processors with it.

#[path = "../../tests/world/mod.rs"]
mod world;

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use world::World;
use world::program::done;

/// Mailboxes.
const BOXES: usize = 1000;

/// Messages of one run; each goes to an alias of its own.
const MESSAGES: usize = 5000;

/// Text of one message, in octets.
const OCTETS: usize = 4096;

/// Sessions at a time.
const SESSIONS: usize = 20;

/// Runs of each kind; the middle one counts.
const RUNS: usize = 3;

/// How long the disk is measured.
const DISK: Duration = Duration::from_secs(2);

/// The clock ticks of `/proc/PID/stat`: a constant of Linux, whatever its kernel's own.
const TICKS_PER_SECOND: f64 = 100.0;

/// What a run came to.
#[derive(Clone, Copy)]
struct Run {
    seconds: f64,
    cpu_seconds: f64,
}

/// One kind of run: what it is called, the options of `smtp-source`, whether it goes to the LMTP port.
const KINDS: [(&str, &[&str], Port); 3] = [
    ("SMTP, a connection for each message", &[], Port::Smtp),
    ("SMTP, connections kept", &["-d"], Port::Smtp),
    ("LMTP, connections kept", &["-d", "-L"], Port::Lmtp),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Port {
    Smtp,
    Lmtp,
}

fn main() {
    let world = World::new();
    println!("idle server: {} MB resident", kilobytes(&world, "VmRSS") / 1024);
    world.domain("example.org").pop("modelbox");
    let names: Vec<String> = (0..BOXES).map(|number| format!("box{number}")).collect();
    world.multiply("modelbox", &names);
    world.alias("model@example.org", &["modelbox"]);
    world.import_aliases(
        "model@example.org",
        (1..=MESSAGES).map(|number| (format!("{number}load@example.org"), format!("box{}", number % BOXES))),
    );
    println!(
        "{MESSAGES} messages of {OCTETS} octets, {SESSIONS} sessions, {BOXES} mailboxes, {MESSAGES} aliases, {} processors",
        processors()
    );
    for writers in [1, SESSIONS] {
        println!("disk, {writers:>2} writers: {:>6.0} fdatasync/s of {OCTETS} octets each", disk(world.path(), writers));
    }
    let mut delivered = 0;
    for (kind, options, port) in KINDS {
        let mut runs: Vec<Run> = (0..RUNS).map(|_| run(&world, &names, options, port, &mut delivered)).collect();
        runs.sort_by(|one, other| one.seconds.total_cmp(&other.seconds));
        let each: Vec<String> = runs.iter().map(|run| format!("{:.0}", MESSAGES as f64 / run.seconds)).collect();
        let middle = runs.get(RUNS / 2).copied().expect("there are runs");
        println!(
            "{kind}: {:>6.0} delivered/s (runs: {}), {:.3} ms CPU a message",
            MESSAGES as f64 / middle.seconds,
            each.join(", "),
            middle.cpu_seconds * 1000.0 / MESSAGES as f64,
        );
    }
    println!("server: {} MB resident, {} MB at most", kilobytes(&world, "VmRSS") / 1024, kilobytes(&world, "VmHWM") / 1024);
}

fn run(world: &World, names: &[String], options: &[&str], port: Port, delivered: &mut usize) -> Run {
    let server = if port == Port::Smtp { world.smtp() } else { world.lmtp() }.to_string();
    let (sessions, count, octets) = (SESSIONS.to_string(), MESSAGES.to_string(), OCTETS.to_string());
    let fixed =
        ["-s", &sessions, "-m", &count, "-l", &octets, "-N", "-f", "sender@client.test", "-t", "load@example.org", "-M", "client.test"];
    let (begin, cpu) = (Instant::now(), cpu_seconds(world));
    done("smtp-source", &[&fixed, options, &[server.as_str()]].concat(), b"");
    *delivered += MESSAGES;
    while names.iter().map(|name| world.maildir(name).files().len()).sum::<usize>() < *delivered {
        thread::sleep(Duration::from_millis(5));
    }
    Run { seconds: begin.elapsed().as_secs_f64(), cpu_seconds: cpu_seconds(world) - cpu }
}

/// Appends and syncs, by `writers` at a time, each to a file of its own; how often a second.
fn disk(folder: &Path, writers: usize) -> f64 {
    let begin = Instant::now();
    let syncs: usize = thread::scope(|scope| {
        let writers: Vec<_> = (0..writers)
            .map(|writer| {
                scope.spawn(move || {
                    let mut file = File::create(folder.join(format!("sync{writer}"))).expect("a file");
                    let mut syncs = 0;
                    while begin.elapsed() < DISK {
                        file.write_all(&[b'x'; OCTETS]).expect("room");
                        file.sync_data().expect("a sync");
                        syncs += 1;
                    }
                    syncs
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().expect("no writer panics")).sum()
    });
    syncs as f64 / begin.elapsed().as_secs_f64()
}

/// Processor time of the server so far.
fn cpu_seconds(world: &World) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", world.pid())).expect("the server runs");
    // After the name, which may hold blanks: state is field 3, utime 14, stime 15 (proc_pid_stat(5)).
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_SECOND
}

/// A line of `/proc/PID/status`.
fn kilobytes(world: &World, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", world.pid())).expect("the server runs");
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.and_then(|value| value.trim().split(' ').next()?.parse().ok()).unwrap_or_default()
}

fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
