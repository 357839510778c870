//! Messages per second that the spool makes safe in 1,000 Maildirs, by threads, beside what the disk of the target
//! directory allows: `cargo bench --bench delivery [SECONDS]`. A figure is a mean over that time (3 s), after one round through
//! all Maildirs, so that none is made while the clock runs.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use restante::directory::AccountId;
use restante::mail::trace::{Client, Spoken, With};
use restante::mail::{Address, Domain, Envelope, Mailbox, Name, Recipient, ReversePath};
use restante::maildir::{Maildirs, Over, Settings};
use restante::router::Destination;
use restante::spool::log::SEGMENT;
use restante::spool::outgoing::Kind;
use restante::spool::{self, Bounds, Outcomes, Routed, Routing, Spool};

type Failed = Box<dyn std::error::Error + Send + Sync>;

const MAILDIRS: u64 = 1_000;
const MESSAGE: usize = 4096;
const THREADS: [usize; 3] = [1, 10, 64];

/// Messages that lie in the mailboxes while their owners call for them as fast as they come.
const KEPT: usize = 5_000;

/// How often `act` succeeds in a second, done by `threads` threads at once; `act` gets a number of its own each time.
fn rate(threads: usize, time: Duration, act: impl Fn(u64) -> Result<(), Failed> + Sync) -> Result<f64, Failed> {
    let (count, start) = (AtomicU64::new(0), Instant::now());
    let work = || {
        while start.elapsed() < time {
            act(count.fetch_add(1, Ordering::Relaxed))?;
        }
        Ok::<(), Failed>(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| "a worker gave up")?)
    })?;
    Ok(count.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64())
}

/// What a log could do at best: one file, appended to and synced each time.
fn append_and_sync(folder: &Path, time: Duration) -> Result<f64, Failed> {
    let file = OpenOptions::new().create(true).append(true).open(folder.join("appended"))?;
    rate(1, time, |_| {
        (&file).write_all(&[b'x'; MESSAGE])?;
        Ok(file.sync_data()?)
    })
}

/// What a Maildir asks of the disk, without us: create, write, sync, rename, sync the folder.
fn by_hand(folder: &Path, threads: usize, time: Duration) -> Result<f64, Failed> {
    let boxes = folder.join("raw");
    for number in 0..MAILDIRS {
        for part in ["tmp", "new"] {
            std::fs::create_dir_all(boxes.join(number.to_string()).join(part))?;
        }
    }
    rate(threads, time, |number| {
        let (mailbox, name) = (boxes.join((number % MAILDIRS).to_string()), format!("{threads}.{number}"));
        let draft = mailbox.join("tmp").join(&name);
        let mut file = File::create_new(&draft)?;
        file.write_all(&[b'x'; MESSAGE])?;
        file.sync_data()?;
        std::fs::rename(draft, mailbox.join("new").join(name))?;
        Ok(File::open(mailbox.join("new"))?.sync_all()?)
    })
}

struct Server {
    spool: Spool,
    destinations: Vec<Destination>,
    text: Vec<u8>,
    sender: Mailbox,
}

impl Server {
    fn new(folder: &Path) -> Result<Self, Failed> {
        let settings = Settings { root: folder.join("mail"), hostname: "bench".into(), default_quota: None, over: Over::Defer };
        let maildirs = Arc::new(Maildirs::new(settings)?);
        let domain = Domain::parse("example.org")?;
        let destination = |number: u64| {
            let name = Name::parse(&format!("user{number}"))?;
            let address = Address::new(name.as_str(), domain.clone());
            Ok::<_, Failed>(Destination { id: AccountId(number + 1), name, address, quota: None })
        };
        let mut text = b"Subject: bench\n\n".to_vec();
        text.extend("The quick brown fox jumps over the lazy dog.\n".bytes().cycle().take(MESSAGE - text.len() - 1));
        text.push(b'\n');
        let destinations = (0..MAILDIRS).map(destination).collect::<Result<_, _>>()?;
        let log = Bounds { segment: SEGMENT, total: 64 * SEGMENT };
        let spool = Spool::open(spool::Settings { dir: folder.to_owned(), hostname: "bench".into(), log }, maildirs)?;
        Ok(Self { spool, destinations, text, sender: Mailbox::parse("sender@example.com")? })
    }

    /// Gives the file that it became.
    fn accept(&self, number: u64) -> Result<PathBuf, Failed> {
        let to = self.destinations.get((number % MAILDIRS) as usize).ok_or("no such Maildir")?.clone();
        let mut body = self.spool.body();
        body.take(&mut self.text.clone())?;
        let recipient = Recipient::from(Mailbox::parse(&to.address.to_string())?);
        let routing = Routing {
            id: self.spool.next_id(),
            envelope: Envelope::from_sender(ReversePath::Mailbox(self.sender.clone())),
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
        self.spool.accept(routing, body, Outcomes::Together, move |results| drop(done.send(results)));
        let outcome = results.recv()?.into_iter().next().ok_or("no outcome")?;
        let stored = outcome.map_err(|failure| format!("not stored: {failure:?}"))?;
        Ok(stored.files().first().ok_or("it is in no mailbox")?.clone())
    }
}

fn main() -> Result<(), Failed> {
    let seconds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(3.0);
    let time = Duration::from_secs_f64(seconds);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let mut out = io::stdout().lock();
    writeln!(out, "disk: append and fdatasync of {MESSAGE} octets, 1 thread   {:>8.0}/s", append_and_sync(folder.path(), time)?)?;
    for threads in THREADS {
        writeln!(out, "disk: create, sync, rename, sync folder, {threads:>2} threads  {:>8.0}/s", by_hand(folder.path(), threads, time)?)?;
    }
    let server = Server::new(folder.path())?;
    let first = Instant::now();
    (0..MAILDIRS).try_for_each(|number| server.accept(number).map(drop))?;
    writeln!(
        out,
        "first delivery to each of {MAILDIRS} Maildirs, 1 thread      {:>8.0}/s",
        MAILDIRS as f64 / first.elapsed().as_secs_f64()
    )?;
    for threads in THREADS {
        let stored = rate(threads, time, |number| server.accept(number).map(drop))?;
        writeln!(out, "accept: {MESSAGE} octets into {MAILDIRS} Maildirs, {threads:>2} threads {stored:>8.0}/s")?;
    }
    let kept = Mutex::new(VecDeque::new());
    let called_for = rate(10, time, |number| {
        let file = server.accept(number)?;
        let mut kept = kept.lock().map_err(|_| "another thread gave up")?;
        kept.push_back(file);
        let oldest = if kept.len() > KEPT { kept.pop_front() } else { None };
        drop(kept);
        Ok(oldest.map_or(Ok(()), std::fs::remove_file)?)
    })?;
    writeln!(out, "the same, 10 threads, with what came {KEPT} messages before removed {called_for:>8.0}/s")?;
    Ok(())
}
