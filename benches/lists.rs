//! A list at full size: `cargo bench --bench lists [MEMBERS]`, 100,000 where nothing else is said, all of them elsewhere.
//!
//! Prints what it takes to give them their seats, to accept a posting, and to bring it to the queue for each of them; and what that
//! takes on the disk, the text of the posting being there once.

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use jiff::{SignedDuration, Timestamp};
use restante::directory::{Actor, Change, Directory, Posting, Target};
use restante::mail::trace::{Client, Spoken, With};
use restante::mail::{Domain, Envelope, Mailbox, Name, Recipient, ReversePath};
use restante::maildir::{Maildirs, Over};
use restante::relay::list::address::Signer;
use restante::relay::list::dmarc::Dmarc;
use restante::relay::list::{Lists, Rules};
use restante::relay::submit::Office;
use restante::router::{self, Decision, Disabled, Limits, Relay};
use restante::spool::log::SEGMENT;
use restante::spool::outgoing::Kind;
use restante::spool::{self, Bounds, Outcomes, Routed, Routing, Spool};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Octets of the posting.
const TEXT: usize = 100 * 1024;

/// Postings that are accepted, of which the first is distributed.
const POSTINGS: usize = 50;

fn main() -> Result<(), Failure> {
    let members: usize = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(100_000);
    let folder = tempfile::tempdir_in(std::env::current_dir()?.join("target")).or_else(|_| tempfile::tempdir())?;
    let directory = Arc::new(Directory::open(&folder.path().join("directory"))?);
    furnish(&directory, members)?;
    let spool = Arc::new(open(folder.path())?);
    let office = Arc::new(Office::new(Arc::clone(&directory), Arc::clone(&spool), limits(), "bench".into()));
    let rules =
        Rules { panel: Some("https://bench.example".into()), bounce_days: 3, bounce_window: 14, held: SignedDuration::from_hours(1) };
    let lists = Arc::new(Lists::new(office, Signer::new(b"bench"), Dmarc::asking(&[]), rules));
    // RCPT begins with that while the client still talks.
    let begun = Instant::now();
    spool.outgoing().make()?;
    println!("the queue's database made, once in the life of a spool: {:.1?}", begun.elapsed());
    let mut taken = Histogram::<u64>::new(3)?;
    for number in 0..POSTINGS {
        let begun = Instant::now();
        accept(&directory, &spool)?;
        taken.record(u64::try_from(begun.elapsed().as_micros())?)?;
        if number == 0 {
            distribute(&lists, &spool, members, folder.path())?;
        }
    }
    let at = |quantile: f64| Duration::from_micros(taken.value_at_quantile(quantile));
    println!(
        "a posting of {} KiB accepted (routed, and durable): median {:.1?}, 99% {:.1?}, slowest {:.1?}",
        TEXT >> 10,
        at(0.5),
        at(0.99),
        at(1.0)
    );
    Ok(())
}

fn furnish(directory: &Directory, members: usize) -> Result<(), Failure> {
    let (name, domain) = (Name::parse("many")?, Domain::parse("example.org")?);
    let apply = |change: &Change| directory.apply(&Actor::Server, change, Timestamp::now());
    apply(&Change::AddDomain { domain: domain.clone(), owner: None })?;
    let owner = Target::parse("owner@elsewhere.example")?;
    apply(&Change::AddList { name: name.clone(), domain, owner, posting: Posting::Anyone, members: Vec::new() })?;
    let target = |number: usize| Target::parse(&format!("member{number:07}@d{}.elsewhere.example", number % 1000));
    let joining = (0..members).map(target).collect::<Result<Vec<_>, _>>()?;
    let begun = Instant::now();
    apply(&Change::JoinList { name: name.clone(), members: joining, count: members as u64 })?;
    println!("{members} members given seats in one change: {:.1?}", begun.elapsed());
    let begun = Instant::now();
    let (mut read, mut after) = (0, None);
    loop {
        let page = directory.snapshot().members(&name, after.as_deref(), 1000)?;
        read += page.records.len();
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    println!("{read} members read page by page: {:.1?}", begun.elapsed());
    Ok(())
}

fn open(folder: &Path) -> Result<Spool, Failure> {
    let mail = restante::maildir::Settings { root: folder.join("mail"), hostname: "bench".into(), default_quota: None, over: Over::Defer };
    std::fs::create_dir_all(&mail.root)?;
    let log = Bounds { segment: SEGMENT, total: 64 * SEGMENT };
    Ok(Spool::open(spool::Settings { dir: folder.to_owned(), hostname: "bench".into(), log }, Arc::new(Maildirs::new(mail)?))?)
}

fn limits() -> Limits {
    Limits {
        hostname: None,
        subaddress_separators: "+".into(),
        postmaster: None,
        disabled: Disabled::Unknown,
        relay: Relay::On,
        lists: router::Lists::On,
        max_depth: 20,
        max_fan_out: 1000,
        max_total: 1000,
    }
}

/// From RCPT to the reply, without the wire.
fn accept(directory: &Directory, spool: &Spool) -> Result<(), Failure> {
    let recipient = Recipient::from(Mailbox::parse("many@example.org")?);
    let route = router::route(&directory.snapshot(), &recipient.path, &limits(), Timestamp::now());
    let sender = ReversePath::Mailbox(Mailbox::parse("ann@elsewhere.example")?);
    let route = router::permit(route, &directory.snapshot(), &sender, |_| false);
    let Decision::Deliver { mailboxes, relays, lists } = route.decision else { return Err("the list does not take it".into()) };
    let mut text = b"From: ann@elsewhere.example\nSubject: bench\n\n".to_vec();
    text.resize(TEXT, b'x');
    let mut body = spool.body();
    body.take(&mut text)?;
    let mut envelope = Envelope::from_sender(sender);
    envelope.recipients.push(recipient.clone());
    let routing = Routing {
        id: spool.next_id(),
        envelope,
        recipients: vec![Routed { recipient, sender: None, destinations: mailboxes, relays, lists, reserved: Vec::new() }],
        client: Client { helo: "client.example".into(), name: None, address: None },
        with: With { spoken: Spoken::Esmtp, encrypted: false, charset: Default::default() },
        kind: Kind::Forwarded,
    };
    let (done, results) = mpsc::channel();
    spool.accept(routing, body, Outcomes::Together, move |results| drop(done.send(results)));
    results.recv()?.into_iter().next().ok_or("no outcome")?.map(drop).map_err(|failure| format!("{failure:?}").into())
}

fn distribute(lists: &Arc<Lists>, spool: &Spool, members: usize, folder: &Path) -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    let begun = Instant::now();
    let working = Arc::clone(lists);
    runtime.block_on(runtime.spawn_blocking(move || working.work(&|| false)))??;
    let took = begun.elapsed();
    let waiting = spool.outgoing().counts()?.waiting;
    if usize::try_from(waiting)? != members {
        return Err(format!("{waiting} recipients wait instead of {members}").into());
    }
    println!("brought to the queue for {members} members: {took:.1?}, {:.0}/s", members as f64 / took.as_secs_f64());
    println!(
        "the queue on the disk: {:.1} MiB, a text of {} KiB among it",
        octets(&folder.join("outgoing"))? as f64 / 1048576.0,
        TEXT >> 10
    );
    Ok(())
}

fn octets(folder: &Path) -> Result<u64, Failure> {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.metadata()?;
        sum += if kind.is_dir() { octets(&entry.path())? } else { kind.len() };
    }
    Ok(sum)
}
