//! How long it takes after a crash until everything that the spool's log holds is where it belongs:
//! `cargo bench --bench recovery [MESSAGES]`, 100,000 of 4 KiB in 1,000 Maildirs where nothing else is said. Mail is taken meanwhile.

#[path = "../tests/delivery/faulty.rs"]
mod faulty;

use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Instant;

use faulty::Faulty;
use restante::directory::AccountId;
use restante::mail::trace::{Client, Spoken, With};
use restante::mail::{Address, Domain, Envelope, Mailbox, Name, Recipient, ReversePath};
use restante::maildir::{Maildirs, Over};
use restante::router::Destination;
use restante::spool::log::SEGMENT;
use restante::spool::outgoing::Kind;
use restante::spool::{self, Bounds, Outcomes, Routed, Routing, Spool};

type Failed = Box<dyn std::error::Error + Send + Sync>;

const MAILDIRS: u64 = 1_000;
const THREADS: usize = 64;
const MESSAGE: usize = 4096;

fn open(folder: &Path, disk: &Faulty) -> Result<Spool, Failed> {
    let mail = restante::maildir::Settings { root: folder.join("mail"), hostname: "bench".into(), default_quota: None, over: Over::Defer };
    let maildirs = Arc::new(Maildirs::on(mail, Arc::new(disk.clone()))?);
    let log = Bounds { segment: SEGMENT, total: 1024 * SEGMENT };
    Ok(Spool::on(spool::Settings { dir: folder.to_owned(), hostname: "bench".into(), log }, maildirs, Arc::new(disk.clone()))?)
}

fn destination(id: AccountId, name: &Name) -> Option<Destination> {
    let address = Address::new(name.as_str(), Domain::parse("example.org").ok()?);
    Some(Destination { id, name: name.clone(), address, quota: None })
}

fn accept(spool: &Spool, number: u64) -> Result<(), Failed> {
    let name = Name::parse(&format!("user{}", number % MAILDIRS))?;
    let to = destination(AccountId(number % MAILDIRS + 1), &name).ok_or("no destination")?;
    let mut text = b"Subject: bench\n\n".to_vec();
    text.resize(MESSAGE, b'x');
    let mut body = spool.body();
    body.take(&mut text)?;
    let recipient = Recipient::from(Mailbox::parse(&to.address.to_string())?);
    let routing = Routing {
        id: spool.next_id(),
        envelope: Envelope::from_sender(ReversePath::Null),
        recipients: vec![Routed {
            recipient,
            destinations: vec![to],
            reserved: Vec::new(),
            relays: Vec::new(),
            lists: Vec::new(),
            sender: None,
        }],
        client: Client { helo: "client.example".into(), name: None, address: None },
        with: With { spoken: Spoken::Esmtp, encrypted: false, charset: Default::default() },
        kind: Kind::Forwarded,
    };
    let (done, results) = mpsc::channel();
    spool.accept(routing, body, Outcomes::Together, move |results| drop(done.send(results)));
    results.recv()?.into_iter().next().ok_or("no outcome")?.map(drop).map_err(|failure| format!("{failure:?}").into())
}

/// Fills the log, and ends before any of it is settled.
fn fill(folder: &Path, disk: &Faulty, messages: u64) -> Result<(), Failed> {
    let spool = open(folder, disk)?;
    let count = AtomicU64::new(0);
    let work = || loop {
        let number = count.fetch_add(1, Ordering::Relaxed);
        if number >= messages {
            return Ok::<(), Failed>(());
        }
        accept(&spool, number)?;
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| "a worker gave up")?)
    })
}

/// Seconds until the spool is open, and then until it is recovered.
fn recover(folder: &Path, disk: &Faulty) -> Result<(f64, f64), Failed> {
    let begin = Instant::now();
    let spool = open(folder, disk)?;
    let opened = begin.elapsed();
    let left = spool.deliver_waiting(destination)?;
    if left > 0 {
        return Err(format!("{left} copies still wait").into());
    }
    Ok((opened.as_secs_f64(), (begin.elapsed() - opened).as_secs_f64()))
}

fn main() -> Result<(), Failed> {
    let messages = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(100_000);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let disk = Faulty::default();
    disk.set(|fault| fault.unsettled = true);
    fill(folder.path(), &disk, messages)?;
    let mut out = io::stdout().lock();
    let mut say = |what: &str| {
        let (opened, recovered) = recover(folder.path(), &disk)?;
        Ok::<_, Failed>(writeln!(out, "{messages} messages, {what}: open after {opened:.2} s, recovered {recovered:.2} s later")?)
    };
    say("the process was killed, all had been delivered")?;
    disk.set(|fault| fault.boots = 1);
    say("the machine was booted, all files are whole")?;
    for number in 0..MAILDIRS {
        for file in std::fs::read_dir(folder.path().join(format!("mail/user{number}/new")))? {
            std::fs::File::create(file?.path())?;
        }
    }
    disk.set(|fault| fault.boots = 2);
    say("the machine was booted, all files are empty")
}
