//! Mail in over SMTP, through a queue, and out to `smtp-sink`: Restante and Postfix's SMTP client in turn, in the same minutes, each with its
//! defaults. A run counts from the first message that comes in until the last has left.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::Failed;
use super::world::port::Port;
use super::world::postfix::{Postfix, map};
use super::world::process::{Process, until};
use super::world::program::done;
use super::world::{Settings, User, World, folder, root_or_skip};

/// Messages of a run.
const MESSAGES: usize = 5000;

/// Runs of each; the middle one is told.
const ROUNDS: usize = 3;

/// Octets of a message.
const OCTETS: &str = "4096";

/// Sessions that bring them.
const SESSIONS: &str = "20";

/// How often it is looked whether a queue is empty.
const LOOK: Duration = Duration::from_millis(100);

/// How long a run may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// A server that relays, and how its queue is looked at.
struct Contender<'a> {
    name: &'static str,
    address: SocketAddr,
    is_empty: Box<dyn Fn() -> bool + 'a>,
}

impl Contender<'_> {
    /// Messages taken in a second, and relayed.
    fn run(&self) -> Result<(f64, f64), Failed> {
        let begun = Instant::now();
        let (to, count) = (self.address.to_string(), MESSAGES.to_string());
        let words = ["-s", SESSIONS, "-l", OCTETS, "-m", &count, "-f", "a@example.org", "-t", "away@example.org", &to];
        done("smtp-source", &words, b"");
        let taken = begun.elapsed().as_secs_f64();
        while !(self.is_empty)() {
            if begun.elapsed() > PATIENCE {
                return Err(format!("{}: mail is still in the queue", self.name).into());
            }
            std::thread::sleep(LOOK);
        }
        let gone = begun.elapsed().as_secs_f64();
        Ok((MESSAGES as f64 / taken, MESSAGES as f64 / gone))
    }
}

/// Mail for `away@example.org` goes to this port.
fn restante(port: u16) -> World {
    let tables = format!("[relay]\ndestinations = [\"example.com via=127.0.0.1:{port}\"]\n");
    let world = World::with(User::Same, Settings { tables, ..Settings::default() });
    world.domain("example.org").alias("away@example.org", &["someone@example.com"]);
    world
}

/// The same. Without `in_flow_delay`, a pause for senders while they are faster than the deliveries.
fn postfix(port: u16) -> (Postfix, std::path::PathBuf) {
    let mut queue = std::path::PathBuf::new();
    let postfix = Postfix::start(|here| {
        queue = here.join("queue");
        format!(
            "in_flow_delay = 0s\nrelay_domains =\nsmtpd_relay_restrictions = permit_mynetworks, reject\nvirtual_alias_domains = example.org\n\
             virtual_alias_maps = {}\ntransport_maps = {}\n",
            map(here, "aliases", "away@example.org someone@example.com\n"),
            map(here, "transport", &format!("example.com smtp:[127.0.0.1]:{port}\n")),
        )
    });
    (postfix, queue)
}

/// Files below a folder; those that go meanwhile do not count.
fn files(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.file_type().is_ok_and(|kind| kind.is_dir()) { files(&entry.path()) } else { 1 }).sum()
}

/// Prints what both relay.
pub fn beside_postfix(out: &mut impl io::Write) -> Result<(), Failed> {
    if !root_or_skip("Postfix") || !Path::new("/usr/sbin/smtp-sink").exists() {
        return Ok(writeln!(out, "nothing was relayed: that needs root, Postfix and its smtp-sink")?);
    }
    let (place, port) = (folder("restante-sink-"), Port::new());
    let address = port.address();
    let mut command = Command::new("/usr/sbin/smtp-sink");
    command.args(["-u", "postfix", &address.to_string(), "1000"]);
    let _sink = Process::start(&mut command, &place.path().join("log"));
    until(Duration::from_secs(10), || TcpStream::connect(address).ok()).ok_or("smtp-sink does not listen")?;
    let world = restante(address.port());
    let (postfix, queue) = postfix(address.port());
    let contenders = [
        Contender {
            name: "Restante",
            address: world.smtp(),
            is_empty: Box::new(|| world.done(&["queue", "list", "--json"]).trim() == "[]"),
        },
        // In the order in which a message goes through them.
        Contender {
            name: "Postfix",
            address: postfix.address(),
            is_empty: Box::new(|| ["maildrop", "incoming", "active", "deferred"].iter().all(|part| files(&queue.join(part)) == 0)),
        },
    ];
    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (contender, rates) in contenders.iter().zip(&mut rates) {
            rates.push(contender.run()?);
        }
    }
    let mut middles = Vec::new();
    for (contender, mut rates) in contenders.iter().zip(rates) {
        rates.sort_by(|a, b| a.1.total_cmp(&b.1));
        let (taken, relayed) = rates.get(ROUNDS / 2).copied().ok_or("no runs")?;
        let (least, most) = (rates.first().map_or(0.0, |rate| rate.1), rates.last().map_or(0.0, |rate| rate.1));
        writeln!(
            out,
            "{}: {MESSAGES} messages of 4 KiB taken at {taken:.0}/s, relayed to smtp-sink at {relayed:.0}/s ({least:.0} to {most:.0})",
            contender.name
        )?;
        middles.push(relayed);
    }
    if let [ours, theirs] = middles[..] {
        writeln!(out, "{:.1} times Postfix", ours / theirs)?;
    }
    Ok(())
}
