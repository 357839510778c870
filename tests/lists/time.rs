//! What takes days: postings that nobody approves of, and senders who write again. The days are handed in, and nothing is waited for.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use restante::directory::{AccountId, Actor, Change, Directory, PasswordHash, Posting, State, Target, Vacation, View as _};
use restante::mail::{Address, Domain, Mailbox, Name, Recipient, ReversePath};
use restante::maildir::{self, Maildirs};
use restante::relay::list::address::Signer;
use restante::relay::list::dmarc::Dmarc;
use restante::relay::list::{Lists, Rules};
use restante::relay::vacation::Vacations;
use restante::relay::{Addressee, Letter, Office};
use restante::router::{Destination, Disabled, Limits, Relay};
use restante::spool::outgoing::Kind;
use restante::spool::{self, Bounds, Spool};

use super::house::{PATIENCE, fields};
use super::world::maildir::Maildir;
use super::world::process::until;

/// An Argon2id hash as cheap as the rules allow.
const HASH: &str = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

/// The parts of a server that lists and replies need.
struct Parts {
    folder: tempfile::TempDir,
    office: Arc<Office>,
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

impl Parts {
    /// With a mailbox for each of these names in `example.org`.
    fn new(names: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let directory = Arc::new(Directory::open(&folder.path().join("directory")).unwrap());
        let root = folder.path().join("mail");
        let settings = maildir::Settings { root, hostname: "mx.test".into(), default_quota: None, over: maildir::Over::Defer };
        let maildirs = Arc::new(Maildirs::new(settings).unwrap());
        let log = Bounds { segment: 64 << 10, total: 1 << 20 };
        let settings = spool::Settings { dir: folder.path().to_owned(), hostname: "mx.test".into(), log };
        let spool = Arc::new(Spool::open(settings, maildirs).unwrap());
        let office = Arc::new(Office::new(directory, spool, limits(), "mx.test".into()));
        let parts = Self { folder, office };
        parts.apply(Change::AddDomain { domain: domain(), owner: None });
        for text in names {
            let password = PasswordHash(HASH.into());
            let owner = format!("Owner of {text}");
            parts.apply(Change::AddPop { name: name(text), domain: domain(), owner, password, quota: None, state: State::Active });
        }
        parts
    }

    fn apply(&self, change: Change) {
        self.office.directory().apply(&Actor::Server, &change, Timestamp::now()).unwrap();
    }

    fn maildir(&self, name: &str) -> Maildir {
        Maildir::new(self.folder.path().join("mail").join(name))
    }

    fn id(&self, text: &str) -> AccountId {
        self.office.directory().snapshot().pop(&name(text)).unwrap().unwrap().id
    }
}

fn limits() -> Limits {
    Limits {
        hostname: None,
        subaddress_separators: "+".into(),
        postmaster: None,
        disabled: Disabled::default(),
        relay: Relay::Off,
        lists: restante::router::Lists::On,
        max_depth: 10,
        max_fan_out: 100,
        max_total: 1000,
    }
}

fn domain() -> Domain {
    Domain::parse("example.org").unwrap()
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_posting_that_nobody_approves_of_is_thrown_away_in_time() {
    let parts = Parts::new(&["alice", "olga"]);
    let (owner, members) = (Target::Account(name("olga")), vec![Target::Account(name("alice"))]);
    parts.apply(Change::AddList { name: name("team"), domain: domain(), owner, posting: Posting::Moderated, members });
    let rules = |held| Rules { panel: None, bounce_days: 3, bounce_window: 14, held };
    let (signer, dmarc) = (Signer::new(b"key"), Dmarc::asking(&["127.0.0.1:1".parse().unwrap()]));
    let lists = Arc::new(Lists::new(Arc::clone(&parts.office), signer, dmarc, rules(SignedDuration::from_hours(24))));
    let held = || {
        let list = parts.office.directory().snapshot().list(&name("team")).unwrap().unwrap();
        lists.held(&list, None, 10).unwrap().len()
    };
    for (kept, waits) in [(SignedDuration::from_hours(24), 1), (SignedDuration::ZERO, 1)] {
        lists.set_rules(rules(kept));
        let recipient = Recipient::from(mailbox("team@example.org"));
        let letter = Letter {
            kind: Kind::Posting,
            sender: ReversePath::Mailbox(mailbox("bob@elsewhere.example")),
            recipients: vec![Addressee { recipient, sender: None }],
            text: b"From: <bob@elsewhere.example>\nSubject: please\n\nHello.\n".to_vec(),
        };
        assert!(parts.office.submit(letter).await.iter().all(Result::is_ok));
        let working = Arc::clone(&lists);
        tokio::task::spawn_blocking(move || working.work(&|| false)).await.unwrap().unwrap();
        assert_eq!(held(), waits, "{kept:?}");
    }
    // Both were told of to the owner, and neither has gone to a member.
    assert!(until(PATIENCE, || (parts.maildir("olga").files().len() == 2).then_some(())).is_some());
    assert_eq!(parts.maildir("alice").files().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_is_told_again_after_seven_days() {
    let parts = Parts::new(&["alice", "bob"]);
    let vacation = Some(Vacation { text: "Away.".into(), from: None, until: None });
    parts.apply(Change::SetVacation { name: name("alice"), vacation });
    let vacations = Vacations::new(Arc::clone(&parts.office));
    let to = Destination { id: parts.id("alice"), name: name("alice"), address: Address::new("alice", domain()), quota: None };
    let begin: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    let header = b"From: <bob@example.org>\nTo: <alice@example.org>\nSubject: again\n\n";
    let mut told = Vec::new();
    for hours in [0, 1, 7 * 24 - 1, 7 * 24, 7 * 24 + 1, 14 * 24] {
        let now = begin + SignedDuration::from_hours(hours);
        let sender = ReversePath::Mailbox(mailbox(if hours == 1 { "BOB@example.org" } else { "bob@example.org" }));
        let before = parts.maildir("bob").files().len();
        vacations.answer(header, &sender, std::slice::from_ref(&to), now).await;
        if parts.maildir("bob").files().len() > before {
            told.push(hours);
        }
    }
    assert_eq!(told, [0, 7 * 24, 14 * 24]);
    let dates: Vec<String> = parts.maildir("bob").messages().iter().flat_map(|message| fields(message, "Date")).collect();
    assert!(dates.iter().any(|date| date.contains("8 Mar 2026")), "{dates:?}");
}
