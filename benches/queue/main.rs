//! The queue at size: `cargo bench --bench queue [RECIPIENTS]` (1,000,000), each of a message of its own, over 1,000 destinations.
//! What it takes on the disk beyond the texts, how long it takes to open, to find what is due, and to settle it, and what memory
//! that takes. Then mail on its way through the whole program to `smtp-sink`, and through Postfix in turn with it, where that is installed.

mod through;
#[path = "../../tests/world/mod.rs"]
mod world;

use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use hdrhistogram::Histogram;
use jiff::Timestamp;
use restante::mail::{Envelope, Mailbox, QueueId, ReversePath};
use restante::maildir::Text;
use restante::spool::outgoing::{Attempt, Entry, Filing, Hop, Kind, Message, Outcome, Place, Queue, Recipient, To};
use restante::sys::Real;

type Failed = Box<dyn Error + Send + Sync>;

/// Octets of a text.
const TEXT: usize = 2048;

/// Destinations.
const HOPS: u64 = 1000;

/// Messages that come at the same time.
const TOGETHER: u64 = 64;

/// Times that what comes next is looked for.
const LOOKS: u64 = 10_000;

struct Plain(Vec<u8>);

impl Text for Plain {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }
    fn lines(&self) -> u64 {
        memchr::memchr_iter(b'\n', &self.0).count() as u64
    }
    fn read(&self) -> io::Result<Box<dyn io::Read + '_>> {
        Ok(Box::new(self.0.as_slice()))
    }
}

/// Text that does not compress well: what it takes on the disk is its size.
fn text(number: u64) -> Plain {
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut text = format!("Subject: {number}\n\n").into_bytes();
    while text.len() < TEXT {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.extend_from_slice(format!("{state:016x}\n").as_bytes());
    }
    Plain(text)
}

fn entry(queue: &Queue, number: u64, now: Timestamp) -> Result<Entry, Failed> {
    let to = Mailbox::parse(&format!("someone{number}@host{}.example", number % HOPS))?;
    let hop = Hop::of(&to, Filing::Domains);
    let Envelope { sender, body, charset, ret, envid, .. } = Envelope::from_sender(ReversePath::Mailbox(Mailbox::parse("a@example.org")?));
    let (octets, lines, total, open, place) = (0, 0, 0, 0, Place::Row);
    let message = Message { sender, body, charset, ret, envid, arrived: now, octets, lines, place, kind: Kind::Forwarded, total, open };
    let id = QueueId::new(1_000_000_000 + number);
    let head = "Received: from client.example (unknown [192.0.2.1])\n\tby mx.example.org (Restante) with ESMTP id 0000000000001\n";
    Ok(queue.prepare(id, message, vec![Recipient::new(To::Mailbox(to), hop, now)], head, &text(number))?)
}

fn fill(queue: &Arc<Queue>, recipients: u64) -> Result<(), Failed> {
    let now = Timestamp::now();
    for first in (0..recipients).step_by(TOGETHER as usize) {
        let together = first..(first + TOGETHER).min(recipients);
        let entries = together.map(|number| entry(queue, number, now)).collect::<Result<Vec<_>, _>>()?;
        queue.write(entries)?.into_iter().for_each(|entered| entered.confirm(&[]));
    }
    Ok(())
}

fn size(folder: &Path) -> Result<u64, Failed> {
    let mut octets = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        octets += if entry.file_type()?.is_dir() { size(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(octets)
}

/// Octets of memory that this process has.
fn resident() -> Result<u64, Failed> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? << 10)
}

/// Looks for what is due at hop after hop, and settles it: half is sent, half is put off.
fn work(queue: &Arc<Queue>, looks: u64) -> Result<[Histogram<u64>; 3], Failed> {
    let mut times = [Histogram::new(3)?, Histogram::new(3)?, Histogram::new(3)?];
    let now = Timestamp::now();
    for look in 0..looks {
        let hop = Hop::named(&format!("host{}.example", look % HOPS));
        let begun = Instant::now();
        queue.turns(Timestamp::UNIX_EPOCH, now, 1)?;
        times[0].record(begun.elapsed().as_nanos() as u64)?;
        let begun = Instant::now();
        let due = queue.due(&hop, None, now, 1)?.first().copied();
        times[1].record(begun.elapsed().as_nanos() as u64)?;
        let Some(due) = due else { continue };
        let begun = Instant::now();
        let attempt = Attempt { at: now, remote: None, status: (4, 4, 1), reply: "nobody answers".into(), by_peer: false };
        let later = Outcome::Later { next: Timestamp::MAX, attempt, delay_told: false };
        queue.settle(due.seat.id, vec![(due.seat.number, if look % 2 == 0 { Outcome::Done } else { later })])?;
        times[2].record(begun.elapsed().as_nanos() as u64)?;
    }
    Ok(times)
}

fn store(out: &mut impl io::Write, recipients: u64) -> Result<(), Failed> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let path = folder.path().join("outgoing");
    let queue = Arc::new(Queue::open(&path, Arc::new(Real))?);
    let begun = Instant::now();
    fill(&queue, recipients)?;
    let took = begun.elapsed().as_secs_f64();
    writeln!(out, "{recipients} recipients of as many messages in {took:.1} s, {:.0}/s, {TOGETHER} a sync", recipients as f64 / took)?;
    drop(queue);
    let before = resident()?;
    let begun = Instant::now();
    let queue = Arc::new(Queue::open(&path, Arc::new(Real))?);
    writeln!(out, "opened in {:.3} s", begun.elapsed().as_secs_f64())?;
    let bodies = recipients * text(0).len();
    let disk = size(&path)?;
    writeln!(
        out,
        "on the disk {} MB, of which texts {} MB, so {} MB beyond them",
        disk >> 20,
        bodies >> 20,
        disk.saturating_sub(bodies) >> 20
    )?;
    let begun = Instant::now();
    let counts = queue.counts()?;
    writeln!(out, "counted in {:.3} ms: {} wait", begun.elapsed().as_secs_f64() * 1e3, counts.waiting)?;
    let times = work(&queue, LOOKS.min(recipients))?;
    for (what, times) in ["next turn", "next recipient", "settle"].into_iter().zip(times) {
        let at = |quantile| times.value_at_quantile(quantile) as f64 / 1e6;
        writeln!(out, "{what}: p50 {:.3} ms, p99 {:.3} ms, longest {:.3} ms", at(0.5), at(0.99), at(1.0))?;
    }
    writeln!(out, "memory {} MB, of which {} MB were there before", resident()? >> 20, before >> 20)?;
    Ok(())
}

fn main() -> Result<(), Failed> {
    let recipients = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(1_000_000);
    let mut out = io::stdout();
    store(&mut out, recipients)?;
    through::beside_postfix(&mut out)
}
