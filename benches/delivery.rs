//! Acceptance without sockets: messages a second that `Spool::accept` makes durable in 1,000 Maildirs, beside what the
//! disk allows in the same run.
//!
//! ```text
//! cargo bench --profile release --bench delivery -- [MESSAGES] [FOLDER]
//! ```
//!
//! FOLDER (the current one if none is given) says which disk is measured; a throwaway folder is made in it.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use restante::directory::AccountId;
use restante::mail::trace::{Client, Spoken, With};
use restante::mail::{Address, Domain, Envelope, Mailbox, Name, Recipient, ReversePath};
use restante::maildir::{Maildirs, Over, Settings};
use restante::router::Destination;
use restante::spool::{Outcomes, Routed, Routing, Spool};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const MAILBOXES: usize = 1_000;
const THREADS: [usize; 3] = [1, 10, 64];
const OCTETS: usize = 4096;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    let messages: usize = arguments.next().map_or(Ok(5_000), |a| a.parse())?;
    let parent = arguments.next().map_or_else(|| PathBuf::from("."), PathBuf::from);
    let folder = tempfile::tempdir_in(parent)?;
    let settings = Settings { root: folder.path().join("mail"), hostname: "bench".into(), default_quota: None, over: Over::Defer };
    let maildirs = Arc::new(Maildirs::new(settings)?);
    let spool = Spool::open(folder.path().to_owned(), "bench".into(), maildirs)?;
    let destinations = (0..MAILBOXES).map(destination).collect::<Outcome<Vec<_>>>()?;
    let text = message();
    // The first message to a mailbox makes its folder: that is not what is measured.
    run(MAILBOXES, 1, |at| accept(&spool, &destinations, at, &text))?;

    println!("{OCTETS}-octet messages, {MAILBOXES} mailboxes, {messages} a row");
    println!("{:>8} {:>22} {:>30} {:>20}", "threads", "accept, messages/s", "create+sync+rename+sync, /s", "append+fdatasync, /s");
    for threads in THREADS {
        let accepted = run(messages, threads, |at| accept(&spool, &destinations, at, &text))?;
        let renamed = run(messages, threads, |at| rename(folder.path(), at, &text))?;
        let appended = run(messages.min(2_000), threads, |at| append(folder.path(), at % threads, &text))?;
        println!("{threads:>8} {accepted:>22.0} {renamed:>30.0} {appended:>20.0}");
    }
    Ok(())
}

/// Does `work` with each number below `count` on that many threads; how many a second.
fn run(count: usize, threads: usize, work: impl Fn(usize) -> Outcome<()> + Sync) -> Outcome<f64> {
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(at) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|at| *at < count) {
                    if work(at).is_err() {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    match failed.into_inner() {
        0 => Ok(count as f64 / seconds),
        failures => Err(format!("{failures} of {count} failed").into()),
    }
}

fn destination(number: usize) -> Outcome<Destination> {
    let name = format!("user{number}");
    let address = Address::new(&name, Domain::parse("example.org")?);
    Ok(Destination { id: AccountId(number as u64), name: Name::parse(&name)?, address, quota: None })
}

fn message() -> Vec<u8> {
    let mut text = b"From: a@example.com\nSubject: bench\n\n".to_vec();
    while text.len() < OCTETS {
        text.extend_from_slice(b"the quick brown fox jumps over the lazy dog and over the next one\n");
    }
    text.truncate(OCTETS - 1);
    text.push(b'\n');
    text
}

fn accept(spool: &Spool, destinations: &[Destination], at: usize, text: &[u8]) -> Outcome<()> {
    let to = destinations.get(at % MAILBOXES).ok_or("no mailbox")?.clone();
    let mut body = spool.body();
    body.take(&mut text.to_vec())?;
    let recipient = Recipient::from(Mailbox::parse(&to.address.to_string())?);
    let routing = Routing {
        id: spool.next_id(),
        envelope: Envelope::from_sender(ReversePath::Null),
        recipients: vec![Routed { recipient, destinations: vec![to], reserved: Vec::new() }],
        client: Client { helo: "bench".into(), name: None, address: None },
        with: With { spoken: Spoken::Esmtp, encrypted: false, charset: Default::default() },
    };
    match spool.accept(routing, body, Outcomes::Together).pop() {
        Some(Ok(_)) => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

fn rename(folder: &Path, at: usize, text: &[u8]) -> Outcome<()> {
    let mailbox = folder.join("mail").join(format!("user{}", at % MAILBOXES));
    let (from, to) = (mailbox.join("tmp/limit"), mailbox.join("new").join(format!("limit{at}")));
    let from = from.with_extension(at.to_string());
    let mut file = File::create(&from)?;
    file.write_all(text)?;
    file.sync_data()?;
    std::fs::rename(from, to)?;
    File::open(mailbox.join("new"))?.sync_all()?;
    Ok(())
}

fn append(folder: &Path, log: usize, text: &[u8]) -> Outcome<()> {
    let mut file = File::options().create(true).append(true).open(folder.join(format!("log{log}")))?;
    file.write_all(text)?;
    file.sync_data()?;
    Ok(())
}
